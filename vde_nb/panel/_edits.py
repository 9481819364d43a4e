"""What a person did to a pair - prompts, ignored regions, a nudge - and undoing it.

Everything is kept as plain tuples of numbers, so that states are compared and kept at no cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vde_nb._lessons import lesson
from vde_nb.errors import SettingError
from vde_nb.images import Box
from vde_nb.prompting import checked_prompts
from vde_nb.segment import Prompt

__all__ = ["Edits", "History", "checked_ignore", "checked_nudge", "plain_prompts"]

#: Most prompts and ignored regions of a pair: a person makes dozens, a broken file millions.
_MOST = 2000
#: Longest nudge in pixels.
_FARTHEST = 1000.0

PlainPrompt = tuple["Box | None", tuple[tuple[int, int, int], ...]]


def plain_prompts(prompts: object, shape: tuple[int, int] | None = None) -> tuple[PlainPrompt, ...]:
    """Prompts, as users, viewers or files write them, checked.

    Parameters
    ----------
    prompts
        A list of them.
    shape
        ``(H, W)`` of the picture they must lie in; None: not known yet.

    Raises
    ------
    SettingError
        One of them is no prompt, or lies outside.
    """
    if prompts is None:
        return ()
    if isinstance(prompts, (str, bytes, Mapping)) or not isinstance(prompts, Iterable):
        raise SettingError(f"prompts={_short(prompts)} is not allowed: a list of prompts.")
    listed = list(prompts)
    if len(listed) > _MOST:
        raise SettingError(f"{len(listed)} prompts are more than the {_MOST} a pair may have.")
    return tuple((one.box, tuple(one.points)) for one in checked_prompts(listed, shape))


def checked_ignore(boxes: object) -> tuple[Box, ...]:
    """Boxes ``(x, y, w, h)`` in whole pixels, checked.

    Raises
    ------
    SettingError
        One of them is no box.
    """
    if boxes is None:
        return ()
    if isinstance(boxes, (str, bytes)) or not isinstance(boxes, Iterable):
        raise SettingError(
            f"ignore={_short(boxes)} is not allowed: a list of boxes (x, y, w, h)."
            f"{lesson('ignore')}"
        )
    found: list[Box] = []
    for box in boxes:
        try:
            x, y, w, h = (math.floor(float(value) + 0.5) for value in box)
        except (TypeError, ValueError, OverflowError):
            w = h = 0
        if w <= 0 or h <= 0:
            raise SettingError(
                f"ignore= holds {_short(box)}; needed are boxes (x, y, w, h) in pixels with a "
                f"width and a height, as [(10, 20, 100, 50)].{lesson('ignore')}"
            )
        found.append((x, y, w, h))
    if len(found) > _MOST:
        raise SettingError(f"{len(found)} regions to ignore are more than the {_MOST} allowed.")
    return tuple(found)


def checked_nudge(nudge: object) -> tuple[float, float]:
    """``(dx, dy)`` in pixels, checked.

    Raises
    ------
    SettingError
        It is not two finite numbers.
    """
    try:
        dx, dy = (float(value) for value in nudge)  # type: ignore[attr-defined]
        fits = math.isfinite(dx) and math.isfinite(dy) and max(abs(dx), abs(dy)) <= _FARTHEST
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise SettingError(f"nudge={_short(nudge)} is not allowed: two numbers (dx, dy) in pixels.")
    return dx + 0.0, dy + 0.0  # never -0.0


@dataclass(frozen=True)
class Edits:
    """One state of the edits of a pair.

    Attributes
    ----------
    prompts
        ``(box or None, ((x, y, label), ...))`` each.
    ignore
        Boxes where differences do not matter.
    nudge
        ``(dx, dy)`` by which the current picture is moved after registration, in pixels.
    """

    prompts: tuple[PlainPrompt, ...] = ()
    ignore: tuple[Box, ...] = ()
    nudge: tuple[float, float] = (0.0, 0.0)

    @property
    def is_plain(self) -> bool:
        """Whether nothing in it changes what a method finds: prompts come after that."""
        return not self.ignore and self.nudge == (0.0, 0.0)

    def prompt_list(self) -> list[dict[str, Any]]:
        """The prompts as the viewer and files know them."""
        return [
            {"box": None if box is None else list(box), "points": [list(point) for point in points]}
            for box, points in self.prompts
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it, as the viewer and files know it."""
        return {
            "prompts": self.prompt_list(),
            "ignore": [list(box) for box in self.ignore],
            "nudge": list(self.nudge),
        }

    def prompt_objects(self) -> list[Prompt]:
        """The prompts as :func:`vde_nb.compare` takes them."""
        return [Prompt(box, points) for box, points in self.prompts]


class History:
    """All states the edits went through, and the one they are in."""

    def __init__(self, start: Edits | None = None) -> None:
        self._states = [Edits() if start is None else start]
        self._at = 0

    @property
    def now(self) -> Edits:
        """The state now."""
        return self._states[self._at]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a later state that was undone."""
        return self._at < len(self._states) - 1

    def push(self, edits: Edits) -> bool:
        """Go to a new state, forgetting what was undone; False when it is the state now."""
        if edits == self.now:
            return False
        del self._states[self._at + 1 :]
        self._states.append(edits)
        self._at += 1
        return True

    def undo(self) -> bool:
        """One state back; False when there is none."""
        if self.can_undo:
            self._at -= 1
            return True
        return False

    def redo(self) -> bool:
        """One state forth; False when there is none."""
        if self.can_redo:
            self._at += 1
            return True
        return False


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
