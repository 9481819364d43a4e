"""Subspace: what normal pictures do to the embedding of each place, and what they never do.

Per cell a mean of the embeddings; the residuals of all cells and pictures together have a few
strong directions, along which light, noise and small shifts move every embedding. A residual counts
by probabilistic principal components (Tipping and Bishop, *Probabilistic Principal Component
Analysis*, 1999): along the strong directions in units of what is usual there, beyond them by the
energy of what they do not reconstruct, which is what SubspaceAD decides by. A scale per cell,
shrunk towards the common one, says where more is usual.

Every normal picture is judged by the others in closed form: without it, the mean lies so much
further away. The directions are those of all pictures together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band
from vde_nb.normality._bank import Bank
from vde_nb.normality._cells import FLOOR, cell_weights, judged, smoothed, steadied, usual_scale
from vde_nb.normality._products import gram, times
from vde_nb.normality.base import Facts, Float32, Float64, Frame, Grid, KindEntry

__all__ = ["ENTRY", "Subspace", "directions"]

_EXPLAINED = 0.99  # share of the residuals' variance along the strong directions
_MOST = 64  # strong directions, at most
_ROWS_USED = 200_000  # residuals the directions are estimated from, at most
_RIDGE = 0.02  # of the mean variance: no direction varies by less
_STILL = 1e-2  # share of the variance over the picture by which any cell may vary
_FLAT = 1e-4  # the same of the mean square, where the picture is flat
_ALONE = 0.1  # share of the variance over the picture that one picture alone is trusted by
_BAND = 8  # rows of cells at a time


@dataclass(frozen=True, eq=False)
class Subspace:
    """Mean embedding per cell, and the law of the residuals.

    Attributes
    ----------
    mean
        ``(h, w, d)`` float16.
    axes
        ``(d, q)`` float32, the strong directions, orthonormal.
    spread
        ``(q,)`` float32, the variance along each.
    rest
        Variance along each other direction.
    scale
        ``(h, w)`` float32, the usual distance in each cell.
    shape
        ``(H, W)`` of the picture.
    """

    mean: npt.NDArray[np.float16]
    axes: Float32
    spread: Float32
    rest: float
    scale: Float32
    shape: tuple[int, int]
    name: ClassVar[str] = "subspace"

    def distances(self, frame: Frame) -> Float32:
        """How unusual each cell is, ``(h, w)``; about 1 is usual."""
        raw = np.asarray(np.sqrt(self.energy(frame.values)) / self.scale, np.float32)
        return steadied(smoothed(raw, frame.valid), frame.valid)

    def energy(self, values: npt.NDArray[np.floating[Any]]) -> Float32:
        """Squared distance from the mean in units of what is usual, per dimension, ``(h, w)``."""
        rows, columns, depth = self.mean.shape
        out = np.empty((rows, columns), np.float32)
        if self.axes.shape[1] == depth:
            gains = 1 / self.spread
        else:
            gains = 1 / self.spread - np.float32(1 / self.rest)

        def band(first: int, end: int) -> None:
            away = values[first:end].astype(np.float32)
            away -= self.mean[first:end]
            away = away.reshape(-1, depth)
            along = times(away, self.axes)
            along *= along
            found = np.einsum("ij,j->i", along, gains)
            if self.axes.shape[1] < depth:
                found += np.einsum("ij,ij->i", away, away) * np.float32(1 / self.rest)
            out[first:end] = np.maximum(found, 0).reshape(end - first, columns) / depth

        for_each_band(band, rows, columns * depth, _BAND)
        return out

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Mean, directions, their variances and the scale."""
        return {
            "mean": self.mean,
            "axes": self.axes,
            "spread": self.spread,
            "scale": self.scale,
        }

    def facts(self) -> Facts:
        """Variance along the other directions, and the shape of the picture."""
        return {"rest": self.rest, "shape": list(self.shape)}


