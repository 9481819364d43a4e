"""From a coarse map to pixels, along the edges of a picture that shows them.

The guided filter (He, Sun and Tang, *Guided Image Filtering*, 2010): in every window the map is
explained as ``a * guide + b``, and a pixel takes the mean of what the windows around it say. The
coefficients vary slowly, so they are computed at a fraction of the size (He and Sun, *Fast Guided
Filter*, 2015).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band
from vde_nb._buffers import empty
from vde_nb._reduced import rows_of, small

__all__ = ["change_guide", "enlarged", "guided"]

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

_REDUCED = 4  # the coefficients are computed at this fraction of the size
_REACH = 24.0  # pixels; half a window, or two cells where those are larger
_LEAST = 5.0  # squared grey levels of the guide below which it shows no edge
_BLUR = 0.8  # pixels; keeps noise out of the guide
_ROWS = 128


def change_guide(reference: UInt8, current: UInt8) -> UInt8:
    """How far two pictures differ, ``(H, W)`` uint8: what shows the outline of a change.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB uint8, registered and under one light. Both are blurred a little.
    """
    height, width = reference.shape[:2]
    out = empty((height, width), np.uint8)

    def band(first: int, end: int) -> None:
        top, bottom = max(0, first - 2), min(height, end + 2)
        soft = [
            cv2.GaussianBlur(one[top:bottom], (5, 5), _BLUR, borderType=cv2.BORDER_REFLECT_101)
            for one in (reference, current)
        ]
        off = cv2.absdiff(soft[0], soft[1])[first - top : end - top]
        red, green, blue = cv2.split(off)
        cv2.max(cv2.max(red, green), blue, out[first:end])

    for_each_band(band, height, width, _ROWS)
    return out


def enlarged(values: Float32, cell: tuple[float, float], shape: tuple[int, int]) -> Float32:
    """A map of cells at the size of the picture, interpolated linearly between their centres.

    Parameters
    ----------
    values
        ``(h, w)`` float32.
    cell
        ``(width, height)`` of a cell in pixels of what is returned.
    shape
        ``(H, W)`` of what is returned.
    """
    across, down = 1 / cell[0], 1 / cell[1]
    matrix = np.array([[across, 0, 0.5 * across - 0.5], [0, down, 0.5 * down - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = shape[::-1]
    return np.asarray(
        cv2.warpAffine(values, matrix, size, empty(shape, np.float32), flags, cv2.BORDER_REPLICATE),
        np.float32,
    )


def guided(
    values: Float32, cell: tuple[float, float], guide: UInt8, reach: float = _REACH
) -> Float32:
    """A map of cells at the size of the picture, with the edges of the guide.

    Parameters
    ----------
    values
        ``(h, w)`` float32.
    cell
        ``(width, height)`` of a cell in pixels.
    guide
        ``(H, W)`` uint8.
    reach
        Half a window, in pixels; at least two cells are taken.

    Returns
    -------
    ndarray
        ``(H, W)`` float32, 0 or more.
    """
    height, width = guide.shape
    shape = small(height, _REDUCED), small(width, _REDUCED)
    fx, fy = width / shape[1], height / shape[0]
    coarse = enlarged(values, (cell[0] / fx, cell[1] / fy), shape)
    edges = np.asarray(cv2.resize(guide, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    half = max(1, round(max(reach, 2 * max(cell)) / _REDUCED))

    def mean(one: Float32) -> Float32:
        window = (2 * half + 1, 2 * half + 1)
        return np.asarray(cv2.blur(one, window, borderType=cv2.BORDER_REFLECT), np.float32)

    of_values, of_edges = mean(coarse), mean(edges)
    slope = mean(edges * coarse) - of_edges * of_values
    slope /= np.maximum(mean(edges * edges) - of_edges * of_edges, 0) + np.float32(_LEAST)
    base = mean(np.asarray(of_values - slope * of_edges, np.float32))
    slope = mean(slope)
    out = empty((height, width), np.float32)

    def band(first: int, end: int) -> None:
        rows = out[first:end]
        np.multiply(rows_of(slope, first, end, height, width), guide[first:end], out=rows)
        np.add(rows, rows_of(base, first, end, height, width), out=rows)
        np.maximum(rows, np.float32(0), out=rows)

    for_each_band(band, height, width, _ROWS)
    return out
