"""Which content a file of weights has, remembered so that gigabytes are read once and not daily.

An entry holds as long as size and time of the file stay the same; one that is under 10 MB is
remembered by the process only.
"""

from __future__ import annotations

import hashlib
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

__all__ = ["checksum_of", "content_digest", "note_checksum"]

_LARGE = 10**7  # bytes: smaller files are read faster than they are looked up
_KEPT = 100  # entries in the file
_XXH3 = "xxh3_128"  # the algorithm of entries that name none
_DIGEST = re.compile(r"(?:(sha256|md5):)?([0-9a-f]{32}(?:[0-9a-f]{32})?)")

#: Path, size, time in ns, and algorithm.
_Key = tuple[str, int, int, str]

_known: dict[_Key, str] = {}
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


def checksum_of(file: Path, algorithm: str, what: str, *, read: bool = True) -> str:
    """Checksum of a file, ``"sha256"`` or ``"md5"``, in hexadecimal digits.

    Parameters
    ----------
    what
        What it is, for people who wait.
    read
        Read a large file that nobody remembers; otherwise its checksum is empty.

    Raises
    ------
    OSError
        It cannot be read.
    """
    if not read:
        key = _key(file, algorithm)
        if key[1] >= _LARGE and key not in _known:
            return _remembered().get(key, "")
    return _file_digest(file, what, algorithm)


def note_checksum(file: Path, algorithm: str, checksum: str) -> None:
    """Remember a checksum that was found just now."""
    with suppress(OSError):
        key = _key(file, algorithm)
        with _turn(file.name):
            _known[key] = checksum
            if key[1] >= _LARGE:
                _remember()


def _key(file: Path, algorithm: str) -> _Key:
    file = file.resolve(strict=True)  # the hub's cache holds links
    found = file.stat()
    return str(file), found.st_size, found.st_mtime_ns, algorithm


def _file_digest(file: Path, what: str, algorithm: str = _XXH3) -> str:
    key = _key(file, algorithm)
    if key in _known:
        return _known[key]
    path, size, *_ = key
    is_large = size >= _LARGE
    with _turn(what):  # a second thread waits instead of reading it too
        if is_large and key not in _known:
            _known.update(_remembered())
        if key not in _known:
            _known[key] = _read(Path(path), size, what, algorithm)
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


def _read(file: Path, size: int, what: str, algorithm: str) -> str:
    is_ours = algorithm == _XXH3
    hasher = xxhash.xxh3_128() if is_ours else hashlib.new(algorithm, usedforsecurity=False)
    text = f"{what}: {'reading' if is_ours else 'checking'} the weights"
    done = 0
    with file.open("rb", buffering=0) as opened:
        while chunk := opened.read(1 << 22):
            hasher.update(chunk)
            done += len(chunk)
            report(text, min(1.0, done / size))
    return hasher.hexdigest()


def _place() -> Path:
    return cache_folder() / "weights" / "digests.json"


def _remembered() -> dict[_Key, str]:
    entries: object = []
    with suppress(OSError, ValueError, RecursionError):  # or the folder's name makes no sense
        entries = json.loads(_place().read_bytes())
    known = {}
    for entry in entries[-_KEPT:] if isinstance(entries, list) else []:
        match entry:
            case [str(path), int(size), int(time), str(digest)]:
                found = _DIGEST.fullmatch(digest)
                if found:
                    known[path, size, time, found[1] or _XXH3] = found[2]
    return known


def _remember() -> None:
    """Write what is known; where that cannot be, the next process reads the weights again."""
    entries = {**_remembered(), **{key: one for key, one in _known.items() if key[1] >= _LARGE}}
    told = [
        [*key, digest if algorithm == _XXH3 else f"{algorithm}:{digest}"]
        for (*key, algorithm), digest in entries.items()
    ]
    with suppress(OSError, SettingError):  # SettingError: the folder's name makes no sense
        make_folder(_place().parent)
        write_atomically(_place(), json.dumps(told[-_KEPT:]), overwrite=True)