def _fitted(bank: Bank, weights: Float64, grid: Grid) -> tuple[Subspace, Float32, Float32]:
    """The model, the weight of every cell of every frame, and its energy: both ``(n, h, w)``."""
    trust, mean = cell_weights(bank, weights)
    count, rows, columns = trust.shape
    total = np.maximum(trust.sum(axis=0), np.float32(1e-6))
    axes, spread, rest = directions(bank, trust, mean)
    model = Subspace(
        mean.astype(np.float16),
        axes,
        spread,
        rest,
        np.ones((rows, columns), np.float32),
        grid.shape,
    )
    energies = np.empty((count, rows, columns), np.float32)
    for number, frame in enumerate(bank):
        # As if the frame had had no part in the mean.
        left = np.maximum(total - trust[number], np.float32(0.3) * total)
        energies[number] = model.energy(frame.values) * (total / left) ** 2
    return model, trust, np.maximum(energies, np.float32(FLOOR))


def directions(bank: Bank, trust: Float32, mean: Float32) -> tuple[Float32, Float32, float]:
    """Strong directions of the residuals, their variances, and the variance along the others."""
    count, rows, columns = trust.shape
    depth = mean.shape[2]
    step = max(1, -(-count * rows * columns // _ROWS_USED))
    gathered = np.zeros((depth, depth), np.float64)
    number_of = 0.0
    for number, frame in enumerate(bank):
        pick = np.arange(number % step, rows * columns, step)
        away = frame.values.reshape(-1, depth)[pick].astype(np.float32)
        away -= mean.reshape(-1, depth)[pick]
        weight = trust[number].ravel()[pick]
        gathered += gram(away, weight)
        number_of += float(weight.sum())
    if count > 1:
        gathered *= count / (count - 1)
    else:  # nothing is known but how the picture itself varies
        flat = mean.reshape(-1, depth)
        gathered = _ALONE * np.atleast_2d(np.cov(flat, rowvar=False)) * max(number_of, 1.0)
    covariance = gathered / max(number_of, 1e-6)
    variances, vectors = np.linalg.eigh(covariance)
    variances, vectors = np.maximum(variances[::-1], 0), vectors[:, ::-1]
    across = float(mean.reshape(-1, depth).var(axis=0).mean())
    least = max(_STILL * across, _FLAT * float(np.mean(mean * mean)), 1e-8)
    floor = max(_RIDGE * float(variances.mean()), least)
    share = np.cumsum(variances) / max(float(variances.sum()), 1e-12)
    strong = min(depth, _MOST, int(np.searchsorted(share, _EXPLAINED)) + 1)
    if depth <= _MOST:
        strong = depth
    others = variances[strong:]
    rest = float(others.mean()) + floor if others.size else 1.0
    return (
        np.ascontiguousarray(vectors[:, :strong], np.float32),
        np.asarray(variances[:strong] + floor, np.float32),
        rest,
    )


def fit(bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid) -> Subspace:
    """Fit to the frames of a bank; `seed` makes no difference."""
    return both(bank, weights, seed=seed, grid=grid)[0]


def restore(arrays: Mapping[str, npt.NDArray[Any]], facts: Facts) -> Subspace:
    """Make it from what was saved."""
    height, width = facts["shape"]
    return Subspace(
        arrays["mean"],
        arrays["axes"],
        arrays["spread"],
        float(facts["rest"]),
        arrays["scale"],
        (int(height), int(width)),
    )


def held_out(
    bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid
) -> Iterator[tuple[int, Float32]]:
    """Distances of every frame by a model of the others."""
    return both(bank, weights, seed=seed, grid=grid)[1]


def both(
    bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid
) -> tuple[Subspace, Iterator[tuple[int, Float32]]]:
    """What :func:`fit` and :func:`held_out` give."""
    model, trust, energies = _fitted(bank, weights, grid)
    model = replace(model, scale=usual_scale(trust, energies))
    return model, judged(bank, trust, energies)


ENTRY = KindEntry(
    "subspace",
    "Subspace of the features",
    "Mean embedding of every place and the directions normal pictures move it in.",
    fit,
    restore,
    held_out,
    both,
)
