"""Robust: registered, under one light, and compared with tolerance. The recommended one.

The pictures may have been photographed: :mod:`vde_nb.align` brings the current one onto the
reference, in place and in light, and :mod:`vde_nb.difference.tolerant` counts only what exceeds
what may differ at each place. Heat 50 is the evidence at which unchanged pictures are expected to
show `false_alarms` regions, so the default threshold means the same in every picture.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band
from vde_nb._buffers import empty
from vde_nb.align import Light
from vde_nb.detect import candidates, clean, threshold_mask
from vde_nb.difference import wide_stains
from vde_nb.difference.tolerant import Evidence, false_alarm_level, tolerant
from vde_nb.methods.base import Finding, Method, Prepared, ssim_score, within
from vde_nb.settings import Settings
from vde_nb.stages import Staged, Stages

__all__ = ["METHOD", "decided", "evidence_heat", "filled", "find"]

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

_GROW = 0.4  # share of the deciding evidence that is enough beside it
_STEPS = 8  # pixels a region may grow by
_STAIN = 1.2  # evidence of a stain's least step, as a share of the level
_SHOWN = 0.5  # share of a wide stain that is hot anyway
_FILL = 11  # pixels; gaps in areas up to so wide are filled
_FINE = 128  # steps per level of evidence in the table of heat
_ROWS = 128
_scratch = Scratch()


def _table() -> UInt8:
    """Heat by evidence over its level, in steps of 1/128."""
    ratio = np.arange(32 * _FINE) / _FINE
    heat = np.where(ratio < 1, 50 * ratio, 50 + 205 * (1 - np.exp(-(ratio - 1) / 3)))
    # Just at the level a pixel does not count yet: masks are heat > threshold.
    return np.floor(heat).astype(np.uint8)


_HEAT = _table()


def evidence_heat(evidence: npt.NDArray[np.float32], level: float) -> UInt8:
    """Evidence as heat 0 to 255: 50 at `level`, proportional below, saturating above.

    Parameters
    ----------
    evidence
        ``(H, W)`` float32, 0 or more.
    level
        Evidence of heat 50.

    Returns
    -------
    ndarray
        ``(H, W)`` uint8, ``50 r`` for ``r = evidence / level`` up to 1, and
        ``50 + 205 (1 - exp(-(r - 1) / 3))`` above.
    """
    out = empty(evidence.shape, np.uint8)

    def band(first: int, end: int) -> None:
        rows = evidence[first:end]
        steps = _scratch.get("steps", rows.shape, np.float32)
        np.multiply(rows, np.float32(_FINE / level), out=steps)
        np.minimum(steps, np.float32(len(_HEAT) - 1), out=steps)
        index = _scratch.get("index", rows.shape, np.uint16)
        np.copyto(index, steps, casting="unsafe")
        np.take(_HEAT, index, out=out[first:end], mode="clip")

    height, width = evidence.shape
    for_each_band(band, height, width, _ROWS)
    return out


def decided(around: UInt8, core: UInt8) -> UInt8:
    """Heat of the regions that hold enough evidence, grown into what lies around them.

    What is decided by `core` takes in what is hot in `around` and connected within 8 pixels
    (hysteresis, Canny 1986, as a geodesic dilation). Like all of morphology this commutes with
    thresholding: a threshold of the result is what deciding and growing at that threshold gives.

    Parameters
    ----------
    around, core
        ``(H, W)`` uint8.

    Returns
    -------
    ndarray
        ``(H, W)`` uint8, nowhere above `around`.
    """
    height, width = around.shape
    out = empty(around.shape, np.uint8)
    kernel = np.ones((3, 3), np.uint8)

    def band(first: int, end: int) -> None:
        top, bottom = max(0, first - _STEPS), min(height, end + _STEPS)
        most = around[top:bottom]
        grown = _scratch.get("grown", most.shape, np.uint8)
        wider = _scratch.get("wider", most.shape, np.uint8)
        cv2.min(core[top:bottom], most, grown)
        for _ in range(_STEPS):
            cv2.dilate(grown, kernel, wider)
            cv2.min(wider, most, grown)
        out[first:end] = grown[first - top : end - top]

    for_each_band(band, height, width, _ROWS)
    return out


def filled(heat: UInt8) -> UInt8:
    """Heat with gaps filled inside of areas, and thin things left as thin as they are.

    Where a texture changed, evidence is patchy. A closing by 11 x 11 pixels fills the gaps, and
    the opening after it keeps that only where it is an area, 11 pixels wide at least.

    Parameters
    ----------
    heat
        ``(H, W)`` uint8.

    Returns
    -------
    ndarray
        ``(H, W)`` uint8, nowhere below `heat`.
    """
    height, width = heat.shape
    out = empty(heat.shape, np.uint8)
    kernel = np.ones((_FILL, _FILL), np.uint8)
    halo = 2 * (_FILL - 1)

    def band(first: int, end: int) -> None:
        top, bottom = max(0, first - halo), min(height, end + halo)
        rows = heat[top:bottom]
        closed = _scratch.get("closed", rows.shape, np.uint8)
        cv2.morphologyEx(rows, cv2.MORPH_CLOSE, kernel, closed)
        cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel, closed)
        cv2.max(heat[first:end], closed[first - top : end - top], out[first:end])

    for_each_band(band, height, width, 2 * _ROWS)
    return out


def _heats(
    found: Evidence,
    stains: npt.NDArray[np.float32],
    valid: Bool | None,
    false_alarms: float,
) -> tuple[UInt8, UInt8]:
    """Heat, and heat of the regions that were decided on."""
    pixels = found.evidence.size if valid is None else int(np.count_nonzero(valid))
    level = false_alarm_level(pixels, false_alarms)
    mean = np.asarray(cv2.blur(found.evidence, (3, 3)), np.float32)
    core = evidence_heat(mean, level)
    around = filled(evidence_heat(found.local, level * _GROW))
    heat, regions = filled(evidence_heat(found.local, level)), decided(around, core)
    if stains.any():
        wide = _wide_heat(stains, heat)
        for one in (heat, regions):
            cv2.max(one, wide, one)
    return within(heat, valid), regions


def _wide_heat(stains: npt.NDArray[np.float32], heat: UInt8) -> UInt8:
    """Heat of the wide stains that `heat` does not show already, and more precisely."""
    size = heat.shape[::-1]
    wide = np.zeros_like(heat)
    count, labels = cv2.connectedComponents((stains > 0).astype(np.uint8), connectivity=4)
    for label in range(1, count):
        cells = labels == label
        inside = cv2.resize(cells.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
        if np.mean(heat[inside] > 50) < _SHOWN:
            step = np.array([[stains[cells].max()]], np.float32)
            wide[inside] = evidence_heat(step, 1 / _STAIN)[0, 0]
    return wide


def _stains(
    found: Evidence, reference: UInt8, current: UInt8, valid: Bool | None, light: Light | None
) -> npt.NDArray[np.float32]:
    if found.radius > 1:  # where edges do not fit, means of areas do not either
        return np.zeros((1, 1), np.float32)
    return wide_stains(reference, current, light.curve if light is not None else None, valid)


def _cleaned(heats: tuple[UInt8, UInt8], valid: Bool | None, opening: int, closing: int) -> UInt8:
    return within(clean(heats[1], opening, closing), valid)


def find(
    images: Prepared, settings: Settings, stage: Stages, false_alarms: float | None = None
) -> Finding:
    """Tolerant difference -> heat by false alarms -> decide and grow -> threshold -> contours.

    Parameters
    ----------
    images, settings, stage
        See :class:`~vde_nb.methods.base.Method`.
    false_alarms
        Instead of that of `settings`, and not bound to its range.
    """
    how, rules = settings.difference, settings.detect
    rate = how.false_alarms if false_alarms is None else false_alarms
    evidence = stage(
        "difference",
        tolerant,
        images.reference,
        images.levelled,
        images.valid,
        *images.others,
        tolerance=how.tolerance,
        antialiasing=how.antialiasing,
    )
    # Stains too wide for a local comparison, under the global light alone.
    stains = stage(
        "stains",
        _stains,
        evidence,
        images.reference,
        images.current,
        images.valid,
        images.light or Staged(None, "as it is"),
    )
    score = stage("ssim", ssim_score, images.reference, images.levelled)
    heats = stage("decision", _heats, evidence, stains, images.valid, rate)
    smooth = stage(
        "cleaning", _cleaned, heats, images.valid, rules.open_iterations, rules.close_iterations
    )
    mask = stage("threshold", threshold_mask, smooth, rules.threshold, keep=False)
    regions = stage("contours", candidates, mask, rules.min_area, keep=False)
    notes: tuple[str, ...] = ()
    if not how.tolerance and evidence.value.radius > 1:
        notes = (
            f"edges may lie up to {evidence.value.radius} pixels elsewhere, as the pictures do not "
            "fit more closely (tolerance=1 is strict); very wide stains are not looked for",
        )
    return Finding(score.value, heats.part(0), smooth, rules.threshold, mask, regions, notes=notes)


METHOD = Method(
    "robust",
    "Robust",
    "Registers the pictures, evens out the light, and counts what exceeds noise and edges. "
    "The recommended one.",
    find,
    many_references=True,
)
