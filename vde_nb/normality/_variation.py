"""Variation: the robust mean of every pixel, and by how much it varies.

The variation model of industrial template inspection, learnt from the normal pictures: per pixel
and plane (lightness and two opponent colours) a robust mean and deviation. A pixel counts by how
far it lies outside of the mean's levels within a pixel, in deviations; evidence then gathers along
lines and over areas, as in :mod:`vde_nb.difference.tolerant`.

The deviation of n pictures is shrunk towards what one picture tells,
``v**2 = ((n - 1) s**2 + 4 d**2) / (n + 3)`` with ``d**2 = pooled**2 + (0.1 gradient)**2``: the more
of them there are, the more they are believed. Every normal picture is judged by the others in
closed form, by taking its share out of the sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band
from vde_nb._buffers import empty
from vde_nb._reduced import rows_of, small
from vde_nb.difference._lines import TAPS, line_sums
from vde_nb.difference._opponent import Planes, opponent, square
from vde_nb.difference._variation import FIXED
from vde_nb.normality._bank import Bank
from vde_nb.normality.base import Bool, Facts, Float32, Float64, Frame, Grid, KindEntry, UInt8

__all__ = ["ENTRY", "Variation"]

_MIDDLE = 128.0  # levels are kept as distances from it: float16 is finest around 0
_START = 15  # pictures whose median is where the robust mean starts
_OUTLYING = 3.0  # deviations beyond which a picture counts less
_LEAST = 1.0  # grey levels: no pixel varies by less
_PRIOR = 4.0  # pictures the prior deviation counts as much as
_GRADIENT = 0.1  # grey levels a pixel may vary per grey level of gradient
_ENVELOPE = 0.8  # share of the distance from the levels within a pixel; the rest is plain
_AREA, _AREA_WEIGHT = 3.0, 1.0  # standard deviation of the area mean in pixels, and its weight
_NOISIER = 2.0  # a picture may have so many times the usual noise before that is a change
_LARGEST = 8191  # eight of them fit 16 bits
_EDGE = 2  # pixels beside what a picture does not show that are not judged
_SEEN = 1.5  # pictures that have to show a pixel
_UNKNOWN = 1e4  # deviation where none did
_ROWS = 64
_scratch = Scratch()


@dataclass(frozen=True, eq=False)
class Variation:
    """Mean and deviation of every pixel.

    Attributes
    ----------
    mean
        ``(3, H, W)`` float16: lightness, red-green, yellow-blue, less 128.
    deviation
        ``(3, H, W)`` float16, in grey levels.
    """

    mean: npt.NDArray[np.float16]
    deviation: npt.NDArray[np.float16]
    name: ClassVar[str] = "variation"

    def distances(self, frame: Frame) -> Float32:
        """Deviations beyond what is normal, gathered along lines and over areas, ``(H, W)``."""
        return self.maps(frame)[0]

    def maps(self, frame: Frame) -> tuple[Float32, Float32]:
        """Distances to decide by, and the same as wide as what changed, to outline by."""
        return _gathered(_beyond(opponent(frame.levelled), self._rows, frame.valid), frame.valid)

    def _rows(self, plane: int, first: int, end: int) -> tuple[Float32, Float32]:
        mean = self.mean[plane, first:end].astype(np.float32)
        mean += np.float32(_MIDDLE)
        return mean, self.deviation[plane, first:end].astype(np.float32)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Mean and deviation."""
        return {"mean": self.mean, "deviation": self.deviation}

    def facts(self) -> Facts:
        """Nothing more."""
        return {}


