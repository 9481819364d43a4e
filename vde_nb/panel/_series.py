"""A series of frames from one camera as pairs for the filmstrip: each against one reference."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from vde_nb.errors import SettingError
from vde_nb.images import load
from vde_nb.normality._prepare import sources
from vde_nb.normality._times import given_times, timeline
from vde_nb.panel._origin import is_path, name_of
from vde_nb.panel._pairs import Pair, is_folder, made_pair

__all__ = ["frame_pairs", "series_panel", "stamp"]


def series_panel(
    model: Any,
    images: Any,
    times: Sequence[datetime | None] | None = None,
    *,
    names: Sequence[str] | None = None,
    rows: Iterable[Mapping[str, Any]] | None = None,
    **settings: Any,
) -> Any:
    """A panel that goes through a series, with its curve of scores above the filmstrip.

    Parameters
    ----------
    model
        A :class:`vde_nb.Normality`; its reference is the other picture of each pair.
    images
        The frames in order: a list of sources as :func:`vde_nb.compare` takes them, or a folder,
        whose pictures are taken in natural order of their names.
    times
        When they were taken; by default what their file names say, by which they are sorted then.
    names
        What to call them; by default their files' names, or their numbers.
    rows
        What is known of each frame beforehand, see :func:`frame_pairs`.
    **settings
        As for :class:`vde_nb.Panel`.

    Returns
    -------
    Panel
        With ``method="normality"``. Frames are compared when they are looked at, or all at once by
        :meth:`vde_nb.Panel.compare_all`.
    """
    from vde_nb.panel.panel import Panel

    pairs = frame_pairs(model.reference, images, times, names=names, rows=rows)
    return Panel(pairs=pairs, method="normality", model=model, **settings)


def frame_pairs(
    reference: Any,
    images: Any,
    times: Sequence[datetime | None] | None = None,
    *,
    names: Sequence[str] | None = None,
    rows: Iterable[Mapping[str, Any]] | None = None,
) -> list[Pair]:
    """Pairs of one reference and each frame, as ``Panel(pairs=...)`` takes them.

    Parameters
    ----------
    reference
        A source. An array is copied once, not for each frame.
    images, times, names
        As for :func:`series_panel`.
    rows
        A mapping a frame, of which ``score``, ``count``, ``change`` (per cent) and ``note`` are
        used, where there are any; they hold until a setting is changed. A frame with a note and no
        count could not be compared.

    Raises
    ------
    SettingError
        There are no frames, none in the folder, or times, names or rows of another number.
    ImageError
        The reference cannot be read.
    """
    frames = _listed(images)
    known: list[dict[str, Any]] = [{}] * len(frames) if rows is None else [dict(r) for r in rows]
    for what, given in (("names", names), ("rows", known)):
        if given is not None and len(given) != len(frames):
            raise SettingError(f"There are {len(frames)} frames but {len(given)} {what}.")
    moments, order = _times(frames, times)
    called = [_name(one, at, names) for at, one in enumerate(frames)]
    shared = reference if is_path(reference) else _frozen(reference)
    pairs = []
    for at in order:
        pair = made_pair(shared, frames[at], (None, called[at]))
        pair.time = moments[at]
        _know(pair, known[at])
        pairs.append(pair)
    return pairs


def stamp(pairs: Sequence[Pair]) -> None:
    """Give pairs the times that the names of their current pictures tell, where all are files."""
    times, _ = _times([pair.current for pair in pairs], None, sort=False)
    for pair, time in zip(pairs, times, strict=True):
        pair.time = time if pair.time is None else pair.time


def _frozen(reference: Any) -> Any:
    """A picture nobody can write into, so that no pair needs a copy of its own."""
    array = np.array(load(reference).array)
    array.flags.writeable = False
    return array


def _listed(images: Any) -> list[Any]:
    if is_folder(images):
        return [source for _, source in sources(images)]
    if isinstance(images, (str, bytes, os.PathLike)) or not isinstance(images, Iterable):
        raise SettingError("A series is a list of pictures, or a folder that holds them.")
    frames = list(images)
    if not frames:
        raise SettingError("The series is empty; it needs at least one picture.")
    return frames


def _name(frame: Any, at: int, names: Sequence[str] | None) -> str:
    """What to call a frame: as it was named, or by its file, without the folders."""
    if names is None or (is_path(frame) and names[at] == os.fsdecode(frame)):
        return name_of(frame, f"frame {at + 1}")
    return names[at]


def _times(
    frames: Sequence[Any], times: Sequence[Any] | None, *, sort: bool = True
) -> tuple[Sequence[datetime | None], Sequence[int]]:
    """When frames were taken, as told, or by their files' names; and their order by that."""
    as_they_are = range(len(frames))
    if times is not None and all(one is None for one in times):
        return list(times), as_they_are
    if times is not None:
        return given_times(times, len(frames)) or [], as_they_are
    if not all(is_path(one) for one in frames):
        return [None] * len(frames), as_they_are
    found = timeline([os.fsdecode(one) for one in frames], sort=sort)
    return found.times, found.order


def _know(pair: Pair, row: Mapping[str, Any]) -> None:
    """Take over what is known of a frame."""
    score, count = row.get("score"), row.get("count")
    pair.score = None if score is None or not np.isfinite(score) else float(score)
    pair.note = str(row.get("note") or "")
    if count is not None:
        pair.count, pair.changed = int(count), row.get("change")
        pair.status = pair.settled = "changed" if pair.count else "clean"
    elif pair.note:
        pair.status = pair.settled = "error"
