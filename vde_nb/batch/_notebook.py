"""What a notebook shows for a run: counts and the worst pairs, static and escaped."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import cv2

from vde_nb._draw import SEVERITY_COLOURS, reduce_picture
from vde_nb._tags import ink
from vde_nb._text import escaped
from vde_nb.batch._page_parts import css_colour, duration, expected, outcome
from vde_nb.batch._row import SEVERITIES, Row
from vde_nb.images import load

if TYPE_CHECKING:
    from vde_nb.batch.run import Run

__all__ = ["notebook_html"]

_ROWS = 10
_WIDTH = 900
#: Bytes of all thumbnails together at most, before base64: a notebook keeps what it shows.
_BUDGET = 200_000
_NOTES, _LETTERS = 8, 160
_THUMBNAIL = 360  # pixels wide at most: twice of what is shown

_CELL = "padding:4px 8px;text-align:left;vertical-align:middle"
_NUMBER = "padding:4px 8px;text-align:right;vertical-align:middle;white-space:nowrap"
_CHIP = (
    "display:inline-block;margin:0 4px 2px 0;padding:0 7px;border-radius:5px;font-weight:600;"
    "white-space:nowrap"
)


def notebook_html(run: Run) -> str:
    """HTML of a run: headline, counts, the ten worst pairs with thumbnails, notes.

    It holds everything it needs: no script, no style sheet, no link. Texts are escaped.
    """
    parts = [_headline(run), _counts(run), _worst(run)]
    notes = run.notes[:_NOTES]
    if notes:
        said = "".join(f"<li>{escaped(note)}</li>" for note in notes)
        more = len(run.notes) - len(notes)
        said += f"<li>and {more} more</li>" if more else ""
        parts.append(f'<p style="margin:8px 0 0 0">Notes</p><ul style="margin:0">{said}</ul>')
    return f'<div style="max-width:{_WIDTH}px;overflow-wrap:anywhere">{"".join(parts)}</div>'


def _headline(run: Run) -> str:
    tally, (_, label, words) = run.tally, outcome(run)
    parts = [f"{tally.total:,} {'pair' if tally.total == 1 else 'pairs'}"]
    if expected(run) > tally.total:
        parts[0] = f"{tally.total:,} of {expected(run):,} pairs"
    parts.append(f"{tally.changed:,} changed")
    parts.append(f"{tally.clean:,} clean")
    elapsed = run.timings()["elapsed"]
    if elapsed:
        parts.append(duration(elapsed))
    if run.state != "finished":
        parts.append(run.state)
    said = escaped(" \u00b7 ".join(parts))
    if run.rule:
        said += f" \u00b7 rule <code>{escaped(_short(run.rule))}</code>"
    return (
        f'<p style="margin:0"><strong>{label}: {words}</strong></p>'
        f'<p style="margin:0 0 6px 0">{said}</p>'
    )


def _counts(run: Run) -> str:
    """Anomalies of each severity as chips, and the most frequent types."""
    grades = "".join(_chip(name, run.tally.severities[name]) for name in reversed(SEVERITIES))
    if not grades:
        return ""
    types = list(run.types.items())
    named = ", ".join(
        f"<bdi>{escaped(name[:_LETTERS])}</bdi>\u00a0{count:,}" for name, count in types[:6]
    )
    more = f" and {len(types) - 6} more types" if len(types) > 6 else ""
    return f'<p style="margin:0 0 6px 0">{grades}{named}{more}</p>'


def _chip(severity: str, count: int) -> str:
    fill = SEVERITY_COLOURS[severity]
    colours = f"background:{css_colour(fill)};color:{css_colour(ink(fill))}"
    return f'<span style="{_CHIP};{colours}">{count:,} {severity}</span>' if count else ""


def _worst(run: Run) -> str:
    left, lines = _BUDGET, []
    for row in run.worst(_ROWS):
        data = run.thumbnail(row)
        small = None if data is None else _small(data)
        if small is not None and len(small) <= left:
            left -= len(small)
        else:
            small = None
        lines.append(_line(row, small))
    if not lines:
        return ""
    heads = "".join(
        f'<th scope="col" style="{style}">{name}</th>'
        for name, style in (
            ("#", _NUMBER),
            ("Reference / current", _CELL),
            ("Pair", _CELL),
            ("Found", _CELL),
            ("Changed", _NUMBER),
            ("Score", _NUMBER),
        )
    )
    rest = len(run) - len(lines)
    more = f'<p style="margin:4px 0 0 0">and {rest:,} more, less bad</p>' if rest > 0 else ""
    return (
        '<div style="overflow-x:auto"><table style="margin:4px 0 0 0"><thead>'
        f"<tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>{more}"
    )


def _small(data: bytes) -> bytes:
    """A thumbnail as a notebook keeps it: half of what the run has, and made by us."""
    picture = load(data, max_megapixels=1).array
    factor = max(1, -(-picture.shape[1] // _THUMBNAIL))
    encoded = cv2.imencode(
        ".jpg", reduce_picture(picture, factor)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80]
    )
    return encoded[1].tobytes()


def _line(row: Row, thumbnail: bytes | None) -> str:
    picture = ""
    if thumbnail is not None:
        data = base64.b64encode(thumbnail).decode()
        picture = (
            '<img alt="Reference and annotated current picture" width="176" '
            'style="display:block;max-width:none;max-height:110px;object-fit:contain" '
            f'src="data:image/jpeg;base64,{data}">'
        )
    if row["status"] == "error":
        found = f"could not be compared: {escaped(_short(row['error'] or ''))}"
    else:
        chips = "".join(_chip(name, row["severities"][name]) for name in reversed(SEVERITIES))
        types = sorted(row["types"].items(), key=lambda one: (-one[1], one[0]))[:3]
        named = ", ".join(f"<bdi>{escaped(_short(name))}</bdi>" for name, _ in types)
        found = f"{chips}<br>{named}" if chips else "nothing"
    failed = " \u00b7 <strong>fails</strong>" if row["verdict"] == "fail" else ""
    if row.get("unlike", False):
        failed += f'<br><span style="{_CHIP};border:1px solid">other scene?</span>'
    change, score = row["change"], row["score"]
    cells = (
        (_CELL, picture),
        (f"{_CELL};min-width:130px", f"<bdi>{escaped(_short(row['name']))}</bdi>{failed}"),
        (_CELL, found),
        (_NUMBER, "" if change is None else f"{change:.2f} %"),
        (_NUMBER, "" if score is None else f"{score:.2f}"),
    )
    inner = "".join(f'<td style="{style}">{content}</td>' for style, content in cells)
    return f'<tr><th scope="row" style="{_NUMBER}">{row["number"]:,}</th>{inner}</tr>'


def _short(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}\u2026"
