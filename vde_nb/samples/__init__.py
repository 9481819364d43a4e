"""Pairs of pictures made on the spot, with the truth about what changed.

Every pair is painted by a few hundred lines of arithmetic: nothing is downloaded, nothing is read
from disk, and the same arguments give the same bytes. (On another processor, a few values in a
million differ by a grey level; what has changed, and where, does not.) The pictures look like
photographs of an inspection camera, and one like a screenshot; the truth comes from the painter,
not from comparing the two. `stress` makes a pair of any picture of yours: known defects, under
known nuisances. `series` makes what a fixed camera sees over days, of a sample or of a picture of
yours.

>>> from vde_nb import samples
>>> samples.list()
('tyre', 'board', 'wall', 'label', 'aerial', 'shelf', 'screen')
>>> pair = samples.load("tyre")
>>> pair.reference.shape, pair.reference.dtype
((600, 800, 3), dtype('uint8'))
"""

from __future__ import annotations

import difflib
import functools
import math
import numbers
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from .._table import Table
from ..errors import SettingError
from . import _aerial, _board, _label, _shelf, _tyre, _wall
from ._events import Layer, SampleEvent, painted, staged
from ._paint import FINE, MARGIN
from ._pair import SamplePair, Truth, TruthRegion, take
from ._scene import Exposure, Scene, shoot
from ._screen import SCREEN, Screen
from ._series import SampleSeries, filmed
from ._stress import checked_picture, stress

__all__ = [
    "SampleEvent",
    "SamplePair",
    "SampleSeries",
    "Truth",
    "TruthRegion",
    "list",
    "load",
    "series",
    "stress",
]


def __dir__() -> Sequence[str]:  # `list` is a function here
    return sorted(__all__)


#: Real pixels around a sample's picture, for a camera that gives.
_EDGE = 8

_SCENES: dict[str, Scene | Screen] = {
    "tyre": _tyre.SCENE,
    "board": _board.SCENE,
    "wall": _wall.SCENE,
    "label": _label.SCENE,
    "aerial": _aerial.SCENE,
    "shelf": _shelf.SCENE,
    "screen": SCREEN,
}


class _Names(tuple[str, ...]):
    """Names of samples; a notebook shows what each is."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        rows = [{"name": name, "what": _SCENES[name].description} for name in self]
        return Table(rows)._repr_html_()


def list() -> tuple[str, ...]:
    """Names of the bundled samples, for `load`; a notebook shows a table of what they are."""
    return _Names(_SCENES)


def load(
    name: str,
    shift: Sequence[float] = (0.0, 0.0),
    light: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
    rerendered: bool = False,
) -> SamplePair:
    """Make a sample pair.

    With `shift`, `light` and `noise` left at zero and `rerendered` off, the two pictures differ in
    the true changes and nowhere else. The result is remembered, so its arrays are read-only.

    Parameters
    ----------
    name : str
        One of `list`.
    shift : sequence of two float
        ``(dx, dy)`` by which everything in the current picture has moved, in pixels, to the right
        and down, -16 to 16 each; fractions are honoured. What comes in at the border is real. The
        truth stays in reference pixels.
    light : float
        Change of the light in the current picture, -1 (darker) to 1 (brighter), 0 for none. At 1
        it is a quarter more exposure, a lamp moved to the right, and a soft shadow at the top
        left.
    noise : float
        Standard deviation of the sensor noise added to the current picture, in grey levels, 0 to
        64.
    seed : int
        Where the changes fall and which noise is drawn, 0 or more. 0 is the curated picture; the
        scene itself stays the same.
    rerendered : bool
        For ``"screen"`` alone: the current picture was taken later and on another machine, which
        smooths letters and curves differently; the clock and the caret in the search field, named
        by the pair's `ignore`, differ, too. None of this is in the truth.

    Returns
    -------
    SamplePair
        `reference`, `current`, `truth`, `name`, `description`, `ignore`.

    Raises
    ------
    SettingError
        An unknown name, or a value outside its range.

    Examples
    --------
    >>> pair = load("wall")
    >>> pair
    SamplePair('wall', 800×600, changes: crack, missing_part, stain)
    >>> load("wal")
    Traceback (most recent call last):
    vde_nb.errors.SettingError: there is no sample 'wal': did you mean 'wall'? There are tyre, \
