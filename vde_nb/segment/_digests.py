"""Which content a file of weights has, remembered so that gigabytes are read once and not daily."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import xxhash

from vde_nb._cache_folder import cache_folder, make_folder
from vde_nb._progress import report
from vde_nb._write import write_atomically
from vde_nb.errors import SettingError, WeightsError

__all__ = ["content_digest"]

_LARGE = 10**7  # bytes: smaller files are read faster than they are looked up
_KEPT = 100  # entries in the file
_HEX = re.compile(r"[0-9a-f]{32}")

_known: dict[tuple[str, int, int], str] = {}
_lock = threading.Lock()


def content_digest(files: Sequence[Path], what: str) -> str:
    """xxh3_128 of the content of `files`, as 32 hexadecimal digits.

    A file is not read again while its size and its time stay the same, nor by a later process:
    a small file in the cache folder remembers.

    Raises
    ------
    WeightsError
        One of them cannot be read.
    """
    try:
        parts = [_file_digest(file, what) for file in files]
    except OSError as error:
        raise WeightsError(f"{what}: {error.filename} cannot be read: {error.strerror}.") from error
    return parts[0] if len(parts) == 1 else xxhash.xxh3_128("".join(parts).encode()).hexdigest()


def _file_digest(file: Path, what: str) -> str:
    file = file.resolve(strict=True)  # the hub's cache holds links
    found = file.stat()
    key = (str(file), found.st_size, found.st_mtime_ns)
    if key in _known:
        return _known[key]
    is_large = found.st_size >= _LARGE
    with _turn(what):  # a second thread waits instead of reading it too
        if is_large and key not in _known:
            _known.update(_remembered())
        if key not in _known:
            _known[key] = _read(file, found.st_size, what)
            if is_large:
                _remember()
        return _known[key]


@contextmanager
def _turn(what: str) -> Iterator[None]:
    """Hold the lock; whoever waits for it tells so, and can be cancelled meanwhile."""
    while not _lock.acquire(timeout=0.1):
        report(f"{what}: waiting for weights to be read")
    try:
        yield
    finally:
        _lock.release()


def _read(file: Path, size: int, what: str) -> str:
    hasher = xxhash.xxh3_128()
    done = 0
    with file.open("rb", buffering=0) as opened:
        while chunk := opened.read(1 << 22):
            hasher.update(chunk)
            done += len(chunk)
            report(f"{what}: reading the weights", min(1.0, done / size))
    return hasher.hexdigest()


def _place() -> Path:
    return cache_folder() / "weights" / "digests.json"


def _remembered() -> dict[tuple[str, int, int], str]:
    entries: object = []
    with suppress(OSError, ValueError, RecursionError):  # or the folder's name makes no sense
        entries = json.loads(_place().read_bytes())
    known = {}
    for entry in entries[-_KEPT:] if isinstance(entries, list) else []:
        match entry:
            case [str(path), int(size), int(time), str(digest)] if _HEX.fullmatch(digest):
                known[path, size, time] = digest
    return known


def _remember() -> None:
    """Write what is known; where that cannot be, the next process reads the weights again."""
    entries = {**_remembered(), **{key: one for key, one in _known.items() if key[1] >= _LARGE}}
    content = json.dumps([[*key, digest] for key, digest in entries.items()][-_KEPT:])
    with suppress(OSError, SettingError):  # SettingError: the folder's name makes no sense
        make_folder(_place().parent)
        write_atomically(_place(), content, overwrite=True)
