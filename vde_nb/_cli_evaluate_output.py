"""What ``vde-nb evaluate`` says of its figures, and the files that hold them."""

from __future__ import annotations

import io
import math
import operator
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vde_nb._console import safe
from vde_nb._table import Table

if TYPE_CHECKING:
    from vde_nb.evaluate import Report

__all__ = ["FIGURES", "FILES", "summary", "worse", "write_files"]

#: What is written to the folder of ``--out``, in this order.
FILES = ("report.json", "mistakes.csv", "report.png", "mistakes.png")
_ROWS = 12  # of mistakes on the terminal; the file has up to 1000 of a kind

#: What is measured: how it is said, and whether more of it is better.
FIGURES = {
    "precision": ("of what was found is true", True),
    "recall": ("of what is true was found", True),
    "f1": ("harmonic mean of both", True),
    "pixel_iou": ("overlap of outlines and true masks", True),
    "pixel_ap": ("average precision of the heatmap's pixels", True),
    "auroc": ("changed pairs score above sound ones", True),
    "false_alarm_rate": ("of the sound pairs have a false alarm", False),
    "type_accuracy": ("of the matched boxes have the right type", True),
    "milliseconds": ("a pair takes, in the mean", False),
}


def worse(report: Report, least: list[dict[str, float]], most: list[dict[str, float]]) -> list[str]:
    """What is worse than was asked for, in words."""
    wrong = []
    for limits, is_worse, word in ((least, operator.lt, "under"), (most, operator.gt, "over")):
        for name, limit in (item for one in limits for item in one.items()):
            value = report.figures[name]
            if math.isnan(value):
                wrong.append(f"{name} cannot be told from these pairs, {limit:.15g} was asked for")
            elif is_worse(value, limit):
                # as many digits as it takes to see it
                digits = next((n for n in range(3, 17) if round(value, n) != round(limit, n)), 17)
                wrong.append(f"{name} {value:.{digits}f} is {word} {limit:.15g}")
    return wrong


def summary(report: Report, kind: str, targets: list[Path], wrong: list[str]) -> list[str]:
    count = report.pairs
    lines = [
        f"{count} {'pair' if count == 1 else 'pairs'} ({safe(kind)}), {report.sound_pairs} of them "
        f"sound; method {report.method}",
        f"{report.true} true, {report.found} found, {report.matched} of them match at IoU > "
        f"{report.min_iou:g}",
        "",
    ]
    for name, value in report.figures.items():
        said = "–" if math.isnan(value) else f"{value:.{0 if name == 'milliseconds' else 3}f}"
        lines.append(f"  {name:<16}  {said:>6}  {FIGURES[name][0]}")
    if report.types and any(report.types):
        lines += ["", *_table(report.type_table)]
    if any(true for true, _ in report.confusion):
        lines += ["", "What matched, by its true type and the type it was given:"]
        lines += _table(report.confusion_table)
    lines += _strange(report)
    if report.sweep:
        lines += ["", "threshold  precision  recall     f1"]
        for point in report.sweep:
            figures = (point.precision, point.recall, point.f1)
            cells = ["–" if math.isnan(value) else f"{value:.3f}" for value in figures]
            lines.append(f"{point.threshold:>9}  {cells[0]:>9}  {cells[1]:>6}  {cells[2]:>5}")
    if report.mistakes:
        rows = _table(report.mistake_table)
        more = len(rows) - 1 - _ROWS
        lines += ["", "Mistakes:", *rows[: _ROWS + 1]]
        if more > 0:
            where = "mistakes.csv has them" if targets else "--out DIR writes them"
            lines.append(f"and {more} more; {where}")
    lines += ["", "Written:", *(f"  {path}" for path in targets)] if targets else []
    if wrong:
        lines += ["", "Failed:"]
        for one in wrong:
            lines += textwrap.wrap(one, 79, initial_indent="  ", subsequent_indent="    ")
    return lines


def _strange(report: Report) -> list[str]:
    """A note on types of the labels that nothing can be called here."""
    from vde_nb.classify import anomaly_types

    strange = sorted({*report.types} - {"", *anomaly_types()})
    if not strange:
        return []
    names = ", ".join(strange[:6]) + (", ..." if len(strange) > 6 else "")
    note = (
        f"Nothing is called {names} here, so that these names never match. A plug-in brings types "
        "of your own: vde-nb plugin new"
    )
    return ["", *textwrap.wrap(note, 79, break_long_words=False)]


def _table(table: Table) -> list[str]:
    """The lines of a table; a name with a line break in it makes no line of its own."""
    rows = [{safe(name): safe(value) for name, value in row.items()} for row in table]
    return repr(Table(rows)).splitlines()


def write_files(report: Report, targets: list[Path], overwrite: bool) -> None:
    from vde_nb._write import write_all

    def picture(draw: Callable[[], Any]) -> bytes:
        buffer = io.BytesIO()
        draw().savefig(buffer, format="png", dpi=120)
        return buffer.getvalue()

    # drawn here, one after the other: matplotlib is not made for several threads
    contents: tuple[bytes | str, ...] = (
        report.to_json(),
        _mistakes(report),
        picture(report.plot),
        picture(partial(report.plot_mistakes, ("missed", "false alarm", "misnamed"))),
    )
    made = dict(zip(targets, contents, strict=True))
    write_all({path: partial(made.__getitem__, path) for path in targets}, overwrite=overwrite)


def _mistakes(report: Report) -> str:
    r"""One row per mistake as CSV (RFC 4180); what a spreadsheet would run is defused."""
    import csv

    from vde_nb._text import defused, readable

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["pair", "mistake", "true", "given", "x", "y", "w", "h", "overlap"])
    for one in report.mistakes:
        names = (defused(readable(name)) for name in (one.pair, one.kind, one.true, one.given))
        overlap = "" if math.isnan(one.overlap) else f"{one.overlap:.4f}"
        writer.writerow([*names, *map(int, one.box), overlap])
    return text.getvalue()
