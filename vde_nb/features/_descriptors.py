"""What is measured of a picture cell by cell: colour, texture energies, gradient directions.

Classical descriptors, pooled over square cells: means of opponent colours; energies of band-pass
filters (differences of Gaussians) at three scales, as in texture analysis (Malik and Perona 1990);
and histograms of gradient directions, both signs apart and softly binned, at two scales (Dalal and
Triggs 2005). All are means over a cell of something computed at full resolution, so what is one
pixel wide still counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band
from vde_nb._buffers import empty

__all__ = ["BINS", "PLANES", "measured"]

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

#: Directions a gradient is sorted into.
BINS = 8
#: Three colours, four energies, directions at two scales.
PLANES = 3 + 4 + 2 * BINS

#: RGB -> lightness, red-green, yellow-blue.
_OPPONENT = np.array([[0.299, 0.587, 0.114], [0.6, -0.6, 0], [0.25, 0.25, -0.5]], np.float32)
_HALO = 16  # pixels around a band that filters look at
_ROWS = 96  # pixels; a multiple of every stride
_SCALE = 1.0  # standard deviation of the band-pass filters, in pixels of each scale


def measured(image: UInt8, stride: int) -> Float32:
    """Raw measures of every cell.

    Parameters
    ----------
    image
        ``(H, W, 3)`` RGB uint8.
    stride
        Side of a cell in pixels: 4, 8, 16 or 32.

    Returns
    -------
    ndarray
        ``(PLANES, ceil(H / stride), ceil(W / stride))`` float32: mean lightness and opponent
        colours in grey levels; mean squares of band-passed lightness at one, two and four pixels
        and of the colours at two, in squared grey levels; mean gradients, in grey levels per
        pixel, towards each of eight directions, at one pixel and at two.
    """
    height, width = image.shape[:2]
    rows, columns = -(-height // stride), -(-width // stride)
    beyond = rows * stride - height, columns * stride - width
    padded = cv2.copyMakeBorder(
        image, _HALO, _HALO + beyond[0], _HALO, _HALO + beyond[1], cv2.BORDER_REFLECT
    )
    out: Float32 = empty((PLANES, rows, columns), np.float32)

    def band(first: int, end: int) -> None:
        top, bottom = first // stride, min(rows, -(-end // stride))
        part = padded[top * stride : bottom * stride + 2 * _HALO]
        for plane, values in enumerate(_planes(np.asarray(part), stride)):
            out[plane, top:bottom] = values

    for_each_band(band, height, width, _ROWS)
    return out


def _planes(image: npt.NDArray[np.uint8], stride: int) -> list[Float32]:
    """The measures of a band with its halo."""

    def pooled(values: Float32, reduced: int) -> Float32:
        """Cell means of a map that is reduced by a factor already and still has its halo."""
        halo, side = _HALO // reduced, stride // reduced
        inner = values[halo:-halo, halo:-halo]
        if side == 1:
            return inner
        size = inner.shape[1] // side, inner.shape[0] // side
        return np.asarray(cv2.resize(inner, size, interpolation=cv2.INTER_AREA), np.float32)

    colours = np.asarray(cv2.transform(image.astype(np.float32), _OPPONENT), np.float32)
    half = _halved(colours)
    light = [_channel(colours, 0), _channel(half, 0)]
    light.append(_halved(light[1]))
    means = pooled(half, 2)
    out = [_channel(means, index) for index in range(3)]
    soft = [_soft(one) for one in light]
    for scale, (one, blurred) in enumerate(zip(light, soft, strict=True)):
        out.append(pooled(_squared(one, blurred), 2**scale))
    colour = sum(_squared(one, _soft(one)) for one in (_channel(half, 1), _channel(half, 2)))
    out.append(pooled(np.asarray(colour), 2))
    for scale in (0, 1):
        out.extend(_directions(soft[scale], partial(pooled, reduced=2**scale)))
    return out


def _halved(values: Float32) -> Float32:
    size = values.shape[1] // 2, values.shape[0] // 2
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _channel(values: Float32, index: int) -> Float32:
    return np.asarray(cv2.extractChannel(values, index), np.float32)


def _soft(values: Float32) -> Float32:
    return np.asarray(
        cv2.GaussianBlur(values, (7, 7), _SCALE, borderType=cv2.BORDER_REFLECT_101), np.float32
    )


def _squared(values: Float32, blurred: Float32) -> Float32:
    off = np.asarray(cv2.subtract(values, blurred), np.float32)
    return np.asarray(cv2.multiply(off, off, dst=off), np.float32)


def _directions(soft: Float32, pooled: Callable[[Float32], Float32]) -> list[Float32]:
    """Cell means of how far the gradient points towards each direction; 0 where it points away."""
    across, down = (
        np.asarray(cv2.Sobel(soft, cv2.CV_32F, *order, ksize=3, scale=0.125), np.float32)
        for order in ((1, 0), (0, 1))
    )
    mean_across, mean_down = pooled(across), pooled(down)
    towards, away = [], []
    for step in range(BINS // 2):
        angle = 2 * math.pi * step / BINS
        x, y = math.cos(angle), math.sin(angle)
        along = np.asarray(cv2.addWeighted(across, x, down, y, 0), np.float32)
        towards.append(pooled(np.maximum(along, 0, out=along)))
        # What points away is what points there less the mean of both: half the work.
        away.append(towards[-1] - (np.float32(x) * mean_across + np.float32(y) * mean_down))
        np.maximum(away[-1], 0, out=away[-1])
    return [*towards, *away]
