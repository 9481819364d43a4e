"""A wall of fair-faced concrete: formwork joints, tie holes, pores and water stains."""

from __future__ import annotations

import numpy as np

from ._develop import Look
from ._noise import Array, Noise
from ._paint import Canvas, Point, Stamp
from ._scene import Change, Pick, Scene

__all__ = ["SCENE"]

_JOINTS = (262.0, 588.0)
_LEVEL = 318.0


def _ground(canvas: Canvas, noise: Noise) -> None:
    _concrete(canvas, noise)
    _formwork(canvas, noise)
    _pores(canvas, noise)


def _paint(canvas: Canvas, noise: Noise, pick: Pick, changed: bool) -> list[Change]:
    if not changed:
        return []
    crack_start = (pick.one(92.0, 330.0, 640.0) + pick.jitter(30), pick.one(28.0, 350.0))
    spall = pick.one((468.0, 446.0), (150.0, 470.0), (700.0, 180.0))
    streak = pick.one((676.0, 128.0), (400.0, 120.0))
    return [
        Change("crack", _crack(canvas, noise, crack_start)),
        Change("missing_part", [_spall(canvas, noise, *spall)]),
        Change("stain", [_rust(canvas, noise, *streak)]),
    ]


def _concrete(canvas: Canvas, noise: Noise) -> None:
    """Grey cement skin: mottled, streaked by rain, sandy at close range."""
    tone = 0.055 * noise.clouds(1, 420, 8, 0.6)
    tone += 1
    tone += 0.04 * noise.clouds(2, 60, 6, 0.6, stretch=9.0)
    sand = 0.22 * noise.speckle(3, 0.8)
    skin = 0.55 * noise.clouds(4, 28, 2, 0.75)
    canvas.relief += sand
    canvas.relief += skin
    canvas.relief += 2.2 * noise.clouds(7, 160, 10, 0.5)
    skin += 2 * sand
    tone += 0.04 * skin
    # Laitance: the pale film of cement that stays where the form was tight.
    tone += 0.10 * np.clip(noise.clouds(5, 240, 4, 0.62) - 0.7, 0, 1.2)
    warm = 0.018 * noise.clouds(6, 300, 16, 0.5)
    for channel, share in enumerate((1.0, 0.2, -1.0)):
        canvas.albedo[channel] *= tone * (1 + share * warm)


def _formwork(canvas: Canvas, noise: Noise) -> None:
    """Three panels with leaking joints, and the tie holes of the formwork."""
    rng = noise.rng(20)
    for index, x in enumerate((-1e3, *_JOINTS)):
        right = (*_JOINTS, 1e3)[index]
        panel = canvas.rect(x, -50, right - x, 800)
        canvas.multiply(panel, np.full((3, 1, 1), (1.02, 0.955, 1.0)[index], np.float32))
    rows = np.arange(-20, 640, 4, dtype=np.float32)
    for x in _JOINTS:
        wander = np.cumsum(rng.normal(0, 0.18, len(rows)))
        path = np.stack([x + wander - wander.mean(), rows], axis=1)
        leak = canvas.stroke(np.add(path, (2.5, 0)), 11, soft=4)
        canvas.multiply(leak, "#b9b7b4", 0.8)
        canvas.fill(canvas.stroke(np.subtract(path, (4.0, 0)), 3, soft=1.2), raised=2.4)
        widths = np.clip(rng.normal(2.4, 0.5, len(rows)), 1.5, 3.5)
        groove = canvas.stroke(path, widths, soft=0.35)
        canvas.multiply(groove, "#6d6b69")
        canvas.fill(groove, raised=-3.0)
    lift = np.arange(-20, 840, 5, dtype=np.float32)
    seam = np.stack([lift, _LEVEL + np.cumsum(rng.normal(0, 0.16, len(lift)))], axis=1)
    canvas.multiply(canvas.stroke(np.add(seam, (0, 2)), 5, soft=2.5), "#c9c7c3")
    canvas.fill(canvas.stroke(seam, 1.5, soft=0.5), raised=-2.0)
    for x in (90.0, 425.0, 745.0):
        for y in (118.0, 512.0):
            _tie_hole(canvas, x + rng.normal(0, 2), y + rng.normal(0, 2), rng)


