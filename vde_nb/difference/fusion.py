"""Fusion of the absolute and the structural difference to one heatmap."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band
from vde_nb._buffers import empty
from vde_nb.errors import ImageError, SettingError

__all__ = ["fuse"]

_ROWS = 512


def fuse(
    absolute: npt.NDArray[np.uint8], ssim: npt.NDArray[np.uint8], weight: float = 0.5
) -> npt.NDArray[np.uint8]:
    """``weight * ssim + (1 - weight) * absolute``, rounded.

    The absolute difference sees paint and stains, SSIM sees texture and edges at any contrast;
    what both see stands out.

    Parameters
    ----------
    absolute, ssim
        ``(H, W)`` uint8 maps, 0 = same.
    weight
        Share of `ssim`, in [0, 1].

    Returns
    -------
    ndarray
        ``(H, W)`` uint8 heatmap.

    Raises
    ------
    SettingError
        `weight` is outside [0, 1].
    ImageError
        The maps differ in shape.
    """
    if not 0.0 <= weight <= 1.0:
        raise SettingError(f"weight={weight!r} is not allowed: number from 0 to 1.")
    if absolute.shape != ssim.shape:
        raise ImageError(f"The maps differ in shape: {absolute.shape} and {ssim.shape}.")
    out = empty(absolute.shape, np.uint8)

    def band(first: int, end: int) -> None:
        rows = slice(first, end)
        cv2.addWeighted(absolute[rows], 1.0 - weight, ssim[rows], weight, 0, out[rows])

    height, width = absolute.shape
    for_each_band(band, height, width, _ROWS)
    return out
