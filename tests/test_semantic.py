"""The semantic method: what descriptions of places disagree about, and what only light did."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vit_models import tiny_vit
from vde_nb import samples
from vde_nb.compare import compare
from vde_nb.comparison import Comparison
from vde_nb.detect import candidates
from vde_nb.difference._guided import change_guide, enlarged, guided
from vde_nb.difference.semantic import cell_sums, semantic_difference, semantic_level
from vde_nb.errors import SettingError
from vde_nb.evaluate import evaluate
from vde_nb.features import _opening, add_features, remove_features
from vde_nb.features.base import PatchFeatures
from vde_nb.features.embedded import Embedded
from vde_nb.images import load
from vde_nb.methods.semantic import agreement, with_peaks
from vde_nb.stages import StageCache

AGAIN: dict[str, Any] = {"shift": (2.3, -1.4), "light": 0.5, "noise": 3}


def semantic(*pictures: Any, **given: Any) -> Comparison:
    return compare(*pictures, **{"method": "semantic", "segmenter": "none", "cache": None, **given})


def features(values: np.ndarray, cell: float = 4.0, positional: bool = False) -> PatchFeatures:
    height, width = values.shape[:2]
    shape = round(height * cell), round(width * cell)
    return PatchFeatures(np.ascontiguousarray(values, np.float32), (cell, cell), shape, positional)


def random_features(seed: int = 0, height: int = 24, width: int = 30, size: int = 16) -> np.ndarray:
    """Descriptions of a scene: smooth, so that neighbours are alike."""
    noise = np.random.default_rng(seed).normal(size=(height, width, size)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 1.5, borderType=cv2.BORDER_REFLECT) * 8


@pytest.fixture(scope="module")
def tyre(data: Path) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    folder = data / "tyre"
    known = json.loads((folder / "approach1.json").read_text("utf-8"))["anomalies"]
    boxes = [(tuple(one[key] for key in "xywh"), one["type"]) for one in known]
    pictures = (load(folder / f"race_car_tire_1{end}.jpeg").array for end in ("", "_anomaly"))
    return *pictures, boxes


def shadowed(image: np.ndarray, soft: float = 5.0, depth: float = 0.35) -> np.ndarray:
    """The same scene with something's shadow on it."""
    height, width = image.shape[:2]
    shade = np.zeros((height, width), np.float32)
    cv2.ellipse(shade, (width // 2, height // 2), (width // 6, height // 8), 30, 0, 360, 1, -1)
    light = 1 - depth * cv2.GaussianBlur(shade, (0, 0), soft)
    return np.clip(image * light[..., None], 0, 255).astype(np.uint8)


# --- the method on pictures ---------------------------------------------------------------------


@pytest.mark.parametrize("distance", ["cosine", "l2", "both"])
def test_the_tyre_has_its_three_anomalies_where_the_published_method_found_none(
    tyre: tuple[np.ndarray, np.ndarray, list[Any]], distance: str
) -> None:
    report = evaluate([tyre], "semantic", feature_distance=distance)
    assert (report.matched, report.true, report.found) == (3, 3, 3)


def test_the_samples_are_found_though_the_camera_moved_and_the_light_is_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    total = true = false = 0
    for name in ("board", "label", "wall", "tyre"):
        pair = samples.load(name, **AGAIN)
        result = semantic(pair.reference, pair.current)
        masks = [one.mask for one in result.anomalies]
        regions = pair.truth.regions
        total += len(regions)
        true += sum(any((region.mask & mask).any() for mask in masks) for region in regions)
        false += sum(not (mask & pair.truth.mask).any() for mask in masks)
    with capsys.disabled():
        print(f"\nsemantic: {true} of {total} found, {false} false")
    assert true >= total - 3
    assert false <= 1


def test_the_same_picture_again_is_no_change() -> None:
    for name in ("wall", "label"):
        picture = samples.load(name).reference
        assert semantic(picture, picture).anomalies == []
        again = samples.stress(picture, 2, defects=()).current
        assert semantic(picture, again).anomalies == []


def test_an_anomaly_says_how_far_apart_and_how_large_it_is() -> None:
    pair = samples.stress(samples.load("wall").reference, 1, defects=("added",), nuisances="none")
    result = semantic(pair.reference, pair.current)
    worst = result.anomalies[0]
    assert worst.evidence["area_pixels"] == worst.area
    assert worst.evidence["l2_distance"] > 1
    assert 0.01 < worst.evidence["cosine_distance"] <= 2
    assert "pixel_agrees" not in worst.evidence


def test_peaks_lie_in_their_region_and_apart() -> None:
    pair = samples.stress(samples.load("wall").reference, 3)
    result = semantic(pair.reference, pair.current)
    assert result.anomalies
    for anomaly in result.anomalies:
        assert 1 <= len(anomaly.points) <= 3
        assert all(anomaly.mask[y, x] for x, y in anomaly.points)
        for i, one in enumerate(anomaly.points):
            for other in anomaly.points[:i]:
                assert np.hypot(*np.subtract(one, other)) >= 8


def test_the_first_peak_of_a_disc_is_its_middle() -> None:
    evidence = np.zeros((80, 100), np.float32)
    cv2.circle(evidence, (60, 40), 15, (5.0,), -1)
    (region,) = with_peaks(candidates(evidence > 1, 1), evidence, 8)
    assert np.hypot(*np.subtract(region.points[0], (60, 40))) <= 2


def test_a_shadow_is_environmental_and_still_there() -> None:
    picture = samples.load("wall").reference
    current = samples.stress(shadowed(picture), 4, defects=(), nuisances={"noise": 2}).current
    plain = compare(picture, current, cache=None, segmenter="none")
    assert plain.anomalies, "the robust method sees it"
    fused = semantic(picture, current, fuse=True)
    assert fused.anomalies, "and it is not dropped"
    largest = max(fused.anomalies, key=lambda one: one.area)
    assert largest.type == "environmental"
    assert largest.evidence["semantic_agrees"] == 0
    assert largest.severity == "minor"


def test_a_shadow_that_a_person_points_at_stays_a_shadow() -> None:
    picture = samples.load("wall").reference
    current = samples.stress(shadowed(picture), 4, defects=(), nuisances={"noise": 2}).current
    fused = semantic(picture, current, fuse=True)
    shadow = max(fused.anomalies, key=lambda one: one.area)
    assert shadow.type == "environmental"
    (pointed,) = [
        one for one in fused.prompted([{"box": shadow.box}]).anomalies if one.origin == "prompted"
    ]
    assert (pointed.type, pointed.severity) == ("environmental", "minor")
    assert pointed.evidence["semantic_agrees"] == 0
    x, y, w, _ = shadow.box
    beside = fused.prompted([{"box": (2, 2, 30, 30)}, {"box": (0, 0, x + w, y + 6)}])
    for one in beside.anomalies:
        if one.origin == "prompted":
            assert one.type != "environmental", "next to nothing of it was found"
    alone = semantic(picture, current)
    pointed, *_ = alone.prompted([{"box": shadow.box}]).anomalies
    assert pointed.type != "environmental", "one method alone tells nothing"


def test_what_both_methods_see_is_kept_as_what_it_is() -> None:
    picture = samples.load("wall").reference
    pair = samples.stress(picture, 5, defects=("added", "crack"), nuisances={"noise": 2})
    result = semantic(pair.reference, pair.current, fuse="fast-and-deep")
    for region in pair.truth.regions:
        over = [one for one in result.anomalies if (one.mask & region.mask).any()]
        assert over and all(one.type != "environmental" for one in over)
        assert all(one.evidence["pixel_agrees"] == 1 for one in over)
        assert all(one.evidence["semantic_agrees"] == 1 for one in over)


def test_fused_finds_whatever_one_of_the_two_finds() -> None:
    pair = samples.stress(samples.load("label").reference, 7)
    both = semantic(pair.reference, pair.current, fuse=True)
    for alone in (
        semantic(pair.reference, pair.current),
        compare(pair.reference, pair.current, cache=None, segmenter="none"),
    ):
        for anomaly in alone.anomalies:
            assert (anomaly.mask & both.mask).any()
    assert [one.type for one in both.again().anomalies] == [one.type for one in both.anomalies]


def test_the_mask_is_the_clean_map_over_its_threshold() -> None:
    pair = samples.stress(samples.load("label").reference, 7)
    for fuse in ("off", "fast-and-deep"):
        result = semantic(pair.reference, pair.current, fuse=fuse)
        np.testing.assert_array_equal(result.mask, result.clean_heatmap > result.threshold)


def test_a_moved_threshold_describes_nothing_anew() -> None:
    pair = samples.load("label")
    cache = StageCache()
    first = semantic(pair.reference, pair.current, cache=cache)
    moved = first.again(threshold=70)
    assert moved.timings["features"] == 0.0
    assert moved.timings["difference"] == 0.0
    assert np.count_nonzero(moved.mask) < np.count_nonzero(first.mask)


def test_several_references_are_all_allowed_to_be_right() -> None:
    picture = samples.load("wall").reference
    varied = picture.copy()
    varied[100:130, 100:140] = (40, 60, 90)  # something that is there at times
    assert semantic(picture, varied).anomalies
    assert semantic([picture, varied], varied).anomalies == []
    assert semantic([picture, varied], picture).anomalies == []


def test_nothing_is_found_where_nothing_is_compared() -> None:
    picture = samples.load("wall").reference
    changed = picture.copy()
    changed[100:150, 100:150] = 255 - changed[100:150, 100:150]
    height, width = picture.shape[:2]
    assert semantic(picture, changed).anomalies
    assert semantic(picture, changed, ignore=[(90, 90, 70, 70)]).anomalies == []
    assert semantic(picture, changed, ignore=[(0, 0, width, height)]).anomalies == []


def test_pictures_that_differ_on_the_whole_are_said_to() -> None:
    grey = np.full((120, 160, 3), 60, np.uint8)
    result = semantic(grey, grey + 120, align="off", normalise="off")
    assert result.anomalies == []
    assert any("on the whole" in note for note in result.notes)


def test_a_function_of_the_users_describes_as_well() -> None:
    pair = samples.stress(samples.load("wall").reference, 1, defects=("added",), nuisances="none")

    def tiles(image: np.ndarray) -> np.ndarray:
        size = image.shape[1] // 9, image.shape[0] // 9
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(float)

    result = semantic(pair.reference, pair.current, features=tiles, feature_distance="both")
    assert (result.mask & pair.truth.mask).any()


def test_a_comparison_made_again_is_described_by_its_own_function() -> None:
    picture = samples.load("wall").reference
    changed = picture.copy()
    changed[100:150, 100:160] = 255 - changed[100:150, 100:160]
    first = semantic(picture, changed, features=lambda image: image[4::8, 4::8])
    semantic(picture, changed, features=lambda image: 0.0 * image[4::8, 4::8])
    assert first.anomalies
    again = first.again(threshold=51)
    assert [one.box for one in again.anomalies] == [one.box for one in first.anomalies]


def test_a_function_that_fails_says_at_which_picture() -> None:
    picture = samples.load("wall").reference
    calls = iter((False, True))

    def picky(image: np.ndarray) -> np.ndarray:
        assert not next(calls), "too dark"
        return image[::8, ::8]

    with pytest.raises(SettingError, match=r"picky.*the current picture.*AssertionError: too dark"):
        semantic(picture, picture, features=picky)


def test_what_is_decided_is_hot() -> None:
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 255, (120, 160, 3), np.uint8), (0, 0), 3)
    for step in (10, 15):
        changed = picture.copy()
        changed[40:70, 50:90] += np.uint8(step)
        result = semantic(picture, changed)
        assert result.anomalies and result.score is not None and result.score > 1
        assert result.heatmap[result.mask].max() > result.threshold
    assert semantic(picture, picture).heatmap.max() == 0


