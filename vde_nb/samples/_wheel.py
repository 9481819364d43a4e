"""Geometry of a wheel seen from the side, and its forged rim."""

from __future__ import annotations

import cv2
import numpy as np

from ._noise import Array, Noise
from ._paint import FINE, MARGIN, Canvas

__all__ = ["BEAD", "HUB", "STEPS", "TREAD", "at", "rim", "spin", "step"]

# Centre of the hub, and radii in picture pixels: tread, edge of the rim, its lip, its well.
HUB = 408.0, 632.0
TREAD, BEAD = 606.0, 322.0
_LIP, _WELL = 300.0, 262.0
STEPS = 4  # entries of a radial profile per picture pixel


def at(degrees: float, radius: float) -> tuple[float, float]:
    """Return the point at an angle (0 to the right, -90 up) and a distance from the hub."""
    turn = np.radians(degrees)
    return HUB[0] + radius * float(np.cos(turn)), HUB[1] + radius * float(np.sin(turn))


def spin(radius: Array, *profiles: Array) -> list[Array]:
    """Turn profiles along the radius (up to four) into surfaces of revolution."""
    where = radius * np.float32(STEPS)
    lathe = np.stack(profiles, axis=-1).astype(np.float32)[None]
    turned = cv2.remap(
        lathe, where, np.zeros_like(where), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return [np.asarray(plane, np.float32) for plane in cv2.split(turned)]


def step(r: Array, edge: float, soft: float = 0.8) -> Array:
    """Return 0 inside of `edge`, 1 outside, with a soft step."""
    return np.asarray(np.clip((r - edge) / soft + 0.5, 0, 1), np.float32)


def rim(canvas: Canvas, noise: Noise, radius: Array, around: Array) -> None:
    """Paint a forged rim: turned lip, deep well, ten spokes in front of a dark brake."""
    top = int((HUB[1] - BEAD - 4 + MARGIN) * FINE)
    part = slice(top, canvas.shape[0]), slice(0, canvas.shape[1])
    r, turn = radius[part], around[part]
    profile = np.arange(0, 700 * STEPS, dtype=np.float32) / STEPS
    tone = np.interp(
        profile,
        [0, _WELL - 3, _WELL, 284, _LIP - 4, _LIP - 2, _LIP, 313, 316, BEAD - 1, BEAD],
        [0.02, 0.02, 0.04, 0.08, 0.13, 0.40, 0.19, 0.17, 0.12, 0.07, 0.03],
    )
    on_lip = step(profile, _LIP - 3, 2.0)
    marks = noise.rng(41).standard_normal(profile.size).astype(np.float32)
    turned = tone * (1 + 0.1 * cv2.GaussianBlur(marks[None, :], (0, 0), 1.6)[0])
    height = -2.5 * np.exp(-(((profile - 314) / 2.0) ** 2)) + 2.0 * step(profile, _LIP, 3)
    metal, lip, cover, surface = spin(r, turned, on_lip, 1 - step(profile, BEAD, 1.0), height)
    # Turned metal reflects in fans; the well reflects the other way round.
    angle = np.linspace(0, 2 * np.pi, 720, dtype=np.float32)
    fan = (
        0.45
        + 2.3 * _fan(angle, -2.2, 22)
        + 1.2 * _fan(angle, -0.9, 40)
        + 0.8 * _fan(angle, -1.45, 120)
    )
    well = 0.5 + 1.7 * _fan(angle, -0.75, 16) + 0.9 * _fan(angle, -2.6, 30)
    where = turn * np.float32(719 / (2 * np.pi))
    fans = cv2.remap(
        np.stack([fan, well], axis=-1)[None], where, np.zeros_like(where), cv2.INTER_LINEAR
    )
    metal *= fans[..., 1] + (fans[..., 0] - fans[..., 1]) * lip
    metal *= 1 + 0.06 * noise.clouds(9, 90, 3, 0.7)[part]
    for channel, share in enumerate((1.0, 0.985, 0.96)):
        plane = canvas.albedo[channel][part]
        plane += (metal * np.float32(share) - plane) * cover
    for layer, value in ((canvas.relief, surface), (canvas.gloss, 0.14 * lip), (canvas.light, 1.0)):
        under = layer[part]
        under += (value - under) * cover
    _spokes(canvas, noise)


def _fan(angle: Array, at: float, narrow: int) -> Array:
    """Return a highlight that opens from the hub in the direction `at` (radians), 0 to 1."""
    return np.asarray((0.5 + 0.5 * np.cos(angle - at)) ** narrow, np.float32)


def _spokes(canvas: Canvas, noise: Noise) -> None:
    disc = canvas.disc(*HUB, 214, soft=2)
    canvas.fill(disc, "#3a3936", 0.5)
    for r in np.arange(120, 210, 7.5):
        for degrees in np.arange(-175, 0, 12.0) + r:
            x, y = at(degrees % 180 - 180, float(r))
            canvas.fill(canvas.disc(x, y, 2.4, soft=0.5), "#0c0c0c", 0.8)
    reach = np.linspace(58, 283, 46)
    half = np.interp(reach, [58, 84, 120, 190, 232, 256, 283], [23, 14, 10, 8.0, 9.5, 13, 23])
    half[2:-2] = np.convolve(half, np.full(5, 0.2), "valid")
    shapes = []
    for degrees in np.arange(-172.0, 10.0, 36.0):
        turn = np.radians(degrees)
        along = np.array([np.cos(turn), np.sin(turn)])
        spine = np.array(HUB) + reach[:, None] * along
        side = half[:, None] * np.array([-along[1], along[0]])
        shapes.append(
            (
                degrees,
                spine,
                side,
                canvas.polygon(np.concatenate([spine - side, (spine + side)[::-1]])),
            )
        )
    for _, _, _, shape in shapes:
        canvas.shadow(shape, 9, 14, 7, 0.85)
    brushed = noise.clouds(9, 90, 3, 0.7)
    for degrees, spine, side, shape in shapes:
        rows, columns = shape.window
        # Flanks first: the spoke is thick, and its right-hand side is in the shade.
        for shift, level in (((3.5, 5.0), 0.05), ((-1.0, -1.4), 0.42)):
            flank = canvas.polygon(np.concatenate([spine - side, (spine + side)[::-1]]) + shift)
            canvas.fill(flank, np.full((1, 1, 1), level, np.float32), gloss=0.1, lit=True)
        lean = np.cos(np.radians(degrees + 128)) ** 2
        metal = (0.15 + 0.17 * lean) * (1 + 0.06 * brushed[rows, columns])
        metal = metal * np.array([1.0, 0.985, 0.95], np.float32)[:, None, None]
        canvas.fill(shape, np.asarray(metal, np.float32), gloss=0.22, raised=5.0, lit=True)
        dish = canvas.stroke(spine[6:34], 7, soft=2.6)
        canvas.fill(dish, raised=-5.0)
        canvas.multiply(dish, "#c4c4c6", 0.7)
    # The ends of the spokes dip into the well, out of the light.
    well = [at(float(t), 281) for t in np.linspace(-185, 5, 60)]
    canvas.shadow(canvas.stroke(well, 24, soft=8), 0, 0, 0, 0.6)
    hub = canvas.disc(*HUB, 92, soft=0.6)
    canvas.shadow(hub, 4, 6, 6, 0.7)
    canvas.fill(hub, "#7d7a74", gloss=0.3, raised=10.0, solid=True)
    canvas.fill(canvas.disc(*HUB, 76, soft=2.0), "#6e6b66", raised=-9.0)
    canvas.fill(canvas.disc(*HUB, 62, soft=0.8), "#a3261d", gloss=0.4, raised=8.0)
    canvas.fill(canvas.disc(*HUB, 46, soft=1.2), "#1a1918", raised=-9.0)
