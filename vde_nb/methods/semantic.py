"""Semantic: compares what describes the pictures place by place, instead of their pixels.

Features (:mod:`vde_nb.features`) answer to colour, texture and directions, or, from a trained
model, to what is there. :mod:`vde_nb.difference.semantic` says where two pictures disagree about
them; a guided filter brings that from cells to pixels. Heat 50 is the evidence at which unchanged
pictures are expected to show `false_alarms` regions, as in the robust method. The peaks of every
region are handed on as point prompts.

With ``fuse="fast-and-deep"`` the robust method is asked too, and what either finds is put to both:
to the pixels, and to the features without what light can change, where they can do without. A
change of something that is there shows in both; what does not show in both, such as a shadow or a
reflection, is called environmental, and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band, rows_for
from vde_nb._buffers import empty, zeros
from vde_nb.detect import Box, Candidate, candidates, clean, threshold_mask
from vde_nb.difference._guided import change_guide, enlarged, guided
from vde_nb.difference.semantic import (
    SemanticDifference,
    cell_sums,
    semantic_difference,
    semantic_level,
)
from vde_nb.features import Chosen, Extractor, PatchFeatures, choose_features
from vde_nb.methods import robust
from vde_nb.methods.base import (
    AGREES,
    ENVIRONMENTAL,
    Finding,
    Method,
    Prepared,
    ssim_score,
    within,
)
from vde_nb.methods.robust import decided, evidence_heat, filled
from vde_nb.settings import METHOD_DEFAULTS, DifferenceSettings, Settings
from vde_nb.stages import Staged, Stages

__all__ = ["METHOD", "agreement", "with_peaks"]

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

_GROW = 0.7  # share of the deciding evidence that is enough beside it
_BESIDE = 33  # pixels of a window in which one hot place is enough
_SUMMIT = 2  # steps of heat below its peak that still are the peak of a region
_PEAKS = 3  # point prompts per region, at most
_PEAK = 0.7  # share of the highest peak that another one must reach
_AGREE = 0.3  # share of a region that a method must confirm
_CONFIRM = 0.6  # share of the threshold that is enough to confirm what is known already
_CLEANING = ("open_iterations", "close_iterations")

_ROWS = 256
_ODD = 4.0  # times as wide as high, or the reverse, that a cell seldom is
_FEW = 48  # cells below which unchanged pictures cannot be told from changed ones
_OVERALL = 1.0  # floors by which pictures may differ on the whole unsaid
_REGION, _PIXEL, _SEMANTIC = 1, 2, 4  # bits of who sees a region


def _described(image: UInt8, extractor: Extractor, *, what: str) -> PatchFeatures:
    return extractor(image, what)


def _compared(
    reference: PatchFeatures,
    current: PatchFeatures,
    valid: Bool | None,
    *others: PatchFeatures,
    search: int,
    distance: str,
    floor: float | None,
) -> SemanticDifference:
    return semantic_difference(
        reference, current, valid, others, search=search, distance=distance, floor=floor
    )


def _heats(
    found: SemanticDifference,
    reference: UInt8,
    current: UInt8,
    valid: Bool | None,
    false_alarms: float,
) -> tuple[UInt8, UInt8, Float32]:
    """Heat, heat of the regions that were decided on, and the evidence they were decided by."""
    level = semantic_level(found.compared, false_alarms)
    sharp = guided(found.evidence, found.cell, change_guide(reference, current))
    around = filled(evidence_heat(sharp, level * _GROW))
    heat = filled(evidence_heat(sharp, level))
    del sharp
    evidence = enlarged(found.evidence, found.cell, reference.shape[:2])
    core = evidence_heat(evidence, level)
    regions = decided(around, core)
    heat = _with_decided(heat, np.minimum(regions, core, out=core))
    return within(heat, valid), regions, evidence


def _with_decided(heat: UInt8, decided_by: UInt8) -> UInt8:
    """Heat that reaches, at the peak of every region, what that was decided by.

    The guided filter spreads faint evidence thinner than the cells hold it: without this a region
    is found where heat is below the threshold. Peaks only, as cells are coarse: beside them, the
    filter knows better what belongs to the region.
    """
    if not decided_by.any():
        return heat
    kernel = np.ones((_BESIDE, _BESIDE), np.uint8)
    out = empty(heat.shape, np.uint8)

    def band(first: int, end: int) -> None:
        top, bottom = max(0, first - _BESIDE // 2), end + _BESIDE // 2
        inner = slice(first - top, end - top)
        own = decided_by[first:end]
        peak = cv2.dilate(decided_by[top:bottom], kernel)[inner]
        peak = np.maximum(peak, _SUMMIT) - np.uint8(_SUMMIT)
        lifted = (own > cv2.dilate(heat[top:bottom], kernel)[inner]) & (own >= peak)
        np.copyto(out[first:end], heat[first:end])
        np.copyto(out[first:end], own, where=lifted)

    height, width = heat.shape
    for_each_band(band, height, width, rows_for(width, _ROWS))
    return out


def _cleaned(
    heats: tuple[UInt8, UInt8, Float32], valid: Bool | None, opening: int, closing: int
) -> UInt8:
    return within(clean(heats[1], opening, closing), valid)


def with_peaks(regions: Sequence[Candidate], evidence: Float32, apart: float) -> list[Candidate]:
    """Regions with their highest places as point prompts.

    Parameters
    ----------
    regions
        Candidates.
    evidence
        ``(H, W)`` float32.
    apart
        Pixels between two points of a region, at least.

    Returns
    -------
    list of Candidate
        Each has up to three points, the highest first, none of them below 0.7 of the highest.
    """
    return [replace(one, points=_peaks(one, evidence, apart)) for one in regions]


def _peaks(region: Candidate, evidence: Float32, apart: float) -> tuple[tuple[int, int], ...]:
    x, y, w, h = region.box
    # Cells are coarse: of places that are as high, those inside of the outline are surer.
    solid = zeros((h + 2, w + 2), np.uint8)
    np.copyto(solid[1:-1, 1:-1], region.mask)
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3, empty(solid.shape, np.float32))
    inside = np.asarray(depth, np.float32)[1:-1, 1:-1]
    np.divide(inside, np.float32(max(float(inside.max()), 1.0)), out=inside)
    np.sqrt(inside, out=inside)
    left = empty((h, w), np.float32)
    left.fill(-1)
    np.multiply(evidence[y : y + h, x : x + w], inside, out=left, where=region.mask)
    points: list[tuple[int, int]] = []
    least = 0.0
    while len(points) < _PEAKS:
        _, highest, _, (column, row) = cv2.minMaxLoc(left)
        if highest < max(least, 0.0):
            break
        least = _PEAK * highest if not points else least
        points.append((x + column, y + row))
        cv2.circle(left, (column, row), max(1, round(apart)), (-1.0,), cv2.FILLED)
    return tuple(points)


def agreement(region: Candidate, pixel: Bool, semantic: Bool) -> tuple[bool, bool]:
    """Whether two methods see a region: ``(pixel agrees, semantic agrees)``.

    A method does that confirms 0.3 of it.

    Parameters
    ----------
    region
        What at least one of them found.
    pixel, semantic
        ``(H, W)`` bool, what each of them confirms.
    """
    x, y, w, h = region.box
    pixel_share, semantic_share = (
        float(mask[y : y + h, x : x + w][region.mask].mean()) for mask in (pixel, semantic)
    )
    return pixel_share >= _AGREE, semantic_share >= _AGREE


def _distances(found: SemanticDifference, box: Box, mask: Bool) -> dict[str, float]:
    """Mean distances of the cells under an outline, each by how much of it lies there."""
    weights = cell_sums(mask, found.cell, _grid(found), box[:2])
    area = float(np.count_nonzero(mask))
    per = max(float(weights.sum()), 1.0)
    return {
        "l2_distance": float((found.l2 * weights).sum()) / per,
        "cosine_distance": float((found.cosine * weights).sum()) / per,
        "area_pixels": area,
    }


def _grid(found: SemanticDifference) -> tuple[int, int]:
    rows, columns = found.l2.shape
    return rows, columns


def _seen(regions: Sequence[Candidate], agree: Sequence[tuple[bool, bool]], shape: Any) -> UInt8:
    """Which pixels belong to a region, and to one that each of the methods sees, as bits."""
    out = zeros(shape, np.uint8)
    for region, (pixel, semantic) in zip(regions, agree, strict=True):
        x, y, w, h = region.box
        out[y : y + h, x : x + w][region.mask] = _REGION + _PIXEL * pixel + _SEMANTIC * semantic
    return out


def _measured(
    found: SemanticDifference, seen: UInt8 | None, box: Box, mask: Bool
) -> Mapping[str, float]:
    """Evidence of one outline; see :class:`~vde_nb.methods.base.Finding`."""
    evidence = _distances(found, box, mask)
    if seen is not None:
        x, y, w, h = box
        under = seen[y : y + h, x : x + w][mask]
        known = int(np.count_nonzero(under))
        for bit, name in zip((_PIXEL, _SEMANTIC), AGREES, strict=True):
            evidence[name] = float(known > 0 and 2 * np.count_nonzero(under & bit) >= known)
    return evidence


def _features(images: Prepared, extractor: Staged[Extractor], stage: Stages) -> list[Staged[Any]]:
    """Features of the reference, the current picture, and further references."""
    pictures = {"the reference": images.reference, "the current picture": images.levelled}
    for number, one in enumerate(images.others, 2):
        pictures[f"reference {number}"] = one
    return [
        stage("features", _described, image, extractor, what=what)
        for what, image in pictures.items()
    ]


def _difference(
    features: Sequence[Staged[Any]],
    images: Prepared,
    extractor: Extractor,
    settings: Settings,
    stage: Stages,
) -> Staged[SemanticDifference]:
    how = settings.difference
    return stage(
        "difference",
        _compared,
        *features[:2],
        images.valid,
        *features[2:],
        search=how.feature_search,
        distance=how.feature_distance,
        floor=getattr(extractor, "floor", None),
    )


def _without_use(how: DifferenceSettings, chosen: Chosen, extractor: Extractor) -> tuple[str, ...]:
    """Notes on settings that say how a model looks, where none was asked for."""
    if chosen.name != how.features or hasattr(extractor, "layers"):
        return ()
    usual = DifferenceSettings()
    return tuple(
        f"{name} is not used by features={chosen.name!r}."
        for name in ("feature_layers", "feature_zoom")
        if getattr(how, name) != getattr(usual, name)
    )


def _both(one: UInt8, two: UInt8) -> UInt8:
    return np.asarray(cv2.max(one, two, empty(one.shape, np.uint8)), np.uint8)


def find(images: Prepared, settings: Settings, stage: Stages) -> Finding:
    """Features -> distances -> heat by false alarms -> decide and grow -> threshold -> peaks."""
    how, rules = settings.difference, settings.detect
    # Fused, each of the two may raise half of the alarms.
    rate = how.false_alarms if how.fuse == "off" else how.false_alarms / 2
    chosen = choose_features(how)
    extractor = Staged(chosen.make(), chosen.identity)
    features = _features(images, extractor, stage)
    found = _difference(features, images, extractor.value, settings, stage)
    score = stage("ssim", ssim_score, images.reference, images.levelled)
    heats = stage(
        "decision",
        _heats,
        found,
        images.reference,
        images.levelled,
        images.valid,
        rate,
    )
    smooth = stage(
        "cleaning", _cleaned, heats, images.valid, rules.open_iterations, rules.close_iterations
    )
    heat, fast = heats.part(0), None
    if how.fuse != "off":
        fast = _fast(images, settings, stage, rate)
        heat = stage("fusion", _both, heat, fast.heatmap)
        smooth = stage("fusion of regions", _both, smooth, fast.clean)
    mask = stage("threshold", threshold_mask, smooth, rules.threshold, keep=False)
    regions = stage("contours", candidates, mask, rules.min_area, keep=False)
    notes = (
        *chosen.notes,
        *getattr(extractor.value, "notes", ()),
        *_without_use(how, chosen, extractor.value),
    )
    notes += _odd(features[0].value)
    if 0 < found.value.compared < _FEW:
        notes += (
            f"only {found.value.compared} cells are compared, too few to tell anything surely: "
            "features with smaller cells, or a larger picture, tell more",
        )
    if found.value.overall > _OVERALL:
        notes += (
            "the pictures differ on the whole, as in another light or colour; only what differs "
            "beyond that is found",
        )
    apart = 2 * max(found.value.cell)
    prompted = Staged(with_peaks(regions.value, heats.value[2], apart), regions.key)
    finding = Finding(
        score.value,
        heat,
        smooth,
        rules.threshold,
        mask,
        prompted,
        notes=notes,
        described_by=chosen.title,
    )
    if fast is None:
        return replace(finding, measure=partial(_measured, found.value, None))
    without_light = getattr(extractor.value, "without_light", None)
    if without_light is not None:
        lasting = [stage("features", _lasting, one, extractor) for one in features]
        deep = _difference(lasting, images, extractor.value, settings, stage)
    else:
        deep = found
    confirmed = round(_CONFIRM * rules.threshold)
    masks = (
        threshold_mask(fast.clean.value, confirmed),
        _confirmed(deep.value, confirmed, mask.value.shape, rate),
    )
    agree = [agreement(region, *masks) for region in regions.value]
    seen = _seen(regions.value, agree, mask.value.shape)
    return replace(
        finding,
        notes=tuple(dict.fromkeys([*notes, *fast.notes])),
        measure=partial(_measured, found.value, seen),
        labels=tuple("" if all(both) else ENVIRONMENTAL for both in agree),
    )


def _odd(features: PatchFeatures) -> tuple[str, ...]:
    """Notes on descriptions that are hardly what somebody meant."""
    (rows, columns), (width, height) = features.values.shape[:2], features.cell
    notes = []
    if max(width / height, height / width) > _ODD:
        notes.append(
            f"the features have {columns} x {rows} cells of {width:.0f} x {height:.0f} pixels: a "
            "function returns (rows, columns, numbers)"
        )
    if not np.ptp(features.values, axis=(0, 1)).any():
        notes.append("all cells of the reference have the same description: nothing is told apart")
    return tuple(notes)


def _lasting(features: PatchFeatures, extractor: Any) -> PatchFeatures:
    """Features without what light can change."""
    found: PatchFeatures = extractor.without_light(features)
    return found


def _confirmed(
    found: SemanticDifference, heat: int, shape: tuple[int, ...], false_alarms: float
) -> Bool:
    """Where the features alone show at least so much heat."""
    evidence = enlarged(found.evidence, found.cell, (shape[0], shape[1]))
    level = semantic_level(found.compared, false_alarms)
    return threshold_mask(evidence_heat(evidence, level), heat)


def _fast(images: Prepared, settings: Settings, stage: Stages, false_alarms: float) -> Finding:
    """What the robust method finds, with its own cleaning and our threshold."""
    own = METHOD_DEFAULTS["robust"]
    detect = replace(settings.detect, **{name: own[name] for name in _CLEANING})
    return robust.find(images, replace(settings, detect=detect), stage, false_alarms)


METHOD = Method(
    "semantic",
    "Semantic",
    "Compares descriptions of places instead of pixels: where light, shadow and texture vary more "
    "than pixels should; with fuse, tells shadows from changes.",
    find,
    many_references=True,
    heat_title="Descriptions",
    heat_said=(
        "Each place is described by {described}, and heat is how unlike the descriptions of both "
        "pictures are, compared with the rest of the pair."
    ),
)