def _tie_hole(canvas: Canvas, x: float, y: float, rng: np.random.Generator) -> None:
    """Paint a cone-shaped hole, its mortar plug set back, a damp trace below it."""
    run = [(x, y), (x + rng.normal(0, 2), y + 60), (x + rng.normal(0, 4), y + 150)]
    canvas.multiply(canvas.stroke(run, [15, 12, 7], soft=7), "#c4c2be", 0.75)
    canvas.multiply(canvas.disc(x, y, 21, soft=4), "#cfccc8", 0.7)
    canvas.fill(canvas.disc(x, y, 17.5, soft=0.7), "#75736f", 0.75, raised=-3.0)
    hole = canvas.disc(x, y, 15.5, soft=0.5)
    canvas.fill(hole, "#5c5a57", 0.9, raised=-4.0)
    # The light comes from the upper left, so the wall of the hole shades that side.
    canvas.shadow(
        hole.times(1 - canvas.disc(x + 6, y + 8, 15.5, soft=2.2).alpha_like(hole)), 0, 0, 0.8, 0.75
    )
    canvas.fill(canvas.disc(x + 1, y + 1, 9.5, soft=1.4), "#82807b", 0.5, raised=1.5)


def _pores(canvas: Canvas, noise: Noise) -> None:
    """Air bubbles: many tiny, few large, each a dark dimple with a bright lower lip."""
    rng = noise.rng(30)
    for _ in range(330):
        x, y = rng.uniform(-14, 814), rng.uniform(-14, 614)
        radius = min(0.7 + rng.pareto(2.6) * 0.8, 5.2)
        squash, turn = rng.uniform(0.6, 1.0), rng.uniform(0, 180)
        pore = canvas.disc(x, y, radius, radius * squash, turn, soft=0.35)
        canvas.multiply(pore, "#7d7b78", 0.85)
        canvas.fill(pore, raised=-1.6 - radius)
        if radius > 1.8:
            inner = canvas.disc(x - radius * 0.2, y - radius * 0.25, radius * 0.6, soft=0.6)
            canvas.shadow(inner, 0, 0, 0.5, 0.55)


def _walk(rng: np.random.Generator, start: Point, heading: float, steps: int, pull: float) -> Array:
    """Return a tortuous path: it wanders, and is pulled back to its heading (degrees)."""
    angle, here = heading, np.array(start)
    path = [here]
    for _ in range(steps):
        angle += rng.normal(0, 26) + pull * (heading - angle)
        stride = rng.uniform(3.5, 7.5)
        here = here + stride * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        path.append(here)
    return np.asarray(path, np.float32)


def _crack(canvas: Canvas, noise: Noise, start: Point) -> list[Stamp]:
    """Paint a settlement crack with two branches, one to three pixels wide."""
    rng = noise.rng(40)
    trunk = _walk(rng, start, 62, 42, 0.45)
    swell = 1.7 + 0.7 * np.sin(np.linspace(0.3, 2.9, len(trunk))) + rng.normal(0, 0.25, len(trunk))
    limbs = [(trunk, swell)]
    for at, heading, steps in ((13, 18, 15), (26, 112, 13)):
        twig = _walk(rng, (float(trunk[at, 0]), float(trunk[at, 1])), heading, steps, 0.4)
        limbs.append((twig, np.linspace(1.7, 0.8, len(twig))))
    outline = []
    for path, widths in limbs:
        dust = canvas.stroke(np.add(path, (1.2, 1.2)), widths + 1.2, soft=0.7)
        canvas.multiply(dust, "#d5d2cd", 0.6)
        gap = canvas.stroke(path, widths, soft=0.25)
        canvas.multiply(gap, "#3d3b39", 0.92)
        canvas.fill(gap, raised=-2.2)
        outline.append(canvas.stroke(path, widths + 0.8))
    return outline


