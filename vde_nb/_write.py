"""Files that are either written whole or not at all, and replaced only when that was asked for.

Everything goes into a temporary file in the folder of the target first, is flushed to the disk,
and moved into place by one operation of the file system. So a full disk, a crash or a pulled plug
leaves the old file or none, and a file that appears while we write is not lost either.

A symbolic link in the target's place is treated as the file it is: without ``overwrite=True`` it is
refused (also when it points nowhere), with it the link itself is replaced, and what it points to
stays as it was. Following it would write into folders nobody named.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from vde_nb.errors import OutputError

__all__ = ["check_target", "expand", "write_all", "write_atomically"]

Data: TypeAlias = "bytes | str"

#: What to do about what the file system says.
_ADVICE = {
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "free some space or choose another folder",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.EROFS: "choose a folder you may write to",
    errno.ENAMETOOLONG: "choose a shorter name",
}
#: File systems without hard links say one of these; the last is what Windows says of FAT.
_NO_LINKS = {
    errno.EPERM,
    errno.EACCES,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EINVAL,
}
#: Files written at once by `write_all`; compressing a large picture has threads of its own.
_THREADS = 4


def write_atomically(
    path: str | os.PathLike[str], data: bytes | str, *, overwrite: bool = False
) -> Path:
    """Write one file, whole or not at all.

    Parameters
    ----------
    path
        Where to; the folder must exist. ``~`` is the home folder.
    data
        Bytes, or text that is written as UTF-8 with its line ends as they are.
    overwrite
        Replace a file that exists. Its permissions are kept; a new file gets those that
        :func:`open` would give it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        The file exists, or cannot be written; nothing is left behind.
    """
    target = expand(path)
    check_target(target, overwrite)
    if not target.parent.is_dir():
        raise OutputError(
            f"{target} cannot be written: there is no folder {target.parent}; make it first."
        )
    temporary = _stage(target, data)
    try:
        _move(temporary, target, overwrite)
    finally:
        _remove(temporary)
    return target


def write_all(
    contents: Mapping[Path, Callable[[], bytes | str]], *, overwrite: bool = False
) -> None:
    """Write several files, all or none.

    All targets are checked before anything is made, and everything is made and on the disk before
    the first file appears. When one cannot be moved into place after all, those that already were
    are taken away again, except those that replaced an older file.

    Parameters
    ----------
    contents
        For each file a function that makes its content; functions run on several threads.
    overwrite
        As in :func:`write_atomically`.

    Raises
    ------
    OutputError
        A file exists, or cannot be written. Missing folders are made; they go again on failure.
    """
    for target in contents:
        check_target(target, overwrite)
    is_new = {target: not os.path.lexists(target) for target in contents}
    folders: list[Path] = []
    staged: dict[Path, Path] = {}
    moved: list[Path] = []

    def prepare(target: Path) -> None:
        staged[target] = _stage(target, contents[target]())

    try:
        for folder in dict.fromkeys(target.parent for target in contents):
            _make_folder(folder, folders)
        if len(contents) == 1:  # a run writes thousands of these: threads cost more than the file
            prepare(*contents)
        else:
            _prepare_all(prepare, contents)
        for target in contents:
            _move(staged[target], target, overwrite)
            moved.append(target)
    except BaseException:
        for file in (*(target for target in moved if is_new[target]), *staged.values()):
            _remove(file)
        for folder in reversed(folders):
            with suppress(OSError):  # someone else has put something into it
                folder.rmdir()
        raise
    for temporary in staged.values():
        _remove(temporary)


def _prepare_all(prepare: Callable[[Path], None], targets: Iterable[Path]) -> None:
    """Make files on several threads; when one fails, those that were not begun are left."""
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for done in [pool.submit(prepare, target) for target in targets]:
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def expand(path: str | os.PathLike[str]) -> Path:
    """Path as it is written to: ``~`` is the home folder."""
    with _explained(path):
        return Path(path).expanduser()


def check_target(target: Path, overwrite: bool) -> None:
    """Refuse what must not be replaced, before work is spent on it.

    Raises
    ------
    OutputError
        It is there and `overwrite` is not given, or it is something else than a file.
    """
    with _explained(target):
        try:
            mode = target.stat().st_mode  # asked once: the file may go between two questions
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
        else:
            if stat.S_ISDIR(mode):
                raise OutputError(f"{target} is a folder; give the name of a file in it.")
            if not stat.S_ISREG(mode):  # /dev/stdout would be replaced, not written
                raise OutputError(f"{target} is not a regular file; give the name of one.")
        if not overwrite and os.path.lexists(target):
            raise _exists(target)


def _exists(target: Path) -> OutputError:
    return OutputError(f"{target} exists; pass overwrite=True (or --overwrite) to replace it.")


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Make `folder` and those above it, and note them in `made`."""
    missing = []
    while not folder.exists() and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        with _explained(one):
            try:
                one.mkdir()
            except FileExistsError:
                if not one.is_dir():
                    raise
                continue  # made meanwhile by someone else, who also takes it away
        made.append(one)


def _stage(target: Path, data: Data) -> Path:
    """Write a temporary file beside `target` and return it; on failure it is gone."""
    # Not named after the target, whose name may already be as long as names can be. Not by
    # `tempfile`, whose files only their owner may read.
    temporary = target.with_name(f".vde-nb-{os.urandom(8).hex()}.tmp")
    content = data.encode() if isinstance(data, str) else data
    with _explained(target):
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            _remove(temporary)
            raise
    return temporary


def _move(temporary: Path, target: Path, overwrite: bool) -> None:
    """Give the finished file its name."""
    with _explained(target):
        if overwrite:
            with suppress(FileNotFoundError):
                old = target.lstat().st_mode
                if stat.S_ISREG(old):
                    temporary.chmod(stat.S_IMODE(old))
            temporary.replace(target)
            return
        try:
            # Unlike a move, a link is never made over an existing file.
            os.link(temporary, target)
        except FileExistsError as error:
            raise _exists(target) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _claim(target)
            temporary.replace(target)


def _claim(target: Path) -> None:
    """Make an empty file, which only one of several processes can."""
    try:
        target.open("xb").close()
    except FileExistsError as error:
        raise _exists(target) from error


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


@contextmanager
def _explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what the system says into an error for people."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        advice = _ADVICE.get(error.errno or 0)
        raise OutputError(
            f"{os.fspath(path)} cannot be written: {reason}{f'; {advice}' if advice else ''}."
        ) from error
    except (RuntimeError, ValueError) as error:  # an unknown ~user, a zero byte
        raise OutputError(f"{os.fspath(path)!r} cannot be written: {error}.") from error
