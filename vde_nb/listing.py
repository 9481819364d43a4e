"""What there is to choose from, as tables."""

from __future__ import annotations

from collections.abc import Iterable

from vde_nb._table import Table
from vde_nb.methods import METHODS
from vde_nb.segment import segmenter_entries
from vde_nb.segment.choosing import Entry

__all__ = ["features", "methods", "segmenters"]


def methods() -> Table:
    """The difference methods, the recommended one first: what each does, and when to take it."""
    return Table(
        [{"name": one.name, "title": one.title, "what": one.summary} for one in METHODS.values()]
    )


def segmenters() -> Table:
    """The segmenters, whether they are ready to run, and what to do where they are not."""
    return _listed(segmenter_entries().values())


def features() -> Table:
    """What can describe pictures for ``method="semantic"`` and :class:`vde_nb.Normality`.

    Whether it is ready to run, and what to do where it is not.
    """
    from vde_nb.features import feature_entries

    return _listed(feature_entries().values())


def _listed(entries: Iterable[Entry]) -> Table:
    return Table(
        [
            {
                "name": one.name,
                "title": one.title,
                "ready": one.ready,
                "how": one.how,
                "what": one.summary,
            }
            for one in entries
        ]
    )
