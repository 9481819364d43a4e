"""From outlines to anomalies: what a method found gets its name, grade and place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np

from vde_nb.align import Prepared
from vde_nb.classify import (
    SEVERITIES,
    SHAPE_TYPES,
    Label,
    Region,
    as_move,
    classify,
    pair_moves,
)
from vde_nb.comparison import Anomaly, to_original_box
from vde_nb.images import Placement
from vde_nb.methods import Finding
from vde_nb.segment import Outline
from vde_nb.settings import Settings

__all__ = ["Described", "describe"]

Points: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Described:
    """The anomalies, in the order asked for, and what there is to say about them."""

    anomalies: list[Anomaly]
    notes: tuple[str, ...] = ()


def describe(
    finding: Finding,
    outlines: Sequence[Outline],
    images: Prepared,
    settings: Settings,
    placement: Placement | None,
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
    """
    heatmap = finding.heatmap.value
    rules = settings.classify
    changed = np.zeros(heatmap.shape, np.bool_)
    for outline in outlines:
        x, y, w, h = outline.box
        changed[y : y + h, x : x + w] |= outline.mask
    points = [candidate.points for candidate in finding.candidates.value]
    regions = [
        Region(
            outline.box,
            outline.mask,
            images.reference.value,
            images.current.value,
            heatmap,
            images.levelled.value,
            images.valid.value,
            changed,
        )
        for outline in outlines
    ]
    labels = [classify(region, rules.classifier, otherwise=finding.otherwise) for region in regions]
    if rules.classifier == "evidence":
        regions, labels, points = _moves_once(regions, labels, points)
    made: list[dict[str, Any]] = []
    for region, label, prompts in zip(regions, labels, points, strict=True):
        heat = cv2.mean(region.crop(heatmap), region.mask.view(np.uint8))[0]
        made.append(
            {
                "box": region.box,
                "type": label.type,
                "severity": label.severity,
                "score": heat / 255,
                "area": region.area,
                "outline": region.mask,
                "points": prompts,
                "evidence": label.evidence,
                "shape": heatmap.shape,
                "confidence": label.confidence,
                "severity_score": label.severity_score,
                "box_current": to_original_box(region.box, images.registration, placement),
            }
        )
    if rules.order == "worst_first":
        made.sort(
            key=lambda one: (
                -SEVERITIES.index(one["severity"]),
                -one["severity_score"],
                -one["area"],
            )
        )
    notes = []
    guessed = {one["type"] for one in made} & SHAPE_TYPES
    if rules.classifier == "rules" and guessed:
        notes.append(
            f"{', '.join(sorted(guessed))}: types are guessed from the shape of the box, "
            "severities from its area."
        )
    anomalies = [Anomaly(number=number, **one) for number, one in enumerate(made, 1)]
    return Described(anomalies, tuple(notes))


def _moves_once(
    regions: list[Region], labels: list[Label], points: list[Points]
) -> tuple[list[Region], list[Label], list[Points]]:
    """Tell a part that moved once, instead of as one that is missing and one that was added."""
    gone: set[int] = set()
    for old, new in pair_moves(regions, labels):
        regions[old], labels[old] = as_move(regions[old], regions[new])
        points[old] = points[old] + points[new]
        gone.add(new)
    kept = [i for i in range(len(regions)) if i not in gone]
    return [regions[i] for i in kept], [labels[i] for i in kept], [points[i] for i in kept]
