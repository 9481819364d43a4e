"""The difference methods, one file each, and the table of them."""

from __future__ import annotations

from vde_nb.errors import SettingError
from vde_nb.methods import ensemble, hybrid, multi_fusion
from vde_nb.methods.base import Finding, Input, Method
from vde_nb.settings import nearest

__all__ = ["METHODS", "Finding", "Input", "Method", "get_method"]

#: Every method by its name, the recommended one first.
METHODS = {method.name: method for method in (hybrid.METHOD, multi_fusion.METHOD, ensemble.METHOD)}


def get_method(name: str) -> Method:
    """The method called `name`; :class:`SettingError` with the nearest names otherwise."""
    try:
        return METHODS[name]
    except (KeyError, TypeError):
        close = nearest(name, METHODS)
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(f"There is no method {name!r}: {', '.join(METHODS)}.{hint}") from None
