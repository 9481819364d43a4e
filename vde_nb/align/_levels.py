"""The two pictures as registration sees them: small, grey, and free of the light.

Positions are pixel centres. A picture reduced by the whole number `f` has its pixel ``x`` where
the full one has ``f * x + (f - 1) / 2``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band
from vde_nb._native import LARGE

__all__ = [
    "Bools",
    "Box",
    "Float32",
    "Greys",
    "Level",
    "Matrix",
    "UInt8",
    "finest_level",
    "gradient",
    "greys",
    "is_large",
    "levels",
    "reduced",
    "scratch",
]

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]

#: Pixels: the most of the finest level, of the one below, and the least side of a third.
_FINE, _COARSE, _THIRD = 1_300_000, 330_000, 128
_BAND = 1_000_000  # pixels of the bands a large picture is reduced in
_BLUR = 1.0  # pixels: aliasing and noise go, so that differences are linear in displacement
_WINDOW = 31  # pixels: what is smoother than that is light
_LEAST_CONTRAST = 6.0  # grey levels, standard deviation: less is not amplified further
_MOST = 3.0  # of the normalised greys: highlights say no more than that

_SLOPE, _ONE = np.array([-0.5, 0, 0.5], np.float32), np.ones(1, np.float32)

#: Temporary arrays of the size of a level, kept per thread.
scratch = Scratch()


@dataclass(frozen=True, eq=False)
class Level:
    """Both pictures at one size, high-passed and of one local contrast.

    Attributes
    ----------
    factor
        Side of a pixel of this level in full pixels.
    block
        Side of the square blocks everything is summed over, in pixels of this level.
    reference
        ``(h, w)`` float32 in [-3, 3], whole blocks only: less than a block is left out at the
        right and at the bottom.
    current
        The same of the current picture, with what was left out; 0 where it is not real.
    dx, dy
        Slopes of `reference`.
    valid
        ``(left, top, right, bottom)``: first and last positions of `current` that are real.
    """

    factor: int
    block: int
    reference: Float32
    current: Float32
    dx: Float32
    dy: Float32
    valid: tuple[float, float, float, float]

    @property
    def grid(self) -> tuple[int, int]:
        """Blocks below each other, and side by side."""
        h, w = self.reference.shape
        return h // self.block, w // self.block

    def centres(self) -> Matrix:
        """Centres of the blocks, ``(rows, columns, 2)`` as (x, y) in pixels of this level."""
        rows, columns = self.grid
        half = (self.block - 1) / 2
        x, y = np.meshgrid(np.arange(columns) * self.block, np.arange(rows) * self.block)
        return np.asarray(np.dstack([x, y]) + half, np.float64)

    def _up(self) -> Matrix:
        f = float(self.factor)
        return np.array([[f, 0, (f - 1) / 2], [0, f, (f - 1) / 2], [0, 0, 1]])

    def from_full(self, matrix: Matrix) -> Matrix:
        """A map between the full pictures as a map between those of this level."""
        up = self._up()
        result = np.linalg.inv(up) @ matrix @ up
        return np.asarray(result / result[2, 2])

    def to_full(self, matrix: Matrix) -> Matrix:
        """A map between the pictures of this level as a map between the full ones."""
        up = self._up()
        result = up @ matrix @ np.linalg.inv(up)
        return np.asarray(result / result[2, 2])


def greys(picture: UInt8) -> UInt8:
    """Luma of an RGB picture."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def reduced(grey: UInt8, factor: int) -> UInt8:
    """A grey picture averaged over squares of `factor` pixels; an incomplete rest is left out."""
    if factor == 1:
        return grey
    h, w = grey.shape[0] // factor, grey.shape[1] // factor
    whole = grey[: h * factor, : w * factor]
    return np.asarray(cv2.resize(whole, (w, h), interpolation=cv2.INTER_AREA), np.uint8)


def is_large(shape: tuple[int, ...]) -> bool:
    """Whether a picture of this shape is looked at in bands, and never whole."""
    return shape[0] * shape[1] > LARGE


