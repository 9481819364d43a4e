"""What an evaluation says: figures, a table, a plot."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vde_nb._table import Table
from vde_nb._text import escaped
from vde_nb._write import write_atomically
from vde_nb.export._text import dump

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vde_nb.evaluate._mistakes import Mistake

__all__ = ["MethodTable", "Report", "SweepPoint", "TypeReport"]


class _Boxes:
    """Precision, recall and F1 of boxes, from how many were matched."""

    matched: int
    found: int
    true: int

    @property
    def precision(self) -> float:
        """Share of what was found that is true; NaN if nothing was found."""
        return _share(self.matched, self.found)

    @property
    def recall(self) -> float:
        """Share of what is true that was found; NaN if nothing is true."""
        return _share(self.matched, self.true)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 · matched / (found + true)."""
        return _share(2 * self.matched, self.found + self.true)


@dataclass(frozen=True)
class SweepPoint(_Boxes):
    """Boxes at one threshold.

    Attributes
    ----------
    threshold
        Of the heatmap.
    matched, found, true
        How many boxes.
    """

    threshold: int
    matched: int
    found: int
    true: int


@dataclass(frozen=True)
class TypeReport:
    """How well the changes of one type are found.

    Attributes
    ----------
    true, matched
        How many there are, and how many of their boxes were matched.
    pixel_ap
        Average precision of the heatmap over the pairs that have this type: its pixels are the
        positives, pixels of other true regions are ignored. NaN without masks.
    recall_at_alarm
        Share that is seen at :attr:`Report.alarm_level`; NaN without sound pairs.
    """

    true: int
    matched: int
    pixel_ap: float
    recall_at_alarm: float

    @property
    def recall(self) -> float:
        """Share of the boxes that was matched."""
        return _share(self.matched, self.true)


