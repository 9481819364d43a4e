"""A model of normality over time: pictures in order -> scores, anomalies followed, drift."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime
from itertools import count as counting
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._lessons import lesson
from vde_nb._progress import heard, listening, report, told
from vde_nb.errors import ImageError, SettingError
from vde_nb.images import Source
from vde_nb.normality._drift import drift_of
from vde_nb.normality._follow import Follower
from vde_nb.normality._prepare import STRANGER, sources
from vde_nb.normality._series import Row, Series
from vde_nb.normality._times import given_times, timeline
from vde_nb.normality._tracks import Sighting
from vde_nb.scoring import evidence_of

if TYPE_CHECKING:
    from vde_nb.comparison import Comparison
    from vde_nb.normality.normality import Normality

__all__ = ["Row", "Series", "series"]

#: What follows from the model, and cannot be set.
_FIXED = ("current", "method", "model", "reference")
#: Frames whose brightness is averaged over this many pixels at most per side.
_SIDE = 256


def series(
    model: Normality,
    /,
    images: Iterable[Source] | str | os.PathLike[str],
    times: Iterable[Any] | None = None,
    *,
    progress: Callable[[str], object] | None = None,
    **settings: Any,
) -> Series:
    """Judge pictures over time by a model, one after the other.

    Parameters
    ----------
    model
        What is normal. It is not changed.
    images
        A folder, a list or a generator of pictures as :func:`vde_nb.images.load` takes them. Only
        one of them is in memory at a time.
    times
        When they were taken, one each: `datetime` or ISO text; None for each means unknown. By
        default, or then, the names of the files tell (``2026-11-23_14-30-00.jpg``,
        ``IMG_20261123_143000.jpg``, seconds since 1970), or what the camera wrote into them (EXIF);
        notes say which. Pictures of a list or a folder are put in the order of these times; where
        there are none, they stay in the order in which they came.
    progress
        Called with what is being done; what it raises ends the work and reaches the caller.
    **settings
        As for :func:`vde_nb.compare`, such as ``threshold`` or ``min_area``. What follows from the
        model, as the method does, cannot be set.

    Returns
    -------
    Series
        A picture that cannot be read or compared is a row with ``status="skipped"``, of which
        nothing is known: it may show an anomaly or not. Neither persistence nor gaps of what was
        found before and after count it.

    Raises
    ------
    ImageError
        There is no picture.
    SettingError
        A setting is out of its range or cannot be set here; one of `times` is no time, or there are
        more or fewer than pictures.
    """
    _check(settings)
    frames, count, notes, moments = _frames(images, times)
    follower = Follower()
    rows: list[Row] = []
    numbers = counting()  # enumerate() would hold on to a picture until it has the next one
    with told(progress):
        for name, source in frames:
            number = next(numbers)
            with _step(number, count):
                try:
                    found = model.compare(source, **settings)
                except ImageError as error:
                    why = str(error).removeprefix(name).strip()
                    rows.append(Row(number + 1, name, status="skipped", remark=why))
                    continue
                finally:
                    del source  # before the next one is asked for
            row = _judged(number, name, found)
            if row.remark:  # another scene: what is found there is no anomaly of this one
                rows.append(replace(row, background=math.nan))
            else:
                seen = tuple(follower.look(number, _seen(number, found)))
                rows.append(replace(row, tracks=seen))
            del found
    if not rows:
        raise ImageError(f"There is no picture to judge: images is empty.{lesson('normality')}")
    if moments is None:
        names = [row.name for row in rows]
        line = timeline(names, given_times(times, len(rows)), sort=False)
        moments, notes = line.times, line.notes
    rows = [replace(row, time=time) for row, time in zip(rows, moments, strict=True)]
    drift = drift_of([row.background for row in rows], moments)
    return Series(
        tuple(rows),
        follower.tracks,
        drift,
        (*notes, *_odd(rows)),
        model,
        _again(images, frames),
        settings,
    )


def _check(settings: Mapping[str, Any]) -> None:
    fixed = [name for name in _FIXED if name in settings]
    if fixed:
        raise SettingError(
            f"{fixed[0]} cannot be set for a series: the model that judges it says what it is."
            f"{lesson('normality')}"
        )


def _frames(
    images: Iterable[Source] | str | os.PathLike[str], times: Iterable[Any] | None
) -> tuple[
    Iterable[tuple[str, Source]],
    int | None,
    tuple[str, ...],
    tuple[datetime | None, ...] | None,
]:
    """Name and source of every frame in order, how many, notes, and times where they are known.

    Frames of a stream are taken as they come; their names are known in the end only.
    """
    if not isinstance(images, (str, os.PathLike, list, tuple)):
        whole = len(images) if isinstance(images, Sequence) else None
        if times is not None and not isinstance(times, Iterator):
            given_times(times, whole)  # what is wrong with them is told before the work
        return sources(images), whole, (), None
    found = list(sources(images))
    if not found:
        raise ImageError(f"There is no picture to judge: images is empty.{lesson('normality')}")
    line = timeline([name for name, _ in found], given_times(times, len(found)))
    ordered = [found[number] for number in line.order]
    return ordered, len(found), line.notes, tuple(line.times[number] for number in line.order)


def _again(images: Any, frames: Iterable[tuple[str, Source]]) -> Sequence[Any] | None:
    """Where the frames can be had once more; None if a generator made them."""
    if isinstance(frames, list):
        return tuple(source for _, source in frames)
    return images if isinstance(images, (Sequence, np.ndarray)) else None  # type: ignore[return-value]


def _judged(number: int, name: str, found: Comparison) -> Row:
    """What a comparison says about its frame."""
    registration, remark = found.registration, ""
    if registration is not None and registration.confidence < STRANGER:
        remark = "seems to show another scene: it could not be registered on the reference"
    return Row(
        number + 1,
        name,
        score=found.score if found.score is not None else math.nan,
        change_percent=found.change_score_percent,
        count=len(found.anomalies),
        background=_background(found),
        shift=math.nan if registration is None else float(registration.motion),
        light=_brightness(found.current) / max(_brightness(found.reference), 1.0),
        remark=remark,
    )


def _background(found: Comparison) -> float:
    """Evidence, 1 at the level, of the mean heat outside of anomalies; NaN if all is inside."""
    outside = ~found.mask
    for mask in (found.valid, None if found.ignored is None else ~found.ignored):
        if mask is not None:
            outside &= mask
    values = found.heatmap[outside]
    return evidence_of(float(values.mean())) if values.size else math.nan


def _brightness(picture: npt.NDArray[np.uint8]) -> float:
    height, width = picture.shape[:2]
    rows, columns = max(height // _SIDE, 1), max(width // _SIDE, 1)
    return float(cv2.cvtColor(picture[::rows, ::columns], cv2.COLOR_RGB2GRAY).mean())


def _seen(number: int, found: Comparison) -> list[tuple[Sighting, npt.NDArray[np.bool_]]]:
    return [
        (
            Sighting(
                number, one.number, one.box, one.area, float(one.score), one.type, one.severity
            ),
            one.outline,
        )
        for one in found.anomalies
        if one.verdict != "rejected"
    ]


def _odd(rows: Sequence[Row]) -> list[str]:
    """Notes on frames that were skipped or are odd."""
    skipped = [f"{row.name} ({row.remark})" for row in rows if row.skipped]
    odd = [row.name for row in rows if row.remark and not row.skipped]
    notes = []
    if skipped:
        notes.append(f"Skipped {len(skipped)} of {len(rows)}: {_listed(skipped)}.")
    if odd:
        notes.append(f"Could not be registered, and may show another scene: {_listed(odd)}.")
    return notes


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@contextmanager
def _step(number: int, count: int | None) -> Iterator[None]:
    """Tell which frame it is, and have what is done with it told as a part of that."""
    said = f"Frame {number + 1}" + (f" of {count}" if count else "")
    report(said, number / count if count else None)
    if not heard():
        yield
        return
    outside = copy_context()

    def inner(text: str, share: float | None) -> None:
        whole = (number + (share or 0.0)) / count if count else None
        outside.run(report, f"{said}: {text}", whole)

    with listening(inner):
        yield
