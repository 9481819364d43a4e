"""Goods for the supermarket shelf: bottles, cans, boxes, jars and price tags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._noise import Array, Noise
from ._paint import Canvas, Stamp, ink, text_width

__all__ = ["Kind", "bottle", "box", "box_side", "can", "jar", "tag"]


@dataclass(frozen=True)
class Kind:
    """A product: colour of the pack, colour of its label, its name, and the ink of the name."""

    colour: str
    label: str
    name: str
    ink: str


def _round(u: Array, gleam: float = 0.35, at: float = 0.27) -> Array:
    """Brightness across an upright cylinder lit by a strip of lamps; `u` runs 0 to 1."""
    t = 2 * u - 1
    body = 0.16 + 0.86 * np.clip(1 - t * t, 0, 1) ** 0.75
    body -= 0.20 * np.clip(t, 0, 1)
    streak = gleam * np.exp(-(((u - at) / 0.055) ** 2)) + 0.35 * gleam * np.exp(
        -(((u - 0.82) / 0.04) ** 2)
    )
    return np.asarray(body + streak, np.float32)


def _stand(canvas: Canvas, shape: Stamp, x: float, floor: float, w: float, dusk: float) -> None:
    """Shadows on the board and on what stands behind."""
    canvas.shadow(shape, 4, 2, 6, 0.55 if not dusk else 0.3)
    foot = canvas.disc(x, floor - 0.5, w * 0.52, 3.2, soft=1.6)
    canvas.light[foot.window] *= 1 - 0.75 * foot.alpha


def _cover(canvas: Canvas, shape: Stamp, colour: Array, dusk: float, gloss: float) -> None:
    """Fill a shape with its own shading; what stands behind is darker."""
    canvas.fill(
        shape, np.asarray(colour * (1 - dusk), np.float32), gloss=gloss * (1 - dusk), solid=True
    )


def bottle(
    canvas: Canvas,
    x: float,
    floor: float,
    w: float,
    h: float,
    kind: Kind,
    dusk: float = 0.0,
) -> Stamp:
    """Paint a shampoo bottle with a flip cap."""
    half, top = w / 2, floor - h
    neck, shoulder = half * 0.42, top + h * 0.20
    side = [
        (neck, top + h * 0.15),
        (half * 0.72, shoulder - 3),
        (half * 0.94, shoulder + 7),
        (half, shoulder + 20),
        (half * 0.96, floor - h * 0.35),
        (half, floor - 10),
        (half * 0.93, floor),
    ]
    outline = [(x - a, b) for a, b in side] + [(x + a, b) for a, b in side[::-1]]
    body = canvas.polygon(outline)
    _stand(canvas, body, x, floor, w, dusk)
    ramp = _round(body.across()) * (0.90 + 0.12 * body.down())
    _cover(canvas, body, ink(kind.colour) * ramp + 0.02 * ramp, dusk, 0.05)
    cap = canvas.rect(x - half * 0.55, top, w * 0.55, h * 0.17, 3)
    ramp = _round(cap.across(), 0.2)
    _cover(
        canvas,
        cap,
        np.asarray(ink("#e9e7df") * 0.8 * ramp * np.ones_like(cap.alpha), np.float32),
        dusk,
        0.05,
    )
    line = canvas.rect(x - half * 0.55, top + h * 0.10, w * 0.55, 1)
    canvas.fill(line, "#55534e", 0.5 * (1 - dusk))
    _sticker(canvas, x, shoulder + 24, w * 0.84, h * 0.42, kind, dusk)
    return body


def _sticker(
    canvas: Canvas, x: float, y: float, w: float, h: float, kind: Kind, dusk: float
) -> None:
    """Paint a paper label round a cylinder."""
    label = canvas.rect(x - w / 2, y, w, h, 4)
    ramp = np.asarray(0.9 * _round(0.08 + 0.84 * label.across(), 0.12), np.float32)
    canvas.fill(
        label,
        np.asarray(ink(kind.label) * ramp * np.ones_like(label.alpha) * (1 - dusk), np.float32),
    )
    weight = 0.9 * (1 - dusk)
    badge = canvas.disc(x, y + h * 0.66, w * 0.26, h * 0.22)
    canvas.fill(badge, kind.colour, weight * 0.9)
    canvas.fill(
        canvas.disc(x - w * 0.06, y + h * 0.62, w * 0.10, h * 0.10, soft=0.8),
        "#ffffff",
        0.35 * weight,
    )
    width = min(w * 0.78, text_width(kind.name, 8.5))
    canvas.fill(
        canvas.text(kind.name, x - width / 2, y + h * 0.12, 8.5, w=width), kind.colour, weight
    )
    for i in range(2):
        canvas.fill(
            canvas.rect(x - w * 0.3, y + h * 0.91 - 3 + 2.6 * i, w * (0.6 - 0.2 * i), 0.9),
            "#6a6a68",
            0.6 * weight,
        )


def can(
    canvas: Canvas,
    x: float,
    floor: float,
    w: float,
    h: float,
    kind: Kind,
    dusk: float = 0.0,
) -> Stamp:
    """Paint a drinks can."""
    half, top = w / 2, floor - h
    side = [
        (half * 0.84, top),
        (half * 0.86, top + 4),
        (half, top + 13),
        (half, floor - 8),
        (half * 0.86, floor),
    ]
    body = canvas.polygon([(x - a, b) for a, b in side] + [(x + a, b) for a, b in side[::-1]])
    _stand(canvas, body, x, floor, w, dusk)
    u, v = body.across(), body.down()
    ramp = _round(u, 0.5, 0.3) + 0.10 * np.exp(-(((u - 0.66) / 0.10) ** 2))
    paint = np.asarray(ink(kind.colour) * ramp + 0.03 * ramp * ramp, np.float32) * np.ones_like(v)
    metal = np.asarray(0.55 * ramp * np.ones_like(v), np.float32)[None]
    rim = ((v < 0.10) | (v > 0.945)).astype(np.float32)
    _cover(canvas, body, np.asarray(paint + (metal - paint) * rim, np.float32), dusk, 0.08)
    lid = canvas.disc(x, top + 1.5, half * 0.84, 3.4)
    canvas.fill(lid, np.full((1, 1, 1), 0.50 * (1 - dusk), np.float32))
    canvas.fill(canvas.disc(x, top + 2.4, half * 0.72, 2.3), "#5d5d5c", 0.8 * (1 - dusk))
    weight = (1 - dusk) * 0.93
    # A wave in the label's colour, and the name set upright like on real cans.
    wave = [
        (x - half, top + h * 0.62),
        (x - half * 0.3, top + h * 0.52),
        (x + half * 0.3, top + h * 0.66),
        (x + half, top + h * 0.52),
        (x + half, top + h * 0.74),
        (x + half * 0.3, top + h * 0.84),
        (x - half * 0.3, top + h * 0.72),
        (x - half, top + h * 0.82),
    ]
    band = canvas.polygon(wave)
    canvas.fill(
        band.times(body.alpha_like(band)),
        np.asarray(
            ink(kind.label) * _round(band.across(), 0.3, 0.3) * np.ones_like(band.alpha), np.float32
        ),
        weight,
    )
    width = w * 0.72
    canvas.fill(
        canvas.text(kind.name, x - width / 2, top + h * 0.27, 13, w=width), kind.ink, weight
    )
    canvas.fill(
        canvas.text("330 ml", x - 9, top + h * 0.87 - 3, 4.5, w=18, font="DejaVuSans"),
        kind.ink,
        0.8 * weight,
    )
    for dx, dy in ((-9, 0), (-1, 3), (8, -1)):
        canvas.fill(canvas.disc(x + dx, top + h * 0.48 + dy, 3.0), kind.ink, 0.55 * weight)
    return body


def box(
    canvas: Canvas,
    noise: Noise,
    x: float,
    floor: float,
    w: float,
    h: float,
    kind: Kind,
    lean: float = 0.0,
    dusk: float = 0.0,
) -> list[Stamp]:
    """Paint a cereal box; `lean` turns it about its middle, in degrees."""
    cx, cy = x, floor - h / 2
    c, s = np.cos(np.radians(lean)), np.sin(np.radians(lean))

    def at(u: float, v: float) -> tuple[float, float]:
        return float(cx + c * u - s * v), float(cy + s * u + c * v)

    def put(u: float, v: float, pw: float, ph: float, corner: float = 0.0) -> Stamp:
        px, py = at(u, v)
        return canvas.rect(px - pw / 2, py - ph / 2, pw, ph, corner, lean)

    front = put(0, 0, w, h, 1.5)
    _stand(canvas, front, x, floor, w, dusk)
    side = box_side(canvas, x, floor, w, h)
    canvas.fill(side, np.asarray(ink(kind.colour) * 0.22 * (1 - dusk), np.float32), solid=True)
    rows, columns = front.window
    ramp = (1.0 - 0.16 * front.across()) * (1.06 - 0.22 * front.down())
    ramp = ramp * (1 + 0.015 * noise.clouds(20, 30, 3, 0.6)[rows, columns])
    _cover(canvas, front, ink(kind.colour) * ramp, dusk, 0.10)
    canvas.fill(put(0, 0, w - 1.5, h - 1.5, 1.5), raised=1.4)
    weight = 1 - dusk
    canvas.fill(put(w * 0.5 - 1, 0, 2.0, h - 2), "#1a1a1a", 0.35 * weight)
    canvas.fill(put(-w * 0.5 + 1.0, 0, 1.2, h - 2), "#ffffff", 0.25 * weight)
    panel = put(0, h * 0.17, w * 0.84, h * 0.52, 5)
    canvas.fill(panel, kind.label, 0.94 * weight)
    bx, by = at(0, h * 0.24)
    bowl = canvas.disc(bx, by, w * 0.30, h * 0.13, lean, soft=0.4)
    canvas.multiply(
        canvas.disc(bx + 2, by + 4, w * 0.31, h * 0.135, lean, soft=2.5), "#8c7a60", 0.7 * weight
    )
    canvas.fill(bowl, "#f3f1ea", weight)
    canvas.fill(canvas.disc(bx, by - 2, w * 0.26, h * 0.095, lean, soft=0.5), "#b9803a", weight)
    rng = np.random.Generator(np.random.PCG64(len(kind.name)))
    for _ in range(26):
        a, r = rng.uniform(0, 6.28), rng.uniform(0, 0.9)
        px, py = at(w * 0.24 * r * np.cos(a), h * 0.225 + h * 0.082 * r * np.sin(a))
        tone = ("#e2b04f", "#8c5423", "#c99436", kind.colour)[int(rng.integers(4))]
        canvas.fill(
            canvas.disc(px, py, rng.uniform(1.5, 3.2), 1.6, rng.uniform(0, 180), soft=0.3),
            tone,
            0.9 * weight,
        )
    width = min(w * 0.84, text_width(kind.name, 17))
    tx, ty = at(0, -h * 0.33)
    canvas.shadow(
        canvas.text(kind.name, tx - width / 2, ty - 7, 14, w=width, angle=lean),
        0.7,
        0.9,
        0.6,
        0.35 * weight,
    )
    canvas.fill(
        canvas.text(kind.name, tx - width / 2, ty - 7, 14, w=width, angle=lean), kind.ink, weight
    )
    tx, ty = at(0, -h * 0.19)
    canvas.fill(
        canvas.text("with whole grain", tx - 30, ty - 2.5, 5, w=60, font="DejaVuSans", angle=lean),
        kind.ink,
        0.85 * weight,
    )
    tx, ty = at(w * 0.28, h * 0.45)
    canvas.fill(canvas.text("375 g", tx - 9, ty - 2.5, 5, w=18, angle=lean), kind.ink, 0.9 * weight)
    return [front, side]


def box_side(canvas: Canvas, x: float, floor: float, w: float, h: float) -> Stamp:
    """Return the side of a box that the camera, in the middle of the aisle, can see."""
    depth = (400 - x) * 0.032
    edge = x + (w / 2 if depth > 0 else -w / 2)
    return canvas.polygon(
        [
            (edge - np.sign(depth), floor - h + 1),
            (edge + depth, floor - h + 5),
            (edge + depth, floor - 5),
            (edge - np.sign(depth), floor),
        ]
    )


def jar(
    canvas: Canvas,
    noise: Noise,
    x: float,
    floor: float,
    w: float,
    h: float,
    kind: Kind,
    dusk: float = 0.0,
) -> Stamp:
    """Paint a glass jar with a screw lid."""
    half, top = w / 2, floor - h
    side = [
        (half * 0.84, top + 14),
        (half * 0.9, top + 20),
        (half, top + 30),
        (half, floor - 8),
        (half * 0.92, floor),
    ]
    body = canvas.polygon([(x - a, b) for a, b in side] + [(x + a, b) for a, b in side[::-1]])
    _stand(canvas, body, x, floor, w, dusk)
    rows, columns = body.window
    lumps = 1 + 0.22 * noise.clouds(21, 14, 2, 0.6)[rows, columns]
    glass = ink(kind.colour) * _round(body.across(), 0.1) * lumps
    glare = 0.35 * np.exp(-(((body.across() - 0.16) / 0.04) ** 2)) + 0.12 * np.exp(
        -(((body.across() - 0.9) / 0.03) ** 2)
    )
    _cover(canvas, body, np.asarray(glass + glare, np.float32), dusk, 0.05)
    lid = canvas.rect(x - half * 0.9, top, w * 0.9, 16, 2.5)
    ridges = 1 + 0.10 * np.sin(np.arcsin(np.clip(2 * lid.across() - 1, -1, 1)) * 46)
    ramp = _round(lid.across(), 0.45, 0.3) * ridges
    _cover(
        canvas,
        lid,
        np.asarray(ink("#c79a3a") * ramp * (1.1 - 0.35 * lid.down()), np.float32),
        dusk,
        0.08,
    )
    _sticker(canvas, x, top + 36, w * 0.92, h * 0.44, kind, dusk)
    return body


def tag(canvas: Canvas, x: float, y: float, number: int) -> None:
    """Paint a price tag behind the clear strip of the rail."""
    rng = np.random.Generator(np.random.PCG64([number, 3]))
    paper = ("#f7f6f0", "#f7f6f0", "#f6dc4b")[int(rng.integers(3))]
    card = canvas.rect(x - 25, y + 0.5, 50, 18.5, 1)
    canvas.shadow(card, 0.8, 1.0, 0.8, 0.45)
    canvas.fill(card, paper, gloss=0.10, raised=0.8, lit=True)
    price = f"{int(rng.integers(1, 5))}.{int(rng.integers(1, 10))}9"
    canvas.fill(canvas.text(price, x - 5, y + 6, 9, w=26), "#1d1d1d", 0.95)
    canvas.fill(
        canvas.text("per piece", x - 22, y + 3, 3.2, w=15, font="DejaVuSans"), "#333333", 0.8
    )
    at = x - 22.0
    while at < x - 8:
        width = float(rng.choice([0.6, 1.1]))
        canvas.fill(canvas.rect(at, y + 9, width, 7.5), "#222222", 0.9)
        at += width + float(rng.choice([0.7, 1.2]))
