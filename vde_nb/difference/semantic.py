"""Semantic difference: what two descriptions of a scene disagree about, cell by cell.

Descriptions of places (:class:`vde_nb.features.PatchFeatures`) answer to what is there rather than
to the level of single pixels. Between two pictures they differ everywhere by a little all the same,
and by more where the picture itself varies, so a distance counts by how far it exceeds that:

1. **Common component.** What all cells share is taken out: the mean, whatever the two pictures
   differ by on the whole (its median), and, of descriptions that also tell where a cell lies, the
   part that depends smoothly on the place. Otherwise it outweighs what is seen.
2. **Distances.** L2, and cosine with a floor: where a description says little, its direction says
   nothing.
3. **Search.** Each cell is compared with the cells around its place in the other picture, both
   ways, and the nearest counts; of the two ways, the larger: what came and what went both show.
4. **Variation.** A distance is divided by what it may be here: what the pair differs by in its
   median, and a share of the distance between neighbouring cells, as a fraction of a cell by which
   pictures do not fit costs that share. So the pair's own distribution is the measure.

The result is evidence; :func:`semantic_level` says how much is needed for a stated rate of false
alarms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._buffers import empty
from vde_nb.errors import SettingError

if TYPE_CHECKING:
    from vde_nb.features.base import PatchFeatures

__all__ = [
    "SemanticDifference",
    "cell_sums",
    "semantic_difference",
    "semantic_level",
]

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

_GRADIENT = 0.35  # share of the distance between neighbours by which places may differ
_FLOOR = 0.3  # of the typical length of a description: shorter ones say little
_LEAST = 0.1  # least distance that counts as variation: of directions
_LEAST_LENGTH = 1 / 3  # the same of lengths, as a share of the floor
_L2 = 0.85  # L2 on the scale of cosine: lengths vary more than directions
_TAIL, _TOGETHER = 0.3, 4  # see semantic_level
#: Evidence that a fifth of the cells may exceed in an unchanged pair, and by how many times more
#: evidence is divided at most where they exceed it by more.
_SPREAD, _MOST_SPREAD = 1.2, 2.0
_SAMPLE = 4096  # cells the medians are taken of
_DEGREE = 3  # of the polynomial that describes a place, at most
_PER_TERM = 6  # cells per term of that polynomial, at least: fewer are described away


@dataclass(frozen=True, eq=False)
class SemanticDifference:
    """What :func:`semantic_difference` measured.

    Attributes
    ----------
    evidence
        ``(h, w)`` float32, multiples of what may differ at each cell; 0 where cells are not
        compared.
    l2
        ``(h, w)`` float32, length of the difference of the descriptions, in their unit.
    cosine
        ``(h, w)`` float32 in [0, 2], one minus the cosine of the angle between them, with the
        floor counted as a component both have.
    cell
        ``(width, height)`` of a cell in pixels.
    compared
        Number of cells that were compared.
    overall
        Length of what the current picture differs by from the reference on the whole, and which
        was taken out, as a multiple of the floor.
    """

    evidence: Float32
    l2: Float32
    cosine: Float32
    cell: tuple[float, float]
    compared: int
    overall: float = 0.0


def semantic_level(cells: int, false_alarms: float = 0.05) -> float:
    """Evidence that unchanged pictures exceed in `false_alarms` places each, on average.

    Where nothing changed, evidence exceeds t with probability ``exp(-t / 0.3)`` in each group of
    four cells, so the level is ``0.3 * ln(cells / 4 / false_alarms + 1)``; the 1 keeps it above 0
    where more alarms are allowed than there are groups. The constants were fitted on unchanged
    pairs made by :func:`vde_nb.samples.stress` with embedded features (seeds 0 and 4);
    ``python -m tests.benchmarks.semantic`` counts the false alarms on other ones.

    Parameters
    ----------
    cells
        Compared cells.
    false_alarms
        Expected number of false regions in an unchanged pair.

    Examples
    --------
    >>> round(semantic_level(128 * 128), 2), round(semantic_level(4, false_alarms=1), 2)
    (3.39, 0.21)
    """
    return _TAIL * math.log(max(cells, _TOGETHER) / _TOGETHER / false_alarms + 1)


def semantic_difference(
    reference: PatchFeatures,
    current: PatchFeatures,
    valid: Bool | None = None,
    others: Sequence[PatchFeatures] = (),
    *,
    search: int = 1,
    distance: str = "cosine",
    floor: float | None = None,
) -> SemanticDifference:
    """Evidence of change at every cell.

    Parameters
    ----------
    reference, current
        Descriptions of two pictures of one size, registered and under one light.
    valid
        ``(H, W)`` bool, the pixels that can be compared; None: all. Cells that hold any other are
        left out.
    others
        Descriptions of more pictures of the reference's state; the nearest of all counts.
    search
        Cells by which something may lie elsewhere without being a difference.
    distance
        ``"cosine"``, ``"l2"``, or ``"both"``: the larger evidence of the two.
    floor
        Length below which a description says little, in its own unit; None: 0.3 of the typical
        length in this pair.

    Raises
    ------
    SettingError
        The descriptions do not have the same grid.

    Notes
    -----
    What depends on the place is a polynomial of the third degree, and of a lower one where there
    are fewer than six compared cells per term.
    """
    for one in (current, *others):
        if one.values.shape != reference.values.shape:
            raise SettingError(
                f"features describe the reference by {_shape(reference)} and another picture of "
                f"the same size by {_shape(one)}; they must be the same for both."
            )
    grid = reference.values.shape[:2]
    inside = None if valid is None else _inside(valid, reference.cell, grid)
    compared = grid[0] * grid[1] if inside is None else int(np.count_nonzero(inside))
    if not compared:
        nothing = np.zeros(grid, np.float32)
        return SemanticDifference(nothing, nothing, nothing, reference.cell, 0)
    known = [reference, *others]
    bases, now, overall = _without_common([one.values for one in known], current.values, inside)
    if reference.positional:
        _take_out_place([*bases, now], inside, _degree(compared))
    if floor is None:
        lengths = np.einsum("ijd,ijd->ij", bases[0], bases[0])
        floor = _FLOOR * math.sqrt(float(np.mean(lengths if inside is None else lengths[inside])))
    floor = max(floor, 1e-6)
    nearest, around = ([np.full(grid, np.inf, np.float32) for _ in range(2)] for _ in range(2))
    beside = _neighbours(now, floor)
    for base in bases:
        for least, off in zip(nearest, _distances(base, now, search, floor), strict=True):
            np.minimum(least, off, out=least)
        for least, mine, its in zip(around, _neighbours(base, floor), beside, strict=True):
            np.minimum(least, np.minimum(mine, its), out=least)
    l2, chord = nearest
    parts: list[Float32] = []
    if distance != "l2":
        parts.append(_evidence(chord, around[1], _LEAST, inside))
    if distance != "cosine":
        parts.append(_evidence(l2, around[0], _LEAST_LENGTH * floor, inside) * np.float32(_L2))
    evidence = np.maximum(parts[0], parts[-1])
    assert np.isfinite(evidence).all(), "descriptions are finite, and small enough to be squared"
    if inside is not None:
        evidence[~inside] = 0
    cosine = np.asarray(chord * chord / 2, np.float32)
    return SemanticDifference(evidence, l2, cosine, reference.cell, compared, overall / floor)


def cell_sums(
    mask: Bool, cell: tuple[float, float], grid: tuple[int, int], at: tuple[int, int] = (0, 0)
) -> npt.NDArray[np.int32]:
    """How many pixels of a mask lie in each cell.

    Parameters
    ----------
    mask
        ``(h, w)`` bool, a part of the picture.
    cell
        ``(width, height)`` of a cell in pixels.
    grid
        Rows and columns of cells.
    at
        ``(x, y)`` of the mask's first pixel in the picture.

    Returns
    -------
    ndarray
        `grid` int32. Pixels belong to the cell that holds their centre.

    Examples
    --------
    >>> cell_sums(np.ones((3, 6), bool), (4.0, 4.0), (2, 3), at=(2, 3))
    array([[2, 4, 0],
           [4, 8, 0]], dtype=int32)
    """
    height, width = mask.shape
    sums = cv2.integral(mask.view(np.uint8), empty((height + 1, width + 1), np.int32))
    rows, columns = _bounds(mask.shape, cell, grid, at)
    corners = sums[np.ix_(rows, columns)]
    return np.asarray(np.diff(np.diff(corners, axis=0), axis=1), np.int32)


def _bounds(
    shape: tuple[int, ...], cell: tuple[float, float], grid: tuple[int, int], at: tuple[int, int]
) -> list[npt.NDArray[np.int64]]:
    """First rows and first columns of the cells in a part of the picture, and the ends."""
    return [
        np.clip(np.ceil(np.arange(count + 1) * side - 0.5).astype(np.int64) - first, 0, size)
        for count, side, first, size in zip(grid, cell[::-1], at[::-1], shape, strict=True)
    ]


def _shape(features: PatchFeatures) -> str:
    return "x".join(map(str, features.values.shape))


def _inside(valid: Bool, cell: tuple[float, float], grid: tuple[int, int]) -> Bool:
    """Cells that hold valid pixels only, and some, as do those around: descriptions see those."""
    rows, columns = _bounds(valid.shape, cell, grid, (0, 0))
    pixels = np.outer(np.diff(rows), np.diff(columns))
    missing = cell_sums(valid, cell, grid) < pixels
    around = cv2.dilate(missing.view(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray((pixels > 0) & (around == 0))


def _sampled(values: npt.NDArray[np.float32], inside: Bool | None) -> Float32:
    """Some of the compared cells, ``(n, ...)``, evenly from the whole picture."""
    cells = values.reshape(-1, *values.shape[2:]) if inside is None else values[inside]
    # A step that shares no factor with the width, so that columns are not sampled unevenly.
    step = max(1, len(cells) // _SAMPLE)
    while math.gcd(step, values.shape[1]) > 1:
        step += 1
    return cells[::step]


def _without_common(
    bases: Sequence[Float32], now: Float32, inside: Bool | None
) -> tuple[list[Float32], Float32, float]:
    """Descriptions without the mean of the first, and without what each differs by from it.

    The last is the length of what `now` differs by.
    """
    first = _sampled(bases[0], inside)
    mean = first.mean(axis=0)
    taken = []
    offset = np.zeros_like(mean)
    for one in (*bases, now):
        # The median: what changed in a smaller part of the picture does not move it.
        offset = np.median(_sampled(one, inside) - first, axis=0).astype(np.float32)
        taken.append(one - (mean + offset))
    return taken[:-1], taken[-1], float(np.linalg.norm(offset))


def _terms(degree: int) -> int:
    return (degree + 1) * (degree + 2) // 2


def _degree(compared: int) -> int:
    """Degree of the polynomial that so many cells can tell from what they show."""
    return next((d for d in range(_DEGREE, 0, -1) if compared >= _PER_TERM * _terms(d)), 0)


def _take_out_place(each: Sequence[Float32], inside: Bool | None, degree: int) -> None:
    """Subtract, in place, what depends smoothly on the place in all of them alike."""
    height, width, size = each[0].shape
    y, x = np.linspace(-1, 1, height), np.linspace(-1, 1, width)
    terms = [np.outer(y**i, x**j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    basis = np.stack(terms, axis=-1).astype(np.float32)
    common = np.mean([_sampled(one, inside) for one in each], axis=0)
    fit, *_ = np.linalg.lstsq(_sampled(basis, inside), common, rcond=None)
    place = (basis.reshape(-1, basis.shape[2]) @ fit.astype(np.float32)).reshape(
        height, width, size
    )
    for one in each:
        np.subtract(one, place, out=one)


def _lengths(values: Float32) -> Float32:
    return np.asarray(np.einsum("ijd,ijd->ij", values, values), np.float32)


def _apart(dots: Float32, one: Float32, two: Float32, floor: float) -> tuple[Float32, Float32]:
    """L2, and the chord between directions, from a product and two squared lengths.

    The floor is a component that all descriptions have in common: short ones lie close together.
    """
    l2 = np.sqrt(np.maximum(one + two - 2 * dots, 0))
    least = np.float32(floor * floor)
    cosine = (dots + least) / np.sqrt((one + least) * (two + least))
    return l2, np.sqrt(np.maximum(2 - 2 * cosine, 0))


def _distances(base: Float32, now: Float32, search: int, floor: float) -> list[Float32]:
    """L2 and chord to the nearest of the cells around, the larger of both ways."""
    height, width = base.shape[:2]
    old, new = _lengths(base), _lengths(now)
    ways = [[np.full((height, width), np.inf, np.float32) for _ in range(2)] for _ in range(2)]
    for dy in range(-min(search, height - 1), min(search, height - 1) + 1):
        for dx in range(-min(search, width - 1), min(search, width - 1) + 1):
            here = _part(height, -dy), _part(width, -dx)
            there = _part(height, dy), _part(width, dx)
            dots = np.einsum("ijd,ijd->ij", base[there], now[here])
            for index, off in enumerate(_apart(dots, old[there], new[here], floor)):
                for way, place in zip(ways, (here, there), strict=True):
                    np.minimum(way[index][place], off, out=way[index][place])
    return [np.maximum(forth, back) for forth, back in zip(*ways, strict=True)]


def _part(size: int, step: int) -> slice:
    """The places that exist `step` further too, moved there."""
    return slice(max(step, 0), size + min(step, 0))


def _neighbours(values: Float32, floor: float) -> list[Float32]:
    """Mean L2 and chord between a cell and the four beside it."""
    height, width = values.shape[:2]
    own = _lengths(values)
    sums = [np.zeros((height, width), np.float32) for _ in range(2)]
    count = np.zeros((height, width), np.float32)
    for dy, dx in ((0, 1), (1, 0)):
        here = _part(height, -dy), _part(width, -dx)
        there = _part(height, dy), _part(width, dx)
        dots = np.einsum("ijd,ijd->ij", values[here], values[there])
        for total, off in zip(sums, _apart(dots, own[here], own[there], floor), strict=True):
            total[here] += off
            total[there] += off
        count[here] += 1
        count[there] += 1
    np.maximum(count, 1, out=count)
    return [np.asarray(total / count, np.float32) for total in sums]


def _evidence(apart: Float32, around: Float32, least: float, inside: Bool | None) -> Float32:
    """Distances in units of what they may be at each place."""
    own = max(float(np.median(_sampled(apart, inside))), least)
    evidence = apart / np.hypot(np.float32(own), np.float32(_GRADIENT) * around)
    high = float(np.quantile(_sampled(evidence, inside), 0.8))
    spread = min(max(high / _SPREAD, 1.0), _MOST_SPREAD)
    return np.asarray(evidence / np.float32(spread), np.float32)
