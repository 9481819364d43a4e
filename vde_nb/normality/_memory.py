"""Memory: whether anything like this was near here in the normal pictures.

PatchCore (Roth et al., *Towards Total Recall in Industrial Anomaly Detection*, CVPR 2022) with the
search restricted to two cells around: what is normal elsewhere is not normal here, and the search
costs the same however large the picture. The coreset is chosen per place, farthest point first,
so each cell keeps the few embeddings that differ most. Distances are taken where the residuals of
normal pictures are white, so what light and noise do counts little.

A normal picture is judged by what the others left in the memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band
from vde_nb._progress import report
from vde_nb.normality._bank import Bank
from vde_nb.normality._cells import FLOOR, cell_weights, judged, smoothed, steadied, usual_scale
from vde_nb.normality._products import times
from vde_nb.normality._subspace import directions
from vde_nb.normality.base import Facts, Float32, Float64, Frame, Grid, KindEntry

__all__ = ["ENTRY", "Memory"]

_REACH = 2  # cells around in which something like it is looked for
_SHARE, _FEWEST, _MOST = 0.2, 3, 5  # of the pictures are remembered per cell
_BLOCK = 4  # side of the squares of cells that are looked up together
_AXES = 48  # dimensions distances are taken in, at most
_DOUBT = 0.5  # trust under which an embedding is not remembered
_FAR = np.float32(1e12)
_MOST_APART = np.float32(1e6)  # squared distance


@dataclass(frozen=True, eq=False)
class Memory:
    """Embeddings of normal pictures, place by place.

    Attributes
    ----------
    axes
        ``(d, k)`` float32: what embeddings are multiplied by before distances are taken.
    kept
        ``(m, h, w, k)`` float16, what is remembered in each cell.
    origin
        ``(m, h, w)`` int16, the frame of the bank it comes from; -1: nothing.
    scale
        ``(h, w)`` float32, the usual distance in each cell.
    shape
        ``(H, W)`` of the picture.
    """

    axes: Float32
    kept: npt.NDArray[np.float16]
    origin: npt.NDArray[np.int16]
    scale: Float32
    shape: tuple[int, int]
    name: ClassVar[str] = "memory"

    def distances(self, frame: Frame) -> Float32:
        """How unlike everything remembered around each cell is, ``(h, w)``; about 1 is usual."""
        raw = np.asarray(np.sqrt(self.energy(frame.values)) / self.scale, np.float32)
        return steadied(smoothed(raw, frame.valid), frame.valid)

    def energy(self, values: npt.NDArray[np.floating[Any]], but: int = -1) -> Float32:
        """Squared distance of every cell to the nearest remembered one, ``(h, w)``.

        What comes from the frame `but` is not looked at.
        """
        rows, columns, _ = values.shape
        kept, origin, length = self._padded
        if but >= 0:
            length = np.where(origin == but, _FAR, length)
        high, wide = (-(-side // _BLOCK) * _BLOCK for side in (rows, columns))
        now = np.zeros((high, wide, self.axes.shape[1]), np.float32)
        now[:rows, :columns] = _projected(values, self.axes)
        own = np.einsum("ijk,ijk->ij", now, now)
        out = np.empty((high, wide), np.float32)
        penalty = _penalty(len(kept))

        def band(first: int, end: int) -> None:
            window = slice(first, end + 2 * _REACH)
            known = _windows(kept[:, window].astype(np.float32))  # (squares, k, candidates)
            known *= np.float32(-2)
            asked = _squares(now[first:end])  # (squares, cells, k)
            apart = np.matmul(asked, known)
            apart += _windows(length[:, window, :, None])
            apart += penalty
            nearest = apart.min(axis=2)[..., None]
            out[first:end] = _unsquared(nearest, _BLOCK) + own[first:end]

        for_each_band(band, high, wide * len(self.axes), _BLOCK)
        found = out[:rows, :columns] / np.float32(self.axes.shape[1])
        # The most is where nothing is remembered.
        return np.asarray(np.clip(found, 0, _MOST_APART), np.float32)

    @cached_property
    def _padded(self) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.int16], Float32]:
        """What is kept, its origin and squared length, in whole squares with a margin around."""
        _, rows, columns, _ = self.kept.shape
        below, right = (-side % _BLOCK + _REACH for side in (rows, columns))
        around = (0, 0), (_REACH, below), (_REACH, right)
        kept = np.pad(self.kept, (*around, (0, 0)))
        origin = np.pad(self.origin, around, constant_values=-1)
        length = np.empty(origin.shape, np.float32)
        for number, one in enumerate(kept):
            levels = one.astype(np.float32)
            length[number] = np.einsum("ijk,ijk->ij", levels, levels)
        length[origin < 0] = _FAR
        return kept, origin, length

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What is remembered, and how distances are taken."""
        return {
            "axes": self.axes,
            "kept": self.kept,
            "origin": self.origin,
            "scale": self.scale,
        }

    def facts(self) -> Facts:
        """The shape of the picture."""
        return {"shape": list(self.shape)}


def _penalty(count: int) -> Float32:
    """``(cells of a square, candidates)``: far where one is out of the other's reach."""
    side = _BLOCK + 2 * _REACH
    inner, outer = np.arange(_BLOCK)[:, None] + _REACH, np.arange(side)[None, :]
    out = np.abs(inner - outer) > _REACH
    far = out[:, None, None, :, None] | out[None, :, None, None, :]
    table = np.where(np.broadcast_to(far, (_BLOCK, _BLOCK, count, side, side)), _FAR, 0)
    return np.asarray(table.reshape(_BLOCK**2, -1), np.float32)


