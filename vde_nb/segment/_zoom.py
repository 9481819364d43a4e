"""Which small regions a model looks at through enlarged crops, and through which.

A model of the SAM family sees every picture as 1024 x 1024 and answers on 256 x 256 cells. On a
4000-pixel picture a cell is 16 pixels wide: an object of 30 pixels is two cells, and its outline
a guess. Encoded from a crop of 256 pixels, the same object covers 30 cells. (The automatic mask
generator of *Segment Anything*, ICCV 2023, crops for the same reason, on a fixed grid.)

Crops come in few sizes and on a lattice, so that neighbours share one, and so that the same crop
is asked for again when a threshold moves a box by some pixels: encoded crops are kept like
pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box

__all__ = ["FEW_CELLS", "Plan", "plan_crops"]

#: A region with fewer cells on its longer side is small.
FEW_CELLS = 24
#: Crops of a picture at most: each takes as long to encode as the picture.
MOST_CROPS = 24

_TIMES = 4  # a crop is so many times as long as the region: SAM needs to see what is around
_SHARE = 8  # of a crop's side: so much is around a region at least, unless the picture ends
_LATTICE = 2  # crops begin at multiples of their side divided by this
_MOST_GROWN = 12  # rungs by which crops may grow so that there are few
_GAIN = 1.5  # of resolution: less is not worth an encoding


@dataclass(frozen=True)
class Plan:
    """Crops, and who looks through which.

    Attributes
    ----------
    crops
        Boxes ``(x, y, w, h)`` inside the picture.
    of
        For every region the index of its crop, or -1: the whole picture will do.
    left_out
        Small regions that got no crop because there would have been too many.
    """

    crops: tuple[Box, ...]
    of: tuple[int, ...]
    left_out: int = 0


def plan_crops(
    boxes: Sequence[Box],
    reaches: Sequence[int],
    size: tuple[int, int],
    cells: int,
    per_pixel: tuple[float, float],
    limit: int = MOST_CROPS,
) -> Plan:
    """Choose enlarged crops for small regions.

    Parameters
    ----------
    boxes
        Regions ``(x, y, w, h)`` inside the picture.
    reaches
        For each, how many pixels around it must be in the crop, too.
    size
        ``(width, height)`` of the picture.
    cells
        On each side of the model's mask grid.
    per_pixel
        Cells per pixel, across and down, when the whole picture is encoded.
    limit
        Crops at most. When more are needed, they become larger, so that more regions share
        one; and if that does not do, those with most regions in them are kept.

    Returns
    -------
    Plan
        Depends on the regions alone, not on their order. Every crop holds its regions with an
        eighth of its side, or their reach if that is more, around them, as far as the picture
        goes.

    Examples
    --------
    >>> plan_crops([(2000, 1500, 30, 30)], [15], (4000, 3000), 256, (0.064, 0.064))
    Plan(crops=((1920, 1408, 256, 256),), of=(0,), left_out=0)
    """
    worst = min(per_pixel)
    small = [
        i
        for i, (_, _, w, h) in enumerate(boxes)
        if max(w * per_pixel[0], h * per_pixel[1]) < FEW_CELLS
        and _gains(_side(max(w, h), reaches[i], cells), size, cells, worst)
    ]
    plan = Plan((), (-1,) * len(boxes))
    for grown in range(_MOST_GROWN):
        sides = {i: _side(max(boxes[i][2:]), reaches[i], cells, grown) for i in small}
        if grown and not all(_gains(side, size, cells, worst) for side in sides.values()):
            break
        plan = _shared(boxes, reaches, size, cells, sides)
        if len(plan.crops) <= limit:
            break
    return _limited(plan, limit)


def _gains(side: int, size: tuple[int, int], cells: int, per_pixel: float) -> bool:
    """Whether a crop of that side shows enough more than the picture."""
    return cells / min(side, max(size)) >= _GAIN * per_pixel


def _side(length: int, reach: int, cells: int, grown: int = 0) -> int:
    """Side of the crop for a region: the smallest of a ladder by which none is too close.

    Its first rung shows a pixel as a cell; finer would show nothing more. `grown`: rungs more.
    """
    need, rung = max(_TIMES * length, _SHARE * reach), 0
    while _rung(cells, rung) < need:
        rung += 1
    return _rung(cells, rung + grown)


def _rung(cells: int, rung: int) -> int:
    return round(cells * 2 ** (rung / 2))


def _shared(
    boxes: Sequence[Box],
    reaches: Sequence[int],
    size: tuple[int, int],
    cells: int,
    sides: dict[int, int],
) -> Plan:
    """A crop of the given side for each of the regions in `sides`, or one that it may join."""

    def order(i: int) -> tuple[object, ...]:
        # The largest first, so that smaller ones may join; by place, as their order is no matter.
        return -sides[i], boxes[i][1], boxes[i][0], boxes[i][3:1:-1], reaches[i]

    waiting = np.array(sorted(sides, key=order), np.intp)
    needs = np.array([[*boxes[i], reaches[i]] for i in waiting], np.int64).reshape(-1, 5)
    own = np.array([sides[int(i)] for i in waiting], np.int64)
    largest = np.maximum(own, needs[:, 2:4].max(axis=1, initial=0) * cells // FEW_CELLS)
    crops: list[Box] = []
    of = [-1] * len(boxes)
    while waiting.size:
        first, side = int(waiting[0]), int(own[0])
        # Of the crops that hold it, the one that holds most others that still wait for one.
        away = np.abs(needs[:, :2] - needs[0, :2]).max(axis=1)
        near = np.flatnonzero((away < side) & (side <= largest))
        choices = _choices(boxes[first], side, size)
        held = [_held(needs[near], crop, side, size) for crop in choices]
        best = max(range(len(choices)), key=lambda n: (held[n][0], np.count_nonzero(held[n])))
        members = near[held[best]]
        for member in waiting[members]:
            of[member] = len(crops)
        crops.append(choices[best])
        rest = np.ones(len(waiting), np.bool_)
        rest[members] = False
        waiting, needs, own, largest = (each[rest] for each in (waiting, needs, own, largest))
    return Plan(tuple(crops), tuple(of))


def _choices(box: Box, side: int, size: tuple[int, int]) -> list[Box]:
    """Crops of the lattice around a region; the first is the one it lies in the middle of."""
    step = side // _LATTICE
    starts = []
    for low, length, whole in zip(box[:2], box[2:], size, strict=True):
        nearest = (2 * low + length - side + step) // (2 * step) * step
        near = [max(0, min(nearest + by, whole - side)) for by in (0, -step, step)]
        starts.append(list(dict.fromkeys(near)))
    return [(x, y, min(side, size[0]), min(side, size[1])) for x in starts[0] for y in starts[1]]


def _held(
    needs: npt.NDArray[np.int64], crop: Box, side: int, size: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Which regions ``(x, y, w, h, reach)`` a crop holds with enough around them."""
    first, last = needs[:, :2], needs[:, :2] + needs[:, 2:4]
    around = np.maximum(needs[:, 4:], side // _SHARE)
    low, high = np.array(crop[:2]), np.array(crop[:2]) + crop[2:]
    inside = (low <= np.maximum(first - around, 0)) & (high >= np.minimum(last + around, size))
    return np.asarray(inside.all(axis=1))


def _limited(plan: Plan, limit: int) -> Plan:
    """At most `limit` crops: those that serve most regions, the first of equals."""
    crops, of = plan.crops, plan.of
    if len(crops) <= limit:
        return plan
    served = np.bincount([one for one in of if one >= 0], minlength=len(crops))
    kept = sorted(sorted(range(len(crops)), key=lambda i: -served[i])[:limit])
    number = {old: new for new, old in enumerate(kept)}
    made = tuple(number.get(one, -1) for one in of)
    left_out = sum(one >= 0 and one not in number for one in of)
    return Plan(tuple(crops[i] for i in kept), made, left_out)
