"""The side wall of a racing tyre on its rim, as an inspection camera above the belt sees it."""

from __future__ import annotations

import cv2
import numpy as np

from ._develop import Look
from ._noise import Array, Noise
from ._paint import FINE, Canvas, Stamp, text_width
from ._scene import Change, Pick, Scene
from ._wheel import BEAD, HUB, STEPS, TREAD, at, rim, spin, step

__all__ = ["SCENE"]

_PAINT = "#d9a411"


def _ground(canvas: Canvas, noise: Noise) -> None:
    ones = np.ones(canvas.shape, np.float32)
    polar = cv2.cartToPolar((canvas.x() - HUB[0]) * ones, (canvas.y() - HUB[1]) * ones)
    radius, around = (np.asarray(part, np.float32) for part in polar)
    _rubber(canvas, noise, radius, around)
    _mould_marks(canvas, noise)
    rim(canvas, noise, radius, around)
    _small_print(canvas)


def _paint(canvas: Canvas, noise: Noise, pick: Pick, changed: bool) -> list[Change]:
    flake = _flake(canvas, noise, pick.one(-86.4, -104.5, -73.5))
    _lettering(canvas, noise, flake if changed else None)
    _sticker(canvas)
    if not changed:
        return []
    blue = at(pick.one(-57.5, -100.0) + pick.jitter(3), pick.one(524.0, 388.0))
    cut = pick.one(-131.0, -69.0) + pick.jitter(4)
    splash = at(pick.one(-118.5, -40.0) + pick.jitter(2), 379.0)
    return [
        Change("missing_part", [flake]),
        Change("spot", _drop(canvas, *blue)),
        Change("scratch", [_cut(canvas, noise, cut, 402.0)]),
        Change("spot", [_splash(canvas, noise, *splash)]),
    ]


