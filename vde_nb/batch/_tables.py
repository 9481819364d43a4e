"""Tables of pairs: CSV, Parquet and NDJSON, read line by line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from vde_nb._extras import need
from vde_nb.batch._row import LONGEST_LINE
from vde_nb.errors import SettingError

__all__ = ["TABLES", "count_records", "records"]

#: Endings of tables.
TABLES = (".csv", ".tsv", ".parquet", ".ndjson", ".jsonl")
_AT_ONCE = 1000  # lines of a Parquet file


def count_records(path: Path, single: bool) -> int:
    """How many pairs a table lists.

    Parameters
    ----------
    path
        The table.
    single
        Whether a column ``reference`` is not needed.

    Raises
    ------
    SettingError
        It cannot be read, lists nothing, or lacks a column.
    MissingExtraError
        Parquet needs pyarrow.
    """
    count = 0
    for record in records(path):
        if not count:
            _check_columns(path, {str(key).strip().lower() for key in record}, single)
        count += 1
    if not count:
        raise SettingError(f"{path} lists no pairs.")
    return count


def _check_columns(path: Path, names: set[str], single: bool) -> None:
    if not names & {"current", "image"} or not (single or "reference" in names):
        wanted = "a column current" if single else "the columns reference and current"
        raise SettingError(
            f"{path} needs {wanted}, and has {', '.join(sorted(names)[:12]) or 'none'}."
        )


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a table as dictionaries, one at a time.

    Raises
    ------
    SettingError
        It cannot be read; the message names the line.
    MissingExtraError
        Parquet needs pyarrow.
    """
    ending = path.suffix.lower()
    try:
        if ending == ".parquet":
            yield from _parquet(path)
        elif ending in (".ndjson", ".jsonl"):
            with path.open("rb") as file:
                yield from _ndjson(file, path)
        else:
            with path.open(encoding="utf-8-sig", newline="") as text:
                yield from _csv(text, path, "\t" if ending == ".tsv" else None)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingError(f"{path} cannot be read: {reason}.") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"{path} is not UTF-8 text: save it as CSV with UTF-8.") from error


def _csv(file: IO[str], path: Path, delimiter: str | None) -> Iterator[dict[str, Any]]:
    first = file.readline(LONGEST_LINE)
    file.seek(0)
    if delimiter is None:  # spreadsheets write semicolons where a comma parts decimals
        delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(file, delimiter=delimiter, restkey="", strict=True)
    try:
        for record in reader:
            more = record.pop("", None)
            if isinstance(more, list) and any(more):
                raise SettingError(
                    f"{path}, line {reader.line_num}: there are more values than columns; a value "
                    f"with a {delimiter!r} in it needs quotes."
                )
            yield record
    except csv.Error as error:
        raise SettingError(f"{path}, line {reader.line_num}: {error}.") from error


def _ndjson(file: IO[bytes], path: Path) -> Iterator[dict[str, Any]]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        where = f"{path}, line {number}"
        if len(line) > LONGEST_LINE:
            raise SettingError(f"{where} is longer than {LONGEST_LINE} bytes.")
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SettingError(f"{where} is no JSON: {error}.") from error
        if not isinstance(record, dict):
            raise SettingError(f'{where} is no object: {{"reference": ..., "current": ...}}.')
        yield record


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    parquet = need("pyarrow.parquet", "batch", "Reading a Parquet table")
    from pyarrow import ArrowException

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_AT_ONCE):
                yield from batch.to_pylist()
    except ArrowException as error:
        raise SettingError(f"{path} is no Parquet file that can be read: {error}.") from error
