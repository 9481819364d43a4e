"""A printed circuit board under an inspection camera: copper, solder, parts, silkscreen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._develop import Look
from ._noise import Noise
from ._paint import Canvas, Point, Stamp, ink
from ._parts import can, chip, coil, crystal, header, leds, package, pad, plug, usb
from ._scene import Change, Pick, Scene

__all__ = ["SCENE"]

_SILK = "#e3e8de"
_COPPER = "#1f7a4c"  # solder mask over copper
_BARE = "#0c4a31"  # solder mask over laminate


def _ground(canvas: Canvas, noise: Noise) -> None:
    traces = _routes()
    vias = _vias(noise)
    _laminate(canvas, noise, traces, vias)
    for x, y in vias:
        _via(canvas, x, y)
    for x, y in ((38.0, 38.0), (762.0, 38.0), (38.0, 562.0), (762.0, 562.0)):
        _mounting_hole(canvas, x, y)
    _silkscreen(canvas)
    _parts(canvas, noise)
    _dust(canvas, noise)


def _paint(canvas: Canvas, noise: Noise, pick: Pick, changed: bool) -> list[Change]:
    gone = pick.one(2, 0, 3, 4)
    askew = pick.one(1, 3, 0, 4)
    turned = 27 + pick.jitter(8)
    changes = []
    for index, x in enumerate((648.0, 668.0, 688.0, 708.0, 728.0)):
        if changed and index == gone:
            for dy in (-9.5, 9.5):
                pad(canvas, x, 250 + dy, 11.5, 9.5)
            changes.append(Change("missing_part", [canvas.rect(x - 7.5, 235, 15, 30, 2)]))
        else:
            chip(canvas, noise, x, 250, 24, 12, 90, "capacitor")
    for index, y in enumerate((74.0, 98.0, 122.0, 146.0, 170.0)):
        if changed and index == askew:
            for dx in (-10.0, 10.0):
                pad(canvas, 196 + dx, y, 9.5, 13)
            old = canvas.rect(181, y - 8, 30, 16, 2)
            new = chip(canvas, noise, 200, y + 1.5, 26, 13, turned, "resistor", pads=False)
            changes.append(Change("moved", [old, *new]))
        else:
            chip(
                canvas,
                noise,
                196,
                y,
                26,
                13,
                0,
                "resistor",
                text=("103", "472", "221", "103", "000")[index],
            )
    if changed:
        lead = pick.one(5, 2, 8)
        changes += [
            Change("added_part", [_bridge(canvas, 260.5 + 6.5 * lead, 298.0)]),
            Change("scratch", _scratch(canvas, noise, *pick.one((402.0, 396.0), (330.0, 380.0)))),
            Change("spot", [_ball(canvas, *pick.one((452.0, 214.0), (150.0, 330.0)))]),
        ]
    return changes


# -- copper ----------------------------------------------------------------------------------


def _routes() -> list[tuple[list[Point], float]]:
    """Return the tracks, as paths and widths; bundles run in parallel and turn by 45 degrees."""
    tracks: list[tuple[list[Point], float]] = []
    for i in range(14):  # processor, south side, to the header
        x, pin = 260.5 + 6.5 * i, 334.0 + 17.0 * i
        bend = 340 + 6.2 * (13 - i)
        tracks.append(([(x, 290), (x, bend), (x + (pin - x), bend + (pin - x)), (pin, 530)], 2.2))
    for i in range(10):  # east side, to the memory
        y = 165.0 + 6.5 * i
        tracks.append(
            (
                [
                    (350, y),
                    (392 + 5 * i, y),
                    (444 + 5 * i, y - 52),
                    (444 + 5 * i, 92 - 5 * i + 25),
                    (480, 96 - 7 * i + 40),
                ]
                if i < 5
                else [(350, y), (420, y), (470, y + 50), (590, y + 50)],
                2.2,
            )
        )
    for i in range(8):  # west side, to the resistors
        y = 165.0 + 6.5 * i
        end = 74.0 + 24.0 * i if i < 5 else 210.0 + 12 * i
        tracks.append(([(250, y), (236 - 2.5 * i, y), (222 - 2.5 * i, end + 8), (206, end)], 2.2))
    for i in range(7):  # north side, off to the left edge
        x = 267.0 + 13 * i
        tracks.append(([(x, 150), (x, 112 - 9 * i), (x - 14, 98 - 9 * i), (-20, 98 - 9 * i)], 2.2))
    for i in range(4):  # USB pairs
        y = 322.0 + 8 * i
        tracks.append(
            (
                [(40, y), (130 + 8 * i, y), (170 + 8 * i, y + 40), (170 + 8 * i, 560), (120, 620)],
                2.6,
            )
        )
    for i in range(6):  # memory to the east edge
        y = 176.0 + 9 * i
        tracks.append(
            ([(590 + 12 * i, 160), (590 + 12 * i, y), (600 + 12 * i, y + 10), (820, y + 10)], 2.2)
        )
    for i in range(5):  # driver to the plug
        y = 372.0 + 12 * i
        tracks.append(([(640, y), (676 - 6 * i, y), (692 - 6 * i, y + 16), (736, y + 16)], 3.0))
    tracks += [
        ([(96, 96), (140, 140), (140, 236), (236, 332), (236, 430), (192, 474)], 8.0),
        ([(192, 474), (192, 520), (260, 588), (260, 640)], 8.0),
        ([(600, 420), (560, 460), (560, 505)], 6.0),
        ([(690, 470), (650, 510), (600, 560), (600, 640)], 7.0),
    ]
    return tracks


def _vias(noise: Noise) -> list[Point]:
    """Return ends of tracks that dive to another layer, and stitches of the ground plane."""
    vias: list[Point] = [(590.0, 215.0 + 6.5 * i) for i in range(5)]
    rng = noise.rng(10)
    boxes = (
        (420, 380, 640, 500),
        (60, 200, 130, 300),
        (40, 440, 150, 540),
        (640, 290, 780, 350),
        (380, 30, 500, 70),
        (110, 30, 160, 60),
    )
    for x0, y0, x1, y1 in boxes:
        for x in np.linspace(x0, x1, 6):
            vias.append((float(x + rng.normal(0, 4)), float(rng.uniform(y0, y1))))
    return vias


def _laminate(
    canvas: Canvas, noise: Noise, traces: Sequence[tuple[list[Point], float]], vias: Sequence[Point]
) -> None:
    """Paint the ground plane, cut the clearances into it, lay the tracks, cover all with mask."""
    copper = np.ones(canvas.shape, np.float32)

    def put(stamp: Stamp, value: float) -> None:
        under = copper[stamp.window]
        under += (value - under) * stamp.alpha

    for path, width in traces:
        put(canvas.stroke(path, width + 6), 0)
    for x, y in vias:
        put(canvas.disc(x, y, 7), 0)
    # No plane under the crystal and beside the USB pairs.
    for x, y, w, h in ((408, 296, 108, 62), (-20, 312, 160, 44)):
        put(canvas.rect(x, y, w, h, 8), 0)
    for path, width in traces:
        put(canvas.stroke(path, width, soft=0.2), 1)
    for x, y in vias:
        put(canvas.disc(x, y, 5), 1)
    weave = np.asarray(np.sin(canvas.x() * 2.3) * np.sin(canvas.y() * 2.3), np.float32)
    mottle = 1 + 0.035 * noise.clouds(1, 320, 12, 0.55) + 0.016 * noise.clouds(2, 8, 2, 0.7)
    mottle += 0.02 * weave * (1.6 - copper)
    low, high = ink(_BARE)[:, 0, 0], ink(_COPPER)[:, 0, 0]
    for channel in range(3):
        canvas.albedo[channel] = (low[channel] + (high[channel] - low[channel]) * copper) * mottle
    canvas.relief += 1.7 * copper + 0.10 * weave + 0.07 * noise.clouds(2, 8, 2, 0.7)
    canvas.relief += 0.5 * noise.clouds(3, 60, 6, 0.5)
    canvas.gloss += 0.085


def _via(canvas: Canvas, x: float, y: float) -> None:
    canvas.fill(canvas.disc(x, y, 4.6), "#2b8f5b", 0.5, raised=0.8)
    canvas.fill(canvas.disc(x, y, 2.1, soft=0.4), "#06150e", 0.9, raised=-3.0)


def _mounting_hole(canvas: Canvas, x: float, y: float) -> None:
    canvas.fill(canvas.disc(x, y, 27), _BARE)
    ring = canvas.disc(x, y, 23.5)
    canvas.fill(ring, "#c9a55a", gloss=0.5, raised=1.0)
    for turn in np.arange(0, 2 * np.pi, np.pi / 4):
        canvas.fill(
            canvas.disc(x + 18 * np.cos(turn), y + 18 * np.sin(turn), 2.0),
            "#2a2114",
            0.9,
            raised=-1.5,
        )
    hole = canvas.disc(x, y, 13, soft=0.4)
    canvas.fill(hole, "#8d8578", gloss=0.0, raised=-5.0)
    canvas.shadow(
        hole.times(1 - canvas.disc(x + 5, y + 6, 13, soft=1.5).alpha_like(hole)), 0, 0, 1, 0.85
    )
    canvas.light[hole.window] *= 1 - 0.35 * hole.alpha


# -- silkscreen and parts --------------------------------------------------------------------


def _silkscreen(canvas: Canvas) -> None:
    def write(text: str, x: float, y: float, h: float = 7.0, angle: float = 0.0) -> None:
        canvas.fill(
            canvas.text(text, x, y, h, font="DejaVuSans", angle=angle), _SILK, 0.88, raised=0.5
        )

    for text, x, y in (
        ("U1", 236, 128),
        ("U2", 486, 66),
        ("U3", 546, 384),
        ("Y1", 470, 361),
        ("L1", 158, 513),
        ("C1", 112, 60),
        ("C2", 112, 270),
        ("J1", 300, 545),
        ("J2", 706, 354),
        ("J3", 74, 306),
        ("C30", 640, 217),
        ("C34", 718, 217),
        ("D1", 424, 446),
        ("D2", 424, 478),
    ):
        write(text, x, y)
    for i, y in enumerate((74, 98, 122, 146, 170)):
        write(f"R{21 + i}", 166 - 8, y - 3.5, 6.5)
    write("NORDVALE  CTRL-7", 556, 28, 11)
    write("REV C   2024-11", 556, 46, 7.5)
    write("+5V  GND  A  B", 684, 500, 6.5)
    for x, y, w, h in (
        (236, 140, 126, 160),
        (480, 78, 122, 84),
        (536, 340, 112, 76),
        (640, 230, 98, 40),
        (150, 436, 84, 72),
        (322, 513, 250, 52),
    ):
        box = [(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)]
        canvas.fill(canvas.stroke(box, 1.0), _SILK, 0.8, raised=0.4)
    canvas.fill(canvas.disc(230, 152, 3), _SILK, 0.85)
    for fiducial in (702.0, 718.0):
        canvas.fill(canvas.disc(fiducial, 118, 9), _BARE)
        canvas.fill(canvas.disc(fiducial, 118, 4), "#d8d3c6", gloss=0.5, raised=1.0)


def _parts(canvas: Canvas, noise: Noise) -> None:
    package(canvas, noise, 299, 220, 98, 108, 14, "QFP", ("VN32F407", "ZGT6  2K", "CHN 341"))
    package(canvas, noise, 541, 120, 108, 44, 8, "SO", ("NV25Q128", "JVSQ 2339"))
    package(canvas, noise, 592, 378, 96, 40, 6, "SO", ("DRV8871", "TI 27K"))
    can(canvas, noise, 92, 92, 30, ("220", "16V"))
    can(canvas, noise, 92, 238, 25, ("100", "25V"))
    coil(canvas, noise, 192, 472, 66)
    crystal(canvas, noise, 462, 327, 84, 36, "12.000")
    usb(canvas, noise, 22, 340, 78, 74)
    header(canvas, noise, 330, 520, 14, 17)
    plug(canvas, noise, 752, 420, 66, 128)
    leds(canvas, noise, ((448, 432, "#f2f1e4"), (448, 464, "#e9e3b0")))
    for x, y, angle in (
        (386, 142, 90),
        (404, 142, 90),
        (386, 250, 90),
        (404, 262, 90),
        (232, 330, 0),
        (262, 332, 0),
        (452, 288, 0),
        (488, 288, 0),
        (430, 372, 0),
        (474, 375, 0),
    ):
        kind = "capacitor" if (x + y) % 3 else "resistor"
        chip(canvas, noise, x, y, 19, 10, angle, kind)
    for i in range(4):
        chip(canvas, noise, 660 + 24 * i, 306, 22, 11, 90, "resistor", text="330")
    for i in range(3):
        chip(canvas, noise, 92 + 24 * i, 420, 26, 13, 90, "capacitor")
    chip(canvas, noise, 110, 480, 40, 25, 0, "capacitor")
    chip(canvas, noise, 110, 516, 40, 25, 0, "capacitor")


def _dust(canvas: Canvas, noise: Noise) -> None:
    """Paint a few fibres and specks, as on every real board; and flux residue."""
    rng = noise.rng(30)
    for _ in range(60):
        x, y = rng.uniform(0, 800), rng.uniform(0, 600)
        canvas.fill(
            canvas.disc(x, y, rng.uniform(0.4, 0.9), soft=0.3), "#c6c8c0", rng.uniform(0.2, 0.6)
        )
    for _ in range(6):
        x, y, turn = rng.uniform(0, 800), rng.uniform(0, 600), rng.uniform(0, 6)
        bend = turn + np.cumsum(rng.normal(0, 0.35, 9))
        path = np.stack(
            [x + np.cumsum(2.2 * np.cos(bend)), y + np.cumsum(2.2 * np.sin(bend))], axis=1
        )
        canvas.fill(canvas.stroke(path, 0.5, soft=0.2), "#d3d4cc", 0.4)


# -- what may go wrong -----------------------------------------------------------------------


def _bridge(canvas: Canvas, x: float, y: float) -> Stamp:
    """Too much solder: a lump that shorts three leads."""
    lump = np.array(
        [
            (-9, -2),
            (-6, -5),
            (0, -3.4),
            (6, -5.4),
            (10, -2),
            (9.5, 4),
            (5, 6.5),
            (0, 5.4),
            (-5, 6.8),
            (-9.5, 4),
        ],
        np.float32,
    ) * (1.15, 1.1)
    shape = canvas.polygon(np.add(lump, (x, y)), soft=0.5)
    canvas.shadow(shape, 1.0, 1.4, 1.0, 0.5)
    canvas.fill(shape, "#b4b7b8", gloss=0.75, raised=2.0, solid=True)
    canvas.fill(canvas.polygon(np.add(lump * 0.62, (x, y)), soft=1.8), "#c9cccd", 0.6, raised=7.0)
    return canvas.polygon(np.add(lump * 1.08, (x, y)))


def _scratch(canvas: Canvas, noise: Noise, x: float, y: float) -> list[Stamp]:
    """Paint the trace of a slipped tool: mask scraped off, copper laid bare, two tracks hurt."""
    rng = noise.rng(40)
    along = np.linspace(0, 1, 14)
    path = np.stack(
        [x - 84 * along, y + 44 * along + 8 * along**2 + rng.normal(0, 0.5, 14)], axis=1
    )
    press = 1.2 + 1.7 * np.sin(np.pi * along) ** 0.7 + rng.normal(0, 0.3, 14)
    canvas.fill(canvas.stroke(path, press + 1.6, soft=0.5), "#a9c4a8", 0.65, gloss=0.0, raised=1.2)
    canvas.fill(canvas.stroke(path, press, soft=0.3), "#d09a68", 0.92, gloss=0.5, raised=-2.4)
    second = path[3:11] + np.array([3.5, 5.5])
    canvas.fill(canvas.stroke(second, 1.2, soft=0.3), "#b8cdb4", 0.7, raised=-0.8)
    return [canvas.stroke(path, press + 2.2), canvas.stroke(second, 2.0)]


def _ball(canvas: Canvas, x: float, y: float) -> Stamp:
    """Paint a stray bead of solder with its ring of flux."""
    canvas.fill(canvas.disc(x, y, 12, 10.5, soft=1.2), "#5b6a35", 0.55, gloss=0.35)
    bead = canvas.disc(x, y, 6.6, soft=0.4)
    canvas.shadow(bead, 2.2, 2.8, 1.4, 0.65)
    canvas.fill(bead, "#a5a8aa", gloss=0.8, raised=3.0, solid=True)
    canvas.fill(canvas.disc(x, y, 4.2, soft=1.5), "#cfd2d3", 0.6, raised=7.0)
    return canvas.disc(x, y, 12, 11)


SCENE = Scene(
    key=2,
    size=(800, 600),
    description="A circuit board that lost a capacitor and gained a solder bridge, a crooked "
    "resistor, a scratch and a stray bead of solder.",
    look=Look(
        sun=(-0.5, -0.62, 1.0),
        ambient=0.45,
        bump=0.9,
        sharpness=5,
        exposure=1.15,
        falloff=(0.3, 0.16),
        tint=(1.0, 1.0, 0.98),
        grain=3.5,
    ),
    ground=_ground,
    paint=_paint,
)
