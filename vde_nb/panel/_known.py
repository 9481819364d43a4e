"""What a run knows of one of its pairs, and whether that still holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb._text import readable
from vde_nb.batch._review_file import PairReview
from vde_nb.comparison import Comparison
from vde_nb.errors import ImageError
from vde_nb.images import load
from vde_nb.panel._edits import Edits
from vde_nb.panel._files import Root
from vde_nb.panel._origin import name_of
from vde_nb.reviewing import Review, without_reviews

__all__ = ["Known", "Unplaced", "found_words", "located"]

_THUMBNAIL = "thumbnail.jpg"
#: Largest thumbnail that is read, in bytes and in megapixels.
_MOST_BYTES, _MOST_MEGAPIXELS = 2 << 20, 1.0
#: Types that are counted by name.
_TYPES = 3
#: What rounding makes of a number is no difference.
_CLOSE = 1e-6


@dataclass(eq=False)
class Known:
    """What a run knows of a pair, and what was said about it.

    Attributes
    ----------
    row
        The run's row, see :mod:`vde_nb.batch._row`.
    folder
        Of the run.
    repeats
        How many rows of the run are called the same, this one among them.
    place
        The file that the run calls so, and why there is none, see :func:`located`.
    review
        What was said about the pair.
    has_model
        Whether a model of normality brings the reference where the run names none.
    own, own_edits
        Reviews of regions and edits as the panel has written or read them last.
    differs
        In what the panel finds something else than the run did, in words; empty when it agrees.
    """

    row: Mapping[str, Any]
    folder: Path
    repeats: int = 1
    place: Callable[[str], tuple[str | None, str]] = lambda text: (text, "")
    review: PairReview = field(default_factory=PairReview)
    has_model: bool = False
    own: tuple[Review, ...] = ()
    own_edits: Edits = field(default_factory=Edits)
    differs: str = ""

    @property
    def identity(self) -> str:
        """Id of the row."""
        return str(self.row["id"])

    def sources(self) -> tuple[str | None, str]:
        """Files of the pair, which are those the run has compared; reads both.

        Returns
        -------
        tuple
            Reference, None where a model brings it, and current picture.

        Raises
        ------
        ImageError
            They are not, or cannot be opened.
        """
        current, lost = self.place(str(self.row["current"]))
        reference = None
        if not lost and (self.row["reference"] or not self.has_model):
            reference, lost = self.place(str(self.row["reference"]))
        if lost or current is None:
            raise ImageError(lost)
        # What could not be read has no content to be recognised by.
        if self.row["status"] != "error":
            self._check(reference, current)
        return reference, current

    def placed(self, source: Any) -> Any:
        """A source of the pair for a pair of one's own, found as the run's own pictures are.

        What was not looked for yet becomes its file below the root, or says why there is none.
        """
        if not isinstance(source, Unplaced):
            return source
        path, lost = self.place(source.text)
        return Unplaced(source.text, lost) if path is None else path

    def _check(self, reference: str | None, current: str) -> None:
        from vde_nb.batch._identity import Identities
        from vde_nb.batch._pairs import Given

        sides = [None if one is None else os.path.abspath(one) for one in (reference, current)]  # noqa: PTH100
        texts = str(self.row["reference"]), str(self.row["current"])
        given = Given(int(self.row["number"]), str(self.row["name"]), sides[0], sides[1], texts)
        identities = Identities()
        content, _ = identities.content_of(given)
        # An exact repetition has an id of its own.
        names = {identities.name(given, content) for _ in range(self.repeats)}
        if self.identity not in names:
            named = " or ".join(one for one in texts if one)
            raise ImageError(
                f"{readable(named)} is not what the run has compared: it was changed since, or "
                "another file has its name now. What the run found is not shown on it; run it "
                "again, or open the pictures without the run."
            )

    def thumbnail(self) -> npt.NDArray[np.uint8] | None:
        """The current picture with what was found, as the run has drawn it; None without one."""
        from vde_nb.batch._stored import plain_file

        place = self.row["folder"]
        if place is None or _THUMBNAIL not in self.row["files"]:
            return None
        path = plain_file(self.folder, f"{place}/{_THUMBNAIL}")
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                data = file.read(_MOST_BYTES)
            both = load(data, max_megapixels=_MOST_MEGAPIXELS).array
        except (OSError, ImageError):
            return None
        # The reference stands left of it, of the same width, with a gap between them.
        size = self.row["size"] or [1, 1]
        width = min(both.shape[1] // 2, max(1, round(both.shape[0] * size[0] / max(1, size[1]))))
        return np.ascontiguousarray(both[:, both.shape[1] - width :])

    def compare(self, found: Comparison, why: str) -> None:
        """Say in `differs` whether a comparison with the run's settings is what the run found.

        `why` it may not be is told behind that.
        """
        row = self.row
        if row["status"] == "error":
            self.differs = "The run failed at this pair; now it can be compared."
            return
        own = [one for one in without_reviews(found.anomalies) if one.origin != "prompted"]
        types: dict[str, int] = {}
        for one in own:
            types[one.type] = types.get(one.type, 0) + 1
        change = float(found.change_score_percent)
        same = types == row["types"] and len(own) == row["anomalies"]
        close = row["change"] is None or abs(change - row["change"]) <= _CLOSE * max(1.0, change)
        self.differs = ""
        if not same or not close:
            now = found_words(len(own), types, change, precise=same)
            was = found_words(row["anomalies"], row["types"], row["change"], precise=same)
            self.differs = (
                f"With the same settings the run found something else. The run: {was}; now: {now}. "
                f"{why}"
            )

    def facts(self) -> str:
        """What the run found, in a line."""
        row = self.row
        if row["status"] == "error":
            return f"The run failed: {row['error']}"
        words = [found_words(row["anomalies"], row["types"], row["change"])]
        grave = [f"{row['severities'][name]} {name}" for name in ("major", "moderate")]
        words += [one for one in grave if not one.startswith("0 ")]
        if row["score"] is not None:
            words.append(f"worst place at {row['score']:.3g} times the level")
        if row["verdict"]:
            words.append("fails the rule" if row["verdict"] == "fail" else "passes the rule")
        return " · ".join(words)


def found_words(
    count: int, types: Mapping[str, int], change: float | None, *, precise: bool = False
) -> str:
    """What was found, in words.

    >>> found_words(3, {"crack": 2, "stain": 1}, 1.234)
    '3 regions (2 crack, 1 stain) · 1.23 % changed'
    """
    if not count:
        said = "no change"
    else:
        most = sorted(types.items(), key=lambda one: (-one[1], one[0]))
        listed = ", ".join(f"{number} {name}" for name, number in most[:_TYPES])
        more = ", …" if len(most) > _TYPES else ""
        said = f"{count} {'region' if count == 1 else 'regions'} ({listed}{more})"
    if change is None or (not count and not precise):
        return said
    return f"{said} · {change:.8g} % changed" if precise else f"{said} · {change:.2f} % changed"


@dataclass(frozen=True)
class Unplaced:
    """A picture of a run before its file was looked for: not a path, so nothing opens it.

    Attributes
    ----------
    text
        As the run names it.
    why
        Why it cannot be opened, in words; empty where that was not tried.
    """

    text: str
    why: str = ""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        words = f"{readable(self.text)} was not found among the pictures of the run."
        raise ImageError(self.why or words)


def located(text: str, root: Root, bases: list[Path]) -> tuple[str | None, str]:
    """The file that a run calls `text`, and why there is none.

    Parameters
    ----------
    text
        As it was given to the run: a path, absolute or relative to one of `bases`.
    root
        Only files below it are opened.
    bases
        Folders, the likeliest first.

    Returns
    -------
    tuple
        The path, or None; and in words why it cannot be opened, empty when it can.
    """
    if not text:
        return None, (
            "This pair was handed to the run as an array or another object in memory, which a run "
            "does not keep: there is only what it wrote."
        )
    outside = ""
    for base in bases:
        try:
            full = os.path.abspath(base / Path(text).expanduser())  # noqa: PTH100 - keeps links
        except (RuntimeError, ValueError):
            continue
        relative = root.relative(full)
        if relative is None:
            outside = outside or (full if os.path.lexists(full) else "")
            continue
        found = root.given(relative)
        if os.path.lexists(found):
            return found, ""
    name = name_of(text, "")
    if outside:
        return None, (
            f"{name} lies outside of {root.folder}, and only files below it are opened. Make a "
            f"panel whose root holds it: vde.Panel(run=..., root={_folder(outside)!r})."
        )
    return None, f"{name} is gone: there is no {readable(text)} below {root.folder}."


def _folder(path: str) -> str:
    return readable(os.path.dirname(path))  # noqa: PTH120
