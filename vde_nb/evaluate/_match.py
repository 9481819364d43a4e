"""Which found box is which true one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vde_nb._boxes import iou
from vde_nb.detect import Box

__all__ = ["match_boxes"]


def match_boxes(
    found: Sequence[Box], true: Sequence[Box], min_iou: float = 0.33
) -> list[tuple[int, int]]:
    """Match found boxes with true ones, one to one, as many as there can be.

    A greedy choice can block a pair that would have fitted elsewhere; this is a maximum matching
    by augmenting paths (Kuhn, "The Hungarian method for the assignment problem", 1955), begun with
    the best overlaps, so the order of the boxes changes nothing about how many are matched.

    Parameters
    ----------
    found, true
        Boxes ``(x, y, w, h)`` in pixels, half-open.
    min_iou
        Boxes match if their IoU is larger than this, in [0, 1).

    Returns
    -------
    list of (int, int)
        Positions in `found` and in `true`, in the order of `found`.

    Examples
    --------
    >>> match_boxes([(0, 0, 10, 10), (50, 50, 8, 8)], [(51, 50, 8, 8), (2, 0, 10, 10)])
    [(0, 1), (1, 0)]
    """
    if not len(found) or not len(true):
        return []
    overlap = iou(found, true)
    options = [
        [int(j) for j in np.argsort(-row, kind="stable") if row[j] > min_iou] for row in overlap
    ]
    taken: dict[int, int] = {}
    for i in np.argsort(-overlap.max(axis=1), kind="stable"):
        _settle(int(i), options, taken, set())
    return sorted((i, j) for j, i in taken.items())


def _settle(i: int, options: list[list[int]], taken: dict[int, int], seen: set[int]) -> bool:
    """Give box `i` a partner, moving others to their next best where that helps."""
    for j in options[i]:
        if j in seen:
            continue
        seen.add(j)
        if j not in taken or _settle(taken[j], options, taken, seen):
            taken[j] = i
            return True
    return False
