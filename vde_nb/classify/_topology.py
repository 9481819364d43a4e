"""Topology: what an added or removed blob does to the connected structures of the reference.

On boards, stencils and print the meaning of a defect lies in what it connects or cuts. Both
pictures are split into foreground and background; what is foreground now and was background is
*added*, the opposite *removed*. An added blob touches none, one or several structures of the
foreground; a removed one, seen as added background, none, one or several of the background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.classify._region import Region
from vde_nb.classify._view import grown

__all__ = ["Topology", "topology"]

Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]

#: Pixels around the blob that count as its neighbourhood.
_AROUND = 12
#: Overlap in pixels from which a structure is touched.
_TOUCH = 4
#: Pieces of foreground under this many pixels are crumbs.
_CRUMB = 12


@dataclass(frozen=True)
class Topology:
    """What a blob does to the structures of the reference.

    Attributes
    ----------
    kind
        ``"added"`` foreground, ``"removed"`` foreground, or ``"none"``.
    area
        Pixels of the blob, as far as it is certain.
    touches
        How many separate structures it touches: of the foreground if added, of the background
        if removed. Added: 0 = stands alone, 1 = sticks to one, 2 and more = connects. Removed:
        0 = enclosed, 1 = bites into a border, 2 and more = goes right through.
    splits
        Removed, and the structure it was taken from falls into pieces near it.
    contrast
        How well foreground and background can be told apart, 0 to 1: the share of the variance
        that lies between the two (Otsu 1979). Under 0.7 there are no two tones.
    """

    kind: Literal["added", "removed", "none"]
    area: int
    touches: int
    splits: bool
    contrast: float


def topology(region: Region, *, bright: bool = True, tolerance: int = 3) -> Topology:
    """Find the blob of a region and what it touches.

    Parameters
    ----------
    region
        Its mask may be loose: the blob is searched inside it.
    bright
        Whether the foreground is the brighter of the two tones.
    tolerance
        Pixels by which the borders of the two pictures may be apart.

    Returns
    -------
    Topology
        Of the largest blob; kind ``"none"`` where there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from vde_nb.classify import Region
    >>> reference = np.zeros((60, 60, 3), np.uint8)
    >>> reference[15:25] = reference[35:45] = 200
    >>> current = reference.copy()
    >>> current[20:40, 28:34] = 200
    >>> heat = np.zeros((60, 60), np.uint8)
    >>> short = Region((24, 22, 14, 16), np.ones((16, 14), bool), reference, current, heat)
    >>> topology(short).kind, topology(short).touches
    ('added', 2)
    """
    x, y, w, h = region.box
    pad = _AROUND + tolerance
    height, width = region.reference.shape[:2]
    left, top = max(0, x - pad), max(0, y - pad)
    window = slice(top, min(height, y + h + pad)), slice(left, min(width, x + w + pad))
    now_picture = region.current if region.levelled is None else region.levelled
    greys = [
        np.asarray(cv2.cvtColor(np.ascontiguousarray(picture[window]), cv2.COLOR_RGB2GRAY))
        for picture in (region.reference, now_picture)
    ]
    level, contrast = _otsu(np.concatenate(greys))
    # Single pixels of the other tone come from sensor, dithering or compression.
    before, now = ((cv2.medianBlur(grey, 3) > level) == bright for grey in greys)
    before = _shifted(before, now, tolerance + 2)
    inside = np.zeros(before.shape, np.bool_)
    inside[y - top : y - top + h, x - left : x - left + w] = region.mask
    inside = grown(inside, tolerance)
    for reach in range(tolerance, 0, -1):  # thin structures vanish in a large tolerance
        added, its_size = _largest(now & ~grown(before, reach) & inside)
        removed, other_size = _largest(~now & ~grown(~before, reach) & inside)
        if max(its_size, other_size) >= _TOUCH:
            break
    else:
        return Topology("none", 0, 0, False, contrast)
    if its_size >= other_size:
        touches = _touched(added, now, before, reach)
        return Topology("added", its_size, touches, False, contrast)
    touches = _touched(removed, ~now, ~before, reach)
    splits = touches > 0 and _pieces_near(removed, now, before, reach) > 1
    return Topology("removed", other_size, touches, splits, contrast)


def _otsu(grey: UInt8) -> tuple[float, float]:
    """Threshold between the two tones, and the share of the variance between them."""
    level, upper = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    spread = float(grey.var())
    share = float(upper.mean())
    if spread == 0 or share in (0.0, 1.0):
        return level, 0.0
    step = float(grey[upper > 0].mean()) - float(grey[upper == 0].mean())
    return level, min(1.0, share * (1 - share) * step * step / spread)


def _shifted(before: Bool, now: Bool, reach: int) -> Bool:
    """The first mask moved by the few pixels, at most `reach`, after which both agree best."""
    height, width = before.shape
    if min(height, width) <= 4 * reach:
        return before
    padded = cv2.copyMakeBorder(
        before.view(np.uint8), reach, reach, reach, reach, cv2.BORDER_REPLICATE
    )
    inner = now[reach:-reach, reach:-reach].view(np.uint8)
    cost = cv2.matchTemplate(padded[reach:-reach, reach:-reach], inner, cv2.TM_SQDIFF)
    _, _, (dx, dy), _ = cv2.minMaxLoc(cost)
    return np.asarray(padded[dy : dy + height, dx : dx + width] > 0, np.bool_)


def _largest(mask: Bool) -> tuple[Bool, int]:
    """The largest connected piece of a mask, and its size."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    if count < 2:
        return mask, 0
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return labels == best, int(stats[best, cv2.CC_STAT_AREA])


def _near(blob: Bool) -> tuple[slice, slice]:
    """The neighbourhood of a blob."""
    x, y, w, h = cv2.boundingRect(blob.view(np.uint8))
    return (
        slice(max(0, y - _AROUND), y + h + _AROUND),
        slice(max(0, x - _AROUND), x + w + _AROUND),
    )


def _flood(blob: Bool, through: Bool, steps: int) -> Bool:
    """Grow a blob by so many pixels, but only through what belongs to `through`."""
    cross = np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), np.uint8)
    allowed = (through | blob).view(np.uint8)
    flooded = blob.view(np.uint8)
    for _ in range(steps):
        flooded = np.asarray(cv2.dilate(flooded, cross), np.uint8) & allowed
    return np.asarray(flooded > 0, np.bool_)


def _touched(blob: Bool, now: Bool, before: Bool, tolerance: int) -> int:
    """How many structures of `before` a blob is joined to in `now`."""
    near = _near(blob)
    reached = _flood(blob[near], now[near], 2 * tolerance + 6)
    labels = cv2.connectedComponents(before[near].view(np.uint8), connectivity=8)[1]
    overlap = np.bincount(labels[reached], minlength=1)
    return int(np.count_nonzero(overlap[1:] >= _TOUCH))


def _pieces_near(blob: Bool, now: Bool, before: Bool, tolerance: int) -> int:
    """Into how many pieces the structure around a removed blob falls."""
    near = _near(blob)
    hole = _flood(blob[near], ~now[near], tolerance + 1)
    labels = cv2.connectedComponents(before[near].view(np.uint8), connectivity=8)[1]
    own = np.bincount(labels[blob[near]])
    own[0] = 0
    structure = grown(labels == own.argmax(), tolerance)
    left = (now[near] & structure).view(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(left, connectivity=8)
    beside = set(np.unique(pieces[grown(hole, 3)]).tolist()) - {0}
    large = {i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= _CRUMB}
    return len(beside & large)
