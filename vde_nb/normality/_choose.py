"""Fit the kinds of model that are asked for, and choose among them by the normal pictures alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vde_nb._progress import report
from vde_nb.normality._bank import Bank
from vde_nb.normality._calibrate import Calibration, Fitted, calibrate
from vde_nb.normality._kinds import KINDS
from vde_nb.normality.base import Float64, Grid, KindEntry

__all__ = ["PIXELS", "Choice", "Trial", "fit_kinds"]

#: The kind that looks at pixels; it is part of every model.
PIXELS = "variation"


@dataclass(frozen=True)
class Trial:
    """What became of one kind of model when the normal pictures judged it.

    Attributes
    ----------
    kind
        Its name.
    """

    kind: str


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
        Numbers of the frames that stand out of the others.
    trials
        What was compared for the choice; empty where nothing was.
    """

    kind: str
    parts: dict[str, Fitted]
    outliers: tuple[int, ...] = ()
    trials: tuple[Trial, ...] = ()


def fit_kinds(bank: Bank, model: str, *, seed: int, grid: Grid) -> Choice:
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
    """
    kind = PIXELS if model == "auto" else model
    pixels, out = _fitted(KINDS[PIXELS], bank, bank.weights, seed, grid)
    return Choice(kind, {PIXELS: pixels}, out)


def _fitted(
    entry: KindEntry, bank: Bank, weights: Float64, seed: int, grid: Grid
) -> tuple[Fitted, tuple[int, ...]]:
    """A kind with its calibration, and the frames that stand out; those count less."""
    maxima = np.zeros(len(bank))
    for number, distances in entry.held_out(bank, weights, seed=seed, grid=grid):
        report(f"{entry.title}: judging normal pictures by the others", number / len(bank))
        maxima[number] = float(distances.max())
    if len(bank) == 1:
        own = entry.fit(bank, weights, seed=seed, grid=grid).distances(bank[0])
        law = Calibration(float(np.log(max(float(own.max()), 1.0))) + 1.0, 0.3, 0)
        out: tuple[int, ...] = ()
    else:
        law, rarity = calibrate(maxima.tolist(), weights)
        out = tuple(int(i) for i in np.flatnonzero(rarity))
    report(f"{entry.title}: fitting", None)
    return Fitted(entry.fit(bank, weights, seed=seed, grid=grid), law), out