class Greys:
    """Luma of an RGB picture; of a large one, only what is asked for is ever made.

    Parameters
    ----------
    picture
        ``(H, W, 3)`` uint8.
    """

    def __init__(self, picture: UInt8) -> None:
        self._picture = picture
        self._whole = None if is_large(picture.shape) else greys(picture)

    @property
    def shape(self) -> tuple[int, int]:
        """``(H, W)``."""
        return self._picture.shape[0], self._picture.shape[1]

    def part(self, box: Box) -> UInt8:
        """The greys in a box ``(x, y, w, h)``."""
        x, y, w, h = box
        if self._whole is not None:
            return self._whole[y : y + h, x : x + w]
        return greys(self._picture[y : y + h, x : x + w])

    def reduced(self, factor: int) -> UInt8:
        """See :func:`reduced`: of a large picture the same, band by band."""
        if self._whole is not None:
            return reduced(self._whole, factor)
        height, width = (side // factor for side in self.shape)
        out = np.empty((height, width), np.uint8)
        # Bands that begin and end with a square are reduced as the whole would be.
        rows = max(1, _BAND // (self.shape[1] * factor))

        def band(first: int, end: int) -> None:
            top, bottom = first * factor, end * factor
            out[first:end] = reduced(greys(self._picture[top:bottom]), factor)

        for_each_band(band, height, width * factor * factor, rows)
        return out


def gradient(picture: Float32, name: str = "") -> tuple[Float32, Float32]:
    """Central differences, to the right and downwards; in scratch arrays if given a name."""
    across = scratch.get(name + "x", picture.shape, np.float32) if name else None
    down = scratch.get(name + "y", picture.shape, np.float32) if name else None
    return (
        np.asarray(cv2.sepFilter2D(picture, cv2.CV_32F, _SLOPE, _ONE, dst=across), np.float32),
        np.asarray(cv2.sepFilter2D(picture, cv2.CV_32F, _ONE, _SLOPE, dst=down), np.float32),
    )


def normalised(grey: UInt8) -> Float32:
    """Local mean to 0 and local contrast to 1: the picture without the light, (h, w) float32."""
    blurred, mean, spread = (scratch.get(name, grey.shape, np.float32) for name in "bms")
    np.copyto(mean, grey)
    cv2.GaussianBlur(mean, (0, 0), _BLUR, dst=blurred)
    window = (_WINDOW, _WINDOW)
    cv2.boxFilter(blurred, -1, window, dst=mean)
    cv2.sqrBoxFilter(blurred, cv2.CV_32F, window, dst=spread)
    spread -= mean * mean
    cv2.sqrt(np.maximum(spread, 0, out=spread), dst=spread)
    spread += _LEAST_CONTRAST
    result = cv2.divide(cv2.subtract(blurred, mean, dst=blurred), spread)
    return np.asarray(np.clip(result, -_MOST, _MOST, out=np.asarray(result)), np.float32)


def levels(reference: Greys, current: Greys, valid: Box) -> list[Level]:
    """Make the pyramid of two pictures of one size, the smallest level first.

    Parameters
    ----------
    reference, current
        The pictures.
    valid
        Box ``(x, y, w, h)`` of `current` that is real.
    """
    pixels = math.prod(reference.shape)
    finest = _finest_factor(pixels)
    ratio = max(1, math.ceil(math.sqrt(pixels / finest**2 / _COARSE)))
    factors = [finest] if ratio == 1 else [finest, finest * ratio]
    if min(reference.shape) // factors[-1] >= _THIRD:
        factors.append(factors[-1] * 2)
    found = []
    small = [grey.reduced(finest) for grey in (reference, current)]
    before = finest
    for factor in factors:
        small = [reduced(grey, factor // before) for grey in small]
        found.append(_level(small[0], small[1], factor, valid))
        before = factor
    return found[::-1]


def finest_level(reference: UInt8, current: UInt8, valid: Box) -> Level:
    """The largest level of :func:`levels` alone, of two RGB pictures."""
    factor = _finest_factor(reference.shape[0] * reference.shape[1])
    small = [Greys(picture).reduced(factor) for picture in (reference, current)]
    return _level(small[0], small[1], factor, valid)


def _finest_factor(pixels: int) -> int:
    return max(1, math.ceil(math.sqrt(pixels / _FINE)))


def _level(reference: UInt8, current: UInt8, factor: int, box: Box) -> Level:
    side = min(reference.shape)
    block = 16 if side >= 160 else 8 if side >= 48 else 4
    h, w = (length // block * block for length in reference.shape)
    held, moving = np.ascontiguousarray(normalised(reference)[:h, :w]), normalised(current)
    x, y, wide, high = box
    rows, columns = current.shape
    left, top = (x - (factor - 1) / 2) / factor, (y - (factor - 1) / 2) / factor
    right = min(left + (wide - 1) / factor, columns - 1.0)
    bottom = min(top + (high - 1) / factor, rows - 1.0)
    left, top = max(left, 0.0), max(top, 0.0)
    if (left, top, right, bottom) != (0, 0, columns - 1, rows - 1):
        real = np.zeros((rows, columns), bool)
        real[math.ceil(top) : int(bottom) + 1, math.ceil(left) : int(right) + 1] = True
        moving[~real] = 0
    return Level(factor, block, held, moving, *gradient(held), (left, top, right, bottom))
