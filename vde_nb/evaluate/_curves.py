"""Curves and areas from counts: everything is computed from histograms, so it costs nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["alarm_level", "auroc", "average_precision", "histogram", "precision_recall"]

Counts = npt.NDArray[np.int64]
Curve = npt.NDArray[np.float64]

LEVELS = 256


def histogram(heatmap: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_] | None = None) -> Counts:
    """Count the levels of a heatmap.

    Parameters
    ----------
    heatmap
        ``(H, W)`` uint8.
    mask
        ``(H, W)`` bool: only these pixels.

    Returns
    -------
    ndarray of int64, shape (256,)
    """
    total = np.zeros(LEVELS, np.int64)
    # OpenCV counts in single precision, which is exact up to 2²⁴.
    step = max(2**23 // max(heatmap.shape[1], 1), 1)
    for top in range(0, heatmap.shape[0], step):
        rows = slice(top, top + step)
        levels = np.ascontiguousarray(heatmap[rows])
        where = None if mask is None else np.ascontiguousarray(mask[rows]).view(np.uint8)
        bins = cv2.calcHist([levels], [0], where, [LEVELS], [0, LEVELS])
        total += np.rint(bins).astype(np.int64).ravel()
    return total


def precision_recall(positives: Counts, negatives: Counts) -> tuple[Curve, Curve, Counts]:
    """Precision and recall of ``score >= level`` at every level that occurs.

    Parameters
    ----------
    positives, negatives
        ``(256,)``: how many positives (negatives) have the score 0, 1, … 255.

    Returns
    -------
    precision, recall : ndarray of float64
        From the highest level down.
    levels : ndarray of int64
        The levels.

    Raises
    ------
    ValueError
        There are no positives.
    """
    if not positives.sum():
        raise ValueError("precision and recall need at least one positive")
    levels = np.flatnonzero(positives + negatives)[::-1]
    true = np.cumsum(positives[levels])
    found = true + np.cumsum(negatives[levels])
    return true / found, true / true[-1], levels


def average_precision(positives: Counts, negatives: Counts) -> float:
    """Average precision: precision at every level, weighted by the recall gained there.

    AP = Σ (Rₙ − Rₙ₋₁) Pₙ, without interpolation, the definition of scikit-learn's
    ``average_precision_score``. NaN where there are no positives.

    Parameters
    ----------
    positives, negatives
        As for :func:`precision_recall`.

    Examples
    --------
    >>> positives, negatives = np.zeros((2, 256), int)
    >>> positives[[200, 90]] = 5, 5
    >>> negatives[[100, 3]] = 10, 980
    >>> average_precision(positives, negatives)
    0.75
    """
    if not positives.sum():
        return math.nan
    precision, recall, _ = precision_recall(positives, negatives)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """Area under the ROC curve: how often one of `positives` is above one of `negatives`.

    By the rank sum, ties counting half (Hanley and McNeil, "The meaning and use of the area under
    a receiver operating characteristic (ROC) curve", 1982). NaN where either is missing.

    Examples
    --------
    >>> auroc([3, 2], [1, 2])
    0.875
    """
    above, below = np.asarray(positives, np.float64), np.asarray(negatives, np.float64)
    if not above.size or not below.size:
        return math.nan
    _, place, count = np.unique(
        np.concatenate([above, below]), return_inverse=True, return_counts=True
    )
    ranks = np.cumsum(count) - (count - 1) / 2
    rank_sum = float(ranks[place[: above.size]].sum())
    return (rank_sum - above.size * (above.size + 1) / 2) / (above.size * below.size)


def alarm_level(scores: Sequence[float], rate: float = 0.05) -> float:
    """Score that at most a share `rate` of `scores` exceeds; NaN if there are none.

    Examples
    --------
    >>> alarm_level(range(100), 0.05)
    94.0
    """
    if not len(scores):
        return math.nan
    falling = np.sort(np.asarray(scores, np.float64))[::-1]
    # Scores above the level, not at it, raise the alarm.
    return float(falling[min(int(rate * falling.size + 1e-9), falling.size - 1)])
