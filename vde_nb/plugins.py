"""Plug-ins: modules of anomaly types, features and models of your own, loaded when they are named.

A plug-in is code, and loading it runs it. So one is loaded only where a person names it, in a
call or on the command line: never because it lies in some folder, and never because a session, a
run or a table of results names it.

>>> import tempfile
>>> from pathlib import Path
>>> lines = "import vde_nb as vde", '@vde.anomaly_type("burr")', "def burr(region): return 1.0"
>>> with tempfile.TemporaryDirectory() as folder:
...     path = Path(folder) / "burrs.py"
...     _ = path.write_text(chr(10).join(lines))
...     plugin = load_plugin(path)
>>> plugin
Plugin(burrs.py: type burr)
>>> plugin.remove()
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from vde_nb._module_errors import told
from vde_nb._modules import PREFIX, drop, execute, is_folder, keep, registrars, text_of
from vde_nb._registries import (
    FEATURE,
    FEATURE_MODEL,
    MODEL,
    TYPE,
    Entries,
    changes,
    defined_in,
    entries,
    original,
    put,
)
from vde_nb.classify._rules import BUILT_IN
from vde_nb.errors import SettingError

__all__ = [
    "Plugin",
    "Plugins",
    "absolute_plugins",
    "load_plugin",
    "load_plugins",
    "loaded_plugins",
    "named_plugins",
    "plugin_types",
]


@dataclass(frozen=True, repr=False)
class Plugin:
    """What a plug-in has registered.

    Attributes
    ----------
    name
        The file's name, or the module's.
    source
        Absolute path of the file, or the module's name: names the plug-in anywhere.
    digest
        Of its source, 32 hexadecimal digits; empty where there is none that can be read.
    types
        Anomaly types it added or replaced.
    removed
        Anomaly types it took away.
    features, models
        Names of features and of models it added or replaced.
    """

    name: str
    source: str
    digest: str = ""
    types: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    def remove(self) -> None:
        """Take away what the plug-in registered; what it replaced or took away comes back."""
        with _lock:
            known = _loaded.pop(self.source, None)
            if known is not None:
                known.take_back()
                if known.made:
                    _removed.add(self.source)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was registered."""
        return not any((self.types, self.removed, self.features, self.models))

    def __repr__(self) -> str:
        new = [name for name in self.types if name not in BUILT_IN]
        replaced = [name for name in self.types if name in BUILT_IN]
        parts = [
            f"{word}{'s' if len(names) > 1 and not word.endswith('s') else ''} {', '.join(names)}"
            for word, names in (
                ("type", new),
                ("replaces", replaced),
                ("removes", self.removed),
                ("features", self.features),
                ("model", self.models),
            )
            if names
        ]
        return f"Plugin({self.name}: {'; '.join(parts) or 'registers nothing'})"