def test_fewer_alarms_may_be_asked_for_than_two_methods_can_share() -> None:
    pair = samples.stress(samples.load("wall").reference, 5, defects=("added",), nuisances="none")
    strict, usual = (
        semantic(pair.reference, pair.current, fuse=True, false_alarms=rate)
        for rate in (0.0001, 0.05)
    )
    assert strict.settings.difference.false_alarms == 0.0001
    assert strict.anomalies
    assert strict.clean_heatmap.mean() < usual.clean_heatmap.mean()


def test_each_of_two_fused_methods_may_raise_half_of_the_alarms() -> None:
    pair = samples.stress(samples.load("wall").reference, 5, defects=("added",), nuisances="none")
    fused = semantic(pair.reference, pair.current, fuse=True, false_alarms=0.08)
    alone = semantic(pair.reference, pair.current, false_alarms=0.04)
    robust = compare(pair.reference, pair.current, false_alarms=0.04, cache=None, segmenter="none")
    both = np.maximum(alone.clean_heatmap, robust.clean_heatmap)
    np.testing.assert_array_equal(fused.clean_heatmap, both)


def test_settings_of_models_are_said_to_be_of_no_use_to_others() -> None:
    picture = samples.load("wall").reference

    def tiles(image: np.ndarray) -> np.ndarray:
        return image[::8, ::8]

    assert not any("not used" in note for note in semantic(picture, picture).notes)
    for function, name in ({}, "embedded"), ({"features": tiles}, "tiles"):
        how: dict[str, Any] = {"feature_layers": "last", "feature_zoom": 2.0, **function}
        said = " ".join(semantic(picture, picture, **how).notes)
        for setting in ("feature_layers", "feature_zoom"):
            assert f"{setting} is not used by features='{name}" in said


