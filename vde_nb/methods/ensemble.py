"""Ensemble: ten fusions times three thresholds propose boxes, which are grouped into regions.

Each of the thirty masks proposes boxes; boxes that mean the same region must be grouped. The
published text does so by K-means and leaves k to be tuned. Here k is the number of connected
regions of the united mask, and as every proposal lies inside exactly one of them, that region
*is* its cluster: no iteration can do better, and plain K-means would at times hand a small region
to a large neighbour. Asked for fewer `clusters`, K-means (scikit-learn) joins neighbours. The
clusters' centres are handed on as point prompts.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box, Candidate, candidates, clean, threshold_mask
from vde_nb.difference import PixelMaps
from vde_nb.methods.base import Finding, Method, Prepared, difference_stage, within
from vde_nb.methods.multi_fusion import each_mask, maximum_clean, maximum_fused
from vde_nb.settings import Settings
from vde_nb.stages import Stages

__all__ = ["METHOD", "group", "proposals"]

#: Passes of opening and closing of the united mask, after those of each of its masks.
_UNION_OPEN, _UNION_CLOSE = 2, 3
#: Thousands of boxes add nothing to a centre; K-means on more than this would only be slow.
_MOST_BOXES = 20_000
_ROWS = 256  # of a mask that are looked at together


def proposals(
    maps: PixelMaps,
    weights: tuple[float, ...],
    thresholds: tuple[int, ...],
    open_iterations: int,
    close_iterations: int,
    min_area: int,
) -> npt.NDArray[np.int64]:
    """Boxes ``(x, y, w, h)`` every single mask proposes, ``(n, 4)``.

    Parameters
    ----------
    maps, weights, thresholds, open_iterations, close_iterations
        As for :func:`vde_nb.methods.multi_fusion.each_mask`.
    min_area
        Pixels a region needs to be proposed.
    """
    boxes: list[Box] = []
    for _, _, mask in each_mask(maps, weights, thresholds, open_iterations, close_iterations):
        boxes.extend(candidate.box for candidate in candidates(mask, min_area))
    return np.array(boxes, np.int64).reshape(-1, 4)


def _centres(boxes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return boxes[:, :2] + (boxes[:, 2:] - 1) / 2


def group(
    regions: list[Candidate], boxes: npt.NDArray[np.int64], clusters: int = 0
) -> list[Candidate]:
    """Group proposals and return one candidate per group.

    Parameters
    ----------
    regions
        Connected regions of the united mask.
    boxes
        Proposals ``(x, y, w, h)``, ``(n, 4)``.
    clusters
        Number of groups, or 0 for one per region. More than there are regions is taken as one
        per region.

    Returns
    -------
    list of Candidate
        In the order of `regions`. A group of several regions has the box around all of them.
        Each has its cluster's centre as point prompt, moved to the nearest pixel of the region.
    """
    if not regions:
        return []
    own = np.array([region.box for region in regions], np.int64)
    # A region counts as a proposal of its own, so no cluster is empty.
    points = np.concatenate([_centres(own), _centres(boxes)])
    labels = np.concatenate([np.arange(len(regions)), _region_of(boxes, regions)])
    inside = labels >= 0
    points, labels = points[inside], labels[inside]
    if 0 < clusters < len(regions):
        from sklearn.cluster import KMeans  # a second to import, so only here

        step = -(-len(points) // _MOST_BOXES)
        model = KMeans(clusters, n_init=10, random_state=0).fit(points[::step])
        joined = model.predict(_centres(own))
        labels = joined[labels]
    members: dict[int, list[Candidate]] = {}
    for label, region in zip(labels[: len(regions)], regions, strict=True):
        members.setdefault(int(label), []).append(region)
    return [_join(parts, points[labels == label].mean(axis=0)) for label, parts in members.items()]


def _region_of(boxes: npt.NDArray[np.int64], regions: list[Candidate]) -> npt.NDArray[np.int64]:
    """Index of the region each box lies in, or -1: the smallest whose box holds it."""
    found = np.full(len(boxes), -1, np.int64)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    by_size = sorted(range(len(regions)), key=lambda i: -regions[i].box[2] * regions[i].box[3])
    for index in by_size:  # smaller ones last, so they win
        x, y, w, h = regions[index].box
        found[((low >= (x, y)) & (high <= (x + w, y + h))).all(axis=1)] = index
    return found


def _join(parts: list[Candidate], centre: npt.NDArray[np.float64]) -> Candidate:
    """One candidate for a group of regions, with the cluster's centre as its point prompt."""
    contours = tuple(contour for part in parts for contour in part.contours)
    box: Box = cv2.boundingRect(np.concatenate(contours))  # type: ignore[assignment]
    joined = Candidate(box, contours, parts[0].frame)
    point, least = (box[0], box[1]), np.inf
    for first in range(0, box[3], _ROWS):
        rows, columns = np.nonzero(joined.mask[first : first + _ROWS])
        rows, columns = rows + first + box[1], columns + box[0]
        far = (columns - centre[0]) ** 2 + (rows - centre[1]) ** 2
        nearest = int(np.argmin(far)) if far.size else 0
        if far.size and far[nearest] < least:
            point, least = (int(columns[nearest]), int(rows[nearest])), far[nearest]
    return replace(joined, points=(point,))


def united(
    maps: PixelMaps,
    valid: npt.NDArray[np.bool_] | None,
    weights: tuple[float, ...],
    open_iterations: int,
    close_iterations: int,
) -> npt.NDArray[np.uint8]:
    """Map whose thresholds are the united masks, opened and closed once more as published."""
    union = maximum_clean(maps, weights, open_iterations, close_iterations)
    return within(clean(union, _UNION_OPEN, _UNION_CLOSE), valid)


def find(images: Prepared, settings: Settings, stage: Stages) -> Finding:
    """|Δ| and SSIM -> thirty masks -> boxes -> groups -> one region and point per group."""
    rules, weights = settings.detect, settings.difference.fusion_weights
    passes = rules.open_iterations, rules.close_iterations
    maps = difference_stage(images, settings, stage)
    heat = stage("fusion", maximum_fused, maps, weights)
    smooth = stage("cleaning", united, maps, images.valid, weights, *passes)
    lowest = min(rules.thresholds)
    mask = stage("threshold", threshold_mask, smooth, lowest, keep=False)
    regions = stage("contours", candidates, mask, rules.min_area, keep=False)
    boxes = stage("proposals", proposals, maps, weights, rules.thresholds, *passes, rules.min_area)
    groups = stage("grouping", group, regions, boxes, rules.clusters)
    assert maps.value.score is not None
    return Finding(maps.value.score, heat, smooth, lowest, mask, groups, otherwise="deformation")


METHOD = Method(
    "ensemble",
    "Ensemble",
    "Ten fusions \u00d7 three thresholds propose boxes, grouped into regions with a point prompt "
    "each: for a handful of regions to hand to SAM.",
    find,
    heat_title="Fused",
    heat_said=(
        "Both maps are averaged with many weights, and every pixel keeps its hottest average."
    ),
)