class _Sums:
    """Robust sums over the pictures of a bank, from which one can be taken out again."""

    def __init__(self, bank: Bank, weights: Float64) -> None:
        self.planes: list[Planes] = [opponent(frame.levelled) for frame in bank]
        self.valid = [_shown(frame.valid) for frame in bank]
        self.weights = weights.astype(np.float32)
        height, width = self.planes[0][0].shape
        shape = 3, height, width
        self.start, self.spread = empty(shape, np.uint8), empty(shape, np.uint8)
        self.count, self.first, self.second = (empty(shape, np.float32) for _ in range(3))
        chosen = np.unique(np.linspace(0, len(bank) - 1, min(len(bank), _START)).astype(int))

        def band(top: int, end: int) -> None:
            for plane in range(3):
                levels = np.stack([one[plane][top:end] for one in self.planes])
                self._begin(levels[chosen], (plane, slice(top, end)))
                self._gather(levels, plane, top, end)

        for_each_band(band, height, width, max(2, _ROWS // 4))
        self.pooled = [self._pooled(plane) for plane in range(3)]

    def _begin(self, levels: UInt8, where: Any) -> None:
        """Median and spread of some of the pictures."""
        half = len(levels) // 2
        middle = np.partition(levels, half, axis=0)[half]
        off = cv2.absdiff(
            levels.reshape(len(levels), -1), np.tile(middle.ravel(), (len(levels), 1))
        )
        near = np.partition(off, half, axis=0)[half].reshape(middle.shape)
        self.start[where], self.spread[where] = middle, near

    def _share(self, number: int, plane: int, top: int, end: int) -> tuple[Float32, Float32]:
        """Distance of a picture from the start, and how much it counts."""
        start = self.start[plane, top:end]
        away = self.planes[number][plane][top:end].astype(np.float32) - start
        limit = self.spread[plane, top:end].astype(np.float32)
        limit = (limit * np.float32(1.4826) + np.float32(_LEAST)) * np.float32(_OUTLYING)
        trust = np.minimum(1, limit / np.maximum(np.abs(away), np.float32(1)))
        trust *= trust
        trust *= self.weights[number]
        shown = self.valid[number]
        if shown is not None:
            trust *= shown[top:end]
        return away, trust

    def _gather(self, levels: UInt8, plane: int, top: int, end: int) -> None:
        where = plane, slice(top, end)
        for target in (self.count, self.first, self.second):
            target[where] = 0
        for number in range(len(levels)):
            away, trust = self._share(number, plane, top, end)
            self.count[where] += trust
            trust *= away
            self.first[where] += trust
            trust *= away
            self.second[where] += trust

    def _pooled(self, plane: int) -> float:
        """Deviation of the pixels in the middle of the order of all deviations."""
        part = plane, slice(None, None, 3), slice(None, None, 3)
        count = np.maximum(self.count[part], np.float32(1e-3))
        mean = self.first[part] / count
        spread = np.maximum(self.second[part] / count - mean * mean, 0)
        sure = spread[self.count[part] > 1.5 * self.weights.max()]
        found = float(np.sqrt(np.median(sure))) if sure.size else 0.0
        if len(self.planes) == 1:
            found = _grain(self.planes[0][plane])  # all there is to tell noise by
        return max(found, _LEAST)

    def rows(
        self, plane: int, first: int, end: int, but: int | None = None
    ) -> tuple[Float32, Float32]:
        """Mean and deviation of some rows, with one picture left out of the sums."""
        where = plane, slice(first, end)
        count, total, squares = self.count[where], self.first[where], self.second[where]
        if but is not None:
            away, trust = self._share(but, plane, first, end)
            count = count - trust
            trust *= away
            total = total - trust
            trust *= away
            squares = squares - trust
        unit = np.float32(self.weights.max())
        count = np.maximum(count / unit, 0)
        divisor = np.maximum(count, np.float32(1e-2)) * unit
        mean = total / divisor
        spread = np.maximum(squares / divisor - mean * mean, 0)  # of `count` pictures, biased
        mean += self.start[where]
        steep = cv2.morphologyEx(mean, cv2.MORPH_GRADIENT, square(1)) / 2
        prior = (steep * np.float32(_GRADIENT)) ** 2 + np.float32(self.pooled[plane] ** 2)
        known = np.maximum(count - 1, 0)
        varies = (count * spread + np.float32(_PRIOR) * prior) / (known + np.float32(_PRIOR))
        deviation = np.sqrt(np.maximum(varies, np.float32(_LEAST**2)))
        # What hardly a picture showed, as at a border, is not known and cannot be judged.
        deviation[count < (0.5 if len(self.planes) < 3 else _SEEN)] = _UNKNOWN
        return mean, np.asarray(deviation, np.float32)


def _grain(plane: UInt8) -> float:
    """Standard deviation of the finest detail of a picture, in grey levels."""
    second = np.diff(plane[::3].astype(np.float32), n=2, axis=1)
    return float(np.median(np.abs(second))) * 1.4826 / 6**0.5 if second.size else 0.0


def _shown(valid: Bool | None) -> Bool | None:
    """What a picture surely shows: interpolation takes the pixels beside it into account."""
    if valid is None:
        return None
    kernel = square(_EDGE)
    inside = cv2.erode(valid.view(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(inside, np.uint8).view(np.bool_)


def _beyond(planes: Planes, rows_of_model: Any, valid: Bool | None) -> npt.NDArray[np.uint16]:
    """Deviations beyond what is normal at every pixel, in 64ths."""
    height, width = planes[0].shape
    out = empty((height, width), np.uint16)
    window = square(1)
    shown = _shown(valid)

    def band(first: int, end: int) -> None:
        top, bottom = max(0, first - 1), min(height, end + 1)
        inner = slice(first - top, end - top)
        total = _scratch.get("total", (end - first, width), np.float32)
        total[:] = 0
        for plane, levels in enumerate(planes):
            now = levels[top:bottom].astype(np.float32)
            mean, deviation = rows_of_model(plane, top, bottom)
            off = np.maximum(now - cv2.dilate(mean, window), cv2.erode(mean, window) - now)
            back = np.maximum(mean - cv2.dilate(now, window), cv2.erode(now, window) - mean)
            off = np.maximum(np.maximum(off, back), 0)[inner]
            plain = cv2.absdiff(now, mean)[inner]
            off = off * np.float32(_ENVELOPE) + plain * np.float32(1 - _ENVELOPE)
            off /= deviation[inner]
            off *= off
            total += off
        np.sqrt(total, out=total)
        total *= np.float32(FIXED)
        np.minimum(total, np.float32(_LARGEST), out=total)
        if shown is not None:
            total *= shown[first:end]
        np.copyto(out[first:end], total, casting="unsafe")

    for_each_band(band, height, width, _ROWS)
    return out


def _gathered(beyond: npt.NDArray[np.uint16], valid: Bool | None) -> tuple[Float32, Float32]:
    """Evidence along lines and over areas; as it is, and as wide as what changed."""
    height, width = beyond.shape
    lines = line_sums(beyond)
    half = small(width, 2), small(height, 2)
    area = cv2.resize(beyond, half, interpolation=cv2.INTER_AREA).astype(np.float32)
    area = np.asarray(cv2.GaussianBlur(area, (0, 0), _AREA / 2), np.float32)
    out, local = (empty((height, width), np.float32) for _ in range(2))

    def band(first: int, end: int) -> None:
        wide, sharp = out[first:end], local[first:end]
        np.multiply(lines[first:end], np.float32(1 / TAPS), out=sharp)
        np.multiply(rows_of(area, first, end, height, width), np.float32(_AREA_WEIGHT), out=wide)
        np.maximum(wide, sharp, out=wide)
        np.maximum(sharp, np.float32(1), out=sharp)
        np.divide(beyond[first:end], sharp, out=sharp)
        np.minimum(sharp, np.float32(1), out=sharp)
        np.sqrt(sharp, out=sharp)
        np.multiply(wide, np.float32(1 / FIXED), out=wide)
        np.multiply(sharp, wide, out=sharp)
        if valid is not None:
            hidden = ~valid[first:end]
            wide[hidden] = 0
            sharp[hidden] = 0

    for_each_band(band, height, width, 2 * _ROWS)
    return out, local


def fit(bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid | None = None) -> Variation:
    """Fit to the frames of a bank; `seed` and `grid` make no difference."""
    return _model(_Sums(bank, weights))


def _model(sums: _Sums) -> Variation:
    _, height, width = sums.count.shape
    mean, deviation = (np.empty((3, height, width), np.float16) for _ in range(2))

    def band(first: int, end: int) -> None:
        top, bottom = max(0, first - 1), min(height, end + 1)
        for plane in range(3):
            middle, spread = sums.rows(plane, top, bottom)
            mean[plane, first:end] = (middle - np.float32(_MIDDLE))[first - top :][: end - first]
            deviation[plane, first:end] = spread[first - top :][: end - first]

    for_each_band(band, height, width, _ROWS)
    return Variation(mean, deviation)


def restore(arrays: Mapping[str, npt.NDArray[Any]], facts: Facts) -> Variation:
    """Make it from what was saved."""
    return Variation(arrays["mean"], arrays["deviation"])


def held_out(
    bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid | None = None
) -> Iterator[tuple[int, Float32]]:
    """Distances of every frame by a model of the others."""
    return _judged(_Sums(bank, weights), bank)


def _judged(sums: _Sums, bank: Bank) -> Iterator[tuple[int, Float32]]:
    for number, frame in enumerate(bank):

        def rows(plane: int, first: int, end: int, but: int = number) -> tuple[Float32, Float32]:
            return sums.rows(plane, first, end, but)

        yield number, _gathered(_beyond(sums.planes[number], rows, frame.valid), frame.valid)[0]


def both(
    bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid | None = None
) -> tuple[Variation, Iterator[tuple[int, Float32]]]:
    """What :func:`fit` and :func:`held_out` give."""
    sums = _Sums(bank, weights)
    return _model(sums), _judged(sums, bank)


ENTRY = KindEntry(
    "variation",
    "Variation of every pixel",
    "Robust mean and deviation of every pixel; sees the finest cracks.",
    fit,
    restore,
    held_out,
    both,
    features=False,
)
