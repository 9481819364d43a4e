"""A supermarket shelf, as the camera on the opposite shelf sees it."""

from __future__ import annotations

import math

import numpy as np

from ._develop import Look
from ._goods import Kind, bottle, box, box_side, can, jar, tag
from ._noise import Noise
from ._paint import Canvas
from ._scene import Change, Pick, Scene

__all__ = ["SCENE"]

# Floor of each shelf (where the goods stand) and height of its front rail.
_FLOORS = (166.0, 372.0, 570.0)
_RAIL = 25.0

_SOAP = (
    Kind("#2f7fb8", "#f4f4ef", "AQUA", "#f1f1ec"),
    Kind("#3f9a62", "#f3efe2", "MINT", "#f1f1ec"),
    Kind("#c24b6d", "#f6ebe6", "ROSE", "#f1f1ec"),
    Kind("#e0a52f", "#fbf3dc", "HONEY", "#5d3a1a"),
)
_CANS = (
    Kind("#b3262a", "#f4e9d8", "CHERRY", "#f4e9d8"),
    Kind("#e3c22d", "#2f5e36", "LEMON", "#2f5e36"),
    Kind("#27639b", "#f0f2f4", "TONIC", "#f0f2f4"),
    Kind("#2d7a46", "#f2efe0", "LIME", "#f2efe0"),
)
_BOXES = (
    Kind("#d9572b", "#fbe9c6", "CORN CRISPS", "#fbe9c6"),
    Kind("#6a3f8f", "#f1e3b0", "MUESLI", "#f1e3b0"),
    Kind("#1f6d6a", "#f3ead3", "OATS", "#f3ead3"),
)
_SOAP_ROW = (0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3)
_CAN_ROW = (0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3)
_BOX_ROW = (0, 0, 1, 1, 2)
_TAGS = (
    (110.0, 330.0, 513.0, 690.0),
    (88.0, 275.0, 492.0, 714.0),
    (110.0, 320.0, 480.0, 626.0, 752.0),
)
_JARS = (
    Kind("#a3382c", "#f6efe0", "TOMATO", "#8f1f1a"),
    Kind("#6b7f2c", "#f6efe0", "PESTO", "#3f5220"),
)


def _ground(canvas: Canvas, noise: Noise) -> None:
    _rack(canvas, noise)
    _depth(canvas, noise)


