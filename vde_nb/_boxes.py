"""Boxes against boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vde_nb.images import Box

__all__ = ["SAME", "iou"]

#: Intersection over union from which two boxes are one thing: a review's and its anomaly's, a
#: prompt's and what it refines.
SAME = 0.5


def iou(first: Sequence[Box], second: Sequence[Box]) -> npt.NDArray[np.float64]:
    """Intersection over union of every box with every other.

    Parameters
    ----------
    first, second
        Boxes ``(x, y, w, h)`` in pixels, half-open.

    Returns
    -------
    ndarray of float64, shape (len(first), len(second))
        0 (apart) to 1 (the same).

    Examples
    --------
    >>> iou([(0, 0, 4, 4)], [(2, 0, 4, 4), (9, 9, 1, 1)]).round(3)
    array([[0.333, 0.   ]])
    """
    a = np.asarray(first, np.float64).reshape(-1, 1, 4)
    b = np.asarray(second, np.float64).reshape(1, -1, 4)
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    common = np.clip(high - low, 0, None).prod(axis=-1)
    union = a[..., 2:].prod(axis=-1) + b[..., 2:].prod(axis=-1) - common
    return np.asarray(common / np.maximum(union, 1e-12), np.float64)
