"""The figure of a report. Imports matplotlib, so it is itself imported where it is used."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from vde_nb._plot import ComparisonFigure
from vde_nb._text import plotted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vde_nb.evaluate._report import Report

__all__ = ["plot"]

_BLUE, _ORANGE = "#0072b2", "#d55e00"  # told apart by colour-blind people as well


def plot(report: Report) -> Figure:
    """See :meth:`Report.plot`."""
    figure = ComparisonFigure(figsize=(11, 7.5), layout="constrained")
    last = "sweep" if report.sweep else "confusion"  # which is then as wide as the figure
    axes = figure.subplot_mosaic([["curve", "types"], ["confusion", last]])
    _curve(axes["curve"], report)
    _types(axes["types"], report)
    _confusion(axes["confusion"], report)
    if report.sweep:
        _sweep(axes["sweep"], report)
    figure.suptitle(f"{report.method}: {report.pairs} pairs, {report.sound_pairs} of them sound")
    return figure


def _empty(axes: Axes, why: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, why, ha="center", va="center", color="#767676")


def _square(axes: Axes, x: str, y: str) -> None:
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01), xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)


def _curve(axes: Axes, report: Report) -> None:
    precision, recall, _ = report.curve
    axes.set_title("Pixels of the heatmap")
    if not precision.size:
        _empty(axes, "no true masks")
        return
    axes.step([0, *recall], [precision[0], *precision], where="pre", color=_BLUE)
    axes.text(0.03, 0.05, f"average precision {report.pixel_ap:.3f}")
    _square(axes, "recall", "precision")


def _types(axes: Axes, report: Report) -> None:
    axes.set_title("Types")
    if not report.types:
        _empty(axes, "no true changes")
        return
    place = np.arange(len(report.types))
    bars = [
        ("recall of boxes", [one.recall for one in report.types.values()], _BLUE),
        ("pixel AP", [one.pixel_ap for one in report.types.values()], _ORANGE),
    ]
    for offset, (label, values, colour) in zip((-0.2, 0.2), bars, strict=True):
        shown = [0 if math.isnan(value) else value for value in values]
        axes.barh(place + offset, shown, 0.38, label=label, color=colour)
    axes.set_yticks(place, [plotted(name) or "(unnamed)" for name in report.types])
    axes.set(xlim=(0, 1.01))
    axes.invert_yaxis()
    # Beside the bars, which may fill the axes.
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False)


def _confusion(axes: Axes, report: Report) -> None:
    axes.set_title("True type and the type given")
    if not report.confusion:
        _empty(axes, "no types to compare")
        return
    true = sorted({name for name, _ in report.confusion})
    given = sorted({name for _, name in report.confusion})
    counts = np.array([[report.confusion.get((t, g), 0) for g in given] for t in true])
    axes.imshow(counts, cmap="Blues", aspect="auto")
    axes.set_xticks(range(len(given)), list(map(plotted, given)), rotation=35, ha="right")
    axes.set_yticks(range(len(true)), list(map(plotted, true)))
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = counts[row, column] > counts.max() / 2
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            color="white" if dark else "black",
        )


def _sweep(axes: Axes, report: Report) -> None:
    axes.set_title("Boxes by threshold")
    thresholds = [one.threshold for one in report.sweep]
    for label, style in (("precision", "--"), ("recall", ":"), ("f1", "-")):
        axes.plot(thresholds, [getattr(one, label) for one in report.sweep], style, label=label)
    axes.set(ylim=(0, 1.01), xlabel="threshold")
    axes.grid(alpha=0.3)
    axes.legend()