board, wall, label, aerial, shelf, screen.
    """
    if name not in _SCENES:
        raise SettingError(_unknown(name))
    try:
        moves = tuple(_number("shift", value, -MARGIN, MARGIN) for value in shift)
    except TypeError:
        moves = ()
    if len(moves) != 2:
        raise SettingError(f"shift must be two numbers, (dx, dy) in pixels, not {shift!r}")
    light = _number("light", light, -1, 1)
    noise = _number("noise", noise, 0, 64)
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or seed < 0:
        raise SettingError(f"seed must be a whole number, 0 or more, not {seed!r}")
    if not isinstance(rerendered, bool):
        raise SettingError(f"rerendered must be True or False, not {rerendered!r}")
    if rerendered and not isinstance(_SCENES[name], Screen):
        raise SettingError(
            f"rerendered is for the sample 'screen': {name!r} is a photograph, which shift, light "
            "and noise change"
        )
    return _taken(name, (moves[0], moves[1]), light, noise, int(seed), rerendered)


def series(
    scene: str | npt.ArrayLike = "wall",
    normals: int = 24,
    frames: int = 36,
    seed: int = 0,
    *,
    events: int = 5,
    nuisances: str = "day",
    strength: float = 1.0,
    drift: float = 0.0,
) -> SampleSeries:
    """Make what a fixed camera sees over days: a picture every 30 minutes from 6:30 to 18:00.

    First come `normals` pictures of the scene as it should be, then `frames` pictures in which
    anomalies appear: one grows and stays, one goes and comes back, one stays, one goes, one passes
    by. Pictures are made when they are asked for, so a series of a thousand needs no memory.

    Parameters
    ----------
    scene : str or array_like of uint8, shape (H, W, 3) RGB or (H, W) grey
        One of `list`, or a picture of yours of at least 96 pixels on each side. A sample's own
        changes happen to it first, then defects of `stress`; to a picture of yours the latter.
    normals, frames : int
        How many, 1 to 100000 each.
    seed : int
        What happens where and when, weather and noise; 0 or more.
    events : int
        How many anomalies, 0 to 12.
    nuisances : {"day", "usual", "none"}
        ``"day"``: daylight with clouds, low red sun, a lamp, soft shadows that wander, a mount that
        gives by up to 1.5 pixels, noise, JPEG. ``"usual"``: those of `stress`, drawn anew for each
        picture. ``"none"``.
    strength : float
        Scales every nuisance, 0 (none) to 3.
    drift : float
        How dirty the scene gets until the last frame, 0 (not at all) to 1; that is no anomaly in
        the truth, but a scene that leaves what was learned from the normals.

    Returns
    -------
    SampleSeries
        `normals`, `frames`, `times`, `truth`, `events`.

    Raises
    ------
    SettingError
        An unknown name, a value outside its range, or a picture under 96 pixels.
    ImageError
        Not a picture of 8 bits, or there is no place in it for that many events.

    Examples
    --------
    >>> days = series("wall", normals=24, frames=36)
    >>> days.events[0], days.times[0].isoformat()
    (SampleEvent(1, 'added_part', comes back, frames 11–15, 25–29), '2026-06-02T06:30:00')
    >>> days.frames[12].shape, [region.type for region in days.truth[12].regions]
    ((600, 800, 3), ['added_part'])
    """
    for setting, value, low, high in (
        ("normals", normals, 1, 100_000),
        ("frames", frames, 1, 100_000),
        ("seed", seed, 0, math.inf),
        ("events", events, 0, 12),
    ):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise SettingError(f"{setting} must be a whole number, not {value!r}")
        if not low <= value <= high:
            span = f"{low} or more" if high == math.inf else f"from {low} to {high}"
            raise SettingError(f"{setting} must be {span}, not {value!r}")
    if nuisances not in ("day", "usual", "none"):
        raise SettingError(f"nuisances must be 'day', 'usual' or 'none', not {nuisances!r}")
    strength, drift = _number("strength", strength, 0, 3), _number("drift", drift, 0, 1)
    if isinstance(scene, str):
        if scene not in _SCENES:
            raise SettingError(_unknown(scene))
        name, margin, picture, own = scene, _EDGE, *_wide(scene, int(seed))
    else:
        picture = checked_picture(scene, "series")
        name, margin, own = "series", 0, []
    seen = picture[margin : picture.shape[0] - margin, margin : picture.shape[1] - margin]
    story = staged(seen, own, int(events), int(frames), int(seed))
    return filmed(
        name,
        f"A fixed camera over {normals + frames} pictures in which {len(story)} anomalies come, "
        "stay and go.",
        picture,
        margin,
        story,
        int(normals),
        int(frames),
        int(seed),
        nuisances,
        strength,
        drift,
    )


def _wide(name: str, seed: int) -> tuple[npt.NDArray[np.uint8], Sequence[Layer]]:
    """Return a sample's clean picture with a margin of `_EDGE`, and what may happen to it."""
    fine = _shot(name, seed).reference
    cut = (MARGIN - _EDGE) * FINE
    inner = fine[cut:-cut, cut:-cut]
    size = (inner.shape[1] // FINE, inner.shape[0] // FINE)
    picture = np.asarray(cv2.resize(inner, size, interpolation=cv2.INTER_AREA), np.uint8)
    pair = load(name, seed=seed)
    return picture, painted(pair.reference, pair.current, pair.truth.regions)


def _number(setting: str, value: float, low: float, high: float) -> float:
    """Check one number."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise SettingError(f"{setting} must be a number from {low} to {high}, not {value!r}")
    return float(value)


def _unknown(name: object) -> str:
    """Say which names there are, the nearest first."""
    near = difflib.get_close_matches(str(name), _SCENES, n=3, cutoff=0.55)
    hint = f": did you mean {' or '.join(map(repr, near))}?" if near else "."
    return f"there is no sample {name!r}{hint} There are {', '.join(_SCENES)}."


@functools.lru_cache(maxsize=4)
def _shot(name: str, seed: int, rerendered: bool = False) -> Exposure:
    scene = _SCENES[name]
    return scene.shoot(seed, rerendered) if isinstance(scene, Screen) else shoot(scene, seed)


@functools.lru_cache(maxsize=16)
def _taken(
    name: str,
    shift: tuple[float, float],
    light: float,
    noise: float,
    seed: int,
    rerendered: bool,
) -> SamplePair:
    scene = _SCENES[name]
    shot = _shot(name, seed, rerendered)
    ignore = scene.ignore if isinstance(scene, Screen) else ()
    return take(name, scene.description, shot, shift, light, noise, seed, ignore)
