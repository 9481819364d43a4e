"""The five-panel figure. Imports matplotlib, so it is itself imported where it is used."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from vde_nb._draw import by_severity, draw_reduced, reduce_map, reduce_picture
from vde_nb.classify import SEVERITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vde_nb.comparison import Comparison

UInt8: TypeAlias = npt.NDArray[np.uint8]

__all__ = ["INK", "PAPER", "ComparisonFigure", "five_panels"]

#: Longest side of a panel's picture in pixels. A panel has 420, or twice that on a fine screen;
#: more would cost time, and leave letters that were made for a larger picture.
_LONGEST = 840
#: On paper of their own, so that figures read alike in light and dark themes (12.6 to 1): no grey
#: has more than 4.5 to 1 on both.
INK, PAPER = "#333333", "#ffffff"
_PANEL_INCHES = 4.2


class ComparisonFigure(Figure):
    """A figure that a notebook shows whether or not pyplot has been imported."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=self.dpi)  # by itself it takes the first one
        return buffer.getvalue()


def five_panels(comparison: Comparison) -> Figure:
    """See :func:`vde_nb.figure.plot`."""
    height, width = comparison.pair.shape
    factor = math.ceil(max(height, width) / _LONGEST)
    current, annotated = draw_reduced(comparison, by_severity, factor)

    figure = ComparisonFigure(facecolor=PAPER)
    grid = _Grid(figure, height / width)
    grid.show(0, "Reference", reduce_picture(comparison.reference, factor))
    grid.show(1, "Current", current)
    heat = reduce_map(comparison.heatmap, factor)
    axes = grid.show(2, "Combined difference map", heat, cmap="inferno", vmin=0, vmax=255)
    grid.colour_bar(axes)
    mask = reduce_map(comparison.mask.view(np.uint8), factor)
    grid.show(3, "Aggregated mask", mask, cmap="gray", vmin=0, vmax=1)
    grid.show(4, "Final annotated output", annotated)
    grid.write(5, _summary(comparison))
    return figure


class _Grid:
    """Cells of two rows and three columns, laid out in inches.

    matplotlib's own layouts draw everything once to measure it, which takes as long again as
    drawing.
    """

    _TITLE, _GAP, _BAR = 0.38, 0.15, 0.65

    def __init__(self, figure: Figure, height_by_width: float) -> None:
        # Strips get panels of bearable proportions that hold the summary, and nothing around them.
        self._panel = _PANEL_INCHES * min(max(height_by_width, 0.6), 1.6)
        self._figure = figure
        self._size = (
            3 * _PANEL_INCHES + 3 * self._GAP + self._BAR,
            2 * (self._panel + self._TITLE) + self._GAP,
        )
        figure.set_size_inches(self._size)

    def _axes(self, cell: int) -> Axes:
        row, column = divmod(cell, 3)
        width, height = self._size
        left = self._GAP + column * (_PANEL_INCHES + self._GAP)
        bottom = self._GAP + (1 - row) * (self._panel + self._TITLE)
        return self._figure.add_axes(
            (left / width, bottom / height, _PANEL_INCHES / width, self._panel / height)
        )

    def show(self, cell: int, title: str, picture: UInt8, **options: Any) -> Axes:
        """Show a picture under its title."""
        axes = self._axes(cell)
        axes.imshow(picture, **options)
        axes.set_title(title, color=INK, fontsize=12)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():  # a light panel must end somewhere on the paper
            spine.set(color=INK, linewidth=0.5)
        return axes

    def colour_bar(self, axes: Axes) -> None:
        """Draw the scale of the picture in `axes` to its right."""
        rows, columns = axes.images[0].get_size()
        ticks = range(0, 256, 51) if rows > 0.4 * columns else (0, 255)
        bar = axes.inset_axes((1.02, 0, 0.035, 1))
        scale = self._figure.colorbar(axes.images[0], cax=bar, ticks=ticks)
        bar.tick_params(color=INK, labelcolor=INK, labelsize=9)
        scale.outline.set(edgecolor=INK, linewidth=0.5)

    def write(self, cell: int, lines: Sequence[tuple[str, str]]) -> None:
        """Write names and values below each other."""
        axes = self._axes(cell)
        axes.set_axis_off()
        for number, (name, value) in enumerate(lines):
            # Line by line: letters of different heights would shift one column against the other.
            y = 0.5 + ((len(lines) - 1) / 2 - number) * 0.28 / self._panel
            for x, text in ((0.08, name), (0.48, value)):
                axes.text(x, y, text, color=INK, fontsize=12, va="center_baseline")


def _summary(comparison: Comparison) -> list[tuple[str, str]]:
    counts = Counter(anomaly.severity for anomaly in comparison.anomalies)
    return [
        ("Anomalies", str(len(comparison.anomalies))),
        *((f"    {severity}", str(counts[severity])) for severity in reversed(SEVERITIES)),
        ("SSIM", f"{comparison.ssim_score:.4f}"),
        ("Changed", f"{comparison.change_score_percent:.2f} %"),
        ("Method", comparison.method),
        ("Threshold", str(comparison.threshold)),
    ]
