"""Rows of the page about a run: packed for its script, and as the markup of its static table."""

from __future__ import annotations

from typing import Any

from vde_nb._text import escaped
from vde_nb.batch._files import THUMBNAIL
from vde_nb.batch._row import SEVERITIES, STATES, Row

__all__ = ["LINKS", "Words", "attribute", "given", "static_row", "tells_ways"]

#: Files of a pair that a row links to, and what the links say.
LINKS = (
    ("report.html", "report"),
    ("results.json", "results"),
    ("annotated.png", "annotated"),
    ("heatmap.png", "heatmap"),
    ("mask.png", "mask"),
    ("coco.json", "COCO"),
    ("anomalies.csv", "CSV"),
)
_VERDICTS = (None, "pass", "fail")
#: What a name and a thumbnail lead to, the best of what there is.
_OPENED = ("report.html", "annotated.png", THUMBNAIL)
_TYPES, _NOTES, _GIVEN = 3, 20, 6  # shown of a row
_MOST_GIVEN, _LONGEST = 20, 200  # further columns that are searched, and letters of each


def given(row: Row) -> list[tuple[str, str]]:
    """Further columns of a row that have a value, as text; not too many, nor too long."""
    filled = [(name, str(value)) for name, value in row["given"].items() if value not in (None, "")]
    return [(name[:_LONGEST], value[:_LONGEST]) for name, value in filled[:_MOST_GIVEN]]


def tells_ways(row: Row, source: str) -> bool:
    """Whether the paths of a row say more than its name and, at the head of the page, `source`.

    >>> row = {"name": "a.png", "reference": "golden/a.png", "current": "today/a.png"}
    >>> tells_ways(row, "golden and today"), tells_ways(row, "pairs.csv")
    (False, True)
    """
    name = row["name"]
    texts = [text for text in (row["reference"], row["current"]) if text]
    if not {*texts} - {name}:
        return False
    folders = " and ".join(text.removesuffix(name).rstrip("/\\") for text in texts)
    return folders != source or not all(text.endswith(name) for text in texts)