#: One plug-in or several: the path of a ``.py`` file, the name of a module, or a loaded one.
Plugins: TypeAlias = "str | os.PathLike[str] | Plugin | Sequence[str | os.PathLike[str] | Plugin]"


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A plug-in as it was loaded last.

    Attributes
    ----------
    made
        What it registered; None where it took something away.
    former
        What there was before by those names, from whoever is no plug-in.
    helpers
        Modules that it imported first, which register things as they are imported.
    """

    plugin: Plugin
    made: Entries
    former: Entries
    helpers: tuple[str, ...]

    @property
    def is_there(self) -> bool:
        """Whether all it made is still registered."""
        now = entries()
        return all(now.get(key) is one for key, one in self.made.items())

    def take_back(self) -> None:
        """Undo it, but for what somebody else has replaced since."""
        now = entries()
        put({key: self.former[key] for key, one in self.made.items() if now.get(key) is one})
        drop(self.helpers)  # or they would register nothing when it is loaded again


_lock = threading.RLock()
_loaded: dict[str, _Loaded] = {}
#: Those that registered something and were removed, so that there is something to be run again.
_removed: set[str] = set()


def load_plugin(name: str | os.PathLike[str] | Plugin) -> Plugin:
    """Load a plug-in: run a ``.py`` file, or import a module, that registers things of yours.

    Anomaly types (:func:`vde_nb.anomaly_type`), features (:func:`vde_nb.add_features`) and models
    (:func:`vde_nb.add_model`) that it registers are there for everything that is compared in this
    process from then on.

    Parameters
    ----------
    name
        Path of a ``.py`` file, or name of a module that Python finds. **It is run**, with all
        that you may do: name only what you would run yourself.

    Returns
    -------
    Plugin
        What it registered; :meth:`Plugin.remove` takes that away.

    Raises
    ------
    SettingError
        There is none, or it fails: the message says in which line. Types, features and models are
        then as they were before.

    Notes
    -----
    What has not changed is run once. It is run again when its source has changed, and what the
    former version registered and the new one does not is gone then; and when something that it
    registered is no longer there, as after :func:`vde_nb.reset_anomaly_types`. To see whether it
    has changed, of a package only ``__init__.py`` is looked at, and nothing of what a plug-in
    imports; but what it imports that registers things, too, is run again with it.

    A module that was imported before is taken as it is, and what it registers is known by where
    its functions are defined: not models, and not what it took away. It is run again only where
    nothing of it is registered, although it could register something.

    Where two plug-ins register one name, the one that was loaded last counts.
    """
    (source,), (title,) = absolute_plugins(name), named_plugins(name)
    with _lock, told(title, source):
        return (_load_file if source.endswith(".py") else _load_module)(source)


def load_plugins(plugins: Plugins | None) -> tuple[Plugin, ...]:
    """Load one plug-in or several, in their order; see :func:`load_plugin`."""
    return tuple(load_plugin(one) for one in named_plugins(plugins))


def absolute_plugins(plugins: Plugins | None) -> tuple[str, ...]:
    """Names of plug-ins as they hold in any folder.

    Raises
    ------
    SettingError
        `plugins` is neither a name, nor a path, nor a list of them.
    """
    names = named_plugins(plugins)
    return tuple(_absolute(name) if name.endswith(".py") else name for name in names)


def named_plugins(plugins: Plugins | None) -> tuple[str, ...]:
    """Names of plug-ins as they were given, in a tuple whatever they were given as.

    Raises
    ------
    SettingError
        `plugins` is neither a name, nor a path, nor a list of them.
    """
    try:
        if plugins is None:
            asked: tuple[Any, ...] = ()
        elif isinstance(plugins, (str, os.PathLike, Plugin)):
            asked = (plugins,)
        else:
            asked = tuple(plugins)
        texts = [os.fspath(one.source if isinstance(one, Plugin) else one) for one in asked]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
    except TypeError:
        raise SettingError(
            f"plugins={plugins!r} is not allowed: the path of a .py file or the name of a module, "
            "or a list of them."
        ) from None
    return tuple(texts)


def _absolute(text: str) -> str:
    path = Path(text)
    with suppress(RuntimeError):  # no such user: that there is no such file is told by reading it
        path = path.expanduser()
    return str(path.absolute())


def plugin_types() -> dict[str, str]:
    """Anomaly types that are registered by plug-ins, and the names of those."""
    now = entries()
    return {
        name: known.plugin.name
        for known in _all_loaded()
        for (registry, name), one in known.made.items()
        if registry == TYPE and one is not None and now.get((registry, name)) is one
    }


def loaded_plugins() -> tuple[Plugin, ...]:
    """All that are loaded and whose things are still registered, the last loaded last."""
    return tuple(known.plugin for known in _all_loaded() if known.is_there)


def _all_loaded() -> tuple[_Loaded, ...]:
    # Without the lock: a plug-in that is being loaded holds it, and may wait for a comparison.
    return tuple(_loaded.values())


def _load_file(source: str) -> Plugin:
    path = Path(source)
    text = path.read_bytes()
    # Files of the same name in two folders are two modules.
    called = f"{PREFIX}{path.stem}_{_digest(source.encode())[:8]}"

    def run() -> bytes:
        drop([called])
        execute(called, source, text)
        return text

    return _current(source, text) or _run(source, path.name, called, run)


def _load_module(source: str) -> Plugin:
    module = sys.modules.get(source)
    if module is None:
        return _run(source, source, source, lambda: _imported(source))
    if is_folder(module):
        raise ModuleNotFoundError(f"{source!r} is a folder, not a module")
    text, path = text_of(module), getattr(module, "__file__", None) or source
    known = _current(source, text)
    if known is not None:
        return known
    parts: tuple[str, ...] = ()
    if source not in _loaded:  # imported before by somebody else
        parts = registrars(
            name for name in list(sys.modules) if f"{name}.".startswith(f"{source}.")
        )
        made = defined_in(source)
        if made or text is None or not (source in parts or source in _removed):
            former = {key: original(key) for key in made}
            return _remember(source, source, text, made, former, parts)
    if text is None:  # nothing that could be run again
        return _loaded[source].plugin

    def run() -> bytes:
        drop(name for name in parts if name != source)
        package = source.rpartition(".")[0]
        if package:
            importlib.import_module(package)
        execute(source, path, text)
        return text

    return _run(source, source, source, run)


def _imported(source: str) -> bytes | None:
    """Import a module for the first time; its source."""
    module = importlib.import_module(source)
    if is_folder(module):
        drop([source])
        raise ModuleNotFoundError(f"{source!r} is a folder, not a module")
    return text_of(module)


def _current(source: str, text: bytes | None) -> Plugin | None:
    """The plug-in where it is loaded as it is now, and all of it is there."""
    known = _loaded.get(source)
    digest = "" if text is None else _digest(text)
    if known is not None and known.plugin.digest == digest and known.is_there:
        return known.plugin
    return None


def _run(source: str, title: str, module: str, run: Callable[[], bytes | None]) -> Plugin:
    """Have a plug-in register what it will; where it fails, everything is as it was."""
    before, modules = entries(), dict(sys.modules)
    known = _loaded.get(source)
    try:
        if known is not None:
            known.take_back()
        start, there = entries(), {*sys.modules}
        text = run()
    except BaseException:
        put(changes(entries(), before))
        new = [name for name in list(sys.modules) if name not in modules]
        drop([*registrars(new), *(name for name in new if name == module)])
        keep({name: one for name, one in modules.items() if sys.modules.get(name) is not one})
        raise
    made = changes(start, entries())
    former = {key: _former(key, start.get(key), source) for key in made}
    helpers = registrars(name for name in list(sys.modules) if name not in there)
    return _remember(source, title, text, made, former, helpers)


def _former(key: tuple[str, str], one: Any, source: str) -> Any:
    """What comes back when a plug-in is removed: of another plug-in, what it replaced itself."""
    for known in _all_loaded():
        if known.plugin.source != source and key in known.made and known.made[key] is one:
            return known.former[key]
    return one


def _remember(
    source: str,
    title: str,
    text: bytes | None,
    made: Entries,
    former: Entries,
    helpers: Sequence[str],
) -> Plugin:
    def of(*registries: str) -> tuple[str, ...]:
        return tuple(
            name for (which, name), one in made.items() if which in registries and one is not None
        )

    plugin = Plugin(
        name=title,
        source=source,
        digest="" if text is None else _digest(text),
        types=of(TYPE),
        removed=tuple(
            sorted(name for (which, name), one in made.items() if which == TYPE and one is None)
        ),
        features=of(FEATURE, FEATURE_MODEL),
        models=of(MODEL),
    )
    _loaded.pop(source, None)  # the last loaded stands last
    _loaded[source] = _Loaded(
        plugin, made, former, tuple(name for name in helpers if name != source)
    )
    return plugin


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