def test_features_that_change_their_grid_are_an_error_for_people() -> None:
    picture = samples.load("wall").reference
    grids = iter(((3, 4, 5), (3, 5, 5)))
    with pytest.raises(SettingError, match=r"3x4x5 and another picture .* 3x5x5"):
        semantic(picture, picture, features=lambda image: np.ones(next(grids)))


@pytest.mark.parametrize("kind", ["dinov2", "dinov2_reg", "dinov3"])
def test_a_transformer_that_looks_at_patches_alone_finds_the_place(
    tmp_path: Path, kind: str
) -> None:
    add_features("t_semantic", tiny_vit(tmp_path / kind, kind, alone=True))
    try:
        picture = np.random.default_rng(0).integers(60, 196, (131, 190, 3), np.uint8)
        picture = cv2.GaussianBlur(picture, (0, 0), 4)
        changed = picture.copy()
        changed[42:75, 60:100] = 255 - changed[42:75, 60:100] // 3
        how: dict[str, Any] = {"features": "t_semantic", "feature_zoom": 2.0}
        result = semantic(picture, changed, **how)
        assert not any("embedded" in note or "not used" in note for note in result.notes)
        (found,) = result.anomalies
        assert found.mask[50:68, 68:92].all()
        assert found.mask.sum() < 2.5 * 33 * 40
        assert semantic(picture, picture, **how).anomalies == []
    finally:
        remove_features("t_semantic")
        _opening.release()


