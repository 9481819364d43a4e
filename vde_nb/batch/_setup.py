"""What is settled before the first pair: settings, plugins, the folder, and whether it goes on."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from vde_nb._learned import model_of, named
from vde_nb._lessons import lesson
from vde_nb._png import png
from vde_nb._version import __version__
from vde_nb._write import expand, write_atomically
from vde_nb.batch._files import UNFINISHED, check_shelves, checked_save, clear_attempts
from vde_nb.batch._journal import JOURNAL, LOCK, hold
from vde_nb.batch._manifest import check_same, read_manifest
from vde_nb.batch._plain import plain_file
from vde_nb.batch._plan import (
    IGNORE,
    MODEL,
    Plan,
    own_process,
    registered_types,
)
from vde_nb.errors import OutputError, SettingError
from vde_nb.features import check_features
from vde_nb.features.choosing import is_function
from vde_nb.features.models import model_called
from vde_nb.methods import default_method, get_method
from vde_nb.plugins import absolute_plugins, load_plugin, loaded_plugins
from vde_nb.segment import check_segmenter
from vde_nb.segment.models import MODELS
from vde_nb.settings import Settings, resolve

if TYPE_CHECKING:
    from vde_nb._ignore import Ignore
    from vde_nb.normality import Normality

__all__ = ["Home", "Wanted", "make_plan", "open_home", "wanted"]


@dataclass(frozen=True, eq=False)
class Wanted:
    """What was asked for, checked.

    Attributes
    ----------
    settings
        All of them, resolved.
    given
        Those that were given, in plain values.
    model
        The model of normality, where the method compares with one.
    held
        Whether it was given as an object, which has to be saved for the workers.
    boxes, mask
        What is ignored.
    save, plugins, digests
        See :class:`~vde_nb.batch._plan.Plan`.
    facts
        What of it goes into ``run.json``, and decides whether a run may go on.
    """

    settings: Settings
    given: dict[str, Any]
    model: Normality | None
    held: bool
    boxes: tuple[Any, ...] | None
    mask: Any
    save: tuple[str, ...]
    plugins: tuple[str, ...]
    digests: tuple[str, ...]
    facts: dict[str, Any]


def wanted(
    method: str | None,
    preset: str,
    ignore: Ignore | None,
    save: Any,
    plugins: Any,
    settings: Mapping[str, Any],
) -> Wanted:
    """Check what was asked for before any work is done.

    Raises
    ------
    SettingError, TypeError
        As of :func:`vde_nb.compare`; or a plugin cannot be imported.
    """
    chosen_plugins = absolute_plugins(plugins)
    digests = tuple(load_plugin(name).digest for name in chosen_plugins)
    chosen = default_method(preset) if method is None else get_method(method).name
    held = not isinstance(settings.get("model", ""), (str, os.PathLike))
    given = named(settings)
    resolved = resolve(chosen, preset, **given)
    model = model_of(resolved)
    if model is not None:
        resolved = resolve(chosen, preset, **{**model.settings, **given})
        if not held:
            given["model"] = str(Path(given["model"]).expanduser().absolute())
    check_segmenter(resolved.segment.segmenter)
    check_features(resolved.difference.features)
    boxes, mask = _ignored(ignore)
    kept = checked_save(save)
    told = resolved.to_dict()
    if model is not None:  # a saved model is the same wherever it lies
        told["model"] = model.signature
    facts = {
        "vde_nb": __version__,
        "method": chosen,
        "preset": preset,
        "settings": {name: one for name, one in told.items() if name not in ("method", "preset")},
        "ignore": _told_ignore(boxes, mask),
        "plugins": [Path(name).name for name in chosen_plugins],
        "save": list(kept),
    }
    deciding = json.dumps([facts, digests, registered_types()], sort_keys=True, default=str)
    facts["settings_key"] = hashlib.sha256(deciding.encode()).hexdigest()[:32]
    facts["plugin_digests"] = list(digests)  # told, where it is asked which file that was
    return Wanted(resolved, given, model, held, boxes, mask, kept, chosen_plugins, digests, facts)


def _ignored(ignore: Ignore | None) -> tuple[tuple[Any, ...] | None, Any]:
    if ignore is None:
        return None, None
    if isinstance(ignore, np.ndarray) and ignore.ndim == 2 and ignore.dtype == np.bool_:
        return None, ignore
    try:
        boxes = tuple(tuple(int(value) for value in box) for box in ignore)
    except (TypeError, ValueError, OverflowError):
        boxes = ()
    if any(len(box) != 4 for box in boxes) or (not boxes and len(ignore) > 0):
        raise SettingError(
            f"ignore={ignore!r}: needed are boxes (x, y, w, h), as [(10, 20, 100, 50)], or a "
            "boolean mask of the reference's size."
        )
    return boxes, None


def _told_ignore(boxes: tuple[Any, ...] | None, mask: Any) -> Any:
    if mask is None:
        return None if boxes is None else [list(box) for box in boxes]
    height, width = mask.shape
    digest = hashlib.sha256(np.packbits(mask).data).hexdigest()[:32]
    return f"a mask of {width}×{height} pixels, {digest}"


@dataclass(frozen=True, eq=False)
class Home:
    """The folder of a run, held.

    Attributes
    ----------
    folder
        Absolute.
    lock
        Open for as long as it is held.
    temporary
        Whether it goes when the interpreter ends.
    before
        ``run.json`` of an earlier attempt; None: a new run.
    """

    folder: Path
    lock: IO[bytes]
    temporary: bool
    before: dict[str, Any] | None


def open_home(out: str | os.PathLike[str] | None, resume: bool, facts: Mapping[str, Any]) -> Home:
    """Open the folder of a run, made if it does not exist.

    Raises
    ------
    OutputError
        It cannot be written, holds something else, or another process writes it.
    SettingError
        It holds a run with other settings, or with `resume` off any run.
    """
    if out is None:
        folder = Path(tempfile.mkdtemp(prefix="vde-nb-run-"))
        return Home(folder, hold(folder), True, None)
    folder = expand(out).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        holds = {entry.name for entry in os.scandir(folder)}
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{folder} cannot be used: {reason}.") from error
    before = read_manifest(folder)
    if before is None and not _is_new(holds):
        raise OutputError(
            f"{folder} holds other things than a run: give a new or an empty folder as out=."
        )
    if before is not None and not resume:
        raise SettingError(
            f"{folder} holds a run already, and resume=False begins a new one: choose another "
            "folder, or delete this one. Nothing is ever overwritten."
        )
    lock = hold(folder)
    try:
        before = read_manifest(folder)
        if before is not None:
            check_same(folder, before, facts)
        check_shelves(folder)
        if os.path.lexists(folder / JOURNAL) and plain_file(folder, JOURNAL) is None:
            raise OutputError(f"{folder / JOURNAL} is a link, a pipe or a folder; take it away.")
        clear_attempts(folder)
    except BaseException:
        lock.close()
        raise
    return Home(folder, lock, False, before)


def _is_new(holds: set[str]) -> bool:
    """Whether a folder without ``run.json`` is empty, or a run was killed that had just begun.

    A run first takes its lock. Files of these names without one are somebody else's.
    """
    return not holds or (
        LOCK in holds
        and all(name in (LOCK, IGNORE, MODEL) or UNFINISHED.fullmatch(name) for name in holds)
    )


def make_plan(want: Wanted, home: Home, *, here: bool | None, several: bool = False) -> Plan:
    """What the workers need, with the files that all of them read.

    Parameters
    ----------
    here
        Whether pairs are compared in this process; None: nobody knows.
    several
        Whether more than one is compared at once.

    Raises
    ------
    SettingError
        Something that was registered in this process is needed by others.
    OutputError
        A file cannot be written.
    """
    function = want.settings.difference.features
    function = function if is_function(function) and want.settings.method == "semantic" else ""
    types = registered_types()
    if here is False and not want.plugins:
        _check_known(want, types, function)
    model = ""
    if want.model is not None:
        model = want.given["model"]
        if want.held:  # for the workers, and for whoever looks at the run later
            from vde_nb.normality import Normality

            path = home.folder / MODEL
            if not path.exists() or Normality.load(path).signature != want.model.signature:
                want.model.save(path, overwrite=True, normals=False)
            model = str(path)
    if want.mask is not None:
        write_atomically(home.folder / IGNORE, png(want.mask), overwrite=True)
    given = {name: value for name, value in want.given.items() if name != "model" or not model}
    return Plan(
        out=str(home.folder),
        key=want.facts["settings_key"],
        method=want.settings.method,
        preset=want.settings.preset,
        settings=given,
        boxes=want.boxes,
        masked=want.mask is not None,
        save=want.save,
        plugins=want.plugins,
        digests=want.digests,
        types=types,
        function=function,
        model=model,
        process=own_process() if several and not here else "",
    )


def _check_known(want: Wanted, types: tuple[str, ...], function: str) -> None:
    """Refuse what workers would not know."""
    lacking = ""
    plugins = [one for one in loaded_plugins() if {*one.types} & {*types}]
    theirs = [name for name in types if any(name in one.types for one in plugins)]
    if theirs:
        files = [one.source for one in plugins]
        raise SettingError(
            f"The anomaly types {', '.join(theirs)} come from plug-ins that were loaded before, "
            f"and workers would not know them: name those here, too, plugins={files!r}, or take "
            f"them away with vde_nb.load_plugin({files[0]!r}).remove()."
        )
    if types:
        lacking = f"the anomaly types {', '.join(types)}"
    elif function:
        lacking = f"features={function!r}, a function"
    else:
        segmenter = MODELS.get(want.settings.segment.segmenter)
        features = None
        if want.settings.method == "semantic":
            features = model_called(want.settings.difference.features)
        for model in (segmenter, features):
            if model is not None and model.path is not None:
                lacking = f"the model {model.name}"
    if lacking:
        raise SettingError(
            f"{lacking[0].upper()}{lacking[1:]}: registered in this process only, so that workers "
            "would not know. Put what registers it into a module and name that with "
            "plugins=[...], or stay in this process with workers=0 or "
            f"executor=ThreadPoolExecutor().{lesson('runs')}"
        )
