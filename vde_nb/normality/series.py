"""A model of normality over time: pictures in order -> scores, anomalies followed, drift."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._progress import heard, listening, report, shown_when_long
from vde_nb._table import Table
from vde_nb._text import readable
from vde_nb._write import write_atomically
from vde_nb.errors import ImageError, MissingExtraError, SettingError
from vde_nb.images import Source
from vde_nb.normality._drift import Drift, drift_of
from vde_nb.normality._follow import Follower
from vde_nb.normality._prepare import sources
from vde_nb.normality._times import given_times, timeline
from vde_nb.normality._tracks import Sighting, Track

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vde_nb.comparison import Comparison
    from vde_nb.normality.normality import Normality

__all__ = ["Row", "Series", "series"]

#: Heat of the level, and the largest heat, half a step below saturation.
_LEVEL, _FULL = 50.0, 254.5
#: Confidence of the registration below which a frame shows another scene.
_STRANGER = 0.05
#: Frames whose brightness is averaged over this many pixels at most per side.
_SIDE = 256

_COLUMNS = (
    "number",
    "name",
    "time",
    "status",
    "score",
    "change_percent",
    "count",
    "tracks",
    "background",
    "shift",
    "light",
    "remark",
)


@dataclass(frozen=True)
class Row:
    """What was found in one frame.

    Attributes
    ----------
    number
        From 1, in the order of time.
    name
        Path of its file, or "picture 3".
    time
        When it was taken, if that is known.
    status
        ``"ok"``, or ``"skipped"``: `remark` says why.
    score
        Evidence of the worst place in units of the level: above 1 there is something. NaN if
        skipped.
    change_percent
        Share of the picture that changed.
    count
        Number of anomalies.
    tracks
        For each anomaly the `id` of its track in :attr:`Series.tracks`.
    background
        Mean heat outside of anomalies in units of the level; what :attr:`Series.drift` follows.
    shift
        Pixels by which the camera had moved, the median over the picture.
    light
        Brightness relative to the reference, 1 for the same.
    remark
        Why it was skipped, or what is odd about it.
    """

    number: int
    name: str
    time: datetime | None = None
    status: str = "ok"
    score: float = math.nan
    change_percent: float = math.nan
    count: int = 0
    tracks: tuple[int, ...] = ()
    background: float = math.nan
    shift: float = math.nan
    light: float = math.nan
    remark: str = ""

    @property
    def skipped(self) -> bool:
        """Whether it could not be compared."""
        return self.status != "ok"


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """What a model found in pictures over time; made by :meth:`vde_nb.Normality.series`.

    As the last value of a notebook cell it shows the scores over time and a table of anomalies.

    Attributes
    ----------
    rows
        One :class:`Row` per frame, in the order of time.
    tracks
        The anomalies, each followed through the frames, by first appearance.
    drift
        Whether the scene leaves what was learned.
    notes
        What a reader should know: how frames were ordered, which were skipped.
    """

    rows: tuple[Row, ...]
    tracks: tuple[Track, ...]
    drift: Drift
    notes: tuple[str, ...] = ()
    _model: Any = field(default=None, repr=False)
    _sources: tuple[Any, ...] | None = field(default=None, repr=False)
    _settings: dict[str, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, number: int) -> Row:
        return self.rows[number]

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """Score of every frame, ``(n,)``; NaN where it was skipped."""
        return np.array([row.score for row in self.rows], np.float64)

    @property
    def times(self) -> tuple[datetime | None, ...]:
        """When the frames were taken; None for all where that is not known."""
        return tuple(row.time for row in self.rows)

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Frames that could not be compared: ``(name, why)``."""
        return tuple((row.name, row.remark) for row in self.rows if row.skipped)

    @property
    def table(self) -> Table:
        """The anomalies, one row per track."""
        return Table([self._line(track) for track in self.tracks])

    def _line(self, track: Track) -> dict[str, Any]:
        return {
            "track": track.id,
            "type": track.type,
            "severity": track.severity,
            "first seen": self.when(track.first),
            "last seen": self.when(track.last),
            "frames": track.frames,
            "persistence": f"{track.persistence:.0%}",
            "what it did": track.story,
            "box": track.box,
            "area": track.area,
        }

    def when(self, frame: int) -> str:
        """Time of a frame (numbered from 0) as text, or its number from 1 where none is known."""
        time = self.rows[frame].time
        return f"frame {frame + 1}" if time is None else time.strftime("%Y-%m-%d %H:%M:%S")

    def comparison(self, number: int) -> Comparison:
        """Compare a frame (`number` from 1, as in :attr:`rows`) once more, to look at it closely.

        Raises
        ------
        SettingError
            There is no such frame, or its picture came from a generator and is gone.
        """
        if not 1 <= number <= len(self.rows):
            raise SettingError(f"number must be from 1 to {len(self.rows)}, not {number!r}.")
        sources_ = self._kept("compare a frame again")
        comparison: Comparison = self._model.compare(sources_[number - 1], **self._settings)
        return comparison

    def panel(self, **settings: Any) -> Any:
        """The frames as a filmstrip under their curve of scores, to go through by hand."""
        from vde_nb.panel._series import series_panel

        rows = [
            {
                "score": row.score,
                "count": None if row.skipped else row.count,
                "change": row.change_percent,
                "note": row.remark,
            }
            for row in self.rows
        ]
        return series_panel(
            self._model,
            self._kept("show the frames"),
            self.times,
            names=[row.name for row in self.rows],
            rows=rows,
            **{**self._settings, **settings},
        )

    def _kept(self, what: str) -> tuple[Any, ...]:
        if self._sources is None:
            raise SettingError(
                f"The frames came from a generator and were not kept, so I cannot {what}: hand "
                "series() a list or a folder."
            )
        return self._sources

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False) -> str:
        r"""One row per frame as CSV text (RFC 4180); written to `path` when one is given.

        Text that a spreadsheet would take for a formula gets an apostrophe before it.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator="\r\n")
        writer.writerow(_COLUMNS)
        writer.writerows([_cell(row, name) for name in _COLUMNS] for row in self.rows)
        text = buffer.getvalue()
        if path is not None:
            write_atomically(path, text, overwrite=overwrite)
        return text

    def to_frame(self) -> Any:
        """One row per frame as a pandas DataFrame, with the columns of :meth:`to_csv`.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("to_frame() needs pandas: pip install pandas") from error
        columns = {name: [getattr(row, name) for row in self.rows] for name in _COLUMNS}
        return pd.DataFrame(columns, columns=list(_COLUMNS))

    def plot(self) -> Figure:
        """Scores with their level, anomalies found and followed, and the background, over time.

        Returns
        -------
        matplotlib.figure.Figure
            As the last value of a notebook cell it shows itself. Write it with its ``savefig``.
        """
        from vde_nb.normality._series_plot import plot

        return plot(self)

    def __repr__(self) -> str:
        found = [row for row in self.rows if row.count]
        parts = [f"{len(self.rows)} frame{'s' if len(self.rows) != 1 else ''}"]
        if self.rows and self.rows[0].time is not None:
            parts.append(f"{self.when(0)} to {self.when(len(self.rows) - 1)}")
        parts.append(f"{len(self.tracks)} anomal{'ies' if len(self.tracks) != 1 else 'y'}")
        parts.append(f"something in {len(found)}")
        if self.skipped:
            parts.append(f"{len(self.skipped)} skipped")
        if self.drift.drifting:
            parts.append("drifting")
        return f"Series({', '.join(parts)})"

    def _repr_html_(self) -> str:
        from vde_nb.normality._series_html import notebook_html

        return notebook_html(self)


