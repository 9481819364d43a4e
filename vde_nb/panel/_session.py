"""Sessions: what the panel is set to, as a JSON document that can be read back.

Pictures are named, never contained: samples by name, files by their path below the panel's root,
arrays and uploads by size and hash only, so that they can be recognised but not restored.

A document that was edited by hand, or comes from somebody else, is somebody's words: everything in
it is checked before anything of it is used, and one sentence says what is wrong, and where.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vde_nb._text import readable
from vde_nb._write import write_atomically
from vde_nb.errors import ImageError, SettingError
from vde_nb.images import ImagePair, load_pair
from vde_nb.methods import METHODS, get_method
from vde_nb.normality._file import ENDING
from vde_nb.panel._edits import checked_ignore, checked_nudge
from vde_nb.panel._files import Root, is_run
from vde_nb.panel._origin import Sample, as_sample, digest, is_path
from vde_nb.panel._view import default_view, merged_view
from vde_nb.prompting import checked_prompts, prompt_dict
from vde_nb.reviewing import checked_reviews
from vde_nb.segment import check_segmenter
from vde_nb.settings import PRESETS, declarations, nearest, resolve

__all__ = ["FORMAT", "VERSION", "load_session", "restore", "save_session", "session_of", "to_text"]

FORMAT = "vde-nb-session"
VERSION = 1
#: Largest session file, in bytes.
_MOST_BYTES = 5 << 20
#: Most pairs, and most entries of any other list.
_MOST = 10_000
_SIDES = ("reference", "current")

#: What has traits of its own and so does not stand among the settings.
_APART = {"model", "nudge", "segmenter", "threshold"}
_KEYS = (
    "format",
    "version",
    "pairs",
    "index",
    "method",
    "preset",
    "segmenter",
    "threshold",
    "settings",
    "model",
    "run",
    "view",
)
_PAIR_KEYS = ("reference", "current", "prompts", "ignore", "nudge", "reviews")


@dataclass
class _State:
    """A document that has been checked through."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)
    edits: list[dict[str, Any]] = field(default_factory=list)
    index: int = 0
    method: str = ""
    preset: str = ""
    segmenter: str = ""
    threshold: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    view: dict[str, Any] = field(default_factory=dict)
    run: tuple[str, str] | None = None


def session_of(panel: Any) -> dict[str, Any]:
    """The panel's state in plain values for JSON; :func:`restore` reads them back.

    Parameters
    ----------
    panel
        A panel, see :class:`vde_nb.Panel`.

    Returns
    -------
    dict
        ``format``, ``version``; ``pairs``, each with its two sources, ``prompts``, ``ignore``,
        ``nudge`` and ``reviews``; ``index`` of the pair that is shown; ``method``, ``preset``,
        ``segmenter``, ``threshold``, ``settings`` (those that differ from the preset's), ``view``;
        ``model`` where a model of normality is chosen: its file, or its name in this session.
        Where a run is gone through, ``run`` holds its folder and the id of the row that is shown,
        and there are no pairs: they, and what was said about them, are in that folder.
    """
    root = Root(panel.root)
    run = getattr(panel, "run", None)
    sources = [] if run is not None else list(panel.pairs)
    if run is None and not sources and any(source is not None for source in panel.sources):
        sources = [tuple(panel.sources)]
    edits = _edits_of(panel, len(sources))
    pairs = [
        {side: _described(source, root) for side, source in zip(_SIDES, pair, strict=True)} | edit
        for pair, edit in zip(sources, edits, strict=True)
    ]
    chosen = str(panel.settings.get("model", ""))
    more: dict[str, Any] = {"model": _model_described(chosen, root)} if chosen else {}
    if run is not None:
        more["run"] = _run_described(panel, root)
    return {
        "format": FORMAT,
        "version": VERSION,
        "pairs": pairs,
        "index": int(panel.index) if pairs else 0,
        "method": panel.method,
        "preset": panel.preset,
        "segmenter": panel.segmenter,
        "threshold": int(panel.threshold),
        "settings": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in panel.settings.items()
            if name not in _APART
        },
        **more,
        "view": json.loads(json.dumps(dict(panel.view))),
    }


