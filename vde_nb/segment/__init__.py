"""Segmenters: what draws the outline of a region, and the table of them."""

from __future__ import annotations

from vde_nb.segment.base import Outline, Prepared, Prompt, Scene, Segmenter
from vde_nb.segment.choosing import (
    Chosen,
    Entry,
    check_segmenter,
    choose,
    describe_segmenter,
    predictor,
    segmenter_entries,
)

__all__ = [
    "Chosen",
    "Entry",
    "Outline",
    "Prepared",
    "Prompt",
    "Scene",
    "Segmenter",
    "check_segmenter",
    "choose",
    "describe_segmenter",
    "predictor",
    "segmenter_entries",
]


def __dir__() -> list[str]:
    return sorted(__all__)
