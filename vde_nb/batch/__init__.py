"""Many pairs: on all processors, on a Dask cluster, into a folder that can be taken up again.

:func:`compare_many` runs, :func:`open_run` opens what was run, :func:`parse_rule` reads a rule such
as ``"major>0 or change>2"``. See :mod:`vde_nb.batch._row` for what is known of each pair.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vde_nb.batch._runner import compare_many
    from vde_nb.batch.rules import parse_rule
    from vde_nb.batch.run import Run, open_run

__all__ = ["Run", "compare_many", "open_run", "parse_rule"]

#: Where each name is from: a worker that computes pairs needs none of them.
_HOMES = {
    "Run": "vde_nb.batch.run",
    "compare_many": "vde_nb.batch._runner",
    "open_run": "vde_nb.batch.run",
    "parse_rule": "vde_nb.batch.rules",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'vde_nb.batch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
