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
import importlib.abc
import importlib.util
import os
import sys
import threading
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from vde_nb.classify import (
    anomaly_type,
    anomaly_types,
    remove_anomaly_type,
    reset_anomaly_types,
)
from vde_nb.classify._registry import user_rules
from vde_nb.classify._rules import BUILT_IN
from vde_nb.errors import SettingError
from vde_nb.features import _user
from vde_nb.features.models import FEATURE_MODELS
from vde_nb.segment.models import MODELS

__all__ = [
    "Plugin",
    "Plugins",
    "absolute_plugins",
    "load_plugin",
    "load_plugins",
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
        Built-in anomaly types it took away.
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
        """Take away what the plug-in registered; built-in types it replaced come back."""
        with _lock:
            known = _loaded.pop(self.source, None)
            if known is not None:
                _take_back(known.made)

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
class _Made:
    """What there is in the registries, or what of it a plug-in made."""

    rules: Mapping[str, Any] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    functions: Mapping[str, Any] = field(default_factory=dict)
    described: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Any] = field(default_factory=dict)

    def since(self, before: _Made) -> _Made:
        """What of it was not there before."""

        def new(now: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
            return {name: one for name, one in now.items() if then.get(name) is not one}

        return _Made(
            new(self.rules, before.rules),
            self.gone - before.gone,
            new(self.functions, before.functions),
            new(self.described, before.described),
            new(self.models, before.models),
        )

    def without(self, other: _Made) -> _Made:
        """What of it has no name that `other` has, too."""

        def rest(mine: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
            return {name: one for name, one in mine.items() if name not in others}

        return _Made(
            rest(self.rules, other.rules),
            self.gone - other.gone,
            rest(self.functions, other.functions),
            rest(self.described, other.described),
            rest(self.models, other.models),
        )

    @property
    def is_there(self) -> bool:
        """Whether all of it is still registered."""
        missing = self.since(_registered())
        return missing.gone == frozenset() and not any(
            (missing.rules, missing.functions, missing.described, missing.models)
        )


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A plug-in as it was loaded last."""

    plugin: Plugin
    made: _Made


_lock = threading.RLock()
_loaded: dict[str, _Loaded] = {}


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
        There is none, or it fails: the message says in which line. The anomaly types are then as
        they were before.

    Notes
    -----
    What has not changed is run once. It is run again when its source has changed, and what the
    former version registered and the new one does not is gone then; and when something that it
    registered is no longer there, as after :func:`vde_nb.reset_anomaly_types`. Of a package only
    ``__init__.py`` is looked at, and nothing of what a plug-in imports itself.

    Where two plug-ins register one name, the one that was loaded last counts.
    """
    (source,), (title,) = absolute_plugins(name), named_plugins(name)
    with _lock, _told(title, source):
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
    with _lock:
        now = user_rules()
        return {
            name: known.plugin.name
            for known in _loaded.values()
            for name, rule in known.made.rules.items()
            if now.get(name) is rule
        }


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


def _load_file(source: str) -> Plugin:
    text = Path(source).read_bytes()
    path = Path(source)
    # Files of the same name in two folders are two modules.
    called = f"vde_nb_plugin_{path.stem}_{_digest(source.encode())[:8]}"
    spec = importlib.util.spec_from_loader(called, _Source(source, text))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    return _loaded_as(source, path.name, text, module)


def _load_module(source: str) -> Plugin:
    known, module = _loaded.get(source), sys.modules.get(source)
    if module is None:
        before = _registered()
        if known is not None:
            _bring_back(known.made.gone)
        try:
            module = importlib.import_module(source)
        except BaseException:
            _undo(before)
            raise
        return _keep(source, source, _text_of(module), before, known)
    text = _text_of(module)
    if known is None:
        # Imported before by somebody else. What of it is in the registry can be told by where it
        # was defined; where nothing is, it may have been taken away, so that it is run again.
        rules = {
            name: rule
            for name, rule in user_rules().items()
            if f"{getattr(rule, '__module__', '')}.".startswith(f"{source}.")
        }
        if rules:
            return _remember(source, source, text, _Made(rules=rules))
    if text is None:  # nothing that could be run again
        return known.plugin if known is not None else _remember(source, source, text, _Made())
    return _loaded_as(source, source, text, module)


def _loaded_as(source: str, name: str, text: bytes, module: types.ModuleType) -> Plugin:
    """Run the text of a plug-in in its module, unless it was and nothing has changed since."""
    known = _loaded.get(source)
    if known is not None and known.plugin.digest == _digest(text) and known.made.is_there:
        return known.plugin
    former = sys.modules.get(module.__name__)
    before = _registered()
    if known is not None:
        _bring_back(known.made.gone)
    sys.modules[module.__name__] = module  # where dataclasses and pickle look for it
    try:
        path = getattr(module, "__file__", None) or source
        _Source(path, text).exec_module(module)
    except BaseException:
        if former is None:
            del sys.modules[module.__name__]
        else:
            sys.modules[module.__name__] = former
        _undo(before)
        raise
    return _keep(source, name, text, before, known)


def _keep(
    source: str, name: str, text: bytes | None, before: _Made, known: _Loaded | None
) -> Plugin:
    """Note what a plug-in has just made; what its former version made in addition goes."""
    back = known.made.gone if known is not None else frozenset()
    made = _registered().since(
        _Made(before.rules, before.gone - back, before.functions, before.described, before.models)
    )
    if known is not None:
        _take_back(known.made.without(made))
    return _remember(source, name, text, made)


def _remember(source: str, name: str, text: bytes | None, made: _Made) -> Plugin:
    plugin = Plugin(
        name=name,
        source=source,
        digest="" if text is None else _digest(text),
        types=tuple(made.rules),
        removed=tuple(sorted(made.gone)),
        features=(*made.functions, *made.described),
        models=tuple(made.models),
    )
    _loaded.pop(source, None)  # the last loaded stands last
    _loaded[source] = _Loaded(plugin, made)
    return plugin


def _registered() -> _Made:
    """All there is in the registries now, but for what comes with vde-nb."""
    return _Made(
        rules=dict(user_rules()),
        gone=frozenset(BUILT_IN) - frozenset(anomaly_types()),
        functions=_user.functions(),
        described=dict(FEATURE_MODELS),
        models=dict(MODELS),
    )


def _take_back(made: _Made) -> None:
    """Take away what a plug-in made, where nobody else has replaced it since."""
    now = _registered()
    for name, rule in made.rules.items():
        if now.rules.get(name) is not rule:
            continue
        if name in BUILT_IN:
            anomaly_type(name)(BUILT_IN[name])
        else:
            remove_anomaly_type(name)
    _bring_back(made.gone)
    for name, function in made.functions.items():
        if now.functions.get(name) is function:
            _user.functions_without(name)
    for mine, registry in ((made.described, FEATURE_MODELS), (made.models, MODELS)):
        for name, model in mine.items():
            if registry.get(name) is model:
                del registry[name]


def _bring_back(gone: frozenset[str]) -> None:
    """Register built-in types again that a plug-in took away, in the place where they were."""
    lacking = frozenset(BUILT_IN) - frozenset(anomaly_types())
    if not lacking & gone:
        return
    rules = dict(user_rules())
    reset_anomaly_types()
    for name in lacking - gone:
        remove_anomaly_type(name)
    for name, rule in rules.items():
        anomaly_type(name)(rule)


def _undo(before: _Made) -> None:
    """After a plug-in has failed: what it made goes, and the types are as they were."""
    _take_back(_registered().since(before))
    for name, rule in before.rules.items():
        if user_rules().get(name) is not rule:
            anomaly_type(name)(rule)
    for name in before.gone:
        if name in anomaly_types():
            remove_anomaly_type(name)


def _text_of(module: types.ModuleType) -> bytes | None:
    """Source of a module, None where it has none that can be read."""
    path = getattr(module, "__file__", None) or ""
    if not path.endswith(".py"):
        return None
    try:
        return Path(path).read_bytes()
    except OSError:  # within an archive
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


@contextmanager
def _told(name: str, source: str) -> Iterator[None]:
    """What goes wrong while a plug-in is loaded, in one sentence with its place."""
    try:
        yield
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(" .:")
        if isinstance(error, SystemExit):
            said = "it ends the program (SystemExit)"
        place = _place(error, source)
        if place and place not in said:
            said = f"{said} ({place})"
        raise SettingError(
            f"plugins: {name} cannot be imported: {said}. {_remedy(name, source, error)}"
        ) from error


def _place(error: BaseException, source: str) -> str:
    """File and line of the plug-in at which it failed; empty where it did not get that far."""
    path = source
    if not source.endswith(".py"):
        path = getattr(sys.modules.get(source), "__file__", None) or ""
        spec = None
        if not path:
            try:
                spec = importlib.util.find_spec(source)
            except (ImportError, ValueError, AttributeError):
                spec = None
        path = path or (spec.origin if spec is not None and spec.origin else "")
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{Path(path).name}, line {error.lineno}"
    line, frame = 0, error.__traceback__
    while frame is not None:
        if path and frame.tb_frame.f_code.co_filename == path:
            line = frame.tb_lineno
        frame = frame.tb_next
    return f"{Path(path).name}, line {line}" if line else ""


def _remedy(name: str, source: str, error: BaseException) -> str:
    """What to do."""
    if _place(error, source):
        return "Mend it there and load it again."
    if not source.endswith(".py") and Path(f"{source}.py").is_file():
        return f"Did you mean the file {name}.py? A file is named with its ending."
    return "Give the name of a module that Python finds, or the path of a .py file."
