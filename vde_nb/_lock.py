"""Locks on files, between processes."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import IO

__all__ = ["LockFile", "lock_file", "unlock_file"]

_WHERE = 1 << 40  # where nothing will be written: on Windows a locked byte cannot be read


def lock_file(file: IO[bytes]) -> bool:
    """Lock `file` until it is closed; True also where the file system knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_WHERE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


def unlock_file(file: IO[bytes]) -> None:
    """Take away the lock on `file`, also for processes that have inherited the open file."""
    with suppress(OSError):
        if sys.platform == "win32":
            import msvcrt

            file.seek(_WHERE)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_UN)


class LockFile(io.FileIO):
    """A file to be locked, of which :meth:`close` takes the lock away.

    On POSIX a lock belongs to the open file and not to the process. A process that was forked
    while it was held has the file open as well, such as the workers of an executor that outlives
    the run, and would keep it locked.

    Parameters
    ----------
    descriptor
        Of the file, open for reading and writing.
    """

    def __init__(self, descriptor: int) -> None:
        self._owner = os.getpid()
        super().__init__(descriptor, "r+b")

    def close(self) -> None:
        """Unlock and close it; in a forked process only close it, as the lock is not its own."""
        if not self.closed and os.getpid() == self._owner:
            unlock_file(self)
        super().close()
