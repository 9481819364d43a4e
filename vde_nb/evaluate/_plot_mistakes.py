"""The picture of what was missed and made up. Imports matplotlib, so imported where it is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle

from vde_nb._plot import ComparisonFigure
from vde_nb._text import plotted
from vde_nb.errors import SettingError
from vde_nb.evaluate._mistakes import FALSE_ALARM, KINDS, MISNAMED, MISSED, Mistake

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vde_nb.detect import Box
    from vde_nb.evaluate._report import Report

__all__ = ["plot_mistakes"]

# Told apart by colour-blind people, on light and dark pictures, and by their lines as well.
_TRUE: dict[str, Any] = {"edgecolor": "#e69f00", "linestyle": "-"}
_FOUND: dict[str, Any] = {"edgecolor": "#56b4e9", "linestyle": "--"}
#: Two in a row, and their letters, can be read from the last row of a classroom.
_COLUMNS, _WIDE, _HIGH = 2, 5.0, 3.1  # inches of each
_HEAD, _LETTERS = 13, 11  # points
_NAME = 40  # characters of a pair's name
_GAP = 0.04  # between the two pictures, as a share of one
_WORDS = {MISSED: "{} missed", FALSE_ALARM: "{} made up", MISNAMED: "{} misnamed"}


def plot_mistakes(report: Report, kinds: str | Sequence[str], most: int) -> Figure:
    """See :meth:`Report.plot_mistakes`."""
    asked = [kinds] if isinstance(kinds, str) else list(kinds)
    for kind in asked:
        if kind not in KINDS:
            raise SettingError(f"kinds={kinds!r} is not allowed: some of {', '.join(KINDS)}.")
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= 60:
        raise SettingError(f"most={most!r} is not allowed: a whole number from 1 to 60.")
    shown = _chosen(report.mistakes, asked, most)
    columns = min(_COLUMNS, max(len(shown), 1))
    rows = max(1, math.ceil(len(shown) / columns))
    figure = ComparisonFigure(figsize=(_WIDE * columns, _HIGH * rows + 0.8), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for one in axes:
        one.set_axis_off()
    for one, mistake in zip(axes, shown, strict=False):
        _draw(one, mistake)
    counts = {kind: sum(one.kind == kind for one in report.mistakes) for kind in asked}
    said = ", ".join(_WORDS[kind].format(counts[kind]) for kind in asked)
    figure.suptitle(f"{plotted(report.method)}: {said}", fontsize=_HEAD)
    if not shown:
        axes[0].text(0.5, 0.5, "none", ha="center", va="center", fontsize=_HEAD)
    else:
        keys = [Rectangle((0, 0), 1, 1, fill=False, **style) for style in (_TRUE, _FOUND)]
        figure.legend(
            keys,
            ["true", "found"],
            loc="outside lower center",
            ncols=2,
            frameon=False,
            fontsize=_LETTERS,
        )
    return figure


def _chosen(mistakes: Sequence[Mistake], kinds: Sequence[str], most: int) -> list[Mistake]:
    """Some of each kind, so that many of one do not hide another."""
    by_kind = [
        [one for one in mistakes if one.kind == kind and one.reference is not None]
        for kind in kinds
    ]
    turns = [one for one in chain(*zip_longest(*by_kind)) if one is not None][:most]
    return sorted(turns, key=lambda one: kinds.index(one.kind))


def _draw(axes: Axes, mistake: Mistake) -> None:
    """Both pictures in the pixels of the reference, so that boxes need no arithmetic."""
    x, y, w, h = mistake.window
    step = w * (1 + _GAP)
    for picture, shift in ((mistake.reference, 0.0), (mistake.current, step)):
        assert picture is not None
        axes.imshow(picture, extent=(x + shift, x + shift + w, y + h, y))
        for boxes, style in ((mistake.true_boxes, _TRUE), (mistake.found_boxes, _FOUND)):
            for box in boxes:
                wide = 2.8 if box == mistake.box else 1.4
                axes.add_patch(_rectangle(box, mistake.window, shift, wide, style))
    axes.set(xlim=(x, x + step + w), ylim=(y + h, y))
    overlap = f", overlap {mistake.overlap:.2f}" if mistake.overlap else ""
    name = f"{plotted(mistake.pair, _NAME)}{overlap}"
    axes.set_title(f"{plotted(mistake.words)}\n{name}", fontsize=_LETTERS)


def _rectangle(
    box: Box, window: Box, shift: float, wide: float, style: dict[str, Any]
) -> Rectangle:
    """A box, cut to the window: it must not reach into the other picture."""
    x, y, w, h = box
    left, top = max(x, window[0]), max(y, window[1])
    right, bottom = min(x + w, window[0] + window[2]), min(y + h, window[1] + window[3])
    size = right - left, bottom - top
    return Rectangle((left + shift, top), *size, fill=False, linewidth=wide, **style)