def series(
    model: Normality,
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
        When they were taken, one each: `datetime` or ISO text. By default the names of the files
        tell (``2026-11-23_14-30-00.jpg``, ``IMG_20261123_143000.jpg``, seconds since 1970), or
        what the camera wrote into them (EXIF). Pictures of a list or a folder are put in the order
        of these times; where there are none, they stay in the order in which they came.
    progress
        Called with what is being done; what it raises ends the work and reaches the caller.
    **settings
        As for :func:`vde_nb.compare`, such as ``threshold`` or ``min_area``.

    Returns
    -------
    Series
        A picture that cannot be read or compared is a row with ``status="skipped"``.

    Raises
    ------
    ImageError
        There is no picture.
    SettingError
        A setting is out of its range, or there are more or fewer `times` than pictures.
    """
    frames, count, notes, moments = _frames(images, times)
    follower = Follower()
    rows: list[Row] = []
    with _told(progress):
        for number, (name, source) in enumerate(frames):
            with _step(number, count):
                try:
                    found = model.compare(source, **settings)
                except ImageError as error:
                    why = str(error).removeprefix(name).strip()
                    rows.append(Row(number + 1, name, status="skipped", remark=why))
                    continue
            row = _judged(number, name, found)
            rows.append(replace(row, tracks=tuple(follower.look(number, _seen(number, found)))))
    if not rows:
        raise ImageError("There is no picture to judge: images is empty.")
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
        tuple(source for _, source in frames) if isinstance(frames, list) else None,
        settings,
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
        if times is not None and whole is not None:
            given_times(times, whole)  # a wrong number is told before the work
        return sources(images), whole, (), None
    found = list(sources(images))
    if not found:
        raise ImageError("There is no picture to judge: images is empty.")
    line = timeline([name for name, _ in found], given_times(times, len(found)))
    ordered = [found[number] for number in line.order]
    return ordered, len(found), line.notes, tuple(line.times[number] for number in line.order)


def _judged(number: int, name: str, found: Comparison) -> Row:
    """What a comparison says about its frame."""
    registration, remark = found.registration, ""
    if registration is not None and registration.confidence < _STRANGER:
        remark = "seems to show another scene: it could not be registered on the reference"
    return Row(
        number + 1,
        name,
        score=_score(found),
        change_percent=found.change_score_percent,
        count=len(found.anomalies),
        background=_background(found),
        shift=math.nan if registration is None else float(registration.motion),
        light=_brightness(found.current) / max(_brightness(found.reference), 1.0),
        remark=remark,
    )


def _score(found: Comparison) -> float:
    """Evidence of the worst place in units of the level: the heat it was decided by, undone."""
    heat = min(float(found.clean_heatmap.max(initial=0)), _FULL)
    if heat <= _LEVEL:
        return heat / _LEVEL
    # See vde_nb.methods.robust.evidence_heat.
    score = 1 - 3 * math.log1p(-(heat - _LEVEL) / (255 - _LEVEL))
    peaks = [anomaly.evidence.get("normality_peak", 0.0) for anomaly in found.anomalies]
    return max([score, *peaks]) if heat == _FULL else score


def _background(found: Comparison) -> float:
    """Mean heat outside of anomalies in units of the level; NaN if there is no outside."""
    outside = ~found.mask
    for mask in (found.valid, None if found.ignored is None else ~found.ignored):
        if mask is not None:
            outside &= mask
    values = found.heatmap[outside]
    return float(values.mean()) / _LEVEL if values.size else math.nan


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


def _cell(row: Row, name: str) -> Any:
    """A value as CSV holds it."""
    value = getattr(row, name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, str):
        text = readable(value)
        return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
    return value


@contextmanager
def _told(progress: Callable[[str], object] | None) -> Iterator[None]:
    """Have long work tell `progress` how far it is, or else show a bar."""
    if progress is None or heard():
        with shown_when_long():
            yield
        return
    with listening(lambda text, share: progress(text if share is None else f"{text} {share:.0%}")):
        yield


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
