"""One pass over both pictures that yields every pixel map asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band
from vde_nb._buffers import empty
from vde_nb.difference._definition import RADIUS, WINDOW
from vde_nb.difference._implementation import best, choose
from vde_nb.errors import ImageError, SettingError

__all__ = ["PixelMaps", "pixel_maps"]

UInt8 = npt.NDArray[np.uint8]

_ROWS = 128  # per band; also the blocks the score is summed in, so it depends on nothing else
_NO_EXACT = np.empty((0, 0), np.float32)
_NO_HEAT = np.empty((0, 0), np.uint8)
_scratch = Scratch()


@dataclass(frozen=True, eq=False)
class PixelMaps:
    """What :func:`pixel_maps` computed; maps that were not asked for are None.

    Attributes
    ----------
    score
        Mean SSIM over all pixels at least 3 from the border, as scikit-image's
        ``structural_similarity``; 1 for identical pictures, None when no SSIM was asked for.
    absolute
        ``|reference - current|``, ``(H, W)`` uint8.
    ssim
        ``255 * (1 - SSIM)``, ``(H, W)`` uint8.
    exact
        ``1 - SSIM``, ``(H, W)`` float32 in [0, 2].
    """

    score: float | None = None
    absolute: UInt8 | None = None
    ssim: UInt8 | None = None
    exact: npt.NDArray[np.float32] | None = None


def _check(reference: npt.NDArray[Any], current: npt.NDArray[Any], window: bool) -> None:
    for name, image in (("reference", reference), ("current", current)):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
            raise ImageError(
                f"{name} has shape {image.shape} and dtype {image.dtype}; needed is uint8 of shape "
                "(H, W) or (H, W, 3). vde_nb.images.load() makes that from any picture."
            )
    if reference.shape != current.shape:
        raise ImageError(
            f"reference is {reference.shape} and current is {current.shape}; both must have the "
            "same shape. vde_nb.images.load_pair() brings them to one."
        )
    height, width = reference.shape[:2]
    if window and min(height, width) < WINDOW:
        raise ImageError(
            f"The pictures are {width}\u00d7{height} pixels, smaller than the "
            f"{WINDOW}\u00d7{WINDOW} window of SSIM. Enlarge them, or compare the whole "
            "picture they were cut from."
        )


def _plane(
    image: UInt8, first: int, end: int, border: int, channel: int | None, name: str
) -> UInt8:
    """Rows `first` to `end` of one plane, with `border` mirrored pixels on every side."""
    height, width = image.shape[:2]
    top, bottom = max(0, first - border), min(height, end + border)
    rows = image[top:bottom]
    shape = end - first + 2 * border, width + 2 * border
    padded = _scratch.get(name, shape, np.uint8)
    above, below = border - (first - top), border - (bottom - end)
    inside = padded[above : shape[0] - below]
    middle = inside[:, border : border + width]
    if image.ndim == 2:
        middle[:] = rows
    elif channel is None:
        cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY, middle)
    else:
        cv2.extractChannel(rows, channel, middle)
    for i in range(border):
        inside[:, border - 1 - i] = middle[:, i]
        inside[:, border + width + i] = middle[:, width - 1 - i]
    for i in range(above):
        padded[above - 1 - i] = inside[i]
    for i in range(below):
        padded[shape[0] - below + i] = inside[len(inside) - 1 - i]
    return padded


def _largest(a: UInt8, b: UInt8, out: UInt8) -> None:
    """The largest of the three channels' absolute differences, into `out`."""
    apart = cv2.absdiff(a, b, _scratch.get("apart", a.shape, np.uint8))
    cv2.extractChannel(apart, 0, out)
    for channel in (1, 2):
        one = cv2.extractChannel(apart, channel, _scratch.get("one", out.shape, np.uint8))
        cv2.max(out, one, out)


