"""Pixels of any depth -> RGB of 8 bits, as the rules in :mod:`vde_nb.images` say, in bands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vde_nb._bands import for_each_band
from vde_nb._native import BadImage, Native

__all__ = ["FULL_RANGE", "to_eight_bits", "value_range"]

FULL_RANGE = (0, 65535)
TOLERANCE = 1e-6  # how far floats may lie outside 0–1: arithmetic leaves such crumbs
BAND_PIXELS = 1_000_000  # of the bands of rows that pixels are converted in


def value_range(native: Native) -> tuple[int, int] | None:
    """Smallest and largest value of 16-bit colours; None for other pixels."""
    if native.pixels.dtype != np.uint16:
        return None
    colours, alpha = _split(native.pixels)
    if alpha is None or alpha.all():
        return int(colours.min()), int(colours.max())
    low, high = 65536, -1
    for first, end in _spans(native.pixels.shape):
        # nobody chose the colours of what is not seen
        seen = colours[first:end][alpha[first:end] > 0]
        if seen.size:
            low, high = min(low, int(seen.min())), max(high, int(seen.max()))
    return (low, high) if high >= 0 else FULL_RANGE


def _spans(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """First and last row of each band of a picture."""
    rows = _band_rows(shape)
    return ((first, min(first + rows, shape[0])) for first in range(0, shape[0], rows))


def _band_rows(shape: tuple[int, ...]) -> int:
    return max(1, BAND_PIXELS // shape[1])


def to_eight_bits(
    native: Native, span: tuple[int, int] | None, why: str = ""
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Convert pixels as stored to a picture.

    Parameters
    ----------
    native
        The pixels.
    span
        The range 16-bit values are scaled from.
    why
        Why it is that range, for the note.

    Returns
    -------
    array, notes
        ``(H, W, 3)`` uint8 RGB, C-contiguous and read-only, a view of the pixels where they are
        like this; and what was done.

    Raises
    ------
    BadImage
        Floats lie outside 0–1.
    """
    pixels, notes = native.pixels, list(native.notes)
    colours, alpha = _split(pixels)
    tables: tuple[NDArray[np.uint8], ...] = ()
    if pixels.dtype.kind == "f":
        _check_floats(pixels)
        notes.append("floats scaled from 0–1 to 0–255")
    elif pixels.dtype == np.uint16:
        low, high = span or FULL_RANGE
        if low == high:
            (low, high), why = FULL_RANGE, ", all values being equal"
        tables = _table(low, high), _table(*FULL_RANGE)
        kind = "greys" if colours.ndim == 2 else "colours"
        notes.append(f"16-bit {kind} scaled from {low}–{high} to 0–255{why}")
    if alpha is not None and _eight_bits(alpha.min(), tables[1:]) < 255:
        notes.append("transparency laid over white")
    else:
        alpha = None
    if pixels.dtype == np.uint8 and alpha is None and colours.ndim == 3:
        # a view, as the writeable flag of the array itself is its owner's
        array = np.ascontiguousarray(colours).view()
    else:
        array = np.empty((*pixels.shape[:2], 3), np.uint8)

        def band(first: int, end: int) -> None:
            shown = _eight_bits(colours[first:end], tables[:1])
            if alpha is not None:
                shown = _over_white(shown, _eight_bits(alpha[first:end], tables[1:]))
            if shown.ndim == 2:
                cv2.cvtColor(np.ascontiguousarray(shown), cv2.COLOR_GRAY2RGB, dst=array[first:end])
            else:
                array[first:end] = shown

        for_each_band(band, array.shape[0], array.shape[1], _band_rows(array.shape))
    array.setflags(write=False)
    return array, tuple(notes)


def _eight_bits(values: Any, table: tuple[NDArray[np.uint8], ...]) -> NDArray[np.uint8]:
    """Values as stored as 0–255: looked up where there is a table for them."""
    if table:
        return np.asarray(table[0][values])
    if values.dtype.kind == "f":
        return np.asarray(np.rint(values * 255), np.uint8)  # the crumbs vanish in rounding
    return np.asarray(values)


def _over_white(colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    a = (alpha if colours.ndim == 2 else alpha[..., None]).astype(np.uint16)
    # (x + (x >> 8)) >> 8 with 128 added to x is x / 255, rounded, all within 16 bits
    x = colours * a + (255 * (255 - a) + 128)
    return ((x + (x >> 8)) >> 8).astype(np.uint8)


def _split(pixels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Split into colours, (H, W) or (H, W, 3), and alpha (H, W), None where there is none."""
    if pixels.ndim == 2:
        return pixels, None
    channels = pixels.shape[2]
    alpha = pixels[..., -1] if channels in (2, 4) else None
    return (pixels[..., 0] if channels < 3 else pixels[..., :3]), alpha


def _table(low: int, high: int) -> NDArray[np.uint8]:
    """Values 0–65535 -> ``round((value - low) * 255 / (high - low))``, cut to 0–255."""
    values = (np.arange(65536) - low) * 255.0 / (high - low)
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _check_floats(pixels: NDArray[Any]) -> None:
    low, high = pixels.min(), pixels.max()  # NaN if there is one
    if low >= -TOLERANCE and high <= 1 + TOLERANCE:
        return
    finite = pixels[np.isfinite(pixels)]
    low, high = (finite.min(), finite.max()) if finite.size else (np.nan, np.nan)
    if finite.size < pixels.size:
        nans = np.isnan(pixels).sum()
        raise BadImage(
            f"has {nans} NaN and {pixels.size - finite.size - nans} infinite of {pixels.size} "
            f"values (the others: {low:g} to {high:g}); replace them, as with np.nan_to_num"
        )
    outside = ((pixels < -TOLERANCE) | (pixels > 1 + TOLERANCE)).sum()
    remedy = "map them to 0–1: (array - array.min()) / (array.max() - array.min())"
    if low >= 0:
        remedy = f"divide by {255 if high <= 255 else 65535 if high <= 65535 else 'the largest'}"
    raise BadImage(
        f"has {outside} of {pixels.size} floats outside 0–1, from {low:g} to {high:g}; {remedy}"
    )
