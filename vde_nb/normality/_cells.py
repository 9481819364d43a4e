"""Cells of several frames together: what they show, and how much each can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from vde_nb.normality._bank import Bank
from vde_nb.normality.base import Bool, Float32, Float64

__all__ = ["FLOOR", "cell_weights", "cells_shown", "judged", "smoothed", "steadied", "usual_scale"]

_OUTLYING = 3.0  # times the usual distance from the mean beyond which a cell counts less
_PRIOR = 4.0  # pictures the common scale counts as much as
_LEAST_SCALE = 0.5  # of the common scale
FLOOR = 0.25  # least squared distance that can be usual, where 1 is that of all pictures
#: Share of the cells that a picture's own noise may raise, and by what factor at most.
_WIDESPREAD, _NOISIER = 0.1, 2.0
_SEEN = 1.5  # pictures that have to show a cell
_UNKNOWN = np.float32(1e8)  # scale where none did
_SOFT = 0.7  # standard deviation in cells by which distances are smoothed


def cells_shown(valid: Bool | None, cells: tuple[int, ...]) -> Bool | None:
    """Which of ``(h, w)`` cells show nothing but pixels of the picture; None: all."""
    if valid is None:
        return None
    rows, columns = cells
    # The pixel beside what is not shown is interpolated with it.
    inside = cv2.erode(
        valid.view(np.uint8), np.ones((5, 5), np.uint8), borderType=cv2.BORDER_REFLECT
    )
    cover = cv2.resize(inside * 255, (columns, rows), interpolation=cv2.INTER_AREA)
    shown: Bool = np.asarray(cover == 255)
    # An embedding looks a cell further.
    return np.asarray(cv2.erode(shown.view(np.uint8), np.ones((3, 3), np.uint8))).view(np.bool_)


def cell_weights(bank: Bank, weights: Float64) -> tuple[Float32, Float32]:
    """How much each cell of each frame counts, and the mean embedding of every cell.

    A cell that lies far from the mean of the others, in units of what is usual there, counts less:
    one picture that is not normal must not widen what is.

    Returns
    -------
    trust
        ``(n, h, w)`` float32, 0 where the frame shows nothing.
    mean
        ``(h, w, d)`` float32.
    """
    rows, columns, _ = bank[0].values.shape
    trust = np.empty((len(bank), rows, columns), np.float32)
    for number, frame in enumerate(bank):
        trust[number] = weights[number]
        shown = cells_shown(frame.valid, (rows, columns))
        if shown is not None:
            trust[number] *= shown
    mean = _mean(bank, trust)
    if len(bank) < 4:
        return trust, mean
    apart = np.empty_like(trust)
    for number, frame in enumerate(bank):
        away = frame.values.astype(np.float32)
        away -= mean
        apart[number] = cv2.blur(np.sqrt(np.einsum("ijk,ijk->ij", away, away)), (3, 3))
    usual = np.median(apart, axis=0) + np.float32(0.25) * np.median(apart)
    # Where nothing ever varies, all are equally near.
    least = np.float32(1e-3) * np.float32(np.sqrt(np.mean(mean * mean)) + 1e-3)
    usual = np.maximum(usual, least)
    factor = np.minimum(1, np.float32(_OUTLYING) * usual / np.maximum(apart, least))
    trust *= factor**4
    return trust, _mean(bank, trust)


def _mean(bank: Bank, trust: Float32) -> Float32:
    total = np.zeros(bank[0].values.shape, np.float32)
    for number, frame in enumerate(bank):
        total += frame.values.astype(np.float32) * trust[number][..., None]
    total /= np.maximum(trust.sum(axis=0), np.float32(1e-6))[..., None]
    return total


def smoothed(raw: Float32, valid: Bool | None) -> Float32:
    """Distances of cells ``(h, w)``, each with a part of its neighbours', 0 where not shown."""
    shown = cells_shown(valid, raw.shape)
    if shown is None:
        return np.asarray(cv2.GaussianBlur(raw, (0, 0), _SOFT), np.float32)
    # What is not shown says nothing about its neighbours.
    weight = shown.astype(np.float32)
    top = cv2.GaussianBlur(raw * weight, (0, 0), _SOFT)
    return np.asarray(top / np.maximum(cv2.GaussianBlur(weight, (0, 0), _SOFT), 1e-3) * weight)


def steadied(distances: Float32, valid: Bool | None) -> Float32:
    """Distances in units of what is common in this very picture, where that is much.

    More noise, blur or compression than usual raises the distances of most cells a little; that
    is no anomaly. What a tenth of the cells exceed is divided by, from 1 up to a factor of two.
    """
    shown = cells_shown(valid, distances.shape)
    levels = distances if shown is None else distances[shown]
    if not levels.size:
        return distances
    common = float(np.quantile(levels, 1 - _WIDESPREAD))
    return np.asarray(distances / np.float32(np.clip(common, 1.0, _NOISIER)), np.float32)


def usual_scale(trust: Float32, energies: Float32, but: int | None = None) -> Float32:
    """Usual distance per cell ``(h, w)``, shrunk towards that of all.

    Parameters
    ----------
    trust, energies
        ``(n, h, w)``: how much each cell of each frame counts, and its squared distance.
    but
        A frame to leave out.
    """
    return _Usual(trust, energies).scale(but)


class _Usual:
    """Sums of what is usual, from which one frame can be taken out again."""

    def __init__(self, trust: Float32, energies: Float32) -> None:
        self._trust, self._energies = trust, energies
        self._unit = np.float32(max(float(trust.max(initial=0)), 1e-6))
        self._count = trust.sum(axis=0)
        self._total = np.einsum("nij,nij->ij", trust, energies)
        seen = energies[:, ::2, ::2][trust[:, ::2, ::2] > 0]
        self._common = float(np.median(seen)) if seen.size else 1.0

    def scale(self, but: int | None = None) -> Float32:
        """Usual distance per cell, without the frame `but`."""
        count, total = self._count, self._total
        if but is not None:
            own = self._trust[but]
            count, total = count - own, total - own * self._energies[but]
        top, under = (
            np.asarray(cv2.blur(np.asarray(one / self._unit, np.float32), (3, 3)), np.float32)
            for one in (total, count)
        )
        prior = np.float32(_PRIOR)
        found = (top + prior * np.float32(self._common)) / (under + prior)
        least = np.float32(_LEAST_SCALE**2 * self._common + 1e-6)
        found = np.maximum(found, least)
        # What hardly a picture showed, as at a border, is not known and cannot be judged.
        seen = 0.5 if len(self._trust) < 3 else _SEEN
        found[count < seen * self._unit] = _UNKNOWN
        return np.asarray(np.sqrt(found), np.float32)


def judged(bank: Bank, trust: Float32, energies: Float32) -> Iterator[tuple[int, Float32]]:
    """Distances of every frame in units of what is usual among the others."""
    usual = _Usual(trust, energies)
    for number, frame in enumerate(bank):
        raw = np.asarray(np.sqrt(energies[number]) / usual.scale(number), np.float32)
        yield number, steadied(smoothed(raw, frame.valid), frame.valid)
