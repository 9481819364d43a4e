"""Maps at a fraction of the size, for what varies slowly."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch

__all__ = ["rows_of", "small"]

Float32 = npt.NDArray[np.float32]

_scratch = Scratch()


def small(size: int, factor: int = 4) -> int:
    """Length of a side divided by `factor`, rounded up."""
    return -(-size // factor)


def rows_of(
    reduced: Float32, first: int, end: int, height: int, width: int, out: Float32 | None = None
) -> Float32:
    """Rows `first` to `end` of a reduced map at full size, interpolated."""
    fy, fx = reduced.shape[0] / height, reduced.shape[1] / width
    matrix = np.array([[fx, 0, 0.5 * fx - 0.5], [0, fy, (first + 0.5) * fy - 0.5]])
    if out is None:
        out = _scratch.get("rows", (end - first, width), np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(reduced, matrix, (width, end - first), out, flags, cv2.BORDER_REPLICATE)
    return out
