"""From two pictures to the map between them, coarse to fine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band

from ._candidates import best, features, shifts
from ._levels import Box, Float32, Greys, Level, Matrix, UInt8, is_large, levels
from ._measure import Agreement, agreement
from ._refine import corner_gap, refine, simplest
from ._residual import smooth_flow

__all__ = ["Found", "search"]

_GOOD = 0.5  # agreement from which on no other candidate is looked for
_FEW = 3  # likely translations: more come of a repeating pattern
_SAME_START = 1.5  # pixels of the smallest level: from there a refinement ends at the same map
_FLOW_GAIN = 0.0008  # agreement: less gain is not worth a flow; rigid pairs gain up to 0.0005
_TEXTURED = 0.005  # mean weight of the blocks: in less structure there is nothing to agree on
#: Of the structure that one map finds within the current picture, the least another must find: a
#: translation; what matched features say, which may be a picture of half the size.
_SHARE, _SHARE_BY_FEATURES = 0.3, 0.1
_FEATURES_GAIN = 0.02  # agreement by which matched features must be better
_SQUARE = 16  # pixels: side of the squares that are looked at for identical pixels
_LEAST_SAME = 0.05  # share of identical squares below which it is not looked whether they are flat
_SEEN = 20  # 1/255 of the pixels of a square that differ from their neighbour: it is not flat
_SAME_SHARE = 0.3  # of such squares are identical: pairs of photographs have up to 0.02
_BAND = 1_000_000  # pixels of the bands a large picture is looked at in
_LOST = 0.7  # share of its agreement under which a refinement went astray
_ROUNDS = {"first": 4, "coarse": 3, "features": 4, "fine": 4, "simpler": 1}


@dataclass(frozen=True, eq=False)
class Found:
    """The map that was found, and how well it fits.

    Attributes
    ----------
    model, matrix, flow, step
        The map ``matrix(p + flow(p))`` between full pictures; `flow` has one vector per square of
        `step` pixels.
    before, after
        Agreement of the pictures without the map and with it, over the same blocks.
    textured
        Whether there is enough structure to judge by.
    same_pixels
        Whether so many pixels are the same to the last bit that nothing can have moved.
    """

    model: str
    matrix: Matrix
    flow: Float32 | None
    step: int
    before: float
    after: float
    textured: bool
    same_pixels: bool = False


def search(
    reference: UInt8,
    current: UInt8,
    most: str,
    residual: bool,
    box: Box,
    tell: Callable[[str], object],
) -> Found:
    """Find the map from the reference to the current picture.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB uint8 of one size.
    most
        The most general model.
    residual
        Whether to look for a flow, too.
    box
        ``(x, y, w, h)`` of `current` that is real.
    tell
        Called with the name of each stage.
    """
    tell("looking for the motion")
    pair = Greys(reference), Greys(current)
    pyramid = levels(*pair, box)
    first, coarse, fine = pyramid[0], pyramid[max(0, len(pyramid) - 2)], pyramid[-1]
    if _same_pixels(*pair, box):
        fit = agreement(fine, np.eye(3))
        return Found("none", np.eye(3), None, 1, fit.score, fit.score, True, same_pixels=True)
    matrix = _first_guess(first, coarse, most)
    if coarse is not first:
        local = refine(coarse, coarse.from_full(matrix), most, _ROUNDS["coarse"])
        matrix = coarse.to_full(local)
    fit = agreement(coarse, coarse.from_full(matrix))
    if fit.score < _GOOD and most not in ("none", "translation"):
        tell("matching features")
        matrix, fit = _by_features(pair, coarse, most, matrix, fit)
    tell("refining the motion")
    start = fine.from_full(matrix)
    model, local = simplest(fine, refine(fine, start, most, _ROUNDS["fine"]), most)
    if model != most:
        local = refine(fine, local, model, _ROUNDS["simpler"])
    before, after = agreement(fine, np.eye(3)), agreement(fine, local)
    if after.score < _LOST * fit.score:
        model, local, after = most, start, agreement(fine, start)
    flow = None
    if residual:
        tell("looking for local displacements")
        gained = smooth_flow(fine, local, after)
        if gained is not None and gained[1].score > after.score + _FLOW_GAIN:
            flow, after = gained[0] * np.float32(fine.factor), gained[1]
    common = np.minimum(before.weights, after.weights)
    return Found(
        model,
        fine.to_full(local),
        flow,
        fine.block * fine.factor,
        before.where(common),
        after.where(common),
        float(max(before.weights.mean(), after.weights.mean())) > _TEXTURED,
    )


def _same_pixels(reference: Greys, current: Greys, box: Box) -> bool:
    """Whether much of what can be seen is the same to the last bit, so that nothing moved.

    So it is with drawings, screenshots and edited pictures; two photographs have noise. A part
    that moved in them is a change, however well a map would explain it.
    """
    shares = _shares_in_bands if is_large(reference.shape) else _shares
    differs, across, down = shares(reference, current, box)
    same = differs == 0
    if same.mean() < _LEAST_SAME:
        return False
    seen = np.maximum(across, down) > _SEEN
    return bool(seen.any() and same[seen].mean() > _SAME_SHARE)


def _shares(reference: Greys, current: Greys, box: Box) -> tuple[UInt8, UInt8, UInt8]:
    """How many pixels of each square differ in the two, from the left and from above, in 1/255."""
    _, _, w, h = box
    one, other = reference.part(box), current.part(box)
    size = max(1, w // _SQUARE), max(1, h // _SQUARE)
    return (
        _share(cv2.absdiff(one, other), size),
        _share(cv2.absdiff(one[:, 1:], one[:, :-1]), size),
        _share(cv2.absdiff(one[1:], one[:-1]), size),
    )


def _shares_in_bands(reference: Greys, current: Greys, box: Box) -> tuple[UInt8, UInt8, UInt8]:
    """The same of a large picture, whose squares are whole: what is left over is left out."""
    x, y, w, h = box
    columns, rows = max(1, w // _SQUARE), max(1, h // _SQUARE)
    found = tuple(np.empty((rows, columns), np.uint8) for _ in range(3))
    side, tall = min(w, columns * _SQUARE), min(_SQUARE, h)

    def band(first: int, end: int) -> None:
        part = x, y + first * tall, side, (end - first) * tall
        one, other = reference.part(part), current.part(part)
        size = columns, end - first
        # A square has a side of 16 and neighbours for 15: the last is its own neighbour.
        right = cv2.copyMakeBorder(one[:, 1:], 0, 0, 0, 1, cv2.BORDER_REPLICATE)
        below = cv2.copyMakeBorder(one[1:], 0, 1, 0, 0, cv2.BORDER_REPLICATE)
        for share, two in zip(found, (other, right, below), strict=True):
            share[first:end] = _share(cv2.absdiff(one, two), size)

    for_each_band(band, rows, side * tall, max(1, _BAND // (side * tall)))
    return found[0], found[1], found[2]


def _share(difference: npt.NDArray[Any], size: tuple[int, int]) -> UInt8:
    """How many pixels of each square differ, in 1/255, rounded."""
    _, differs = cv2.threshold(difference, 0, 255, cv2.THRESH_BINARY)
    return np.asarray(cv2.resize(differs, size, interpolation=cv2.INTER_AREA), np.uint8)


def _first_guess(first: Level, coarse: Level, most: str) -> Matrix:
    """The best of no motion and the likeliest translations, refined on the smallest level."""
    if most == "none":
        return np.eye(3)
    starts = [coarse.to_full(start) for start in shifts(coarse)]
    model = "translation" if most == "translation" else "affine"
    level = first
    if len(starts) > _FEW:
        # A repeating pattern: what counts is which period, and the smallest level may blur it.
        level, model = coarse, "translation"
    maps: list[Matrix] = []
    found: list[tuple[float, Agreement]] = []
    for start in [np.eye(3), *starts]:
        local = level.from_full(start)
        if level is first and any(
            fit.score > _GOOD
            and corner_gap(level.reference.shape, local, level.from_full(matrix)) < _SAME_START
            for matrix, (_, fit) in zip(maps, found, strict=True)
        ):
            continue
        matrix = level.to_full(refine(level, local, model, _ROUNDS["first"]))
        local = coarse.from_full(matrix)
        fit = agreement(coarse, local)
        if found and fit.weights.sum() < _SHARE * found[0][1].weights.sum():
            continue
        maps.append(matrix)
        found.append((corner_gap(coarse.reference.shape, local, np.eye(3)), fit))
    return maps[best(found)]


def _by_features(
    pair: tuple[Greys, Greys], level: Level, most: str, matrix: Matrix, fit: Agreement
) -> tuple[Matrix, Agreement]:
    """The map that matched features tell and its agreement, if better than those at hand."""
    start = features(pair[0].reduced(level.factor), pair[1].reduced(level.factor))
    if start is None:
        return matrix, fit
    local = refine(level, start, most, _ROUNDS["features"])
    other = agreement(level, local)
    enough = other.weights.sum() > _SHARE_BY_FEATURES * fit.weights.sum()
    if enough and other.score > fit.score + _FEATURES_GAIN:
        return level.to_full(local), other
    return matrix, fit
