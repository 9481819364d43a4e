"""What two panels say about one pair, brought together: what one has not touched is the other's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vde_nb._boxes import SAME, iou
from vde_nb.panel._edits import Edits
from vde_nb.reviewing import Review

__all__ = ["merged_edits", "merged_reviews"]


def merged_reviews(
    stored: Sequence[Review], before: Sequence[Review], now: Sequence[Review]
) -> tuple[Review, ...]:
    """Reviews of regions with what has changed between `before` and `now`.

    Parameters
    ----------
    stored
        As they are on the disk, where somebody else may have written.
    before, now
        As they were in this panel when it wrote last, and as they are.

    Returns
    -------
    tuple
        Verdict, type and comment each by whoever has changed it; by this panel where both have.
    """
    there = {one.box: one for one in stored}
    was = {one.box: one for one in before}
    mine = {one.box: one for one in now}
    for box in mine:
        if box in there or box in was:
            continue
        # Another threshold draws another box around the same place.
        rest = [one for one in there if one not in mine]
        overlaps = iou([box], rest)[0]
        if len(overlaps) and overlaps.max() >= SAME:
            there[box] = replace(there.pop(rest[int(overlaps.argmax())]), box=box)
    found = []
    for box in dict.fromkeys((*there, *mine)):
        nothing = Review(box)
        old, new = was.get(box, nothing), mine.get(box, nothing)
        given = {
            name: getattr(new, name)
            for name in ("verdict", "type", "comment")
            if getattr(new, name) != getattr(old, name)
        }
        one = replace(there.get(box, nothing), **given)
        if one != nothing:
            found.append(one)
    return tuple(found)


def merged_edits(
    stored: Mapping[str, Any], before: Edits, now: Edits, base: Edits
) -> dict[str, Any]:
    """Prompts, ignored boxes and nudge as they are stored, with what this panel has changed.

    Parameters
    ----------
    stored
        As they are on the disk; empty where they are `base`.
    before, now
        As they were in this panel when it wrote last, and as they are.
    base
        Those of the run.
    """
    if now == before:
        return dict(stored)
    usual, old, new = base.to_dict(), before.to_dict(), now.to_dict()
    found = {**usual, **stored} | {name: new[name] for name in new if new[name] != old[name]}
    return {} if found == usual else found
