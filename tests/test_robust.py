"""The robust method: finds what changed in pictures that were photographed twice."""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.test_difference import picture
from vde_nb import samples
from vde_nb.compare import compare
from vde_nb.comparison import Comparison
from vde_nb.methods.robust import decided, evidence_heat
from vde_nb.stages import StageCache

# Measured: 25 of 26, none false.
LEAST_FOUND, MOST_FALSE = 24, 1
AGAIN: dict[str, Any] = {"shift": (2.3, -1.4), "light": 0.5, "noise": 3}


def photographed_again(image: np.ndarray, seed: int = 0) -> np.ndarray:
    """The same scene: moved by a fraction of a pixel, under another light, with noise."""
    height, width = image.shape[:2]
    move = np.array([[1, 0, 1.3], [0, 1, -0.7]])
    moved = cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
    gain = 0.9 + 0.15 * np.linspace(0, 1, width)[None, :, None]
    grain = np.random.default_rng(seed).normal(0, 3, image.shape)
    return np.clip(moved * gain + grain, 0, 255).round().astype(np.uint8)


def tally(result: Comparison, pair: samples.SamplePair) -> tuple[int, int]:
    """Found true regions, and anomalies that are none."""
    masks = [one.mask for one in result.anomalies]
    found = sum(any((region.mask & mask).any() for mask in masks) for region in pair.truth.regions)
    return found, sum(not (mask & pair.truth.mask).any() for mask in masks)


def test_the_samples_are_found_though_the_camera_moved_and_the_light_is_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines, total, true, false = [], 0, 0, 0
    for name in samples.list():
        pair = samples.load(name, **AGAIN)
        result = compare(pair.reference, pair.current, segmenter="none")
        found, wrong = tally(result, pair)
        lines.append(f"{name:8} {found} of {len(pair.truth.regions)} found, {wrong} false")
        total, true, false = total + len(pair.truth.regions), true + found, false + wrong
        assert result.registration is not None
        assert result.registration.motion == pytest.approx(2.7, abs=0.3)
    with capsys.disabled():
        print("\n" + "\n".join([*lines, f"together {true} of {total} found, {false} false"]))
    assert true >= LEAST_FOUND
    assert false <= MOST_FALSE


@pytest.mark.parametrize("name", ["tyre", "board", "wall", "label"])
def test_nothing_is_found_in_the_same_scene_photographed_again(name: str) -> None:
    reference = samples.load(name).reference
    result = compare(reference, photographed_again(reference))
    assert result.anomalies == [], [one.box for one in result.anomalies]
    assert result.registration is not None and result.registration.moved


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_in_noise(seed: int) -> None:
    reference = picture(300, 400, seed, channels=3)
    rng = np.random.default_rng(seed)
    one, two = (
        np.clip(reference + rng.normal(0, 4, reference.shape), 0, 255).astype(np.uint8)
        for _ in range(2)
    )
    assert compare(one, two).anomalies == []


# ------------------------------------------------------------------------------ heat and deciding


def test_heat_is_50_at_the_level_and_rises_with_the_evidence() -> None:
    level = 13.7
    evidence = np.linspace(0, 40 * level, 20_001, dtype=np.float32)[None]
    heat = evidence_heat(evidence, level)
    assert heat.dtype == np.uint8 and heat.shape == evidence.shape
    assert (np.diff(heat.astype(int)) >= 0).all()
    assert heat[0, 0] == 0 and heat[0, -1] >= 250
    near = np.array([[level * (1 - 1e-6), level * (1 + 1e-6)]], np.float32)
    assert evidence_heat(near, level).tolist() in ([[49, 50]], [[50, 50]])
    below, above = evidence <= level, evidence > 1.05 * level
    assert heat[below].max() in (49, 50), "at the level it is not above the usual threshold"
    assert heat[above].min() > 50
    exact = np.where(
        evidence < level,
        50 * evidence / level,
        50 + 205 * (1 - np.exp(-(evidence / level - 1) / 3)),
    )
    assert np.abs(heat - exact).max() <= 1.6


