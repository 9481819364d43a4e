"""The journal of a run: what is known so far, one line a pair, only ever added to.

A line is written by one call of the system to a descriptor that appends, so whoever kills this
process leaves whole lines and at most one torn one at the end, which the next run cuts off. Per
pair a few dozen bytes stay in memory; rows are read again from the file when they are needed.
"""

from __future__ import annotations

import json
import os
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from vde_nb._lock import LockFile, lock_file
from vde_nb.batch._row import LONGEST_LINE, Row, checked_row, is_done
from vde_nb.errors import OutputError

__all__ = ["JOURNAL", "LOCK", "Journal", "hold", "line_of"]

JOURNAL, LOCK = "journal.ndjson", ".lock"
_PAUSE = 1.0  # seconds between two commands to the disk to write what it was given


def line_of(document: Mapping[str, Any]) -> bytes:
    """A document as one line of JSON; the same document gives the same bytes."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"


def hold(folder: Path) -> IO[bytes]:
    """Keep other processes out of a run for as long as the file that is returned stays open.

    Raises
    ------
    OutputError
        Another process writes this run, or the folder cannot be written.
    """
    path = folder / LOCK
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        file = LockFile(os.open(path, flags, 0o644))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{folder} cannot be written: {reason}.") from error
    if not lock_file(file):
        file.close()
        raise OutputError(
            f"{folder} is being written by another run just now; wait for it, or choose another "
            "folder."
        )
    return file


class Journal:
    """The journal in a folder, opened for adding to it.

    Parameters
    ----------
    folder
        Of the run, which is held (:func:`hold`).

    Raises
    ------
    OutputError
        It cannot be written.

    Attributes
    ----------
    notes
        What was wrong with it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / JOURNAL
        self.notes: list[str] = []
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            self._file = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise self._failed(error) from error
        try:
            self._read()
        except BaseException:
            os.close(self._file)
            raise
        #: Where that which this run adds begins, as a place in the file and as a slot.
        self._begun, self._first = self._end, len(self)

    def reload(self) -> None:
        """Read everything again, and cut off a last line that is not whole.

        Which rows were seen is kept: lines come to the same slots again.
        """
        seen = self._numbers
        self._read()
        self._numbers[: len(seen)] = seen[: len(self)]
        with self.path.open("rb") as file:
            for slot in range(len(self)):
                if self.is_new(slot) and not self._numbers[slot]:
                    self.see(slot, self._entry(file, slot)[0]["number"])

    def _read(self) -> None:
        self._slots: dict[bytes, int] = {}
        self._offsets = array("q")
        self._numbers = array("q")  # 0: not among the pairs of this run so far
        self._done = bytearray()
        self._found = bytearray()
        self._synced = 0.0
        self._end = damaged = 0
        for offset, line, end, whole in _lines(self.path):
            if not whole:
                os.ftruncate(self._file, self._end)
                self.notes.append("The last line of the journal was torn and is cut off.")
                break
            self._end = end
            try:
                row = checked_row(_parsed(line)["row"])
            except (ValueError, KeyError, TypeError, RecursionError):
                damaged += 1
                continue
            self._note(row, offset)
        if damaged:
            self.notes.append(f"Lines of the journal that are no rows and do not count: {damaged}.")

    def __len__(self) -> int:
        return len(self._offsets)

    def _note(self, row: Row, offset: int) -> int:
        identity = bytes.fromhex(row["id"])
        slot = self._slots.setdefault(identity, len(self._offsets))
        if slot == len(self._offsets):
            self._offsets.append(offset)
            self._numbers.append(0)
            self._done.append(0)
            self._found.append(0)
        self._offsets[slot] = offset
        whole = row["folder"] is None or (self.folder / row["folder"]).is_dir()
        self._done[slot] = is_done(row) and whole
        self._found[slot] = row["status"] != "error" and whole
        return slot

    def find(self, identity: str) -> int | None:
        """Where the row of this identity is; None where there is none."""
        return self._slots.get(bytes.fromhex(identity))

    def is_done(self, slot: int) -> bool:
        """Whether a row need not be computed again."""
        return bool(self._done[slot])

    def is_found(self, slot: int) -> bool:
        """Whether a row is no error, so that it is as good for pictures that are the same."""
        return bool(self._found[slot])

    def is_new(self, slot: int) -> bool:
        """Whether this run has written the row."""
        return self._offsets[slot] >= self._begun

    def see(self, slot: int, number: int) -> None:
        """Note that a row is of the pair of this number of the present run."""
        self._numbers[slot] = number

    def row(self, slot: int) -> Row:
        """A row, read from the file."""
        return self.entry(slot)[0]

    def entry(self, slot: int) -> tuple[Row, dict[str, Any]]:
        """A row and its timings, read from the file."""
        with self.path.open("rb") as file:
            return self._entry(file, slot)

    def _entry(self, file: IO[bytes], slot: int) -> tuple[Row, dict[str, Any]]:
        file.seek(self._offsets[slot])
        entry = _parsed(file.readline(LONGEST_LINE))
        timings = entry.get("timings")
        return checked_row(entry["row"]), timings if isinstance(timings, dict) else {}

    def append(self, row: Row, timings: Mapping[str, Any]) -> int:
        """Add a row; returns where it is.

        Raises
        ------
        OutputError
            It cannot be written; the journal is as it was before.
        """
        data = line_of({"row": row, "timings": timings})
        if len(data) > LONGEST_LINE:
            row = {**row, "notes": ["Notes and names of files were too long to keep."], "files": []}
            data = line_of({"row": {**row, "given": {}}, "timings": {}})
        offset = self._end
        try:
            written = os.write(self._file, data)
            while written < len(data):  # a disk that is full takes a part, and says so next time
                written += os.write(self._file, data[written:])
            now = time.monotonic()
            if now - self._synced > _PAUSE:
                os.fsync(self._file)
                self._synced = now
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, offset)
            raise self._failed(error) from error
        self._end = offset + len(data)
        slot = self._note(row, offset)
        self.see(slot, row["number"])
        return slot

    def _failed(self, error: OSError) -> OutputError:
        reason = (error.strerror or str(error)).lower()
        return OutputError(
            f"{self.path} cannot be written: {reason}. What is in it stays; run the same again to "
            "go on."
        )

    def entries(self, *, unseen: bool) -> Iterator[tuple[Row, dict[str, Any]]]:
        """All rows by number, with timings.

        Parameters
        ----------
        unseen
            Also those of an earlier attempt that are not among the pairs of this one so far,
            under the number they had then; but none that this one has another of, because its
            pictures were missing then, or are others now. Else they are left out.
        """
        with self.path.open("rb") as file:
            numbers = self._numbers
            if unseen and 0 in numbers:
                numbers = self._all_numbers(file)
            order = array("q", (slot for slot, number in enumerate(numbers) if number))
            by_number = sorted(order, key=lambda slot: (numbers[slot], self._offsets[slot]))
            for slot in by_number:
                row, timings = self._entry(file, slot)
                row["number"] = numbers[slot]
                yield row, timings

    def _all_numbers(self, file: IO[bytes]) -> array[int]:
        """Numbers of all rows; 0 for those of which this run has another."""
        new = range(self._first, len(self))
        another = Counter(_called(self._entry(file, slot)[0]) for slot in new)
        numbers = array("q", self._numbers)
        earlier = (slot for slot, number in enumerate(numbers) if not number)
        for slot in sorted(earlier, key=self.is_done):  # what failed first
            row = self._entry(file, slot)[0]
            if another[_called(row)]:
                another[_called(row)] -= 1
            else:
                numbers[slot] = row["number"]
        return numbers

    @property
    def unseen(self) -> int:
        """Rows that are not of a pair of this run so far."""
        return self._numbers.count(0)

    def sync(self) -> None:
        """Have the disk write everything."""
        with suppress(OSError):
            os.fsync(self._file)

    def close(self) -> None:
        """Close it; it is on the disk then."""
        self.sync()
        os.close(self._file)


def _called(row: Row) -> tuple[str, ...]:
    return row["name"], row["reference"], row["current"]


def _parsed(line: bytes) -> dict[str, Any]:
    entry = json.loads(line)
    if not isinstance(entry, dict):
        raise ValueError("it is no entry of a journal")
    return entry


def _lines(path: Path) -> Iterator[tuple[int, bytes, int, bool]]:
    """Lines with where they begin and end, and whether they are whole; of a longer one nothing."""
    end = 0
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE + 1):
            start, size, whole = end, len(line), line.endswith(b"\n")
            while not whole and (more := file.readline(LONGEST_LINE + 1)):
                size, whole, line = size + len(more), more.endswith(b"\n"), b""
            end += size
            yield start, line, end, whole
