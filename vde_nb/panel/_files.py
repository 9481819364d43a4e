"""Files below one folder, and never anything above it.

The panel's file pickers and the sessions name files by paths relative to a *root*. Whatever such a
path says - ``..``, an absolute path, a symbolic link that points out of the root - nothing outside
the root is listed, opened or named by it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath

from vde_nb._decode import ENDINGS
from vde_nb._text import natural, readable
from vde_nb.errors import ImageError

__all__ = ["MOST", "Listing", "Root", "is_run", "paired"]

#: Entries of a folder that are looked at.
MOST = 2000


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes
    ----------
    folder
        Its path relative to the root, with ``/``; empty for the root itself.
    folders, files
        Names of the folders and of the pictures in it, in natural order.
    cut
        Whether it holds more than :data:`MOST` entries, of which the rest is left out.
    """

    folder: str
    folders: tuple[str, ...]
    files: tuple[str, ...]
    cut: bool = False


class Root:
    """A folder, and what may be reached from it.

    Parameters
    ----------
    folder
        The root, as the user gave it; paths are handed on as ``folder/...``.
    """

    def __init__(self, folder: str | os.PathLike[str] = ".") -> None:
        self.folder = Path(folder)
        # Resolved once: a notebook that changes its working folder does not move the root.
        self._real = Path(os.path.realpath(self.folder.expanduser()))

    def path(self, relative: str) -> Path:
        """The file or folder called `relative`, resolved, which need not exist.

        Raises
        ------
        ImageError
            It lies outside the root, is hidden, or is no path at all.
        """
        said = readable(repr(relative))
        pure = PurePosixPath(relative)
        windows = PureWindowsPath(relative)
        if "\0" in relative or pure.is_absolute() or windows.drive or windows.root:
            raise ImageError(f"{said} is not a path below {self.folder}; give a relative one.")
        parts = re.split(r"[/\\]", relative) if os.sep == "\\" else relative.split("/")
        if ".." in parts:
            raise ImageError(f"{said} leads out of {self.folder}; only files below it are opened.")
        if any(part.startswith(".") and part != "." for part in parts):
            raise ImageError(f"{said} is hidden; only visible files below the root are opened.")
        try:
            real = Path(os.path.realpath(self._real.joinpath(*parts)))
        except (OSError, ValueError) as error:
            raise ImageError(f"{said} cannot be followed: {error}.") from error
        if not real.is_relative_to(self._real):
            raise ImageError(
                f"{said} is a link that leads out of {self.folder}; only files below it are opened."
            )
        return real

    def given(self, relative: str) -> str:
        """`relative` as a user would write it: relative to the working folder where the root is."""
        self.path(relative)
        return os.fspath(self.folder / relative) if relative else os.fspath(self.folder)

    def relative(self, path: str | os.PathLike[str]) -> str | None:
        """`path`, as given to :func:`vde_nb.compare`, relative to the root; None if outside it.

        Hidden files have no relative path either: they are never opened by one.
        """
        try:
            text = os.fsdecode(path)
            full = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 - keeps links
            for base in (Path(os.path.abspath(self.folder.expanduser())), self._real):  # noqa: PTH100
                if full.is_relative_to(base):
                    relative = full.relative_to(base).as_posix()
                    self.path(relative)
                    return "" if relative == "." else relative
        except (ImageError, OSError, RuntimeError, ValueError):
            return None
        return None

    def list(self, relative: str = "") -> Listing:
        """What the folder `relative` holds.

        Raises
        ------
        ImageError
            It is not below the root, no folder, or cannot be read.
        """
        real = self.path(relative)
        said = readable(relative) or os.fspath(self.folder)
        try:
            with os.scandir(real) as entries:
                found = list(islice(entries, MOST + 1))
        except FileNotFoundError as error:
            raise ImageError(f"The folder {said} does not exist any more.") from error
        except NotADirectoryError as error:
            raise ImageError(f"{said} is not a folder.") from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ImageError(f"The folder {said} cannot be read: {reason}.") from error
        folders, files = [], []
        for entry in found[:MOST]:
            if entry.name.startswith(".") or not self._inside(entry):
                continue
            try:
                if entry.is_dir():
                    folders.append(entry.name)
                elif entry.is_file() and Path(entry.name).suffix.lower() in ENDINGS:
                    files.append(entry.name)
            except OSError:  # a link in a circle; a file that is gone by now
                continue
        return Listing(
            relative,
            tuple(sorted(folders, key=natural)),
            tuple(sorted(files, key=natural)),
            len(found) > MOST,
        )

    def _inside(self, entry: os.DirEntry[str]) -> bool:
        """Whether an entry of a folder stays below the root."""
        try:
            if not entry.is_symlink():
                return True
            return Path(os.path.realpath(entry.path)).is_relative_to(self._real)
        except (OSError, ValueError):
            return False


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, see :func:`vde_nb.open_run`."""
    try:
        return (folder / "run.json").is_file()
    except OSError:
        return False


def paired(reference: Listing, current: Listing) -> tuple[list[tuple[str, str]], list[str]]:
    """Match the pictures of two folders by name, then by name without its ending.

    Returns
    -------
    tuple
        ``(name in reference, name in current)`` in natural order, and the names without a partner.

    Examples
    --------
    >>> paired(Listing("a", (), ("1.png", "2.png", "4.png")), Listing("b", (), ("2.png", "1.jpg")))
    ([('1.png', '1.jpg'), ('2.png', '2.png')], ['4.png'])
    """
    exact = set(reference.files) & set(current.files)
    stems: dict[str, list[str]] = {}
    for name in current.files:
        if name not in exact:
            stems.setdefault(Path(name).stem, []).append(name)
    pairs, alone = [], []
    for name in reference.files:
        if name in exact:
            pairs.append((name, name))
            continue
        # Two files of one stem leave open which is meant: neither is taken.
        partners = stems.get(Path(name).stem, [])
        if len(partners) == 1:
            pairs.append((name, partners.pop()))
        else:
            alone.append(name)
    matched = {one for _, one in pairs}
    alone += [name for name in current.files if name not in matched]
    return pairs, alone
