"""The files of one pair inside a run: made by the worker, whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vde_nb._draw import by_severity, draw, reduce_anomaly, reduce_picture
from vde_nb._write import write_atomically
from vde_nb.batch._plain import is_plain_folder, plain_folders
from vde_nb.batch._row import folder_of
from vde_nb.errors import OutputError, SettingError
from vde_nb.export._save import chosen_files, save

if TYPE_CHECKING:
    from vde_nb.comparison import Comparison

__all__ = [
    "THUMBNAIL",
    "THUMBNAILS",
    "UNFINISHED",
    "check_shelves",
    "checked_save",
    "clear_attempts",
    "write_files",
]

#: Name in ``save=``, and of the file.
THUMBNAILS, THUMBNAIL = "thumbnails", "thumbnail.jpg"
#: Longer side of each of its two pictures at most, the gap between them, quality as JPEG.
_SIDE, _GAP, _QUALITY = 256, 4, 85
_ATTEMPT = ".tmp-"
#: Names of files of a run that were on their way to their final names.
UNFINISHED = re.compile(r"\.(vde-nb-|results\.|timings\.)[0-9a-z.-]*\.tmp")
_ABANDONED = 3600.0  # seconds after which nobody is writing such a file any more


def checked_save(what: str | Sequence[str]) -> tuple[str, ...]:
    """What is saved of each pair, checked and in one order.

    Raises
    ------
    SettingError
        Something cannot be saved.

    Examples
    --------
    >>> checked_save(["mask", "thumbnails"])
    ('mask', 'thumbnails')
    """
    asked = (what,) if isinstance(what, str) else tuple(what)
    try:
        rest = chosen_files([one for one in asked if one not in (THUMBNAILS, "all")])
        rest = (*rest, *chosen_files("all")) if "all" in asked else rest
    except SettingError as error:
        raise SettingError(f"save: {error} In a run also {THUMBNAILS!r}.") from None
    more = {THUMBNAILS} & {*asked} or ({THUMBNAILS} if "all" in asked else set())
    return tuple(sorted({*rest, *more}))


def write_files(
    comparison: Comparison, out: Path, identity: str, wanted: Sequence[str]
) -> list[str]:
    """Write the folder of a pair.

    Parameters
    ----------
    comparison
        What was found, without timings: the same pair gives the same bytes.
    out
        The folder of the run.
    identity
        Of the pair.
    wanted
        Of :func:`checked_save`. ``results.json`` is always written.

    Returns
    -------
    list of str
        Names of the files, relative to the folder, sorted.

    Raises
    ------
    OutputError
        It cannot be written; nothing is left behind.
    """
    folder = out / folder_of(identity)
    attempt = folder.with_name(f"{folder.name}{_ATTEMPT}{os.urandom(6).hex()}")
    try:
        for place in (folder.parent.parent, folder.parent):
            place.mkdir(exist_ok=True)
            _check_plain(place)
        attempt.mkdir()
        names = [name for name in wanted if name != THUMBNAILS]
        save(comparison, attempt, what=sorted({*names, "results"}))
        if THUMBNAILS in wanted:
            write_atomically(attempt / THUMBNAIL, _thumbnail(comparison))
        files = sorted(
            (Path(place) / name).relative_to(attempt).as_posix()
            for place, _, found in os.walk(attempt)
            for name in found
        )
        _move(attempt, folder)
    except OutputError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{folder} cannot be written: {reason}.") from error
    finally:
        shutil.rmtree(attempt, ignore_errors=True)
    return files


def _move(attempt: Path, folder: Path) -> None:
    """Give a finished folder its name, in the place of one that an attempt before this left."""
    for last in (False, False, True):
        if folder.is_symlink():
            folder.unlink()  # never followed: it may lead anywhere
        shutil.rmtree(folder, ignore_errors=True)
        try:
            attempt.rename(folder)
            return
        except OSError:  # another worker, that was given up for lost, has written the same just now
            if last:
                raise


def clear_attempts(out: Path) -> None:
    """Take away what was left by workers and runs that were killed while they wrote."""
    for shelf in plain_folders(out / "pairs"):
        for pair in plain_folders(shelf):
            if _ATTEMPT in pair.name:
                shutil.rmtree(pair, ignore_errors=True)
    with os.scandir(out) as entries:
        for entry in entries:
            if UNFINISHED.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    # Results are written by whoever holds the run; a page or reviews, named
                    # .vde-nb-, may be written by somebody else at this moment.
                    age = time.time() - entry.stat(follow_symlinks=False).st_mtime
                    if not entry.name.startswith(".vde-nb-") or age > _ABANDONED:
                        Path(entry.path).unlink()


def check_shelves(out: Path) -> None:
    """Make sure that what is written below a run stays there.

    Raises
    ------
    OutputError
        A link, or something else than a folder, is where folders of pairs are written.
    """
    try:
        _check_plain(out / "pairs")
        with os.scandir(out / "pairs") as shelves:
            for shelf in shelves:
                if re.fullmatch("[0-9a-f]{2}", shelf.name):
                    _check_plain(Path(shelf.path))
    except FileNotFoundError:
        return


def _check_plain(place: Path) -> None:
    if not is_plain_folder(place):
        raise OutputError(
            f"{place} is a link or no folder, and what is written there might go elsewhere: "
            "take it away, or choose another folder for the run."
        )


def _thumbnail(comparison: Comparison) -> bytes:
    """Reference and annotated current picture side by side, as JPEG."""
    height, width = comparison.pair.shape
    # Drawn into a picture of nearly the final size: it costs a fraction, and lines stay visible.
    factor = max(1, max(height, width) // _SIDE)
    pictures = [reduce_picture(one, factor) for one in (comparison.reference, comparison.current)]
    if factor == 1:
        pictures[1] = pictures[1].copy()
    draw(
        pictures[1],
        [reduce_anomaly(anomaly, factor) for anomaly in comparison.anomalies],
        by_severity,
        labels=False,  # nobody could read them
    )
    scale = min(1.0, _SIDE / max(pictures[0].shape[:2]))
    size = [max(1, round(side * scale)) for side in pictures[0].shape[1::-1]]
    if scale < 1:
        pictures = [
            np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.uint8)
            for one in pictures
        ]
    gap = np.full((size[1], _GAP, 3), 255, np.uint8)
    whole = np.hstack([pictures[0], gap, pictures[1]])
    quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    return cv2.imencode(".jpg", whole[..., ::-1], quality)[1].tobytes()
