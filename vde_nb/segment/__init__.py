"""Segmenters: what draws the outline of a region, and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vde_nb.errors import SettingError
from vde_nb.segment.base import Outline, Prepared, Prompt, Scene, Segmenter
from vde_nb.segment.graphcut import GraphCut
from vde_nb.segment.none import KeepMask
from vde_nb.settings import nearest

__all__ = [
    "SEGMENTERS",
    "Entry",
    "Outline",
    "Prepared",
    "Prompt",
    "Scene",
    "Segmenter",
    "get_segmenter",
]


@dataclass(frozen=True)
class Entry:
    """One line of the table of segmenters.

    Attributes
    ----------
    name
        What users choose it by.
    title
        What people see.
    summary
        One sentence.
    make
        Makes the segmenter.
    """

    name: str
    title: str
    summary: str
    make: Callable[[], Segmenter]


#: Every segmenter by its name, the default first.
SEGMENTERS = {
    entry.name: entry
    for entry in (
        Entry(
            "graphcut",
            "Graph cut",
            "Embedded, no weights: the heatmap as evidence, the edges of both pictures as border.",
            GraphCut,
        ),
        Entry("none", "None", "Keeps the detected mask.", KeepMask),
    )
}


def get_segmenter(name: str) -> Segmenter:
    """The segmenter called `name`; :class:`SettingError` with the nearest names otherwise."""
    try:
        return SEGMENTERS[name].make()
    except (KeyError, TypeError):
        close = nearest(name, SEGMENTERS)
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(
            f"There is no segmenter {name!r}: {', '.join(SEGMENTERS)}.{hint}"
        ) from None
