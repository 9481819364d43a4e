"""Electronic parts for the circuit board, drawn from above with their solder and shadows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._noise import Noise
from ._paint import Canvas, Stamp, ink, text_width

__all__ = [
    "can",
    "chip",
    "coil",
    "crystal",
    "header",
    "leds",
    "package",
    "pad",
    "plug",
    "usb",
]

_TIN = "#c2c3bf"
_MARK = "#a9aaa6"


def pad(canvas: Canvas, x: float, y: float, w: float, h: float, angle: float = 0.0) -> None:
    """Solder on a pad: a shallow shining cushion."""
    canvas.fill(canvas.rect(x - w / 2 - 1, y - h / 2 - 1, w + 2, h + 2, 1.5, angle), "#0b3f2b", 0.8)
    canvas.fill(
        canvas.rect(x - w / 2, y - h / 2, w, h, 1.5, angle), "#a9aaa6", gloss=0.45, raised=1.2
    )
    cushion = canvas.rect(x - w / 2 + 1.6, y - h / 2 + 1.6, w - 3.2, h - 3.2, 1.5, angle, soft=1.2)
    canvas.fill(cushion, "#c9cac6", 0.6, raised=2.4)


def _slab(
    canvas: Canvas,
    noise: Noise,
    x: float,
    y: float,
    w: float,
    h: float,
    colour: str,
    angle: float = 0.0,
    corner: float = 1.5,
    tall: float = 6.0,
    gloss: float = 0.06,
    rough: float = 0.06,
) -> Stamp:
    """Paint a moulded block with a cast shadow, bevelled edges and a grainy skin."""
    foot = canvas.rect(x - w / 2, y - h / 2, w, h, corner, angle)
    canvas.shadow(foot, tall * 0.35, tall * 0.45, tall * 0.35, 0.62)
    canvas.shadow(foot, 0, 0.5, 1.5, 0.5)
    rows, columns = foot.window
    grain = 1 + rough * noise.clouds(90, 5, 2, 0.8)[rows, columns]
    canvas.fill(
        foot, np.asarray(ink(colour) * grain, np.float32), gloss=gloss, raised=2.0, solid=True
    )
    top = canvas.rect(x - w / 2 + 1, y - h / 2 + 1, w - 2, h - 2, corner, angle, soft=0.7)
    canvas.fill(top, raised=min(tall, 5.0))
    canvas.relief[rows, columns] += 0.2 * foot.alpha * noise.clouds(90, 5, 2, 0.8)[rows, columns]
    return foot


def chip(
    canvas: Canvas,
    noise: Noise,
    x: float,
    y: float,
    length: float,
    w: float,
    angle: float,
    kind: str,
    text: str = "",
    pads: bool = True,
) -> list[Stamp]:
    """Paint a two-terminal part; returns its outline."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    ends = [(x + side * c * length * 0.39, y + side * s * length * 0.39) for side in (-1, 1)]
    if pads:
        for ex, ey in ends:
            pad(canvas, ex, ey, length * 0.42, w * 1.04, angle)
    colour = {"capacitor": "#9c7a55", "resistor": "#1b1b1e"}[kind]
    body = _slab(canvas, noise, x, y, length, w, colour, angle, 1.0, 4.5, 0.12, 0.05)
    for side in (-1, 1):
        cap = length * 0.21
        ex, ey = x + side * c * (length - cap) / 2, y + side * s * (length - cap) / 2
        metal = canvas.rect(ex - cap / 2, ey - w / 2, cap, w, 1.0, angle, soft=0.3)
        canvas.fill(metal, _TIN, gloss=0.6, raised=0.8)
    if text:
        tw = text_width(text, 5.5)
        canvas.fill(canvas.text(text, x - tw / 2, y - 2.75, 5.5, angle=angle), "#d5d5d0", 0.85)
    return [body]


def _lead(canvas: Canvas, x: float, y: float, reach: float, width: float, side: str) -> None:
    """Paint a gull-wing lead that leaves a body at ``(x, y)`` to the given side."""
    dx, dy = {"n": (0, -1), "s": (0, 1), "w": (-1, 0), "e": (1, 0)}[side]
    tall = dx == 0
    w, h = (width, reach) if tall else (reach, width)
    cx, cy = x + dx * reach / 2, y + dy * reach / 2
    px, py = x + dx * reach * 0.78, y + dy * reach * 0.78
    foot_w, foot_h = (width + 1.2, reach * 0.75) if tall else (reach * 0.75, width + 1.2)
    solder = canvas.rect(px - foot_w / 2, py - foot_h / 2, foot_w, foot_h, 1.2)
    canvas.fill(solder, "#9a9c99", gloss=0.4, raised=1.2)
    lead = canvas.rect(cx - w / 2, cy - h / 2, w, h, 0.6)
    canvas.shadow(lead, 0.9, 1.1, 0.6, 0.5)
    along = lead.down() if tall else lead.across()
    t = along if dx + dy > 0 else 1 - along
    # Flat shoulder, steep bend that looks away from the lamp, flat foot.
    bright = np.interp(t, [0, 0.28, 0.42, 0.58, 0.7, 1], [0.52, 0.62, 0.25, 0.22, 0.50, 0.60])
    metal = np.broadcast_to(bright, lead.alpha.shape).astype(np.float32)
    canvas.fill(lead, metal[None], gloss=0.35, raised=1.6, solid=True)