@dataclass(frozen=True, eq=False, repr=False)
class Report(_Boxes):
    """Figures of one method over labelled pairs.

    Figures that cannot be told from the pairs are NaN: those about pixels without true masks,
    those about false alarms without sound pairs.

    Attributes
    ----------
    method
        What was evaluated.
    pairs, sound_pairs, masked_pairs
        How many pairs, how many of them without any true change, and how many with true masks.
    min_iou
        Boxes match one to one if their IoU is larger than this.
    slack
        Pixels around a true region that count neither way in `pixel_ap`.
    found, true, matched
        How many boxes were found, how many there are, how many match.
    pixel_iou
        Intersection over union of what was outlined with the true masks, over all pairs.
    pixel_ap
        Average precision of the heatmap over the pixels of all pairs.
    auroc
        Area under the ROC curve of the image score over pairs with and without changes: the
        comparison's `evidence_score` where it has one, else the maximum of its clean heatmap.
    false_alarm_rate
        Share of the sound pairs in which anything was found.
    alarm_rate, alarm_level
        At most the share `alarm_rate` of the sound pairs has an image score above `alarm_level`.
    type_accuracy
        Share of the matched boxes that got the right type.
    types
        A `TypeReport` for each true type.
    confusion
        How many matched boxes of the true type were called something: ``{(true, found): count}``.
    curve
        Precision, recall and level of the heatmap over the pixels, from the highest level down.
    sweep
        Boxes at other thresholds, if that was asked for.
    milliseconds
        Mean time of a comparison.
    mistakes
        What was missed, made up or misnamed: a :class:`Mistake` for each, up to 1000 of a kind,
        of which 48, at most 6 of a pair, hold cuttings of the pictures. See `mistake_table`,
        `plot_mistakes`.
    """

    method: str
    pairs: int
    sound_pairs: int
    masked_pairs: int
    min_iou: float
    slack: int
    alarm_rate: float
    found: int
    true: int
    matched: int
    pixel_iou: float
    pixel_ap: float
    auroc: float
    false_alarm_rate: float
    alarm_level: float
    type_accuracy: float
    types: Mapping[str, TypeReport]
    confusion: Mapping[tuple[str, str], int]
    curve: tuple[npt.NDArray[Any], ...] = field(repr=False)
    sweep: tuple[SweepPoint, ...]
    milliseconds: float
    mistakes: tuple[Mistake, ...] = field(default=(), repr=False)

    @property
    def figures(self) -> dict[str, float]:
        """The figures of the whole, by name."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "pixel_iou": self.pixel_iou,
            "pixel_ap": self.pixel_ap,
            "auroc": self.auroc,
            "false_alarm_rate": self.false_alarm_rate,
            "type_accuracy": self.type_accuracy,
            "milliseconds": self.milliseconds,
        }

    @staticmethod
    def table(reports: Sequence[Report]) -> MethodTable:
        """Line several reports up, one row each."""
        return MethodTable(reports)

    @property
    def type_table(self) -> Table:
        """The figures of each type, one row each.

        Of `true` changes of the type `matched` have a found box of their own, whatever that is
        called; `recall` is their share. The other two are :class:`TypeReport`'s.
        """
        return Table(
            [
                {
                    "type": name or "(unnamed)",
                    "true": one.true,
                    "matched": one.matched,
                    "recall": _said(one.recall),
                    "pixel AP": _said(one.pixel_ap),
                    f"recall at {self.alarm_rate:.0%} alarms": _said(one.recall_at_alarm),
                }
                for name, one in self.types.items()
            ]
        )

    @property
    def confusion_table(self) -> Table:
        """True types in rows, the types they were given in columns."""
        given = sorted({found for _, found in self.confusion})
        return Table(
            [
                {
                    "true \\ given": true,
                    **{found: self.confusion.get((true, found), 0) for found in given},
                }
                for true in sorted({true for true, _ in self.confusion})
            ]
        )

    @property
    def mistake_table(self) -> Table:
        """What was missed, made up or misnamed, one row each."""
        return Table(
            [
                {
                    "pair": one.pair,
                    "mistake": one.kind,
                    "true": one.true or "–",
                    "given": one.given or "–",
                    "box": str(tuple(map(int, one.box))),
                    "overlap": _said(one.overlap),
                }
                for one in self.mistakes
            ]
        )

    def to_json(
        self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False
    ) -> str:
        """The report as strict JSON text; figures that are not known are null.

        Parameters
        ----------
        path
            Where to write it as well.
        overwrite
            Replace the file if it exists.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        precision, recall, levels = self.curve
        text = dump(
            {
                "method": self.method,
                "pairs": self.pairs,
                "sound_pairs": self.sound_pairs,
                "masked_pairs": self.masked_pairs,
                "min_iou": self.min_iou,
                "slack": self.slack,
                "boxes": {"found": self.found, "true": self.true, "matched": self.matched},
                "figures": {name: _known(value) for name, value in self.figures.items()},
                "alarm": {"rate": self.alarm_rate, "level": _known(self.alarm_level)},
                "types": {
                    name: {
                        "true": one.true,
                        "matched": one.matched,
                        "recall": _known(one.recall),
                        "pixel_ap": _known(one.pixel_ap),
                        "recall_at_alarm": _known(one.recall_at_alarm),
                    }
                    for name, one in self.types.items()
                },
                "confusion": [
                    {"true": true, "given": given, "count": count}
                    for (true, given), count in self.confusion.items()
                ],
                "pixel_curve": {
                    "level": levels.tolist(),
                    "precision": precision.tolist(),
                    "recall": recall.tolist(),
                },
                "sweep": [
                    {
                        "threshold": one.threshold,
                        "precision": _known(one.precision),
                        "recall": _known(one.recall),
                        "f1": _known(one.f1),
                    }
                    for one in self.sweep
                ],
                "mistakes": [
                    {
                        "pair": one.pair,
                        "kind": one.kind,
                        "box": [int(value) for value in one.box],
                        "true": one.true,
                        "given": one.given,
                        "overlap": _known(one.overlap),
                    }
                    for one in self.mistakes
                ],
            }
        )
        if path is not None:
            write_atomically(path, text, overwrite=overwrite)
        return text

    def plot(self) -> Figure:
        """Precision and recall of the pixels, the types, their confusion, and the sweep if any."""
        from vde_nb.evaluate._plot import plot

        return plot(self)

    def plot_mistakes(
        self, kinds: str | Sequence[str] = ("missed", "false alarm"), *, most: int = 12
    ) -> Figure:
        """Draw what was missed and made up: reference and current side by side, with all boxes.

        Parameters
        ----------
        kinds
            Which of ``"missed"``, ``"false alarm"`` and ``"misnamed"``.
        most
            How many at most, 1 to 60; where there are more, some of each kind, those of the first
            pairs.

        Returns
        -------
        Figure
            Of matplotlib; a notebook shows it.

        Raises
        ------
        SettingError
            There is no such kind, or `most` is no such number.
        """
        from vde_nb.evaluate._plot_mistakes import plot_mistakes

        return plot_mistakes(self, kinds, most)

    def __repr__(self) -> str:
        parts = [
            f"{self.method}, {self.pairs} pairs ({self.sound_pairs} sound)",
            f"F1 {_said(self.f1)} (precision {_said(self.precision)}, recall "
            f"{_said(self.recall)}) at IoU > {self.min_iou:g}",
        ]
        for name, value in (
            ("pixel AP", self.pixel_ap),
            ("AUROC", self.auroc),
            ("false alarms", self.false_alarm_rate),
            ("type accuracy", self.type_accuracy),
        ):
            if not math.isnan(value):
                parts.append(f"{name} {_said(value)}")
        return f"Report({', '.join(parts)})"

    def _repr_html_(self) -> str:
        parts = [f"<p>{escaped(repr(self))}</p>", self.type_table._repr_html_()]
        if self.confusion:
            parts.append(self.confusion_table._repr_html_())
        return "".join(parts)


class MethodTable(Table):
    """Reports of several methods, one row each.

    Attributes
    ----------
    reports
        The reports.
    """

    def __init__(self, reports: Sequence[Report]) -> None:
        self.reports = tuple(reports)
        super().__init__(
            [
                {
                    "method": report.method,
                    "pairs": report.pairs,
                    "precision": _said(report.precision),
                    "recall": _said(report.recall),
                    "F1": _said(report.f1),
                    "pixel IoU": _said(report.pixel_iou),
                    "pixel AP": _said(report.pixel_ap),
                    "AUROC": _said(report.auroc),
                    "false alarms": _said(report.false_alarm_rate),
                    "type accuracy": _said(report.type_accuracy),
                    "a pair takes": f"{report.milliseconds:.0f} ms",
                }
                for report in self.reports
            ]
        )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _said(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _known(value: float) -> float | None:
    return None if not np.isfinite(value) else float(value)