def pixel_maps(
    reference: UInt8,
    current: UInt8,
    *,
    absolute: bool = False,
    ssim: bool = False,
    exact: bool = False,
    score: bool = False,
    colour: str = "grey",
    overflow: str = "saturate",
    implementation: str = "auto",
) -> PixelMaps:
    """Compute the pixel maps asked for in one pass.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB or ``(H, W)`` grey, uint8, of one shape.
    absolute, ssim, exact
        Which maps to compute; see :class:`PixelMaps`.
    score
        Whether to compute the score also where neither `ssim` nor `exact` is asked for.
    colour
        ``"grey"`` compares luma (ITU-R BT.601, as ``cv2.COLOR_RGB2GRAY``); ``"channels"``
        compares R, G and B and keeps the largest difference of the three at each pixel, while
        the score is the mean of the three; ``"absolute"`` does so for the absolute difference
        alone and takes SSIM of luma, at a third of the cost.
    overflow
        ``"saturate"`` or ``"wrap"``: what `ssim` does with values over 255.
    implementation
        ``"auto"``, ``"opencv"`` or ``"numba"``.

    Returns
    -------
    PixelMaps
        What was asked for; all implementations give the same.

    Raises
    ------
    ImageError
        Wrong dtype or shape, different shapes, or smaller than the 7 x 7 window.
    SettingError
        `colour`, `overflow` or `implementation` is unknown.
    """
    structural = ssim or exact or score
    _check(reference, current, window=structural)
    if colour not in ("grey", "absolute", "channels"):
        raise SettingError(f"colour={colour!r}: one of 'grey', 'absolute', 'channels'.")
    if overflow not in ("saturate", "wrap"):
        raise SettingError(f"overflow={overflow!r}: one of 'saturate', 'wrap'.")
    height, width = reference.shape[:2]
    apart = colour != "grey" and reference.ndim == 3
    channels: tuple[int | None, ...] = (None,)
    if colour == "channels" and apart:
        channels = (0, 1, 2)
    fill = choose(implementation, height * width) if structural else None
    border = RADIUS if structural else 0
    out_absolute = empty((height, width), np.uint8) if absolute else None
    out_ssim = empty((height, width), np.uint8) if ssim else None
    out_exact = empty((height, width), np.float32) if exact else None
    bands = -(-height // _ROWS)
    sums = np.zeros((len(channels), bands, width)) if structural else None

    def band(first: int, end: int) -> None:
        rows = end - first
        if out_absolute is not None and apart:
            _largest(reference[first:end], current[first:end], out_absolute[first:end])
            if not structural:
                return
        for index, channel in enumerate(channels):
            x = _plane(reference, first, end, border, channel, "x")
            y = _plane(current, first, end, border, channel, "y")
            merge = index > 0
            if out_absolute is not None and not apart:
                inner = slice(border, border + rows), slice(border, border + width)
                cv2.absdiff(x[inner], y[inner], out_absolute[first:end])
            if fill is None or sums is None:
                continue
            heat, value = _NO_HEAT, _NO_EXACT
            if out_ssim is not None:
                heat = out_ssim[first:end]
                if merge:
                    heat = _scratch.get("heat", heat.shape, np.uint8)
            if out_exact is not None:
                value = out_exact[first:end]
                if merge:
                    value = _scratch.get("exact", value.shape, np.float32)
            counted = max(0, RADIUS - first), min(rows, height - RADIUS - first)
            ready = best(fill, implementation)
            ready(x, y, value, heat, sums[index, first // _ROWS], *counted, int(overflow == "wrap"))
            if merge and out_ssim is not None:
                cv2.max(out_ssim[first:end], heat, out_ssim[first:end])
            if merge and out_exact is not None:
                cv2.max(out_exact[first:end], value, out_exact[first:end])

    for_each_band(band, height, width, _ROWS)
    mean = None
    if sums is not None:
        inner = (height - 2 * RADIUS) * (width - 2 * RADIUS) * len(channels)
        mean = 1.0 - float(sums[:, :, RADIUS:-RADIUS].sum()) / inner
    return PixelMaps(mean, out_absolute, out_ssim, out_exact)
