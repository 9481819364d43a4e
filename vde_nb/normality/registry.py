"""Models by name: a setting holds a word, a model is an object or a file."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

from vde_nb.errors import SettingError
from vde_nb.settings import nearest

if TYPE_CHECKING:
    from vde_nb.normality.normality import Normality

__all__ = ["find_model", "known_models", "named_model"]

#: Models that are kept although nobody else holds them.
_STRONG = 4

_lock = threading.Lock()
_known: weakref.WeakValueDictionary[str, Normality] = weakref.WeakValueDictionary()
_recent: OrderedDict[str, Normality] = OrderedDict()
_loaded: dict[str, tuple[Hashable, Normality]] = {}

_NONE = (
    "method='normality' needs a model: vde_nb.Normality.fit(normal pictures), or the path of a "
    "saved one."
)


def named_model(value: Normality | str | os.PathLike[str]) -> str:
    """The word that stands for a model in settings.

    Parameters
    ----------
    value
        A model, which is registered under ``"<kind>-<signature>"``; or the name of one, or the
        path of a saved one, which is returned as text.

    Raises
    ------
    SettingError
        It is none of those.
    """
    from vde_nb.normality.normality import Normality

    if isinstance(value, Normality):
        name = f"{value.kind}-{value.signature[:8]}"
        with _lock:
            _known[name] = value
            _recent[name] = value
            _recent.move_to_end(name)
            while len(_recent) > _STRONG:
                _recent.popitem(last=False)
        return name
    if isinstance(value, (str, os.PathLike)):
        return os.fsdecode(value)
    raise SettingError(
        f"model must be a Normality, its name or a path, not {type(value).__name__}."
    )


def find_model(name: str) -> Normality:
    """The model a word stands for: a registered name, or the path of a saved one.

    A file is read once, and again when it has changed.

    Raises
    ------
    SettingError
        There is none; the message says what to do.
    """
    if not name:
        raise SettingError(_NONE)
    with _lock:
        found = _known.get(name)
    if found is not None:
        return found
    path = Path(name).expanduser()
    try:
        info = path.stat()
    except (OSError, ValueError):
        close = nearest(name, known_models())
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(
            f"There is no model {name!r}: neither one fitted or loaded in this session nor a "
            f"file.{hint} {_NONE}"
        ) from None
    key = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)
    with _lock:
        kept = _loaded.get(str(path))
    if kept is not None and kept[0] == key:
        return kept[1]
    from vde_nb.normality.normality import Normality

    model = Normality.load(path)
    with _lock:
        _loaded[str(path)] = key, model
        while len(_loaded) > _STRONG:
            del _loaded[next(iter(_loaded))]
    return model


def known_models() -> list[str]:
    """Names of the models of this session, the newest last."""
    with _lock:
        names = list(_known.keys())
        order = list(_recent)
    return sorted(names, key=lambda name: order.index(name) if name in order else -1)
