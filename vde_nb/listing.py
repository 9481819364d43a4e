"""What there is to choose from, as tables."""

from __future__ import annotations

from vde_nb._table import Table
from vde_nb.methods import METHODS
from vde_nb.segment import SEGMENTERS

__all__ = ["methods", "segmenters"]


def methods() -> Table:
    """The difference methods, the recommended one first."""
    return Table(
        [{"name": one.name, "title": one.title, "what": one.summary} for one in METHODS.values()]
    )


def segmenters() -> Table:
    """The segmenters and whether they are ready to run, the default first."""
    return Table(
        [
            {"name": one.name, "title": one.title, "ready": True, "what": one.summary}
            for one in SEGMENTERS.values()
        ]
    )
