"""Things in a picture: where one ends and the ground begins, and the ground without it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from ._noise import Array
from ._paint import Stamp
from ._plate import Plate, soften

__all__ = ["things", "without"]


def things(plate: Plate, sizes: tuple[float, float], tries: int = 90) -> Iterator[Stamp]:
    """Yield outlines of things in the picture, the clearest ones first.

    Candidates are maximally stable extremal regions (Matas et al., "Robust wide baseline stereo",
    2002) in lightness and colour; a thing is one that differs from even surroundings on all sides.

    Parameters
    ----------
    plate : Plate
        Where to look.
    sizes : tuple of float
        Smallest and largest diameter in pixels.
    tries : int
        Candidates to look at.
    """
    shrink = max(plate.side / 280, 1.0)
    height, width = plate.room.shape
    small = cv2.resize(
        plate.picture, (round(width / shrink), round(height / shrink)), interpolation=cv2.INTER_AREA
    )
    planes = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2LAB))
    stable = cv2.MSER.create(
        delta=3,
        min_area=int(0.4 * (sizes[0] / shrink) ** 2),
        max_area=int(0.8 * (sizes[1] / shrink) ** 2),
        max_variation=0.5,
    )
    regions = [
        points
        for plane in planes[: 3 if plate.colour else 1]
        for points in stable.detectRegions(plane)[0]
    ]
    found = []
    for i in plate.rng.permutation(len(regions))[:tries]:
        rated = _thing(plate, regions[i], shrink)
        if rated is not None and plate.free(rated[1]):
            found.append(rated)
    # Not always the very best one: that would be the same thing in every seed.
    found.sort(key=lambda one: -one[0])
    better = found[: max(len(found) // 3, 3)]
    for i in plate.rng.permutation(len(better)):
        yield better[i][1]
    for _, stamp in found[len(better) :]:
        yield stamp


def _thing(
    plate: Plate, points: npt.NDArray[np.int32], shrink: float
) -> tuple[float, Stamp] | None:
    """Outline a stable region at full size and rate it; None if it is no thing of its own."""
    reach = 12
    low = np.floor(points.min(axis=0) * shrink).astype(int) - reach
    high = np.ceil((points.max(axis=0) + 1) * shrink).astype(int) + reach
    (left, top), (right, bottom) = low, high
    height, width = plate.room.shape
    if left < 0 or top < 0 or right > width or bottom > height:
        return None
    window = plate.picture[top:bottom, left:right].astype(np.float32)
    coarse: npt.NDArray[np.uint8] = np.zeros(window.shape[:2], np.uint8)
    where = np.floor((points + 0.5) * shrink).astype(int) - low
    coarse[where[:, 1], where[:, 0]] = 1
    gap = 2 * math.ceil(shrink / 2) + 1
    cv2.morphologyEx(coarse, cv2.MORPH_CLOSE, np.ones((gap + 2, gap + 2), np.uint8), coarse)
    near, outer = (
        cv2.dilate(coarse, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1)))
        for r in (3, 9)
    )
    ring = (outer > 0) & (near == 0)
    ground = np.median(window[ring], axis=0)
    apart = np.abs(window - ground).max(axis=2)
    inside = float(np.median(apart[coarse > 0]))
    usual, strange = float(np.median(apart[ring])), float(np.mean(apart[ring] > 0.5 * inside))
    if inside < 20 or usual > 16 or inside < 2.2 * usual or strange > 0.2:
        return None
    body = ((near > 0) & (apart > max(0.35 * inside, 1.5 * usual))).view(np.uint8)
    body = cv2.morphologyEx(body, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    body = cv2.bitwise_or(body, cv2.erode(coarse, np.ones((3, 3), np.uint8)))
    outlines, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(body, outlines, -1, (1,), cv2.FILLED)
    body = cv2.dilate(body, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    soft = soften(body.astype(np.float32), 0.7)
    x, y, w, h = cv2.boundingRect((soft > 0.02).view(np.uint8))
    stamp = Stamp(int(top) + y, int(left) + x, np.ascontiguousarray(soft[y : y + h, x : x + w]))
    return inside / (usual + 5) * (1 - 4 * strange), stamp


def without(plate: Plate, stamp: Stamp, spread: int = 3) -> tuple[Stamp, Array] | None:
    """Fill the place of a stamp as if nothing had ever been there.

    Background from elsewhere is put in, shifted smoothly in colour so that it meets the
    surroundings all around (the membrane of Perez et al., "Poisson image editing", 2003, solved
    coarsely); where no background is alike, only the membrane, with grain.

    Parameters
    ----------
    plate : Plate
        The picture.
    stamp : Stamp
        What has to go.
    spread : int
        Pixels around it that go too: halo and shadow.

    Returns
    -------
    tuple of (Stamp, ndarray of float32) or None
        The filled outline, and its pixels mixed with the old ones; None at the border.
    """
    pad = spread + 6
    alpha = np.pad(stamp.alpha, pad)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * spread + 1, 2 * spread + 1))
    hole = cv2.dilate((alpha > 0.3).view(np.uint8), kernel)
    around = (cv2.dilate(hole, np.ones((7, 7), np.uint8)) > hole).astype(np.float32)
    wide = Stamp(stamp.top - pad, stamp.left - pad, alpha)
    rows, columns = alpha.shape
    height, width = plate.room.shape
    if wide.top < 0 or wide.left < 0 or wide.top + rows > height or wide.left + columns > width:
        return None
    here = plate.under(wide)
    apart = np.abs(here - np.median(here[around > 0], axis=0)).max(axis=2)
    usual = float(np.median(apart[around > 0]))
    around *= apart <= 3 * usual + 6  # neighbours that come near are no background
    fine = here - soften(here, 1.5)
    grain = float(fine[around > 0].std())
    # Without a donor: what the ring says, and grain as strong as there.
    noise = soften(plate.rng.standard_normal(here.shape[:2], np.float32), 0.7)
    donor = np.repeat((noise * np.float32(grain / float(noise.std())))[..., None], 3, axis=2)
    lowest = 2.0 * usual + 10
    for _ in range(32):
        top = int(plate.rng.integers(0, height - rows))
        left = int(plate.rng.integers(0, width - columns))
        patch = plate.picture[top : top + rows, left : left + columns].astype(np.float32)
        gap = (here - patch)[around > 0]
        inner = soften(patch, 2.5)[hole > 0]
        rough = float((patch - soften(patch, 1.5))[hole > 0].std())
        cost = float(gap.std(axis=0).mean() + 1.5 * inner.std(axis=0).mean())
        cost += 3 * abs(rough - grain)
        overlap = abs(top - wide.top) < rows and abs(left - wide.left) < columns
        if cost < lowest and not overlap:
            lowest, donor = cost, patch
    filled = donor + _membrane(here - donor, around)
    mix = soften(hole.astype(np.float32), 1.0)
    pixels = here + mix[..., None] * (np.clip(filled, 0, 255) - here)
    return Stamp(wide.top, wide.left, mix), np.asarray(pixels, np.float32)


def _membrane(values: Array, known: Array) -> Array:
    """Spread what is known smoothly over the rest, from coarse to fine."""
    out = np.zeros_like(values)
    out[:] = (values * known[..., None]).sum(axis=(0, 1)) / max(float(known.sum()), 1.0)
    for sigma in (24.0, 12.0, 6.0, 3.0, 1.5):
        weight = soften(known, sigma)[..., None]
        mean = soften(values * known[..., None], sigma) / (weight + 1e-6)
        trust = np.clip(weight * 4, 0, 1)
        out += trust * (mean - out)
    return out