def to_text(session: Mapping[str, Any]) -> str:
    """A session as JSON text."""
    return json.dumps(session, indent=1, allow_nan=False) + "\n"


def save_session(panel: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write the panel's state to a file, whole or not at all.

    Raises
    ------
    OutputError
        The file exists and `overwrite` is not set, or it cannot be written.
    SettingError
        The model of normality is in memory only: the message says what to do.
    """
    session = session_of(panel)
    name = session.get("model", {}).get("memory")
    if name is not None:
        raise SettingError(
            f"The model {name} is in memory only, and a session names files: write "
            f'model.save("scene{ENDING}") below {panel.root}, choose that file '
            "as the model, and save the session again."
        )
    return write_atomically(path, to_text(session), overwrite=overwrite)


def load_session(panel: Any, path: str | os.PathLike[str]) -> None:
    """Read a file written by :func:`save_session` and bring the panel into that state.

    Raises
    ------
    SettingError
        It cannot be read, is too large, or is no session; the panel stays as it is.
    ImageError
        A picture it names cannot be opened; the panel stays as it is.
    """
    said = readable(os.fsdecode(path))
    try:
        file = Path(path).expanduser()
        if not file.is_file():
            what = "is a folder" if file.is_dir() else "does not exist"
            raise SettingError(f"{said} {what}; give the path of a session file.")
        with file.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, SettingError):
            raise
        raise SettingError(f"{said} cannot be read: {error}.") from error
    try:
        document = parsed(data)
    except SettingError as error:
        raise SettingError(f"{said}: {error}") from error
    restore(panel, document)


def parsed(data: bytes) -> dict[str, Any]:
    """The document in the bytes of a file.

    Raises
    ------
    SettingError
        It is too large, no JSON, or holds a key twice or a number that is none.
    """
    if len(data) > _MOST_BYTES:
        raise SettingError(
            f"The session is larger than {_MOST_BYTES >> 20} MB: it is none of ours."
        )

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
            raise SettingError(f"The session holds {_short(twice)} twice in one place.")
        return made

    def refuse(word: str) -> Any:
        raise SettingError(f"The session holds {word}, which is no number.")

    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise SettingError(
            f"The session is no JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    except UnicodeDecodeError as error:
        raise SettingError("The session is no text in UTF-8.") from error
    except (RecursionError, ValueError) as error:  # nested without end; endless digits
        if isinstance(error, SettingError):
            raise
        raise SettingError("The session is no JSON that can be read: it goes too deep.") from error
    return _mapping(document, "The session")


def restore(panel: Any, session: Mapping[str, Any]) -> None:
    """Bring the panel into the state that `session` describes, or leave it as it is.

    Parameters
    ----------
    panel
        A panel, see :class:`vde_nb.Panel`. Files are looked for below its root only.
    session
        What :func:`session_of` gave.

    Raises
    ------
    SettingError
        Something in it is wrong; the message says what and where.
    ImageError
        A picture of the pair to be shown cannot be opened.
    """
    state = _checked(session, panel)
    reference, current = state.pairs[state.index] if state.pairs else (None, None)
    if reference is not None and current is not None:
        flat = resolve(state.method, state.preset, **state.settings).images
        # Read once before anything is changed: what cannot be read is told, and nothing is lost.
        load_pair(reference, current, fit=flat.fit, max_megapixels=flat.max_megapixels)
    _apply(panel, state)


def _apply(panel: Any, state: _State) -> None:
    """Set what has been checked; nothing of it can be refused any more."""
    more = {} if state.run is None else {"run": state.run}
    panel.restore_state(
        **more,
        pairs=state.pairs,
        edits=state.edits,
        index=state.index,
        method=state.method,
        preset=state.preset,
        segmenter=state.segmenter,
        threshold=state.threshold,
        settings=state.settings,
        view=state.view,
    )


def _edits_of(panel: Any, count: int) -> list[dict[str, Any]]:
    """Prompts, ignored regions, nudge and reviews of every pair."""
    return [_plain_edits(panel.edits_of(at)) for at in range(count)]


def _plain_edits(edits: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "prompts": [prompt_dict(one) for one in checked_prompts(edits["prompts"])],
        "ignore": [[int(value) for value in box] for box in edits["ignore"]],
        "nudge": [float(value) for value in edits["nudge"]],
        "reviews": [one.to_dict() for one in checked_reviews(edits["reviews"])],
    }


def _described(source: Any, root: Root) -> Any:
    """A source as the document names it."""
    if source is None:
        return None
    if isinstance(source, (list, tuple)):
        return [_described(one, root) for one in source]
    sample = as_sample(source)
    if sample is not None:
        return {"sample": sample.name, "side": sample.side}
    if is_path(source):
        relative = root.relative(source)
        if relative is not None:
            return {"file": relative}
        # A path that leads out of the root is nobody's business but its owner's.
        return {"outside": readable(Path(os.fsdecode(source)).name)}
    return {"array": _signature(source)}


def _model_described(name: str, root: Root) -> dict[str, str]:
    """A model of normality as the document names it."""
    from vde_nb.normality import known_models

    if name in known_models():
        return {"memory": name}
    relative = root.relative(name)
    return {"outside": readable(Path(name).name)} if relative is None else {"file": relative}


def _run_described(panel: Any, root: Root) -> dict[str, str]:
    """A run as the document names it, with the row that is shown."""
    folder = panel.run.folder
    relative = root.relative(folder)
    place = {"outside": readable(Path(folder).name)} if relative is None else {"folder": relative}
    return {**place, "row": panel.shown_row}


def _signature(source: Any) -> dict[str, Any]:
    """What an array, or anything else in memory, is recognised by."""
    if isinstance(source, ImagePair):
        height, width = source.shape
        both = np.frombuffer((source.reference.key + source.current.key).encode(), np.uint8)
        return {"shape": [height, width, 3, 2], "xxh128": digest(both)}
    if hasattr(source, "__array__"):
        array = np.asarray(source)
        return {"shape": [int(side) for side in array.shape], "xxh128": digest(array)}
    data = source.read() if hasattr(source, "read") else source
    if isinstance(data, (bytes, bytearray, memoryview)):
        array = np.frombuffer(data, np.uint8)
        return {"shape": [array.size], "xxh128": digest(array)}
    return {"shape": [], "xxh128": ""}


def _checked(session: Any, panel: Any) -> _State:
    """Everything in a document, checked."""
    given = _mapping(session, "The session")
    if given.get("format") != FORMAT:
        raise SettingError(f"This is no session of the panel: its format is not {FORMAT!r}.")
    version = given.get("version")
    if type(version) is not int or version != VERSION:
        raise SettingError(
            f"version={_short(version)} of sessions is not known here, only {VERSION}; a newer "
            "vde-nb may read it."
        )
    _only(given, _KEYS, "The session")
    state = _State()
    state.method, state.preset = _known(given, "method", METHODS), _known(given, "preset", PRESETS)
    get_method(state.method)
    state.segmenter = _text(given, "segmenter")
    _at("segmenter", lambda: check_segmenter(state.segmenter))
    state.threshold = _whole(given.get("threshold"), 0, 255, "threshold")
    state.settings = _settings(given, state)
    if "model" in given:
        state.settings["model"] = _model(given, Root(panel.root))
    view = _mapping(given.get("view"), "view")
    state.view = _at("view", lambda: merged_view(default_view(), view))
    if "run" in given:
        state.run = _run(given, Root(panel.root))
    _pairs(given, panel, state)
    if state.run is not None and state.pairs:
        raise SettingError("The session has a run and pairs; it may have one of them.")
    highest = max(0, len(state.pairs) - 1)
    state.index = _whole(given.get("index"), 0, highest, "index")
    return state


def _settings(given: Mapping[str, Any], state: _State) -> dict[str, Any]:
    listed = _mapping(given.get("settings"), "settings")
    known = {declared.name: declared for declared in declarations()}
    checked = {}
    for name, value in listed.items():
        if name in _APART:
            where = "with each pair" if name in _PAIR_KEYS else "beside them"
            raise SettingError(
                f"settings holds {name!r}, which is no setting: it stands outside of settings, "
                f"{where}."
            )
        if name not in known:
            near = nearest(name, known)
            raise SettingError(
                f"settings holds {_short(name)}, which is no setting."
                + (f" Did you mean {near}?" if near else "")
            )
        if isinstance(value, dict):
            raise SettingError(f"settings.{name} is {_short(value)}: {known[name].range}.")
        checked[name] = _at(f"settings.{name}", partial(known[name].check, value))
    _at("preset", lambda: resolve(state.method, state.preset, **checked))
    return checked


def _pairs(given: Mapping[str, Any], panel: Any, state: _State) -> None:
    root = Root(panel.root)
    held = _Held(panel)
    for at, value in enumerate(_listed(given.get("pairs"), "pairs")):
        where = f"pairs[{at}]"
        pair = _mapping(value, where)
        _only(pair, _PAIR_KEYS, where)
        reference, current = (
            _source(pair.get(side), f"{where}.{side}", root, held) for side in _SIDES
        )
        state.pairs.append((reference, current))
        for name in ("prompts", "ignore", "reviews"):
            _finite(_listed(pair.get(name, []), f"{where}.{name}"), f"{where}.{name}")
        state.edits.append(
            {
                "prompts": [
                    prompt_dict(one)
                    for one in _at(where, partial(checked_prompts, pair.get("prompts", [])))
                ],
                "ignore": [
                    list(box) for box in _at(where, partial(checked_ignore, pair.get("ignore", [])))
                ],
                "nudge": _at(where, partial(checked_nudge, pair.get("nudge", [0, 0]))),
                "reviews": [
                    one.to_dict()
                    for one in _at(where, partial(checked_reviews, pair.get("reviews", [])))
                ],
            }
        )


class _Held:
    """The arrays the panel holds now: what a document only describes is looked for among them."""

    def __init__(self, panel: Any) -> None:
        self._panel = panel
        self._found: dict[tuple[tuple[int, ...], str], Any] | None = None

    def find(self, shape: tuple[int, ...], hashed: str) -> Any:
        """The picture of that shape and hash; None when the panel holds none."""
        if self._found is None:
            self._found = {}
            for source in self._sources():
                if not is_path(source) and source is not None:
                    signed = _signature(source)
                    self._found[tuple(signed["shape"]), signed["xxh128"]] = source
        return self._found.get((shape, hashed))

    def _sources(self) -> Iterable[Any]:
        for pair in [*self._panel.pairs, tuple(self._panel.sources)]:
            for side in pair:
                yield from side if isinstance(side, (list, tuple)) else (side,)


def _source(value: Any, where: str, root: Root, held: _Held) -> Any:
    if value is None:  # not chosen yet
        return None
    if isinstance(value, list):
        if not value or any(isinstance(one, list) for one in value):
            raise SettingError(f"{where} must be one picture or a list of some.")
        return [
            _source(one, f"{where}[{at}]", root, held)
            for at, one in enumerate(_listed(value, where))
        ]
    given = _mapping(value, where)
    if "sample" in given:
        _only(given, ("sample", "side"), where)
        from vde_nb import samples

        name = _one_of(given["sample"], samples.list(), f"{where}.sample")
        return Sample(name, _one_of(given.get("side"), _SIDES, f"{where}.side"))
    if "file" in given:
        _only(given, ("file",), where)
        return _file(_text(given, "file", where), where, root)
    if "array" in given:
        _only(given, ("array",), where)
        return _array(_mapping(given["array"], f"{where}.array"), where, held)
    if "outside" in given:
        raise SettingError(
            f"{where} was {_short(given['outside'])}, a file outside the root, whose place is not "
            "kept; make a panel whose root holds it."
        )
    raise SettingError(f"{where} is {_short(value)}: needed is a sample, a file or an array.")


def _model(given: Mapping[str, Any], root: Root) -> str:
    """The model of normality, as a setting names it; files below the root only."""
    from vde_nb.normality import known_models

    model = _mapping(given["model"], "model")
    if "file" in model:
        _only(model, ("file",), "model")
        return _file(_text(model, "file", "model"), "model", root)
    if "outside" in model:
        raise SettingError(
            f"model was {_short(model['outside'])}, a file outside the root, whose place is not "
            "kept; make a panel whose root holds it."
        )
    _only(model, ("memory",), "model")
    name = _text(model, "memory", "model")
    if name not in known_models():
        raise SettingError(
            f"model: {_short(name)} was a model in memory, which a session does not hold; fit or "
            "load it again, or choose a saved one."
        )
    return name


def _run(given: Mapping[str, Any], root: Root) -> tuple[str, str]:
    """The folder of a run below the root, and the row that was shown."""
    run = _mapping(given["run"], "run")
    if "outside" in run:
        raise SettingError(
            f"run was {_short(run['outside'])}, a folder outside the root, whose place is not "
            "kept; make a panel whose root holds it."
        )
    _only(run, ("folder", "row"), "run")
    relative, row = _text(run, "folder", "run"), _text(run, "row", "run")
    try:
        real = root.path(relative)
    except ImageError as error:
        raise SettingError(f"run.folder: {error}") from error
    if not is_run(real):
        raise SettingError(f"run.folder: there is no run {_short(relative)} in {root.folder}.")
    return root.given(relative), row


def _file(relative: str, where: str, root: Root) -> str:
    try:
        real = root.path(relative)
    except ImageError as error:
        raise SettingError(f"{where}.file: {error}") from error
    if not relative or not real.is_file():
        raise SettingError(f"{where}.file: there is no file {_short(relative)} in {root.folder}.")
    return root.given(relative)


def _array(given: Mapping[str, Any], where: str, held: _Held) -> Any:
    where = f"{where}.array"
    _only(given, ("shape", "xxh128"), where)
    shape = tuple(
        _whole(side, 0, 1 << 40, f"{where}.shape") for side in _listed(given.get("shape"), where)
    )
    hashed = _text(given, "xxh128", where)
    found = held.find(shape, hashed)
    if found is None:
        size = f" ({shape[1]} × {shape[0]})" if len(shape) in (2, 3, 4) else ""
        raise SettingError(
            f"{where}: this picture{size} was an array or an upload, which a session does not "
            "hold; open the same picture in the panel first, then load the session again."
        )
    return found


def _at(where: str, check: Callable[[], Any]) -> Any:
    """What `check` gives; what it refuses is told with its place."""
    try:
        return check()
    except SettingError as error:
        raise SettingError(f"{where}: {error}") from error
    except (TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise SettingError(f"{where} is not what it should be: {_short(error)}.") from error


def _short(value: Any) -> str:
    said = readable(str(value) if isinstance(value, Exception) else repr(value))
    return said if len(said) <= 60 else said[:57] + "..."


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise SettingError(f"{where} must be an object with names, not {_short(value)}.")
    return dict(value)


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise SettingError(f"{where} must be a list, not {_short(value)}.")
    if len(value) > _MOST:
        raise SettingError(f"{where} has {len(value)} entries; at most {_MOST} are allowed.")
    return list(value)


def _only(given: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    names = list(known)
    for name in given:
        if name not in names:
            near = nearest(name, names)
            hint = f" Did you mean {near}?" if near else f" It may have {', '.join(names)}."
            raise SettingError(f"{where} has an unknown {_short(name)}.{hint}")


def _known(given: Mapping[str, Any], name: str, among: Iterable[str]) -> str:
    return _one_of(given.get(name), among, name)


def _one_of(value: Any, among: Iterable[str], where: str) -> str:
    names = list(among)
    if not isinstance(value, str) or value not in names:
        near = nearest(value, names) if isinstance(value, str) else ""
        hint = f" Did you mean {near}?" if near else ""
        raise SettingError(f"{where} is {_short(value)}: one of {', '.join(names)}.{hint}")
    return value


def _text(given: Mapping[str, Any], name: str, where: str = "") -> str:
    value = given.get(name)
    if not isinstance(value, str) or len(value) > 4096:
        raise SettingError(f"{where + '.' if where else ''}{name} must be text of a usual length.")
    return value


def _whole(value: Any, low: int, high: int, where: str) -> int:
    if type(value) is not int or not low <= value <= high:
        raise SettingError(f"{where} is {_short(value)}: whole number from {low} to {high}.")
    return value


def _finite(value: Any, where: str) -> None:
    """Refuse numbers that are none, or that no picture is large enough for, at any depth."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for one in value:
            _finite(one, where)
    elif isinstance(value, (int, float)) and not abs(value) <= 1 << 40:
        raise SettingError(f"{where} holds {_short(value)}, which is no pixel.")
