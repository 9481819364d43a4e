"""From outlines to anomalies: what a method found gets its name, grade and place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._buffers import empty, zeros
from vde_nb.align import Prepared
from vde_nb.classify import (
    SEVERITIES,
    SHAPE_TYPES,
    Label,
    Region,
    as_move,
    classify,
    pair_moves,
    recall,
    remember,
)
from vde_nb.classify._sums import settled
from vde_nb.comparison import Anomaly, to_original_box
from vde_nb.images import Placement
from vde_nb.methods import Finding
from vde_nb.methods.base import AGREES, ENVIRONMENTAL, Measure
from vde_nb.segment import Outline, Prompt
from vde_nb.settings import Settings
from vde_nb.stages import StageCache

__all__ = ["Described", "describe", "describe_prompted", "numbered"]

Bool: TypeAlias = npt.NDArray[np.bool_]
UInt8: TypeAlias = npt.NDArray[np.uint8]
Points: TypeAlias = tuple[tuple[int, int], ...]

#: Most that a region counts whose type the method told: just minor.
_MILD = 0.32
#: Share of what a person points at that must have been found for the method to tell its type.
_FOUND = 0.3


@dataclass(frozen=True)
class Described:
    """What :func:`describe` made of outlines.

    Attributes
    ----------
    anomalies
        In the order asked for.
    notes
        What there is to say about them, in words.
    """

    anomalies: list[Anomaly]
    notes: tuple[str, ...] = ()


def describe(
    finding: Finding,
    outlines: Sequence[Outline],
    images: Prepared,
    settings: Settings,
    placement: Placement | None,
    cache: StageCache | None = None,
) -> Described:
    """Name and grade every outline; two that are one thing which moved become one.

    Parameters
    ----------
    finding
        What the method found.
    outlines
        One per candidate of `finding`, in its order.
    images
        The pictures it was found in.
    settings
        How to name and order.
    placement
        Where the pixels of the pair lie in the current picture as it was handed over.
    cache
        Where measures of regions that look the same are found; the result is the same without.

    Returns
    -------
    Described
        Fewer anomalies than outlines where some became one.
    """
    heatmap = finding.heatmap.value
    rules = settings.classify
    changed = zeros(heatmap.shape, np.bool_)
    for outline in outlines:
        x, y, w, h = outline.box
        changed[y : y + h, x : x + w] |= outline.mask
    points = [candidate.points for candidate in finding.candidates.value]
    regions = [_region(outline, images, heatmap, changed) for outline in outlines]
    known = [(region, recall(region, cache)) for region in regions]
    labels = []
    for region in regions:
        labels.append(classify(region, rules.classifier, otherwise=finding.otherwise))
        region.forget()  # of thousands of regions they would be gigabytes
    labels = [_named(label, told) for label, told in zip_longest(labels, finding.labels)]
    if rules.classifier == "evidence":
        regions, labels, points = _moves_once(regions, labels, points, cache)
    for region, key in known:
        remember(region, key, cache)
    made = [
        _anomaly(region, _measured(label, region, finding.measure), prompts, images, placement)
        for region, label, prompts in zip(regions, labels, points, strict=True)
    ]
    notes = []
    guessed = {one.type for one in made} & SHAPE_TYPES
    if rules.classifier == "rules" and guessed:
        notes.append(
            f"{', '.join(sorted(guessed))}: types are guessed from the shape of the box, "
            "severities from its area."
        )
    return Described(numbered(made, rules.order), tuple(notes))


def describe_prompted(
    outlines: Sequence[Outline | None],
    prompts: Sequence[Prompt],
    detected: Sequence[Anomaly],
    images: Prepared,
    heatmap: UInt8,
    classifier: str,
    otherwise: str,
    placement: Placement | None,
    measure: Measure | None = None,
) -> list[Anomaly | None]:
    """Name and grade what prompts outlined, each by itself.

    Parameters
    ----------
    outlines, prompts
        One outline, or None, for each prompt.
    detected
        What else has changed, so that it is not held against them.
    images, heatmap
        What the prompts were given on.
    classifier, otherwise
        See :func:`vde_nb.classify.classify`.
    placement
        Where the pixels of the pair lie in the current picture as it was handed over.
    measure
        What the method has to add to the evidence.

    Returns
    -------
    list of Anomaly or None
        One for each prompt, None where it has no outline; their numbers are not given yet.
    """
    found = zeros(heatmap.shape, np.bool_)
    for one in detected:
        found[one.y : one.y + one.h, one.x : one.x + one.w] |= one.outline
    changed = empty(found.shape, np.bool_)
    np.copyto(changed, found)
    for outline in outlines:
        if outline is not None:
            x, y, w, h = outline.box
            changed[y : y + h, x : x + w] |= outline.mask
    made: list[Anomaly | None] = []
    for outline, prompt in zip(outlines, prompts, strict=True):
        if outline is None:
            made.append(None)
            continue
        region = _region(outline, images, heatmap, changed)
        label = _measured(classify(region, classifier, otherwise=otherwise), region, measure)
        label = _named(label, _told(label, region, found))
        points = tuple((x, y) for x, y, on in prompt.points if on)
        anomaly = _anomaly(region, label, points, images, placement)
        made.append(replace(anomaly, origin="prompted"))
    return made


def numbered(anomalies: Iterable[Anomaly], order: str) -> list[Anomaly]:
    """The `anomalies` numbered from 1, in the `order` that the setting of this name says."""
    made = list(anomalies)
    if order == "worst_first":
        made.sort(key=lambda one: (-SEVERITIES.index(one.severity), -one.severity_score, -one.area))
    return [replace(one, number=number) for number, one in enumerate(made, 1)]


def _region(outline: Outline, images: Prepared, heatmap: UInt8, changed: Bool) -> Region:
    return Region(
        outline.box,
        outline.mask,
        images.reference.value,
        images.current.value,
        heatmap,
        images.levelled.value,
        images.valid.value,
        changed,
        outline.evidence,
    )


def _named(label: Label, told: str | None) -> Label:
    """A label with the type that the method tells, which is none of damage."""
    if not told:
        return label
    mild = min(label.severity_score, _MILD)
    return replace(label, type=told, severity=SEVERITIES[0], confidence=1.0, severity_score=mild)


def _told(label: Label, region: Region, found: Bool) -> str:
    """The type that the method tells of what a person points at, as of what it found itself."""
    if all(label.evidence.get(name, 1.0) for name in AGREES):
        return ""
    under = region.crop(found)[region.mask]
    return ENVIRONMENTAL if under.mean() >= _FOUND else ""


def _measured(label: Label, region: Region, measure: Measure | None) -> Label:
    """A label with what the method has to add to its evidence."""
    if measure is None or not region.area:
        return label
    return replace(label, evidence={**label.evidence, **measure(region.box, region.mask)})


def _anomaly(
    region: Region, label: Label, points: Points, images: Prepared, placement: Placement | None
) -> Anomaly:
    heat = cv2.mean(region.crop(region.heatmap), region.mask.view(np.uint8))[0]
    height, width = region.heatmap.shape
    return Anomaly(
        number=0,
        box=region.box,
        type=label.type,
        severity=label.severity,
        score=heat / 255,
        area=region.area,
        outline=region.mask,
        points=points,
        # The last digits of a sum may differ from machine to machine, and reorder what is equal.
        evidence={name: settled(value) for name, value in label.evidence.items()},
        shape=(height, width),
        confidence=settled(label.confidence),
        severity_score=settled(label.severity_score),
        box_current=to_original_box(region.box, images.registration, placement),
    )


def _moves_once(
    regions: list[Region],
    labels: list[Label],
    points: list[Points],
    cache: StageCache | None,
) -> tuple[list[Region], list[Label], list[Points]]:
    """Tell a part that moved once, instead of as one that is missing and one that was added."""
    gone: set[int] = set()
    for old, new in pair_moves(regions, labels):
        regions[old], labels[old] = as_move(regions[old], regions[new], cache)
        points[old] = points[old] + points[new]
        gone.add(new)
    kept = [i for i in range(len(regions)) if i not in gone]
    return [regions[i] for i in kept], [labels[i] for i in kept], [points[i] for i in kept]
