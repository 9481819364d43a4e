"""Decoder: embeddings rebuilt by a network that has seen normal pictures only.

What differs from the mean embedding of a place is whitened by the directions normal pictures move
embeddings in (see :mod:`vde_nb.normality._subspace`); :mod:`vde_nb.normality._autoencoder` says
what of it light and camera account for; the energy of the rest is the distance. It is measured
against two things: what is usual in the cell, and how noisy the picture is around it, because a
darker or compressed picture is further from everything without anything having changed.

It is always trained on the CPU: the network is so small that a GPU would save little, and there
the same seed would not give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from vde_nb.errors import SettingError
from vde_nb.normality._autoencoder import Crop, Layers, Task, layers_of, rebuilt, trained
from vde_nb.normality._bank import Bank
from vde_nb.normality._cells import cell_weights, cells_shown, smoothed, usual_scale
from vde_nb.normality._noise import noise_level
from vde_nb.normality._subspace import directions
from vde_nb.normality.base import Facts, Float32, Float64, Frame, Grid, KindEntry

__all__ = ["ENTRY", "Decoder"]

_BLOCK = 64.0  # pixels on each side of a block: more than most defects
_BLOCKS = (4, 16)  # cells on each side of a block, at least and at most
_FEWEST = 4  # pictures a network is trained on; fewer are too alike to learn from
_FOLDS = 3
_LOOKS = 2  # crops of each held-out picture
_HELD_OUT = 0.15  # share of the pictures that only say when to stop
_STEPS, _BATCH, _SIDE = 160, 3, 96  # of the training; side of a crop in cells
_CODE, _SLOPES = 12, 6  # numbers of what is normally there, and how many of them have slopes
_FAR = 8.0  # usual deviations beyond which all are alike
_LEFT = 0.3  # least share of the weight of all that is left without one picture


@dataclass(frozen=True, eq=False)
class Decoder:
    """Mean embedding per cell, whitening, and the network.

    Attributes
    ----------
    mean
        ``(h, w, d)`` float16.
    axes, spread, rest
        ``(d, q)`` orthonormal directions, the variance along each, and along all others.
    projection
        ``(d + 1, c)`` float32: embedding and 1 -> what the network is told about a place.
    scale
        ``(h, w)`` float32, the usual distance in each cell.
    layers
        Of the network; empty where there were too few pictures: then nothing is rebuilt but the
        mean.
    block
        Cells on each side of a block of the bottleneck.
    """

    mean: npt.NDArray[np.float16]
    axes: Float32
    spread: Float32
    rest: float
    projection: Float32
    scale: Float32
    layers: Layers
    block: int
    name: ClassVar[str] = "decoder"

    def distances(self, frame: Frame) -> Float32:
        """How far each cell is from what the network rebuilds, ``(h, w)``; about 1 is usual.

        Raises
        ------
        MissingExtraError
            torch is not installed.
        """
        return self.judged(self.energy(frame), frame)

    def energy(self, frame: Frame, nearer: Float32 | None = None) -> Float32:
        """Energy of what is not rebuilt, per dimension, ``(h, w)``.

        Parameters
        ----------
        frame
            The picture.
        nearer
            ``(h, w)``: by how much the frame must be moved away from the mean, of which it was a
            part. None: it was none.
        """
        found, beyond = self.whitened(frame.values)
        if nearer is not None:
            found *= nearer[..., None]
            beyond *= nearer**2
        if self.layers:
            shown = _shown(frame)
            seen = np.clip(found, -_FAR, _FAR) * shown[..., None]
            found -= rebuilt(self.layers, Crop(seen, self.code, shown), self.block)
        depth = self.mean.shape[2]
        return np.asarray((np.einsum("ijk,ijk->ij", found, found) + beyond) / depth, np.float32)

    def judged(self, energy: Float32, frame: Frame, scale: Float32 | None = None) -> Float32:
        """Distances of a frame by its energy."""
        usual = self.scale if scale is None else scale
        raw = np.asarray(np.sqrt(energy) / usual, np.float32)
        shown = cells_shown(frame.valid, raw.shape)
        return smoothed(raw / noise_level(raw, shown, self.block), frame.valid)

    def whitened(
        self, values: npt.NDArray[np.floating[Any]], cells: tuple[slice, slice] = np.s_[:, :]
    ) -> tuple[Float32, Float32]:
        """Deviations ``(h, w, q)`` along the directions, and the energy ``(h, w)`` beyond them.

        Parameters
        ----------
        values
            Embeddings.
        cells
            Where in the scene they are judged, rows and columns.
        """
        away = values.astype(np.float32)
        away -= self.mean[cells]
        rows, columns, depth = away.shape
        along = away.reshape(-1, depth) @ self.axes
        beyond = np.zeros((rows, columns), np.float32)
        if self.axes.shape[1] < depth:
            all_of_it = np.einsum("ijk,ijk->ij", away, away)
            inside = np.einsum("ij,ij->i", along, along).reshape(rows, columns)
            beyond = np.maximum(all_of_it - inside, 0) / np.float32(self.rest)
        along /= np.sqrt(self.spread)
        return along.reshape(rows, columns, -1), beyond

    @cached_property
    def code(self) -> Float32:
        """What the network is told about every place, ``(h, w, c)``."""
        rows, columns, depth = self.mean.shape
        flat = self.mean.reshape(-1, depth).astype(np.float32)
        what = (flat @ self.projection[:-1] + self.projection[-1]).reshape(rows, columns, -1)
        parts = [what]
        for axis in (0, 1):  # what a small shift does
            sloped = what[..., :_SLOPES]
            parts.append(np.gradient(sloped, axis=axis) if rows > 1 < columns else 0 * sloped)
        y, x = np.meshgrid(
            np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij", copy=False
        )
        for turn in (0.5 * math.pi, math.pi):
            waves = [np.sin(turn * x), np.sin(turn * y), np.cos(turn * x), np.cos(turn * y)]
            parts.append(np.stack(waves, axis=-1))
        return np.concatenate(parts, axis=-1).astype(np.float32)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything but the numbers of :meth:`facts`."""
        own: dict[str, npt.NDArray[Any]] = {
            "mean": self.mean,
            "axes": self.axes,
            "spread": self.spread,
            "projection": self.projection,
            "scale": self.scale,
        }
        return {**own, **{f"layers.{name}": layer for name, layer in self.layers.items()}}

    def facts(self) -> Facts:
        """Variance along the other directions, and the size of a block."""
        return {"rest": self.rest, "block": self.block}


