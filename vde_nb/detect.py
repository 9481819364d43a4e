"""From a heatmap to candidate regions: morphology, threshold, contours.

Grey-value opening and closing with a flat structuring element commute with thresholding
(Serra, *Image Analysis and Mathematical Morphology*, 1982): cleaning the heatmap once and
thresholding the clean map gives, for every threshold, exactly the mask that thresholding first
and cleaning the binary mask would give. So :func:`clean` runs once per heatmap, and moving the
threshold costs :func:`candidates` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band, rows_for
from vde_nb._buffers import empty, zeros
from vde_nb.images import Box

__all__ = ["Box", "Candidate", "candidates", "clean", "threshold_mask"]

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

_ROWS = 256
_STRIP = 1 << 24  # pixels of a mask that are searched for contours at once, at least
_scratch = Scratch()


@dataclass(frozen=True, eq=False)
class Candidate:
    """A region that may be an anomaly.

    Attributes
    ----------
    box
        ``(x, y, w, h)`` of the region.
    contours
        Outer borders, each ``(n, 1, 2)`` int32 points ``(x, y)`` as OpenCV gives them; several
        when one candidate stands for several pieces.
    frame
        The mask the region was found in, ``(H, W)`` bool.
    points
        Points ``(x, y)`` to prompt a segmenter with; may be empty.
    """

    box: Box
    contours: tuple[npt.NDArray[np.int32], ...]
    frame: Bool
    points: tuple[tuple[int, int], ...] = ()

    @cached_property
    def mask(self) -> Bool:
        """The region's own pixels, ``(h, w)`` bool, cut to :attr:`box`."""
        x, y, w, h = self.box
        filled = zeros((h, w), np.uint8)
        cv2.drawContours(filled, self.contours, -1, 1, cv2.FILLED, offset=(-x, -y))
        # Contours are outer borders only; the frame knows the holes.
        mask = filled.view(np.bool_)
        return np.logical_and(mask, self.frame[y : y + h, x : x + w], out=mask)


def _square(iterations: int) -> UInt8:
    """Structuring element of n passes of a 3 x 3 square: a (2n + 1) square."""
    return np.ones((2 * iterations + 1, 2 * iterations + 1), np.uint8)


def clean(heatmap: UInt8, open_iterations: int = 2, close_iterations: int = 3) -> UInt8:
    """Grey-value opening, then closing, of a heatmap with a 3 x 3 square.

    Opening removes what is too thin to be a region, closing joins fragments. For every
    threshold t, ``clean(heatmap) > t`` equals the opened and closed ``heatmap > t``.

    Parameters
    ----------
    heatmap
        ``(H, W)`` uint8.
    open_iterations, close_iterations
        Passes of each; 0 leaves it out. n passes of opening remove what is thinner than
        2n + 1 pixels, n passes of closing bridge gaps of up to 2n pixels.

    Returns
    -------
    ndarray
        ``(H, W)`` uint8.
    """
    height, width = heatmap.shape
    # Erosions and dilations by squares add up: opening by n and closing by m is an erosion by n,
    # a dilation by n + m and an erosion by m, each by one larger square.
    opening, closing = open_iterations, close_iterations
    reach = 2 * (opening + closing)
    out = empty(heatmap.shape, np.uint8)
    if reach == 0:
        np.copyto(out, heatmap)
        return out

    def band(first: int, end: int) -> None:
        top, bottom = max(0, first - reach), min(height, end + reach)
        rows = heatmap[top:bottom]
        one, two = (_scratch.get(name, rows.shape, np.uint8) for name in ("one", "two"))
        if opening:
            cv2.erode(rows, _square(opening), one)
            rows = one
        cv2.dilate(rows, _square(opening + closing), two)
        if closing:
            cv2.erode(two, _square(closing), one)
        out[first:end] = (one if closing else two)[first - top : end - top]

    for_each_band(band, height, width, max(rows_for(width, _ROWS), 4 * reach))
    return out


def threshold_mask(heatmap: UInt8, threshold: int) -> Bool:
    """``heatmap > threshold`` as ``(H, W)`` bool."""
    mask = empty(heatmap.shape, np.uint8)
    cv2.threshold(heatmap, threshold, 1, cv2.THRESH_BINARY, mask)
    return mask.view(np.bool_)


def candidates(mask: Bool, min_area: int = 100) -> list[Candidate]:
    """Connected regions of a mask, as the contours OpenCV finds.

    Parameters
    ----------
    mask
        ``(H, W)`` bool.
    min_area
        Regions whose bounding box covers fewer pixels are left out (the published rule).

    Returns
    -------
    list of Candidate
        In OpenCV's order, which is from the bottom of the picture to the top.
    """
    found = []
    for first, end in reversed(_strips(mask)):
        part, place = mask[first:end].view(np.uint8), (0, first)
        contours, _ = cv2.findContours(
            part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=place
        )
        for contour in contours:
            x, y, w, h = cv2.boundingRect(contour)
            if w * h >= min_area:
                found.append(Candidate((x, y, w, h), (np.asarray(contour, np.int32),), mask))
    return found


def _strips(mask: Bool) -> list[tuple[int, int]]:
    """Rows of a large mask in parts that no region is cut by: OpenCV copies what it looks at."""
    height, width = mask.shape
    rows = max(1, _STRIP // width)
    if height <= rows:
        return [(0, height)]
    strips, first, row = [], 0, rows
    while row < height:
        if mask[row].any():
            row += 1
        else:
            strips.append((first, row))
            first, row = row, row + rows
    return [*strips, (first, height)]
