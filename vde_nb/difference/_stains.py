"""Stains too wide for a local comparison.

Evening out the light takes a stain as wide as its window for a shadow, and a variation model takes
what differs all around for variation. So wide differences are looked for apart, at an eighth of
the size and under the global tone curve alone: connected areas that differ from the rest by a
step. What tells them from shadows and vignettes is their border: a stain ends within a few tens
of pixels, the edge of a soft shadow takes a hundred; and what tells them from a badly fitting tone
curve is that their border is not a border of something in the reference.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band
from vde_nb._buffers import empty
from vde_nb.difference._opponent import OPPONENT

__all__ = ["wide_stains"]

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

_FACTOR = 8  # pixels to a cell
_LEAST_CELLS = 36  # an area of 48 x 48 pixels; smaller stains are seen without this
_LEAST_RADIUS = 2.9  # cells; of the largest circle in the area
_MOST = 0.6  # share of the picture that can be a stain on the rest
_STEP = 0.14  # least change of lightness, as a log ratio, and of colour, in 100 levels
_SPREADS = 6.0  # the step, in robust deviations over the picture
_WIDEST = 6.0  # cells from a tenth to nine tenths of the step; the smoothing alone takes three
_EDGE = 1.5  # gradient of the reference at the border, as a multiple of that beside it
_TONE = 0.15  # log ratio by which the reference may itself be lighter or darker there
_BESIDE = 6  # cells around an area that are looked at, too: one more than is
_DARK = 8.0  # levels added before the ratio: black tells nothing
_ROWS = 128


def wide_stains(
    reference: UInt8, current: UInt8, curve: UInt8 | None = None, valid: Bool | None = None
) -> Float32:
    """Find areas that differ from the reference by a step of lightness or colour.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB uint8, registered; the light of `current` not evened out.
    curve
        ``(256, 3)`` uint8 tone curves that give `current` the exposure of the reference.
    valid
        ``(H, W)`` bool; None: all.

    Returns
    -------
    ndarray
        ``(h, w)`` float32 at an eighth of the size: how many times the least step the area
        differs by, 0 outside.
    """
    height, width = reference.shape[:2]
    size = max(1, width // _FACTOR), max(1, height // _FACTOR)
    found = np.zeros(size[::-1], np.float32)
    if min(size) < 12:
        return found
    small = [
        np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.uint8)
        for one in (reference, current)
    ]
    if curve is not None:
        small[1] = np.asarray(cv2.LUT(small[1], curve.reshape(1, 256, 3)), np.uint8)
    sure = np.ones(found.shape, np.bool_)
    if valid is not None:
        whole = np.multiply(valid.view(np.uint8), np.uint8(255), out=empty(valid.shape, np.uint8))
        sure = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA) == 255)
        del whole
        if np.count_nonzero(sure) < 4 * _LEAST_CELLS:
            return found
    light = np.asarray(cv2.GaussianBlur(_plane(small[0], 0), (0, 0), 1.0), np.float32)
    edges = _slope(light)
    for plane in range(3):
        off = _plane(small[1], plane)
        off -= _plane(small[0], plane)
        apart = np.asarray(cv2.GaussianBlur(off, (0, 0), 1.0), np.float32)
        del off
        apart -= np.float32(np.median(apart[sure], overwrite_input=True))
        spread = float(np.median(np.abs(apart[sure]), overwrite_input=True))
        least = max(_STEP, _SPREADS * 1.4826 * spread)
        slope = _slope(apart)
        for sign in (-1, 1):
            far = apart > least / 4 if sign > 0 else apart < -least / 4
            mask = np.logical_and(far, sure, out=far).view(np.uint8)
            count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
            for label in range(1, count):
                if not _LEAST_CELLS <= stats[label, cv2.CC_STAT_AREA] <= _MOST * sure.sum():
                    continue
                x, y, w, h = stats[label, :4]
                near = (
                    slice(max(0, y - _BESIDE), y + h + _BESIDE),
                    slice(max(0, x - _BESIDE), x + w + _BESIDE),
                )
                area = labels[near] == label
                here = sign * apart[near]
                step, middle = _step(area, here, sure[near], slope[near], light[near], edges[near])
                if step >= least:
                    area &= here > middle
                    np.maximum(found[near], np.float32(step / least) * area, out=found[near])
    return found


def _plane(image: UInt8, plane: int) -> Float32:
    """Log lightness, or one of the two opponent colours in hundreds of levels."""
    height, width = image.shape[:2]
    out = np.empty((height, width), np.float32)

    def band(first: int, end: int) -> None:
        colours = cv2.transform(image[first:end].astype(np.float32), OPPONENT[:, :3])
        rows = cv2.extractChannel(colours, plane, out[first:end])
        if plane:
            np.divide(rows, np.float32(100), out=out[first:end])
        else:
            np.log(rows + np.float32(_DARK), out=out[first:end])

    for_each_band(band, height, width, _ROWS)
    return out


def _slope(image: Float32) -> Float32:
    """Magnitude of the gradient, per cell."""
    dx = cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    dy = cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    return np.asarray(cv2.magnitude(dx, dy, dx), np.float32)


def _step(
    area: Bool, apart: Float32, sure: Bool, slope: Float32, light: Float32, edges: Float32
) -> tuple[float, float]:
    """Height of the step at the border of an area and its middle; 0 for what is no stain."""
    kernel = np.ones((3, 3), np.uint8)
    inside = area.view(np.uint8)
    border = (cv2.dilate(inside, kernel) > cv2.erode(inside, kernel)) & sure
    ring = (cv2.dilate(inside, kernel, iterations=4) > cv2.dilate(inside, kernel)) & sure
    core = cv2.erode(inside, kernel) > 0
    if not (border.any() and ring.any() and core.any()):
        return 0.0, 0.0
    if float(cv2.distanceTransform(inside, cv2.DIST_L2, 3).max()) < _LEAST_RADIUS:
        return 0.0, 0.0  # long and thin: seen better at full size
    high, low = float(np.median(apart[core])), float(np.median(apart[ring]))
    step = high - low
    steep = float(np.median(slope[border]))
    if step <= 0 or step > _WIDEST * steep:
        return 0.0, 0.0
    tone = abs(float(np.median(light[core])) - float(np.median(light[ring])))
    beside = float(np.median(edges[(core | ring) & ~border]))
    at_edge = float(np.median(edges[border])) > _EDGE * beside + steep / 2
    if at_edge or tone > max(_TONE, _TONE * step / _STEP / 2):
        return 0.0, 0.0
    return step, (high + low) / 2
