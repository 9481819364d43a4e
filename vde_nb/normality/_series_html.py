"""What a notebook shows for a series: its figure and a table of anomalies, static and escaped."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from vde_nb._text import escaped

if TYPE_CHECKING:
    from vde_nb.normality._series import Series

__all__ = ["notebook_html"]

#: Rows of the table in a notebook.
_ROWS = 20
_WIDTH = 900
#: Columns of the table, and the side their cells are aligned to.
_SIDES = {"track": "left", "frames": "right", "persistence": "right", "area": "right"}


#: Words and numbers of a cell are never broken.
_CELL = "padding:2px 7px;white-space:nowrap;overflow-wrap:normal;word-break:normal"


def notebook_html(series: Series) -> str:
    """HTML of a series: headline, figure, table of anomalies, drift and notes.

    It holds everything it needs: no script, no style sheet, no link. Names are escaped.
    """
    parts = [_headline(series), _picture(series)]
    if series.tracks:
        parts.append(_table(series))
    if len(series.tracks) > _ROWS:
        parts.append(f"<p>\u2026 and {len(series.tracks) - _ROWS} more, seen in fewer frames</p>")
    said = "".join(f"<li>{escaped(note)}</li>" for note in (series.drift.text, *series.notes))
    parts.append(f'<p style="margin:8px 0 0 0">Notes</p><ul style="margin:0">{said}</ul>')
    return f'<div style="max-width:{_WIDTH}px;overflow-wrap:anywhere">{"".join(parts)}</div>'


def _headline(series: Series) -> str:
    found = sum(bool(row.count) for row in series.rows)
    tracks = len(series.tracks)
    said = f"{tracks} {'anomaly' if tracks == 1 else 'anomalies'}" if tracks else "Nothing found"
    if not series.judged:
        said = "Not one picture could be judged"
    count = len(series.rows)
    parts = [f"{count} {'frame' if count == 1 else 'frames'}"]
    if tracks:
        parts.append(f"something in {found} of them")
    if series.skipped:
        parts.append(f"{len(series.skipped)} not judged")
    joined = " \u00b7 ".join(parts)
    span = ""
    if series.rows[0].time is not None:
        span = f"<small>{escaped(series.when(0))} to {escaped(series.when(count - 1))}</small>"
    return (
        f'<p style="margin:0"><strong>{said}</strong> \u00b7 {joined}</p>'
        f'<p style="margin:0 0 6px 0">{span}</p>'
    )


def _picture(series: Series) -> str:
    buffer = io.BytesIO()
    series.plot().savefig(buffer, format="png", dpi=100)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<img alt="Scores of {len(series.rows)} frames over time" '
        f'src="data:image/png;base64,{data}" style="max-width:100%;height:auto">'
    )


def _table(series: Series) -> str:
    rows = [series.line(track) for track in series.foremost(_ROWS)]
    names = [name for name in rows[0] if name != "box"]
    head = "".join(
        f'<th scope="col" style="{_CELL};text-align:{_SIDES.get(name, "left")}">'
        f"{escaped(name)}</th>"
        for name in names
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="{_CELL};text-align:{_SIDES.get(name, "left")}">{escaped(row[name])}</td>'
            for name in names
        )
        + "</tr>"
        for row in rows
    )
    return (
        '<div style="overflow-x:auto"><table style="margin:8px 0 0 0"><thead>'
        f"<tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
