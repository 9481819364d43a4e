"""``run.json``: what was run, with what, on what, and how it ended."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vde_nb._version import __version__
from vde_nb._write import write_atomically
from vde_nb.batch._plain import plain_file
from vde_nb.batch._plan import processors
from vde_nb.errors import OutputError, SettingError
from vde_nb.export._text import dump

__all__ = [
    "MANIFEST",
    "SCHEMA_VERSION",
    "check_same",
    "machine",
    "now",
    "read_manifest",
    "write_manifest",
]

MANIFEST = "run.json"
SCHEMA_VERSION = "1.0"
_LONGEST = 4 << 20  # bytes

#: What makes two runs different ones, in the order in which it is told.
_DECIDING = ("vde_nb", "method", "preset", "settings", "ignore", "plugins", "save", "settings_key")


def machine() -> dict[str, Any]:
    """What this runs on, without its name."""
    return {
        "vde_nb": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "platform": f"{platform.system()} {platform.release()}",
        "machine": {"kind": platform.machine(), "processors": processors()},
    }


def now() -> str:
    """The time of day for people, UTC: nothing is decided by it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def write_manifest(folder: Path, document: Mapping[str, Any]) -> None:
    """Write ``run.json``, whole or not at all.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    write_atomically(folder / MANIFEST, dump(document), overwrite=True)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Read ``run.json``; None where there is none.

    Raises
    ------
    OutputError
        It is none of a run of ours.
    """
    path = folder / MANIFEST
    if not os.path.lexists(path):
        return None
    if plain_file(folder, MANIFEST) is None:  # a pipe would be waited for
        raise OutputError(f"{path} is a link, a pipe or a folder; choose another folder.")
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        document = json.loads(data)
        major = str(document["schema_version"]).split(".")[0]
        if len(data) > _LONGEST or major != SCHEMA_VERSION.split(".")[0]:
            raise ValueError(major)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise OutputError(
            f"{path} is none of a run that this version of vde-nb knows; choose another folder."
        ) from error
    return dict(document)


def check_same(folder: Path, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise unless a run goes on as it was begun.

    Raises
    ------
    SettingError
        Something that decides what is found is another; the message names it.
    """
    if before.get("settings_key") == after["settings_key"]:
        return
    differing = [name for name in _DECIDING if before.get(name) != after[name]]
    told = []
    for name in differing[:-1] or differing:
        old, new = before.get(name), after[name]
        if name == "settings" and isinstance(old, dict):
            told += [
                f"{one} was {_said(old.get(one))}, is {_said(new.get(one))}"
                for one in sorted({*old, *new})
                if old.get(one) != new.get(one)
            ]
        elif name == "settings_key":
            told.append("a plugin, a model or what is ignored has changed")
        else:
            told.append(f"{name} was {_said(old)}, is {_said(new)}")
    raise SettingError(
        f"{folder} holds a run with other settings: {'; '.join(told[:6])}. Choose another folder "
        "for out=, or run with the settings it was begun with."
    )


def _said(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
