"""How far edges lie apart in two pictures as a whole."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.difference._opponent import Opponent, square
from vde_nb.difference._variation import envelope

__all__ = ["radius_between", "tolerant_radius"]

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

_SAMPLE = 600_000  # pixels on which the tolerance is measured
_EDGE = 24  # grey levels across an edge
_TILE = 32  # pixels; something that changed concerns few tiles, a misfit most of them
_FEW = 12  # tiles with edges in them: fewer tell nothing
_MISFITS = 0.02  # share of tiles that a wider envelope has to explain to be worth it


def tolerant_radius(reference: UInt8, current: UInt8, valid: Bool | None = None) -> int:
    """Smallest tolerance, 1 to 4 pixels, at which edges as a whole cease to differ.

    Most edges did not change. So where many of them leave the other picture's envelope, the
    pictures do not fit that well, and the envelope has to be wider.

    Parameters
    ----------
    reference, current
        ``(H, W)`` uint8 lightness.
    valid
        See :func:`tolerant`.
    """
    one, two = reference, current
    spans = _spans(*one.shape)
    if spans:
        rows = np.concatenate([np.arange(*span) for span in spans])
        one, two = one[rows], two[rows]
        valid = valid[rows] if valid is not None else None
    return _radius(one, two, valid)


def radius_between(reference: Opponent, current: Opponent, valid: Bool | None) -> int:
    """:func:`tolerant_radius` of two pictures, of which only what it looks at is computed."""
    height, width = reference.shape
    spans = _spans(height, width) or [(0, height)]
    one, two = (
        np.concatenate([one.rows(*span, count=1)[0].copy() for span in spans])
        for one in (reference, current)
    )
    if valid is not None:
        valid = np.concatenate([valid[first:end] for first, end in spans])
    return _radius(one, two, valid)


def _spans(height: int, width: int) -> list[tuple[int, int]]:
    """Rows of a large picture that tell enough: bands across it. None: all of them."""
    if height * width <= _SAMPLE:
        return []
    step = round(height * width / _SAMPLE) * 2 * _TILE
    return [(y, min(y + 2 * _TILE, height)) for y in range(0, height, step)]


def _radius(one: UInt8, two: UInt8, valid: Bool | None) -> int:
    contrast = cv2.morphologyEx(one, cv2.MORPH_GRADIENT, square(2))
    edges = contrast > _EDGE
    if valid is not None:
        edges &= valid
    known = _per_tile(edges)
    some = known >= _TILE  # enough edges to judge by
    if np.count_nonzero(some) < _FEW:
        return 1
    misfits = []
    for radius in (1, 2, 3, 4):
        beyond = edges & (envelope([one], two, radius) > np.maximum(contrast // 4, _EDGE // 2))
        misfits.append(float(np.mean(_per_tile(beyond)[some] > 0.03 * known[some])))
    # What even four pixels do not explain is no misfit.
    return next(i for i, share in enumerate(misfits, 1) if share - misfits[-1] < _MISFITS)


def _per_tile(mask: Bool) -> npt.NDArray[np.float64]:
    """Number of pixels set in every whole tile."""
    height, width = (side // _TILE * _TILE for side in mask.shape)
    tiles = mask[:height, :width].reshape(height // _TILE, _TILE, width // _TILE, _TILE)
    return np.asarray(tiles.sum(axis=(1, 3)), np.float64)
