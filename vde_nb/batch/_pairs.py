"""What a user hands over as pairs -> one after the other, never all of them in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vde_nb._decode import ENDINGS
from vde_nb._lessons import taught
from vde_nb._paths import absent, is_foreign, misread
from vde_nb._text import natural, readable
from vde_nb.batch._tables import TABLES, count_records, records
from vde_nb.errors import SettingError
from vde_nb.images import URL, ImagePair

__all__ = ["Given", "Listed", "list_pairs"]

_SHORTEST_LIST = 5  # names that a note lists
_FORMS = (
    "a list or generator of (reference, current); the path of a table (.csv, .parquet, .ndjson) "
    "with the columns reference and current; or two folders (references, currents)"
)


@dataclass(frozen=True, eq=False)
class Given:
    """One pair as it was handed over.

    Attributes
    ----------
    number
        Its position, from 1.
    name
        What to call it.
    reference, current
        Sources, as :func:`vde_nb.compare` takes them; paths are absolute. A reference of None:
        there is one picture, which is compared with a model.
    texts
        Both as they were given; empty for what has no name.
    given
        Further columns of a table.
    problem
        What is wrong with it, in words; empty for a pair that can be compared.
    """

    number: int
    name: str
    reference: Any = field(repr=False)
    current: Any = field(repr=False)
    texts: tuple[str, str] = ("", "")
    given: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Listed:
    """All pairs.

    Attributes
    ----------
    pairs
        Makes them, one at a time.
    total
        How many there are; None where nobody knows yet.
    text
        Where they are from, in words.
    notes
        What there is to say about them.
    unpaired
        Pictures of two folders that have no partner.
    """

    pairs: Iterator[Given]
    total: int | None
    text: str
    notes: tuple[str, ...] = ()
    unpaired: int = 0


def list_pairs(
    pairs: Any,
    *,
    root: str | os.PathLike[str] | None = None,
    single: bool = False,
    skip: Path | None = None,
) -> Listed:
    """Whatever a user hands over, as one iterator.

    Parameters
    ----------
    pairs
        See :func:`vde_nb.batch.compare_many`.
    root
        Where relative paths of a table begin; by default the folder of the table.
    single
        Whether one picture is enough, because it is compared with a model.
    skip
        A folder whose pictures are results.

    Raises
    ------
    SettingError
        It is nothing of what it can be, a table has no such columns, or a folder no pictures.
    MissingExtraError
        A Parquet table needs pyarrow.
    """
    with taught("runs"):
        return _list(pairs, root, single, skip)


def _list(
    pairs: Any, root: str | os.PathLike[str] | None, single: bool, skip: Path | None
) -> Listed:
    if isinstance(pairs, (str, os.PathLike)):
        text = os.fsdecode(pairs)
        path = Path(text).expanduser()
        if path.suffix.lower() in TABLES or misread(text):
            _check_there(path, text)
        if path.suffix.lower() in TABLES:
            return _table(path, text, root, single)
        if single and path.is_dir():
            return _folder(path, text, skip)
        raise SettingError(f"pairs={text!r} is no table: give {_FORMS}.")
    if isinstance(pairs, tuple) and len(pairs) == 2 and all(map(_is_path, pairs)):
        one, two = (os.fsdecode(folder) for folder in pairs)
        either = Path(one).expanduser(), Path(two).expanduser()
        if any(folder.is_dir() for folder in either):
            return _folders(one, two, skip)
        if not single and any(path.suffix.lower() in ENDINGS for path in either):
            raise SettingError(
                f"pairs=({one!r}, {two!r}) are no folders. For a single pair give a list of it: "
                f"[({one!r}, {two!r})]; else {_FORMS}."
            )
        if not single:
            raise SettingError(_no_folder(one))
    if isinstance(pairs, ImagePair) or not isinstance(pairs, Iterable) or isinstance(pairs, bytes):
        raise SettingError(f"pairs is a {type(pairs).__name__}: give {_FORMS}.")
    total = len(pairs) if isinstance(pairs, Sized) else None
    text = "a generator" if total is None else f"a list of {total}"
    return Listed(_listed(pairs, single), total, text)


def _check_there(path: Path, text: str) -> None:
    try:
        path.stat()
    except (OSError, ValueError) as error:  # what is wrong with one that is there, reading it tells
        if isinstance(error, (FileNotFoundError, ValueError)) or misread(text):
            columns = " A table of pairs has the columns reference and current."
            needed = columns if path.suffix.lower() in TABLES else ""
            raise SettingError(f"{absent(text)}{needed}") from error


def _no_folder(text: str) -> str:
    there = os.path.lexists(Path(text).expanduser())
    told = f"{text} is no folder." if there else absent(text, folder=True)
    return f"{told} Give two folders of pictures, a table of pairs, or a list of them."


def _is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike))


def _listed(pairs: Iterable[Any], single: bool) -> Iterator[Given]:
    number = 0  # enumerate() keeps the pair before while it asks for the next
    for one in pairs:
        number += 1  # noqa: SIM113
        try:
            given = _item(one, number, single)
        except Exception as error:  # attributes and items run code of the user's
            given = _wrong(number, _unread(error))
        del one  # the next one is made before the name is given again
        yield given
        del given


def _item(one: Any, number: int, single: bool) -> Given:
    name = ""
    if isinstance(one, ImagePair):
        texts = tuple(
            "" if picture.name == usual else picture.name
            for picture, usual in ((one.reference, "reference"), (one.current, "current"))
        )
        return _given(number, name, one, None, (texts[0], texts[1]))
    if isinstance(one, Mapping):
        return _record(dict(one), number, Path.cwd(), single)
    if hasattr(one, "reference") and hasattr(one, "current"):  # a sample, a labelled pair
        own = getattr(one, "name", "")
        name, reference, current = own if isinstance(own, str) else "", one.reference, one.current
    elif isinstance(one, (tuple, list)) and len(one) in (2, 3):
        reference, current, *rest = one
        if rest and not isinstance(rest[0], str):
            return _wrong(number, "its third part is no name: (reference, current, name).")
        name = rest[0] if rest else ""
    elif single and not isinstance(one, (tuple, list)):
        reference, current = None, one
    else:
        return _wrong(
            number, f"it is a {type(one).__name__}: needed is (reference, current), or a sample."
        )
    if reference is None and not single:
        return _wrong(number, "it has no reference; one picture is enough with method='normality'.")
    if current is None:
        return _wrong(number, "it has no current picture.")
    kept = _keepable(reference), _keepable(current)
    return _given(number, name, *kept, (_text_of(reference), _text_of(current)))


def _given(
    number: int, name: str, reference: Any, current: Any, texts: tuple[str, str], **more: Any
) -> Given:
    said = readable(texts[0]), readable(texts[1])
    called = readable(name) or said[1] or said[0] or f"pair {number}"
    return Given(number, called, _absolute(reference), _absolute(current), said, **more)


def _wrong(number: int, problem: str, **more: Any) -> Given:
    return Given(number, f"pair {number}", None, None, problem=f"Pair {number}: {problem}", **more)


def _unread(error: Exception) -> str:
    kind = "" if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: "
    return f"it cannot be read: {kind}{error}."


def _text_of(source: Any) -> str:
    if isinstance(source, (list, tuple)) and source:
        return _text_of(source[0])
    return os.fsdecode(source) if isinstance(source, (str, os.PathLike)) else ""


def _keepable(source: Any) -> Any:
    """A source that stays what it is: hashed here, computed with elsewhere, some time later."""
    if isinstance(source, (list, tuple)):
        return [_keepable(one) for one in source]
    if isinstance(source, np.ndarray):
        if not source.flags.writeable and source.base is None:
            return source
        return np.array(source)
    if isinstance(source, (bytearray, memoryview)):
        return bytes(source)
    if hasattr(source, "read") and not hasattr(source, "__array__") and not _is_path(source):
        data = source.read()
        if not isinstance(data, bytes):
            raise ValueError(f"its file gives {type(data).__name__}, not bytes; open it with 'rb'")
        return data
    return source


def _absolute(source: Any, base: Path | None = None) -> Any:
    """Paths as they are from any folder: workers may stand in another."""
    if isinstance(source, list):
        return [_absolute(one, base) for one in source]
    if not _is_path(source):
        return source
    text = os.fsdecode(source)
    if not text or URL.match(text) or is_foreign(text):  # load() says what is wrong
        return text
    try:
        return os.path.abspath((base or Path()) / Path(text).expanduser())  # noqa: PTH100
    except (RuntimeError, ValueError):
        return text


def _table(path: Path, text: str, root: str | os.PathLike[str] | None, single: bool) -> Listed:
    base = path.parent if root is None else Path(root).expanduser()
    total = count_records(path, single)  # also says at once what is wrong with its columns

    def made() -> Iterator[Given]:
        for number, record in enumerate(records(path), 1):
            try:
                given = _record(record, number, base, single)
            except Exception as error:  # a value may be nested deeper than can be followed
                given = _wrong(number, _unread(error))
            yield given

    return Listed(made(), total, text)


def _record(record: dict[str, Any], number: int, base: Path, single: bool) -> Given:
    """The pair of one line of a table."""
    # Keys in any case: tables are written by people.
    by_name = {str(key).strip().lower(): key for key in reversed(record)}
    columns = {
        "reference": by_name.get("reference"),
        "current": by_name.get("current", by_name.get("image")),
        "name": by_name.get("name"),
    }
    reference, current, name = (
        None if column is None else record[column] for column in columns.values()
    )
    rest = {key: value for key, value in record.items() if key not in columns.values()}
    more = {"given": _bounded(rest)}
    if current is None or (isinstance(current, str) and not current):
        return _wrong(number, "it has no current picture.", **more)
    if reference is None or (isinstance(reference, str) and not reference):
        if not single:
            return _wrong(number, "it has no reference.", **more)
        reference = None
    try:
        reference, current = _keepable(reference), _keepable(current)
    except Exception as error:
        return _wrong(number, _unread(error), **more)
    texts = _text_of(reference), _text_of(current)
    called = "" if name is None else str(name)
    return _given(
        number, called, _absolute(reference, base), _absolute(current, base), texts, **more
    )


_MOST_COLUMNS, _LONGEST_NAME, _LONGEST_VALUE = 50, 100, 1000


def _bounded(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Further columns as a row keeps them: text, numbers, yes or no; not too many, nor too long."""
    kept: dict[str, Any] = {}
    for key, value in list(values.items())[:_MOST_COLUMNS]:
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not abs(value) < 2**53:
            value = None
        elif isinstance(value, int) and not abs(value) < 2**53:
            value = str(value)
        elif value is not None and not isinstance(value, (bool, int, float)):
            value = readable(str(value)).replace("\0", "")[:_LONGEST_VALUE]
        kept[readable(str(key)).replace("\0", "")[:_LONGEST_NAME]] = value
    return kept


