"""Imports of what only an extra installs, with an error that names the extra."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from vde_nb.errors import MissingExtraError

__all__ = ["need", "not_installed"]


def not_installed(*modules: str) -> list[str]:
    """Which of these top-level modules are not installed; imports none of them."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def need(module: str, extra: str, what: str) -> Any:
    """Import `module`.

    Parameters
    ----------
    module
        Such as ``"torch"``.
    extra
        The extra of vde-nb that installs it.
    what
        What it is needed for, to begin the message with: ``"SAM"``.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'{what} needs {module.partition(".")[0]} ({error}): pip install "vde-nb[{extra}]"'
        ) from error
