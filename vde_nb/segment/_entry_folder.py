"""A folder of kept embeddings, bounded in bytes and shared by threads and processes.

Files appear whole or not at all, so there is nothing to lock: whoever reads sees the old file, the
new one or none. Files are named by digests, and what is not ours is neither followed, replaced
nor removed. Whatever fails is said, not raised.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from vde_nb._cache_folder import make_folder
from vde_nb._write import write_atomically
from vde_nb.errors import OutputError
from vde_nb.segment._entry import Arrays, Unusable, pack, read, read_about

__all__ = ["KEY", "EntryFolder"]

#: What a key looks like; with a suffix it is the name of a file.
KEY = re.compile(r"[0-9a-f]{16,64}")

_SUFFIX = ".safetensors"
_ENTRY = re.compile(KEY.pattern + re.escape(_SUFFIX))
_TEMPORARY = re.compile(r"\.vde-nb-[0-9a-f]{16}\.tmp")  # of `vde_nb._write`
_ABANDONED = 3600 * 10**9  # ns after which nobody still writes a temporary file
_STEP = 10**7  # ns between two uses at least: file systems round their times
_LINKS_KNOWN = os.utime in os.supports_follow_symlinks
_ELSEWHERE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@dataclass(frozen=True)
class _File:
    """A file as the folder lists it: bytes, and when it was used in ns since 1970."""

    path: str
    size: int
    used: int


class EntryFolder:
    """Embeddings on the disk, least recently used first out.

    Parameters
    ----------
    path
        The folder. It is made when the first embedding is written, readable by its owner only.
    limit
        Most bytes kept.
    say
        Told what goes wrong, in words for people; the same thing any number of times.

    Notes
    -----
    When a file was used is its time of modification. Every use sets it to the time, or to a
    little more than that of the newest file: where the clock was wrong, the order still is right.
    """

    def __init__(self, path: Path, limit: int, say: Callable[[str], None]) -> None:
        self.path = path
        self.limit = limit
        self._say = say
        self._lock = threading.Lock()
        self._mine: set[str] = set()  # keys read or written here, so that their files are ours
        self._newest: int | None = None

    def read(self, key: str) -> Arrays | None:
        """Read an embedding and note its use; None when it is not there or cannot be used."""
        path = self._path(key)
        try:
            arrays = read(path, key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Unusable as error:
            self._say_unusable(path, error)
            return None
        except OSError as error:
            self._say(
                f"Embeddings kept in {self.path} cannot be read: {_reason(error)}; pictures are "
                "encoded again."
            )
            return None
        self._mine.add(key)
        self.use(key)
        return arrays

    def write(
        self, key: str, arrays: Mapping[str, npt.NDArray[Any]], about: Mapping[str, str]
    ) -> None:
        """Write an embedding; others, used longest ago, make room for it.

        Parameters are those of :func:`vde_nb.segment._entry.pack`.
        """
        path, data = self._path(key), pack(key, arrays, about)
        room = self.limit - len(data)
        if room < 0:
            self._say(
                f"An embedding of {len(data) / 1e6:.1f} MB is kept in memory only: the disk's "
                f"limit is {self.limit / 1e6:.1f} MB (VDE_NB_CACHE_LIMIT)."
            )
            return
        try:
            make_folder(self.path)
            _check_ours(path)
            self._make_room(room, path)
            write_atomically(path, data, overwrite=True)
        except Unusable as error:
            self._say_unusable(path, error)
            return
        except OSError as error:
            if not isinstance(error, OutputError) or error.__cause__:
                self._say_unwritten(error)
            return  # otherwise file or folder were removed between two looks at them
        self._mine.add(key)
        self.use(key)
        # Another process may have filled the room meanwhile; whoever writes last sees it all.
        self._make_room(room, path)

    def use(self, key: str) -> None:
        """Note that an entry is used now, which is later than any other was."""
        if key not in self._mine:
            return
        if self._newest is None:
            self._entries()
        with self._lock:
            self._newest = at = max(time.time_ns(), (self._newest or 0) + _STEP)
        try:
            if _LINKS_KNOWN:
                os.utime(self._path(key), ns=(at, at), follow_symlinks=False)
            else:
                os.utime(self._path(key), ns=(at, at))
        except FileNotFoundError:
            self._mine.discard(key)
        except (OSError, OverflowError):
            pass  # where nothing can be written, nothing is dropped either

    def models(self) -> dict[str, dict[str, int]]:
        """Count entries and bytes of each model, by name."""
        counted: dict[str, dict[str, int]] = {}
        for file in self._entries():
            try:
                model = read_about(Path(file.path)).get("model", "unnamed")
            except Unusable as error:
                if not error.ours:
                    continue
                model = "damaged"
            except OSError:
                continue
            counts = counted.setdefault(model, {"entries": 0, "bytes": 0})
            counts["entries"] += 1
            counts["bytes"] += file.size
        return dict(sorted(counted.items()))

    def clear(self) -> int:
        """Remove every file that is ours; bytes freed."""
        return sum(file.size for file in self._entries() if _remove(file)) + self._sweep()

    def _path(self, key: str) -> Path:
        return self.path / f"{key}{_SUFFIX}"

    def _say_unusable(self, path: Path, error: Unusable) -> None:
        if error.ours:
            self._say(f"An embedding kept in {self.path} {error}; its picture is encoded again.")
        else:
            self._say(f"{path} {error} and is left as it is; its picture is encoded every time.")

    def _say_unwritten(self, error: OSError) -> None:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        advice = "free some space or name another folder with VDE_NB_CACHE"
        if cause.errno in _ELSEWHERE:
            advice = "name another folder with VDE_NB_CACHE"
        self._say(
            f"Embeddings cannot be kept in {self.path}: {_reason(cause)}; {advice}. Until then "
            "they last as long as this process."
        )

    def _listed(self, name: re.Pattern[str]) -> Iterator[_File]:
        """The folder's regular files of such a name, while others add and remove some."""
        with suppress(OSError), os.scandir(self.path) as entries:
            for entry in entries:
                with suppress(OSError):
                    if name.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        known = entry.stat(follow_symlinks=False)
                        yield _File(entry.path, known.st_size, known.st_mtime_ns)

    def _entries(self) -> list[_File]:
        """Every entry's file, what was used longest ago first."""
        files = sorted(self._listed(_ENTRY), key=lambda file: (file.used, file.path))
        with self._lock:
            self._newest = max(self._newest or 0, files[-1].used if files else 0)
        return files

    def _make_room(self, room: int, keep: Path) -> None:
        """Remove what was used longest ago until all but `keep` take no more than `room`."""
        self._sweep()
        others = [file for file in self._entries() if file.path != str(keep)]
        total = sum(file.size for file in others)
        for file in others:
            if total <= room:
                return
            if _remove(file):
                total -= file.size

    def _sweep(self) -> int:
        """Remove what interrupted writers left behind; bytes freed."""
        freed, now = 0, time.time_ns()
        for file in self._listed(_TEMPORARY):
            if abs(now - file.used) > _ABANDONED:
                with suppress(OSError):
                    Path(file.path).unlink()
                    freed += file.size
        return freed


def _check_ours(path: Path) -> None:
    """Raise :class:`Unusable` when a file is there that must not be replaced."""
    try:
        read_about(path)
    except FileNotFoundError:
        pass
    except Unusable as error:
        if not error.ours:
            raise


def _remove(file: _File) -> bool:
    """Remove an entry if it is ours; whether it is gone."""
    path = Path(file.path)
    try:
        _check_ours(path)
        path.unlink()
    except FileNotFoundError:
        return True  # another process was faster
    except (Unusable, OSError):
        return False
    return True


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