# --- grids ----------------------------------------------------------------------------------------


def test_a_changed_cell_stands_out() -> None:
    one = random_features()
    two = one.copy()
    two[10, 12] *= -1
    found = semantic_difference(features(one), features(two), search=0, distance="both")
    assert np.unravel_index(found.evidence.argmax(), found.evidence.shape) == (10, 12)
    assert found.evidence[10, 12] > semantic_level(found.compared)
    assert found.l2[10, 12] == pytest.approx(np.linalg.norm(one[10, 12] - two[10, 12]), rel=0.2)
    others = found.evidence.copy()
    others[10, 12] = 0
    assert others.max() < 0.2 * found.evidence[10, 12]


@pytest.mark.parametrize("step", [(0, 1), (-1, 1), (2, 0)])
def test_a_shift_within_the_search_costs_nothing(step: tuple[int, int]) -> None:
    one = random_features(height=40, width=40)
    two = np.roll(one, step, axis=(0, 1))
    inner = (slice(4, -4), slice(4, -4))
    reach = max(map(abs, step))
    for search in (reach, reach - 1):
        found = semantic_difference(features(one), features(two), search=search)
        nothing = found.cosine[inner].max() < 0.02
        assert nothing == (search == reach)


def test_the_larger_of_both_ways_counts() -> None:
    one = np.zeros((9, 9, 4), np.float32)
    one[..., 0] = 5
    two = one.copy()
    two[4, 4] = (-5, 5, 0, 0)  # what it replaced is still found next to it
    for first, second in ((one, two), (two, one)):
        found = semantic_difference(features(first), features(second), distance="l2", floor=1.0)
        assert found.l2[4, 4] > 5


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), search=st.integers(0, 2))
def test_both_pictures_are_treated_alike(seed: int, search: int) -> None:
    one, two = random_features(seed, 8, 9), random_features(seed + 100, 8, 9)
    forth = semantic_difference(features(one), features(two), search=search, floor=2.0)
    back = semantic_difference(features(two), features(one), search=search, floor=2.0)
    # The common mean is taken of the first one: all but equal.
    np.testing.assert_allclose(forth.l2, back.l2, rtol=1e-3, atol=1e-3)


