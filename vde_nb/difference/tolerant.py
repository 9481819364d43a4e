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
it is needed for a stated rate of false alarms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band
from vde_nb._buffers import empty
from vde_nb._reduced import rows_of, small
from vde_nb.difference._lines import TAPS, line_sums
from vde_nb.difference._radius import tolerant_radius
from vde_nb.difference._variation import FIXED, excess, noise_of, opponent, square

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
_ROWS = 128
_scratch = Scratch()


@dataclass(frozen=True, eq=False)
class Evidence:
    """What :func:`tolerant` measured.

    Attributes
    ----------
    evidence
        ``(H, W)`` float32, robust standard deviations beyond what may differ; 0 = as expected.
        To decide by: as sensitive as can be, and a few pixels wider than what changed.
    local
        ``(H, W)`` float32, the same, less sensitive and as wide as what changed: to outline by.
    radius
        The tolerance used, in pixels.
    noise
        Standard deviation of the noise between the two pictures, in grey levels of lightness.
    """

    evidence: Float32
    local: Float32
    radius: int
    noise: float


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
    now = opponent(current)
    known = [opponent(one) for one in (reference, *others)]
    radius = tolerance or tolerant_radius(known[0][0], now[0], valid)
    noise = noise_of(known[0], now, valid)
    if radius > 1:  # what comes in from beyond the border by so much is no change
        shown = np.ones((height, width), np.uint8) if valid is None else valid.view(np.uint8)
        inside = cv2.erode(shown, square(radius), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        valid = np.asarray(inside, np.uint8).view(np.bool_)
    # A tolerance somebody asked for is meant: no share is left to the plain difference.
    share = 1.0 if antialiasing or tolerance else _ENVELOPE
    beyond, gradients = excess(known, now, noise, radius, share)
    lines = line_sums(beyond)
    area = _area(beyond)
    texture = _texture(*gradients, max(1.0, noise[0]))
    least = max(_LEAST, _LEAST_CLEAN - (_LEAST_CLEAN - _LEAST) * noise[0])
    of_lines = _Scale.of(lines, valid, TAPS * FIXED, least, _MOST)
    of_area = _Scale.of(area, valid, FIXED, least, _MOST)
    of_texture = _Scale.of(texture, valid, 1.0, _LEAST_TEXTURE, _MOST_TEXTURE)
    out, local = (empty((height, width), np.float32) for _ in range(2))

    def band(first: int, end: int) -> None:
        wide, sharp = out[first:end], local[first:end]
        part, own = (_scratch.get(name, wide.shape, np.float32) for name in ("part", "own"))
        of_lines.rows(lines[first:end], 1.0, wide)
        of_area.rows(rows_of(area, first, end, height, width), _AREA_WEIGHT, part)
        np.maximum(wide, part, out=wide)
        # Lines and areas reach beyond what changed: there, they exceed the pixel's own evidence.
        np.multiply(lines[first:end], np.float32(1 / TAPS), out=part)
        np.maximum(part, np.float32(1), out=part)
        np.divide(beyond[first:end], part, out=own)
        np.minimum(own, np.float32(1), out=own)
        np.sqrt(own, out=own)
        np.multiply(wide, own, out=sharp)
        rough = rows_of(texture, first, end, height, width)
        of_texture.rows(rough, _TEXTURE_LOCAL_WEIGHT, part)
        np.multiply(part, own, out=part)
        np.maximum(sharp, part, out=sharp)
        of_texture.rows(rough, _TEXTURE_WEIGHT, part)
        np.maximum(wide, part, out=wide)
        for rows in (wide, sharp):
            np.maximum(rows, np.float32(0), out=rows)
            if valid is not None:
                rows[~valid[first:end]] = 0

    for_each_band(band, height, width, _ROWS)
    return Evidence(out, local, radius, noise[0])


def _area(beyond: UInt16) -> Float32:
    """Mean over a soft area, at half the size."""
    height, width = beyond.shape
    size = small(width, 2), small(height, 2)
    half = np.asarray(cv2.resize(beyond, size, interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray(cv2.GaussianBlur(half, (0, 0), _AREA / 2), np.float32)


def _texture(reference: Float32, current: Float32, noise: float) -> Float32:
    """How differently rough the two are: absolute log ratio of mean gradients, quarter size.

    The part common to the whole picture, such as a blur, is taken out.
    """
    floor = np.float32(4 + 3 * noise)  # below, gradients are noise
    logs = [
        np.log(np.asarray(cv2.GaussianBlur(one, (0, 0), _TEXTURE / 4), np.float32) + floor)
        for one in (reference, current)
    ]
    ratio = logs[1] - logs[0]
    return np.asarray(np.abs(ratio - np.median(ratio)), np.float32)


@dataclass(frozen=True)
class _Scale:
    """Puts a map on the common scale: ``(value / unit - median) / spread``."""

    factor: float
    offset: float

    @classmethod
    def of(
        cls,
        values: npt.NDArray[np.generic],
        valid: Bool | None,
        unit: float,
        least: float,
        most: tuple[float, float],
    ) -> _Scale:
        """Measure median and spread of a map in units, within bounds."""
        step = max(1, round((values.size / 60_000) ** 0.5))
        sample = values[::step, ::step]
        if valid is not None:
            size = values.shape[::-1]
            sure = cv2.resize(valid.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            sample = sample[sure[::step, ::step] > 0]
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
