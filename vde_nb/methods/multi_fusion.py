"""Multi-fusion: many fusion weights times many thresholds, united into one master mask.

The published notebook makes ten fused maps, cuts each at three thresholds, cleans the thirty
masks and unites them. Opening and closing are increasing, and they commute with thresholding, so
the union over weights of the masks at one threshold is the threshold of the pixelwise *maximum*
of the ten cleaned maps, and the union over thresholds is its cut at the lowest one. Thirty masks
are thus one threshold of one map; :func:`each_mask` still shows every one of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.detect import candidates, clean, threshold_mask
from vde_nb.difference import PixelMaps, fuse
from vde_nb.methods.base import Finding, Method, Prepared, difference_stage, within
from vde_nb.settings import Settings
from vde_nb.stages import Stages

__all__ = ["METHOD", "each_mask", "maximum_clean", "maximum_fused"]


def _both(maps: PixelMaps) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    assert maps.absolute is not None and maps.ssim is not None
    return maps.absolute, maps.ssim


def maximum_fused(maps: PixelMaps, weights: tuple[float, ...]) -> npt.NDArray[np.uint8]:
    """Pixelwise maximum of the two `maps` fused with each of `weights`, ``(H, W)`` uint8.

    A fused value is linear in the weight, so the extreme weights alone decide.
    """
    low, high = fuse(*_both(maps), min(weights)), fuse(*_both(maps), max(weights))
    cv2.max(low, high, low)
    return low


def maximum_clean(
    maps: PixelMaps, weights: tuple[float, ...], open_iterations: int, close_iterations: int
) -> npt.NDArray[np.uint8]:
    """Pixelwise maximum of the *cleaned* fused maps of all weights, ``(H, W)`` uint8.

    Parameters
    ----------
    maps, weights, open_iterations, close_iterations
        As for :func:`each_mask`.
    """
    best: npt.NDArray[np.uint8] | None = None
    for weight in weights:
        smooth = clean(fuse(*_both(maps), weight), open_iterations, close_iterations)
        best = smooth if best is None else cv2.max(best, smooth, best)  # type: ignore[assignment]
    assert best is not None
    return best


def _cleaned(
    maps: PixelMaps,
    valid: npt.NDArray[np.bool_] | None,
    weights: tuple[float, ...],
    open_iterations: int,
    close_iterations: int,
) -> npt.NDArray[np.uint8]:
    return within(maximum_clean(maps, weights, open_iterations, close_iterations), valid)


def each_mask(
    maps: PixelMaps,
    weights: tuple[float, ...],
    thresholds: tuple[int, ...],
    open_iterations: int = 2,
    close_iterations: int = 2,
) -> Iterator[tuple[float, int, npt.NDArray[np.bool_]]]:
    """Every single mask the union is made of, for teaching and for the ensemble.

    Parameters
    ----------
    maps
        Absolute difference and SSIM heat of a pair.
    weights
        Share of SSIM in each fused map, in [0, 1].
    thresholds
        Heat above which a pixel counts as changed, each for each of the `weights`.
    open_iterations, close_iterations
        As in :func:`vde_nb.detect.clean`.

    Yields
    ------
    tuple of (float, int, ndarray)
        Weight, threshold, and the cleaned mask ``(H, W)`` bool.
    """
    for weight in weights:
        smooth = clean(fuse(*_both(maps), weight), open_iterations, close_iterations)
        for threshold in thresholds:
            yield weight, threshold, threshold_mask(smooth, threshold)


def find(images: Prepared, settings: Settings, stage: Stages) -> Finding:
    """|Δ| and SSIM -> ten fusions, cleaned -> maximum -> lowest threshold -> contours."""
    rules, weights = settings.detect, settings.difference.fusion_weights
    maps = difference_stage(images, settings, stage)
    heat = stage("fusion", maximum_fused, maps, weights)
    smooth = stage(
        "cleaning",
        _cleaned,
        maps,
        images.valid,
        weights,
        rules.open_iterations,
        rules.close_iterations,
    )
    lowest = min(rules.thresholds)
    mask = stage("threshold", threshold_mask, smooth, lowest, keep=False)
    regions = stage("contours", candidates, mask, rules.min_area, keep=False)
    assert maps.value.score is not None
    return Finding(maps.value.score, heat, smooth, lowest, mask, regions)


METHOD = Method(
    "multi_fusion",
    "Multi-fusion",
    "Ten fusion weights \u00d7 three thresholds, united into one mask: the most sensitive, when "
    "nothing may be missed and false alarms cost little.",
    find,
    heat_title="Fused",
    heat_said=(
        "Both maps are averaged with many weights, and every pixel keeps its hottest average."
    ),
)