def fit(bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid) -> Decoder:
    """Fit to the frames of a bank.

    Raises
    ------
    MissingExtraError
        torch is not installed.
    """
    trust, plain = _plain(bank, weights, grid)
    model = _finished(plain, bank, trust, range(len(bank)), seed, (0, 1))
    total = trust.sum(axis=0)
    own = [model.energy(frame, _nearer(total, trust[i])) for i, frame in enumerate(bank)]
    return replace(model, scale=usual_scale(trust, np.stack(own)))


def held_out(
    bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid
) -> Iterator[tuple[int, Float32]]:
    """Distances of every frame by a network that was trained on others.

    Training is dear, so the pictures are left out a third at a time; from the mean, each is left
    out alone, in closed form.
    """
    trust, plain = _plain(bank, weights, grid)
    yield from _by_others(plain, bank, trust, seed, _folds(len(bank), seed), 1.0)[1]


def both(
    bank: Bank, weights: Float64, *, seed: int = 0, grid: Grid
) -> tuple[Decoder, Iterator[tuple[int, Float32]]]:
    """What :func:`fit` and :func:`held_out` give."""
    trust, plain = _plain(bank, weights, grid)
    folds = _folds(len(bank), seed)
    share = len(folds) / (len(folds) + 1)
    energies, yielded = _by_others(plain, bank, trust, seed, folds, share)
    model = _finished(plain, bank, trust, range(len(bank)), seed, (share, 1))
    return replace(model, scale=usual_scale(trust, energies)), yielded


