"""Locks on files, between processes."""

from __future__ import annotations

import errno
import sys
from typing import IO

__all__ = ["lock_file"]


def lock_file(file: IO[bytes]) -> bool:
    """Lock `file` until it is closed; True also where the file system knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 40)  # where nothing will be written: a locked byte cannot be read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True
