"""Memory that lies in a file nobody else can see, for maps that main memory has no room for.

The file has no name (or loses it at once), so nothing stays behind whatever happens to the
process. Its pages belong to the system: they are written out and dropped when memory is needed
elsewhere, and :func:`give_back` lets go of them at once without losing what they hold.
"""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb.errors import OutputError

__all__ = ["folder", "give_back", "map_file", "mapping_of"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WITHOUT_FALLOCATE = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)


def folder() -> Path:
    """Where scratch files lie.

    ``VDE_NB_SCRATCH``, or the system's folder for temporary files; ``/var/tmp`` where the latter
    is not chosen by ``TMPDIR``, because ``/tmp`` is main memory on many systems.
    """
    chosen = os.environ.get("VDE_NB_SCRATCH")
    if chosen:
        return Path(chosen).expanduser()
    for_large = Path("/var/tmp")  # noqa: S108 - only a file without a name is made there
    if os.name == "posix" and "TMPDIR" not in os.environ and os.access(for_large, os.W_OK):
        return for_large
    return Path(tempfile.gettempdir())


def map_file(size: int) -> mmap.mmap:
    """`size` bytes of a new file without a name, all 0.

    Raises
    ------
    OutputError
        When the folder has no room, or no file can be made in it. All of the room is taken
        here: a write to a mapping whose disk is full would end the process.
    """
    where = folder()
    try:
        with tempfile.TemporaryFile(prefix="vde-nb-", dir=where, buffering=0) as file:
            _reserve(file.fileno(), size, where)
            return mmap.mmap(file.fileno(), size)  # keeps a descriptor of its own
    except (OSError, ValueError) as error:
        full = isinstance(error, OSError) and error.errno in _FULL
        why = "it is full" if full else f"{getattr(error, 'strerror', None) or error}"
        raise OutputError(
            f"No room for {-(-size // 1_000_000)} MB of scratch in {where}: {why}. Free some "
            "space, name another folder in the environment variable VDE_NB_SCRATCH, or raise "
            "memory_limit."
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


def mapping_of(array: npt.NDArray[Any]) -> mmap.mmap | None:
    """The mapping an array lies in; None for one in main memory."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    return owner if isinstance(owner, mmap.mmap) else None


def give_back(mapping: mmap.mmap) -> None:
    """Let go of a mapping's pages; they come back from the file when they are looked at."""
    advice = getattr(mmap, "MADV_DONTNEED", None)
    if advice is not None:  # not on Windows, where the system takes them when it needs them
        mapping.madvise(advice)
