"""The figure of a series. Imports matplotlib, so it is itself imported where it is used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from vde_nb._draw import type_colour
from vde_nb._plot import INK, PAPER, ComparisonFigure
from vde_nb._text import plotted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vde_nb.normality._series import Series
    from vde_nb.normality._tracks import Track

__all__ = ["plot"]

#: Reads on white and on a dark theme's near-black alike.
_GREY = "#767676"
_BLUE, _ORANGE = "#0072b2", "#d55e00"  # told apart by colour-blind people as well
_WIDTH = 9.0  # inches
#: Most bars of anomalies; the others are mentioned.
_BARS = 14
#: Lower end of the scores: between these, by what there is.
_LEAST, _USUAL = 0.01, 0.1
#: Most labels along the time axis.
_LABELS = 9
#: A pause this many times longer than usual is shown as one.
_PAUSE = 3.0


def plot(series: Series) -> Figure:
    """See :meth:`Series.plot`."""
    shown = series.foremost(_BARS)
    left_out = len(series.tracks) - len(shown)
    heights = [2.6, 1.0, 0.27 * (max(len(shown), 2) + bool(left_out)) + 0.2]
    figure = ComparisonFigure(
        figsize=(_WIDTH, sum(heights) + 1.1), facecolor=PAPER, layout="constrained"
    )
    score, change, tracks = figure.subplots(3, 1, sharex=True, height_ratios=heights)
    _scores(score, series)
    _changes(change, series)
    _tracks(tracks, shown, left_out, len(series.rows))
    for axes in (score, change, tracks):
        _styled(axes)
        _pauses(axes, series.times)
    for axes in (score, change):
        axes.tick_params(axis="x", length=0, labelbottom=False)
    _time_axis(tracks, series)
    tracks.tick_params(axis="y", length=0)
    return figure


def _styled(axes: Axes) -> None:
    """Dark letters, and two spines."""
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(axis="x", visible=False)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set(color=INK, fontsize=10)
    for name, spine in axes.spines.items():
        spine.set(color=_GREY, linewidth=0.6, visible=name in ("left", "bottom"))


def _scores(axes: Axes, series: Series) -> None:
    """Score of each frame against the level, and the background below it."""
    numbers = np.arange(1, len(series.rows) + 1)
    scores = series.scores
    background = np.array([row.background for row in series.rows])
    floor = _floor(np.concatenate([scores, background]))
    seen, below = np.maximum(scores, floor), np.maximum(background, floor)
    axes.set_yscale("log")
    top = max(2.5, 1.5 * float(np.nanmax(scores, initial=1.0)))
    axes.set_ylim(floor / 1.2, top)
    axes.axhspan(1, top, color=_ORANGE, alpha=0.06, linewidth=0)
    axes.axhline(1, color=_ORANGE, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.plot(numbers, seen, color=_BLUE, linewidth=1.4, label="score", zorder=3)
    above = scores > 1
    size = 26 if len(numbers) <= 120 else 10
    axes.scatter(numbers[~above], seen[~above], s=size, color=_BLUE, zorder=4)
    axes.scatter(
        numbers[above], seen[above], s=size * 1.3, color=_ORANGE, zorder=5, label="above the level"
    )
    axes.plot(numbers, below, color=_GREY, linewidth=1.0, label="background")
    drift = series.drift
    if drift.drifting:
        there = np.flatnonzero(np.isfinite(background))
        axes.plot(
            numbers[there[[0, -1]]],
            np.maximum([drift.start, drift.end], floor),
            color=_GREY,
            linewidth=2.2,
            linestyle=(0, (1, 1)),
            label="drift",
        )
    skipped = np.array([row.skipped for row in series.rows], np.bool_)
    if skipped.any():
        axes.scatter(
            numbers[skipped],
            np.full(int(skipped.sum()), floor),
            marker="x",
            s=30,
            color=_GREY,
            label="skipped",
            zorder=4,
        )
    axes.set_ylabel("score")
    axes.yaxis.set_major_locator(FixedLocator([0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 1000]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.text(
        1.005,
        1,
        "level",
        transform=axes.get_yaxis_transform(),
        color=_ORANGE,
        va="center",
        fontsize=9,
    )
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, frameon=False, fontsize=9
    )
    for text in legend.get_texts():
        text.set_color(INK)


def _floor(values: npt.NDArray[np.float64]) -> float:
    """Lowest value that is drawn as what it is; a logarithm has no zero."""
    above = values[np.isfinite(values) & (values > 0)]
    lowest = float(above.min()) if above.size else _USUAL
    return min(max(0.8 * lowest, _LEAST), _USUAL)


def _changes(axes: Axes, series: Series) -> None:
    """Changed share of the picture, with the number of anomalies above each bar."""
    numbers = np.arange(1, len(series.rows) + 1)
    change = np.nan_to_num([row.change_percent for row in series.rows])
    axes.bar(numbers, change, width=0.85, color=_BLUE, alpha=0.45, linewidth=0)
    top = max(float(change.max(initial=0.0)) * 1.35, 0.1)
    axes.set_ylim(0, top)
    if len(numbers) <= 80:
        for number, row in zip(numbers, series.rows, strict=True):
            if row.count:
                axes.annotate(
                    str(row.count),
                    (float(number), change[number - 1]),
                    xytext=(0, 2),
                    textcoords="offset points",
                    ha="center",
                    fontsize=8,
                    color=INK,
                )
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.set_ylabel("changed, %")


def _tracks(axes: Axes, tracks: Sequence[Track], left_out: int, count: int) -> None:
    """One line per anomaly: a bar for every stay, in the colour of its type."""
    axes.set_yticks([])
    if not tracks:
        axes.text(
            0.5,
            0.5,
            "no anomalies",
            transform=axes.transAxes,
            ha="center",
            va="center",
            color=INK,
        )
        return
    axes.set_ylim(len(tracks) - 0.4 + bool(left_out), -0.6)
    axes.set_yticks(range(len(tracks)), [f"{track.id}  {plotted(track.type)}" for track in tracks])
    for line, track in enumerate(tracks):
        colour = "#{:02x}{:02x}{:02x}".format(*type_colour(track.type))
        first, last = track.first + 1, track.last + 1
        axes.plot([first, last], [line, line], color=_GREY, linewidth=0.8, zorder=1)
        for begin, end in track.visits:
            axes.barh(line, end - begin + 0.8, left=begin + 0.6, height=0.62, color=colour)
        # Beside the bar where there is room, else before it.
        right, left = last < 0.72 * count, first > 0.28 * count
        if right or left:
            axes.text(
                last + 0.8 if right else first - 0.8,
                line,
                track.story,
                ha="left" if right else "right",
                va="center",
                fontsize=8.5,
                color=INK,
            )
    if left_out:
        said = f"and {left_out} more, seen in fewer frames"
        axes.text(0.6, len(tracks), said, va="center", fontsize=8.5, color=INK, style="italic")


def _gaps(times: Sequence[datetime | None]) -> npt.NDArray[np.intp]:
    """Frames (from 0) before which there is a pause."""
    known = [time for time in times if time is not None]
    if len(known) < 3 or len(known) != len(times):
        return np.zeros(0, np.intp)
    steps = np.array([(b - a).total_seconds() for a, b in pairwise(known)])
    return np.flatnonzero(steps > _PAUSE * max(float(np.median(steps)), 1e-9)) + 1


def _pauses(axes: Axes, times: Sequence[datetime | None]) -> None:
    """Dotted lines where there are pauses: frames stand side by side, nights take no room."""
    gaps = _gaps(times)
    if len(gaps) <= 40:
        for gap in gaps:
            axes.axvline(gap + 0.5, color=_GREY, linewidth=0.7, linestyle=":", zorder=0)


def _time_axis(axes: Axes, series: Series) -> None:
    """Label frames with their times, the date where a day begins."""
    times, rows = series.times, series.rows
    count = len(times)
    axes.set_xlim(0.2, count + 0.8)
    if not count or any(time is None for time in times):
        axes.xaxis.set_major_locator(MaxNLocator(_LABELS, integer=True))
        files = [row.file for row in rows[:1] + rows[-1:] if row.file]
        # files are seldom counted as frames are: f0.jpg is frame 1
        axes.set_xlabel(f"frame, from {files[0]} to {files[-1]}" if files else "frame")
        return
    known = [time for time in times if time is not None]
    gap = max(count // _LABELS, 1)
    starts = [0, *(int(start) for start in _gaps(times))]
    if len(starts) > _LABELS:
        starts = [0]
    places = list(starts)
    for place in range(0, count, gap):
        if all(abs(place - other) >= 0.8 * gap for other in places):
            places.append(place)
    places.sort()
    labels, day = [], None
    whole = known[-1] - known[0]
    for place in places:
        time = known[place]
        clock = time.strftime("%H:%M:%S" if whole.total_seconds() < 300 else "%H:%M")
        labels.append(clock if time.date() == day else f"{clock}\n{time:%Y-%m-%d}")
        day = time.date()
    axes.xaxis.set_major_locator(FixedLocator([place + 1 for place in places]))
    axes.set_xticklabels(labels)