def grown_by_hand(around: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Masks: what is decided takes in what lies around it and hangs together, 8 steps far."""
    grown = core & around
    for _ in range(8):
        grown = (cv2.dilate(grown.view(np.uint8), np.ones((3, 3), np.uint8)) > 0) & around
    return grown


@given(
    st.integers(1, 24),
    st.integers(1, 24),
    st.sampled_from([2, 5, 256]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 254),
)
@settings(max_examples=100, deadline=None)
def test_deciding_and_growing_commute_with_thresholding(
    height: int, width: int, kinds: int, seed: int, threshold: int
) -> None:
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 256, kinds).astype(np.uint8)
    around, core = (levels[rng.integers(0, kinds, (height, width))] for _ in range(2))
    core = np.where(rng.random((height, width)) < 0.1, core, 0).astype(np.uint8)
    grown = decided(around, core)
    np.testing.assert_array_equal(
        grown > threshold, grown_by_hand(around > threshold, core > threshold)
    )
    assert (grown <= around).all()


BORDERS = [0, 119, 120, 127, 128, 133, 136, 255, 256, 263, 299]  # of bands of 128 rows


@given(arrays.arrays(np.uint8, (300, 3), fill=st.just(255)), st.sampled_from(BORDERS))
@settings(max_examples=20, deadline=None)
def test_growing_knows_no_bands(around: np.ndarray, row: int) -> None:
    core = np.zeros_like(around)
    core[row] = 255
    for threshold in (0, 100, 200):
        np.testing.assert_array_equal(
            decided(around, core) > threshold, grown_by_hand(around > threshold, core > threshold)
        )


def test_a_region_takes_in_its_surroundings_but_not_its_neighbour() -> None:
    around = np.zeros((40, 60), np.uint8)
    around[10:14, 5:30] = 90  # hangs together with what is decided, 25 pixels long
    around[30:34, 5:30] = 90  # decided nowhere
    core = np.zeros_like(around)
    core[11, 6] = 200
    grown = decided(around, core)
    assert (grown[10:14, 5:15] == 90).all(), "eight steps"
    assert not grown[:, 16:].any() and not grown[20:].any()


# -------------------------------------------------------------------------------------- as a whole


def marked() -> tuple[np.ndarray, np.ndarray]:
    reference = picture(300, 400, channels=3)
    current = photographed_again(reference)
    cv2.circle(current, (120, 90), 9, (250, 30, 20), -1)
    current[200:216, 250:280] = 255 - current[200:216, 250:280]
    return reference, current


def test_a_moved_threshold_computes_neither_registration_nor_difference() -> None:
    result = compare(*marked(), cache=StageCache())
    kept = ("registration", "light", "levelling", "difference", "ssim", "decision", "cleaning")
    assert all(result.timings[name] > 0 for name in kept)
    before = len(result.anomalies)
    assert before == 2
    for threshold in (90, 20, 254, 0):
        result = result.again(threshold=threshold)
        assert {name: result.timings[name] for name in kept} == dict.fromkeys(kept, 0.0)
        np.testing.assert_array_equal(result.clean_heatmap > threshold, result.mask)
    back = result.again(threshold=50)
    assert len(back.anomalies) == before and back.timings["segmentation"] == 0.0


def test_what_is_found_shrinks_as_the_threshold_rises() -> None:
    result = compare(*marked(), segmenter="none")
    masks = [result.again(threshold=one).mask for one in (10, 50, 90, 150, 220)]
    assert all((high <= low).all() for low, high in itertools.pairwise(masks))
    assert masks[0].sum() > masks[-1].sum()


def test_more_false_alarms_allowed_is_more_heat() -> None:
    pair = marked()
    heats = [
        compare(*pair, false_alarms=one, segmenter="none").heatmap.astype(int)
        for one in (0.001, 0.05, 5)
    ]
    assert (heats[0] <= heats[1]).all() and (heats[1] <= heats[2]).all()
    assert (heats[0] < heats[2]).any()


@pytest.mark.parametrize("width", [1, 2])
def test_thin_cracks_survive_the_usual_settings(width: int) -> None:
    reference = picture(300, 400, channels=3)
    current = photographed_again(reference)
    crack = np.zeros((300, 400), np.uint8)
    path = np.array([[60, 80], [110, 100], [140, 150], [200, 160], [260, 220]])
    cv2.polylines(crack, [path], False, 1, width)
    current[crack > 0] = (current[crack > 0] * 0.45).astype(np.uint8)
    result = compare(reference, current)
    there = cv2.dilate(result.to_current(result.mask).view(np.uint8), np.ones((3, 3))) > 0
    assert there[crack > 0].mean() > 0.6
    assert len(result.anomalies) <= 4
    near = cv2.dilate(crack, np.ones((9, 9), np.uint8)) > 0
    for one in result.anomalies:
        assert (result.to_current(one.mask) & near).any(), "nothing else is found"


def test_a_speck_of_five_by_five_is_found_and_a_single_odd_pixel_is_not() -> None:
    reference = np.full((300, 400, 3), 120, np.uint8)
    grain = np.random.default_rng(0).normal(0, 2, (2, 300, 400, 1))
    current = np.clip(reference + grain[0], 0, 255).astype(np.uint8)
    reference = np.clip(reference + grain[1], 0, 255).astype(np.uint8)
    current[100, 50] = 150
    current[200:205, 300:305] = 20
    (one,) = compare(reference, current, segmenter="none").anomalies
    assert one.mask[202, 302] and one.area < 150


@pytest.mark.parametrize("size", [(7, 7), (7, 500), (500, 7), (16, 16), (33, 20)])
@pytest.mark.parametrize("options", [{}, {"align": False, "normalise": False}])
def test_the_smallest_pictures_work(size: tuple[int, int], options: dict[str, Any]) -> None:
    flat = np.zeros((*size, 3), np.uint8)
    assert compare(flat, flat.copy(), **options).anomalies == []
    image = picture(*size, channels=3)
    assert compare(image, image.copy(), **options).anomalies == []
    for current in (255 - flat, picture(*size, 7, channels=3), 255 - image):
        result = compare(image, current, min_area=0, **options)
        assert 0 <= result.change_score_percent <= 100
        assert np.isfinite(result.ssim_score)


@pytest.mark.parametrize(("ground", "object_"), [(20, 5), (90, 60), (235, 250), (235, 150)])
@pytest.mark.parametrize("normalise", ["off", "local"])
def test_an_object_on_even_ground_is_found(ground: int, object_: int, normalise: str) -> None:
    rng = np.random.default_rng(0)
    reference = np.full((200, 300, 1), ground)
    current = reference.copy()
    current[80:120, 100:140] = object_
    reference, current = (
        np.clip(one + rng.normal(0, 3, one.shape), 0, 255).round().astype(np.uint8)
        for one in (reference, current)
    )
    (one,) = compare(reference, current, normalise=normalise, segmenter="none").anomalies
    assert one.mask[84:116, 104:136].mean() > 0.9 and one.area < 2600


@pytest.mark.parametrize(
    "share",
    [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45],
)
def test_a_large_change_is_found_as_a_whole(share: float) -> None:
    reference = picture(300, 400, channels=3)
    side = round((share * 300 * 400) ** 0.5)
    changed = np.zeros((300, 400), bool)
    changed[20 : 20 + side, 30 : 30 + side] = True
    current = np.where(changed[..., None], 255 - reference, reference)
    result = compare(reference, current, segmenter="none", align=False, normalise=False)
    assert (result.mask & changed).sum() > 0.8 * changed.sum()
    assert (result.mask & ~changed).sum() < 0.1 * changed.sum()


def test_where_everything_changed_something_is_reported_or_said() -> None:
    black = np.zeros((100, 120, 3), np.uint8)
    result = compare(black, 255 - black, align=False, normalise=False)
    assert result.anomalies or any("changed" in note or "same" in note for note in result.notes)
