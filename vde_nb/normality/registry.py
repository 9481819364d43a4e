"""Models by name: a setting holds a word, a model is an object or a file.

What a name stands for never changes: a model is registered as it is now, and once it has learned
more it is another one, of another name. Whoever works with a model holds it; nothing is kept alive
here but the files that were read last.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from vde_nb._lessons import lesson
from vde_nb.errors import SettingError
from vde_nb.settings import nearest

if TYPE_CHECKING:
    from vde_nb.normality.normality import Normality

__all__ = ["find_model", "held_model", "known_models", "named_model", "pinned", "stamp_of"]

#: Files whose models are kept, so that every slider does not read them again.
_FILES = 2

_lock = threading.Lock()
_known: weakref.WeakValueDictionary[str, Normality] = weakref.WeakValueDictionary()
_loaded: dict[str, tuple[Hashable, Normality]] = {}
_pinned: ContextVar[tuple[str, Normality] | None] = ContextVar("vde_nb_model", default=None)

_NONE = (
    "method='normality' needs a model: vde_nb.Normality.fit(normal pictures), or the path of a "
    f"saved one.{lesson('normality')}"
)


def named_model(value: Normality | str | os.PathLike[str]) -> str:
    """The word that stands for a model in settings.

    Parameters
    ----------
    value
        A model: the path of the file that holds it as it is now, or else
        ``"<kind>-<signature>"``, under which it is registered for as long as somebody holds it; or
        the name of one, or the path of a saved one, which is returned as text.

    Raises
    ------
    SettingError
        It is none of those.
    """
    from vde_nb.normality.normality import Normality

    if isinstance(value, Normality):
        now = value.snapshot()
        stamp = stamp_of(value.file) if value.file else None
        if stamp is not None and _remembered(value.file, stamp, now):
            return value.file
        name = f"{now.kind}-{now.signature[:8]}"
        with _lock:
            _known.pop(name, None)  # the newest is the last
            _known[name] = now
        return name
    if isinstance(value, (str, os.PathLike)):
        return os.fsdecode(value)
    raise SettingError(
        f"model must be a Normality, its name or a path, not {type(value).__name__}."
    )


def _remembered(path: str, stamp: Hashable, model: Normality) -> bool:
    """Whether the file at `path` is that of `model`; it need not be read then."""
    name = str(Path(path).expanduser())
    with _lock:
        known = _loaded.get(name)
    return known is not None and known[0] == stamp and known[1].signature == model.signature


def remember(path: str | os.PathLike[str], model: Normality) -> None:
    """Tell that the file at `path` was just written from `model`, or read into it."""
    stamp = stamp_of(os.fsdecode(path))
    if stamp is not None:
        _keep(str(Path(path).expanduser()), stamp, model.snapshot())


def _keep(path: str, stamp: Hashable, model: Normality) -> None:
    with _lock:
        _loaded.pop(path, None)
        _loaded[path] = stamp, model
        while len(_loaded) > _FILES:
            del _loaded[next(iter(_loaded))]


def held_model(name: str) -> Normality | None:
    """The model in memory that has this name; None for a file, or where nobody holds it."""
    with _lock:
        return _known.get(name)


@contextmanager
def pinned(name: str, model: Normality) -> Iterator[None]:
    """Have `name` stand for `model` on this thread, even if its file was written again."""
    token = _pinned.set((name, model))
    try:
        yield
    finally:
        _pinned.reset(token)


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
    pin = _pinned.get()
    if pin is not None and pin[0] == name:
        return pin[1]
    found = held_model(name)
    if found is not None:
        return found
    key = stamp_of(name)
    if key is None:
        close = nearest(name, known_models())
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(
            f"There is no model {name!r}: neither one fitted or loaded in this session nor a "
            f"file.{hint} {_NONE}"
        )
    path = Path(name).expanduser()
    with _lock:
        kept = _loaded.get(str(path))
    if kept is not None and kept[0] == key:
        return kept[1]
    from vde_nb.normality.normality import Normality

    model = Normality.load(path).snapshot()
    _keep(str(path), key, model)
    return model


def stamp_of(name: str) -> Hashable | None:
    """What changes when the file behind a name is written again; None where there is no file."""
    try:
        info = Path(name).expanduser().stat()
    except (OSError, ValueError, RuntimeError):
        return None
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def known_models() -> list[str]:
    """Names of the models of this session, the newest last."""
    with _lock:
        return list(_known.keys())
