"""Which features a name stands for, whether they are ready, and what is used when they are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vde_nb._extras import absent
from vde_nb.errors import MissingExtraError, SettingError, WeightsError
from vde_nb.features import _user
from vde_nb.features._user import Describe, Function
from vde_nb.features.base import Extractor
from vde_nb.features.models import FEATURE_MODELS
from vde_nb.segment.choosing import Entry
from vde_nb.settings import DifferenceSettings, nearest

if TYPE_CHECKING:
    from vde_nb.segment.models import Model

__all__ = [
    "EMBEDDED",
    "Chosen",
    "add_features",
    "check_features",
    "choose_features",
    "describe_features",
    "feature_entries",
    "named_features",
    "open_features",
    "remove_features",
]

#: What needs neither weights nor anything installed.
EMBEDDED = "embedded"
_ENTRY = Entry(
    EMBEDDED,
    "Embedded descriptors",
    "No weights: colour, texture and directions of edges, at several scales.",
)


def _taken() -> tuple[str, ...]:
    return EMBEDDED, *FEATURE_MODELS


def feature_entries() -> dict[str, Entry]:
    """All features by name: what is embedded, then the models, then functions that were added."""
    found = {EMBEDDED: _ENTRY}
    for name, function in _user.functions().items():
        found[name] = Entry(name, function.title, _summary_of(function))
    return found


def _summary_of(function: Function) -> str:
    return (
        "A function of your own."
        if function.title == function.name
        else (f"A function of your own, {function.name}.")
    )


def describe_features(name: str) -> tuple[str, str]:
    """Title and summary, without looking whether it is ready: that asks the disk."""
    if name == EMBEDDED:
        return _ENTRY.title, _ENTRY.summary
    function = _user.functions().get(name)
    if function is not None:
        return function.title, _summary_of(function)
    return name, ""


def check_features(name: str, *, installed: bool = False) -> str:
    """`name`, when there are features of that name, and what they need is `installed`.

    Raises
    ------
    SettingError
        There are none; the message lists the nearest.
    MissingExtraError
        What runs the model is not installed; only with `installed`.
    """
    known = [EMBEDDED, *FEATURE_MODELS, *_user.functions()]
    if name not in known:
        close = nearest(name, known)
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(f"There are no features {name!r}: {', '.join(known)}.{hint}")
    return name


@dataclass(frozen=True)
class Chosen:
    """Features that can be computed.

    Attributes
    ----------
    name
        Their own name, also when others were asked for.
    title
        What people see.
    identity
        Changes when the answers may, see :class:`vde_nb.features.Extractor`.
    notes
        What there is to say about the choice, in words.
    make
        Gives what computes them.
    """

    name: str
    title: str
    identity: str
    notes: tuple[str, ...]
    make: Callable[[], Extractor]


def choose_features(settings: DifferenceSettings) -> Chosen:
    """The features that `settings` ask for, or the embedded ones with a note that says why.

    Raises
    ------
    SettingError
        There are none of that name.
    MissingExtraError
        A model was asked for, and what runs it is not installed.
    """
    notes: tuple[str, ...] = ()
    try:
        made = open_features(settings.features, settings.feature_layers, settings.feature_zoom)
    except WeightsError as error:
        made = open_features(EMBEDDED)
        notes = (f"{error} Meanwhile the embedded descriptors describe the pictures.",)
    return Chosen(made.name, made.title, made.identity, notes, lambda: made)


def open_features(name: str, layers: str = "middle", zoom: float = 0.0) -> Extractor:
    """What computes the features called `name`, loaded and ready.

    Raises
    ------
    SettingError
        There are none of that name.
    MissingExtraError
        What runs the model is not installed.
    WeightsError
        Its weights cannot be had, or are not what they should be.
    """
    check_features(name, installed=True)
    function = _user.functions().get(name)
    if function is not None:
        return function
    from vde_nb.features.embedded import Embedded

    return Embedded()


def add_features(
    name: str,
    function: Describe,
    *,
    positional: bool = False,
    title: str | None = None,
    version: str = "",
) -> None:
    """Add features of your own, so that they can be chosen like the others.

    Parameters
    ----------
    name
        What to choose them by: letters, digits and ``_ . + -``. Of your own, those that have this
        name are replaced.
    function
        Takes a picture, ``(H, W, 3)`` uint8 RGB, and returns ``(h, w, d)`` numbers that describe
        it on a grid of h x w cells, which share it out evenly.
    positional
        Whether they also tell where a cell lies, besides what it shows.
    title
        What people see; `name` by default.
    version
        Stands for the function's answers: raise it when they change. Models of normality that are
        saved can be used in another session only with it.

    Raises
    ------
    SettingError
        The name cannot be used, or `function` is none.
    """
    _user.checked_name(name, _taken())
    if not callable(function):
        raise SettingError(
            f"add_features({name!r}, ...) takes a function image -> (rows, columns, numbers per "
            f"cell), not {function!r}."
        )
    _user.add_function(name, function, positional=positional, title=title, version=version)


def remove_features(name: str) -> None:
    """Take away what :func:`add_features` added.

    Raises
    ------
    SettingError
        There are none of that name, or they come with vde-nb.
    """
    if name in _taken():
        raise SettingError(f"{name!r} comes with vde-nb; only features that were added can go.")
    _user.remove_function(name)


def named_features(value: Any) -> str:
    """The name of features given as a name or as a function, which is added under its own name.

    Raises
    ------
    SettingError
        `value` is neither.
    """
    return _user.named_features(value, _taken())
