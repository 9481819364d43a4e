"""Foreign parts, painted: what falls onto things, sticks to them, or was screwed in unasked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from ._noise import Array
from ._plate import Edit, Plate, blob, even, mixed, places, soften

__all__ = ["drop", "pebble", "screw", "sticker"]


def _grained(plate: Plate, pixels: Array, old: Array) -> Array:
    """Give painted pixels the sharpness and the grain of the picture around them."""
    lens = soften(pixels, 0.6)
    fine = old - soften(old, 1.0)
    sigma = min(1.3 * float(np.median(np.abs(fine))) * 1.48, 6.0)
    noise = plate.rng.standard_normal((*old.shape[:2], 1), np.float32)
    return np.asarray(lens + np.float32(sigma) * noise, np.float32)


def _tone(plate: Plate, *levels: float) -> Array:
    """Return a colour, as the camera of this picture sees it."""
    red, green, blue = levels
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.array(levels if plate.colour else (luma,) * 3, np.float32)


def _lit(alpha: Array, round_over: float) -> tuple[Array, Array]:
    """Return slope towards the light at the upper left, and depth from the edge (0 to 1)."""
    solid = (alpha > 0.5).view(np.uint8)
    depth = cv2.distanceTransform(cv2.copyMakeBorder(solid, 1, 1, 1, 1, 0), cv2.DIST_L2, 5)
    depth = np.minimum(depth[1:-1, 1:-1] / max(round_over, 1.0), 1)
    height = soften(np.sqrt(depth * (2 - depth)), max(round_over / 6, 0.7))
    slope = cv2.Sobel(height, -1, 1, 0, ksize=3) + cv2.Sobel(height, -1, 0, 1, ksize=3)
    return np.asarray(slope * round_over / 8, np.float32), np.asarray(depth, np.float32)


def _put(plate: Plate, alpha: Array, paint: Callable[[Array], Array]) -> Iterator[Edit]:
    """Place a painted part on an even spot, with the shadow it casts to the lower right."""
    fall = max(min(alpha.shape) / 14, 1.2)
    pad = math.ceil(3 * fall)
    body = np.pad(alpha, pad)
    shift = np.array([[1, 0, fall], [0, 1, fall]], np.float64)
    cast = soften(np.asarray(cv2.warpAffine(body, shift, body.shape[1::-1])), 0.7 * fall)
    outline = np.asarray(np.maximum(body, 0.4 * cast), np.float32)
    for place in places(plate, outline, even):
        old = plate.under(place)
        shaded = old * (1 - 0.4 * cast[..., None])
        inner = paint(old[pad:-pad, pad:-pad])
        new = np.pad(inner, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
        yield Edit(place, mixed(shaded, _grained(plate, new, old), body))


def _against(old: Array, dark: float, light: float) -> float:
    """Return a brightness unlike that of the place."""
    here = float(old.mean())
    return light if here < (dark + light) / 2 else dark


def screw(plate: Plate) -> Iterator[Edit]:
    """Paint the head of a screw: turned metal, a slot or a cross, a bright rim."""
    rng, size = plate.rng, float(plate.rng.uniform(*plate.part)) * 0.85
    alpha = blob(rng, size, size, 0.0, 0.3)
    rows, columns = alpha.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    x, y = (x - (columns - 1) / 2) / (size / 2), (y - (rows - 1) / 2) / (size / 2)
    turn, cross = rng.uniform(0, np.pi), rng.random() < 0.5
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    slot = (np.abs(across) < 0.13) & (np.abs(along) < 0.78)
    if cross:
        slot = (np.abs(across) < 0.13) & (np.abs(along) < 0.55)
        slot |= (np.abs(along) < 0.13) & (np.abs(across) < 0.55)
    soft = max(size / 40, 0.4)
    cut = soften(slot.astype(np.float32), soft)
    lip = cv2.Sobel(cut, -1, 1, 1, ksize=3) + cv2.Sobel(cut, -1, 0, 1, ksize=3)
    slope, _ = _lit(alpha, size / 5)
    fans = (
        0.16 * np.cos(2 * np.arctan2(y, x) - rng.uniform(0, 6)) * np.clip(np.hypot(x, y) * 2, 0, 1)
    )
    tint = _tone(plate, *(1.0, rng.uniform(0.86, 0.99), rng.uniform(0.62, 0.98)))

    def paint(old: Array) -> Array:
        base = _against(old, 80, 190)
        tone = base * (1 + fans + 0.30 * slope) * (1 - 0.72 * cut) + 25 * lip
        return np.asarray(tone[..., None] * tint, np.float32)

    return _put(plate, alpha, paint)


def drop(plate: Plate) -> Iterator[Edit]:
    """Paint a drop of oil or ink: the ground shines through, a highlight, a dark rim."""
    rng = plate.rng
    size = float(rng.uniform(*plate.part))
    alpha = blob(rng, size, size * rng.uniform(0.7, 1), 0.25, 0.4)
    slope, depth = _lit(alpha, size / 2.4)
    tint = _tone(plate, *rng.uniform(0.15, 0.75, 3))
    rows, columns = alpha.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    spot = ((x - 0.36 * columns) ** 2 + (y - 0.34 * rows) ** 2) / (0.085 * size) ** 2
    shine = np.exp(-spot)[..., None]

    def paint(old: Array) -> Array:
        seen = soften(old, 1.5)
        lift = 1.9 if old.mean() < 70 else 1.0
        body = (seen * lift + 14 * (lift - 1)) * tint * (0.75 + 0.45 * depth[..., None])
        return np.asarray(body - 28 * slope[..., None] + 150 * shine, np.float32)

    return _put(plate, alpha, paint)


def sticker(plate: Plate) -> Iterator[Edit]:
    """Paint a label with a few lines of print."""
    rng = plate.rng
    w = float(rng.uniform(*plate.part)) * 1.15
    h = w * rng.uniform(0.5, 0.9)
    pad, turn = 3, rng.uniform(0, np.pi)
    reach = math.ceil(math.hypot(w, h) / 2) + pad
    y, x = (np.mgrid[: 8 * reach, : 8 * reach].astype(np.float32) + 0.5) / 4 - reach
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    corner = np.hypot(np.maximum(np.abs(u) - w / 2 + 2, 0), np.maximum(np.abs(v) - h / 2 + 2, 0))
    rows = max(int(h / 5), 2)
    line = (v + h / 2) / h * (rows + 0.6) - 0.3
    ends = rng.uniform(0.2, 0.42, rows + 2)[np.clip(line, 0, rows).astype(int)] * w
    word = rng.random((rows + 2, 12))[
        np.clip(line, 0, rows).astype(int), np.clip((u / w + 0.5) * 12, 0, 11).astype(int)
    ]
    print_ = (np.abs(line % 1 - 0.5) < 0.24) & (line > 0) & (line < rows) & (word > 0.2)
    print_ &= (u < ends) & (u > -0.4 * w)
    shape = (2 * reach, 2 * reach)
    alpha = cv2.resize((corner <= 2).astype(np.float32), shape, interpolation=cv2.INTER_AREA)
    ink = cv2.resize(print_.astype(np.float32), shape, interpolation=cv2.INTER_AREA)
    paper = _tone(plate, *rng.uniform((175, 165, 120), (235, 225, 215)))
    dark = _tone(plate, *rng.uniform(30, 110, 3))
    light = cv2.resize((u + v) / (w + h), shape, interpolation=cv2.INTER_AREA)[..., None]

    def paint(old: Array) -> Array:
        ground, letters = (paper, dark) if old.mean() < 150 else (dark, paper)
        flat = ground + 0.8 * ink[..., None] * (letters - ground)
        return np.asarray(flat * (1 - 0.22 * light) * (0.75 + 0.25 * old.mean() / 128), np.float32)

    return _put(plate, np.asarray(alpha, np.float32), paint)


def pebble(plate: Plate) -> Iterator[Edit]:
    """Paint a crumb of dirt: rough, irregular, in relief."""
    rng = plate.rng
    size = float(rng.uniform(*plate.part))
    alpha = blob(rng, size, size * rng.uniform(0.55, 1), 0.32, 0.3)
    slope, depth = _lit(alpha, size / 3)
    rough = np.zeros(alpha.shape, np.float32)
    for sigma in (0.8, 1.8, 4.0):
        octave = soften(rng.standard_normal(alpha.shape, np.float32), sigma)
        rough += octave / max(float(octave.std()), 1e-6) * np.float32(sigma**0.5)
    rough *= 0.05
    tint = _tone(plate, *(1.0, rng.uniform(0.8, 1.0), rng.uniform(0.55, 0.95)))

    def paint(old: Array) -> Array:
        base = _against(old, 62, 168)
        tone = base * (1 + rough + 0.32 * slope + 0.12 * depth)
        return np.asarray(tone[..., None] * tint, np.float32)

    return _put(plate, alpha, paint)