def _spall(canvas: Canvas, noise: Noise, x: float, y: float) -> Stamp:
    """Paint a patch of skin that has come off: aggregate and a ragged, shadowed edge."""
    rng = noise.rng(50)
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = 1 + 0.16 * np.sin(2 * turn + 0.5) + 0.09 * np.sin(5 * turn) + rng.normal(0, 0.07, 40)
    outline = np.stack([x + 40 * radius * np.cos(turn), y + 29 * radius * np.sin(turn)], axis=1)
    patch = canvas.polygon(outline, soft=0.4)
    rows, columns = patch.window
    rough = noise.clouds(51, 26, 2, 0.7)[rows, columns]
    pebbles = np.clip(1.15 - noise.cells(52, 17)[rows, columns], 0, 1)
    hue = noise.clouds(53, 20, 10, 0.4)[rows, columns]
    fresh = 0.27 + 0.035 * rough + 0.10 * pebbles * hue
    fresh = fresh * np.array([1.06, 0.97, 0.84], np.float32)[:, None, None]
    canvas.fill(
        patch,
        np.asarray(fresh, np.float32),
        raised=np.asarray(-9 + 2.2 * rough + 7 * pebbles, np.float32),
    )
    inside = canvas.polygon(outline + np.array([4.0, 5.0]), soft=1.6).alpha_like(patch)
    canvas.shadow(patch.times(1 - inside), 0, 0, 0.6, 0.6)
    return patch


def _rust(canvas: Canvas, noise: Noise, x: float, y: float) -> Stamp:
    """Rust that runs down from a corroding bar under the skin."""
    rng = noise.rng(60)
    streams = np.zeros(canvas.shape, np.float32)
    for dx, length, width in ((0, 158, 15), (-12, 92, 9), (11, 118, 10), (3, 70, 18), (-5, 134, 7)):
        rows = np.linspace(0, length, 14)
        drift = np.cumsum(rng.normal(0, 0.7, 14))
        path = np.stack([x + dx + drift, y + rows], axis=1)
        stream = canvas.stroke(path, np.linspace(width, width * 0.35, 14), soft=2.4)
        under = streams[stream.window]
        fade = np.clip(1.15 - stream.down(), 0, 1)
        np.maximum(under, stream.alpha * fade, out=under)
    source = canvas.disc(x, y + 2, 17, 7, soft=2.5)
    under = streams[source.window]
    np.maximum(under, source.alpha, out=under)
    box = canvas.rect(x - 34, y - 20, 68, 200)
    rows_, columns = box.window
    body = streams[rows_, columns]
    grainy = np.clip(0.95 + 0.16 * noise.clouds(61, 22, 2, 0.7)[rows_, columns], 0, 1.2)
    stain = Stamp(box.top, box.left, np.asarray(np.clip(body * grainy, 0, 1), np.float32))
    canvas.multiply(stain, "#b0703c", 1.0)
    core = Stamp(box.top, box.left, np.asarray(np.clip(stain.alpha * 2.4 - 1.55, 0, 1), np.float32))
    canvas.multiply(core, "#8f5a34", 0.8)
    return Stamp(box.top, box.left, np.asarray(body > 0.22, np.float32))


SCENE = Scene(
    key=3,
    size=(800, 600),
    description="A concrete wall on which a crack, a spalled patch and a rust streak appeared.",
    look=Look(
        sun=(-0.75, -0.85, 1.0),
        ambient=0.35,
        bump=0.85,
        falloff=(0.22, 0.14),
        tint=(1.0, 0.985, 0.95),
        exposure=1.45,
    ),
    ground=_ground,
    paint=_paint,
)
