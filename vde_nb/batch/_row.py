"""What a run knows of each pair: one flat row, which is one line of JSON.

A row holds nothing that differs between two runs of the same pairs with the same settings: no
times, no hosts, no folders but those inside the run. :data:`KEYS` is the order of its keys.

==============  ==================================================================================
id              32 hexadecimal digits, of names and content
number          position in the list of pairs, from 1
name            what to call the pair
reference       as it was given; empty for what has no name, such as an array
current         the same
status          ``"clean"``, ``"changed"`` or ``"error"``
anomalies       how many; null in an error, as all that follows down to `size`
types           ``{"crack": 2}``, sorted by name
severities      ``{"minor": 1, "moderate": 0, "major": 2}``, always these three
change          per cent of the picture that changed
ssim            mean structural similarity
score           how far the worst place is from what counts as unchanged, 1 being the level; or null
largest         pixels of the largest anomaly, null where there is none
size            ``[width, height]``
unlike          whether the two do not look like the same scene, where they were registered
method          what was compared with; `outlined_by` and `described_by` likewise
notes           what a reader should know, in words
error           what went wrong, in words; `error_kind` is the name of its class
retry           whether a resumed run tries it again
same_as         id of the row that this one is a copy of, the pictures being identical; or null
folder          folder of its files inside the run, ``"pairs/ab/abcdef…"``; or null. That of a copy
                is the folder of the row it is a copy of
files           names of the files in it, sorted
verdict         ``"pass"`` or ``"fail"`` by the rule of the run; null without one
given           further columns of the table the pair was from
==============  ==================================================================================
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vde_nb._text import readable

if TYPE_CHECKING:
    from vde_nb.comparison import Comparison

__all__ = [
    "KEYS",
    "LONGEST_LINE",
    "SEVERITIES",
    "STATES",
    "Row",
    "checked_row",
    "copied_row",
    "error_row",
    "folder_of",
    "found_row",
    "is_done",
    "storable_row",
]

Row = dict[str, Any]

KEYS = (
    *("id", "number", "name", "reference", "current", "status", "anomalies", "types"),
    *("severities", "change", "ssim", "score", "largest", "size", "unlike", "method"),
    *("outlined_by", "described_by", "notes", "error", "error_kind", "retry", "same_as", "folder"),
    *("files", "verdict", "given"),
)
STATES = ("clean", "changed", "error")
SEVERITIES = ("minor", "moderate", "major")

#: Bytes of a line of a journal at most: what is longer is no row of ours.
LONGEST_LINE = 1 << 20

_ID = re.compile(r"[0-9a-f]{32}")
#: Files of a pair: plain names, and masks one folder further down.
_FILE = re.compile(r"(?:masks/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_LONGEST_TEXT, _LONGEST_NAME, _MOST_NOTES, _MOST_ENTRIES = 4000, 1000, 100, 5000
#: Largest whole number that every reader of JSON keeps as it is.
_MOST = 2**53


def folder_of(identity: str) -> str:
    """Folder of a pair's files inside the run.

    >>> folder_of("ab" * 16)
    'pairs/ab/abababababababababababababababab'
    """
    return f"pairs/{identity[:2]}/{identity}"


def found_row(about: Mapping[str, Any], comparison: Comparison, files: list[str]) -> Row:
    """The row of a pair that was compared.

    Parameters
    ----------
    about
        `id`, `number`, `name`, `reference`, `current` and `given`.
    comparison
        What was found.
    files
        Names of the files in its folder; empty where there is none.
    """
    anomalies = comparison.anomalies
    height, width = comparison.pair.shape
    graded = Counter(one.severity for one in anomalies)
    return _row(
        about,
        status="changed" if anomalies else "clean",
        anomalies=len(anomalies),
        types=dict(sorted(Counter(one.type for one in anomalies).items())),
        severities={name: graded[name] for name in SEVERITIES},
        change=_number(comparison.change_score_percent),
        ssim=_number(comparison.ssim_score),
        score=_number(comparison.score),
        largest=max((int(one.area) for one in anomalies), default=None),
        size=[int(width), int(height)],
        unlike=comparison.registration is not None and not comparison.registration.same_scene,
        method=comparison.method,
        outlined_by=_short(comparison.outlined_by),
        described_by=_short(comparison.described_by),
        notes=[_short(note, _LONGEST_TEXT) for note in comparison.notes][:_MOST_NOTES],
        folder=folder_of(about["id"]) if files else None,
        files=sorted(files)[:_MOST_ENTRIES],
    )


def error_row(
    about: Mapping[str, Any], message: str, kind: str, *, retry: bool, method: str = ""
) -> Row:
    """The row of a pair that could not be compared."""
    return _row(
        about,
        status="error",
        method=method,
        error=_short(message, _LONGEST_TEXT) or kind,
        error_kind=_short(kind),
        retry=retry,
    )


def copied_row(about: Mapping[str, Any], original: Row) -> Row:
    """The row of a pair whose pictures are those of `original`, pixel for pixel.

    Of an error there is no copy: it names a file, or may not happen a second time.
    """
    own = ("id", "number", "name", "reference", "current", "given", "same_as")
    kept = {key: value for key, value in original.items() if key not in own}
    return _row(about, **kept, same_as=original["same_as"] or original["id"])


def _row(about: Mapping[str, Any], **found: Any) -> Row:
    row: Row = {
        "id": about["id"],
        "number": int(about["number"]),
        "name": _short(about["name"]),
        "reference": _short(about["reference"], _LONGEST_TEXT),
        "current": _short(about["current"], _LONGEST_TEXT),
        "types": {},
        "severities": dict.fromkeys(SEVERITIES, 0),
        "unlike": False,
        "method": "",
        "outlined_by": "",
        "described_by": "",
        "notes": [],
        "retry": False,
        "files": [],
        "given": dict(about.get("given") or {}),
    }
    row |= found
    return {key: row.get(key) for key in KEYS}


def is_done(row: Row) -> bool:
    """Whether a resumed run leaves this row as it is."""
    return row["status"] != "error" or not row["retry"]


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _short(text: object, most: int = _LONGEST_NAME) -> str:
    said = readable(str(text)).replace("\0", "\ufffd")  # as checked_row() wants it
    return said if len(said) <= most else f"{said[: most - 1]}…"


def checked_row(value: object) -> Row:
    """A row that was read from a file which anybody may have written.

    Parameters
    ----------
    value
        What JSON came to.

    Returns
    -------
    dict
        A new one with exactly :data:`KEYS`, in their order, each of its kind and within bounds:
        text is short and well-formed, numbers are finite, `folder` and `files` are names that
        :func:`folder_of` and a run could have made and lead nowhere else.

    Raises
    ------
    ValueError
        It is none; the message says which key is wrong. Keys that a row does not have are ignored.

    Examples
    --------
    >>> checked_row({"id": "../../etc"})
    Traceback (most recent call last):
    ...
    ValueError: id is not one of a row
    """
    if not isinstance(value, dict):
        raise ValueError("it is no row")
    row: Row = {}
    for key in KEYS:
        given = value.get(key, _LATER.get(key))
        if not _CHECKS[key](given):
            raise ValueError(f"{key} is not one of a row")
        row[key] = given
    row["severities"] = {name: row["severities"][name] for name in SEVERITIES}
    owner = row["same_as"] or row["id"]
    if row["folder"] is not None and row["folder"] != folder_of(owner):
        raise ValueError("folder is not one of a row")
    if row["files"] and row["folder"] is None:
        raise ValueError("files is not one of a row")
    if row["status"] == "error" and not row["error"]:
        raise ValueError("error is not one of a row")
    if row["status"] != "error" and (row["anomalies"] is None or row["error"] is not None):
        raise ValueError("anomalies is not one of a row")
    return row


def storable_row(row: Row) -> Row:
    """The row as it can be read again: itself, or an error that says what of it cannot be kept.

    A row that :func:`checked_row` refused would be found out only at the end of a run, which
    could then never come.
    """
    try:
        return checked_row(row)
    except ValueError as error:
        message = f"What was found cannot be kept: {error}."
        made = error_row(row, message, "ValueError", retry=False)
        if not _is_given(made["given"]):
            made["given"] = {}
        return checked_row(made)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= _MOST  # also false for what is not a number


def _is_text(value: object, most: int = _LONGEST_NAME) -> bool:
    if not isinstance(value, str) or len(value) > most:
        return False
    return readable(value) == value and "\0" not in value


def _is_long_text(value: object) -> bool:
    return _is_text(value, _LONGEST_TEXT)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_folder(value: object) -> bool:
    return isinstance(value, str) and len(value) == 41 and value == folder_of(value[9:])


def _is_file(value: object) -> bool:
    return isinstance(value, str) and _FILE.fullmatch(value) is not None and ".." not in value


def _is_size(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_count(one) for one in value)


def _are_types(value: object) -> bool:
    if not isinstance(value, dict) or len(value) > _MOST_ENTRIES:
        return False
    return all(_is_text(name) and _is_count(count) for name, count in value.items())


def _are_severities(value: object) -> bool:
    return isinstance(value, dict) and all(_is_count(value.get(name)) for name in SEVERITIES)


def _are_notes(value: object) -> bool:
    if not isinstance(value, list) or len(value) > _MOST_NOTES:
        return False
    return all(_is_text(one, _LONGEST_TEXT) for one in value)


def _are_files(value: object) -> bool:
    if not isinstance(value, list) or len(value) > _MOST_ENTRIES:
        return False
    return all(_is_file(one) for one in value)


def _is_given(value: object) -> bool:
    if not isinstance(value, dict) or len(value) > _MOST_NOTES:
        return False
    return all(
        _is_text(name) and (one is None or _is_bool(one) or _is_number(one) or _is_long_text(one))
        for name, one in value.items()
    )


def _or_none(check: Any) -> Any:
    return lambda value: value is None or check(value)


#: Keys that rows did not always have, and what they count as then.
_LATER = {"unlike": False}
_CHECKS: dict[str, Any] = {
    "id": _is_id,
    "number": lambda value: _is_count(value) and value >= 1,
    "name": _is_text,
    "reference": _is_long_text,
    "current": _is_long_text,
    "status": lambda value: value in STATES,
    "anomalies": _or_none(_is_count),
    "types": _are_types,
    "severities": _are_severities,
    "change": _or_none(_is_number),
    "ssim": _or_none(_is_number),
    "score": _or_none(_is_number),
    "largest": _or_none(_is_count),
    "size": _or_none(_is_size),
    "unlike": _is_bool,
    "method": _is_text,
    "outlined_by": _is_text,
    "described_by": _is_text,
    "notes": _are_notes,
    "error": _or_none(_is_long_text),
    "error_kind": _or_none(_is_text),
    "retry": _is_bool,
    "same_as": _or_none(_is_id),
    "folder": _or_none(_is_folder),
    "files": _are_files,
    "verdict": lambda value: value in (None, "pass", "fail"),
    "given": _is_given,
}