def package(
    canvas: Canvas,
    noise: Noise,
    x: float,
    y: float,
    w: float,
    h: float,
    leads: int,
    kind: str,
    lines: Sequence[str],
) -> None:
    """Paint an integrated circuit: QFP with leads all round, SO with two rows."""
    reach, width = (14.0, 3.4) if kind == "QFP" else (15.0, 5.0)
    pitch = 6.5 if kind == "QFP" else (w - 10) / (leads - 1)
    for i in range(leads):
        off = (i - (leads - 1) / 2) * pitch
        _lead(canvas, x + off, y - h / 2, reach, width, "n")
        _lead(canvas, x + off, y + h / 2, reach, width, "s")
        if kind == "QFP":
            _lead(canvas, x - w / 2, y + off, reach, width, "w")
            _lead(canvas, x + w / 2, y + off, reach, width, "e")
    _slab(canvas, noise, x, y, w, h, "#232427", corner=2.0, tall=8.0, gloss=0.07, rough=0.10)
    dot = canvas.disc(
        x - w / 2 + 10, y - h / 2 + 10 if kind == "QFP" else y + h / 2 - 9, 3.6, soft=0.4
    )
    canvas.fill(dot, "#17181a", 0.7, gloss=0.12, raised=-2.5)
    size = 9.0 if kind == "QFP" else 7.5
    top = y - (len(lines) * size * 1.75 - size * 0.75) / 2
    for i, line in enumerate(lines):
        tw = text_width(line, size, "DejaVuSans")
        mark = canvas.text(line, x - tw / 2, top + i * size * 1.75, size, font="DejaVuSans")
        canvas.fill(mark, _MARK, 0.62)


def can(canvas: Canvas, noise: Noise, x: float, y: float, r: float, lines: Sequence[str]) -> None:
    """Paint an aluminium electrolytic capacitor on its black foot."""
    for dx in (-1, 1):
        pad(canvas, x + dx * (r + 1), y, 13, 8)
    _slab(canvas, noise, x, y, 2 * r + 4, 2 * r + 4, "#1d1d1f", corner=6, tall=5)
    top = canvas.disc(x, y, r, soft=0.4)
    canvas.shadow(top, 5, 6.5, 4, 0.6)
    turned = 0.47 * (1 + 0.10 * (top.across() - 0.5) * -2 + 0.10 * (top.down() - 0.5) * -2)
    canvas.fill(top, np.asarray(turned, np.float32)[None], gloss=0.25, raised=4.0, solid=True)
    canvas.fill(canvas.disc(x, y, r - 3, soft=0.9), raised=-2.2)
    half = canvas.polygon(
        [(x - r + 4, y - r), (x - r * 0.36, y - r), (x - r * 0.36, y + r), (x - r + 4, y + r)]
    )
    disc = canvas.disc(x, y, r - 4)
    canvas.fill(half.times(disc.alpha_like(half)), "#232325", 0.93)
    for i, line in enumerate(lines):
        canvas.fill(canvas.text(line, x - r * 0.2, y - 10 + i * 13, r * 0.29), "#2a2a2c", 0.9)


def coil(canvas: Canvas, noise: Noise, x: float, y: float, size: float) -> None:
    """Paint a shielded inductor."""
    for dx in (-1, 1):
        pad(canvas, x + dx * size * 0.46, y, 16, size * 0.5)
    _slab(canvas, noise, x, y, size, size, "#4b4a49", corner=7, tall=9, gloss=0.05, rough=0.16)
    canvas.fill(canvas.disc(x, y, size * 0.42, soft=0.8), "#3f3e3d", 0.8, raised=-2.5)
    canvas.fill(canvas.disc(x, y, size * 0.37, soft=0.8), "#56544f", 0.8, raised=2.5)
    canvas.fill(canvas.text("4R7", x - 13.5, y - 5.5, 11, w=27), "#d9d8d2", 0.85)


def crystal(
    canvas: Canvas, noise: Noise, x: float, y: float, w: float, h: float, text: str
) -> None:
    """Paint a quartz in its drawn steel can."""
    brim = canvas.rect(x - w / 2, y - h / 2, w, h, h / 2)
    canvas.shadow(brim, 3.5, 4.5, 3.5, 0.6)
    canvas.fill(brim, "#a5a6a4", gloss=0.4, raised=1.5, solid=True)
    top = canvas.rect(x - w / 2 + 4, y - h / 2 + 4, w - 8, h - 8, h / 2 - 4, soft=0.9)
    rows, columns = top.window
    sweep = (
        0.50
        + 0.10 * np.cos(5 * top.across() + 2 * top.down())
        + 0.015 * noise.clouds(90, 5, 2, 0.8)[rows, columns]
    )
    canvas.fill(top, np.asarray(sweep, np.float32)[None], gloss=0.45, raised=5.0)
    canvas.fill(canvas.text(text, x - 21, y - 4, 8, w=42, font="DejaVuSans"), "#3b3b3b", 0.75)


