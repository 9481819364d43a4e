"""Deleting a run: what it wrote, by name, and nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from vde_nb.batch._files import THUMBNAIL, UNFINISHED
from vde_nb.batch._final import PARQUET, RESULTS, TABLE, TIMINGS
from vde_nb.batch._journal import JOURNAL, LOCK, hold
from vde_nb.batch._manifest import MANIFEST
from vde_nb.batch._plain import is_plain_folder, plain_file, plain_folders
from vde_nb.batch._plan import IGNORE, MODEL
from vde_nb.batch._review_file import FILE as REVIEWS
from vde_nb.errors import OutputError
from vde_nb.export._save import FILES

__all__ = ["PAGE", "delete"]

#: The page about a run, in its folder.
PAGE = "index.html"
#: What a run writes into its folder; `run.json` goes last, so that what is left is still a run.
_OWN = (RESULTS, TABLE, PARQUET, TIMINGS, JOURNAL, REVIEWS, MODEL, IGNORE, PAGE)
#: What it writes into the folder of a pair, and files that are on their way to a name.
_OF_A_PAIR = frozenset({THUMBNAIL, *(file for file, _ in FILES.values())})
_PAIR = re.compile(r"[0-9a-f]{32}(\.tmp-[0-9a-f]+)?")
_MASK = re.compile(r"[0-9]{3,}_[A-Za-z0-9_-]+\.png")


def delete(folder: Path) -> tuple[Path, ...]:
    """Delete what a run wrote; returns what is left. See :meth:`vde_nb.batch.Run.delete`."""
    if plain_file(folder, MANIFEST) is None:
        raise OutputError(f"{folder} holds no run: nothing is deleted.")
    with hold(folder):  # nobody else writes it
        try:
            _delete_pairs(folder / "pairs")
            with os.scandir(folder) as entries:
                ours = [
                    Path(one.path)
                    for one in entries
                    if (one.name in _OWN or UNFINISHED.fullmatch(one.name))
                    and one.is_file(follow_symlinks=False)
                ]
            for path in (*ours, folder / LOCK, folder / MANIFEST):
                path.unlink(missing_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(f"{error.filename or folder} cannot be deleted: {reason}.") from error
    with suppress(OSError):
        folder.rmdir()
    return tuple(sorted(folder.iterdir())) if folder.is_dir() else ()


def _delete_pairs(root: Path) -> None:
    for shelf in plain_folders(root):
        if re.fullmatch("[0-9a-f]{2}", shelf.name):
            for pair in plain_folders(shelf):
                if _PAIR.fullmatch(pair.name):
                    _empty(pair / "masks", _MASK.fullmatch)
                    _empty(pair, lambda name: name in _OF_A_PAIR or UNFINISHED.fullmatch(name))
            with suppress(OSError):
                shelf.rmdir()
    with suppress(OSError):
        if not root.is_symlink():
            root.rmdir()


def _empty(folder: Path, is_ours: Callable[[str], object]) -> None:
    """Delete the files in a folder that are ours, and the folder if nothing else is in it."""
    try:
        if not is_plain_folder(folder):
            return
    except FileNotFoundError:
        return
    with os.scandir(folder) as entries:
        ours = [
            one.path for one in entries if is_ours(one.name) and one.is_file(follow_symlinks=False)
        ]
    for path in ours:
        Path(path).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
