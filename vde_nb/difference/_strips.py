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
_COLUMNS = 1024  # of a tile: more, and it leaves the caches; fewer, and threads wait for Python
_scratch = Scratch()


def _window_sum(image: npt.NDArray[Any], name: str) -> npt.NDArray[np.float64]:
    """Sums over the window around every pixel: integers, hence exact.

    The rows that have whole windows; columns without are left in, for operations on memory
    without gaps take a quarter of the time.
    """
    out = _scratch.get(name, image.shape, np.float64)
    cv2.boxFilter(image, cv2.CV_64F, (WINDOW, WINDOW), out, normalize=False)
    return out[RADIUS:-RADIUS]


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
            # in the memory of what the tile does not need any more
            scaled = _scratch.get("means", value[1:].shape, np.float64)
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
    shape = padded[0] - 2 * RADIUS, padded[1]
    get = _scratch.get
    sx, sy = _window_sum(x, "sx"), _window_sum(y, "sy")
    # products of two bytes fit 16 bits
    product = np.multiply(x, y, out=get("product", padded, np.uint16), dtype=np.uint16)
    common = _window_sum(product, "common")
    apart = cv2.absdiff(x, y, get("apart", padded, np.uint8))
    square = np.multiply(apart, apart, out=product, dtype=np.uint16)
    error = _window_sum(square, "error")

    # Everything up to the constants is an integer below 2**53, so float64 holds it exactly.
    # Each result takes the place of what is not needed any more: less memory, more cache.
    means = np.multiply(sx, sy, out=get("means", shape, np.float64))
    n1 = np.subtract(sx, sy, out=sx)
    np.multiply(n1, n1, out=n1)
    d1 = cv2.addWeighted(means, 2, n1, 1, 0, sy)
    # d2 without n2, for which the sum of the products is enough: no sum of squares is needed
    rest = cv2.addWeighted(common, 2 * _N, means, -2, 0, common)
    n2 = cv2.addWeighted(error, _N, n1, -1, 0, error)
    np.add(d1, C1, out=d1)
    np.add(rest, C2, out=rest)
    d2 = np.add(rest, n2, out=means)

    np.multiply(rest, n1, out=rest)
    np.multiply(n2, d1, out=n2)
    np.add(rest, n2, out=rest)
    np.multiply(d1, d2, out=d1)
    whole = get("value", (shape[0] + 1, shape[1] - 2 * RADIUS), np.float64)
    inside = slice(RADIUS, -RADIUS)
    np.divide(rest[:, inside], d1[:, inside], out=whole[1:])
    return whole
