"""The tolerant difference: what it forgives, what it does not, and its arithmetic."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_difference import picture
from vde_nb import _bands
from vde_nb.difference import _lines, _variation
from vde_nb.difference import tolerant as tolerant_function
from vde_nb.difference._lines import TAPS, line_sums
from vde_nb.difference._radius import tolerant_radius
from vde_nb.difference.tolerant import Evidence, false_alarm_level, tolerant

SIZES = [(7, 7), (7, 500), (500, 7), (9, 8), (33, 31)]


def level_of(image: np.ndarray) -> float:
    return false_alarm_level(image.shape[0] * image.shape[1])


def decisive(found: Evidence) -> np.ndarray:
    """Evidence as the method decides by it: a mean of 3 x 3 pixels."""
    return cv2.blur(found.evidence, (3, 3))


def grained(image: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    grain = np.random.default_rng(seed).normal(0, sigma, image.shape[:2] + (1,) * (image.ndim - 2))
    return np.clip(image + grain, 0, 255).round().astype(np.uint8)


def smooth(height: int = 300, width: int = 400) -> np.ndarray:
    """Gentle slopes, as on painted metal, and one sharp edge."""
    x, y = np.meshgrid(np.linspace(0, 3, width), np.linspace(0, 2, height))
    base = 120 + 25 * np.sin(x) + 20 * np.cos(y)
    base[:, width // 2 :] += 50
    return np.repeat(base[..., None], 3, axis=2).round().astype(np.uint8)


def test_the_package_exports_the_function() -> None:
    assert tolerant_function is tolerant


@pytest.mark.parametrize("size", [*SIZES, (300, 400)])
@pytest.mark.parametrize("kind", ["picture", "black", "grey", "white"])
def test_identical_pictures_hold_no_evidence(size: tuple[int, int], kind: str) -> None:
    levels = {"black": 0, "grey": 128, "white": 255}
    image = (
        picture(*size, channels=3)
        if kind == "picture"
        else np.full((*size, 3), levels[kind], np.uint8)
    )
    with np.errstate(all="raise"):
        found = tolerant(image, image.copy())
    assert not found.evidence.any() and not found.local.any()
    assert (found.radius, found.noise) == (1, 0.0)
    assert found.evidence.dtype == found.local.dtype == np.float32
    assert found.evidence.shape == found.local.shape == size


def test_an_edge_a_pixel_aside_is_no_change_and_a_spot_of_that_contrast_is() -> None:
    reference = np.full((300, 400, 3), 90, np.uint8)
    reference[:, 200:] = 150
    current = np.full_like(reference, 90)
    current[:, 201:] = 150
    reference, current = grained(reference, 2, 0), grained(current, 2, 1)
    level = level_of(reference)
    assert decisive(tolerant(reference, current)).max() < level
    current[100:105, 80:85] = np.clip(current[100:105, 80:85].astype(int) + 60, 0, 255)
    found = decisive(tolerant(reference, current))
    assert found[102, 82] > 2 * level
    assert found[:, 190:].max() < level, "the edge is as before"
    far = found.copy()
    far[85:120, 65:100] = 0
    assert far.max() < level, "evidence stays near the spot"


@pytest.mark.parametrize(
    ("contrast", "step"),
    [
        (20, 2),
        (60, 2),
        (120, 2),
        (20, 3),
        (120, 3),
    ],
)
def test_within_the_tolerance_an_edge_may_lie_elsewhere(contrast: int, step: int) -> None:
    reference = np.full((300, 400, 3), 90, np.uint8)
    reference[:, 200:] = 90 + contrast
    current = np.full_like(reference, 90)
    current[:, 200 + step :] = 90 + contrast
    reference, current = grained(reference, 2, 0), grained(current, 2, 1)
    wide, narrow = (decisive(tolerant(reference, current, tolerance=one)) for one in (step, 1))
    assert narrow.max() > wide.max()
    assert wide.max() < level_of(reference)


def test_noise_alone_seldom_reaches_the_level() -> None:
    alarms = 0
    for seed in range(12):
        reference, current = grained(smooth(), 4, 2 * seed), grained(smooth(), 4, 2 * seed + 1)
        found = tolerant(reference, current)
        alarms += int(decisive(found).max() > level_of(reference))
        assert 2 < found.noise < 6, "grey levels, after a slight blur of both"
    assert alarms <= 1, "0.05 are expected per pair"


@pytest.mark.parametrize("angle", [0, 20, 45, 75, 90, 130])
def test_a_thin_crack_is_found_though_each_of_its_pixels_is_weak(angle: int) -> None:
    reference = grained(smooth(), 4, 0)
    current = smooth().astype(np.int16)
    crack = np.zeros(reference.shape[:2], np.uint8)
    direction = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))]) * 30
    start, end = (
        np.rint(np.array([[100, 150]]) + np.array([-direction, direction])).astype(int).tolist()
    )
    cv2.line(crack, start, end, 1, 2)
    current[crack > 0] -= 18  # three deviations of the noise between two pictures
    current = grained(current, 4, 1)
    found = tolerant(reference, current)
    heat = decisive(found)
    level = level_of(reference)
    assert heat[crack > 0].max() > level
    assert np.mean(heat[crack > 0] > 0.4 * level) > 0.7, "most of it belongs to what is found"
    off = np.abs(reference.astype(int) - current)[crack == 0].mean(axis=-1)
    on = np.abs(reference.astype(int) - current)[crack > 0].mean(axis=-1)
    assert (off > np.median(on)).sum() > 50, "no threshold of the plain difference does that"


def test_outside_of_what_is_valid_there_is_no_evidence() -> None:
    reference = picture(200, 260, channels=3)
    current = grained(reference, 2, 1)
    current[60:90, 100:140] = 255 - current[60:90, 100:140]
    valid = np.ones((200, 260), bool)
    valid[:, :20] = valid[180:] = False
    valid[70:80, 110:120] = False
    filled = np.where(valid[..., None], current, reference)  # as the preparation does
    found = tolerant(reference, filled, valid)
    assert not found.evidence[~valid].any() and not found.local[~valid].any()
    assert found.evidence[valid].max() > level_of(reference)
    everywhere = tolerant(reference, current, np.ones_like(valid))
    none = tolerant(reference, current)
    np.testing.assert_array_equal(everywhere.evidence, none.evidence)


def test_what_was_filled_in_does_not_decide_what_counts_as_noise() -> None:
    reference = grained(smooth(), 4, 0)
    current = grained(smooth(), 4, 1)
    current[100:106, 60:66] += 45
    valid = np.zeros(reference.shape[:2], bool)
    valid[:, :120] = True
    half = tolerant(reference, np.where(valid[..., None], current, reference), valid)
    cut = tolerant(reference[:, :120].copy(), current[:, :120].copy())
    assert half.noise == pytest.approx(cut.noise, rel=0.1)
    assert half.evidence[103, 63] == pytest.approx(cut.evidence[103, 63], rel=0.35)


def test_nothing_valid_is_nothing_found() -> None:
    reference = picture(60, 80, channels=3)
    with np.errstate(all="raise", under="ignore"):
        found = tolerant(reference, 255 - reference, np.zeros((60, 80), bool))
    assert not found.evidence.any() and not found.local.any()


def test_it_does_not_matter_which_of_the_two_is_the_reference() -> None:
    one = picture(200, 260, channels=3)
    other = grained(one, 3, 1)
    other[60:80, 100:120] = 255 - other[60:80, 100:120]
    there, back = tolerant(one, other), tolerant(other, one)
    assert (there.radius, there.noise) == (back.radius, back.noise)
    np.testing.assert_allclose(there.evidence, back.evidence, rtol=1e-3, atol=0.02)
    np.testing.assert_allclose(there.local, back.local, rtol=1e-3, atol=0.02)


def test_more_contrast_is_more_evidence() -> None:
    reference = grained(smooth(), 3, 0)
    peaks = []
    for contrast in (10, 20, 40, 80):
        current = smooth().astype(np.int16)
        current[100:108, 60:68] += contrast
        peaks.append(float(decisive(tolerant(reference, grained(current, 3, 1))).max()))
    assert peaks == sorted(peaks) and peaks[-1] > 2 * peaks[0]


def test_a_change_of_colour_alone_is_evidence() -> None:
    reference = np.full((120, 160, 3), (120, 120, 120), np.uint8)
    current = reference.copy()
    current[40:60, 60:80] = (150, 104, 122)  # of the same lightness
    lightness = [int(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)[50, 70]) for one in (reference, current)]
    assert abs(lightness[0] - lightness[1]) <= 1
    reference, current = grained(reference, 2, 0), grained(current, 2, 1)
    assert decisive(tolerant(reference, current))[50, 70] > level_of(reference)


def test_antialiasing_forgives_a_pixel_that_only_smooths_an_edge() -> None:
    reference = np.full((200, 300, 3), 250, np.uint8)
    cv2.circle(reference, (150, 100), 60, (20, 20, 20), -1)
    current = np.full((200, 300, 3), 250, np.uint8)
    cv2.circle(current, (150, 100), 60, (20, 20, 20), -1, cv2.LINE_AA)
    assert (reference != current).any()
    edges = tolerant(reference, current, antialiasing=True).evidence.max()
    assert edges < level_of(reference)
    assert edges <= tolerant(reference, current).evidence.max()


# ----------------------------------------------------------------------------------------- lines


def slow_line_sums(values: np.ndarray) -> np.ndarray:
    """The same from the definition: every line pixel by pixel, in a picture mirrored around."""
    height, width = values.shape
    padded = cv2.copyMakeBorder(values, *[2 * TAPS] * 4, cv2.BORDER_REFLECT).astype(np.int64)
    best = np.zeros((height, width), np.int64)
    for steps in _lines._DIRECTIONS:
        places = [(0, 0)]
        for dx, dy in steps:
            places += [(x + dx, y + dy) for x, y in places]
        middle_x, middle_y = (sum(one) // 2 for one in zip(*steps, strict=True))
        total = np.zeros((height, width), np.int64)
        for x, y in places:
            top, left = 2 * TAPS + y - middle_y, 2 * TAPS + x - middle_x
            total += padded[top : top + height, left : left + width]
        best = np.maximum(best, total)
    return best


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_line_sums_are_those_of_the_definition(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 8192, (height, width)).astype(np.uint16)
    np.testing.assert_array_equal(line_sums(values), slow_line_sums(values))


def test_the_lines_are_straight_and_spread_over_all_directions() -> None:
    assert len(_lines._DIRECTIONS) == 8
    for index, steps in enumerate(_lines._DIRECTIONS):
        places = [(0, 0)]
        for dx, dy in steps:
            places += [(x + dx, y + dy) for x, y in places]
        line = np.array(sorted(set(places), key=lambda one: (one[1], abs(one[0]))))
        assert len(line) == TAPS
        assert (np.abs(np.diff(line, axis=0)).max(axis=1) == 1).all(), "without gaps"
        x, y = line[-1] - line[0]
        angle = np.rad2deg(np.arctan2(y, x)) % 180
        assert min(abs(angle - 22.5 * index), 180 - abs(angle - 22.5 * index)) < 6
        off = np.abs(line @ np.array([-y, x])) / np.hypot(x, y)
        assert off.max() < 1


def test_a_line_in_any_direction_sums_up_and_a_point_does_not() -> None:
    for angle in range(0, 180, 15):
        values = np.zeros((61, 61), np.uint16)
        way = 25 * np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
        start, end = np.rint(30 + np.array([-way, way])).astype(int).tolist()
        canvas = np.zeros((61, 61), np.uint8)
        cv2.line(canvas, start, end, 1, 2)
        values[canvas > 0] = 100
        assert line_sums(values)[30, 30] >= 600, angle
    values = np.zeros((61, 61), np.uint16)
    values[30, 30] = 8191
    assert line_sums(values).max() == 8191
    assert line_sums(np.full((9, 9), 8191, np.uint16)).min() == 8 * 8191, "no sum overflows"


# ---------------------------------------------------------------------------------------- levels


@given(st.integers(0, 10**8), st.integers(0, 10**8), st.floats(0.0001, 100), st.floats(0.0001, 100))
def test_the_level_rises_with_the_pixels_and_falls_with_the_alarms_allowed(
    few: int, many: int, rare: float, often: float
) -> None:
    few, many = sorted((few, many))
    rare, often = sorted((rare, often))
    assert 0 < false_alarm_level(few, rare) <= false_alarm_level(many, rare)
    assert false_alarm_level(many, often) <= false_alarm_level(many, rare)
    assert false_alarm_level(200_000, 0.05) < false_alarm_level(400_000, 0.05)
    assert false_alarm_level(200_000, 0.5) < false_alarm_level(200_000, 0.05)


# ---------------------------------------------------------------------------------------- radius


def binary(seed: int = 0) -> np.ndarray:
    """Black tracks on white, as on a circuit board."""
    rng = np.random.default_rng(seed)
    art = np.full((320, 400), 255, np.uint8)
    for _ in range(40):
        x, y, w, h = (int(rng.integers(*span)) for span in ((0, 380), (0, 300), (6, 60), (4, 20)))
        cv2.rectangle(art, (x, y), (x + w, y + h), 0, -1)
    return art


@pytest.mark.parametrize("seed", range(3))
def test_pictures_that_fit_need_one_pixel_of_tolerance(seed: int) -> None:
    reference = picture(320, 400, seed)
    assert tolerant_radius(reference, reference) == 1
    assert tolerant_radius(reference, grained(reference, 4, seed)) == 1
    half = cv2.warpAffine(
        reference, np.float64([[1, 0, 0.4], [0, 1, 0.3]]), (400, 320), borderMode=1
    )
    assert tolerant_radius(reference, half) == 1
    changed = reference.copy()
    changed[100:180, 100:200] = 255 - changed[100:180, 100:200]
    assert tolerant_radius(reference, changed) == 1, "what changed is no misfit"


@pytest.mark.parametrize("seed", range(3))
def test_edges_two_pixels_aside_need_two_or_more(seed: int) -> None:
    art = binary(seed)
    for step in (2, 3):
        moved = np.roll(art, step, axis=1)
        moved[:, :step] = 255
        assert step <= tolerant_radius(art, moved) <= step + 1
    left = np.zeros(art.shape, bool)
    left[:, :200] = True
    moved = np.where(left, art, np.roll(art, 2, axis=1))
    assert tolerant_radius(art, moved, left) == 1, "what is not compared does not count"


def test_too_few_edges_tell_nothing_about_the_radius() -> None:
    flat = np.full((200, 300), 90, np.uint8)
    assert tolerant_radius(flat, 255 - flat) == 1
    assert tolerant_radius(flat[:7, :7].copy(), flat[:7, :7].copy()) == 1


def test_the_radius_of_a_large_picture_is_that_of_its_bands() -> None:
    art = np.tile(binary(), (5, 5))
    moved = np.roll(art, 2, axis=0)
    assert 2 <= tolerant_radius(art, moved) <= 3
    assert tolerant_radius(art, art) == 1


# -------------------------------------------------------------------------------- bands and sizes


@pytest.mark.parametrize("shape", [(700, 900), (132, 256)])
def test_neither_threads_nor_bands_change_a_bit(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = picture(*shape, channels=3)
    current = grained(reference, 3, 1)
    current[60:80, 100:130] = 255 - current[60:80, 100:130]
    results = []
    for workers in (1, 2, 4):
        monkeypatch.setattr(_bands, "_workers", lambda workers=workers: workers)
        monkeypatch.setattr(_bands, "_WORTH_THREADS", 1)
        results.append(tolerant(reference, current))
    monkeypatch.setattr(_variation, "_ROWS", 4096)
    monkeypatch.setattr(_lines, "_ROWS", 4096)
    monkeypatch.setattr(sys.modules["vde_nb.difference.tolerant"], "_ROWS", 4096)
    results.append(tolerant(reference, current))
    for other in results[1:]:
        assert (other.radius, other.noise) == (results[0].radius, results[0].noise)
    for other in results[1:3]:
        assert other.evidence.tobytes() == results[0].evidence.tobytes()
        assert other.local.tobytes() == results[0].local.tobytes()
    np.testing.assert_allclose(results[3].evidence, results[0].evidence, atol=2e-2, rtol=2e-3)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tolerance", [0, 1, 10])
def test_the_smallest_pictures_are_compared(size: tuple[int, int], tolerance: int) -> None:
    rng = np.random.default_rng(0)
    pairs = [
        (picture(*size, channels=3), picture(*size, 5, channels=3)),
        (np.zeros((*size, 3), np.uint8), np.full((*size, 3), 255, np.uint8)),
        (rng.integers(0, 256, (*size, 3), np.uint8), rng.integers(0, 256, (*size, 3), np.uint8)),
    ]
    for reference, current in pairs:
        with np.errstate(all="raise", under="ignore"):
            found = tolerant(reference, current, tolerance=tolerance)
        assert np.isfinite(found.evidence).all() and np.isfinite(found.local).all()
        assert found.evidence.min() >= 0 and found.local.min() >= 0


def test_saturated_pictures_hold_finite_evidence() -> None:
    bright = np.clip(picture(120, 160, channels=3).astype(int) + 160, 0, 255).astype(np.uint8)
    spot = bright.copy()
    spot[50:60, 70:80] = 0
    found = tolerant(bright, spot)
    assert np.isfinite(found.evidence).all() and found.evidence[55, 75] > level_of(bright)
