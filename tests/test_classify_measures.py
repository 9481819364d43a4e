"""What is measured on a region: lengths, borders, surfaces, motion."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vde_nb import samples
from vde_nb.classify import Region, _measure_motion, _measure_shape, classify, topology

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

EDGE = 12


def region_of(reference: UInt8, current: UInt8, mask: Bool, **more: object) -> Region:
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    heat = np.zeros(mask.shape, np.uint8)
    part = mask[y : y + h, x : x + w]
    return Region((x, y, w, h), part, reference, current, heat, **more)  # type: ignore[arg-type]


def wall(height: int = 160, width: int = 200, grain: float = 6.0, seed: int = 3) -> UInt8:
    """A rough grey surface."""
    rng = np.random.default_rng(seed)
    rough = cv2.GaussianBlur(rng.normal(size=(height, width)).astype(np.float32), (0, 0), 1.5)
    grey = 130 + grain * rough / rough.std()
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def disc(shape: tuple[int, ...], x: float, y: float, radius: float) -> Bool:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def blended(picture: UInt8, other: npt.ArrayLike, alpha: npt.NDArray[np.float32]) -> UInt8:
    mixed = picture + alpha[..., None] * (np.asarray(other, np.float32) - picture)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def drawn_line(angle: float, length: float, width: int, size: int = 200) -> Bool:
    mask = np.zeros((size, size), np.uint8)
    dx, dy = math.cos(angle) * length / 2, math.sin(angle) * length / 2
    ends = [
        (round(16 * (size / 2 + side * dx)), round(16 * (size / 2 + side * dy))) for side in (-1, 1)
    ]
    cv2.line(mask, ends[0], ends[1], 1, width, cv2.LINE_8, 4)
    return mask > 0


@settings(max_examples=40, deadline=None)
@given(st.floats(0, math.pi), st.floats(40, 150), st.integers(1, 6))
def test_a_line_is_as_long_and_as_wide_as_it_was_drawn(
    angle: float, length: float, width: int
) -> None:
    mask = drawn_line(angle, length, width)
    found = _measure_shape.measure(mask)
    assert found.length == pytest.approx(length, rel=0.1, abs=width + 2)
    assert found.width == pytest.approx(np.count_nonzero(mask) / length, rel=0.12)
    assert found.tortuosity < 1.12
    assert found.waviness < 0.02


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_skeleton_lies_inside_is_one_pixel_thin_and_keeps_the_pieces_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = cv2.GaussianBlur(rng.normal(size=(50, 60)).astype(np.float32), (0, 0), 3) > 0.03
    lines = _measure_shape.skeleton(mask)
    assert not (lines & ~mask).any()
    pieces, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    assert cv2.connectedComponents(lines.view(np.uint8), connectivity=8)[0] == pieces
    assert set(labels[lines]) == set(range(1, pieces))
    full = cv2.erode(lines.view(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    assert not full.any()


def test_a_zigzag_is_longer_than_it_reaches_and_wavier_than_an_arc() -> None:
    x = np.arange(20, 180)
    arc, zigzag = np.zeros((2, 120, 200), np.uint8)
    for mask, y in (
        (arc, 60 + 12 * ((x - 100) / 80) ** 2),
        (zigzag, 60 + 8 * np.abs((x % 24) / 6 - 2)),
    ):
        cv2.polylines(mask, [np.stack([x, y], 1).astype(np.int32)], False, 1, 2)
    smooth, wavy = (_measure_shape.measure(mask > 0) for mask in (arc, zigzag))
    assert smooth.tortuosity < 1.06 < 1.2 < wavy.tortuosity
    assert smooth.waviness < 0.01 < 0.015 < wavy.waviness


def test_a_disc_is_compact_solid_and_no_stroke() -> None:
    found = _measure_shape.measure(disc((80, 80), 40, 40, 25))
    assert found.compactness > 0.85
    assert found.solidity > 0.95
    assert found.thickness == pytest.approx(50, abs=3)
    assert found.elongation == pytest.approx(1, abs=0.1)


def test_a_fat_mask_does_not_make_a_line_fat() -> None:
    reference = wall()
    line = drawn_line(0.4, 90, 2)[:160]
    current = blended(reference, 20, line.astype(np.float32))
    fat = cv2.dilate(line.view(np.uint8), np.ones((9, 9), np.uint8)) > 0
    found = region_of(reference, current, fat)
    assert found.width < 4
    assert found.elongation > 20
    assert found.ridge < -15


@pytest.mark.parametrize("sigma", [0.6, 3.0, 6.0])
def test_softness_is_the_width_of_the_border(sigma: float) -> None:
    reference = wall(200, 200)
    inside = disc((200, 200), 100, 100, 40)
    alpha = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), sigma)
    current = blended(reference, reference * 0.6, alpha)
    softness = region_of(reference, current, inside).border_softness
    # An edge blurred by a Gaussian rises within sqrt(2 pi) standard deviations.
    blur = math.hypot(sigma, 0.7)
    assert softness == pytest.approx(2.5 * blur, rel=0.3, abs=1)


def test_a_surface_shines_through_a_stain_but_not_through_a_patch() -> None:
    reference = wall()
    inside = disc(reference.shape, 100, 80, 25)
    alpha = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 3)
    stained = region_of(reference, blended(reference, reference * 0.6, alpha), inside)
    covered = region_of(reference, blended(reference, wall(seed=9), inside * np.float32(1)), inside)
    assert stained.gradient_correlation > 0.7
    assert abs(covered.gradient_correlation) < 0.25
    assert stained.unity > 0.9 > 0.4 > covered.unity
    assert stained.delta_lightness < -8
    assert stained.polarity == pytest.approx(stained.delta_lightness / 100)


def test_colours_are_measured_in_the_units_of_cie_lab() -> None:
    reference = np.full((60, 80, 3), 119, np.uint8)  # L* 50
    current = reference.copy()
    current[20:40, 20:60] = 200  # L* 81
    mask = np.zeros((60, 80), np.bool_)
    mask[20:40, 20:60] = True
    found = region_of(reference, current, mask)
    assert found.delta_e_p90 == pytest.approx(30.6, abs=0.7)
    assert found.tint < 1
    assert abs(found.delta_chroma) < 1
    assert found.contrast_current > 0.99
    assert found.contrast_reference < 0.05
    assert found.ownership < -0.9
    swapped = region_of(current, reference, mask)
    assert swapped.ownership == pytest.approx(-found.ownership, abs=1e-3)


def test_colour_is_measured_on_the_levelled_picture_and_light_on_the_other() -> None:
    reference = wall()
    darker = (reference * 0.7).astype(np.uint8)
    mask = disc(reference.shape, 100, 80, 20)
    levelled = region_of(reference, darker, mask, levelled=reference)
    assert levelled.delta_e < 1
    assert levelled.contrast_current == pytest.approx(levelled.contrast_reference, abs=0.02)
    assert region_of(reference, darker, mask).delta_e > 10


def test_the_ring_leaves_out_other_regions_and_unknown_pixels() -> None:
    reference = wall()
    current = reference.copy()
    mask = disc(reference.shape, 80, 80, 14)
    other = disc(reference.shape, 106, 80, 9)
    current[mask] = 30
    current[other] = (250, 30, 30)
    alone = region_of(reference, current, mask)
    told = region_of(reference, current, mask, changed=mask | other)
    hidden = region_of(reference, current, mask, valid=~other)
    assert not (told.view.ring & (told.view.difference > 30)).any()
    assert (alone.view.ring & (alone.view.difference > 30)).any()
    assert hidden.view.ring.sum() <= told.view.ring.sum() + 40
    nothing = region_of(reference, current, mask, valid=np.zeros_like(mask))
    assert not nothing.view.has_ring
    assert classify(nothing).confidence <= 0.5


def test_texture_may_change_while_the_mean_stays() -> None:
    reference = wall()
    mask = disc(reference.shape, 100, 80, 25)
    smooth = cv2.GaussianBlur(reference, (0, 0), 4)
    current = blended(reference, smooth, mask.astype(np.float32))
    found = region_of(reference, current, mask)
    assert found.texture_distance > 0.5
    assert found.unity < 0.3
    same = region_of(reference, reference, mask)
    assert same.texture_distance == 0


@pytest.mark.parametrize(("dx", "dy"), [(12, 0), (-9, 14), (0, -25)])
def test_a_displacement_is_found_to_the_pixel(dx: int, dy: int) -> None:
    ground = wall()
    thing = np.clip(wall(grain=40, seed=8) + np.array([60, -20, -50]), 0, 255).astype(np.uint8)
    here = disc(ground.shape, 90, 80, 12)
    there = np.roll(here, (dy, dx), (0, 1))
    reference = blended(ground, thing, here.astype(np.float32))
    current = blended(ground, np.roll(thing, (dy, dx), (0, 1)), there.astype(np.float32))
    found = region_of(reference, current, here | there)
    assert found.displacement == pytest.approx(math.hypot(dx, dy), abs=1.5)
    assert found.displacement_score > 0.7
    assert found.exchange > 0.3
    assert found.exchange_balance > 0.7
    assert classify(found).type == "moved"


def test_a_shift_has_the_sign_of_the_motion() -> None:
    before = wall(60, 80)[..., 0]
    after = np.roll(before, (-5, 7), (0, 1))
    shift = _measure_motion.best_shift(before, after, np.ones((60, 80), np.bool_))
    assert (shift.dx, shift.dy) == (7, -5)
    assert shift.score > 0.8 > 0.4 > shift.still


def test_a_bulge_is_undone_by_its_flow() -> None:
    reference = np.ascontiguousarray(samples.load("label").reference[180:340, 480:680])
    y, x = np.mgrid[:160, :200].astype(np.float32)
    weight = np.clip(1 - ((x - 100) ** 2 + (y - 80) ** 2) / 40**2, 0, 1) ** 2
    moved_x = (x + 9 * weight).astype(np.float32)
    current = cv2.remap(reference, moved_x, y, cv2.INTER_CUBIC)
    found = region_of(reference, np.asarray(current, np.uint8), weight > 0.15)
    assert found.flow_gain > 0.6
    assert 2 < found.flow < 9
    assert found.flow_roughness < 0.6


def test_a_large_region_is_measured_in_small_and_told_in_picture_pixels() -> None:
    reference = cv2.resize(wall(200, 250), (1000, 800), interpolation=cv2.INTER_CUBIC)
    inside = disc(reference.shape, 500, 400, 180)
    current = blended(reference, reference * 0.5 + np.array([60, 0, 0]), inside.astype(np.float32))
    found = region_of(reference, current, inside)
    assert found.view.scale == 4
    assert max(found.view.inside.shape) <= 140
    assert found.thickness == pytest.approx(360, rel=0.05)
    assert found.border_softness < 4


FLAT = np.full((60, 80, 3), 90, np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
SMALL = np.random.default_rng(1).integers(0, 256, (7, 7, 3), dtype=np.uint8)
LARGE = np.random.default_rng(2).integers(0, 256, (300, 400, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("reference", "current", "box"),
    [
        pytest.param(FLAT, FLAT, (10, 10, 20, 20), id="two flat pictures"),
        pytest.param(NOISE, NOISE, (10, 10, 20, 20), id="the same picture"),
        pytest.param(FLAT, 255 - FLAT, (0, 0, 80, 60), id="everything"),
        pytest.param(NOISE, 255 - NOISE, (0, 0, 80, 60), id="everything and rough"),
        pytest.param(FLAT, NOISE, (40, 30, 1, 1), id="one pixel"),
        pytest.param(FLAT, NOISE, (0, 0, 5, 5), id="the first corner"),
        pytest.param(FLAT, NOISE, (75, 55, 5, 5), id="the last corner"),
        pytest.param(NOISE, FLAT, (0, 20, 80, 1), id="one row"),
        pytest.param(SMALL, 255 - SMALL, (0, 0, 7, 7), id="a tiny picture"),
        pytest.param(SMALL, 255 - SMALL, (3, 3, 1, 1), id="one pixel of a tiny picture"),
        pytest.param(LARGE, 255 - LARGE, (0, 0, 400, 300), id="a large picture"),
        pytest.param(FLAT * 0, FLAT * 0 + 255, (0, 0, 80, 60), id="black and white"),
    ],
)
def test_every_measure_is_a_number_whatever_the_region(
    reference: UInt8, current: UInt8, box: tuple[int, int, int, int]
) -> None:
    shape = reference.shape[:2]
    one = Region(box, np.ones((box[3], box[2]), np.bool_), reference, current, reference[..., 0])
    for name in dir(Region):
        if not name.startswith("_"):
            value = getattr(one, name)
            assert not isinstance(value, float) or math.isfinite(value), name
    label = classify(one)
    assert 0 <= label.confidence <= 1
    assert 0 <= label.severity_score <= 1
    topology(one)
    if box[2:] == shape[::-1]:
        assert label.confidence <= 0.5, "there is no ring to compare with"
    if reference is current:
        assert label.type == "unknown"
        assert label.severity == "minor"


def test_a_thin_mask_in_a_huge_box_and_an_empty_one_are_no_reason_to_fail() -> None:
    mask = np.zeros((300, 400), np.bool_)
    empty = Region((0, 0, 400, 300), mask, LARGE, 255 - LARGE, LARGE[..., 0])
    assert classify(empty).type == "unknown"
    mask[7, 11] = True
    dot = Region((0, 0, 400, 300), mask, LARGE, 255 - LARGE, LARGE[..., 0])
    assert all(math.isfinite(value) for value in dot.evidence().values())
