"""The table of the kinds of model."""

from __future__ import annotations

from vde_nb.normality import _decoder, _memory, _subspace, _variation
from vde_nb.normality.base import KindEntry

__all__ = ["KINDS"]

#: Every kind of model by its name, the simplest first.
KINDS: dict[str, KindEntry] = {
    kind.ENTRY.name: kind.ENTRY for kind in (_variation, _subspace, _memory, _decoder)
}
