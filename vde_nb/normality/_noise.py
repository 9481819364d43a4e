"""How noisy a picture is, place by place: what raises every distance without being a change.

A darker, blurred or strongly compressed picture is further from the mean of all embeddings
everywhere. Distances in units of what is usual around them are comparable between pictures.
"""

from __future__ import annotations

import cv2
import numpy as np

from vde_nb.normality.base import Bool, Float32

__all__ = ["noise_level"]

_QUIET, _LOUD = 0.7, 2.0  # bounds, in units of what is usual


def noise_level(raw: Float32, shown: Bool | None, block: int) -> Float32:
    """How far everything around a cell is from normal, ``(h, w)``; about 1.

    The median of each block, of which again the median of nine: what has changed on less than half
    of it makes no difference. Bounded, so that a change of the whole picture stays one.

    Parameters
    ----------
    raw
        ``(h, w)`` float32: distances of cells in units of what is usual there.
    shown
        ``(h, w)``: cells the picture shows; None: all.
    block
        Cells on each side of a block.

    Returns
    -------
    ndarray
        ``(h, w)`` float32, 0.7 to 2: what to divide the distances by.
    """
    rows, columns = raw.shape
    levels = raw if shown is None else np.where(shown, raw, np.nan).astype(np.float32)
    down, across = -(-rows // block), -(-columns // block)
    padded = np.full((down * block, across * block), np.nan, np.float32)
    padded[:rows, :columns] = levels
    blocks = padded.reshape(down, block, across, block).transpose(0, 2, 1, 3)
    blocks = np.sort(blocks.reshape(down, across, -1), axis=2)  # what is not shown comes last
    count = np.isfinite(blocks).sum(axis=2, keepdims=True)
    middle = np.take_along_axis(blocks, np.maximum(count - 1, 0) // 2, axis=2)[..., 0]
    middle = np.where(np.isfinite(middle), middle, 1).astype(np.float32)
    middle = np.clip(cv2.medianBlur(middle, 3), _QUIET, _LOUD)
    full = cv2.resize(middle, padded.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[:rows, :columns], np.float32)
