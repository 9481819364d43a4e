"""Memory that lies in a file nobody else can see, for maps that main memory has no room for.

The file has no name (or loses it at once), so nothing stays behind whatever happens to the
process. Its pages belong to the system: they are written out and dropped when memory is needed
elsewhere, and :meth:`ScratchFile.give_back` lets go of them at once without losing what they hold.

A mapping keeps a descriptor as long as it lives, of which a process may have a thousand. So many
arrays share a file: it is handed out in parts.
"""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import tempfile
from collections import deque
from pathlib import Path
from typing import NoReturn

from vde_nb.errors import OutputError

__all__ = ["ScratchFile", "folder"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TOO_MANY = (errno.EMFILE, errno.ENFILE)
_WITHOUT_FALLOCATE = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)


def folder() -> Path:
    """Where scratch files lie.

    ``VDE_NB_SCRATCH``, or the system's folder for temporary files; ``/var/tmp`` where the latter
    is not chosen by ``TMPDIR``, because ``/tmp`` is main memory on many systems.

    Raises
    ------
    OutputError
        When ``VDE_NB_SCRATCH`` begins with ``~`` and there is no such home folder.
    """
    chosen = os.environ.get("VDE_NB_SCRATCH")
    if chosen:
        try:
            return Path(chosen).expanduser()
        except RuntimeError as error:
            raise OutputError(
                f"The environment variable VDE_NB_SCRATCH names {chosen!r}, and there is no such "
                "home folder. Name a folder that exists, by its whole path."
            ) from error
    for_large = Path("/var/tmp")  # noqa: S108 - only a file without a name is made there
    if os.name == "posix" and "TMPDIR" not in os.environ and os.access(for_large, os.W_OK):
        return for_large
    return Path(tempfile.gettempdir())


class ScratchFile:
    """`size` bytes of a new file without a name, all 0, mapped into memory.

    Whoever uses it takes care that :meth:`take` is called by one thread at a time.

    Attributes
    ----------
    mapping
        All of the file.

    Raises
    ------
    OutputError
        When the folder has no room, or no file can be made in it. All of the room is taken
        here: a write to a mapping whose disk is full would end the process.
    """

    def __init__(self, size: int) -> None:
        self.mapping = _map(size)
        self._free = [(0, size)]
        self._returned: deque[tuple[int, int]] = deque()
        self._clean = 0  # nothing from here on was ever handed out

    def take(self, size: int) -> tuple[int, bool] | None:
        """Hand out `size` bytes: where they begin, and whether they are known to be 0.

        None where no part is free that is large enough.
        """
        self._merge()
        for index, (first, end) in enumerate(self._free):
            if end - first >= size:
                self._free[index] = first + size, end
                clean = first >= self._clean
                self._clean = max(self._clean, first + size)
                return first, clean
        return None

    def give(self, first: int, size: int) -> None:
        """Take a part back that nobody uses any longer.

        It is only noted here, because a collection may call this in the middle of anything.
        """
        self._returned.append((first, first + size))

    def _merge(self) -> None:
        """Make one free part of those that touch."""
        if not self._returned:
            return
        spans = self._free
        while self._returned:
            spans.append(self._returned.popleft())
        merged: list[tuple[int, int]] = []
        for first, end in sorted(spans):
            if merged and merged[-1][1] == first:
                merged[-1] = merged[-1][0], end
            elif first < end:
                merged.append((first, end))
        self._free = merged

    def give_back(self) -> None:
        """Let go of the pages; they come back from the file when they are looked at."""
        advice = getattr(mmap, "MADV_DONTNEED", None)
        if advice is not None:  # not on Windows, where the system takes them when it needs them
            self.mapping.madvise(advice)


def _map(size: int) -> mmap.mmap:
    where = folder()
    try:
        with tempfile.TemporaryFile(prefix="vde-nb-", dir=where, buffering=0) as file:
            _reserve(file.fileno(), size, where)
            return mmap.mmap(file.fileno(), size)  # keeps a descriptor of its own
    except (OSError, ValueError) as error:
        _refuse(size, where, error)


def _refuse(size: int, where: Path, error: OSError | ValueError) -> NoReturn:
    number = error.errno if isinstance(error, OSError) else None
    why = "it is full" if number in _FULL else f"{getattr(error, 'strerror', None) or error}"
    megabytes = -(-size // 1_000_000)
    if number in _TOO_MANY:
        raise OutputError(
            f"No scratch file of {megabytes} MB can be opened: {why}. Close what is no longer "
            "needed, allow more open files (ulimit -n), or raise memory_limit."
        ) from error
    raise OutputError(
        f"No room for {megabytes} MB of scratch in {where}: {why}. Free some space, name another "
        "folder in the environment variable VDE_NB_SCRATCH, or raise memory_limit."
    ) from error


def _reserve(descriptor: int, size: int, where: Path) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
            return
        except OSError as error:
            if error.errno not in _WITHOUT_FALLOCATE:
                raise
    if shutil.disk_usage(where).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.ftruncate(descriptor, size)