def _rubber(canvas: Canvas, noise: Noise, radius: Array, around: Array) -> None:
    """Paint the body, from bead to tread, and the pale sheet it lies on."""
    r = np.arange(0, 1100 * STEPS, dtype=np.float32) / STEPS
    inside = 1 - step(r, TREAD, 1.2)
    # The wall is a torus: its slope grows towards tread and bead.
    slope = 0.34 * np.clip((r - 448) / 100, -1.1, 2)
    slope += 1.5 * np.clip((r - 562) / 46, 0, 1) ** 2
    slope -= 0.9 * np.clip((354 - r) / 30, 0, 1)
    height = -np.cumsum(slope * inside, dtype=np.float32) / STEPS * FINE
    for edge in (552.0, 545.0, 538.0, 374.0, 365.0):
        height += 1.1 * np.exp(-(((r - edge) / 1.1) ** 2))
    for edge, lift in ((582.0, -2.6), (561.0, 1.8), (512.0, -1.0), (408.0, 0.9), (344.0, -1.8)):
        height += lift * step(r, edge, 2.0)
    # Fine turning marks of the mould.
    marks = noise.rng(5).standard_normal(r.size).astype(np.float32)
    height += 0.10 * cv2.GaussianBlur(marks[None, :], (0, 0), 2.2)[0] * inside
    tone = 0.0150 + 0.005 * step(r, 556, 40) + 0.004 * step(-r, -372, 20)
    tone += 0.010 * np.exp(-(((r - 585) / 9) ** 2))
    sheen = (0.12 - 0.085 * step(r, 566, 14) - 0.05 * step(-r, -350, 12)) * inside
    # Shadows: of the tyre on the sheet, and of the rim's lip on the bead.
    dusk = 1 - 0.78 * np.exp(-np.abs(r - TREAD) / 20) * (r > TREAD)
    dusk *= 1 - 0.55 * step(-r, -(BEAD + 7), 14)
    tone, cover, surface, shade = spin(radius, tone, inside, height, dusk)
    (gloss,) = spin(radius, sheen)
    # Dust and scuffs lie along the circumference: noise sampled in polar coordinates.
    streaks = cv2.remap(
        noise.clouds(6, 150, 2, 0.7),
        radius * FINE,
        around * 100,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    bloom, skin = noise.clouds(7, 260, 6, 0.62), noise.speckle(8, 0.7)
    tone *= 1 + 0.16 * bloom + 0.14 * streaks + 0.07 * skin
    tone += 0.013 * np.clip(0.5 * streaks + 0.6 * noise.clouds(9, 90, 3, 0.7) - 0.8, 0, 1.5)
    np.maximum(tone, 0.004, out=tone)
    for channel, bluish in enumerate((0.0, 0.0005, 0.002)):
        plane = canvas.albedo[channel]
        plane *= 1 + 0.05 * bloom
        plane += (tone + np.float32(bluish) - plane) * cover
    canvas.relief += surface + (0.16 * skin + 0.20 * noise.clouds(10, 14, 2, 0.7)) * cover
    canvas.gloss += gloss * (1 + 0.3 * bloom)
    canvas.light *= shade


def _mould_marks(canvas: Canvas, noise: Noise) -> None:
    """Vent nibs, radial mould joints and wear grooves near the tread."""
    rng = noise.rng(20)
    for degrees in np.arange(-176, 0, 11.0) + rng.normal(0, 0.6, 16):
        joint = [at(degrees, 514), at(degrees, 580)]
        canvas.fill(canvas.stroke(joint, 0.8, soft=0.3), "#3c3c3e", 0.35, raised=0.7)
    for _ in range(90):
        degrees, r = (
            rng.uniform(-176, -4),
            rng.choice([396.0, 412.0, 520.0, 558.0]) + rng.normal(0, 3),
        )
        x, y = at(degrees, r)
        canvas.fill(canvas.disc(x, y, 0.9, soft=0.3), "#3a3a3c", 0.5, raised=1.6)
    for degrees in np.arange(-178, 0, 1.9):
        turn = degrees + rng.normal(0, 0.25)
        groove = [at(turn, 588 + rng.normal(0, 1)), at(turn + 0.3, 605)]
        canvas.fill(canvas.stroke(groove, 1.2, soft=0.5), "#101011", 0.75, raised=-1.0)
    for _ in range(70):
        degrees, r = rng.uniform(-170, -10), rng.uniform(400, 560)
        sweep = np.linspace(0, rng.uniform(0.6, 5), 6)
        hair = [at(degrees + d, r + 0.8 * rng.normal() * i / 6) for i, d in enumerate(sweep)]
        canvas.fill(canvas.stroke(hair, 0.5, soft=0.25), "#6b6964", rng.uniform(0.12, 0.4))


def _along(
    canvas: Canvas,
    text: str,
    degrees: float,
    radius: float,
    h: float,
    spread: float,
) -> list[Stamp]:
    """Return the letters of a text centred at an angle, their middle on a circle."""
    widths = [text_width(char, h) if char != " " else 0.45 * h for char in text]
    total = sum(widths) + spread * (len(text) - 1)
    start, letters = -total / 2, []
    for char, width in zip(text, widths, strict=True):
        turn = degrees + np.degrees((start + width / 2) / radius)
        x, y = at(turn, radius)
        if char != " ":
            letters.append(canvas.text(char, x - width / 2, y - h / 2, h, width, angle=turn + 90))
        start += width + spread
    return letters


def _lettering(canvas: Canvas, noise: Noise, flake: Stamp | None) -> None:
    """Paint what is raised and coloured: the maker's name and two bands, thin and worn.

    Where the paint came off in a `flake`, the rubber shows.
    """
    # Every letter has its slot, so that the flake hits the same one in any font.
    shapes = []
    for letter, slot in zip("NORDVALE", _SLOTS, strict=True):
        x, y = at(slot, 462)
        shapes.append(
            canvas.text(letter, x - 27, y - 25, 50, 54, "DejaVuSans-BoldOblique", slot + 90)
        )
    shapes += [_band(canvas, -150.5, -127.0), _band(canvas, -53.0, -29.5)]
    for shape in shapes:
        rows, columns = shape.window
        canvas.shadow(shape, 0.8, 1.0, 0.9, 0.35)
        wear = noise.clouds(30, 34, 2, 0.72)[rows, columns]
        left = np.clip(1.02 - 0.5 * np.clip(1.5 * wear - 1.7, 0, 1), 0, 1) * (0.94 + 0.03 * wear)
        if flake is not None:
            left = left * (1 - flake.alpha_like(shape))
        canvas.fill(shape, raised=2.4, lit=True)
        canvas.fill(shape.times(np.asarray(left, np.float32)), _PAINT, gloss=0.05)


_SLOTS = tuple(-90 + 7.75 * (i - 3.5) for i in range(8))


def _band(canvas: Canvas, start: float, stop: float) -> Stamp:
    turns = np.linspace(start, stop, 40)
    outline = [at(t, 481) for t in turns] + [at(t, 443) for t in turns[::-1]]
    return canvas.polygon(outline)


def _small_print(canvas: Canvas) -> None:
    """Unpainted, moulded print that only the light shows."""
    for text, degrees, radius, h in (
        ("SLICK  325 / 705 - 18", -90.0, 391.0, 12.0),
        ("TUBELESS", -128.0, 391.0, 11.0),
        ("COMPOUND C3", -52.0, 391.0, 11.0),
        ("FOR RACING USE ONLY", -140.0, 527.0, 9.0),
        ("MAX INFLATION 2.4 BAR", -40.0, 527.0, 9.0),
    ):
        for letter in _along(canvas, text, degrees, radius, h, 2.0):
            canvas.fill(letter, "#3b3b3d", 0.55, raised=2.0)


def _sticker(canvas: Canvas) -> None:
    """Paint the bar code vulcanised into every racing tyre."""
    turn = -152.5
    x, y = at(turn, 527)
    canvas.fill(canvas.rect(x - 27, y - 9, 54, 18, 1.5, turn + 90), "#8b8c88", 0.92, gloss=0.08)
    rng = np.random.Generator(np.random.PCG64(8))
    left = -23.0
    across = np.array([np.cos(np.radians(turn + 90)), np.sin(np.radians(turn + 90))])
    while left < 23:
        width = float(rng.choice([0.9, 1.4, 2.2]))
        cx, cy = np.array([x, y]) + across * (left + width / 2)
        canvas.fill(canvas.rect(cx - width / 2, cy - 6, width, 12, 0, turn + 90), "#1d1d1f", 0.9)
        left += width + float(rng.choice([0.9, 1.3, 2.0]))


# -- what may go wrong -----------------------------------------------------------------------


def _flake(canvas: Canvas, noise: Noise, degrees: float) -> Stamp:
    """Return the piece of a letter whose paint comes off: a ragged patch."""
    rng = noise.rng(50)
    x, y = at(degrees, 455)
    angle = np.linspace(0, 2 * np.pi, 34, endpoint=False)
    reach = 1 + rng.normal(0, 0.09, 34) + 0.12 * np.sin(3 * angle)
    outline = np.stack([x + 21 * reach * np.cos(angle), y + 19 * reach * np.sin(angle)], axis=1)
    return canvas.polygon(outline, soft=0.3)


def _drop(canvas: Canvas, x: float, y: float) -> list[Stamp]:
    """Paint a drop of blue marking paint, thick in the middle, with satellites."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    reach = 15 * (
        1 + 0.10 * np.sin(2 * angle + 1) + 0.05 * np.sin(5 * angle) + 0.04 * np.sin(9 * angle)
    )
    outline = np.stack([x + reach * np.cos(angle), y + 0.86 * reach * np.sin(angle)], axis=1)
    blob = canvas.polygon(outline, soft=0.4)
    canvas.shadow(blob, 0.8, 1.0, 1.0, 0.5)
    rows, columns = blob.window
    # Wet paint levels out: it hides the grain of the rubber and is thickest in the middle.
    level = np.float32(np.median(canvas.relief[rows, columns]))
    canvas.relief[rows, columns] += (level - canvas.relief[rows, columns]) * blob.alpha * 0.8
    canvas.fill(blob, "#174f8f", 0.97, gloss=0.12, raised=1.5, lit=True)
    canvas.fill(
        canvas.polygon((outline - (x, y)) * 0.6 + (x, y), soft=3), "#1d5ea6", 0.7, raised=4.5
    )
    glint = canvas.stroke([(x - 7, y - 3), (x - 4.5, y - 6), (x - 1, y - 7)], 1.4, soft=0.6)
    canvas.fill(glint, "#dfe9f4", 0.75)
    for dx, dy, size in ((19, 7, 2.2), (-16, 13, 1.6), (9, 19, 1.4)):
        canvas.fill(
            canvas.disc(x + dx, y + dy, size, soft=0.3), "#174f8f", 0.9, gloss=0.3, raised=1.0
        )
    satellites = [
        canvas.disc(x + 19, y + 7, 2.6),
        canvas.disc(x - 16, y + 13, 2.0),
        canvas.disc(x + 9, y + 19, 1.8),
    ]
    return [canvas.polygon((outline - (x, y)) * 1.05 + (x, y)), *satellites]


def _cut(canvas: Canvas, noise: Noise, degrees: float, radius: float) -> Stamp:
    """Paint a slash through the wall: a dark gap between pale, lifted lips, torn cords in it."""
    rng = noise.rng(70)
    along = np.linspace(0, 1, 18)
    path = np.array([at(degrees + 9 * t, radius + 30 * t + rng.normal(0, 0.8)) for t in along])
    swell = np.interp(along, [0, 0.15, 0.35, 0.7, 1], [0.0, 0.55, 1.0, 0.5, 0.0])
    press = swell * (1 + rng.normal(0, 0.12, 18))
    canvas.fill(
        canvas.stroke(path, 3 + 9 * swell, soft=2.0), "#4a4744", 0.45, gloss=0.02, raised=2.6
    )
    lips = canvas.stroke(np.subtract(path, (0.4, 0.6)), 1.6 + 5.0 * press, soft=0.5)
    canvas.fill(lips, "#84807a", 0.75, gloss=0.02, raised=1.2)
    gap = canvas.stroke(np.add(path, (0.5, 0.6)), 0.8 + 3.6 * press, soft=0.3)
    canvas.fill(gap, "#040404", 0.97, gloss=0.0, raised=-6.0)
    for t in (5, 8, 11):  # torn cords
        x, y = path[t]
        cord = [(x - 2, y - 2.4), (x + 0.4, y), (x + 2.2, y + 1.6)]
        canvas.fill(canvas.stroke(cord, 0.7, soft=0.2), "#b9b09c", 0.8, raised=1.0)
    return canvas.stroke(path, 3.0 + 6.5 * swell)


def _splash(canvas: Canvas, noise: Noise, x: float, y: float) -> Stamp:
    """Dried mud: pale, matt and thin, with a broken edge."""
    rng = noise.rng(80)
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    reach = 1 + 0.14 * np.sin(3 * angle + 2) + rng.normal(0, 0.07, 36)
    outline = np.stack([x + 19 * reach * np.cos(angle), y + 13 * reach * np.sin(angle)], axis=1)
    patch = canvas.polygon(outline, soft=1.0)
    rows, columns = patch.window
    broken = noise.clouds(81, 12, 2, 0.7)[rows, columns]
    crust = patch.times(np.asarray(np.clip(0.86 + 0.28 * broken, 0, 1), np.float32))
    canvas.fill(
        crust, "#8b7c66", 0.92, gloss=0.0, raised=np.asarray(1.4 + 0.9 * broken, np.float32)
    )
    return patch


SCENE = Scene(
    key=1,
    size=(800, 600),
    description="A racing tyre with a flaked letter, a cut, a drop of paint and a splash of mud.",
    look=Look(
        sun=(-0.55, -0.75, 0.9),
        ambient=0.5,
        bump=1.0,
        sharpness=3,
        exposure=1.5,
        falloff=(0.3, 0.12),
        tint=(1.0, 1.0, 1.01),
        grain=3.5,
    ),
    ground=_ground,
    paint=_paint,
)
