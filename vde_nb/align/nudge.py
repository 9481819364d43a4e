"""Move the current picture by hand, on top of whatever registration found.

The search stays what it was; only the map it found is moved, and the picture is interpolated once
with the whole of it, or not at all where whole pixels are copied.
"""

from __future__ import annotations

import numpy as np

from ._levels import Bools, Box, Float32, Level, Matrix, UInt8, finest_level
from ._measure import agreement
from ._warp import flow_at, shifted, warp
from .registration import Registration, lost_note, motion

__all__ = ["evidence_level", "nudged"]

_LEAST_SIDE = 16  # pixels: in less, agreement says nothing
_WHOLE = 1e-6  # pixels: so near to whole ones is whole


def evidence_level(reference: UInt8, current: UInt8, box: Box | None) -> Level | None:
    """The two pictures as agreement is measured on them; None where they are too small for that.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB uint8, of one size.
    box
        Box ``(x, y, w, h)`` of `current` that is real; None: all of it.
    """
    box = box or (0, 0, reference.shape[1], reference.shape[0])
    if min(*box[2:], *reference.shape[:2]) < _LEAST_SIDE:
        return None
    return finest_level(reference, current, box)


def nudged(
    reference: UInt8,
    current: UInt8,
    found: Registration | None,
    level: Level | None,
    *,
    box: Box | None,
    by: tuple[float, float],
) -> Registration:
    """Register by what was found, and then move the current picture by hand.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB uint8 of one size; `current` as it was handed over to registration.
    found
        What registration found, None when it was not asked.
    level
        See :func:`evidence_level`.
    box
        Box ``(x, y, w, h)`` of `current` that is real; None: all of it.
    by
        ``(dx, dy)``: pixels of the reference's grid to the right and down.

    Returns
    -------
    Registration
        The whole motion. `residual_before` is that of the pictures as they were handed over,
        `residual_after` that with everything, over the blocks both can be measured on.

    Notes
    -----
    With the map ``q(p)`` found, the nudged picture shows at `p` what lay at ``p - d``, so its map
    is ``q(p - d)``: ``M (p + f(p))`` becomes ``M T (p + f(p - d))`` with `T` moving by ``-d``.
    """
    height, width = reference.shape[:2]
    real = box or (0, 0, width, height)
    old = found or Registration(current, np.ones((0, 0), np.bool_))
    back = np.eye(3)
    back[:2, 2] = -by[0], -by[1]
    matrix: Matrix = np.asarray(old.matrix @ back)
    flow = None if old.flow is None else _moved(old.flow, old.step, by)
    picture, shown = _applied(reference, current, matrix, flow, old.step, real)
    middle, most = motion(matrix, flow, old.step, (height, width))
    model = "translation" if old.model == "none" else old.model
    if picture is current:
        model = "none"
    before, after = _residuals(level, matrix, flow)
    notes = old.notes if old.flow is None and old.model == "none" else old.notes[:1]
    return Registration(
        picture,
        shown,
        model,
        matrix,
        flow,
        old.step,
        middle,
        most,
        before,
        after,
        old.confidence,
        (*notes, _note(by), *lost_note(shown, real)),
        by,
    )


def _applied(
    reference: UInt8, current: UInt8, matrix: Matrix, flow: Float32 | None, step: int, box: Box
) -> tuple[UInt8, Bools]:
    """The current picture on the reference's grid; itself where the map moves nothing."""
    whole = np.eye(3)
    whole[:2, 2] = np.rint(matrix[:2, 2])
    if flow is not None or np.abs(matrix - whole).max() > _WHOLE:
        return warp(reference, current, matrix, flow, step, box)
    across, down = int(whole[0, 2]), int(whole[1, 2])
    picture, shown = shifted(reference, current, across, down, box)
    return (picture, shown) if across or down else (current, shown)


def _moved(flow: Float32, step: int, by: tuple[float, float]) -> Float32:
    """The flow as it lies on the grid after the nudge."""
    rows, columns = flow.shape[:2]
    x, y = (np.arange(count) * step + (step - 1) / 2 for count in (columns, rows))
    return flow_at(flow, step, np.dstack(np.meshgrid(x - by[0], y - by[1])))


def _residuals(level: Level | None, matrix: Matrix, flow: Float32 | None) -> tuple[float, float]:
    """1 minus agreement without the map and with it, over the same blocks."""
    if level is None:
        return 0.0, 0.0
    small = None if flow is None else flow / np.float32(level.factor)
    before = agreement(level, np.eye(3))
    after = agreement(level, level.from_full(matrix), small)
    common = np.minimum(before.weights, after.weights)
    if not common.any():
        return 1 - before.score, 1.0
    return 1 - before.where(common), 1 - after.where(common)


def _note(by: tuple[float, float]) -> str:
    """The nudge in words."""
    words = []
    for length, ahead, behind in ((by[0], "to the right", "to the left"), (by[1], "down", "up")):
        if length:
            words.append(f"{abs(length):g} {ahead if length > 0 else behind}")
    return f"the current picture was moved by hand, in pixels: {' and '.join(words)}"
