"""Tolerant difference: what changed, and not what moved by a pixel, flickered or was compressed.

Two pictures that were photographed, not edited, differ everywhere by a little. Here a difference
counts by how far it exceeds what may differ at that very place:

1. **Envelope.** Both pictures become lightness and two opponent colours. A pixel is compared with
   the lowest and the highest level of the other picture within a few pixels, both ways, so an edge
   that lies a little elsewhere is no difference ("edges of tolerable thickness").
2. **Variation.** The distance is divided by what a pixel may vary here: noise, a share of the local
   gradient, and how much this surrounding differs on the whole (a variation model as in
   industrial template inspection, estimated from one pair).
3. **Scales.** Evidence gathers along lines (mean over eight taps in eight directions: a crack is
   weak at every pixel and strong along itself), over areas, and in the energy of the texture.
4. **Calibration.** Each of the three is put on one scale by its own median and 80 % quantile over
   the picture, which the changed part of it does not move, and the largest counts.

The result is evidence in robust standard deviations. :func:`false_alarm_level` says how much of
it is needed for a stated rate of false alarms. It is made band by band from three bytes per pixel
whenever it is asked for: kept, it would take eight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band, rows_for
from vde_nb._buffers import empty
from vde_nb._reduced import rows_of, small
from vde_nb.difference._lines import TAPS, line_rows, line_samples
from vde_nb.difference._opponent import Opponent, noise_of, square
from vde_nb.difference._radius import radius_between, tolerant_radius
from vde_nb.difference._variation import FIXED, excess

__all__ = ["Evidence", "false_alarm_level", "tolerant", "tolerant_radius"]

UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]
Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

_ENVELOPE = 0.8  # share of the envelope distance; the rest is the plain difference
_AREA = 3.0  # standard deviation of the area mean, in pixels
_TEXTURE = 4.0  # standard deviation of the texture's window, in pixels
#: How soon area and texture outweigh a line, and texture where outlines are drawn.
_AREA_WEIGHT, _TEXTURE_WEIGHT, _TEXTURE_LOCAL_WEIGHT = 0.8, 1.0, 0.4
#: Least spread of evidence, in units of what may vary, with noise and without any: there, the
#: spread tells nothing.
_LEAST, _LEAST_CLEAN = 0.2, 0.35
_LEAST_TEXTURE = 0.03  # of the log ratio of textures
#: Greatest median and spread that pictures show in which little has changed: where much has, it
#: must not become its own measure.
_MOST, _MOST_TEXTURE = (1.5, 0.7), (0.15, 0.15)
#: Evidence falls by e every so many robust deviations where nothing changed; see
#: false_alarm_level.
_TAIL = 1.2
_CELL = 25  # pixels that vary together
_SAMPLE = 60_000  # pixels of a map by which it is put on the common scale
_ROWS = 128
_scratch = Scratch()


@dataclass(frozen=True)
class _Scale:
    """Puts a map on the common scale: ``(value / unit - median) / spread``."""

    factor: float
    offset: float

    @classmethod
    def of(
        cls, sample: npt.NDArray[Any], unit: float, least: float, most: tuple[float, float]
    ) -> _Scale:
        """Measure median and spread of a map in units, within bounds, from a sample of it."""
        if sample.size == 0:
            return cls(0.0, 0.0)
        median, high = np.quantile(np.asarray(sample, np.float64) / unit, [0.5, 0.8])
        spread = (high - median) / 0.8416  # 80 % of a normal law
        median, gain = min(median, most[0]), 1 / min(max(spread, least), most[1])
        return cls(float(gain / unit), float(-median * gain))

    def rows(self, values: npt.NDArray[np.generic], weight: float, out: Float32) -> None:
        """`values` on the common scale, times `weight`, into `out`."""
        np.multiply(values, np.float32(self.factor * weight), out=out, casting="unsafe")
        np.add(out, np.float32(self.offset * weight), out=out)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What :func:`tolerant` measured.

    Attributes
    ----------
    radius
        The tolerance used, in pixels.
    noise
        Standard deviation of the noise between the two pictures, in grey levels of lightness.
    """

    radius: int
    noise: float
    _beyond: UInt16
    _area: Float32
    _texture: Float32
    _scales: tuple[_Scale, _Scale, _Scale]
    _valid: Bool | None

    @property
    def shape(self) -> tuple[int, int]:
        """``(H, W)``."""
        height, width = self._beyond.shape
        return height, width

    @property
    def evidence(self) -> Float32:
        """Robust standard deviations beyond what may differ, ``(H, W)`` float32; 0 = as expected.

        To decide by: as sensitive as can be, and a few pixels wider than what changed.
        """
        return self._whole()[0]

    @property
    def local(self) -> Float32:
        """The same, less sensitive and as wide as what changed: to outline by."""
        return self._whole()[1]

    def _whole(self) -> tuple[Float32, Float32]:
        maps = empty(self.shape, np.float32), empty(self.shape, np.float32)

        def band(first: int, end: int) -> None:
            for rows, one in zip(self.rows(first, end), maps, strict=True):
                np.copyto(one[first:end], rows)

        for_each_band(band, *self.shape, self.band)
        return maps

    @property
    def band(self) -> int:
        """Rows to ask for at once: the number of rows makes a difference in the last bit."""
        return rows_for(self.shape[1], _ROWS)

    def rows(self, first: int, end: int) -> tuple[Float32, Float32]:
        """Rows `first` to `end`, half-open, of :attr:`evidence` and :attr:`local`.

        They lie in this thread's scratch, and last until it calls this again.
        """
        height, width = self.shape
        of_lines, of_area, of_texture = self._scales
        beyond = self._beyond[first:end]
        lines = _scratch.get("lines", beyond.shape, np.uint16)
        wide, sharp, part, own = (
            _scratch.get(name, beyond.shape, np.float32)
            for name in ("wide", "sharp", "part", "own")
        )
        line_rows(self._beyond, first, end, lines)
        of_lines.rows(lines, 1.0, wide)
        of_area.rows(rows_of(self._area, first, end, height, width), _AREA_WEIGHT, part)
        np.maximum(wide, part, out=wide)
        # Lines and areas reach beyond what changed: there, they exceed the pixel's own evidence.
        np.multiply(lines, np.float32(1 / TAPS), out=part)
        np.maximum(part, np.float32(1), out=part)
        np.divide(beyond, part, out=own)
        np.minimum(own, np.float32(1), out=own)
        np.sqrt(own, out=own)
        np.multiply(wide, own, out=sharp)
        rough = rows_of(self._texture, first, end, height, width)
        of_texture.rows(rough, _TEXTURE_LOCAL_WEIGHT, part)
        np.multiply(part, own, out=part)
        np.maximum(sharp, part, out=sharp)
        of_texture.rows(rough, _TEXTURE_WEIGHT, part)
        np.maximum(wide, part, out=wide)
        for rows in (wide, sharp):
            np.maximum(rows, np.float32(0), out=rows)
            if self._valid is not None:
                rows[~self._valid[first:end]] = 0
        return wide, sharp


