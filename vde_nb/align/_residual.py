"""What no global map explains: a displacement that is smooth, small, and no defect.

The equations of :mod:`vde_nb.align._refine` are blurred over the grid and then solved, so that a
vector is decided by all the structure around it: edges of one direction speak for that direction
only, flat blocks inherit, and a part that moved by itself is outvoted. Each round adds what is
still missing at a finer blur; the finest is far wider than a defect.
"""

from __future__ import annotations

import cv2
import numpy as np

from ._levels import Float32, Level, Matrix
from ._measure import Agreement, agreement
from ._refine import equations, robust_weights

__all__ = ["smooth_flow"]

_MOST = 4.0  # pixels of the level: more is a defect
#: Blocks: standard deviation of each round's Gaussian. The last is repeated while it adds much.
_BLURS = (6.0, 4.0, 3.0, 2.5, 2.5, 2.5, 2.5, 2.5)
_LITTLE = 0.03  # full pixels, mean: what a round must add for another
_AROUND = 6.0  # blocks: where all around fits as badly, a block is no outlier
_SHARE, _NARROWEST = 5.0, 1.5  # of a small picture's shorter side, at most; blocks, at least
_LOOK = 2  # rounds after which it shows whether there is anything to find
_SIGN, _NOTHING = 0.05, 0.1  # full pixels, mean: promises some; less is not worth a warp
_RIDGE = 0.005  # share of a vote: where fewer blocks around have structure, the flow fades
_FLAT = 0.05  # squared slope under which a block has less than half a vote


def _blur(field: Float32 | Matrix, sigma: float) -> Float32:
    grid = np.asarray(field, np.float32)
    return np.asarray(cv2.GaussianBlur(grid, (0, 0), sigma, borderType=cv2.BORDER_REFLECT))


def smooth_flow(
    level: Level, matrix: Matrix, before: Agreement
) -> tuple[Float32, Agreement] | None:
    """Find the displacements that remain after a map.

    Parameters
    ----------
    level, matrix
        The pictures and the map between them.
    before
        Their agreement under `matrix` alone.

    Returns
    -------
    flow, after
        One displacement per block, ``(rows, columns, 2)`` float32 in pixels of the level, before
        the map: ``matrix(p + flow(p))``; and the agreement with it. None when there is nothing
        to gain.
    """
    flow = np.zeros((*level.grid, 2), np.float32)
    widest = max(min(level.grid) / _SHARE, _NARROWEST)
    blurs = [min(sigma, widest) for sigma in _BLURS]
    for turn, sigma in enumerate(blurs):
        if turn == _LOOK and _size(flow, before) * level.factor < _SIGN:
            return None
        step = _missing(level, matrix, flow, sigma)
        flow = np.clip(flow + step, -_MOST, _MOST)
        if sigma == blurs[-1] and _size(step, before) * level.factor < _LITTLE:
            break
    # Where it does not help, it fades.
    after = agreement(level, matrix, flow)
    gain = (after.blocks - before.blocks) * np.minimum(before.weights, after.weights)
    helps = (_blur(gain, blurs[-1]) > 0).astype(np.float32)
    flow = flow * _blur(helps, blurs[-1])[..., None]
    if _size(flow, before) * level.factor < _NOTHING:
        return None
    return flow, agreement(level, matrix, flow)


def _size(flow: Float32, where: Agreement) -> float:
    """Mean length of the vectors where there is structure."""
    length = np.hypot(flow[..., 0], flow[..., 1])
    return float((length * where.weights).sum() / max(float(where.weights.sum()), 1e-9))


def _missing(level: Level, matrix: Matrix, flow: Float32, sigma: float) -> Float32:
    """What has to be added to a flow."""
    system = equations(level, matrix, flow)
    texture = system.xx + system.yy
    step = np.zeros_like(flow)
    for _ in range(2):
        # However strong its edges, a block has one vote.
        votes = robust_weights(system, step, _AROUND) / (texture + _FLAT)
        xx, xy, yy, bx, by = (
            _blur(votes * part, sigma)
            for part in (system.xx, system.xy, system.yy, system.bx, system.by)
        )
        xx, yy = xx + _RIDGE, yy + _RIDGE
        determinant = (xx * yy - xy * xy)[..., None]
        solved = np.dstack([yy * bx - xy * by, xx * by - xy * bx]) / determinant
        step = np.asarray(solved, np.float32)
    return step