def _windows(known: Float32) -> Float32:
    """``(m, side, columns, k)`` around a row of squares -> ``(squares, k, m * side * side)``."""
    side = _BLOCK + 2 * _REACH
    views = np.lib.stride_tricks.sliding_window_view(known, side, axis=2)[:, :, ::_BLOCK]
    count, depth = views.shape[2], views.shape[3]
    return np.ascontiguousarray(views.transpose(2, 3, 0, 1, 4)).reshape(count, depth, -1)


def _squares(cells: Float32) -> Float32:
    """``(block, columns, k)`` -> ``(squares, block * block, k)``."""
    high, wide, depth = cells.shape
    parts = cells.reshape(high, wide // _BLOCK, _BLOCK, depth).transpose(1, 0, 2, 3)
    return np.ascontiguousarray(parts).reshape(wide // _BLOCK, -1, depth)


def _unsquared(squares: Float32, high: int) -> Float32:
    """``(squares, block * block, 1)`` -> ``(block, columns)``."""
    parts = squares.reshape(len(squares), high, _BLOCK).transpose(1, 0, 2)
    return parts.reshape(high, -1)


def _projected(values: npt.NDArray[np.floating[Any]], axes: Float32) -> Float32:
    rows, columns, depth = values.shape
    flat = values.reshape(-1, depth).astype(np.float32)
    return times(flat, axes).reshape(rows, columns, -1)


def _whitening(bank: Bank, trust: Float32, mean: Float32) -> Float32:
    """Axes on which the residuals of normal pictures have the variance one."""
    axes, spread, rest = directions(bank, trust, mean)
    depth = axes.shape[0]
    if depth <= _AXES:
        return np.asarray(axes / np.sqrt(spread), np.float32)
    # Of many dimensions, those in which places differ most from each other, in units of how much
    # normal pictures do.
    usual = (axes * (spread - rest)) @ axes.T + rest * np.eye(depth, dtype=np.float32)
    flat = mean.reshape(-1, depth) - mean.reshape(-1, depth).mean(axis=0)
    root = np.linalg.cholesky(usual.astype(np.float64))
    white = np.linalg.solve(root, flat.T.astype(np.float64)).T
    _, vectors = np.linalg.eigh(white.T @ white)
    return np.asarray(np.linalg.solve(root.T, vectors[:, -_AXES:]), np.float32)


def _coreset(
    bank: Bank, trust: Float32, axes: Float32
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.int16]]:
    """Per cell the few embeddings that cover all of them best, farthest point first."""
    count, rows, columns = trust.shape
    size = min(count, max(_FEWEST, min(_MOST, round(_SHARE * count))))
    depth = axes.shape[1]
    projected = np.empty((count, rows, columns, depth), np.float16)
    for number, frame in enumerate(bank):
        projected[number] = _projected(frame.values, axes)
    kept = np.zeros((size, rows, columns, depth), np.float16)
    origin = np.full((size, rows, columns), -1, np.int16)
    sure = trust > _DOUBT * trust.max(axis=0)

    def band(first: int, end: int) -> None:
        here = slice(first, end)
        some = projected[:, here].astype(np.float32)
        known = sure[:, here]
        middle = (some * known[..., None]).sum(axis=0)
        middle /= np.maximum(known.sum(axis=0), 1)[..., None]
        away = some - middle
        apart = -np.einsum("nijk,nijk->nij", away, away)  # the first one is the nearest
        apart[~known] = -np.inf
        for turn in range(size):
            best = apart.argmax(axis=0)
            some_left = np.isfinite(np.take_along_axis(apart, best[None], axis=0)[0])
            chosen = np.take_along_axis(some, best[None, ..., None], axis=0)[0]
            kept[turn, here] = chosen
            origin[turn, here] = np.where(some_left, best, -1)
            away = some - chosen
            new = np.einsum("nijk,nijk->nij", away, away)
            apart = new if turn == 0 else np.minimum(apart, new)
            apart[~known] = -np.inf
            np.put_along_axis(apart, best[None], -np.inf, axis=0)

    for_each_band(band, rows, columns * depth, 4)
    return kept, origin


def both(
    bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid
) -> tuple[Memory, Iterator[tuple[int, Float32]]]:
    """What :func:`fit` and :func:`held_out` give."""
    trust, mean = cell_weights(bank, weights)
    axes = _whitening(bank, trust, mean)
    kept, origin = _coreset(bank, trust, axes)
    model = Memory(axes, kept, origin, np.ones(trust.shape[1:], np.float32), grid.shape)
    energies = np.empty(trust.shape, np.float32)
    for number, frame in enumerate(bank):
        report("Memory of the features: what is usual", number / len(bank))
        energies[number] = model.energy(frame.values, number if len(bank) > 1 else -1)
    energies = np.maximum(energies, np.float32(FLOOR))
    return replace(model, scale=usual_scale(trust, energies)), judged(bank, trust, energies)


def fit(bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid) -> Memory:
    """Fit to the frames of a bank; `seed` makes no difference."""
    return both(bank, weights, seed=seed, grid=grid)[0]


def restore(arrays: Mapping[str, npt.NDArray[Any]], facts: Facts) -> Memory:
    """Make it from what was saved."""
    height, width = facts["shape"]
    return Memory(
        arrays["axes"],
        arrays["kept"],
        arrays["origin"],
        arrays["scale"],
        (int(height), int(width)),
    )


def held_out(
    bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid
) -> Iterator[tuple[int, Float32]]:
    """Distances of every frame by what the others left in the memory."""
    return both(bank, weights, seed=seed, grid=grid)[1]


ENTRY = KindEntry(
    "memory",
    "Memory of the features",
    "The nearest of a few remembered embeddings within two cells around every place.",
    fit,
    restore,
    held_out,
    both,
)