def false_alarm_level(pixels: int, false_alarms: float = 0.05) -> float:
    """Evidence that unchanged pictures exceed in `false_alarms` places each, on average.

    Where nothing changed, evidence has an exponential tail: it exceeds t with probability
    ``exp(-t / 1.2)`` in each cell of 25 pixels that vary together. So the level is
    ``1.2 * ln(pixels / 25 / false_alarms)``. The constant was fitted on unchanged pairs made by
    :func:`vde_nb.samples.stress` (seeds below 12); ``python -m tests.benchmarks.accuracy`` counts
    the false alarms on other ones.

    Parameters
    ----------
    pixels
        Compared pixels.
    false_alarms
        Expected number of false regions in an unchanged pair.

    Examples
    --------
    >>> round(false_alarm_level(512 * 512), 1)
    14.7
    """
    return _TAIL * math.log(max(pixels, _CELL) / _CELL / false_alarms + 1)


def tolerant(
    reference: UInt8,
    current: UInt8,
    valid: Bool | None = None,
    *others: UInt8,
    tolerance: int = 0,
    antialiasing: bool = False,
) -> Evidence:
    """Evidence of change at every pixel.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB uint8, registered and under one light.
    valid
        ``(H, W)`` bool, the pixels that can be compared; None: all. Elsewhere evidence is 0.
    *others
        More pictures of the reference's state, like it. The current picture is compared with
        their mean, within the envelope of all, and what varies between them may vary.
    tolerance
        Pixels by which edges may lie elsewhere, 1 or more; 0 takes what
        :func:`~vde_nb.difference.tolerant_radius` finds.
    antialiasing
        Count the envelope distance alone, which a pixel that only smooths an edge never exceeds.

    Returns
    -------
    Evidence
    """
    height, width = reference.shape[:2]
    known = Opponent.of([reference, *others, current])
    now = known.pop()
    radius = tolerance or radius_between(known[0], now, valid)
    noise = noise_of(known[0], now, valid)
    if radius > 1:  # what comes in from beyond the border by so much is no change
        valid = _inside((height, width), valid, radius)
    # A tolerance somebody asked for is meant: no share is left to the plain difference.
    share = 1.0 if antialiasing or tolerance else _ENVELOPE
    beyond, gradients = excess(known, now, noise, radius, share)
    del known, now  # their planes are not needed any more
    texture = _texture(*gradients, max(1.0, noise[0]))
    del gradients
    area = _area(beyond)
    least = max(_LEAST, _LEAST_CLEAN - (_LEAST_CLEAN - _LEAST) * noise[0])
    step = _step(beyond.size)
    lines = _sure(line_samples(beyond, step), beyond.shape, step, valid)
    scales = (
        _Scale.of(lines, TAPS * FIXED, least, _MOST),
        _Scale.of(_sample(area, valid), FIXED, least, _MOST),
        _Scale.of(_sample(texture, valid), 1.0, _LEAST_TEXTURE, _MOST_TEXTURE),
    )
    return Evidence(radius, noise[0], beyond, area, texture, scales, valid)


