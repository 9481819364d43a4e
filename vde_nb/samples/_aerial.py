"""Farmland from the air: fields, a river, a road, a hamlet, a wood."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ._develop import Look
from ._noise import Array, Noise
from ._paint import Canvas, Point, Stamp, ink
from ._scene import Change, Pick, Scene

__all__ = ["SCENE"]

# Fields: corners, colour, direction of the rows in degrees, distance of the rows, their strength.
_FIELDS: tuple[tuple[tuple[Point, ...], str, float, float, float], ...] = (
    (((-30, -30), (206, -30), (176, 128), (-30, 150)), "#8f9a4f", 8, 4.2, 0.10),
    (((214, -30), (392, -30), (368, 152), (184, 132)), "#b39a66", 82, 5.0, 0.09),
    (((-30, 158), (174, 136), (150, 300), (-30, 318)), "#6f5a42", 7, 4.6, 0.16),
    (((182, 140), (366, 160), (340, 296), (158, 300)), "#6d8a44", 97, 3.8, 0.10),
    (((-30, 382), (120, 372), (150, 640), (-30, 640)), "#a8a05a", 84, 4.0, 0.08),
    (((130, 372), (330, 362), (352, 640), (160, 640)), "#55773b", 3, 5.2, 0.13),
    (((600, -30), (840, -30), (840, 130), (590, 150)), "#a88f5c", 174, 4.4, 0.11),
    (((588, 158), (840, 138), (840, 286), (600, 300)), "#7c9a4e", 88, 3.8, 0.08),
    (((560, 372), (840, 360), (840, 640), (540, 640)), "#8a6f4e", 12, 5.4, 0.15),
)
_RIVER = (
    (430, -40),
    (446, 40),
    (490, 110),
    (506, 180),
    (470, 260),
    (428, 330),
    (420, 400),
    (450, 470),
    (462, 540),
    (440, 640),
)
_ROAD = ((-40, 348), (120, 338), (300, 330), (440, 328), (560, 332), (700, 326), (840, 318))
_LANE = ((566, 332), (572, 250), (560, 160), (566, 60), (590, -40))


def _ground(canvas: Canvas, noise: Noise) -> None:
    _meadow(canvas, noise)
    for number, (corners, colour, angle, pitch, depth) in enumerate(_FIELDS):
        _field(canvas, noise, number, corners, colour, angle, pitch, depth)
    _river(canvas, noise)
    _roads(canvas, noise)
    _hedges(canvas, noise)
    for x, y, w, h, angle, roof in (
        (620, 338 + 24, 30, 20, 4, "#9a4a34"),
        (668, 302, 26, 18, -6, "#8f4331"),
        (702, 352, 34, 20, 2, "#a65a3e"),
        (748, 300, 28, 20, 8, "#6f6a66"),
        (528, 296, 26, 18, 12, "#96503a"),
        (520, 366, 30, 20, -4, "#7d4a3c"),
        (250, 306, 26, 17, -3, "#9a4a34"),
        (588, 404 - 6, 24, 17, -12, "#8c4b38"),
    ):
        _house(canvas, noise, x, y, w, h, angle, roof)
    _house(canvas, noise, 778, 350, 46, 26, 3, "#8d9294")


def _paint(canvas: Canvas, noise: Noise, pick: Pick, changed: bool) -> list[Change]:
    gap = pick.one((386.0, 508.0), (394.0, 580.0))
    site = pick.one((262.0, 68.0), (700.0, 60.0))
    pool = pick.one((694.0, 226.0), (90.0, 60.0))
    parked = pick.one(2, 1, 4)
    changes: list[Change] = []
    if changed:
        changes += [
            Change("added_part", _barn(canvas, noise, *site)),
            Change("added_part", [_pond(canvas, noise, *pool)]),
            Change("texture_change", [_mown(canvas, noise, pick.one(0.0, 60.0))]),
        ]
    _wood(canvas, noise, gap if changed else None)
    if changed:
        changes.append(Change("missing_part", [canvas.disc(gap[0] + 3, gap[1] + 3, 31, 26)]))
    for i, (x, y, angle, colour) in enumerate(
        (
            (96, 336.5, -4, "#d8d8d4"),
            (232, 336, -2, "#a52a22"),
            (372, 324, 179, "#e6e4de"),
            (640, 333, -2, "#2d4f7d"),
            (728, 322, 178, "#ecebe6"),
            (563, 208, 84, "#c9c9c6"),
        )
    ):
        if changed and i == parked:
            changes.append(Change("missing_part", [canvas.rect(x - 12, y - 7, 25, 15, 3, angle)]))
        else:
            _lorry(canvas, x, y, angle, colour) if i in (2, 1, 4) else _car(
                canvas, x, y, angle, colour
            )
    return changes


def _meadow(canvas: Canvas, noise: Noise) -> None:
    tone = 1 + 0.10 * noise.clouds(1, 200, 4, 0.62) + 0.06 * noise.clouds(2, 12, 2, 0.8)
    warm = 0.06 * noise.clouds(3, 120, 6, 0.6)
    for channel, level in enumerate(ink("#6a7b45")[:, 0, 0]):
        canvas.albedo[channel] = level * tone * (1 + (1.0, 0.2, -0.4)[channel] * warm)
    canvas.relief += 0.7 * noise.clouds(2, 12, 2, 0.8)


def _rows(stamp: Stamp, angle: float, pitch: float, bend: Array) -> Array:
    """Return the profile of furrows under a stamp, -1 to 1; pitch in picture pixels."""
    rows, columns = stamp.window
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] / 2
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] / 2
    turn = np.radians(angle)
    across = np.float32(-np.sin(turn)) * x + np.float32(np.cos(turn)) * y
    return np.asarray(np.sin(across * np.float32(2 * np.pi / pitch) + bend), np.float32)


def _field(
    canvas: Canvas,
    noise: Noise,
    number: int,
    corners: Sequence[Point],
    colour: str,
    angle: float,
    pitch: float,
    depth: float,
) -> None:
    """One crop: furrows, wheel tracks, patches where it grew less well."""
    area = canvas.polygon(corners, soft=0.8)
    rows, columns = area.window
    patchy = noise.clouds(10 + number % 2, 150, 4, 0.62)[rows, columns]
    rough = noise.clouds(2, 12, 2, 0.8)[rows, columns]
    bend = 0.5 * noise.clouds(14, 160, 30, 0.5)[rows, columns]
    furrow = _rows(area, angle, pitch, bend)
    lanes = _rows(area, angle, pitch * 9, bend / 9)
    tone = 1 + depth * furrow * (0.75 + 0.25 * patchy) + 0.085 * patchy + 0.055 * rough
    tone -= 0.22 * np.clip((lanes - 0.965) * 40, 0, 1)
    warm = np.array([0.05, 0.0, -0.05], np.float32)[:, None, None] * patchy
    canvas.fill(
        area,
        np.asarray(ink(colour) * tone * (1 + warm), np.float32),
        raised=np.asarray(0.35 * furrow, np.float32),
    )
    edge = [*corners, corners[0]]
    canvas.multiply(canvas.stroke(edge, 3, soft=1.2), "#b7b59a", 0.6)


def _curve(points: Sequence[Point], steps: int = 12) -> Array:
    """Return a smooth line through the points (Catmull-Rom)."""
    p = np.asarray(points, np.float32)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[:, None]
    parts = [
        0.5
        * (
            2 * b
            + (c - a) * t
            + (2 * a - 5 * b + 4 * c - d) * t**2
            + (3 * b - a - 3 * c + d) * t**3
        )
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.asarray(np.concatenate([*parts, p[-2:-1]]), np.float32)


def _river(canvas: Canvas, noise: Noise) -> None:
    rng = noise.rng(20)
    course = _curve(_RIVER, 14)
    widths = 40 + 7 * np.sin(np.linspace(0, 9, len(course))) + rng.normal(0, 1.2, len(course))
    for extra, soft, colour, weight in ((16, 4, "#55652f", 0.8), (5, 1.5, "#a8997a", 0.75)):
        canvas.fill(canvas.stroke(course, widths + extra, soft=soft), colour, weight)
    water = canvas.stroke(course, widths, soft=0.8)
    rows, columns = water.window
    deep = noise.clouds(21, 120, 6, 0.6, stretch=3.0)[rows, columns]
    ripple = noise.clouds(2, 12, 2, 0.8)[rows, columns]
    tone = 1 + 0.12 * deep + 0.05 * ripple
    canvas.fill(
        water,
        np.asarray(ink("#3d5658") * tone, np.float32),
        gloss=0.05,
        solid=True,
        raised=np.asarray(0.18 * ripple, np.float32),
    )
    # Banks: the sun comes from the upper left, so the left bank lies in shade.
    canvas.shadow(canvas.stroke(course - (21, 2), 3, soft=1), 2, 1, 1.5, 0.45)


def _roads(canvas: Canvas, noise: Noise) -> None:
    for path, width, colour in ((_LANE, 8.0, "#a59c8a"), (_ROAD, 19.0, "#77756f")):
        line = _curve(path, 10)
        if width > 10:
            canvas.shadow(canvas.stroke([(396, 340), (472, 340)], 4), 3, 5, 2, 0.6)
        canvas.fill(canvas.stroke(line, width + 7, soft=1.5), "#8d8a66", 0.75)
        tar = canvas.stroke(line, width, soft=0.3)
        rows, columns = tar.window
        worn = 1 + 0.05 * noise.clouds(3, 120, 6, 0.6)[rows, columns]
        canvas.fill(tar, np.asarray(ink(colour) * worn, np.float32), solid=True)
        if width > 10:
            for side in (-7.6, 7.6):
                canvas.fill(canvas.stroke(np.add(line, (0, side)), 0.7), "#d8d6cd", 0.75)
            for a in range(0, len(line) - 2, 3):
                canvas.fill(canvas.stroke(line[a : a + 2], 0.8), "#e2e0d8", 0.85)
            for side in (-10.5, 10.5):
                rail = canvas.stroke([(398, 329 + side), (470, 328.5 + side)], 2)
                canvas.fill(rail, "#c9c5ba", raised=2.0)


def _tree(canvas: Canvas, noise: Noise, x: float, y: float, r: float, hue: float) -> None:
    """One crown, with its shadow on the ground to the lower right."""
    crown = canvas.disc(x, y, r, soft=r * 0.2)
    canvas.shadow(crown, r * 0.75, r * 0.8, 0, 0.62)
    rows, columns = crown.window
    leaf = noise.clouds(2, 12, 2, 0.8)[rows, columns]
    ragged = crown.times(
        np.asarray(np.clip(crown.alpha * 2.4 - 0.35 + 0.35 * leaf, 0, 1), np.float32)
    )
    green = np.array([0.062 + 0.05 * hue, 0.115 + 0.02 * hue, 0.036], np.float32)[:, None, None]
    t = 1.12 - 0.32 * (crown.across() + crown.down())
    canvas.fill(
        ragged,
        np.asarray(green * t * (1.15 + 0.30 * leaf), np.float32),
        lit=True,
        raised=np.asarray(r * 1.5 * crown.alpha + 1.5 * leaf, np.float32),
    )


def _hedges(canvas: Canvas, noise: Noise) -> None:
    rng = noise.rng(41)
    lines = (
        ((210, -20), (180, 134)),
        ((180, 134), (154, 306)),
        ((366, 156), (344, 300)),
        ((124, 372), (156, 620)),
        ((590, 154), (830, 134)),
        ((552, 380), (544, 620)),
    )
    trees = []
    for (x0, y0), (x1, y1) in lines:
        count = int(np.hypot(x1 - x0, y1 - y0) / 9)
        for t in np.linspace(0, 1, count):
            if rng.random() < 0.72:
                trees.append(
                    (
                        x0 + (x1 - x0) * t + rng.normal(0, 1.4),
                        y0 + (y1 - y0) * t + rng.normal(0, 1.4),
                        rng.uniform(3, 7.5),
                        rng.random(),
                    )
                )
    for x, y in _curve(_RIVER, 9):
        for side in (-31, 31):
            if rng.random() < 0.5 and abs(y - 330) > 30:
                trees.append(
                    (
                        x + side + rng.normal(0, 4),
                        y + rng.normal(0, 5),
                        rng.uniform(4, 8),
                        rng.random(),
                    )
                )
    for _ in range(26):
        trees.append(
            (
                rng.uniform(590, 800),
                rng.choice([300.0, 372.0]) + rng.normal(0, 9),
                rng.uniform(3, 6.5),
                rng.random(),
            )
        )
    for tree in sorted(trees, key=lambda place: place[1]):
        _tree(canvas, noise, *tree)


def _wood(canvas: Canvas, noise: Noise, gap: Point | None) -> None:
    """Paint the wood between field and river; `gap` is the middle of a clearing."""
    rng = noise.rng(42)
    trees = []
    for _ in range(150):
        x, y = rng.uniform(352, 424), rng.uniform(384, 630)
        r, hue = rng.uniform(6, 11.5), rng.random()
        # Far from the clearing nothing is developed anew, so nothing need be painted.
        far = 2.0 if gap is None else math.hypot((x - gap[0]) / 27, (y - gap[1]) / 22)
        if gap is None or 1 < far < 3:
            trees.append((x, y, r, hue))
    if gap is not None:
        floor = canvas.disc(gap[0] + 3, gap[1] + 3, 36, 31, soft=2)
        rows, columns = floor.window
        litter = 1 + 0.16 * noise.clouds(2, 12, 2, 0.8)[rows, columns]
        canvas.fill(floor, np.asarray(ink("#8d7a58") * litter, np.float32))
        for _ in range(16):
            sx, sy = gap[0] + rng.normal(2, 11), gap[1] + rng.normal(2, 9)
            canvas.fill(canvas.disc(sx, sy, 1.4), "#cdb58a", raised=2.0)
    for tree in sorted(trees, key=lambda place: place[1]):
        _tree(canvas, noise, *tree)


def _house(
    canvas: Canvas, noise: Noise, x: float, y: float, w: float, h: float, angle: float, roof: str
) -> list[Stamp]:
    """Paint a gabled roof, its ridge along the long side; returns roof and shadow."""
    whole = canvas.rect(x - w / 2, y - h / 2, w, h, 0, angle)
    yard = canvas.rect(x - w * 0.72, y - h * 0.72, w * 1.5, h * 1.6, 6, angle, soft=3)
    canvas.fill(yard, "#a39c80", 0.35)
    cast = canvas.shadow(whole, w * 0.16 + 2, h * 0.30 + 2, 0.8, 0.62)
    canvas.shadow(whole, w * 0.08 + 1, h * 0.15 + 1, 0.8, 0.4)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    for side, level in ((-1, 1.12), (1, 0.72)):
        part = canvas.rect(
            x - s * side * h / 4 - w / 2, y + c * side * h / 4 - h / 4, w, h / 2, 0, angle
        )
        rows, columns = part.window
        tiles = _rows(part, angle, 2.4, np.float32(0) * part.alpha)
        tone = level * (1 + 0.07 * tiles + 0.07 * noise.clouds(2, 12, 2, 0.8)[rows, columns])
        canvas.fill(part, np.asarray(ink(roof) * tone, np.float32), solid=True)
    ridge = [(x - c * w / 2, y - s * w / 2), (x + c * w / 2, y + s * w / 2)]
    canvas.fill(canvas.stroke(ridge, 1.0), "#c9a08c", 0.6)
    px, py = x + c * w * 0.22 + s * h * 0.12, y + s * w * 0.22 - c * h * 0.12
    chimney = canvas.rect(px - 1.8, py - 1.8, 3.6, 3.6, 0, angle)
    canvas.shadow(chimney, 2.5, 3, 0.6, 0.6)
    canvas.fill(chimney, "#b8a79a", lit=True)
    return [whole, cast]


def _car(
    canvas: Canvas, x: float, y: float, angle: float, colour: str, length: float = 14.0
) -> None:
    body = canvas.rect(x - length / 2, y - 3.2, length, 6.4, 2, angle)
    canvas.shadow(body, 1.6, 2.0, 0.8, 0.6)
    canvas.fill(body, colour, gloss=0.3, raised=2.0, solid=True)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    for off in (2.4, -4.2):
        glass = canvas.rect(x + c * off - 1.1, y + s * off - 2.5, 2.2, 5, 0.8, angle)
        canvas.fill(glass, "#22282d", 0.9)


def _lorry(canvas: Canvas, x: float, y: float, angle: float, colour: str) -> None:
    box = canvas.rect(x - 10, y - 4, 17, 8, 0.6, angle)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    cab = canvas.rect(x + c * 9.5 - 2.5, y + s * 9.5 - 3.6, 5, 7.2, 1, angle)
    for part, paint in ((cab, "#3a6ea8"), (box, colour)):
        canvas.shadow(part, 2.4, 3.0, 0.9, 0.6)
        canvas.fill(part, paint, gloss=0.2, raised=2.5, solid=True)


# -- what changes ----------------------------------------------------------------------------


def _barn(canvas: Canvas, noise: Noise, x: float, y: float) -> list[Stamp]:
    pad = canvas.rect(x - 42, y - 28, 84, 60, 5, 9, soft=1.0)
    rows, columns = pad.window
    gravel = 1 + 0.05 * noise.clouds(2, 12, 2, 0.8)[rows, columns]
    canvas.fill(pad, np.asarray(ink("#b5ab95") * gravel, np.float32))
    return [
        canvas.rect(x - 42, y - 28, 84, 60, 5, 9),
        *_house(canvas, noise, x, y, 58, 32, 9, "#a9adae"),
    ]


def _pond(canvas: Canvas, noise: Noise, x: float, y: float) -> Stamp:
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    reach = 1 + 0.13 * np.sin(2 * turn + 1) + 0.07 * np.sin(3 * turn)
    outline = np.stack([x + 36 * reach * np.cos(turn), y + 24 * reach * np.sin(turn)], axis=1)
    canvas.fill(canvas.polygon((outline - (x, y)) * 1.14 + (x, y), soft=1.2), "#9c8d66", 0.85)
    water = canvas.polygon(outline, soft=0.7)
    rows, columns = water.window
    tone = 1 + 0.10 * noise.clouds(21, 120, 6, 0.6, stretch=3.0)[rows, columns]
    canvas.fill(water, np.asarray(ink("#3b5a60") * tone, np.float32), gloss=0.05, solid=True)
    return canvas.polygon((outline - (x, y)) * 1.16 + (x, y))


def _mown(canvas: Canvas, noise: Noise, along: float) -> Stamp:
    """Paint a strip of harvested crop: pale stubble, swaths across."""
    corners = [(134, 402 + along), (332, 394 + along), (337, 456 + along), (141, 466 + along)]
    area = canvas.polygon(corners, soft=0.6)
    rows, columns = area.window
    swaths = _rows(area, 3, 8.5, 0.6 * noise.clouds(14, 160, 30, 0.5)[rows, columns])
    rough = noise.clouds(2, 12, 2, 0.8)[rows, columns]
    tone = 1 + 0.17 * swaths + 0.10 * rough
    canvas.fill(area, np.asarray(ink("#b0a166") * tone, np.float32), 0.95)
    return area


SCENE = Scene(
    key=5,
    size=(800, 600),
    description="Farmland from the air with a new barn, a new pond, a clearing in the wood, a "
    "harvested strip and a lorry that has left.",
    look=Look(
        sun=(-0.7, -0.75, 1.0),
        ambient=0.42,
        bump=0.75,
        sharpness=4,
        exposure=1.1,
        falloff=(0.18, 0.04),
        tint=(1.0, 0.99, 0.96),
        grain=4.0,
        blur=0.9,
    ),
    ground=_ground,
    paint=_paint,
)
