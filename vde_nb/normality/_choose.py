"""Fit the kinds of model that are asked for, and choose among them by the normal pictures alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._progress import report
from vde_nb.normality._bank import Bank
from vde_nb.normality._calibrate import DEFAULT_FALSE_ALARMS, Fitted, alone, calibrate
from vde_nb.normality._kinds import KINDS
from vde_nb.normality._made_up import with_defects
from vde_nb.normality.base import Bool, Float32, Float64, Frame, Grid, KindEntry, UInt8

__all__ = ["PIXELS", "Choice", "Trial", "evidence_maps", "fit_kinds", "place_means"]

#: The kind that looks at pixels; it is part of every model.
PIXELS = "variation"
#: What ``"auto"`` chooses from, the simplest first. A decoder takes minutes: it is asked for.
_TRIED = (PIXELS, "subspace", "memory")
_LEAST = 3  # normal pictures that can judge
_MOST = 20  # that do, as more would only take longer
_SHOWN = 6  # of them get made-up defects
_BETTER = 0.02  # share of the defects a kind must find more than a simpler one
_LESS = 0.1  # weight left to a picture that stands out
_CAP = 8.0  # evidence counts up to so much

Describe = Callable[[UInt8, "Bool | None"], Frame]


@dataclass(frozen=True)
class Trial:
    """How one kind of model did on the normal pictures.

    Attributes
    ----------
    kind
        Its name.
    found
        Share of faint made-up defects it sees at the level where 0.02 false alarms are expected in
        a normal picture, each of which was judged by the others.
    evidence
        Typical evidence of those defects: the geometric mean, 1 being that level.
    defects
        How many there were.
    """

    kind: str
    found: float
    evidence: float
    defects: int


@dataclass(frozen=True, eq=False)
class Choice:
    """What was fitted.

    Attributes
    ----------
    kind
        The kind asked for, or chosen.
    parts
        Kinds of which the evidence is the maximum, by name; the first one looks at pixels.
    outliers
        Names of the frames that stand out of the others.
    trials
        What was compared for the choice; empty where nothing was.
    """

    kind: str
    parts: dict[str, Fitted]
    outliers: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()


def fit_kinds(
    bank: Bank, model: str, *, seed: int, grid: Grid, describe: Describe | None = None
) -> Choice:
    """Fit `model`, one of the kinds or ``"auto"``, together with the kind that looks at pixels.

    Parameters
    ----------
    bank
        Normal frames.
    model
        Name of a kind, or ``"auto"``.
    seed
        Of everything random.
    grid
        How the embeddings lie on the picture.
    describe
        ``describe(levelled, valid) -> Frame`` computes embeddings; needed for ``"auto"``.
    """
    trials: tuple[Trial, ...] = ()
    if model == "auto":
        few = bank if len(bank) <= _MOST else _some(bank, _MOST)
        done: dict[str, Fitted] = {}
        model = PIXELS
        if len(bank) >= _LEAST and describe is not None:
            done = {kind: _fitted(KINDS[kind], few, seed, grid)[0] for kind in _TRIED}
            trials = _trials(done, few, seed, grid, describe)
            model = _best(trials)
        if few is not bank:
            done.clear()
    else:
        done = {}
    names = (PIXELS,) if model == PIXELS else (PIXELS, model)
    parts, out = {}, []
    for name in names:
        part, found = _fitted(KINDS[name], bank, seed, grid, done.get(name))
        parts[name] = part
        out += [number for number in found if number not in out]
    return Choice(model, parts, tuple(bank.names[number] for number in sorted(out)), trials)


def place_means(evidence: Float32) -> Float32:
    """Evidence of places: means of 3 x 3 pixels, ``(H, W)`` float32."""
    return np.asarray(cv2.blur(evidence, (3, 3)), np.float32)


def evidence_maps(
    parts: dict[str, Fitted], frame: Frame, grid: Grid, false_alarms: float
) -> tuple[Float32, Float32]:
    """Evidence over its level, the maximum of all parts: to decide by, and to outline by.

    Parameters
    ----------
    parts
        Kinds and what their distances mean.
    frame
        What is judged.
    grid
        How the embeddings lie on the picture.
    false_alarms
        Regions of a normal picture that exceed 1, on average; each part may raise its share.
    """
    rate = false_alarms / len(parts)
    wide: Float32 | None = None
    local: Float32 | None = None
    for part in parts.values():
        gain = np.float32(1 / part.calibration.level(rate))
        if hasattr(part.kind, "maps"):
            one, two = part.kind.maps(frame)
        else:
            one = two = _full(part.kind.distances(frame), grid, frame.valid)
        one, two = one * gain, two * gain
        wide = one if wide is None else np.maximum(wide, one)
        local = two if local is None else np.maximum(local, two)
    assert wide is not None and local is not None
    return wide, local


def _full(distances: Float32, grid: Grid, valid: Bool | None) -> Float32:
    """Distances of cells at every pixel of the picture."""
    height, width = grid.shape
    full = distances
    if distances.shape != (height, width):
        (cell_w, cell_h), (rows, columns) = grid.cell, distances.shape
        size = max(width, round(columns * cell_w)), max(height, round(rows * cell_h))
        full = np.asarray(cv2.resize(distances, size, interpolation=cv2.INTER_LINEAR), np.float32)
        full = np.ascontiguousarray(full[:height, :width])
    return full if valid is None else full * valid


def _fitted(
    entry: KindEntry, bank: Bank, seed: int, grid: Grid, done: Fitted | None = None
) -> tuple[Fitted, tuple[int, ...]]:
    """A kind with its calibration, and the frames that stand out; those count less."""
    title, weights = entry.title, bank.weights
    if done is not None:
        return done, done.outliers
    report(f"{title}: fitting", None)
    if entry.both is not None:
        kind, judged = entry.both(bank, weights, seed=seed, grid=grid)
    else:
        kind = entry.fit(bank, weights, seed=seed, grid=grid)
        judged = entry.held_out(bank, weights, seed=seed, grid=grid)
    if len(bank) == 1:
        own = float(kind.distances(bank[0]).max())
        return Fitted(kind, alone(own)), ()
    maxima = np.zeros(len(bank))
    for number, distances in judged:
        report(f"{title}: judging normal pictures by the others", (number + 1) / len(bank))
        maxima[number] = float(distances.max())
    law, rarity = calibrate(maxima.tolist(), weights)
    out = tuple(int(i) for i in np.flatnonzero(rarity))
    if out:
        less: Float64 = weights.copy()
        less[list(out)] *= _LESS
        kind = entry.fit(bank, less, seed=seed, grid=grid)
    return Fitted(kind, law, out), out


def _some(bank: Bank, count: int) -> Bank:
    """Evenly spaced frames of a bank."""
    pick = np.unique(np.linspace(0, len(bank) - 1, count).astype(int))
    return replace(bank, frames=tuple(bank[i] for i in pick), weights=bank.weights[pick])


def _trials(
    fitted: dict[str, Fitted], bank: Bank, seed: int, grid: Grid, describe: Describe
) -> tuple[Trial, ...]:
    """Let every kind look for made-up defects in some of the normal pictures."""
    rng = np.random.Generator(np.random.PCG64([seed, 97]))
    usable = [i for i in range(len(bank)) if all(i not in one.outliers for one in fitted.values())]
    last = max(len(usable) - 1, 0)
    pick = sorted(set(np.linspace(0, last, min(_SHOWN, len(usable))).astype(int).tolist()))
    peaks: dict[str, list[float]] = {kind: [] for kind in fitted}
    for number in (usable[i] for i in pick):
        report("Choosing the model: made-up defects in normal pictures", None)
        picture, masks = with_defects(bank[number].levelled, bank[number].valid, rng)
        frame = describe(picture, bank[number].valid)
        for kind in fitted:
            parts = {name: fitted[name] for name in dict.fromkeys((PIXELS, kind))}
            wide, _ = evidence_maps(parts, frame, grid, DEFAULT_FALSE_ALARMS)
            peaks[kind] += [_peak(wide, mask) for mask in masks]
    return tuple(
        Trial(
            kind,
            float(np.mean(np.array(found) > 1)) if found else 0.0,
            float(np.exp(np.mean(np.log(np.clip(found, 1e-2, _CAP))))) if found else 0.0,
            len(found),
        )
        for kind, found in peaks.items()
    )


def _peak(evidence: Float32, mask: npt.NDArray[np.bool_]) -> float:
    return float(evidence[mask].max())


def _best(trials: tuple[Trial, ...]) -> str:
    """The kind that finds most; of those that find as much, the simplest."""
    best = trials[0]
    for one in trials[1:]:
        if one.found > best.found + _BETTER or (
            one.found >= best.found and one.evidence > 1.15 * best.evidence
        ):
            best = one
    return best.kind
