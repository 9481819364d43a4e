"""What every scene has in common: painting before and after, and the outline of the changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from ._develop import Look, develop
from ._noise import Noise
from ._paint import FINE, Canvas, Stamp

__all__ = ["Change", "Exposure", "Pick", "Scene", "shoot"]

_T = TypeVar("_T")

_GRAIN = 999
# A pixel belongs to a change when at least this share of it is covered.
_COVERED = 0.25
# How far, in picture pixels, the blur of the lens may carry a change out of its outline.
_BLEED = 2.5


class Pick:
    """The choices a seed makes: which part goes missing, where a stain falls.

    Seed 0 is the curated picture: it always takes the first option and never moves anything.

    Parameters
    ----------
    seed : int
        0 or more.
    """

    def __init__(self, seed: int) -> None:
        self._curated = seed == 0
        self._rng = np.random.Generator(np.random.PCG64([seed, 77]))

    def one(self, *options: _T) -> _T:
        """Return one of the options."""
        return options[0 if self._curated else int(self._rng.integers(len(options)))]

    def jitter(self, reach: float) -> float:
        """Return a number between ``-reach`` and ``reach``."""
        return 0.0 if self._curated else float(self._rng.uniform(-reach, reach))


@dataclass(frozen=True, eq=False)
class Change:
    """One anomaly as a scene paints it: its type and the stamps that make up its outline."""

    type: str
    stamps: Sequence[Stamp]


@dataclass(frozen=True)
class Scene:
    """A subject that can be painted before and after.

    Attributes
    ----------
    key : int
        Number of its textures.
    size : tuple of int
        ``(width, height)`` of the picture.
    description : str
        One sentence for people.
    look : Look
        Light and lens.
    ground : callable
        ``ground(canvas, noise)`` paints what no change ever touches. It runs once.
    paint : callable
        ``paint(canvas, noise, pick, changed)`` paints the rest on top, with the anomalies if
        `changed`, and returns these (an empty list before the change). It runs twice.
    """

    key: int
    size: tuple[int, int]
    description: str
    look: Look
    ground: Callable[[Canvas, Noise], None]
    paint: Callable[[Canvas, Noise, Pick, bool], list[Change]]


@dataclass(frozen=True, eq=False)
class Exposure:
    """Both pictures of a scene at the resolution of the canvas, and the outlines.

    Attributes
    ----------
    reference, current : ndarray of uint8, shape (rows, columns, 3)
        RGB, with margins.
    changes : tuple of (str, ndarray of bool)
        Type and mask of each anomaly, at the resolution of the picture, with margins.
    """

    reference: npt.NDArray[np.uint8]
    current: npt.NDArray[np.uint8]
    changes: tuple[tuple[str, npt.NDArray[np.bool_]], ...]


def shoot(scene: Scene, seed: int) -> Exposure:
    """Paint and photograph a scene twice.

    Outside of the outlines (and `_BLEED` pixels around them) the two pictures are the same bytes:
    the current picture is the reference one with the outlines developed again.
    """
    before = Canvas(*scene.size)
    noise = Noise(scene.key, before.shape)
    scene.ground(before, noise)
    after = before.copy()
    scene.paint(before, noise, Pick(seed), False)
    changes = scene.paint(after, noise, Pick(seed), True)
    grain = noise.speckle(_GRAIN, 0.6)
    reference = develop(before, scene.look, grain)
    current = reference.copy()
    outlines = []
    for change in changes:
        mask = _outline(before, change)
        outlines.append((change.type, mask))
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        reach = math.ceil(_BLEED)
        box = tuple(
            slice(max(int(span[0]) - reach, 0), min(int(span[-1]) + reach + 1, count))
            for span, count in zip((rows, columns), mask.shape, strict=True)
        )
        outside = (~mask[box]).astype(np.uint8)
        far = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        weight = np.clip((_BLEED - far) / 1.5, 0, 1)
        down, across = (slice(side.start * FINE, side.stop * FINE) for side in box)
        share = weight.repeat(FINE, axis=0).repeat(FINE, axis=1)[..., None]
        patch = develop(after, scene.look, grain, (down, across)).astype(np.float32)
        old = current[down, across].astype(np.float32)
        current[down, across] = np.rint(old + share * (patch - old)).astype(np.uint8)
    return Exposure(reference, current, tuple(outlines))


def _outline(canvas: Canvas, change: Change) -> npt.NDArray[np.bool_]:
    """Return what the stamps of a change cover, in picture pixels."""
    cover = np.zeros(canvas.shape, np.float32)
    for stamp in change.stamps:
        under = cover[stamp.window]
        np.maximum(under, stamp.alpha, out=under)
    rows, columns = canvas.shape
    small = cv2.resize(cover, (columns // FINE, rows // FINE), interpolation=cv2.INTER_AREA)
    return np.asarray(small >= _COVERED, np.bool_)
