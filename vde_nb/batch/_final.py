"""The files that a run ends with: results as NDJSON, CSV and Parquet, and timings.

All are written anew at the end of every run, also of one that was interrupted, line by line from
the journal, and take their places at once.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from vde_nb._extras import not_installed
from vde_nb._text import defused
from vde_nb.batch._journal import line_of
from vde_nb.batch._row import Row
from vde_nb.errors import OutputError

__all__ = ["COLUMNS", "PARQUET", "RESULTS", "TABLE", "TIMINGS", "further_columns", "write_results"]

RESULTS, TABLE, PARQUET, TIMINGS = (
    "results.ndjson",
    "results.csv",
    "results.parquet",
    "timings.ndjson",
)
_AT_ONCE = 1000  # rows of one group in the Parquet file
_MOST_FURTHER = 20  # columns for those of the table that pairs were given in

#: Columns of the tables, and what they hold in Parquet.
COLUMNS: dict[str, tuple[str, Callable[[Row], Any]]] = {
    "id": ("string", lambda row: row["id"]),
    "number": ("int64", lambda row: row["number"]),
    "name": ("string", lambda row: row["name"]),
    "reference": ("string", lambda row: row["reference"]),
    "current": ("string", lambda row: row["current"]),
    "status": ("string", lambda row: row["status"]),
    "verdict": ("string", lambda row: row["verdict"]),
    "anomalies": ("int64", lambda row: row["anomalies"]),
    "minor": ("int64", lambda row: row["severities"]["minor"]),
    "moderate": ("int64", lambda row: row["severities"]["moderate"]),
    "major": ("int64", lambda row: row["severities"]["major"]),
    "types": ("string", lambda row: _json(row["types"])),
    "change": ("float64", lambda row: row["change"]),
    "ssim": ("float64", lambda row: row["ssim"]),
    "score": ("float64", lambda row: row["score"]),
    "largest": ("int64", lambda row: row["largest"]),
    "width": ("int64", lambda row: row["size"] and row["size"][0]),
    "height": ("int64", lambda row: row["size"] and row["size"][1]),
    "unlike": ("bool_", lambda row: row["unlike"]),
    "method": ("string", lambda row: row["method"]),
    "outlined_by": ("string", lambda row: row["outlined_by"]),
    "described_by": ("string", lambda row: row["described_by"]),
    "error_kind": ("string", lambda row: row["error_kind"]),
    "error": ("string", lambda row: row["error"]),
    "retry": ("bool_", lambda row: row["retry"]),
    "same_as": ("string", lambda row: row["same_as"]),
    "folder": ("string", lambda row: row["folder"]),
    "files": ("string", lambda row: _json(row["files"])),
    "notes": ("string", lambda row: _json(row["notes"])),
    "given": ("string", lambda row: _json(row["given"])),
}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False) if value else ""


def write_results(folder: Path, entries: Iterable[tuple[Row, dict[str, Any]]]) -> None:
    """Write all final files.

    Parameters
    ----------
    folder
        Of the run.
    entries
        Rows in their order, with their timings; they are taken one at a time.

    Raises
    ------
    OutputError
        One cannot be written; those of before stay.
    """
    try:
        with ExitStack() as stack:
            sinks = [
                stack.enter_context(_replacing(folder / name, sink))
                for name, sink in (
                    (RESULTS, _lines_of_rows),
                    (TIMINGS, _lines_of_timings),
                    (TABLE, _table),
                    *([] if not_installed("pyarrow") else [(PARQUET, _parquet)]),
                )
            ]
            for entry in entries:
                for sink in sinks:
                    sink.send(entry)
    except OutputError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"The results cannot be written into {folder}: {reason}.") from error
    if not_installed("pyarrow"):  # of an earlier run, elsewhere
        (folder / PARQUET).unlink(missing_ok=True)


_Sink = Any  # a generator that takes entries, until it is closed


@contextmanager
def _replacing(target: Path, make: Callable[[IO[bytes]], _Sink]) -> Iterator[_Sink]:
    """What takes entries for a file that replaces `target` when all were written."""
    attempt = target.with_name(f".{target.name}.{os.urandom(6).hex()}.tmp")
    try:
        with attempt.open("xb") as file:
            sink = make(file)
            next(sink)
            try:
                yield sink
            finally:
                sink.close()
            file.flush()
            os.fsync(file.fileno())
        attempt.replace(target)
    finally:
        attempt.unlink(missing_ok=True)


def _lines_of_rows(file: IO[bytes]) -> _Sink:
    while True:
        row, _ = yield
        file.write(line_of(row))


def _lines_of_timings(file: IO[bytes]) -> _Sink:
    while True:
        row, timings = yield
        file.write(line_of({**timings, "id": row["id"]}))


def further_columns(names: dict[str, str], row: Row) -> list[Any]:
    """Cells of a row's further columns; heads of those that are new are added to `names`."""
    given = row["given"]
    for name in given:
        if len(names) < _MOST_FURTHER:
            names.setdefault(name, f"given.{name}")
    return [given.get(name) for name in names]


def _table(file: IO[bytes]) -> _Sink:
    # Which further columns there are is known at the end; a table is not held in memory for that,
    # but goes to the disk first, with lines as long as the names that were known.
    names: dict[str, str] = {}
    with TemporaryFile("w+", encoding="ascii", dir=Path(file.name).parent) as first:
        try:
            while True:
                row, _ = yield
                cells = [value(row) for _, value in COLUMNS.values()]
                first.write(json.dumps([*cells, *further_columns(names, row)]) + "\n")
        finally:
            first.seek(0)
            text = io.TextIOWrapper(file, "utf-8", newline="")
            writer = csv.writer(text, lineterminator="\r\n")
            heads = [*COLUMNS, *names.values()]
            writer.writerow(map(defused, heads))
            for line in first:
                cells = json.loads(line)
                writer.writerow(map(defused, cells + [None] * (len(heads) - len(cells))))
            text.flush()
            text.detach()


def _parquet(file: IO[bytes]) -> _Sink:
    import pyarrow as pa
    from pyarrow import json as reader
    from pyarrow import parquet

    schema = pa.schema([(name, getattr(pa, kind)()) for name, (kind, _) in COLUMNS.items()])
    options = reader.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    writer = parquet.ParquetWriter(file, schema)
    lines: list[bytes] = []

    def flush() -> None:
        if lines:
            # Not from Python's own values: that would import pandas, for 50 MB of memory.
            data = b"".join(lines)
            blocks = reader.ReadOptions(use_threads=False, block_size=len(data) + 1)
            writer.write_table(reader.read_json(io.BytesIO(data), blocks, options))
            lines.clear()

    try:
        while True:
            row, _ = yield
            lines.append(line_of({name: value(row) for name, (_, value) in COLUMNS.items()}))
            if len(lines) >= _AT_ONCE:
                flush()
    finally:
        flush()
        writer.close()
