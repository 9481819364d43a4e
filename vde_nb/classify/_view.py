"""What a region is measured on: a small window around it, with its ring and its changed pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._buffers import empty, zeros
from vde_nb.classify._measure_colour import difference, to_lab
from vde_nb.detect import Box

__all__ = ["View", "core", "frame", "grown", "look", "padded"]

Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

#: Pixels of the window around the box: room for the ring and for a soft border.
MARGIN = 14
#: Longest side of a window; a larger region is measured on smaller pictures.
LONGEST = 128
#: The same for a region that fills less than this share of its box: lines need their pixels.
LONGEST_LINE, SPARSE = 256, 0.2
#: The ring lies so far outside the region, in pixels: a detected border is off by up to 3.
RING = (3.0, 10.0)
#: Fewer pixels of ring than this say nothing.
LEAST_RING = 12
#: Share of the strongest difference (its 90th percentile) where a region's border is drawn.
_HALF = 0.4
#: A pixel has changed when it differs by so many times what the ring differs by.
_NOISE_FACTOR = 3.0
#: Pixels a changed part may leave its mask by.
_REACH = 2
#: A changed part smaller than this share of the mask is not believed.
_LEAST_BODY = 0.1
#: A core smaller than this, in pixels and as a share of the whole, is not worth its name.
_LEAST_CORE, _LEAST_CORE_SHARE = 12, 0.1


@dataclass(frozen=True, eq=False)
class View:
    """Window around a region. One view pixel is `scale` picture pixels wide.

    Attributes
    ----------
    scale
        1, or more where the window was reduced.
    inside
        ``(h, w)`` bool, the region as it was given; never empty.
    ring
        ``(h, w)`` bool, unchanged pixels with known content 3 to 10 pixels outside it; may be
        empty.
    reference, current, levelled
        ``(h, w, 3)`` uint8 RGB.
    """

    scale: float
    inside: Bool
    ring: Bool
    reference: UInt8
    current: UInt8
    levelled: UInt8

    @cached_property
    def lab_reference(self) -> Float32:
        """``(h, w, 3)`` CIE L*a*b* of the reference, slightly blurred against noise."""
        return to_lab(self.reference)

    @cached_property
    def lab_current(self) -> Float32:
        """``(h, w, 3)`` CIE L*a*b* of the levelled current picture, slightly blurred."""
        return to_lab(self.levelled)

    @cached_property
    def change(self) -> Float32:
        """``(h, w, 3)`` current minus reference in Lab."""
        return self.lab_current - self.lab_reference

    @cached_property
    def difference(self) -> Float32:
        """``(h, w)``, CIE 1976 colour difference of the two pictures."""
        return difference(self.change)

    @cached_property
    def noise(self) -> float:
        """Median difference in the ring; 1 where there is no ring."""
        return float(np.median(self.difference[self.ring])) if self.has_ring else 1.0

    @cached_property
    def has_ring(self) -> bool:
        """Whether there is enough of a ring to compare the region with."""
        return int(np.count_nonzero(self.ring)) >= LEAST_RING

    @cached_property
    def level(self) -> float:
        """90th percentile of the difference inside."""
        values = self.difference[self.inside]
        rank = (9 * values.size) // 10
        return float(np.partition(values, rank)[rank])

    @cached_property
    def body(self) -> Bool:
        """The pixels of the region that changed in earnest.

        A detected mask is some pixels too fat or too thin; the difference itself has its border
        where the change has it. Pieces that do not touch the region are not part of it.
        """
        limit = min(max(_NOISE_FACTOR * self.noise, _HALF * self.level), 0.8 * self.level)
        near = grown(self.inside, _REACH)
        changed = (near & (self.difference > limit)).view(np.uint8)
        count, labels = cv2.connectedComponents(changed, connectivity=8)
        touches = np.zeros(count, np.bool_)
        touches[labels[self.inside]] = True
        touches[0] = False
        body = touches[labels]
        enough = np.count_nonzero(body) >= _LEAST_BODY * np.count_nonzero(self.inside)
        return body if enough else self.inside

    @cached_property
    def form(self) -> Bool:
        """The body as a shape: its gaps of up to 4 pixels closed where the region has none."""
        wider = padded(self.body, 3)
        closed = cv2.morphologyEx(wider, cv2.MORPH_CLOSE, _disc(2))[3:-3, 3:-3] > 0
        return self.body | (closed & self.inside)

    def greys(self, longest: int) -> tuple[UInt8, UInt8, Bool, float]:
        """Both pictures in grey and `inside`, reduced to a longest side; and their scale."""
        height, width = self.inside.shape
        factor = max(1.0, max(height, width) / longest)
        greys = [
            np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
            for picture in (self.reference, self.levelled)
        ]
        inside = self.inside
        if factor > 1:
            size = max(1, round(width / factor)), max(1, round(height / factor))
            greys = [_smaller(grey, size) for grey in greys]
            inside = _reduced(inside, size)
        return greys[0], greys[1], inside, self.scale * factor

    @cached_property
    def core(self) -> Bool:
        """The form without its border, see :func:`core`."""
        return core(self.form)


def look(
    box: Box,
    mask: Bool,
    reference: UInt8,
    current: UInt8,
    levelled: UInt8 | None,
    valid: Bool | None,
    changed: Bool | None,
) -> View:
    """Cut the window out of whole pictures.

    Parameters
    ----------
    box, mask
        The region: ``(x, y, w, h)`` and ``(h, w)`` bool.
    reference, current, levelled
        ``(H, W, 3)`` uint8; `levelled` None means `current`.
    valid, changed
        ``(H, W)`` bool or None: pixels with known content; pixels of any region.
    """
    x, y, w, h = box
    left, top, right, bottom, scale = frame(box, mask, reference.shape)
    window = slice(top, bottom), slice(left, right)
    inside = zeros((bottom - top, right - left), np.bool_)
    inside[y - top : y - top + h, x - left : x - left + w] = mask
    pictures = [reference[window], current[window]]
    if levelled is not None:
        pictures.append(levelled[window])
    size = max(1, round((right - left) / scale)), max(1, round((bottom - top) / scale))
    if scale > 1:
        pictures = [_smaller(picture, size) for picture in pictures]
        inside = _reduced(inside, size)
    # A window may be as large as the picture: one mask of its size at a time.
    free = empty((bottom - top, right - left), np.bool_)
    if changed is None:
        free.fill(True)
    else:
        cv2.dilate(changed[window].view(np.uint8), _disc(_REACH), free.view(np.uint8))
        np.logical_not(free, out=free)
    if valid is not None:
        np.logical_and(free, valid[window], out=free)
    if scale > 1:
        free = _share(free, size) == 255
    if not inside.any():
        inside[inside.shape[0] // 2, inside.shape[1] // 2] = True
    outside = np.zeros(inside.shape, np.float32)
    if not inside.all():
        outside = np.asarray(
            cv2.distanceTransform((~inside).view(np.uint8), cv2.DIST_L2, 3), np.float32
        )
    ring = (outside > RING[0]) & (outside <= RING[1]) & free
    return View(float(scale), inside, ring, pictures[0], pictures[1], pictures[-1])


def frame(box: Box, mask: Bool, shape: tuple[int, ...]) -> tuple[int, int, int, int, int]:
    """Left, top, right and bottom of the window around a region, and its scale."""
    x, y, w, h = box
    sparse = np.count_nonzero(mask) < SPARSE * w * h
    scale = math.ceil((max(w, h) + 2 * MARGIN) / (LONGEST_LINE if sparse else LONGEST))
    left, right = _span(x, w, MARGIN * scale, shape[1], scale)
    top, bottom = _span(y, h, MARGIN * scale, shape[0], scale)
    return left, top, right, bottom, scale


def _span(start: int, length: int, margin: int, limit: int, scale: int) -> tuple[int, int]:
    """First and last pixel of a window, a multiple of `scale` long where the picture allows it."""
    first, last = max(0, start - margin), min(limit, start + length + margin)
    last = min(limit, last + (first - last) % scale)
    return max(0, first - (first - last) % scale), last


def core(mask: Bool) -> Bool:
    """A mask without its border of 2 pixels, of 1 or of none if it is too thin for that."""
    wider = padded(mask, 2)
    enough = max(_LEAST_CORE, _LEAST_CORE_SHARE * np.count_nonzero(mask))
    for radius in (2, 1):
        inner = cv2.erode(wider, _disc(radius))[2:-2, 2:-2] > 0
        if np.count_nonzero(inner) >= enough:
            return np.asarray(inner, np.bool_)
    return mask


def grown(mask: Bool, radius: int) -> Bool:
    """A mask dilated by a disc."""
    return np.asarray(cv2.dilate(mask.view(np.uint8), _disc(radius)), np.uint8) > 0


def padded(mask: Bool, width: int) -> UInt8:
    """A mask as 0 and 1 with `width` zeros around it: ``np.pad`` at a tenth of its price."""
    height, across = mask.shape
    wider = np.zeros((height + 2 * width, across + 2 * width), np.uint8)
    wider[width : width + height, width : width + across] = mask
    return wider


@cache
def _disc(radius: int) -> UInt8:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _smaller(picture: UInt8, size: tuple[int, int]) -> UInt8:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _reduced(mask: Bool, size: tuple[int, int]) -> Bool:
    """A smaller mask; a third of a pixel's area is enough, so that thin lines stay whole."""
    share = _share(mask, size)
    return share > min(85, max(0, int(share.max()) - 1))


def _share(mask: Bool, size: tuple[int, int]) -> UInt8:
    """Share of each larger pixel that a mask covers, 255 = all of it."""
    whole = np.multiply(mask.view(np.uint8), np.uint8(255), out=empty(mask.shape, np.uint8))
    return _smaller(whole, size)