def restore(arrays: Mapping[str, npt.NDArray[Any]], facts: Facts) -> Decoder:
    """Make it from what was saved.

    Raises
    ------
    SettingError
        The network does not fit the embeddings.
    """
    layers = {
        # A copy: torch takes no array that is read-only, as those of a file are.
        name.removeprefix("layers."): np.array(array, np.float32)
        for name, array in arrays.items()
        if name.startswith("layers.")
    }
    model = Decoder(
        arrays["mean"],
        arrays["axes"],
        arrays["spread"],
        float(facts["rest"]),
        arrays["projection"],
        arrays["scale"],
        layers,
        int(facts["block"]),
    )
    rows, columns, depth = model.mean.shape
    strong = model.axes.shape[-1]
    fits = (
        model.axes.shape == (depth, strong)
        and model.spread.shape == (strong,)
        and model.scale.shape == (rows, columns)
        and model.projection.shape[0] == depth + 1
        and _BLOCKS[0] <= model.block <= _BLOCKS[1]
        # Each is divided by.
        and model.rest > 0
        and bool((model.spread > 0).all() and (model.scale > 0).all())
    )
    wanted = layers_of(strong, model.code.shape[2]) if fits else {}
    if not fits or (layers and {name: layer.shape for name, layer in layers.items()} != wanted):
        raise SettingError("The network of this decoder does not fit its embeddings.")
    return model


def _plain(bank: Bank, weights: Float64, grid: Grid) -> tuple[Float32, Decoder]:
    """Weight of every cell of every frame ``(n, h, w)``, and a decoder without a network."""
    trust, mean = cell_weights(bank, weights)
    axes, spread, rest = directions(bank, trust, mean)
    rounded = mean.astype(np.float16)
    block = round(_BLOCK / max(*grid.cell, 1.0))
    model = Decoder(
        rounded,
        axes,
        spread,
        rest,
        _projection(rounded),
        np.ones(mean.shape[:2], np.float32),
        {},
        min(max(block, _BLOCKS[0]), _BLOCKS[1]),
    )
    return trust, model


def _projection(mean: npt.NDArray[np.float16]) -> Float32:
    """Principal components of the mean embeddings, each with unit variance."""
    flat = mean.reshape(-1, mean.shape[2]).astype(np.float64)
    middle = flat.mean(axis=0)
    flat -= middle
    variances, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    count = min(_CODE, len(variances))
    strongest = vectors[:, ::-1][:, :count]
    strongest /= np.sqrt(np.maximum(variances[::-1][:count], 1e-6))
    return np.vstack([strongest, -middle @ strongest]).astype(np.float32)


def _folds(count: int, seed: int) -> list[list[int]]:
    """Frames that are left out together."""
    order = np.random.Generator(np.random.PCG64([seed, 53])).permutation(count).tolist()
    parts = min(_FOLDS, count)
    return [sorted(order[part::parts]) for part in range(parts)]


def _by_others(
    plain: Decoder, bank: Bank, trust: Float32, seed: int, folds: list[list[int]], end: float
) -> tuple[Float32, Iterator[tuple[int, Float32]]]:
    """Energies ``(n, h, w)`` of all frames by networks that were trained without them.

    And their distances, by what is usual among the others.
    """
    energies, total = np.empty_like(trust), trust.sum(axis=0)
    for part, out in enumerate(folds):
        others = [number for number in range(len(bank)) if number not in out]
        span = end * part / len(folds), end * (part + 1) / len(folds)
        model = _finished(plain, bank, trust, others, seed + part + 1, span)
        for number in out:
            energies[number] = model.energy(bank[number], _nearer(total, trust[number]))

    def distances() -> Iterator[tuple[int, Float32]]:
        for number, frame in enumerate(bank):
            scale = usual_scale(trust, energies, number)
            yield number, plain.judged(energies[number], frame, scale)

    return energies, distances()