def _pictures(folder: Path, said: str, skip: Path | None) -> list[str]:
    """Pictures in a folder and below it, as paths relative to it, in natural order."""
    if not folder.is_dir():
        raise SettingError(_no_folder(said))
    found: list[str] = []
    skipped = None if skip is None else os.path.realpath(skip)  # either may be relative, or a link

    def refuse(error: OSError) -> None:
        raise SettingError(f"{said} cannot be read: {error}.") from error

    for place, folders, files in os.walk(folder, onerror=refuse):
        here = Path(place)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and (skipped is None or os.path.realpath(here / name) != skipped)
        ]
        relative = here.relative_to(folder)
        found += [
            (relative / name).as_posix()
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in ENDINGS
        ]
    if not found:
        raise SettingError(f"There are no pictures in {said}.")
    return sorted(found, key=natural)


def _folder(folder: Path, said: str, skip: Path | None) -> Listed:
    names = _pictures(folder, said, skip)

    def made() -> Iterator[Given]:
        for number, name in enumerate(names, 1):
            text = os.path.join(said, name)  # noqa: PTH118 - as it would be typed
            yield _given(number, name, None, os.fspath(folder / name), ("", text))

    return Listed(made(), len(names), said)


def _folders(one: str, two: str, skip: Path | None) -> Listed:
    places = Path(one).expanduser(), Path(two).expanduser()
    names, alone = _matched(
        *(_pictures(p, s, skip) for p, s in zip(places, (one, two), strict=True))
    )
    if not names:
        raise SettingError(
            f"No picture in {one} has the name of one in {two}: pictures of two folders are "
            "matched by name."
        )
    notes = tuple(
        f"Without a partner of the same name in {other}: {_some(left)}."
        for left, other in zip(alone, (two, one), strict=True)
        if left
    )

    def made() -> Iterator[Given]:
        for number, (mine, other) in enumerate(names, 1):
            texts = os.path.join(one, mine), os.path.join(two, other)  # noqa: PTH118
            paths = os.fspath(places[0] / mine), os.fspath(places[1] / other)
            yield _given(number, other, *paths, texts)

    return Listed(made(), len(names), f"{one} and {two}", notes, sum(map(len, alone)))


def _some(names: list[str]) -> str:
    shown = ", ".join(readable(name) for name in names[:_SHORTEST_LIST])
    more = len(names) - _SHORTEST_LIST
    return f"{shown} and {more} more" if more > 0 else shown


def _matched(
    references: list[str], currents: list[str]
) -> tuple[list[tuple[str, str]], tuple[list[str], list[str]]]:
    """Match by name, then by name without its ending where that leaves no doubt."""
    exact = set(references) & set(currents)
    stems: list[dict[str, list[str]]] = [{}, {}]
    for side, names in zip(stems, (references, currents), strict=True):
        for name in names:
            if name not in exact:
                side.setdefault(os.path.splitext(name)[0], []).append(name)  # noqa: PTH122
    partner = {name: name for name in exact}
    for stem, mine in stems[0].items():
        others = stems[1].get(stem, [])
        if len(mine) == len(others) == 1:
            partner[mine[0]] = others[0]
    taken = set(partner.values())
    pairs = [(name, partner[name]) for name in references if name in partner]
    alone = (
        [name for name in references if name not in partner],
        [name for name in currents if name not in taken],
    )
    return pairs, alone