class Words:
    """Packs rows into lists for JSON; texts that many rows share are held once.

    Attributes
    ----------
    listed
        The texts; rows have their positions.
    """

    def __init__(self) -> None:
        self.listed: list[str] = []
        self._known: dict[str, int] = {}

    def _at(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = len(self.listed)
            self.listed.append(text)
        return self._known[text]

    def pack(self, row: Row, ways: bool) -> list[Any]:
        """One row; ``unpack`` in ``summary.mjs`` names what is where."""
        grades = row["severities"]
        files = {*row["files"]}
        return [
            row["number"],
            row["name"],
            row["reference"],
            row["current"],
            STATES.index(row["status"]),
            _VERDICTS.index(row["verdict"]),
            row["anomalies"],
            [grades[name] for name in SEVERITIES],
            [[self._at(name), count] for name, count in _common(row)],
            row["change"],
            row["ssim"],
            row["score"],
            row["largest"],
            (row["folder"] or "")[len("pairs/ab/") :],
            sum(1 << bit for bit, (name, _) in enumerate(LINKS) if name in files),
            int(THUMBNAIL in files),
            self._at(row["error"]) if row["error"] else None,
            [self._at(note) for note in row["notes"][:_NOTES]],
            int(row["same_as"] is not None),
            int(row.get("unlike", False)),
            int(ways),
            [[self._at(name), value] for name, value in given(row)],
        ]


def static_row(row: Row, prefix: str | None, ways: bool) -> str:
    """One row of the table; ``makeRow`` in ``summary.mjs`` makes the same.

    Parameters
    ----------
    row
        Checked, see :func:`vde_nb.batch._row.checked_row`.
    prefix
        What stands before ``pairs/…`` in addresses; None where nothing is linked.
    ways
        Whether paths are shown, see :func:`tells_ways`.
    """
    folder = f"{prefix}{row['folder']}/" if row["folder"] and prefix is not None else ""
    known = {*row["files"]} if folder else set()
    links = [(folder + file, text) for file, text in LINKS if file in known]
    opened = next((folder + name for name in _OPENED if name in known), "")
    change, ssim, score, largest = (row[key] for key in ("change", "ssim", "score", "largest"))
    if row["error"]:  # over the columns of what was not found
        found = [("why", "", f"<p>{escaped(row['error'])}</p>")]
    else:
        found = [
            ("chips", "Anomalies", _chips(row)),
            ("types", "Types", _types(row)),
            ("number", "Changed", _percent(change)),
        ]
    cells = (
        ("thumb", "", _picture(folder, opened) if THUMBNAIL in known else ""),
        ("who", "", _who(row, opened, ways)),
        ("result", "Result", _result(row)),
        *found,
        ("number ssim", "SSIM", "" if ssim is None else f"{ssim:.4f}"),
        ("number score", "Score", "" if score is None else f"{score:.2f}"),
        ("number largest", "Largest", "" if largest is None else f"{largest:,} px\u00b2"),
        ("links", "Files", "".join(f'<a href="{address}">{text}</a>' for address, text in links)),
    )
    inner = "".join(
        f'<td class="{kind}"{attribute("data-label", label)}'
        f"{attribute('colspan', '3' if kind == 'why' else '')}>{content}</td>"
        for kind, label, content in cells
    )
    return f'<tr><th scope="row" class="number">{row["number"]:,}</th>{inner}</tr>\n'


def _picture(folder: str, opened: str) -> str:
    picture = (
        f'<img src="{folder}{THUMBNAIL}" width="184" height="69" loading="lazy" '
        'decoding="async" alt="Reference and annotated current picture">'
    )
    return f'<a href="{opened}" tabindex="-1">{picture}</a>'


def _who(row: Row, opened: str, ways: bool) -> str:
    name, reference, current = row["name"], row["reference"], row["current"]
    title = f"<bdi>{escaped(name)}</bdi>"
    if opened:
        title = f'<a href="{opened}">{title}</a>'
    said = f'<p class="name">{title}</p>'
    if ways:
        told = " \u2192 ".join(f"<bdi>{escaped(one)}</bdi>" for one in (reference, current) if one)
        said += f'<p class="soft">{told}</p>'
    further = given(row)
    if further:
        told = "".join(
            f"<span><bdi>{escaped(name)}</bdi> <b><bdi>{escaped(value)}</bdi></b></span>"
            for name, value in further[:_GIVEN]
        )
        if len(further) > _GIVEN:
            told += f"<span>and {len(further) - _GIVEN} more</span>"
        said += f'<p class="soft given">{told}</p>'
    notes = row["notes"][:_NOTES]
    if notes:
        listed = "".join(f"<li>{escaped(note)}</li>" for note in notes)
        count = f"{len(notes)} {'note' if len(notes) == 1 else 'notes'}"
        said += f"<details><summary>{count}</summary><ul>{listed}</ul></details>"
    return said


def _result(row: Row) -> str:
    status, verdict = row["status"], row["verdict"]
    said = f'<span class="state {status}">{status}</span>'
    if verdict and status != "error":
        said += f'<span class="verdict {verdict}">{verdict}</span>'
    if row.get("unlike", False):
        said += '<span class="state unlike">other scene?</span>'
    if row["same_as"] is not None:
        said += '<span class="soft">same pictures as another pair</span>'
    return said


def _chips(row: Row) -> str:
    if row["anomalies"] is None:
        return ""
    grades = row["severities"]
    return (
        "".join(
            f'<span class="chip {name}">{grades[name]:,} {name}</span>'
            for name in reversed(SEVERITIES)
            if grades[name]
        )
        or "0"
    )


def _types(row: Row) -> str:
    common = _common(row)
    named = "".join(
        f"<span><bdi>{escaped(name)}</bdi>{_times(count)}</span>" for name, count in common[:_TYPES]
    )
    if len(common) > _TYPES:
        named += f'<span class="soft">and {len(common) - _TYPES} more</span>'
    return named


def _common(row: Row) -> list[tuple[str, int]]:
    """Types of a row, the most frequent first."""
    return sorted(row["types"].items(), key=lambda one: (-one[1], one[0]))


def _times(count: int) -> str:
    return f" \u00d7{count:,}" if count > 1 else ""


def _percent(value: float | None) -> str:
    if value is None:
        return ""
    return "&lt;0.01 %" if 0 < value < 0.005 else f"{value:.2f} %"


def attribute(name: str, value: str) -> str:
    """An attribute with a space before it; nothing where the value is empty."""
    return f' {name}="{value}"' if value else ""