def _inside(shape: tuple[int, int], valid: Bool | None, radius: int) -> Bool:
    """The valid pixels with none that is not, nor the border, within `radius`."""
    out = empty(shape, np.uint8)
    height, width = shape
    window = square(radius)

    def band(first: int, end: int) -> None:
        top, bottom = max(0, first - radius), min(height, end + radius)
        shown = np.ones((bottom - top, width), np.uint8)
        if valid is not None:
            shown = valid[top:bottom].view(np.uint8)
        above, below = radius - (first - top), radius - (bottom - end)
        framed = cv2.copyMakeBorder(
            shown, above, below, radius, radius, cv2.BORDER_CONSTANT, None, 0
        )
        inner = slice(radius, radius + end - first), slice(radius, radius + width)
        np.copyto(out[first:end], cv2.erode(framed, window)[inner])

    for_each_band(band, height, width, rows_for(width, 2 * _ROWS))
    return out.view(np.bool_)


def _area(beyond: UInt16) -> Float32:
    """Mean over a soft area, at half the size."""
    height, width = beyond.shape
    size = small(width, 2), small(height, 2)
    whole = cv2.resize(beyond, size, empty(size[::-1], np.uint16), interpolation=cv2.INTER_AREA)
    half = empty(size[::-1], np.float32)
    np.copyto(half, whole)
    del whole
    soft = cv2.GaussianBlur(half, (0, 0), _AREA / 2, empty(size[::-1], np.float32))
    return np.asarray(soft, np.float32)


def _texture(reference: Float32, current: Float32, noise: float) -> Float32:
    """How differently rough the two are: absolute log ratio of mean gradients, quarter size.

    The part common to the whole picture, such as a blur, is taken out.
    """
    floor = np.float32(4 + 3 * noise)  # below, gradients are noise
    logs = []
    for one in (reference, current):
        soft = cv2.GaussianBlur(one, (0, 0), _TEXTURE / 4, empty(one.shape, np.float32))
        np.add(soft, floor, out=soft)
        logs.append(np.log(soft, out=soft))
    before, ratio = logs
    np.subtract(ratio, before, out=ratio)
    np.copyto(before, ratio)
    # The median disorders what it is taken of.
    np.subtract(ratio, np.median(before.ravel(), overwrite_input=True), out=ratio)
    return np.asarray(np.abs(ratio, out=ratio), np.float32)


def _step(size: int) -> int:
    """Every how many rows and columns a map of `size` pixels is sampled."""
    return max(1, round(math.sqrt(size / _SAMPLE)))


def _sample(values: Float32, valid: Bool | None) -> Float32:
    """Some of the values of a map, possibly a reduced one, where pixels are valid."""
    step = _step(values.size)
    return _sure(values[::step, ::step], values.shape, step, valid)


def _sure(
    sample: npt.NDArray[Any], shape: tuple[int, ...], step: int, valid: Bool | None
) -> npt.NDArray[Any]:
    """The samples at valid pixels, of every `step`-th pixel of a map of `shape`."""
    if valid is None:
        return sample
    places = [
        np.minimum(np.floor(np.arange(0, part, step) * (whole / part)).astype(np.intp), whole - 1)
        for part, whole in zip(shape, valid.shape, strict=True)
    ]
    return np.asarray(sample[valid[np.ix_(*places)]])