def usb(canvas: Canvas, noise: Noise, x: float, y: float, w: float, h: float) -> None:
    """Paint the steel shell of a socket at the left edge."""
    for dy in (-1, 1):
        pad(canvas, x + w * 0.22, y + dy * (h / 2 + 1), 16, 10)
    shell = canvas.rect(x - w, y - h / 2, w * 1.5, h, 4)
    canvas.shadow(shell, 4, 5, 4, 0.65)
    rows, columns = shell.window
    sweep = (
        0.42
        + 0.16 * np.sin(np.pi * shell.down())
        + 0.014 * noise.clouds(3, 60, 6, 0.5)[rows, columns]
    )
    canvas.fill(shell, np.asarray(sweep, np.float32)[None], gloss=0.4, raised=5.0, solid=True)
    for row in (-0.24, 0.24):
        slot = canvas.rect(x - 18, y + row * h - 5, 34, 10, 2, soft=0.3)
        canvas.fill(slot, "#2c2c2c", gloss=0.1, raised=-4.0)
        canvas.fill(
            canvas.rect(x - 14, y + row * h - 2.6, 30, 5.2, 2, soft=0.3),
            "#9a9b99",
            gloss=0.4,
            raised=3.0,
        )
    canvas.fill(
        canvas.stroke([(x - w, y), (x + w * 0.5, y)], 1.0, soft=0.3), "#6f706e", raised=-1.5
    )


def header(canvas: Canvas, noise: Noise, x: float, y: float, pins: int, pitch: float) -> None:
    """Paint a pin header of two rows."""
    w = pins * pitch + 6
    _slab(
        canvas,
        noise,
        x + w / 2 - pitch / 2 - 3,
        y + 20,
        w,
        40,
        "#1f1f21",
        corner=2,
        tall=9,
        gloss=0.1,
    )
    for i in range(pins):
        for row in (0, 1):
            px, py = x + i * pitch, y + 11 + row * 18
            canvas.fill(
                canvas.rect(px - 5.5, py - 5.5, 11, 11, 2, soft=0.4), "#121214", 0.8, raised=-2.0
            )
            pin = canvas.rect(px - 3.1, py - 3.1, 6.2, 6.2, 0.8)
            canvas.shadow(pin, 4.0, 5.0, 1.4, 0.6)
            canvas.fill(pin, "#b98f3f", gloss=0.45, raised=2.0, solid=True)
            canvas.fill(
                canvas.rect(px - 1.8, py - 1.8, 3.6, 3.6, 0.5, soft=0.4),
                "#e3c274",
                gloss=0.6,
                raised=2.5,
            )


def plug(canvas: Canvas, noise: Noise, x: float, y: float, w: float, h: float) -> None:
    """Paint a white connector at the right edge with four contacts."""
    _slab(canvas, noise, x, y, w, h, "#d6d1c2", corner=3, tall=11, gloss=0.1, rough=0.015)
    well = canvas.rect(x - w / 2 + 9, y - h / 2 + 8, w - 14, h - 16, 2, soft=0.5)
    canvas.fill(well, "#aaa596", raised=-6.0)
    lit = canvas.rect(x - w / 2 + 15, y - h / 2 + 15, w - 8, h - 8, 2, soft=3)
    canvas.shadow(well.times(1 - lit.alpha_like(well)), 0, 0, 1.5, 0.6)
    for i in range(4):
        py = y + (i - 1.5) * h * 0.21
        pin = canvas.rect(x - 12, py - 3.2, 30, 6.4, 1, soft=0.3)
        canvas.shadow(pin, 3, 4, 2, 0.55)
        canvas.fill(pin, "#c3c4c0", gloss=0.6, raised=3.0, solid=True)
        canvas.fill(canvas.rect(x - w / 2 - 8, py - 3, 9, 6, 1), "#bdbeba", gloss=0.5, raised=1.5)


def leds(canvas: Canvas, noise: Noise, places: Sequence[tuple[float, float, str]]) -> None:
    """Light-emitting diodes, off."""
    for x, y, colour in places:
        chip(canvas, noise, x, y, 22, 12, 0, "resistor")
        canvas.fill(canvas.rect(x - 6, y - 5, 12, 10, 1.5), colour, gloss=0.3, raised=1.0)
        canvas.fill(canvas.disc(x, y, 3.5, soft=1), "#cdb65a", 0.6, raised=1.0)
