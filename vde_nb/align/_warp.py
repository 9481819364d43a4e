"""Maps between the pictures, and the one warp that is made with them."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band, rows_for
from vde_nb._buffers import empty, zeros

from ._levels import Bools, Box, Float32, Matrix, UInt8, scratch

__all__ = ["NO_MAP", "flow_at", "places", "shifted", "sources", "transform", "warp"]

_ROWS = 64  # of a band: its maps stay in the cache
#: Second map of `cv2.remap` when the first has both coordinates; its stubs do not know of that.
NO_MAP = cast("Float32", None)
_LONGEST, _PIECE = 32_767, 4096  # pixels: sides that `cv2.remap` takes; what it gets instead
_EDGE = 1.0  # pixels from the border of the current picture: there interpolation makes things up


def transform(matrix: Matrix, points: npt.ArrayLike) -> Matrix:
    """Map points ``(..., 2)`` by a 3 x 3 matrix."""
    array = np.asarray(points, np.float64)
    mapped = array.reshape(-1, 2) @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray((mapped[:, :2] / mapped[:, 2:]).reshape(array.shape))


def flow_rows(flow: Float32, step: int, first: int, end: int, width: int) -> Float32:
    """A flow with one vector per square of `step` pixels, at every pixel of some rows.

    Linear between the centres of the squares, constant beyond the outermost.
    """
    rows = np.clip((np.arange(first, end) + 0.5) / step - 0.5, 0, flow.shape[0] - 1)
    above = np.minimum(rows.astype(np.intp), max(flow.shape[0] - 2, 0))
    below = np.minimum(above + 1, flow.shape[0] - 1)
    share = (rows - above).astype(np.float32)[:, None, None]
    lines = flow[above] * (1 - share) + flow[below] * share
    whole = flow.shape[1] * step
    wide = np.asarray(cv2.resize(lines, (whole, end - first), interpolation=cv2.INTER_LINEAR))
    if whole < width:
        wide = np.pad(wide, ((0, 0), (0, width - whole), (0, 0)), mode="edge")
    return np.asarray(wide[:, :width], np.float32)


def sources(
    matrix: Matrix, flow: Float32 | None, step: int, first: int, end: int, width: int
) -> Float32:
    """Where the pixels of rows `first` to `end` come from, ``(rows, width, 2)`` as (x, y).

    The map is ``matrix(p + flow(p))``.
    """
    result = scratch.get("sources", (end - first, width, 2), np.float32)
    result[..., 0] = np.arange(width, dtype=np.float32)
    result[..., 1] = np.arange(first, end, dtype=np.float32)[:, None]
    if flow is not None:
        result += flow_rows(flow, step, first, end, width)
    if np.array_equal(matrix[2], (0, 0, 1)):
        return np.asarray(cv2.transform(result, matrix[:2], dst=result), np.float32)
    return np.asarray(cv2.perspectiveTransform(result, matrix), np.float32)


def warp(
    reference: UInt8,
    current: UInt8,
    matrix: Matrix,
    flow: Float32 | None,
    step: int,
    box: Box,
) -> tuple[UInt8, Bools]:
    """Bring the current picture onto the reference's grid, interpolating once (bicubic).

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` uint8.
    matrix, flow, step
        The map ``matrix(p + flow(p))``; `flow` has one vector per square of `step` pixels.
    box
        ``(x, y, w, h)`` of `current` that is real.

    Returns
    -------
    picture, valid
        The current picture, with the reference's own pixels where it shows nothing; and where it
        shows something.
    """
    height, width = reference.shape[:2]
    x, y, w, h = box
    low, high = (x + _EDGE, y + _EDGE), (x + w - 1 - _EDGE, y + h - 1 - _EDGE)
    result, valid = empty(reference.shape, np.uint8), empty((height, width), np.bool_)

    def band(first: int, end: int) -> None:
        place = sources(matrix, flow, step, first, end, width)
        _interpolate(current, place, result[first:end])
        shown = np.asarray(cv2.inRange(place, low, high))
        valid[first:end] = shown
        cv2.copyTo(reference[first:end], cv2.bitwise_not(shown, dst=shown), result[first:end])

    for_each_band(band, height, width, rows_for(width, _ROWS))
    return result, valid


def _interpolate(current: UInt8, place: Float32, out: UInt8) -> None:
    """``cv2.remap``, bicubic, also for pictures longer than it takes."""
    if max(*current.shape[:2], *out.shape[:2]) < _LONGEST:
        cv2.remap(current, place, NO_MAP, cv2.INTER_CUBIC, out, cv2.BORDER_REPLICATE)
        return
    height, width = current.shape[:2]
    for left in range(0, out.shape[1], _PIECE):
        part = place[:, left : left + _PIECE]
        low = np.floor(part.min(axis=(0, 1))) - 3
        high = np.ceil(part.max(axis=(0, 1))) + 4
        (x, y), (right, bottom) = (
            np.clip(np.nan_to_num(ends), 0, (width, height)).astype(int) for ends in (low, high)
        )
        # What lies outside shows the border: a pixel of it has to be there.
        x, y = min(x, width - 1), min(y, height - 1)
        right, bottom = max(right, x + 1), max(bottom, y + 1)
        # A map that spreads a piece over so much shows next to nothing of the picture.
        right, bottom = min(right, x + _LONGEST - 1), min(bottom, y + _LONGEST - 1)
        cut = np.ascontiguousarray(part - np.array([x, y], np.float32))
        piece = cv2.remap(
            current[y:bottom, x:right], cut, NO_MAP, cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE
        )
        out[:, left : left + _PIECE] = piece


def shifted(
    reference: UInt8, current: UInt8, across: int, down: int, box: Box
) -> tuple[UInt8, Bools]:
    """The same for a translation by whole pixels: pixels are copied, none is made up."""
    height, width = reference.shape[:2]
    x, y, w, h = box
    left, right = max(0, x - across), min(width, x + w - across)
    top, bottom = max(0, y - down), min(height, y + h - down)
    result, valid = empty(reference.shape, np.uint8), zeros((height, width), np.bool_)

    def band(first: int, end: int) -> None:
        result[first:end] = reference[first:end]
        high, low = max(first, top), min(end, bottom)
        if left < right and high < low:
            part = current[high + down : low + down, left + across : right + across]
            result[high:low, left:right] = part
            valid[high:low, left:right] = True

    for_each_band(band, height, width, rows_for(width, _ROWS))
    return result, valid


def places(matrix: Matrix, flow: Float32 | None, step: int, area: Box) -> Float32:
    """The map of `warp` the other way: for the pixels of `area`, where they lie in the reference.

    Parameters
    ----------
    matrix, flow, step
        As for :func:`warp`.
    area
        Box ``(x, y, w, h)`` of the current picture; the result is ``(h, w, 2)``.
    """
    x, y, w, h = area
    across, down = np.meshgrid(np.arange(x, x + w), np.arange(y, y + h))
    target = transform(np.asarray(np.linalg.inv(matrix)), np.dstack([across, down]))
    found = target.astype(np.float32)
    if flow is not None:
        for _ in range(4):  # p = target - flow(p); the flow is smooth, so this converges at once
            found = (target - flow_at(flow, step, found)).astype(np.float32)
    return found


def flow_at(flow: Float32, step: int, points: Matrix | Float32) -> Float32:
    """A flow at points ``(..., 2)``, as :func:`flow_rows` has it at pixels."""
    flat = ((points.reshape(-1, 1, 2) + 0.5) / step - 0.5).astype(np.float64)
    high = np.array([flow.shape[1] - 1, flow.shape[0] - 1])
    flat = np.clip(flat, 0, high)
    low = np.minimum(flat.astype(np.intp), np.maximum(high - 1, 0))
    share = (flat - low)[:, 0]
    column, row = low[:, 0, 0], low[:, 0, 1]
    right, below = np.minimum(column + 1, high[0]), np.minimum(row + 1, high[1])
    sx, sy = share[:, :1], share[:, 1:]
    upper = flow[row, column] * (1 - sx) + flow[row, right] * sx
    lower = flow[below, column] * (1 - sx) + flow[below, right] * sx
    return np.asarray((upper * (1 - sy) + lower * sy).reshape(points.shape), np.float32)
