"""SSIM from OpenCV's window sums and NumPy, in tiles that stay in cache.

Always available. The arithmetic is that of :mod:`vde_nb.difference._kernel`, operation for
operation, so both give the same bits.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch
from vde_nb.difference._definition import C1, C2, RADIUS, WINDOW

__all__ = ["fill"]

_N = WINDOW * WINDOW
_COLUMNS = 2048  # of a tile: fewer, and threads wait for the interpreter more than they work
_scratch = Scratch()


def _window_sum(
    image: npt.NDArray[Any], name: str, *, squared: bool = False
) -> npt.NDArray[np.float64]:
    """Sums over the window around every pixel that has a whole one: integers, hence exact."""
    out = _scratch.get(name, image.shape, np.float64)
    box = cv2.sqrBoxFilter if squared else cv2.boxFilter
    box(image, cv2.CV_64F, (WINDOW, WINDOW), out, normalize=False)
    return out[RADIUS:-RADIUS, RADIUS:-RADIUS]


def fill(
    x: npt.NDArray[np.uint8],
    y: npt.NDArray[np.uint8],
    exact: npt.NDArray[np.float32],
    heat: npt.NDArray[np.uint8],
    sums: npt.NDArray[np.float64],
    first: int,
    end: int,
    wrap: int,
) -> None:
    """Compute ``1 - SSIM`` of one band.

    Parameters
    ----------
    x, y
        The two grey bands with three more pixels on each side, ``(h + 6, w + 6)`` uint8.
    exact
        ``(h, w)`` float32, receives ``1 - SSIM``; or ``(0, 0)`` to leave it out.
    heat
        ``(h, w)`` uint8, receives ``255 * (1 - SSIM)`` without fraction; or ``(0, 0)``.
    sums
        ``(w,)`` float64, to which the columns' sums over rows `first` to `end` are added.
    first, end
        Rows of the band that count towards the score.
    wrap
        Whether values over 255 wrap around (as a cast to uint8 does) instead of staying at 255.
    """
    width = x.shape[1] - 2 * RADIUS
    for left in range(0, width, _COLUMNS):
        columns = slice(left, left + _COLUMNS)
        padded = slice(left, left + _COLUMNS + 2 * RADIUS)
        value = _tile(x[:, padded], y[:, padded])
        if exact.shape[0]:
            exact[:, columns] = value[1:]
        if heat.shape[0]:
            # Through 16 bits, where every value fits: cutting off, then capping or wrapping.
            scaled = _scratch.get("d1", value[1:].shape, np.float64)
            np.multiply(value[1:], 255.0, out=scaled)
            whole = _scratch.get("whole", scaled.shape, np.uint16)
            np.copyto(whole, scaled, casting="unsafe")
            if wrap:
                np.copyto(heat[:, columns], whole, casting="unsafe")
            else:
                cv2.convertScaleAbs(whole, heat[:, columns])
        # The sums so far stand in the row before: the reduction then adds row after row to
        # them, which is the kernel's order of summation.
        value[first] = sums[columns]
        np.add.reduce(value[first : end + 1], axis=0, out=sums[columns])


def _tile(x: npt.NDArray[np.uint8], y: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """``1 - SSIM`` of one tile, from row 1 on; row 0 is free. Lives in this thread's scratch."""
    padded = x.shape
    shape = padded[0] - 2 * RADIUS, padded[1] - 2 * RADIUS
    sx, sy = _window_sum(x, "sx"), _window_sum(y, "sy")
    x2 = np.multiply(x, x, out=_scratch.get("x2", padded, np.uint16), dtype=np.uint16)
    y2 = np.multiply(y, y, out=_scratch.get("y2", padded, np.uint16), dtype=np.uint16)
    both = cv2.add(x2, y2, _scratch.get("both", padded, np.int32), None, cv2.CV_32S)
    power = _window_sum(both, "power")
    apart = cv2.absdiff(x, y, _scratch.get("apart", padded, np.uint8))
    error = _window_sum(apart, "error", squared=True)

    # Everything up to the constants is an integer below 2**53, so float64 holds it exactly.
    n1 = np.subtract(sx, sy, out=_scratch.get("n1", shape, np.float64))
    np.multiply(n1, n1, out=n1)
    d1 = np.multiply(sx, sx, out=_scratch.get("d1", shape, np.float64))
    d2 = np.multiply(sy, sy, out=_scratch.get("d2", shape, np.float64))
    np.add(d1, d2, out=d1)
    cv2.addWeighted(power, _N, d1, -1, 0, d2)
    np.add(d1, C1, out=d1)
    np.add(d2, C2, out=d2)
    n2 = _scratch.get("n2", shape, np.float64)
    cv2.addWeighted(error, _N, n1, -1, 0, n2)

    whole = _scratch.get("value", (shape[0] + 1, shape[1]), np.float64)
    value = np.subtract(d2, n2, out=whole[1:])
    np.multiply(value, n1, out=value)
    np.multiply(n2, d1, out=n2)
    np.add(value, n2, out=value)
    np.multiply(d1, d2, out=d1)
    np.divide(value, d1, out=value)
    return whole