def test_what_all_cells_share_does_not_hide_a_difference() -> None:
    one = random_features()
    two = one.copy()
    two[10, 12] *= -1
    plain = semantic_difference(features(one), features(two))
    common = np.full(one.shape[2], 300, np.float32)
    offset = semantic_difference(features(one + common), features(two + common * 1.1))
    np.testing.assert_allclose(offset.cosine, plain.cosine, atol=0.01)
    assert offset.overall > 10 > 0.1 > plain.overall


def test_the_place_is_taken_out_of_features_that_hold_it() -> None:
    one = random_features(height=30, width=30)
    two = one.copy()
    two[10, 12] *= -1
    y, x = np.mgrid[-1:1:30j, -1:1:30j]
    place = np.stack([x, y, x * y, y**2 - x**3] * 4, axis=-1) * 60
    ratios = {}
    for positional in (False, True):
        found = semantic_difference(
            features(one + place, positional=positional),
            features(two + place, positional=positional),
            search=0,
        )
        ratios[positional] = found.cosine[10, 12]
    assert ratios[True] > 5 * ratios[False]


@pytest.mark.parametrize("grid", [(2, 4), (3, 3), (3, 4), (4, 5)])
def test_place_is_not_fitted_to_a_handful_of_cells(grid: tuple[int, int]) -> None:
    found: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        one = rng.normal(0, 40, (*grid, 6))
        two = one + rng.normal(0, 0.2, one.shape)
        for positional, most in found.items():
            result = semantic_difference(
                features(one, 30.0, positional), features(two, 30.0, positional)
            )
            most.append(float(result.evidence.max()) / semantic_level(result.compared))
    assert max(found[True]) < 1.3 * max(found[False])


def test_a_handful_of_cells_is_said_to_tell_little() -> None:
    picture = samples.load("wall").reference
    for grid, few in (((6, 7), True), ((6, 8), False)):
        result = semantic(
            picture, picture, features=lambda image, grid=grid: cv2.resize(image, grid[::-1])
        )
        assert any("too few to tell" in note for note in result.notes) == few


def test_a_fifth_of_the_picture_changed_does_not_become_the_measure() -> None:
    one = random_features(height=40, width=40)
    two = one + np.random.default_rng(5).normal(0, 0.1, one.shape).astype(np.float32)
    few, many = two.copy(), two.copy()
    few[10:13, 10:13] *= -1
    many[:, 31:] *= -1
    many[10:13, 10:13] *= -1
    at = (11, 11)
    alone, among = (
        semantic_difference(features(one), features(other), search=0).evidence[at]
        for other in (few, many)
    )
    assert among > 0.45 * alone
    assert among > semantic_level(1600)


def test_more_false_alarms_need_less_evidence() -> None:
    levels = [semantic_level(16384, rate) for rate in (0.01, 0.05, 1.0)]
    assert levels == sorted(levels, reverse=True)
    assert semantic_level(200) < semantic_level(20_000)
    assert semantic_level(0) > 0


def test_evidence_is_never_no_number() -> None:
    one = random_features()
    two = one.copy()
    two[3, 4, 0] = np.nan
    with pytest.raises(AssertionError, match="finite"):
        semantic_difference(features(one), features(two))


def test_cells_that_are_not_compared_say_nothing() -> None:
    one, two = random_features(0), random_features(1)
    valid = np.ones((96, 120), bool)
    valid[41, 50] = False  # one pixel is enough, for those around its cell as well
    found = semantic_difference(features(one), features(two), valid)
    assert found.evidence[10, 12] == 0
    assert found.compared == 24 * 30 - 9
    assert np.count_nonzero(found.evidence == 0) == 9
    none = semantic_difference(features(one), features(two), np.zeros_like(valid))
    assert none.compared == 0 and not none.evidence.any()


