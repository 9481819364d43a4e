"""``reviews.json`` of a run: its form, and everything in it checked.

A run's folder may come from anybody, and so may this file.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vde_nb._text import readable
from vde_nb.errors import OutputError, SettingError
from vde_nb.reviewing import Review, checked_reviews

__all__ = [
    "FILE",
    "FORMAT",
    "VERSION",
    "PairReview",
    "RegionReview",
    "is_id",
    "read_reviews",
    "written",
]

FILE = "reviews.json"
FORMAT = "vde-nb-reviews"
VERSION = 1

#: Largest file, in bytes; most pairs in it; most regions, prompts or boxes of one.
_MOST_BYTES, _MOST_PAIRS, _MOST = 64 << 20, 200_000, 10_000
_LONGEST_COMMENT, _LONGEST_TEXT = 10_000, 1000
_ID = re.compile(r"[0-9a-f]{32}")
_FACTS = ("found", "severity", "origin")


@dataclass(frozen=True)
class RegionReview:
    """What was said about one region, and what it was when it was said.

    Attributes
    ----------
    review
        Box, verdict, type and comment.
    found
        The type that the classifier had found; "" where that is not known.
    severity, origin
        ``"minor"``, ``"moderate"`` or ``"major"``; ``"detected"`` or ``"prompted"``; or "".
    """

    review: Review
    found: str = ""
    severity: str = ""
    origin: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**self.review.to_dict(), **{name: getattr(self, name) for name in _FACTS}}


@dataclass(frozen=True)
class PairReview:
    """What was said about one pair of a run.

    Attributes
    ----------
    reviewed
        Whether the pair is done: all its regions are decided, or it was marked so.
    marked
        Whether it was marked as done by hand, which is how a pair without regions is.
    comment
        A note on the pair, up to 10,000 characters.
    regions
        What was said about regions.
    edits
        Prompts, ignored boxes and nudge as the panel has them, where there are any.
    when
        UTC, ISO 8601; for people.
    """

    reviewed: bool = False
    marked: bool = False
    comment: str = ""
    regions: tuple[RegionReview, ...] = ()
    edits: Mapping[str, Any] = field(default_factory=dict)
    when: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said."""
        return not (self.reviewed or self.marked or self.comment or self.regions or self.edits)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "reviewed": self.reviewed,
            "marked": self.marked,
            "comment": self.comment,
            "regions": [one.to_dict() for one in self.regions],
            **({"edits": dict(self.edits)} if self.edits else {}),
            "when": self.when,
        }

    def line(self) -> str:
        """The same as JSON on one line."""
        return json.dumps(self.to_dict(), allow_nan=False, separators=(",", ":"))


def is_id(identity: object) -> bool:
    """Whether something is the id of a row."""
    return isinstance(identity, str) and _ID.fullmatch(identity) is not None


def checked_review(review: PairReview) -> PairReview:
    """A review as it will be read back.

    Raises
    ------
    SettingError
        It would not be: a comment is too long, a box is none.
    """
    try:
        return _pair_review(json.loads(review.line()))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SettingError(f"This is no review of a pair: {error}") from error


def written(pairs: Mapping[str, str]) -> str:
    """The file, of what :meth:`PairReview.line` gives for each id.

    Raises
    ------
    OutputError
        It would be larger than what is read back.
    """
    lines = ",\n".join(f'"{key}":{pairs[key]}' for key in sorted(pairs))
    text = f'{{"format":"{FORMAT}","version":{VERSION},"pairs":{{\n{lines}\n}}}}\n'
    if len(pairs) > _MOST_PAIRS or len(text.encode()) > _MOST_BYTES:
        raise OutputError(
            f"{FILE} would hold more than {_MOST_PAIRS} pairs or {_MOST_BYTES >> 20} MB and could "
            "not be read again; what it holds stays. Take a review back, or shorten comments."
        )
    return text


