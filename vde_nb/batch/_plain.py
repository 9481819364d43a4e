"""Files and folders that are what they seem to be: no links, pipes or devices in their place."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["is_plain_folder", "plain_file", "plain_folders"]


def plain_file(folder: Path, relative: str) -> Path | None:
    """A regular file inside of `folder`, with no link on the way to it; None where there is none.

    Parameters
    ----------
    folder
        Trusted: links on the way to it are followed.
    relative
        Such as ``"pairs/ab/…/thumbnail.jpg"``.
    """
    parts = relative.split("/")
    if not relative or {"", ".", ".."} & {*parts} or any(c in relative for c in "\\:\0"):
        return None
    path = folder
    for position, part in enumerate(parts):
        path = path / part
        try:
            mode = path.lstat().st_mode
        except (OSError, ValueError):
            return None
        kind = stat.S_ISREG if position == len(parts) - 1 else stat.S_ISDIR
        if not kind(mode):
            return None
    return path


def is_plain_folder(path: Path) -> bool:
    """Whether it is a folder, and no link to one.

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    """
    return stat.S_ISDIR(path.lstat().st_mode)


def plain_folders(path: Path) -> list[Path]:
    """Folders in `path` that are no links; none where it is no folder itself."""
    try:
        if not is_plain_folder(path):
            return []
        with os.scandir(path) as entries:
            return [Path(one.path) for one in entries if one.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
