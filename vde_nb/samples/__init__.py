"""Pairs of pictures made on the spot, with the truth about what changed.

Every pair is painted by a few hundred lines of arithmetic: nothing is downloaded, nothing is read
from disk, and the same arguments give the same bytes. The pictures look like photographs of an
inspection camera; the truth comes from the painter, not from comparing the two. `stress` makes a
pair of any picture of yours: known defects, under known nuisances.

>>> from vde_nb import samples
>>> samples.list()
('tyre', 'board', 'wall', 'label', 'aerial', 'shelf')
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

from ..errors import SettingError
from . import _aerial, _board, _label, _shelf, _tyre, _wall
from ._paint import MARGIN
from ._pair import SamplePair, Truth, TruthRegion, take
from ._scene import Exposure, Scene, shoot
from ._stress import stress

__all__ = ["SamplePair", "Truth", "TruthRegion", "list", "load", "stress"]

_SCENES: dict[str, Scene] = {
    "tyre": _tyre.SCENE,
    "board": _board.SCENE,
    "wall": _wall.SCENE,
    "label": _label.SCENE,
    "aerial": _aerial.SCENE,
    "shelf": _shelf.SCENE,
}


def list() -> tuple[str, ...]:
    """Names of the bundled samples, for `load`."""
    return tuple(_SCENES)


def load(
    name: str,
    shift: Sequence[float] = (0.0, 0.0),
    light: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
) -> SamplePair:
    """Make a sample pair.

    With `shift`, `light` and `noise` left at zero, the two pictures differ in the true changes and
    nowhere else. The result is remembered, so its arrays are read-only.

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

    Returns
    -------
    SamplePair
        `reference`, `current`, `truth`, `name`, `description`.

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
board, wall, label, aerial, shelf.
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
    return _taken(name, (moves[0], moves[1]), light, noise, int(seed))


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
def _shot(name: str, seed: int) -> Exposure:
    return shoot(_SCENES[name], seed)


@functools.lru_cache(maxsize=16)
def _taken(
    name: str, shift: tuple[float, float], light: float, noise: float, seed: int
) -> SamplePair:
    scene = _SCENES[name]
    return take(name, scene.description, _shot(name, seed), shift, light, noise, seed)
