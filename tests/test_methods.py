"""The three methods against the published notebooks and against the plain way to do them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests import published
from tests.test_difference import changed, picture
from vde_nb.compare import compare
from vde_nb.comparison import Comparison
from vde_nb.detect import candidates
from vde_nb.difference import pixel_maps
from vde_nb.errors import SettingError
from vde_nb.methods import ensemble, multi_fusion


@pytest.fixture(scope="module")
def tyre(data: Path) -> tuple[Path, Path]:
    folder = data / "tyre"
    return folder / "race_car_tire_1.jpeg", folder / "race_car_tire_1_anomaly.jpeg"


def boxes(found: list[dict[str, Any]]) -> list[tuple[int, ...]]:
    return [(one["x"], one["y"], one["w"], one["h"]) for one in found]


def in_published_form(result: Comparison) -> list[dict[str, Any]]:
    return [
        {"x": a.x, "y": a.y, "w": a.w, "h": a.h, "type": a.type, "severity": a.severity}
        for a in result.anomalies
    ]


def test_hybrid_reproduces_the_published_tyre(tyre: tuple[Path, Path], data: Path) -> None:
    expected = json.loads((data / "tyre" / "approach1.json").read_text())
    result = compare(*tyre, preset="published")
    assert result.ssim_score == pytest.approx(expected["ssim_score"], abs=1e-12)
    assert result.change_score_percent == pytest.approx(expected["change_score_percent"], abs=1e-12)
    assert in_published_form(result) == expected["anomalies"]


def test_multi_fusion_reproduces_the_published_tyre(tyre: tuple[Path, Path]) -> None:
    result = compare(*tyre, method="multi_fusion", preset="published")
    assert f"{result.change_score_percent:.2f}" == "0.63"
    assert len(result.anomalies) == 3


def test_ensemble_finds_the_published_boxes_of_the_tyre(
    tyre: tuple[Path, Path], data: Path
) -> None:
    expected = json.loads((data / "tyre" / "approach3.json").read_text())["detections"]
    result = compare(*tyre, method="ensemble", preset="published")
    found = sorted(one.box for one in result.anomalies)
    assert len(found) == 3
    assert np.abs(np.array(found) - np.array(sorted(boxes(expected)))).max() <= 3
    assert {one.type for one in result.anomalies} == {"deformation"}
    for one in result.anomalies:
        ((x, y),) = one.points
        assert one.mask[y, x], "the prompt lies on the region"


@pytest.mark.parametrize("seed", range(4))
def test_hybrid_is_the_published_pipeline_on_any_pair(seed: int) -> None:
    reference = picture(300, 420, seed, channels=3)
    current = changed(reference, seed)
    cv2.circle(current, (100, 60), 9 + seed, (200, 10, 30), -1)
    expected = published.hybrid(reference, current)
    result = compare(reference, current, preset="published")
    assert result.ssim_score == pytest.approx(expected["ssim_score"], abs=1e-12)
    assert result.change_score_percent == expected["change_score_percent"]
    assert in_published_form(result) == expected["anomalies"]


@pytest.mark.parametrize("seed", range(4))
def test_thirty_masks_are_one_threshold_of_one_map(seed: int) -> None:
    reference = picture(200, 260, seed, channels=3)
    current = changed(reference, seed)
    masks = published.multi_fusion_masks(reference, current)
    result = compare(reference, current, method="multi_fusion", preset="published")
    np.testing.assert_array_equal(result.mask, np.maximum.reduce(masks) > 0)
    maps = pixel_maps(reference, current, absolute=True, ssim=True, overflow="wrap")
    ours = list(multi_fusion.each_mask(maps, tuple(published.WEIGHTS), published.THRESHOLDS))
    assert [(round(w, 9), t) for w, t, _ in ours] == [
        (round(w, 9), t) for w in published.WEIGHTS for t in published.THRESHOLDS
    ]
    for (_, _, mask), expected in zip(ours, masks, strict=True):
        np.testing.assert_array_equal(mask, expected > 0)


def test_the_fused_maximum_is_that_of_all_weights() -> None:
    reference = picture(90, 120, channels=3)
    maps = pixel_maps(reference, changed(reference), absolute=True, ssim=True)
    weights = tuple(published.WEIGHTS)
    plain = np.maximum.reduce(
        [cv2.addWeighted(maps.ssim, w, maps.absolute, 1 - w, 0) for w in weights]
    )
    np.testing.assert_array_equal(multi_fusion.maximum_fused(maps, weights), plain)


def _blobs(places: list[tuple[int, int]], shape: tuple[int, int] = (200, 300)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for x, y in places:
        mask[y : y + 12, x : x + 14] = True
    return mask


def test_a_large_neighbour_swallows_no_small_region() -> None:
    mask = _blobs([(60, 90), (100, 90)])
    mask[120:124, 0:300] = True
    regions = candidates(mask, 1)
    fragments = [(x, 120, 30, 4) for x in range(0, 270, 9)] * 5
    boxes = np.array([one.box for one in regions] + fragments)
    assert len(ensemble.group(regions, boxes)) == 3


def test_the_ensemble_cleans_its_union_once_more_as_published() -> None:
    reference = picture(200, 260, 3, channels=3)
    current = changed(reference, 3)
    union = np.maximum.reduce(published.multi_fusion_masks(reference, current))
    opened = cv2.morphologyEx(union, cv2.MORPH_OPEN, published.KERNEL, iterations=2)
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, published.KERNEL, iterations=3)
    result = compare(reference, current, method="ensemble", preset="published")
    np.testing.assert_array_equal(result.mask, closed > 0)


def test_there_is_one_group_per_region_by_default() -> None:
    regions = candidates(_blobs([(10, 10), (40, 10), (200, 150)]), 1)
    proposals = np.array([one.box for one in regions] * 10)
    grouped = ensemble.group(regions, proposals)
    assert [one.box for one in grouped] == [one.box for one in regions]


def test_fewer_clusters_join_neighbours() -> None:
    regions = candidates(_blobs([(10, 10), (40, 10), (200, 150)]), 1)
    proposals = np.array([one.box for one in regions] * 10)
    grouped = ensemble.group(regions, proposals, clusters=2)
    assert sorted(one.box for one in grouped) == [(10, 10, 44, 12), (200, 150, 14, 12)]
    joined = next(one for one in grouped if one.box[0] == 10)
    assert joined.mask.sum() == 2 * 12 * 14, "the gap between the parts is not part of it"
    ((x, y),) = joined.points
    assert joined.mask[y - 10, x - 10]


def test_more_clusters_than_regions_is_one_each() -> None:
    regions = candidates(_blobs([(10, 10), (200, 150)]), 1)
    grouped = ensemble.group(regions, np.array([one.box for one in regions]), clusters=50)
    assert len(grouped) == 2


def test_no_region_needs_no_kmeans() -> None:
    assert ensemble.group([], np.empty((0, 4), np.int64)) == []


@pytest.mark.parametrize("method", ["hybrid", "multi_fusion", "ensemble"])
def test_identical_pictures_have_no_anomalies(method: str) -> None:
    image = picture(200, 300, channels=3)
    with np.errstate(all="raise"):
        result = compare(image, image.copy(), method=method)
    assert result.anomalies == []
    assert (result.ssim_score, result.change_score_percent) == (1.0, 0.0)
    assert not result.heatmap.any()


@pytest.mark.parametrize("method", ["hybrid", "multi_fusion", "ensemble"])
def test_the_clean_map_thresholded_is_the_mask(method: str) -> None:
    reference = picture(200, 300, channels=3)
    result = compare(reference, changed(reference), method=method, segmenter="none")
    np.testing.assert_array_equal(result.clean_heatmap > result.threshold, result.mask)


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    image = picture(20, 20, channels=3)
    with pytest.raises(SettingError, match=r"no method 'hibrid'.*Did you mean 'hybrid'"):
        compare(image, image, method="hibrid")
