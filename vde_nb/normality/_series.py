"""The result of a series: one row per frame, anomalies followed through them, drift."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from numbers import Integral
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vde_nb._table import Table
from vde_nb._text import defused, readable
from vde_nb._write import write_atomically
from vde_nb.errors import MissingExtraError, SettingError
from vde_nb.normality._drift import Drift
from vde_nb.normality._tracks import Track

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vde_nb.comparison import Comparison

__all__ = ["Row", "Series"]

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
        ``"ok"``, or ``"skipped"``: it was not judged, and `remark` says why.
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
    def file(self) -> str:
        """Name of its file without folders; empty for a picture that came from none."""
        file = PurePath(self.name).name
        return "" if file == f"picture {self.number}" else file

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
    _sources: Sequence[Any] | None = field(default=None, repr=False)
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
    def judged(self) -> int:
        """Number of frames that could be compared: what was found, or not, was in these."""
        return len(self.rows) - len(self.skipped)

    @property
    def table(self) -> Table:
        """The anomalies, one row per track."""
        return Table([self.line(track) for track in self.tracks])

    def line(self, track: Track) -> dict[str, Any]:
        """A row of :attr:`table`."""
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
        """Time of a frame (from 0) as text; where none is known its number from 1, and its file."""
        row = self.rows[frame]
        time = row.time
        if time is None:
            file = row.file
            return f"frame {row.number} ({file})" if file else f"frame {row.number}"
        exact = any(row.time is not None and row.time.second for row in self.rows)
        return time.strftime("%Y-%m-%d %H:%M:%S" if exact else "%Y-%m-%d %H:%M")

    def foremost(self, most: int) -> list[Track]:
        """The `most` tracks that were seen in the most frames, in their own order."""
        best = sorted(self.tracks, key=lambda track: (-track.frames, track.id))[:most]
        return sorted(best, key=lambda track: track.id)

    def comparison(self, number: int) -> Comparison:
        """Compare a frame (`number` from 1, as in :attr:`rows`) once more, to look at it closely.

        Raises
        ------
        SettingError
            There is no such frame, or its picture came from a generator and is gone.
        """
        whole = isinstance(number, Integral) and not isinstance(number, bool)
        if not whole or not 1 <= number <= len(self.rows):
            raise SettingError(
                f"number must be a whole number from 1 to {len(self.rows)}, not {number!r}."
            )
        sources_ = self._kept("compare a frame again")
        comparison: Comparison = self._model.compare(sources_[number - 1], **self._settings)
        return comparison

    def panel(self, **settings: Any) -> Any:
        """The frames as a filmstrip under their curve of scores, to go through by hand.

        With other settings than the series was made with, the frames are compared anew.
        """
        from vde_nb.panel._series import series_panel

        rows: list[dict[str, Any]] | None = None
        if all(self._settings.get(name) == value for name, value in settings.items()):
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

    def _kept(self, what: str) -> Sequence[Any]:
        if self._sources is None:
            raise SettingError(
                f"The frames came from a generator and were not kept, so I cannot {what}: hand "
                "series() a list or a folder."
            )
        return self._sources

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False) -> str:
        r"""One row per frame as CSV text (RFC 4180); written to `path` when one is given.

        Text that a spreadsheet would take for a formula gets an apostrophe before it. `overwrite`
        replaces a file that is there.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        text = _written(
            _COLUMNS, [[_plain(getattr(row, name)) for name in _COLUMNS] for row in self.rows]
        )
        if path is not None:
            write_atomically(path, text, overwrite=overwrite)
        return text

    def tracks_csv(
        self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False
    ) -> str:
        """One row per anomaly over time as CSV text, as :attr:`table` shows them.

        It is written to `path` when one is given; `overwrite` replaces a file that is there.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        rows = [self.line(track) for track in self.tracks]
        names = list(rows[0]) if rows else ["track"]
        text = _written(names, [[_plain(row[name]) for name in names] for row in rows])
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
        if not self.judged:
            return f"Series({', '.join(parts)}, not one of them judged)"
        parts.append(f"{len(self.tracks)} anomal{'ies' if len(self.tracks) != 1 else 'y'}")
        parts.append(f"something in {len(found)}")
        if self.skipped:
            parts.append(f"{len(self.skipped)} not judged")
        if self.drift.drifting:
            parts.append("drifting")
        return f"Series({', '.join(parts)})"

    def _repr_html_(self) -> str:
        from vde_nb.normality._series_html import notebook_html

        return notebook_html(self)


def _written(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows(rows)
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    """A value as CSV holds it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, str):
        return defused(readable(value))
    return value