@settings(max_examples=40, deadline=None)
@given(
    cell=st.tuples(st.integers(12, 72), st.integers(12, 72)),
    box=st.tuples(st.integers(0, 30), st.integers(0, 20), st.integers(1, 30), st.integers(1, 30)),
    seed=st.integers(0, 9),
)
def test_every_pixel_lies_in_one_cell(
    cell: tuple[float, float], box: tuple[int, int, int, int], seed: int
) -> None:
    x, y, w, h = box
    mask = np.random.default_rng(seed).random((h, w)) < 0.5
    cell = cell[0] / 8, cell[1] / 8  # no rounding in what is expected either
    grid = int(np.ceil(60 / cell[1])), int(np.ceil(60 / cell[0]))
    sums = cell_sums(mask, cell, grid, (x, y))
    expected = np.zeros(grid, int)
    for row, column in np.argwhere(mask):
        place = int((y + row + 0.5) / cell[1]), int((x + column + 0.5) / cell[0])
        expected[place] += 1
    np.testing.assert_array_equal(sums, expected)


# --- from cells to pixels -------------------------------------------------------------------------


def test_the_outline_follows_the_picture_and_not_the_cells() -> None:
    reference = np.full((120, 160, 3), 100, np.uint8)
    current = reference.copy()
    cv2.circle(current, (83, 61), 17, (190, 190, 190), -1)
    truth = current[..., 0] > 100
    shares = cv2.resize(truth.astype(np.float32), (20, 15), interpolation=cv2.INTER_AREA)
    cells = cv2.GaussianBlur(shares, (0, 0), 0.7)
    ious = []
    for pixels in (
        enlarged(cells, (8.0, 8.0), (120, 160)),
        guided(cells, (8.0, 8.0), change_guide(reference, current)),
    ):
        found = pixels > 0.5 * pixels.max()
        ious.append((found & truth).sum() / (found | truth).sum())
    assert ious[1] > 0.95 > ious[0]


def test_an_even_map_stays_even() -> None:
    guide = np.random.default_rng(0).integers(0, 256, (61, 83), np.uint8)
    pixels = guided(np.full((8, 11), 2.5, np.float32), (8.0, 8.0), guide)
    np.testing.assert_allclose(pixels, 2.5, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (40, 333), (301, 200)])
def test_any_size_is_reached(shape: tuple[int, int]) -> None:
    cells = np.random.default_rng(0).random((-(-shape[0] // 7), -(-shape[1] // 5)), np.float32)
    pixels = guided(cells, (5.0, 7.0), np.zeros(shape, np.uint8))
    assert pixels.shape == shape and np.isfinite(pixels).all() and pixels.min() >= 0


def test_a_cell_is_enlarged_to_its_own_place() -> None:
    cells = np.zeros((6, 8), np.float32)
    cells[2, 5] = 1
    pixels = enlarged(cells, (10.0, 12.0), (70, 78))
    y, x = np.unravel_index(pixels.argmax(), pixels.shape)
    assert 24 <= y < 36 and 50 <= x < 60
    rows, columns = np.nonzero(pixels > 0.25)
    assert abs(rows.mean() + 0.5 - 30) < 0.5 and abs(columns.mean() + 0.5 - 55) < 0.5


def test_a_method_agrees_that_confirms_three_tenths() -> None:
    mask = np.zeros((40, 40), bool)
    mask[10:20, 10:30] = True
    (region,) = candidates(mask, 1)
    little, enough = np.zeros_like(mask), np.zeros_like(mask)
    little[10:20, 10:15], enough[10:20, 10:17] = True, True
    assert agreement(region, enough, enough) == (True, True)
    assert agreement(region, mask, little) == (True, False)
    assert agreement(region, little, mask) == (False, True)


def test_embedded_features_of_two_sizes_are_told_apart() -> None:
    one = Embedded()(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(SettingError, match="16x16x46"):
        semantic_difference(one, replace(one, values=one.values[:8]))
