"""Sums along short lines in eight directions, by doubling."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band, rows_for
from vde_nb._buffers import empty

__all__ = ["TAPS", "line_rows", "line_samples", "line_sums"]

#: Pixels in a line.
TAPS = 8
_PAD = TAPS
_ROWS = 128

#: Steps (dx, dy) to the second, third and fifth pixel of a line, at 0, 22.5, ... 157.5 degrees.
#: A pair of pixels, a pair of pairs, a pair of those: eight pixels for three additions.
_DIRECTIONS = (
    ((1, 0), (2, 0), (4, 0)),
    ((1, 0), (2, 1), (4, 2)),
    ((1, 1), (2, 2), (4, 4)),
    ((0, 1), (1, 2), (2, 4)),
    ((0, 1), (0, 2), (0, 4)),
    ((0, 1), (-1, 2), (-2, 4)),
    ((-1, 1), (-2, 2), (-4, 4)),
    ((-1, 0), (-2, 1), (-4, 2)),
)
_scratch = Scratch()

UInt16 = npt.NDArray[np.uint16]


def line_sums(values: UInt16) -> UInt16:
    """Largest sum of eight pixels along a line through each pixel, of eight directions.

    Parameters
    ----------
    values
        ``(H, W)`` uint16, at most 8191 so that eight fit 16 bits. Mirrored beyond the border.

    Returns
    -------
    ndarray
        ``(H, W)`` uint16.

    Examples
    --------
    >>> image = np.zeros((9, 9), np.uint16)
    >>> image[np.arange(9), np.arange(9)] = 10
    >>> int(line_sums(image)[4, 4])
    80
    """
    height, width = values.shape
    out = empty((height, width), np.uint16)

    def band(first: int, end: int) -> None:
        line_rows(values, first, end, out[first:end])

    for_each_band(band, height, width, rows_for(width, _ROWS))
    return out


def line_rows(values: UInt16, first: int, end: int, best: UInt16) -> None:
    """Rows `first` to `end` of :func:`line_sums`, into `best`."""
    height, width = values.shape
    top, bottom = max(0, first - _PAD), min(height, end + _PAD)
    above, below = _PAD - (first - top), _PAD - (bottom - end)
    shape = end - first + 2 * _PAD, width + 2 * _PAD
    padded = _scratch.get("padded", shape, np.uint16)
    cv2.copyMakeBorder(values[top:bottom], above, below, _PAD, _PAD, cv2.BORDER_REFLECT, padded)
    for index, steps in enumerate(_DIRECTIONS):
        total, x, y = padded, 0, 0  # `total[0, 0]` belongs to the padded pixel (x, y)
        for level, (dx, dy) in enumerate(steps):
            rows, columns = total.shape[0] - dy, total.shape[1] - abs(dx)
            near = total[:rows, max(0, -dx) :][:, :columns]
            far = total[dy:, max(0, dx) :][:, :columns]
            total = cv2.add(near, far, _scratch.get(f"level{level}", (rows, columns), np.uint16))
            x += max(0, -dx)
        # The sum belongs to the middle of its line.
        middle_x = sum(dx for dx, _ in steps) // 2
        middle_y = sum(dy for _, dy in steps) // 2
        left, upper = _PAD - middle_x - x, _PAD - middle_y - y
        part = total[upper : upper + end - first, left : left + width]
        if index:
            cv2.max(best, part, best)
        else:
            np.copyto(best, part)


def line_samples(values: UInt16, step: int) -> UInt16:
    """Every `step`-th pixel of every `step`-th row of :func:`line_sums`, without the others."""
    height, width = values.shape
    rows, columns = np.arange(0, height, step), np.arange(0, width, step)
    best = np.zeros((len(rows), len(columns)), np.uint16)
    for steps in _DIRECTIONS:
        (x1, y1), (x2, y2), (x4, y4) = steps
        left, upper = x1 + x2 + x4, y1 + y2 + y4
        total = np.zeros_like(best)
        for pixel in range(TAPS):
            one, two, four = pixel & 1, pixel >> 1 & 1, pixel >> 2
            dx = one * x1 + two * x2 + four * x4 - left // 2
            dy = one * y1 + two * y2 + four * y4 - upper // 2
            total += values[np.ix_(_mirrored(rows + dy, height), _mirrored(columns + dx, width))]
        np.maximum(best, total, out=best)
    return best


def _mirrored(places: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    """Places beyond the border as those within it, the border itself twice."""
    places = places % (2 * size)
    return np.minimum(places, 2 * size - 1 - places)
