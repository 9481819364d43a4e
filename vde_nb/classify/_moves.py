"""Moves: a missing part and an added one that are the same thing are reported once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._buffers import zeros
from vde_nb.classify._evidence import telling_first
from vde_nb.classify._label import Label
from vde_nb.classify._memory import recall, remember
from vde_nb.classify._region import Region
from vde_nb.classify._severity import grade, moved_severity
from vde_nb.classify._view import grown
from vde_nb.stages import StageCache

__all__ = ["as_move", "pair_moves"]

Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

#: What a region must have been called to be where a thing was, and where it is now.
_LEFT = frozenset({"missing_part", "moved", "unknown"})
_ARRIVED = frozenset({"added_part", "spot", "moved", "unknown"})
#: Correlation, or fit of the colours, from which two pictures show the same thing.
_SAME, _FITS = 0.8, 0.7
#: By so much the new place must have become more like the thing.
_GAIN = 0.2
#: Largest ratio of the areas of the two regions, and distance of their mean colours in Lab.
_RATIO, _COLOUR = 2.5, 25.0
#: So many partners, the nearest ones, are compared in detail.
_NEAREST = 8
#: Pixels around a region that are searched, and those around the thing that belong to it.
_SEARCH, _EDGE = 6, 2
#: Longest side of a template; larger things are compared in smaller pictures.
_LONGEST = 64


def pair_moves(regions: Sequence[Region], labels: Sequence[Label]) -> list[tuple[int, int]]:
    """Find the pairs of regions that are one thing which moved.

    Where the reference shows, in a region that lost something, what the current picture shows in
    a region that gained something, the thing went from one to the other. Two tests are made at
    the best place: the normalised cross-correlation of the greys is over 0.8, and 0.2 more than
    the reference had there; or the colours differ by less than 0.3 times as much as those of the
    reference there (plain things have nothing to correlate).

    Parameters
    ----------
    regions, labels
        All regions of a pair of pictures, and what they were called, in the same order.

    Returns
    -------
    list of (int, int)
        Indices of where the thing was and where it is now; no region is in two pairs. The
        likeliest pair comes first.
    """
    called = [(i, regions[i], label.type) for i, label in enumerate(labels)]
    left = [i for i, region, type in called if type in _LEFT and region.ownership > 0]
    arrived = [i for i, region, type in called if type in _ARRIVED and region.ownership < 0]
    found = []
    for i in left:
        alike = [j for j in arrived if _alike(regions[i], regions[j])]
        alike.sort(key=lambda j: _way(regions[i], regions[j]))
        for j in alike[:_NEAREST]:
            score = _score(regions[i], regions[j])
            if score:
                found.append((score, i, j))
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    for _, i, j in sorted(found, reverse=True):
        if not taken & {i, j}:
            pairs.append((i, j))
            taken |= {i, j}
    return pairs


def as_move(old: Region, new: Region, cache: StageCache | None = None) -> tuple[Region, Label]:
    """Make one region of a pair, and its label: a moved part, told once.

    Parameters
    ----------
    old, new
        Where the thing was and where it is now, a pair of :func:`pair_moves`.
    cache
        Where measures of regions that look the same are found.

    Returns
    -------
    region
        The union of both, with the pictures of `old`.
    label
        Type ``"moved"``; its evidence is that of the union, with the distance between the
        centres of the two as displacement in pixels; graded by that distance.
    """
    left, top = min(old.box[0], new.box[0]), min(old.box[1], new.box[1])
    right = max(one.box[0] + one.w for one in (old, new))
    bottom = max(one.box[1] + one.h for one in (old, new))
    mask = zeros((bottom - top, right - left), np.bool_)
    centres = []
    for one in (old, new):
        x, y = one.box[0] - left, one.box[1] - top
        mask[y : y + one.h, x : x + one.w] |= one.mask
        rows, columns = np.nonzero(one.mask)
        centres.append((float(columns.mean()) + x, float(rows.mean()) + y))
    union = replace(old, box=(left, top, right - left, bottom - top), mask=mask)
    key = recall(union, cache)
    displacement = math.dist(*centres)
    score = moved_severity(union, displacement)
    measured = {**union.evidence(), "displacement": float(f"{displacement:.4g}")}
    evidence = telling_first(measured, "moved")
    remember(union, key, cache)
    label = Label("moved", grade(score), evidence, _SAME, score, {"moved": _SAME})
    return union, label


def _alike(old: Region, new: Region) -> bool:
    """Whether what is gone had about the size and the mean colour of what is new."""
    areas = sorted((old.area, new.area))
    if not 0 < areas[1] <= _RATIO * areas[0]:
        return False
    return math.dist(old.means[0], new.means[1]) < _COLOUR


def _way(old: Region, new: Region) -> float:
    """Pixels between the middles of two boxes."""
    (x, y, w, h), (u, v, s, t) = old.box, new.box
    return math.hypot(u + s / 2 - x - w / 2, v + t / 2 - y - h / 2)


def _score(old: Region, new: Region) -> float:
    """Best correlation of what the old place showed with what the new place shows, or 0."""
    scale = max(1.0, max(old.w, old.h) / _LONGEST)
    thing, mask = _window(old, old.reference, _EDGE, scale)
    now = new.current if new.levelled is None else new.levelled
    reach = _EDGE + _SEARCH + max(0, old.w - new.w, old.h - new.h)
    after, _ = _window(new, now, reach, scale)
    before, _ = _window(new, new.reference, reach, scale)
    if any(whole < part for whole, part in zip(after.shape, thing.shape, strict=True)):
        return 0.0
    apart = _apart(after, thing, mask)
    row, column = np.unravel_index(int(apart.argmin()), apart.shape)
    had = float(_apart(before, thing, mask)[row, column])
    fit = 1 - math.sqrt(float(apart[row, column]) / had) if had > 0 else 0.0
    if fit >= _FITS:
        return fit
    same = _correlation(after, thing, mask)
    row, column = np.unravel_index(int(same.argmax()), same.shape)
    best = float(same[row, column])
    gain = best - float(_correlation(before, thing, mask)[row, column])
    return best if best >= _SAME and gain >= _GAIN else 0.0


def _window(region: Region, picture: UInt8, reach: int, scale: float) -> tuple[UInt8, Bool]:
    """Surroundings of a region in colour, and its mask in them."""
    height, width = picture.shape[:2]
    x, y, w, h = region.box
    left, top = max(0, x - reach), max(0, y - reach)
    right, bottom = min(width, x + w + reach), min(height, y + h + reach)
    cut = top - y + reach, y + h + reach - bottom, left - x + reach, x + w + reach - right
    part = cv2.copyMakeBorder(picture[top:bottom, left:right], *cut, cv2.BORDER_REPLICATE)
    mask = np.pad(region.mask, reach)
    if scale > 1:
        size = max(1, round(part.shape[1] / scale)), max(1, round(part.shape[0] / scale))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        small = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        mask = np.asarray(small > 0, np.bool_)
    return np.asarray(part, np.uint8), mask


def _apart(picture: UInt8, thing: UInt8, mask: Bool) -> Float32:
    """Sum of the squared differences of a template at every place of a picture."""
    weights = np.repeat(mask.astype(np.float32)[..., None], 3, axis=2)
    sums = cv2.matchTemplate(
        picture.astype(np.float32), thing.astype(np.float32), cv2.TM_SQDIFF, mask=weights
    )
    return np.maximum(np.asarray(sums, np.float32), np.float32(0))


def _correlation(picture: UInt8, thing: UInt8, mask: Bool) -> Float32:
    """Correlation of a template's grey with every place of a picture; 0 where one is flat."""
    weights = grown(mask, _EDGE).astype(np.float32)
    grey, small = (
        cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32) for part in (picture, thing)
    )
    if small[weights > 0].std() < 1:
        shape = grey.shape[0] - small.shape[0] + 1, grey.shape[1] - small.shape[1] + 1
        return np.zeros(shape, np.float32)
    scores = cv2.matchTemplate(grey, small, cv2.TM_CCOEFF_NORMED, mask=weights)
    usable = np.isfinite(scores) & (np.abs(scores) <= 1.001)
    return np.where(usable, scores, np.float32(0))
