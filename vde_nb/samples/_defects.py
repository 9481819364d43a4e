"""Defects as they happen to real things: one function each, from a picture to an edit of it.

Every function takes the `Plate` and yields edits, the most suitable ones first; `_stress` takes
the first one that can be seen. An edit holds the outline it was drawn with; what counts as changed
is found by comparing the pixels before and after, where nothing else differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from ._foreign import drop, pebble, screw, sticker
from ._noise import Array
from ._paint import Stamp
from ._plate import Edit, Plate, blob, even, mixed, places, soften, strokes
from ._things import things, without

__all__ = ["KINDS", "Kind"]

_THING = 0.16  # of the largest thing that may go, or move
_APART = 16.0  # grey levels by which a thing differs from the ground without it
_CLEAR = 18.0  # grey levels by which a thin line differs on average, its soft edges included
_SEEN = 0.5  # a line is seen if the ground varies by less than this share of its contrast


def _things(plate: Plate, tries: int = 90) -> Iterator[Stamp]:
    """Yield outlines of what is in the picture."""
    return things(plate, (plate.part[0], max(_THING * plate.side, 24.0)), tries)


def missing(plate: Plate) -> Iterator[Edit]:
    """Take away something that stands out, and continue what surrounds it."""
    for stamp in _things(plate):
        filled = without(plate, stamp)
        if filled is not None and plate.free(filled[0]):
            yield Edit(*filled, _APART, closing=5, shown=stamp)


def added(plate: Plate) -> Iterator[Edit]:
    """Put something down that was not there: a copy of a thing, or a foreign part."""
    if plate.rng.random() < 0.4:
        for stamp in _things(plate, tries=60):
            yield from _copies(plate, stamp)
    for choice in plate.rng.permutation(4):
        yield from (screw, drop, sticker, pebble)[choice](plate)


def _copies(plate: Plate, stamp: Stamp) -> Iterator[Edit]:
    """Paste a thing from elsewhere in the picture."""
    pixels = plate.under(stamp)
    turned = int(plate.rng.integers(4))
    pixels, alpha = np.rot90(pixels, turned), np.ascontiguousarray(np.rot90(stamp.alpha, turned))
    for place in places(plate, alpha, even, 24):
        old = plate.under(place)
        yield Edit(place, mixed(old, pixels, alpha))
        break


def moved(plate: Plate) -> Iterator[Edit]:
    """Displace a thing by 6 to 25 pixels and fill the place it left."""
    for stamp in _things(plate):
        filled = without(plate, stamp)
        if filled is None or not plate.free(filled[0]):
            continue
        options: list[tuple[float, Stamp]] = []
        for _ in range(8):
            turn, reach = plate.rng.uniform(0, 2 * np.pi), plate.rng.uniform(6, 25)
            dx, dy = round(reach * math.cos(turn)), round(reach * math.sin(turn))
            there = Stamp(stamp.top + dy, stamp.left + dx, stamp.alpha)
            if plate.free(there):
                new_ground = (there.alpha > 0.1) & (stamp.alpha_like(there) < 0.1)
                rough = plate.under(there)[new_ground].std(axis=0).mean()
                options.append((float(rough), there))
        if options:  # onto even ground, not across another thing
            there = min(options, key=lambda one: one[0])[1]
            yield _displaced(plate, stamp, there, *filled)


def _displaced(plate: Plate, stamp: Stamp, there: Stamp, hole: Stamp, pixels: Array) -> Edit:
    """Join the filled hole and the thing beside it into one edit."""
    top, left = min(hole.top, there.top), min(hole.left, there.left)
    bottom = max(one.window[0].stop for one in (hole, there))
    right = max(one.window[1].stop for one in (hole, there))
    empty = Stamp(top, left, np.zeros((bottom - top, right - left), np.float32))
    new = plate.under(empty)
    y, x = hole.top - top, hole.left - left
    rows, columns = hole.alpha.shape
    new[y : y + rows, x : x + columns] = pixels
    ahead = there.alpha_like(empty)
    thing = np.zeros_like(new)
    y, x = there.top - top, there.left - left
    rows, columns = there.alpha.shape
    thing[y : y + rows, x : x + columns] = plate.under(stamp)
    area = np.asarray(np.maximum(hole.alpha_like(empty), ahead), np.float32)
    shown = np.asarray(np.maximum(stamp.alpha_like(empty), ahead), np.float32)
    return Edit(
        Stamp(top, left, area),
        mixed(new, thing, ahead),
        _APART,
        closing=7,
        solid=False,
        shown=Stamp(top, left, shown),
    )


def _walk(rng: np.random.Generator, start: Array, heading: float, length: float) -> Array:
    """Return a tortuous path that keeps its heading (radians) on the whole."""
    angle, here, path = heading, start, [start]
    done = 0.0
    while done < length:
        angle += rng.normal(0, 0.55) + 0.4 * (heading - angle)
        step = rng.uniform(1.5, 5.0)
        here = here + step * np.array([math.cos(angle), math.sin(angle)])
        path.append(here)
        done += step
    return np.asarray(path, np.float64)


def crack(plate: Plate) -> Iterator[Edit]:
    """Draw a dark, thin, tortuous line of varying width, with branches."""
    rng = plate.rng
    for _ in range(4):
        length = float(rng.uniform(40, max(min(200.0, 0.45 * plate.side), 44)))
        heading = float(rng.uniform(0, 2 * np.pi))
        trunk = _walk(rng, np.zeros(2), heading, length)
        t = np.linspace(0, 1, len(trunk))
        wide = rng.uniform(1.0, 2.2)
        swell = wide * (0.55 + 0.6 * np.sin(np.pi * np.clip(t + rng.uniform(-0.2, 0.2), 0, 1)))
        lines = [(trunk, np.clip(swell + rng.normal(0, 0.22, len(t)), 0.7, 3))]
        for _ in range(int(rng.integers(0, 3)) if length > 60 else 0):
            at = int(rng.uniform(0.2, 0.75) * len(trunk))
            side = float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.1))
            twig = _walk(rng, trunk[at], heading + side, length * rng.uniform(0.12, 0.35))
            lines.append((twig, np.linspace(lines[0][1][at] * 0.8, 0.6, len(twig))))
        alpha = strokes(lines)
        depth = float(rng.uniform(32, 80))
        uneven = soften(rng.standard_normal(alpha.shape, np.float32), 5)
        uneven = np.clip(1 + 0.18 * uneven / max(float(uneven.std()), 1e-6), 0.6, 1.2)

        def dark_on_light(pixels: Array, alpha: Array, depth: float = depth) -> float:
            line = pixels[alpha > 0.2]
            room, rough = float(line.mean()), float(line.std(axis=0).mean())
            return -1.0 if room < 55 or rough > _SEEN * depth else 1 / (1 + rough)

        for place in places(plate, alpha, dark_on_light, 60):
            old = plate.under(place)
            # A gap swallows a share of the light: the texture on its walls can still be seen.
            share = np.clip(depth / np.maximum(old.mean(axis=2), 1), 0, 0.85)
            new = old * (1 - (share * alpha * uneven)[..., None])
            yield Edit(place, np.asarray(new, np.float32), _CLEAR, solid=False)
            break


def scratch(plate: Plate) -> Iterator[Edit]:
    """Draw a bright, straight or slightly curved line where a tool has slipped."""
    rng = plate.rng
    for _ in range(4):
        length = float(rng.uniform(40, max(min(200.0, 0.45 * plate.side), 44)))
        t = np.linspace(-0.5, 0.5, max(int(length / 5), 8))
        bend = rng.normal(0, 0.06) * length
        turn = rng.uniform(0, np.pi)
        x, y = t * length, bend * (4 * t**2)
        path = np.stack(
            [x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], 1
        )
        wide = rng.uniform(1.0, 2.4)
        lines = [(path, np.clip(wide * np.cos(np.pi * t * 0.9) ** 0.4, 0.6, 3))]
        if rng.random() < 0.35:  # a second tooth of whatever it was
            gap = rng.uniform(3, 6) * np.array([-np.sin(turn), np.cos(turn)])
            part = slice(int(len(t) * rng.uniform(0, 0.3)), int(len(t) * rng.uniform(0.7, 1)))
            lines.append((path[part] + gap, lines[0][1][part] * 0.7))
        alpha = strokes(lines)
        lift = float(rng.uniform(32, 80))
        uneven = soften(rng.standard_normal(alpha.shape, np.float32), 4)
        uneven = np.clip(1 + 0.22 * uneven / max(float(uneven.std()), 1e-6), 0.5, 1.2)

        def room_above(pixels: Array, alpha: Array, lift: float = lift) -> float:
            line = pixels[alpha > 0.2]
            rough = float(line.std(axis=0).mean())
            return -1.0 if line.mean() + lift > 245 or rough > _SEEN * lift else 1 / (1 + rough)

        for place in places(plate, alpha, room_above, 60):
            old = plate.under(place)
            new = np.asarray(old + (lift * alpha * uneven)[..., None], np.float32)
            yield Edit(place, new, _CLEAR, solid=False)
            break


def stain(plate: Plate) -> Iterator[Edit]:
    """Darken or tint a large soft-edged area; what lies below stays visible."""
    rng = plate.rng
    for _ in range(6):
        size = float(rng.uniform(30, max(min(120.0, 0.3 * plate.side), 34)))
        soft = max(size / 14, 1.5)
        alpha = blob(rng, size, size * rng.uniform(0.6, 1), 0.3, soft)
        cloud = soften(rng.standard_normal(alpha.shape, np.float32), size / 8)
        cloud = np.asarray(cloud * (0.14 / max(float(cloud.std()), 1e-6)), np.float32)
        rim = np.clip(4 * alpha * (1 - alpha), 0, 1) * alpha * rng.uniform(0, 0.35)
        depth = float(rng.uniform(0.14, 0.35))
        tint = np.array([1.0, 1.0, 1.0])
        if plate.colour and rng.random() < 0.6:  # coffee, rust, algae: some colours stay
            tint = np.array(((0.45, 0.85, 1.4), (0.7, 1.0, 1.2), (1.1, 0.6, 1.1))[rng.integers(3)])
        share = np.clip(alpha * (1 + cloud) + rim, 0, 1.25)[..., None] * (depth * tint)

        def bright(pixels: Array, alpha: Array, depth: float = depth) -> float:
            inside = pixels[alpha > 0.3].mean(axis=1)
            mean, rough = float(inside.mean()), float(inside.std())
            shown = float(np.percentile(inside, 25)) * depth > 9 and mean * depth > 0.35 * rough
            return mean / (40 + rough) if shown and mean * depth > 13 else -1.0

        for place in places(plate, alpha, bright):
            old = plate.under(place)
            new = np.asarray(old * (1 - np.clip(share, 0, 0.6)), np.float32)
            yield Edit(place, new, least=11.0, closing=5)
            break


def _areas(plate: Plate, scale: float = 1.0) -> Iterator[Stamp]:
    """Yield outlines for a change of surface: things first, then irregular patches."""
    low, high = plate.part
    if plate.rng.random() < 0.5:
        yield from _things(plate, tries=40)
    for _ in range(6):
        size = float(plate.rng.uniform(low * 1.3, high * 1.2)) * scale
        alpha = blob(plate.rng, size, size * plate.rng.uniform(0.6, 1), 0.3, 0.6)
        for place in places(plate, alpha, lambda pixels, alpha: 1.0, 24):
            yield place
            break


def recolour(plate: Plate) -> Iterator[Edit]:
    """Give an area another hue, saturation or lightness; its texture stays."""
    rng = plate.rng
    for stamp in _areas(plate):
        old = plate.under(stamp)
        lab = cv2.cvtColor(old / np.float32(255), cv2.COLOR_RGB2LAB)
        inside = stamp.alpha > 0.5
        light, a, b = (float(value) for value in lab[inside].mean(axis=0))
        new = lab.copy()
        how = rng.choice(["hue", "tint", "light"]) if plate.colour else "light"
        if how == "hue" and math.hypot(a, b) > 16:
            turn = rng.choice([-1, 1]) * rng.uniform(0.8, 2.6)
            cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
            new[..., 1] = cos * lab[..., 1] - sin * lab[..., 2]
            new[..., 2] = sin * lab[..., 1] + cos * lab[..., 2]
        elif how == "light" or not 25 < light < 90:
            step = float(rng.uniform(16, 38)) * (1 if light < 50 else -1)
            new[..., 0] = lab[..., 0] * max((light + step) / max(light, 4.0), 0.2)
        else:
            turn, chroma = rng.uniform(0, 2 * np.pi), rng.uniform(20, 45)
            new[..., 1] = lab[..., 1] + chroma * math.cos(turn)
            new[..., 2] = lab[..., 2] + chroma * math.sin(turn)
        new[..., 0] = np.clip(new[..., 0], 0, 100)
        seen = np.asarray(np.clip(cv2.cvtColor(new, cv2.COLOR_LAB2RGB), 0, 1), np.float32)
        moved_by = cv2.cvtColor(seen, cv2.COLOR_RGB2LAB)[inside] - lab[inside]
        if 15 <= float(np.linalg.norm(moved_by, axis=1).mean()) <= 50:
            yield Edit(stamp, mixed(old, seen * np.float32(255), stamp.alpha), closing=5)


def texture(plate: Plate) -> Iterator[Edit]:
    """Give an area another structure of the same mean: worn smooth, roughened, or disturbed."""
    rng = plate.rng
    low, high = plate.part
    for attempt in range(8):
        size = float(rng.uniform(low * 1.4, high * 1.3))
        alpha = blob(rng, size, size * rng.uniform(0.6, 1), 0.3, 0.7)
        worn = attempt < 4 and rng.random() < 0.75
        for place in places(plate, alpha, _textured if worn else _plain, 30):
            old = plate.under(place)
            if not worn:
                new = np.asarray(old + _relief(plate, alpha.shape)[..., None], np.float32)
            elif rng.random() < 0.6:
                grain = rng.standard_normal((*alpha.shape, 1), np.float32)
                new = np.asarray(soften(old, 4) + np.float32(1.5) * grain, np.float32)
            else:
                new = _shuffled(plate, old)
            yield Edit(place, mixed(old, new, alpha), least=9.0, closing=9)
            break


def _textured(pixels: Array, alpha: Array) -> float:
    """Prefer strong texture that is the same all over; edges of things are none."""
    inside = alpha > 0.5
    coarse = soften(pixels, 4)
    fine = np.abs(pixels - coarse).mean(axis=2)
    low, high = np.percentile(soften(fine, max(alpha.shape) / 14)[inside], (4, 96))
    swing = float(coarse[inside].std(axis=0).mean())
    return float(low) if low > 7 and low > 0.5 * high and swing < 1.5 * low else -1.0


def _plain(pixels: Array, alpha: Array) -> float:
    """Prefer places without texture, neither too dark nor too bright to carry one."""
    inside = alpha > 0.5
    coarse = soften(pixels, 3)
    fine, mean = float(np.abs(pixels - coarse)[inside].mean()), float(pixels[inside].mean())
    return 1 / (1 + fine) if 45 < mean < 205 and fine < 9 else -1.0


def _relief(plate: Plate, shape: tuple[int, ...]) -> Array:
    """Return roughness of zero mean: grain, or the furrows of a tool."""
    rng = plate.rng
    field = rng.standard_normal(shape[:2], np.float32)
    if rng.random() < 0.5:
        field = soften(field, float(rng.uniform(0.7, 1.3)))
    else:
        field = soften(field, 9, 0.8)
        if rng.random() < 0.5:
            field = soften(rng.standard_normal(shape[:2], np.float32), 0.8, 9)
    level = float(rng.uniform(14, 22)) / max(float(field.std()), 1e-6)
    return np.asarray((field - field.mean()) * np.float32(level), np.float32)


def _shuffled(plate: Plate, old: Array) -> Array:
    """Exchange pixels with others nearby: the same levels, another structure."""
    rows, columns = old.shape[:2]
    offsets = plate.rng.integers(-5, 6, (2, rows, columns))
    y = np.clip(np.arange(rows)[:, None] + offsets[0], 0, rows - 1)
    x = np.clip(np.arange(columns)[None, :] + offsets[1], 0, columns - 1)
    mixed = old[y, x]
    mean = soften(mixed, 4)
    # As sharp as the camera sees, but with the contrast it had.
    return np.asarray(mean + 1.8 * soften(mixed - mean, 0.7), np.float32)


#: A defect: from a plate to edits, the most suitable ones first.
Kind = Callable[[Plate], Iterator[Edit]]

#: Name of each kind, its function, and what the product calls it.
KINDS: dict[str, tuple[Kind, str]] = {
    "missing": (missing, "missing_part"),
    "added": (added, "added_part"),
    "moved": (moved, "moved"),
    "crack": (crack, "crack"),
    "scratch": (scratch, "scratch"),
    "stain": (stain, "stain"),
    "recolour": (recolour, "colour_change"),
    "texture": (texture, "texture_change"),
}
