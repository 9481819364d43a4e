"""What lies beside a file that is being downloaded: its beginning, locked, and a note about it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from vde_nb._lock import lock_file
from vde_nb._write import write_atomically
from vde_nb.errors import OutputError

__all__ = ["locked_part", "put_in_place", "read_note", "remove_empty", "write_afresh", "write_note"]


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _note(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


@contextmanager
def locked_part(target: Path, wait: Callable[[], object]) -> Iterator[IO[bytes]]:
    """Open what has arrived of `target` so far, and keep other processes and threads out of it.

    Parameters
    ----------
    wait
        Called as long as another has it; sleeps, and may raise.
    """
    part = _part(target)
    # binary on Windows; no link that somebody left in its place is followed
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    while True:
        with open(os.open(part, flags, 0o644), "r+b", buffering=0) as file:  # noqa: PTH123
            while not lock_file(file):
                wait()
            if _is(file, part):  # and was not moved to its place by whoever had it before
                yield file
                return


def _is(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def write_note(target: Path, address: str, validator: str) -> None:
    """Note which version of the file at `address` the part is of; "" takes the note away."""
    content = json.dumps({"address": address, "validator": validator})
    write_afresh(_note(target), content if validator else "")


def write_afresh(path: Path, content: str) -> None:
    """Write a small file in place of what is there, also of a link; "" takes it away.

    When it cannot be written there is none: a download goes on without.
    """
    path.unlink(missing_ok=True)
    if content:
        with suppress(OutputError):
            write_atomically(path, content)


def read_note(target: Path, address: str) -> str:
    """Version that the part is of, empty when it is of another address or nobody knows."""
    with suppress(OSError, ValueError, TypeError):
        note = dict(json.loads(_note(target).read_bytes()))
        validator = note.get("validator")
        if note.get("address") == address and isinstance(validator, str):
            return validator if validator.isprintable() else ""
    return ""


def put_in_place(file: IO[bytes], target: Path) -> None:
    """Give the finished file its name while it is locked: nobody writes into it any more."""
    os.fsync(file.fileno())
    if sys.platform == "win32":  # what is open cannot be renamed there, nor written by another
        file.close()
    _part(target).replace(target)
    _note(target).unlink(missing_ok=True)


def remove_empty(file: IO[bytes], target: Path) -> None:
    """Take away a part nothing arrived for, unless another process has begun a new one."""
    part = _part(target)
    with suppress(OSError):
        if not file.closed and _is(file, part) and part.stat().st_size == 0:
            part.unlink()
            _note(target).unlink(missing_ok=True)
