"""What there is to choose from, as tables."""

from __future__ import annotations

from vde_nb._table import Table
from vde_nb.methods import METHODS
from vde_nb.segment import segmenter_entries

__all__ = ["methods", "segmenters"]


def methods() -> Table:
    """The difference methods, the recommended one first."""
    return Table(
        [{"name": one.name, "title": one.title, "what": one.summary} for one in METHODS.values()]
    )


def segmenters() -> Table:
    """The segmenters, whether they are ready to run, and what to do where they are not."""
    return Table(
        [
            {
                "name": one.name,
                "title": one.title,
                "ready": one.ready,
                "how": one.how,
                "what": one.summary,
            }
            for one in segmenter_entries().values()
        ]
    )
