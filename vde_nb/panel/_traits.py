"""Traits of the panel: checked by functions of ours, with errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from traitlets import TraitType

from vde_nb.errors import SettingError
from vde_nb.panel._choice import Choice
from vde_nb.panel._edits import Edits, plain_prompts
from vde_nb.reviewing import checked_reviews
from vde_nb.segment import check_segmenter
from vde_nb.settings import resolve

if TYPE_CHECKING:
    from vde_nb.comparison import Comparison

__all__ = [
    "Checked",
    "Finished",
    "a_pair",
    "a_preset",
    "a_segmenter",
    "an_anomaly",
    "given_settings",
    "prompt_list",
    "review_list",
]


class Checked(TraitType):  # type: ignore[type-arg]
    """A value that ``check(panel, value)`` returns, in its own form, or refuses.

    Parameters
    ----------
    default
        Value at first.
    check
        Raises :class:`vde_nb.SettingError` or `TypeError` for what is not allowed.
    """

    def __init__(self, default: Any, check: Callable[[Any, Any], Any], help: str) -> None:
        super().__init__(default, help=help)
        self._check = check

    def validate(self, obj: Any, value: Any) -> Any:
        """Check one value."""
        return self._check(obj, value)


class Finished(TraitType):  # type: ignore[type-arg]
    """The comparison: to read it is to wait for the work that is under way."""

    def get(self, obj: Any, cls: Any = None) -> Comparison | None:
        """The comparison that belongs to the panel's state."""
        obj._finish()
        value: Comparison | None = super().get(obj, cls)
        return value


def a_preset(_: Any, value: Any) -> Any:
    """The name of a preset."""
    resolve("hybrid", value)  # a method that has all presets
    return value


def a_segmenter(_: Any, value: Any) -> Any:
    """The name of a segmenter."""
    check_segmenter(value)
    return value


def given_settings(panel: Any, value: Any) -> dict[str, Any]:
    """Settings that differ from those of the panel's preset."""
    if not isinstance(value, Mapping):
        raise SettingError(f"settings={value!r} is not allowed: a dictionary.")
    return Choice(panel._choice.method, panel._choice.preset).changed(value).used()


def prompt_list(panel: Any, value: Any) -> list[dict[str, Any]]:
    """Prompts as dictionaries."""
    return Edits(prompts=plain_prompts(value, panel._shape)).prompt_list()


def review_list(_: Any, value: Any) -> list[dict[str, Any]]:
    """Reviews as dictionaries."""
    return [one.to_dict() for one in checked_reviews(value)]


def an_anomaly(panel: Any, value: Any) -> int:
    """The number of an anomaly that is shown, or 0."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise SettingError(f"selected={value!r} is not allowed: the number of an anomaly, or 0.")
    number = int(value.__index__())
    panel._finish()  # the number is one of those that will be shown
    shown = panel._shown
    most = 0 if shown is None else len(shown.anomalies)
    if not 0 <= number <= most:
        raise SettingError(f"There is no anomaly {number}: they are numbered from 1 to {most}.")
    return number


def a_pair(panel: Any, value: Any) -> int:
    """The place of a pair."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise SettingError(f"index={value!r} is not allowed: the place of a pair, from 0.")
    place = int(value.__index__())
    count = len(panel._pairs)
    if not 0 <= place < max(1, count):
        raise SettingError(f"There is no pair {place}: there are {count}, counted from 0.")
    return place
