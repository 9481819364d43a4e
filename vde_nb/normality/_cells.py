"""Cells of several frames together: what they show, and how much each can be trusted."""

from __future__ import annotations

import cv2
import numpy as np

from vde_nb.normality._bank import Bank
from vde_nb.normality.base import Bool, Float32, Float64

__all__ = ["cell_weights", "cells_shown"]

_OUTLYING = 3.0  # times the usual distance from the mean beyond which a cell counts less


def cells_shown(valid: Bool | None, cells: tuple[int, ...]) -> Bool | None:
    """Which of ``(h, w)`` cells show nothing but pixels of the picture; None: all."""
    if valid is None:
        return None
    rows, columns = cells
    # The pixel beside what is not shown is interpolated with it.
    inside = cv2.erode(
        valid.view(np.uint8), np.ones((5, 5), np.uint8), borderType=cv2.BORDER_REFLECT
    )
    cover = cv2.resize(inside * 255, (columns, rows), interpolation=cv2.INTER_AREA)
    shown: Bool = np.asarray(cover == 255)
    # An embedding looks a cell further.
    return np.asarray(cv2.erode(shown.view(np.uint8), np.ones((3, 3), np.uint8))).view(np.bool_)


def cell_weights(bank: Bank, weights: Float64) -> tuple[Float32, Float32]:
    """How much each cell of each frame counts, and the mean embedding of every cell.

    A cell that lies far from the mean of the others, in units of what is usual there, counts less:
    one picture that is not normal must not widen what is.

    Returns
    -------
    trust
        ``(n, h, w)`` float32, 0 where the frame shows nothing.
    mean
        ``(h, w, d)`` float32.
    """
    rows, columns, depth = bank[0].values.shape
    trust = np.empty((len(bank), rows, columns), np.float32)
    for number, frame in enumerate(bank):
        trust[number] = weights[number]
        shown = cells_shown(frame.valid, (rows, columns))
        if shown is not None:
            trust[number] *= shown
    mean = _mean(bank, trust)
    if len(bank) < 4:
        return trust, mean
    apart = np.empty_like(trust)
    for number, frame in enumerate(bank):
        away = frame.values.astype(np.float32)
        away -= mean
        apart[number] = cv2.blur(np.sqrt(np.einsum("ijk,ijk->ij", away, away)), (3, 3))
    usual = np.median(apart, axis=0) + np.float32(0.25) * np.median(apart)
    factor = np.minimum(1, np.float32(_OUTLYING) * usual / np.maximum(apart, np.float32(1e-6)))
    trust *= factor**4
    return trust, _mean(bank, trust)


def _mean(bank: Bank, trust: Float32) -> Float32:
    total = np.zeros(bank[0].values.shape, np.float32)
    for number, frame in enumerate(bank):
        total += frame.values.astype(np.float32) * trust[number][..., None]
    total /= np.maximum(trust.sum(axis=0), np.float32(1e-6))[..., None]
    return total
