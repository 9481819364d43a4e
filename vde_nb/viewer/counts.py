"""How many regions there are at every threshold, to be shown along the slider."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["region_counts"]

Boxes = npt.NDArray[np.int64]

#: Regions up to which each is searched by itself; pixels that cost as much as turning to the next;
#: share of the frame around all that they may cover.
_MOST_ISLANDS, _TURN, _WORTH = 500, 4000, 0.7


def region_counts(
    clean: npt.NDArray[np.uint8],
    min_area: int,
    should_stop: Callable[[], bool] | None = None,
) -> list[int] | None:
    """Number of regions that :func:`vde_nb.detect.candidates` finds at each threshold.

    Thresholds between two values that occur make the same mask, so each value is cut once; and
    a higher cut lies within the boxes of the lower one's regions, so the picture to search
    shrinks, and falls to pieces where regions are few.

    Parameters
    ----------
    clean
        ``(H, W)`` uint8, cleaned heatmap.
    min_area
        As in :func:`~vde_nb.detect.candidates`.
    should_stop
        Asked before every cut, which takes some milliseconds; true ends the count.

    Returns
    -------
    list of int or None
        256 numbers: ``counts[t]`` is ``len(candidates(clean > t, min_area))``. None when stopped.

    Examples
    --------
    >>> clean = np.zeros((20, 60), np.uint8)
    >>> clean[:, :20], clean[:, 40:] = 30, 90
    >>> counts = region_counts(clean, min_area=100)
    >>> counts[0], counts[30], counts[90]
    (2, 1, 0)
    """
    counts = [0] * 256
    occurs = np.flatnonzero(cv2.calcHist([clean], [0], None, [256], [0, 256]))
    height, width = clean.shape
    islands = np.array([[0, 0, width, height]])
    scratch = np.empty(clean.size, np.uint8)
    # What is above a value is the same up to the next value that occurs. Above the last: nothing.
    starts = [0, *(int(value) for value in occurs if value > 0)]
    for start, end in pairwise(starts):
        found = []
        for x, y, w, h in islands:
            if should_stop is not None and should_stop():
                return None
            above = scratch[: w * h].reshape(h, w)
            cv2.threshold(clean[y : y + h, x : x + w], start, 1, cv2.THRESH_BINARY, above)
            contours, _ = cv2.findContours(
                above, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(int(x), int(y))
            )
            found += [cv2.boundingRect(contour) for contour in contours]
        boxes = np.array(found)
        counts[start:end] = [int(np.count_nonzero(boxes[:, 2] * boxes[:, 3] >= min_area))] * (
            end - start
        )
        islands = _islands(boxes)
    return counts


def _islands(boxes: Boxes) -> Boxes:
    """Boxes that hold all the regions of higher thresholds, none of which lies in two of them.

    Parameters
    ----------
    boxes
        ``(n, 4)``, ``(x, y, w, h)`` of the outermost regions at one threshold: at higher ones
        there is nothing outside of them.

    Returns
    -------
    ndarray
        The same form: one box around everything where that is not much larger than its parts.
    """
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    frame = np.array([[left, top, right - left, bottom - top]])
    if len(boxes) > _MOST_ISLANDS:
        return frame
    apart = _united(boxes)
    covered = int((apart[:, 2] * apart[:, 3]).sum()) + _TURN * len(apart)
    return apart if covered < _WORTH * int(frame[0, 2] * frame[0, 3]) else frame


def _united(boxes: Boxes) -> Boxes:
    """Boxes that overlap as one, until none do."""
    apart = np.empty((0, 4), boxes.dtype)  # left, top, right, bottom
    for x, y, w, h in boxes:
        one = np.array([[x, y, x + w, y + h]])
        while True:
            overlap = (apart[:, :2] < one[:, 2:]).all(axis=1) & (apart[:, 2:] > one[:, :2]).all(
                axis=1
            )
            if not overlap.any():
                break
            joined = np.vstack([one, apart[overlap]])
            one = np.concatenate([joined[:, :2].min(axis=0), joined[:, 2:].max(axis=0)])[None]
            apart = apart[~overlap]  # what was joined may reach into others
        apart = np.vstack([apart, one])
    return np.column_stack([apart[:, :2], apart[:, 2:] - apart[:, :2]])