def _finished(
    plain: Decoder, bank: Bank, trust: Float32, frames: Any, seed: int, span: tuple[float, float]
) -> Decoder:
    """The decoder with a network that was trained on some of the frames."""
    numbers = np.asarray(list(frames), np.intp)
    if len(numbers) < _FEWEST:
        return plain
    np.random.Generator(np.random.PCG64([seed, 71])).shuffle(numbers)
    stop = max(1, round(_HELD_OUT * len(numbers)))
    crops = _Crops(plain, bank, trust)
    rng = np.random.Generator(np.random.PCG64([seed, 89]))
    task = Task(
        lambda rng: crops.drawn(rng, numbers[stop:], elsewhere=True),
        tuple(crops.drawn(rng, numbers[i : i + 1]) for i in range(stop) for _ in range(_LOOKS)),
        plain.block,
        _STEPS,
        _BATCH,
    )
    return replace(plain, layers=trained(task, seed, "Decoder: training", span))


class _Crops:
    """Crops of the frames of a bank, whitened when they are asked for: all at once are too many."""

    def __init__(self, plain: Decoder, bank: Bank, trust: Float32) -> None:
        self._plain, self._bank, self._trust = plain, bank, trust
        self._total = trust.sum(axis=0)
        self._counts = trust.mean(axis=(1, 2), dtype=np.float64)

    def drawn(
        self, rng: np.random.Generator, frames: npt.NDArray[np.intp], elsewhere: bool = False
    ) -> Crop:
        """A random crop of one of `frames`; the more it counts, the more often."""
        share = self._counts[frames] + 1e-9
        number = int(rng.choice(frames, p=share / share.sum()))
        rows, columns = self._total.shape
        height, width = min(_SIDE, rows), min(_SIDE, columns)
        top, left = int(rng.integers(rows - height + 1)), int(rng.integers(columns - width + 1))
        cells = np.s_[top : top + height], np.s_[left : left + width]
        trust = self._trust[number][cells]
        nearer = _nearer(self._total[cells], trust)
        found = self._plain.whitened(self._bank[number].values[cells], cells)[0]
        shown = trust / np.float32(max(float(trust.max()), 1e-6))
        found = np.clip(found * nearer[..., None], -_FAR, _FAR) * (shown > 0)[..., None]
        other = None
        if elsewhere:
            down = (int(rng.integers(rows)) + np.arange(height)) % rows
            across = (int(rng.integers(columns)) + np.arange(width)) % columns
            values = self._bank[int(rng.choice(frames))].values[np.ix_(down, across)]
            other = np.clip(self._plain.whitened(values, cells)[0], -_FAR, _FAR)
        return Crop(found, self._plain.code[cells], shown, other)


def _nearer(total: Float32, trust: Float32) -> Float32:
    """How much further a frame lies from the mean of the others than from that of all.

    Parameters
    ----------
    total, trust
        Weight of all frames in each cell, and of the frame.
    """
    left = np.maximum(total - trust, np.float32(_LEFT) * total)
    return np.asarray(total / np.maximum(left, np.float32(1e-6)), np.float32)


def _shown(frame: Frame) -> Float32:
    cells = frame.values.shape[:2]
    shown = cells_shown(frame.valid, cells)
    return np.ones(cells, np.float32) if shown is None else shown.astype(np.float32)


ENTRY = KindEntry(
    "decoder",
    "Decoder of the features",
    "A small network, trained for minutes, that rebuilds normal embeddings only.",
    fit,
    restore,
    held_out,
    both,
    needs=("torch",),
)
