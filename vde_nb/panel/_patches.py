"""Parts of the viewer's state, as the panel's objects give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vde_nb._boxes import SAME, iou
from vde_nb._draw import ENVIRONMENTAL
from vde_nb._text import readable
from vde_nb.classify import anomaly_types
from vde_nb.comparison import Anomaly, Comparison
from vde_nb.panel._pairs import Pair
from vde_nb.reviewing import Review
from vde_nb.viewer import payload

__all__ = [
    "changed_reviews",
    "edits_patch",
    "followed",
    "frame_item",
    "types_patch",
]


def edits_patch(pair: Pair | None, seq: int) -> dict[str, Any]:
    """Prompts, ignored boxes and nudge of a pair; `seq` is the viewer's last edit that was seen."""
    history = (pair or Pair(None, None, ("", ""))).history
    return {
        "edits": {
            **history.now.to_dict(),
            "seq": seq,
            "can_undo": history.can_undo,
            "can_redo": history.can_redo,
        }
    }


def types_patch(comparison: Comparison | None) -> dict[str, Any]:
    """The types there are, and the colours of all that is drawn."""
    found = () if comparison is None else (one.type for one in comparison.anomalies)
    types = list(dict.fromkeys([*anomaly_types(), ENVIRONMENTAL, *found]))
    return {"types": types, "colours": payload.colours(types)}


def frame_item(pair: Pair, *, has_score: bool, is_outdated: bool) -> dict[str, Any]:
    """What the filmstrip shows of a pair, without its picture; what is not known is left out.

    Parameters
    ----------
    pair
        The pair.
    has_score
        Whether its score holds for the panel's settings.
    is_outdated
        Whether its status is that of other settings.
    """
    item: dict[str, Any] = {"name": pair.name, "status": pair.status, "count": pair.count}
    if has_score and pair.score is not None:
        item["score"] = round(pair.score, 4)
    if pair.time is not None:
        item["time"] = pair.time.isoformat(timespec="seconds")
    if pair.note:
        item["note"] = readable(pair.note)
    if is_outdated:
        item["outdated"] = True
    return item


def followed(before: Comparison | None, number: int, now: Comparison) -> int:
    """The number that anomaly `number` of `before` has in `now`, 0 for none.

    Numbers change with every threshold, places do not.
    """
    if before is None or not 0 < number <= len(before.anomalies) or not now.anomalies:
        return 0
    overlaps = iou([before.anomalies[number - 1].box], [one.box for one in now.anomalies])[0]
    best = int(overlaps.argmax())
    return best + 1 if overlaps[best] > 0 else 0


def changed_reviews(
    reviews: Sequence[Review], anomaly: Anomaly, given: Mapping[str, Any]
) -> list[Review]:
    """Reviews after something more was said about an anomaly.

    Raises
    ------
    SettingError
        What is said is not allowed.
    """
    kept = list(reviews)
    overlaps = iou([anomaly.box], [one.box for one in kept])[0]
    said = Review(anomaly.box)
    if len(overlaps) and overlaps.max() >= SAME:
        said = replace(kept.pop(int(overlaps.argmax())), box=anomaly.box)
    said = replace(said, **given)
    if said.type == anomaly.type_found:
        said = replace(said, type=None)
    if said.verdict or said.type or said.comment:
        kept.append(said)
    return kept
