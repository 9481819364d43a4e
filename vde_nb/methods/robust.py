"""Robust: registered, under one light, and compared with tolerance. The recommended one.

The pictures may have been photographed: :mod:`vde_nb.align` brings the current one onto the
reference, in place and in light, and :mod:`vde_nb.difference.tolerant` counts only what exceeds
what may differ at each place. Heat 50 is the evidence at which unchanged pictures are expected to
show `false_alarms` regions, so the default threshold means the same in every picture.
"""

from __future__ import annotations

import threading

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band, rows_for
from vde_nb._buffers import empty, zeros
from vde_nb.align import Light
from vde_nb.detect import candidates, clean, threshold_mask
from vde_nb.difference import wide_stains
from vde_nb.difference.tolerant import Evidence, false_alarm_level, tolerant
from vde_nb.methods.base import Finding, Method, Prepared, ssim_score, within
from vde_nb.settings import Settings
from vde_nb.stages import Staged, Stages

__all__ = ["METHOD", "decided", "evidence_heat", "filled", "find"]

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
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


def evidence_heat(evidence: Float32, level: float) -> UInt8:
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
        _heat_rows(evidence[first:end], level, out[first:end])

    height, width = evidence.shape
    for_each_band(band, height, width, rows_for(width, _ROWS))
    return out


def _heat_rows(rows: Float32, level: float, out: UInt8) -> None:
    """:func:`evidence_heat` of some rows, into `out`."""
    steps = _scratch.get("steps", rows.shape, np.float32)
    np.multiply(rows, np.float32(_FINE / level), out=steps)
    np.minimum(steps, np.float32(len(_HEAT) - 1), out=steps)
    index = _scratch.get("index", rows.shape, np.uint16)
    np.copyto(index, steps, casting="unsafe")
    np.take(_HEAT, index, out=out, mode="clip")


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

    for_each_band(band, height, width, rows_for(width, _ROWS))
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

    for_each_band(band, height, width, rows_for(width, 2 * _ROWS))
    return out


def _heats(
    found: Evidence,
    stains: Float32,
    valid: Bool | None,
    false_alarms: float,
) -> tuple[UInt8, UInt8]:
    """Heat, and heat of the regions that were decided on."""
    height, width = found.shape
    pixels = height * width if valid is None else int(np.count_nonzero(valid))
    own, around, core = _three_heats(found, false_alarm_level(pixels, false_alarms))
    around = filled(around)
    regions = decided(around, core)
    del around, core
    heat = filled(own)
    del own
    if stains.any():
        wide = _wide_heat(stains, heat)
        for one in (heat, regions):
            cv2.max(one, wide, one)
    return within(heat, valid), regions


def _three_heats(found: Evidence, level: float) -> tuple[UInt8, UInt8, UInt8]:
    """Heat to outline by, what is enough beside it, and heat of the means of 3 x 3 pixels."""
    own, around, core = (empty(found.shape, np.uint8) for _ in range(3))
    height, width = found.shape
    lock = threading.Lock()
    beside: dict[tuple[int, int], Float32] = {}  # two rows on either side of a band's border

    def means(rows: Float32) -> Float32:
        mean = _scratch.get("mean", rows.shape, np.float32)
        return np.asarray(cv2.blur(rows, (3, 3), mean), np.float32)

    def border(row: int, side: int, rows: Float32) -> None:
        with lock:
            other = beside.pop((row, -side), None)
            if other is None:
                beside[row, side] = rows.copy()
                return
        both = np.concatenate([other, rows] if side > 0 else [rows, other])
        _heat_rows(means(both)[1:3], level, core[row - 1 : row + 1])

    def band(first: int, end: int) -> None:
        evidence, local = found.rows(first, end)
        _heat_rows(local, level, own[first:end])
        _heat_rows(local, level * _GROW, around[first:end])
        # Whichever of two bands is the last makes the means at their border, of rows of both.
        begin, stop = first > 0, end - first - (end < height)
        _heat_rows(means(evidence)[begin:stop], level, core[first:end][begin:stop])
        if first > 0:
            border(first, 1, evidence[:2])
        if end < height:
            border(end, -1, evidence[-2:])

    for_each_band(band, height, width, found.band)
    return own, around, core


def _wide_heat(stains: Float32, heat: UInt8) -> UInt8:
    """Heat of the wide stains that `heat` does not show already, and more precisely."""
    height = len(heat)
    wide = zeros(heat.shape, np.uint8)
    inside = empty(heat.shape, np.bool_)
    count, labels = cv2.connectedComponents((stains > 0).astype(np.uint8), connectivity=4)
    for label in range(1, count):
        cells = labels == label
        low, high = _rows_near(cells, height)
        covered = hot = 0
        for first in range(low, high, _ROWS):
            rows = slice(first, min(first + _ROWS, high))
            np.greater(_enlarged(cells, rows, heat.shape), 0.5, out=inside[rows])
            covered += int(np.count_nonzero(inside[rows]))
            hot += int(np.count_nonzero((heat[rows] > 50) & inside[rows]))
        if hot < _SHOWN * covered:
            step = np.array([[stains[cells].max()]], np.float32)
            wide[low:high][inside[low:high]] = evidence_heat(step, 1 / _STAIN)[0, 0]
    return wide


def _rows_near(cells: Bool, height: int) -> tuple[int, int]:
    """First and last row of the picture that the cells that are set have a share in."""
    set_rows = np.flatnonzero(cells.any(axis=1))
    scale = height / len(cells)
    return max(0, int((set_rows[0] - 1) * scale)), min(height, int((set_rows[-1] + 2) * scale) + 1)


def _enlarged(cells: Bool, rows: slice, shape: tuple[int, ...]) -> Float32:
    """Some rows of the cells at the size of the picture, as ``cv2.resize`` interpolates them."""
    height, width = shape
    places = (np.arange(rows.start, rows.stop) + 0.5) * (len(cells) / height) - 0.5
    above = np.floor(places)
    share = (places - above).astype(np.float32)[:, None]
    one, two = (np.clip(above + i, 0, len(cells) - 1).astype(np.intp) for i in (0, 1))
    needed = cells[one[0] : two[-1] + 1].astype(np.float32)
    reduced = np.asarray(cv2.resize(needed, (width, len(needed))), np.float32)
    one, two = one - one[0], two - one[0]
    return np.asarray(reduced[one] * (1 - share) + reduced[two] * share, np.float32)


def _stains(
    found: Evidence, reference: UInt8, current: UInt8, valid: Bool | None, light: Light | None
) -> Float32:
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
    "Registers the pictures, evens out the light, and counts what exceeds noise and edges: the "
    "default, for anything photographed.",
    find,
    many_references=True,
    heat_title="Evidence",
    heat_said=(
        "Evidence counts only what exceeds noise and edges that lie a little elsewhere; it "
        "shows how surely each place has changed."
    ),
)
