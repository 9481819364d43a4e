"""What people said about the pairs of a run, in ``reviews.json`` of its folder.

Each change is on the disk when :meth:`Reviews.put` or :meth:`Reviews.change` returns, the file
whole or as it was. Several panels may review one run: a change replaces what is known of its own
pair and of no other. A file that is none of ours is neither used nor written over.
"""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vde_nb._text import defused, readable
from vde_nb._write import write_atomically
from vde_nb.batch._review_file import (
    FILE,
    FORMAT,
    VERSION,
    PairReview,
    RegionReview,
    checked_review,
    is_id,
    read_reviews,
    written,
)
from vde_nb.errors import OutputError, SettingError

__all__ = ["PairReview", "RegionReview", "Reviews"]

#: Seconds that another process may take to write the file.
_PATIENCE = 3.0
#: Columns of the table: what the run knows, what was said of the pair, what of one region in it.
_COLUMNS = (
    *("number", "name", "reference", "current", "id", "status", "run_verdict", "anomalies"),
    *("change", "score", "error", "reviewed", "pair_comment"),
    *("x", "y", "w", "h", "type_found", "severity", "origin", "type", "verdict", "comment"),
)


class Reviews(Mapping[str, PairReview]):
    """Reviews of a run by the ids of its rows; pairs that nobody said anything about are not in it.

    Parameters
    ----------
    folder
        The folder of the run.
    rows
        Gives the run's rows, for :meth:`to_csv` and :meth:`to_json`.

    Attributes
    ----------
    trouble
        Why the file cannot be used, in words; empty when it can, or there is none.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        rows: Callable[[], Iterable[Mapping[str, Any]]] | None = None,
    ) -> None:
        self.path = Path(folder) / FILE
        self.trouble = ""
        self._rows = rows
        self._entries: dict[str, PairReview] = {}
        self._lines: dict[str, str] = {}
        self._unsaved: dict[str, list[Callable[[PairReview], PairReview]]] = {}
        self._stamp: object = None
        with suppress(OutputError):  # `trouble` tells
            self._read()

    def __getitem__(self, identity: str) -> PairReview:
        return self._entries[identity]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        done = sum(one.reviewed for one in self._entries.values())
        return f"Reviews({done} {'pair' if done == 1 else 'pairs'} reviewed)"

    @property
    def is_saved(self) -> bool:
        """Whether all of it is on the disk."""
        return not self._unsaved

    def put(self, identity: str, review: PairReview) -> None:
        """Say something about a pair, in place of what was said before; it is on the disk then.

        Parameters
        ----------
        identity
            The id of the pair's row.
        review
            All that is said about it; an empty one takes it back.

        Raises
        ------
        SettingError
            A comment is too long, or there is another thing that could not be read back.
        OutputError
            It cannot be written, another program's file is there, or all of it would be more than
            can be read back. The review is kept in memory and written with the next that can be.
        """
        checked = checked_review(review)
        self.change(identity, lambda _: checked)

    def change(self, identity: str, change: Callable[[PairReview], PairReview]) -> PairReview:
        """Say something about a pair, knowing what is on the disk at that moment.

        Parameters
        ----------
        identity
            The id of the pair's row.
        change
            Given what is said about the pair now, gives what shall be said. It is called again
            where it could not be written and others have written since.

        Returns
        -------
        PairReview
            What is said now.

        Raises
        ------
        SettingError, OutputError
            As :meth:`put`.
        """
        if not is_id(identity):
            raise SettingError(f"{identity!r} is no id of a row: 32 hexadecimal digits.")
        try:
            with self._locked():
                self._read()
                before = self._entries.get(identity, PairReview())
                after = checked_review(change(before))
                if after != before or self._unsaved:
                    lines = {**self._lines, identity: after.line()}
                    if after.is_empty:
                        del lines[identity]
                    write_atomically(self.path, written(lines), overwrite=True)
                    self._stamp = self._stamped()
        except OutputError:
            after = checked_review(change(self._entries.get(identity, PairReview())))
            self._set(identity, after)
            self._unsaved.setdefault(identity, []).append(change)
            raise
        self._set(identity, after)
        self._unsaved.clear()
        return after

    def _set(self, identity: str, review: PairReview) -> None:
        if review.is_empty:
            self._entries.pop(identity, None)
            self._lines.pop(identity, None)
            return
        self._entries[identity], self._lines[identity] = review, review.line()

    # The file

    def _read(self) -> None:
        """Take over what the file holds now, with what is not saved yet."""
        stamp = self._stamped()
        if stamp == self._stamp and not self.trouble:
            return
        try:
            found = {} if stamp is None else read_reviews(self.path)
        except SettingError as error:
            self.trouble = (
                f"{readable(str(self.path))} cannot be used: {error} Move it away; until then "
                "reviews of this run are not saved."
            )
            raise OutputError(self.trouble) from error
        for identity, changes in self._unsaved.items():
            review = found.get(identity, PairReview())
            for change in changes:
                review = checked_review(change(review))
            found[identity] = review
        self._entries, self._lines = {}, {}
        for identity, review in found.items():
            self._set(identity, review)
        self._stamp, self.trouble = stamp, ""

    def _stamped(self) -> object:
        """What changes when the file does; None: there is none."""
        try:
            about = self.path.lstat()
        except OSError:
            return None
        return about.st_mtime_ns, about.st_size, about.st_ino

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from writing; where the file system knows no locks, hope."""
        try:
            import fcntl

            descriptor = os.open(self.path.parent, os.O_RDONLY)
        except (ImportError, OSError):  # writing tells what is wrong with the folder
            yield
            return
        try:
            end = time.monotonic() + _PATIENCE
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    if time.monotonic() > end:
                        raise OutputError(
                            f"{self.path} is being written by another process; try again."
                        ) from error
                    time.sleep(0.02)
                    continue
                except OSError:
                    pass
                break
            yield
        finally:
            os.close(descriptor)  # and with it the lock

    # What leaves

    def pairs(self) -> Iterator[dict[str, Any]]:
        """Rows of the run in its order, each with ``review``, which is None where nothing was said.

        Raises
        ------
        SettingError
            These reviews belong to no run that is open.
        """
        if self._rows is None:
            raise SettingError("Open the run to export its reviews: vde.open_run(folder).reviews.")
        for row in self._rows():
            said = self.get(str(row.get("id")))
            yield {**row, "review": None if said is None else said.to_dict()}

    def to_json(
        self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False
    ) -> str:
        """All rows of the run with what was said about them, as JSON text.

        Parameters
        ----------
        path
            Where to write it as well.
        overwrite
            Replace the file if it exists.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        document = {"format": f"{FORMAT}-export", "version": VERSION, "pairs": list(self.pairs())}
        text = json.dumps(document, indent=1, allow_nan=False) + "\n"
        if path is not None:
            write_atomically(path, text, overwrite=overwrite)
        return text

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False) -> str:
        r"""The same as CSV (RFC 4180): a line for each region, or one for a pair without any.

        Text that a spreadsheet would take for a formula gets an apostrophe before it. Parameters
        and errors are those of :meth:`to_json`.
        """
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator="\r\n")
        writer.writerow(_COLUMNS)
        for pair in self.pairs():
            said = self.get(str(pair["id"]), PairReview())
            about = _about(pair, said)
            for region in said.regions or (None,):
                cells = about | ({} if region is None else _of(region))
                found = (cells.get(name, "") for name in _COLUMNS)
                writer.writerow([defused(one) if isinstance(one, str) else one for one in found])
        text = buffer.getvalue()
        if path is not None:
            write_atomically(path, text, overwrite=overwrite)
        return text


def _about(pair: Mapping[str, Any], said: PairReview) -> dict[str, Any]:
    """Cells about a pair."""
    cells = {name: pair.get(name) for name in _COLUMNS}
    cells = {name: "" if value is None else value for name, value in cells.items()}
    return cells | {
        "run_verdict": pair.get("verdict") or "",
        "verdict": "",
        "reviewed": "yes" if said.reviewed else "no",
        "pair_comment": said.comment,
    }


def _of(region: RegionReview) -> dict[str, Any]:
    """Cells about a region."""
    said = region.review
    return {
        **dict(zip("xywh", said.box, strict=True)),
        "type_found": region.found,
        "severity": region.severity,
        "origin": region.origin,
        "type": said.type or region.found,
        "verdict": said.verdict or "",
        "comment": said.comment,
    }
