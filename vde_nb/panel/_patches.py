"""Parts of the viewer's state, as the panel's objects give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vde_nb._boxes import SAME, iou
from vde_nb.classify import anomaly_types
from vde_nb.comparison import Anomaly, Comparison
from vde_nb.panel._pairs import Pair
from vde_nb.reviewing import Review
from vde_nb.viewer import payload

__all__ = [
    "changed_reviews",
    "edits_patch",
    "followed",
    "strip_patch",
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
    types = list(dict.fromkeys([*anomaly_types(), *found]))
    return {"types": types, "colours": payload.colours(types)}


def strip_patch(pairs: Sequence[Pair], at: int) -> dict[str, Any]:
    """The filmstrip without its pictures."""
    items = [{"name": pair.name, "status": pair.status, "count": pair.count} for pair in pairs]
    return {"filmstrip": {"items": items, "index": at}}


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
