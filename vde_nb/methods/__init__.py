"""The difference methods, one file each, and the table of them."""

from __future__ import annotations

from vde_nb._lessons import lesson
from vde_nb.errors import SettingError
from vde_nb.methods import ensemble, hybrid, multi_fusion, normality, robust, semantic
from vde_nb.methods.base import Finding, Method, Prepared
from vde_nb.settings import DEFAULT_METHOD, nearest

__all__ = ["METHODS", "Finding", "Method", "Prepared", "default_method", "get_method"]

#: Every method by its name, the recommended one first.
METHODS = {
    one.name: one
    for one in (
        robust.METHOD,
        hybrid.METHOD,
        multi_fusion.METHOD,
        ensemble.METHOD,
        semantic.METHOD,
        normality.METHOD,
    )
}


def default_method(preset: str) -> str:
    """The method that is meant where none is named: the notebooks' own for ``published``."""
    return hybrid.METHOD.name if preset == "published" else DEFAULT_METHOD


def get_method(name: str) -> Method:
    """The method called `name`; :class:`SettingError` with the nearest names otherwise."""
    try:
        return METHODS[name]
    except (KeyError, TypeError):
        close = nearest(name, METHODS)
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(
            f"There is no method {name!r}: {', '.join(METHODS)}.{hint}{lesson('methods')}"
        ) from None


def __dir__() -> list[str]:
    return sorted(__all__)
