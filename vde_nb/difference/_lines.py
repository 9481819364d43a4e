"""Sums along short lines in eight directions, by doubling."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band
from vde_nb._buffers import empty

__all__ = ["TAPS", "line_sums"]

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


def line_sums(values: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
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
        top, bottom = max(0, first - _PAD), min(height, end + _PAD)
        above, below = _PAD - (first - top), _PAD - (bottom - end)
        shape = end - first + 2 * _PAD, width + 2 * _PAD
        padded = _scratch.get("padded", shape, np.uint16)
        cv2.copyMakeBorder(values[top:bottom], above, below, _PAD, _PAD, cv2.BORDER_REFLECT, padded)
        best = out[first:end]
        for index, steps in enumerate(_DIRECTIONS):
            total, x, y = padded, 0, 0  # `total[0, 0]` belongs to the padded pixel (x, y)
            for level, (dx, dy) in enumerate(steps):
                rows, columns = total.shape[0] - dy, total.shape[1] - abs(dx)
                near = total[:rows, max(0, -dx) :][:, :columns]
                far = total[dy:, max(0, dx) :][:, :columns]
                total = cv2.add(
                    near, far, _scratch.get(f"level{level}", (rows, columns), np.uint16)
                )
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

    for_each_band(band, height, width, _ROWS)
    return out
