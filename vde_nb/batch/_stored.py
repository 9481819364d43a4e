"""What lies in the folder of a run, read as if a stranger had written it.

Every line is checked before anything else sees it, no link is followed, and nothing outside of the
folder is opened. What is wrong is left out and told in :attr:`Stored.notes`.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from vde_nb._text import readable
from vde_nb.batch._final import RESULTS, TIMINGS
from vde_nb.batch._journal import JOURNAL, _lines
from vde_nb.batch._manifest import MANIFEST, read_manifest
from vde_nb.batch._plain import plain_file
from vde_nb.batch._row import LONGEST_LINE, Row, checked_row
from vde_nb.batch._summary import Tally, tally
from vde_nb.errors import OutputError, SettingError
from vde_nb.settings import nearest

__all__ = ["Stored", "plain_file"]

STATES = ("running", "finished", "interrupted")

_LONGEST_TEXT, _MOST_ENTRIES, _DEEPEST = 4000, 1000, 4
#: Bytes of a thumbnail at most; ours have some ten thousand.
#: Pairs of one name that are told, and rows whose names may have been meant.
_TOLD, _NEAR, _LONGEST_NAME = 5, 2000, 100
_LARGEST_PICTURE = 256 * 1024


class Stored:
    """The folder of a run.

    Parameters
    ----------
    folder
        Holds ``run.json``.

    Raises
    ------
    SettingError
        There is no run.
    OutputError
        Its ``run.json`` is none that this version knows.

    Attributes
    ----------
    manifest
        ``run.json``, in which every text is bounded and well-formed and every number is finite.
    notes
        What was left out, in words.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []
        if plain_file(folder, MANIFEST) is None:
            raise SettingError(
                f"{folder} holds no run: there is no {MANIFEST} in it. Give the folder that "
                "compare_many(out=...) or vde-nb batch --out wrote."
            )
        manifest = _bounded(read_manifest(folder) or {}, 0)
        if manifest.get("state") not in STATES:
            raise OutputError(f"{folder / MANIFEST} does not say how the run ended.")
        self.manifest: dict[str, Any] = manifest
        finished = manifest["state"] != "running" and plain_file(folder, RESULTS) is not None
        self._path = plain_file(folder, RESULTS if finished else JOURNAL)
        self._in_journal = not finished
        self._places: dict[bytes, int] = {}
        self._offsets, self._numbers = array("q"), array("q")
        self._read()
        if manifest["state"] == "running":
            self.notes.append(
                "The run is not finished: it is still running, or was killed. What it has found so "
                "far is shown."
            )

    def __len__(self) -> int:
        return len(self._offsets)

    @cached_property
    def tally(self) -> Tally:
        """All counts. Where a pair was tried again, opening could not take them."""
        return tally(self.rows())

    def rows(self) -> Iterator[Row]:
        """Rows in their order, one at a time."""
        if self._path is None:
            return
        with self._opened() as file:
            for offset in self._offsets:
                file.seek(offset)
                yield self._row(file.readline(LONGEST_LINE + 1))

    def row(self, which: str | int) -> Row:
        """A row by its id, by its number, or by the name of its pair.

        Raises
        ------
        SettingError
            There is none, or several pairs have this name.
        """
        offset = None
        if isinstance(which, str):
            with suppress(ValueError):  # no hexadecimal digits
                offset = self._places.get(bytes.fromhex(which))
        elif not isinstance(which, bool) and which in self._numbers:
            offset = self._offsets[self._numbers.index(which)]
        if offset is None and isinstance(which, str):
            return self._named(which)
        if offset is None:
            raise SettingError(f"The run has no pair {which!r}: give an id, a number, or a name.")
        with self._opened() as file:
            file.seek(offset)
            return self._row(file.readline(LONGEST_LINE + 1))

    def _named(self, name: str) -> Row:
        """The only row of a name; see :meth:`row`."""
        found: Row | None = None
        ids = []  # not the rows: all of a run may have one name
        for row in self.rows():
            if row["name"] == name:
                found = found or row
                ids.append(row["id"])
        if found is None:
            names = {row["name"] for row in islice(self.rows(), _NEAR)}
            close = nearest(name, (one for one in names if len(one) <= _LONGEST_NAME))
            hint = f" Did you mean {close}?" if close else " Give an id, a number, or a name."
            raise SettingError(f"The run has no pair {name!r}.{hint}")
        if len(ids) > 1:
            told = ", ".join(ids[:_TOLD]) + (", \u2026" if len(ids) > _TOLD else "")
            raise SettingError(
                f"{len(ids)} pairs of the run are called {name!r}: give an id, {told}"
            )
        return found

    def timings(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Id and timings of each row for which they are known: `seconds`, `stages_ms`, `worker`."""
        if self._in_journal:
            if self._path is None:
                return
            with self._opened() as file:
                for offset in self._offsets:
                    file.seek(offset)
                    entry = _parsed(file.readline(LONGEST_LINE + 1))
                    yield entry["row"]["id"], _timings(entry.get("timings"))
            return
        path = plain_file(self.folder, TIMINGS)
        if path is None:
            return
        for _, line, _, _ in _lines(path):
            try:
                entry = _parsed(line)
                if bytes.fromhex(entry["id"]) in self._places:
                    yield entry["id"], _timings(entry)
            except (ValueError, KeyError, TypeError, RecursionError):
                continue

    def thumbnail(self, row: Row) -> bytes | None:
        """The JPEG of a row's thumbnail; None where there is none that is a small picture."""
        from vde_nb.batch._files import THUMBNAIL
        from vde_nb.errors import ImageError
        from vde_nb.images import load

        if row["folder"] is None or THUMBNAIL not in row["files"]:
            return None
        path = plain_file(self.folder, f"{row['folder']}/{THUMBNAIL}")
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                data = file.read(_LARGEST_PICTURE + 1)
            if len(data) > _LARGEST_PICTURE or not data.startswith(b"\xff\xd8\xff"):
                return None
            load(data, max_megapixels=1)  # a browser may not look at sizes before it has memory
        except (OSError, ImageError):
            return None
        return data

    def _opened(self) -> Any:
        assert self._path is not None  # no row is known without
        try:
            return self._path.open("rb")
        except OSError as error:
            raise OutputError(
                f"{self._path} cannot be read: {(error.strerror or str(error)).lower()}."
            ) from error

    def _read(self) -> None:
        """Find all rows. Of a pair that was tried again, the last attempt counts."""
        if self._path is None:
            return
        found: dict[bytes, tuple[int, int]] = {}
        counts = Tally()
        wrong: dict[str, int] = {}
        try:
            for offset, line, _, whole in _lines(self._path):
                try:
                    row = self._row(line) if line else None
                except OutputError as error:
                    reason = str(error.__cause__)
                    if whole:  # a torn last line is one that was being written
                        wrong[reason] = wrong.get(reason, 0) + 1
                    continue
                if row is None:
                    wrong["it is too long"] = wrong.get("it is too long", 0) + 1
                else:
                    found[bytes.fromhex(row["id"])] = row["number"], offset
                    counts.add(row)
        except OSError as error:
            raise OutputError(
                f"{self._path} cannot be read: {(error.strerror or str(error)).lower()}."
            ) from error
        for number, offset in sorted(found.values()):
            self._numbers.append(number)
            self._offsets.append(offset)
        if counts.total == len(found):
            self.tally = counts
        self._places = {identity: offset for identity, (_, offset) in found.items()}
        for reason, count in sorted(wrong.items())[:10]:
            lines = "One line" if count == 1 else f"{count} lines"
            self.notes.append(
                f"{lines} of {self._path.name} {'is' if count == 1 else 'are'} left out: {reason}."
            )

    def _row(self, line: bytes) -> Row:
        try:
            entry = _parsed(line)
            return checked_row(entry["row"] if self._in_journal else entry)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            cause = ValueError("it is no JSON") if isinstance(error, _NOT_JSON) else error
            if isinstance(error, KeyError):
                cause = ValueError("it holds no row")
            assert self._path is not None
            raise OutputError(
                f"{self._path} has changed since the run was opened; open it again."
            ) from cause


#: What the reader of JSON raises, as against what a checked row does.
_NOT_JSON = (json.JSONDecodeError, UnicodeDecodeError, RecursionError, TypeError)


def _parsed(line: bytes) -> dict[str, Any]:
    entry = json.loads(line, parse_constant=_no_number)
    if not isinstance(entry, dict):
        raise ValueError("it is no row")
    return entry


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _timings(value: Any) -> dict[str, Any]:
    """Timings of one row, of which nothing is believed that is not in its place."""
    given = value if isinstance(value, dict) else {}
    stages = given.get("stages_ms")
    worker = given.get("worker")
    return {
        "seconds": _duration(given.get("seconds")),
        "stages_ms": {
            readable(str(name))[:100]: ms
            for name, value in list(stages.items() if isinstance(stages, dict) else ())[:100]
            if (ms := _duration(value)) is not None
        },
        "worker": readable(str(worker))[:200] if isinstance(worker, (str, int)) else "",
    }


def _duration(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= 1e12 else None


def _bounded(value: Any, depth: int) -> Any:
    """A copy of plain data in which nothing is long, deep or not finite."""
    if isinstance(value, str):
        return readable(value[:_LONGEST_TEXT])
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return value if abs(value) < 1e18 and math.isfinite(value) else None
    if depth >= _DEEPEST:
        return None
    if isinstance(value, dict):
        some = list(value.items())[:_MOST_ENTRIES]
        return {_bounded(str(name), depth): _bounded(one, depth + 1) for name, one in some}
    return [_bounded(one, depth + 1) for one in value[:_MOST_ENTRIES]]