def _paint(canvas: Canvas, noise: Noise, pick: Pick, changed: bool) -> list[Change]:
    gone, wrong = pick.one(5, 3, 8), pick.one(3, 7, 10)
    slid, bare = pick.one(2, 1), pick.one(2, 1, 3)
    changes: list[Change] = []
    tag_x = _TAGS[1][bare]
    for i in range(11):
        x = 36.0 + 73.0 * i + _sway(i)
        if changed and abs(i - gone) > 1:
            continue  # far from a change nothing is developed anew
        if changed and i == gone:
            changes.append(Change("missing_part", [canvas.rect(x - 27, 31, 54, 135)]))
        else:
            bottle(canvas, x, _FLOORS[0], 52, 134, _SOAP[_SOAP_ROW[i]])
    for i in range(13):
        x = 28.0 + 62.0 * i + _sway(i + 20)
        if changed and abs(i - wrong) > 1 and abs(x - tag_x) > 80:
            continue
        if changed and i == wrong:
            shape = can(canvas, x, _FLOORS[1], 54, 104, _CANS[pick.one(0, 3)])
            changes.append(Change("colour_change", [shape]))
        else:
            can(canvas, x, _FLOORS[1], 54, 104, _CANS[_CAN_ROW[i]])
    for i in range(5):
        x = 62.0 + 106.0 * i + _sway(i + 40)
        if changed and abs(i - slid) > 1:
            continue
        if changed and i == slid:
            old = [
                canvas.rect(x - 49, _FLOORS[2] - 139, 98, 139),
                box_side(canvas, x, _FLOORS[2], 96, 138),
            ]
            new = box(canvas, noise, x + 3, _FLOORS[2] - 3, 92, 132, _BOXES[_BOX_ROW[i]], lean=4.5)
            changes.append(Change("moved", [*old, *new]))
        else:
            box(canvas, noise, x, _FLOORS[2], 96, 138, _BOXES[_BOX_ROW[i]])
    for i in range(0 if changed else 4):
        jar(canvas, noise, 596.0 + 62.0 * i + _sway(i), _FLOORS[2], 54, 92, _JARS[i // 2])
    for row, places in enumerate(_TAGS):
        for i, x in enumerate(places):
            y = _FLOORS[row] + 4
            if changed and row == 1 and i == bare:
                changes.append(Change("missing_part", [canvas.rect(x - 26, y, 52, 20)]))
            else:
                tag(canvas, x, y, row * 5 + i)
    return changes


def _sway(number: int) -> float:
    """No hand puts goods in a perfect row: return an offset in pixels."""
    return 2.2 * math.sin(7.3 * number)


def _rack(canvas: Canvas, noise: Noise) -> None:
    """Back panel, boards, rails, and the dusk under each board."""
    y = canvas.y()
    scuffs = (
        1 + 0.03 * noise.clouds(1, 200, 8, 0.6) + 0.02 * noise.clouds(2, 60, 3, 0.6, stretch=0.15)
    )
    for channel, level in enumerate((0.36, 0.355, 0.34)):
        canvas.albedo[channel] = level * scuffs
    canvas.relief += 0.15 * noise.clouds(3, 8, 2, 0.7)
    # Perforation: the product of two waves is round where both peak.
    waves = np.cos(canvas.x() * (2 * np.pi / 19)) + np.cos(y * (2 * np.pi / 19))
    canvas.albedo *= 1 - 0.8 * np.clip((waves - 1.70) * 6, 0, 1).astype(np.float32)
    top = np.full_like(y, 0.0)
    for upper, floor in zip((-28.0, *_FLOORS[:-1]), _FLOORS, strict=True):
        inside = (y >= upper) & (y < floor + 30)
        # Little light reaches the back of a shelf, and least below the board above.
        t = np.clip((y - upper - _RAIL) / (floor - upper - _RAIL), 0, 1)
        top = np.where(inside, 0.16 + 0.34 * t**0.8, top)
    canvas.light *= np.where(top > 0, top, 1).astype(np.float32)
    for floor in _FLOORS:
        board = canvas.polygon(
            [(-30, floor - 15), (830, floor - 15), (830, floor + 3), (-30, floor + 3)]
        )
        fade = 0.22 + 0.72 * board.down() ** 1.5
        canvas.fill(
            board,
            np.broadcast_to(0.40 * fade, board.alpha.shape)[None].astype(np.float32),
            lit=True,
        )
        rail = canvas.rect(-30, floor + 2, 860, _RAIL)
        rows, columns = rail.window
        curve = np.interp(rail.down(), [0, 0.1, 0.25, 0.8, 1], [0.86, 0.70, 0.62, 0.56, 0.30])
        metal = curve * (1 + 0.012 * noise.clouds(2, 60, 3, 0.6, stretch=0.15)[rows, columns])
        canvas.fill(rail, metal[None].astype(np.float32), gloss=0.12, solid=True)
        for edge, lift in ((floor + 4.5, 1.6), (floor + 24.5, 1.8)):
            canvas.fill(
                canvas.stroke([(-30, edge), (830, edge)], 1.5, soft=0.5),
                "#d8d8d4",
                0.6,
                raised=lift,
            )
        below = canvas.rect(-30, floor + 2 + _RAIL, 860, 26, soft=5)
        canvas.light[below.window] *= 1 - 0.45 * below.alpha * np.clip(1.2 - below.down(), 0, 1)


def _depth(canvas: Canvas, noise: Noise) -> None:
    """Paint the second row of goods, behind and in the dark."""
    for i in range(11):
        if i not in (4, 6):
            bottle(canvas, 38.0 + 72.0 * i, _FLOORS[0] - 8, 48, 126, _SOAP[_SOAP_ROW[i]], dusk=0.74)
    for i in range(13):
        can(canvas, 30.0 + 61.5 * i, _FLOORS[1] - 8, 50, 98, _CANS[_CAN_ROW[i]], dusk=0.74)
    for i in range(5):
        box(
            canvas, noise, 63.0 + 105.0 * i, _FLOORS[2] - 8, 90, 130, _BOXES[_BOX_ROW[i]], dusk=0.76
        )


SCENE = Scene(
    key=6,
    size=(800, 600),
    description="A supermarket shelf with a bottle gone, a can in the wrong place, a box knocked "
    "askew and a price tag missing.",
    look=Look(
        sun=(-0.15, -0.8, 1.0),
        ambient=0.5,
        bump=0.8,
        sharpness=5,
        exposure=1.1,
        falloff=(0.3, 0.08),
        tint=(1.0, 0.99, 0.955),
        grain=3.0,
    ),
    ground=_ground,
    paint=_paint,
)
