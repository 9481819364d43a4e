"""Modules of Python that are run again: from a text, and with what they import of their kind."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["PREFIX", "drop", "execute", "is_folder", "keep", "registrars", "text_of"]

#: Begins the names of modules that are made of files.
PREFIX = "vde_nb_plugin_"


class _Source(importlib.abc.SourceLoader):
    """Loads a module from a text that was read already.

    What is run is what was looked at, and compiled anew: a cached file of compiled code is told
    from its source by size and second, so that an edit of one letter in a notebook may go unseen.
    """

    def __init__(self, path: str, text: bytes) -> None:
        self._path, self._text = path, text

    def get_filename(self, fullname: str) -> str:
        """The path that tracebacks name."""
        return self._path

    def get_data(self, path: str | bytes) -> bytes:
        """The text; of nothing else there is any."""
        if path != self._path:
            raise OSError(f"{path!r} is not looked for")
        return self._text

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """None, so that compiled code is neither looked for nor kept."""
        raise OSError(f"{path!r} is not looked for")


def execute(name: str, path: str, text: bytes) -> None:
    """Run a text as a module, in the one of that name if there is one; `path` is for tracebacks."""
    module = sys.modules.get(name)
    loader = _Source(path, text)
    if module is None:
        spec = importlib.util.spec_from_loader(name, loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
    keep({name: module})  # where dataclasses and pickle look for it
    loader.exec_module(module)


def keep(modules: Mapping[str, types.ModuleType]) -> None:
    """Have modules imported by these names, also from their packages."""
    for name, module in modules.items():
        sys.modules[name] = module
        package, _, last = name.rpartition(".")
        if package in sys.modules:
            setattr(sys.modules[package], last, module)


def drop(names: Iterable[str]) -> None:
    """Forget modules, so that they are run again by whoever imports them next."""
    for name in names:
        module = sys.modules.pop(name, None)
        package, _, last = name.rpartition(".")
        # `from . import rules` takes the attribute where there is one, and imports nothing.
        if package in sys.modules and vars(sys.modules[package]).get(last) is module is not None:
            delattr(sys.modules[package], last)


def registrars(names: Iterable[str]) -> tuple[str, ...]:
    """Which of some modules may register something with vde-nb as they are imported.

    These are the ones in which there is something of vde-nb, or of another one of them. A library
    is none: to run it twice would be slow, and some cannot be.
    """
    rest = {
        name: found
        for name in names
        if (module := sys.modules.get(name)) is not None
        and name.split(".")[0] != "vde_nb"
        and not name.startswith(PREFIX)
        and (found := _mentioned(module))
    }
    chosen: dict[str, None] = {}
    while more := [
        name
        for name, found in rest.items()
        if name not in chosen
        and any(one in chosen or one.split(".")[0] == "vde_nb" for one in found)
    ]:
        chosen.update(dict.fromkeys(more))
    return tuple(name for name in rest if name in chosen)  # packages before what is in them


def _mentioned(module: types.ModuleType) -> set[str]:
    """Names of the modules of which there is something in a module."""
    values = list(vars(module).values())
    names = [one.__name__ for one in values if isinstance(one, types.ModuleType)]
    names += [one.__module__ for one in values if isinstance(one, (type, types.FunctionType))]
    return {one for one in names if isinstance(one, str)}


def is_folder(module: types.ModuleType) -> bool:
    """Whether a module is nothing but a folder that happens to have its name."""
    return getattr(module, "__file__", None) is None and any(getattr(module, "__path__", ()))


def text_of(module: types.ModuleType) -> bytes | None:
    """Source of a module, None where it has none that can be read."""
    path = getattr(module, "__file__", None) or ""
    if not path.endswith(".py"):
        return None
    try:
        return Path(path).read_bytes()
    except OSError:  # within an archive
        return None
