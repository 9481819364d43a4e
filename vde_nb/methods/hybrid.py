"""Hybrid: absolute difference and SSIM fused to one heatmap, thresholded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vde_nb.detect import candidates, clean, threshold_mask
from vde_nb.difference import PixelMaps, fuse
from vde_nb.methods.base import Finding, Method, Prepared, difference_stage, within
from vde_nb.settings import Settings
from vde_nb.stages import Stages

__all__ = ["METHOD"]


def _fused(maps: PixelMaps, weight: float) -> npt.NDArray[np.uint8]:
    assert maps.absolute is not None and maps.ssim is not None
    return fuse(maps.absolute, maps.ssim, weight)


def _clean(
    heat: npt.NDArray[np.uint8], valid: npt.NDArray[np.bool_] | None, opening: int, closing: int
) -> npt.NDArray[np.uint8]:
    return within(clean(heat, opening, closing), valid)


def find(images: Prepared, settings: Settings, stage: Stages) -> Finding:
    """|Δ| and SSIM -> fuse -> clean -> threshold -> contours."""
    rules = settings.detect
    maps = difference_stage(images, settings, stage)
    heat = stage("fusion", _fused, maps, settings.difference.ssim_weight)
    smooth = stage(
        "cleaning", _clean, heat, images.valid, rules.open_iterations, rules.close_iterations
    )
    mask = stage("threshold", threshold_mask, smooth, rules.threshold, keep=False)
    regions = stage("contours", candidates, mask, rules.min_area, keep=False)
    assert maps.value.score is not None
    return Finding(maps.value.score, heat, smooth, rules.threshold, mask, regions)


METHOD = Method(
    "hybrid",
    "Hybrid",
    "|\u0394| and SSIM fused to one heatmap, one threshold: the recommended one of the published, "
    "for pictures that agree to the pixel.",
    find,
    heat_title="Fused",
    heat_said="Both maps are averaged into one heatmap, so that what both see stands out.",
)
