"""How many regions there are at every threshold, to be shown along the slider."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["region_counts"]


def region_counts(
    clean: npt.NDArray[np.uint8],
    min_area: int,
    should_stop: Callable[[], bool] | None = None,
) -> list[int] | None:
    """Number of regions that :func:`vde_nb.detect.candidates` finds at each threshold.

    Thresholds between two values that occur make the same mask, so each value is cut once; and
    a higher cut lies within the frame of the lower one, so the picture to search shrinks.

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
    view = clean
    mask = np.empty_like(clean)
    # What is above a value is the same up to the next value that occurs. Above the last: nothing.
    starts = [0, *(int(value) for value in occurs if value > 0)]
    for start, end in pairwise(starts):
        if should_stop is not None and should_stop():
            return None
        above = mask[: view.shape[0], : view.shape[1]]
        cv2.threshold(view, start, 1, cv2.THRESH_BINARY, above)
        contours, _ = cv2.findContours(above, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        boxes = np.array([cv2.boundingRect(contour) for contour in contours])
        counts[start:end] = [int(np.count_nonzero(boxes[:, 2] * boxes[:, 3] >= min_area))] * (
            end - start
        )
        left, top = boxes[:, :2].min(axis=0)
        right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
        view = view[top:bottom, left:right]
    return counts