def read_reviews(path: Path) -> dict[str, PairReview]:
    """What the file at `path` says, by ids of rows.

    Raises
    ------
    SettingError
        It cannot be read, or is none of ours; the message goes on after the name of the file.
    """
    return _checked(_content(path))


def _content(path: Path) -> bytes:
    """The bytes of a plain file: no link is followed, and nothing is waited for at a pipe."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise SettingError(f"{(error.strerror or str(error)).lower()}.") from error
    with open(descriptor, "rb") as file:  # noqa: PTH123
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise SettingError("it is no regular file.")
        if about.st_size > _MOST_BYTES:
            raise SettingError(f"it is larger than {_MOST_BYTES >> 20} MB.")
        return file.read(_MOST_BYTES)


def _checked(data: bytes) -> dict[str, PairReview]:
    """Reviews in the bytes of a file."""

    def refuse(word: str) -> Any:
        raise SettingError(f"it holds {word}, which is no number.")

    try:
        document = json.loads(data.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        if isinstance(error, SettingError):
            raise
        raise SettingError("it is no JSON.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise SettingError("it holds no reviews of a run.")
    if document.get("version") != VERSION:
        raise SettingError("its version is not known here; a newer vde-nb may read it.")
    pairs = document.get("pairs")
    if not isinstance(pairs, dict) or len(pairs) > _MOST_PAIRS:
        raise SettingError("its pairs are no object of a usual size.")
    found = {}
    for identity, value in pairs.items():
        if not is_id(identity):
            raise SettingError(f"{_short(identity)} in it is no id of a row.")
        try:
            found[identity] = _pair_review(value)
            found[identity].line()  # 1e999 is a number that cannot be written
        except (SettingError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise SettingError(f"what it says about {identity} is no review: {error}") from error
    return found


def _pair_review(value: Any) -> PairReview:
    known = ("reviewed", "marked", "comment", "regions", "edits", "when")
    if not isinstance(value, dict) or any(name not in known for name in value):
        raise SettingError(f"{_short(value)}.")
    reviewed, marked = (value.get(name, False) for name in known[:2])
    if not isinstance(reviewed, bool) or not isinstance(marked, bool):
        raise SettingError("reviewed and marked are true or false.")
    regions = value.get("regions", [])
    if not isinstance(regions, list) or len(regions) > _MOST:
        raise SettingError("regions is no list of a usual length.")
    return PairReview(
        reviewed,
        marked,
        _text(value, "comment", _LONGEST_COMMENT),
        tuple(_region(one) for one in regions),
        _edits(value.get("edits", {})),
        _text(value, "when"),
    )


def _region(value: Any) -> RegionReview:
    if not isinstance(value, dict):
        raise SettingError(f"{_short(value)} is no region.")
    facts = {name: _text(value, name) for name in _FACTS}
    rest = {name: one for name, one in value.items() if name not in _FACTS}
    (said,) = checked_reviews([{**rest, "comment": _text(value, "comment", _LONGEST_COMMENT)}])
    return RegionReview(said, **facts)


def _edits(value: Any) -> dict[str, Any]:
    """Edits as the panel has them, in plain values of a usual size; the panel checks what it takes.

    Kept as they are here, so that a run is read without what draws pictures.
    """
    known = ("prompts", "ignore", "nudge")
    if not isinstance(value, dict) or any(name not in known for name in value):
        raise SettingError("edits are prompts, ignore and nudge.")
    if any(not isinstance(one, list) or len(one) > _MOST for one in value.values()):
        raise SettingError("edits are lists of a usual length.")
    return value


def _text(value: Mapping[str, Any], name: str, most: int = _LONGEST_TEXT) -> str:
    found = value.get(name, "")
    if not isinstance(found, str) or len(found) > most:
        raise SettingError(f"{name} is no text of a usual length.")
    return readable(found)


def _short(value: object) -> str:
    said = readable(repr(value))
    return said if len(said) <= 60 else said[:57] + "..."
