"""Shape: skeleton, length, width, tortuosity, solidity of a mask."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.classify._sums import dot
from vde_nb.classify._view import padded

__all__ = ["Shape", "filled", "measure", "ridge", "skeleton", "skeleton_length"]

Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

#: Widest stroke that :func:`ridge` sees as a line, in pixels.
_WIDEST = 9
#: What is thicker than this, in pixels, is a blob and has no skeleton worth its cost.
_THICKEST_STROKE = 16


def _tables() -> tuple[Bool, Bool]:
    """Which neighbourhoods a pixel is removed in, for both half-steps of Guo and Hall."""
    first, second = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
    for code in range(256):
        n, ne, e, se, s, sw, w, nw = (bool(code >> bit & 1) for bit in range(8))
        branches = (not n and (ne or e)) + (not e and (se or s))
        branches += (not s and (sw or w)) + (not w and (nw or n))
        one_way = (nw or n) + (ne or e) + (se or s) + (sw or w)
        other_way = (n or ne) + (e or se) + (s or sw) + (w or nw)
        if branches != 1 or not 2 <= min(one_way, other_way) <= 3:
            continue
        first[code] = not ((s or sw or not nw) and w)
        second[code] = not ((n or ne or not se) and e)
    return first, second


_TABLES = _tables()
#: The eight neighbours from north on, as steps over rows and columns.
_CLOCKWISE = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def skeleton(mask: Bool) -> Bool:
    """Thin a mask to lines one pixel wide.

    Parallel thinning of Guo & Hall (Communications of the ACM 32, 1989), by two table look-ups
    per step. Unlike that of Zhang and Suen it keeps slanting lines two pixels wide.
    """
    wider = padded(mask, 1)
    pixels = wider.ravel()
    steps = [row * wider.shape[1] + column for row, column in _CLOCKWISE]
    here = np.flatnonzero(pixels)  # only these are looked at: lines are mostly ground
    while True:
        before = len(here)
        for table in _TABLES:
            code = pixels[here + steps[0]]
            for bit, step in enumerate(steps[1:], 1):
                code |= pixels[here + step] << bit
            removed = table[code]
            pixels[here[removed]] = 0
            here = here[~removed]
        if len(here) == before:
            return wider[1:-1, 1:-1] > 0


def skeleton_length(lines: Bool) -> float:
    """Length of lines one pixel wide, in pixels.

    Steps along rows and columns count 0.948, diagonal ones 1.343, which is right to 2.5 % on the
    mean over all directions (Kulpa 1977; Vossepoel & Smeulders 1982); and 1 for the ends.
    """
    if not lines.any():
        return 0.0
    straight = np.count_nonzero(lines[:, 1:] & lines[:, :-1])
    straight += np.count_nonzero(lines[1:] & lines[:-1])
    # A diagonal step across a corner that is taken anyway is no second way.
    falling = lines[1:, 1:] & lines[:-1, :-1] & ~(lines[1:, :-1] | lines[:-1, 1:])
    rising = lines[1:, :-1] & lines[:-1, 1:] & ~(lines[1:, 1:] | lines[:-1, :-1])
    diagonal = np.count_nonzero(falling) + np.count_nonzero(rising)
    return 0.948 * straight + 1.343 * diagonal + 1.0


def filled(mask: Bool) -> Bool:
    """A mask without holes, cracks of one pixel closed."""
    wider = padded(mask, 2)
    cross = np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), np.uint8)
    closed = np.asarray(cv2.morphologyEx(wider, cv2.MORPH_CLOSE, cross), np.uint8)
    borders, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = cv2.drawContours(closed, borders, -1, 1, cv2.FILLED)
    return np.asarray(whole[2:-2, 2:-2] > 0, np.bool_)


@dataclass(frozen=True)
class Shape:
    """Form of a mask; lengths in pixels of the mask.

    Attributes
    ----------
    length
        Length of the skeleton, at least 1; of a blob thicker than 16 pixels its longest side.
    width
        Area divided by length: of a stroke its width.
    thickness
        Diameter of the largest disc inside.
    elongation
        ``length / width`` of a stroke; of anything with a disc wider than a third of its length,
        the sides' ratio of its smallest rectangle.
    tortuosity
        Length of the skeleton divided by the greatest extent, at least 1; 1 = straight.
    waviness
        Root mean square distance of the skeleton from the best parabola, divided by the extent:
        under 0.01 for a stroke of one movement.
    solidity
        Area divided by that of the convex hull, 0 to 1.
    compactness
        4 pi area / perimeter**2, 0 to 1; 1 = disc.
    """

    length: float
    width: float
    thickness: float
    elongation: float
    tortuosity: float
    waviness: float
    solidity: float
    compactness: float


def measure(mask: Bool) -> Shape:
    """Measure the shape of a mask that is not empty."""
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    mask = mask[y : y + h, x : x + w]
    wider = padded(mask, 1)
    area = cv2.countNonZero(wider)
    borders, _ = cv2.findContours(wider, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(np.concatenate(borders))
    _, sides, _ = cv2.minAreaRect(hull)
    long, short = max(sides) + 1, min(sides) + 1
    # Contours run through pixel centres: half a pixel is added all around.
    hull_area = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1
    largest = max(borders, key=cv2.contourArea)
    perimeter = cv2.arcLength(largest, True)
    own_area = cv2.contourArea(largest) + perimeter / 2 + 1
    thickness = 2 * float(cv2.distanceTransform(wider, cv2.DIST_L2, 5).max()) - 1
    extent = math.hypot(long, short) if short > long / 3 else long
    lines = skeleton(mask) if thickness <= _THICKEST_STROKE else np.zeros_like(mask)
    length = max(1.0, skeleton_length(lines)) if thickness <= _THICKEST_STROKE else long
    width = area / length
    stroke = thickness < length / 3
    return Shape(
        length=length,
        width=width,
        thickness=thickness,
        elongation=length / width if stroke else long / short,
        tortuosity=max(1.0, length / extent),
        waviness=_waviness(lines, extent),
        solidity=min(1.0, area / hull_area),
        compactness=min(1.0, 4 * math.pi * own_area / (perimeter + math.pi) ** 2),
    )


def _waviness(lines: Bool, extent: float) -> float:
    rows, columns = np.nonzero(lines)
    if len(rows) < 6:
        return 0.0
    x, y = columns - columns.mean(), rows - rows.mean()
    turn = 0.5 * math.atan2(2 * dot(x, y), dot(x, x) - dot(y, y))
    along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    basis = np.stack([np.ones_like(along), along, along * along], axis=1)
    best, *_ = np.linalg.lstsq(basis, across, rcond=None)
    rest = across - (basis * best).sum(axis=1)
    return math.sqrt(dot(rest, rest) / len(rest)) / extent


def ridge(lightness: Float32, where: Bool, width: float) -> float:
    """Response of a line detector: > 0 bright line, < 0 dark line, in L*.

    Mean over `where` of the white top-hat minus the black top-hat (Serra 1982) with a square a
    little wider than the stroke, so that only what is narrow counts.

    Parameters
    ----------
    lightness
        ``(h, w)`` float32, 0 to 100.
    where
        ``(h, w)`` bool, not empty.
    width
        Width of the stroke in pixels; 9 and more count as 9.
    """
    side = 2 * round(min(width, _WIDEST)) + 3
    square = np.ones((side, side), np.uint8)
    bright = cv2.morphologyEx(lightness, cv2.MORPH_TOPHAT, square)
    dark = cv2.morphologyEx(lightness, cv2.MORPH_BLACKHAT, square)
    return float((bright - dark)[where].mean())
