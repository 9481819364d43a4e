"""The table of the kinds of model."""

from __future__ import annotations

from vde_nb.normality import _variation
from vde_nb.normality.base import KindEntry

__all__ = ["KINDS"]

#: Every kind of model by its name, the simplest first.
KINDS: dict[str, KindEntry] = {entry.name: entry for entry in (_variation.ENTRY,)}
