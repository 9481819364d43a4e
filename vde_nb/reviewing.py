"""Reviews: what a person says about an anomaly, kept by its place and put back wherever it fits.

Numbers change with every threshold; a place does not. So a review names a box, and belongs to the
anomaly whose box covers it best.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vde_nb._boxes import SAME, iou
from vde_nb.detect import Box
from vde_nb.errors import SettingError
from vde_nb.settings import nearest

if TYPE_CHECKING:
    from vde_nb.comparison import Anomaly

__all__ = [
    "VERDICTS",
    "Review",
    "apply_reviews",
    "checked_box",
    "checked_reviews",
    "without_reviews",
]

#: What a person may say about an anomaly.
VERDICTS = ("accepted", "rejected")
_LONGEST_COMMENT = 10_000


@dataclass(frozen=True)
class Review:
    """What a person says about the anomaly at a place.

    Attributes
    ----------
    box
        ``(x, y, w, h)`` in reference pixels: the anomaly's box when it was reviewed.
    verdict
        ``"accepted"``, ``"rejected"``, or None for not decided.
    type
        What it is instead of what the classifier said; None where that is right. 1 to 64 letters,
        digits, ``_`` and ``-``, of a registered type or not.
    comment
        Anything, up to 10,000 characters.

    Raises
    ------
    SettingError
        One of them is none of that.

    Examples
    --------
    >>> Review((20, 30, 8, 6), "rejected", comment="a reflection")
    Review(box=(20, 30, 8, 6), verdict='rejected', type=None, comment='a reflection')
    """

    box: Box
    verdict: str | None = None
    type: str | None = None
    comment: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", checked_box(self.box, "A review's box"))
        if self.verdict is not None and self.verdict not in VERDICTS:
            near = nearest(_shown(self.verdict), VERDICTS)
            raise SettingError(
                f"verdict={_shown(self.verdict)} is not allowed: 'accepted', 'rejected' or "
                "None." + (f" Did you mean {near}?" if near else "")
            )
        named = isinstance(self.type, str) and re.fullmatch(r"[\w-]{1,64}", self.type)
        if self.type is not None and not named:
            raise SettingError(
                f"type={_shown(self.type)} is not allowed: 1 to 64 letters, digits, '_' or '-', or "
                "None."
            )
        if not isinstance(self.comment, str) or len(self.comment) > _LONGEST_COMMENT:
            raise SettingError(
                f"comment={_shown(self.comment)} is not allowed: text of at most "
                f"{_LONGEST_COMMENT} characters."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :func:`checked_reviews` reads them back."""
        return {**asdict(self), "box": list(self.box)}


def _shown(value: Any) -> str:
    """`value` in a message, which stays one that can be read."""
    shown = repr(value)
    return shown if len(shown) < 60 else shown[:57] + "..."


def checked_box(box: Any, what: str) -> Box:
    """`box` as four Python ints, or :class:`SettingError` saying what `what` should have been."""
    values = [] if isinstance(box, (str, bytes, Mapping)) or not isinstance(box, Iterable) else box
    numbers = [_whole(value) for value in values]
    if len(numbers) != 4 or None in numbers:
        raise SettingError(f"{what} is {_shown(box)}: needed are four whole numbers (x, y, w, h).")
    x, y, w, h = (number for number in numbers if number is not None)
    if w < 1 or h < 1:
        raise SettingError(
            f"{what} is {_shown(box)}: it is empty, width and height must be 1 or more."
        )
    return x, y, w, h


def _whole(value: Any) -> int | None:
    """`value` as an int when it is a whole number of any kind, else None."""
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return int(value)
    return None


def checked_reviews(reviews: Iterable[Review | Mapping[str, Any]] | None) -> tuple[Review, ...]:
    """Reviews, or dictionaries of their fields, as a tuple of :class:`Review`.

    Raises
    ------
    SettingError
        One of them is no review; the message says which, counted from 1.
    """
    if reviews is None:
        return ()
    if isinstance(reviews, (str, bytes, Mapping, Review)) or not isinstance(reviews, Iterable):
        raise SettingError(f"reviews must be a list of vde.Review, not {type(reviews).__name__}.")
    return tuple(_checked(review, number) for number, review in enumerate(reviews, 1))


def _checked(review: Any, number: int) -> Review:
    if isinstance(review, Review):
        return review
    known = [one.name for one in fields(Review)]
    if not isinstance(review, Mapping):
        raise SettingError(
            f"Review {number} is {_shown(review)}: needed is a vde.Review or a dictionary with "
            f"{', '.join(known)}."
        )
    unknown = [key for key in review if key not in known]
    if unknown or "box" not in review:
        wrong = f"an unknown {_shown(unknown[0])}" if unknown else "no 'box'"
        raise SettingError(f"Review {number} has {wrong}: it may have {', '.join(known)}.")
    try:
        return Review(**review)
    except SettingError as error:
        raise SettingError(f"Review {number}: {error}") from error


def apply_reviews(
    anomalies: Sequence[Anomaly], reviews: Sequence[Review]
) -> tuple[list[Anomaly], tuple[str, ...]]:
    """Put reviews on the anomalies they belong to.

    The pair whose boxes overlap most comes first, and nothing is in two pairs; an overlap under
    0.5 (intersection over union) is none.

    Parameters
    ----------
    anomalies
        As they were found, see :func:`without_reviews`.
    reviews
        What was said.

    Returns
    -------
    anomalies
        The same, in their order, with `verdict`, `comment` and `type` of their review.
    notes
        What became of reviews that fit nothing, in words.
    """
    boxes = [anomaly.box for anomaly in anomalies]
    pairs = []
    for i, review in enumerate(reviews):
        overlaps = iou([review.box], boxes)[0]
        pairs += [(-float(overlaps[j]), i, int(j)) for j in np.flatnonzero(overlaps >= SAME)]
    chosen: dict[int, Review] = {}
    used: set[int] = set()
    for _, i, j in sorted(pairs):
        if i not in used and j not in chosen:
            used.add(i)
            chosen[j] = reviews[i]
    made = [
        anomaly if j not in chosen else _with(anomaly, chosen[j])
        for j, anomaly in enumerate(anomalies)
    ]
    lost = [str(review.box) for i, review in enumerate(reviews) if i not in used]
    if not lost:
        return made, ()
    listed = ", ".join(lost[:5]) + (", ..." if len(lost) > 5 else "")
    one = len(lost) == 1
    note = (
        f"{len(lost)} {'review fits' if one else 'reviews fit'} no anomaly now (at {listed}): "
        f"{'it is' if one else 'they are'} kept, and {'comes' if one else 'come'} back with it."
    )
    return made, (note,)


def _with(anomaly: Anomaly, review: Review) -> Anomaly:
    return replace(
        anomaly,
        verdict=review.verdict,
        comment=review.comment,
        type=review.type or anomaly.type_found,
        reviewed=True,
    )


def without_reviews(anomalies: Iterable[Anomaly]) -> list[Anomaly]:
    """The anomalies as the classifier left them."""
    return [
        replace(one, verdict=None, comment="", type=one.type_found, reviewed=False)
        if one.reviewed
        else one
        for one in anomalies
    ]
