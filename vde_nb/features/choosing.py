"""Which features a name stands for, whether they are ready, and what is used when they are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vde_nb._extras import not_installed
from vde_nb._lessons import lesson
from vde_nb.errors import MissingExtraError, SettingError, WeightsError
from vde_nb.features import _user
from vde_nb.features._user import Describe
from vde_nb.features.base import Extractor
from vde_nb.features.models import FEATURE_MODELS, OURS, model_called, own_model, remove_model
from vde_nb.segment.choosing import Entry
from vde_nb.settings import DifferenceSettings, nearest

if TYPE_CHECKING:
    from vde_nb.segment.models import Model

__all__ = [
    "EMBEDDED",
    "MEANWHILE",
    "Chosen",
    "add_features",
    "check_features",
    "choose_features",
    "describe_features",
    "feature_entries",
    "is_function",
    "named_features",
    "open_features",
    "remove_features",
]

#: What needs neither weights nor anything installed.
EMBEDDED = "embedded"
#: How a note ends where the embedded descriptors stand in for a model.
MEANWHILE = "Meanwhile the embedded descriptors describe the pictures."
_ENTRY = Entry(
    EMBEDDED,
    "Embedded descriptors",
    "No weights: colour, texture and directions of edges, at several scales.",
)
_OF_USER = "A function of your own."


#: What each backend imports; the extra [sam] installs all of it.
_NEEDS = {
    "transformers": ("torch", "transformers", "safetensors"),
    "timm": ("torch", "timm", "safetensors"),
}


def feature_entries() -> dict[str, Entry]:
    """All features by name: what is embedded, then the models, then functions that were added.

    Models of timm are not listed, as there are hundreds.
    """
    found = {EMBEDDED: _ENTRY}
    found |= {name: _model_entry(model) for name, model in FEATURE_MODELS.items()}
    for name, function in _user.functions().items():
        found[name] = Entry(name, function.title, _OF_USER)
    return found


def _model_entry(model: Model) -> Entry:
    from vde_nb.segment.weights import find, problem

    how = _missing(model)
    if not how:
        weights = find(model)
        how = f"download {model.megabytes} MB"
        if weights is not None:
            is_damaged = problem(weights, read=False)  # as far as it is known already
            how = f"damaged: vde-nb weights verify {model.name}" if is_damaged else ""
    return Entry(model.name, model.title, _summary(model), not how, how, model)


def _missing(model: Model) -> str:
    """What is to be installed before the model runs, in a few words; empty for nothing."""
    for module in not_installed(*_NEEDS[model.backend]):
        return f'needs {module}: pip install "vde-nb[sam]"'
    return ""


def _summary(model: Model) -> str:
    size = f", {model.parameters:g} million parameters" if model.parameters else ""
    return f"{model.family}{size}, {model.licence}"


def describe_features(name: str) -> tuple[str, str]:
    """Title and summary, without looking whether it is ready: that asks the disk."""
    if name == EMBEDDED:
        return _ENTRY.title, _ENTRY.summary
    function = _user.functions().get(name)
    if function is not None:
        return function.title, _OF_USER
    try:
        model = model_called(name)
    except SettingError:
        model = None
    return (name, "") if model is None else (model.title, _summary(model))


def is_function(name: str) -> bool:
    """Whether a function of the user's has this name."""
    return name in _user.functions()


def check_features(name: str, *, installed: bool = False) -> str:
    """`name`, when there are features of that name, and what they need is `installed`.

    Whether timm has a model of that name is not looked up, as importing it takes seconds.

    Raises
    ------
    SettingError
        There are none; the message lists the nearest.
    MissingExtraError
        What runs the model is not installed; only with `installed`.
    """
    if name == EMBEDDED or name in _user.functions():
        return name
    model = model_called(name)
    if model is None:
        if _user.is_forgotten(name):
            raise SettingError(
                f"features={name!r} was a function without a name of its own, which is not kept "
                f"any more: the last {_user.KEPT} are. Give it again, or add it under a name with "
                "vde_nb.add_features(name, function)."
            )
        known = [EMBEDDED, *FEATURE_MODELS, *_user.functions()]
        close = nearest(name, known)
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(
            f"There are no features {name!r}: {', '.join(known)}, or timm: and the name of one of "
            f"its models.{hint}{lesson('features')}"
        )
    if installed:
        missing = _missing(model)
        if missing:
            raise MissingExtraError(f"{model.title} {missing}")
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
        notes = (f"{error} {MEANWHILE}",)
    return Chosen(made.name, made.title, made.identity, notes, lambda: made)


def open_features(name: str, layers: str = "middle", zoom: float = 0.0) -> Extractor:
    """What computes the features called `name`, loaded and ready.

    Parameters
    ----------
    name
        As the setting ``features``.
    layers, zoom
        As the settings ``feature_layers`` and ``feature_zoom``; they concern models only.

    Raises
    ------
    SettingError
        There are none of that name, or `layers` or `zoom` cannot be.
    MissingExtraError
        What runs the model is not installed.
    WeightsError
        Its weights cannot be had, or are not what they should be.
    """
    check_features(name, installed=True)
    if name == EMBEDDED:
        from vde_nb.features.embedded import Embedded

        return Embedded()
    function = _user.function_called(name)
    if function is not None:
        return function
    model = model_called(name)
    if model is None:  # taken away by another thread just now
        return open_features(name, layers, zoom)
    from vde_nb.features._opening import open_model

    return open_model(model, layers, zoom)


def add_features(
    name: str,
    source: Describe | str | os.PathLike[str],
    *,
    positional: bool = False,
    title: str | None = None,
    version: str = "",
    architecture: str = "",
) -> None:
    """Add features of your own, so that they can be chosen like the others.

    Parameters
    ----------
    name
        What to choose them by: letters, digits and ``_ . + -``. Of your own, those that have this
        name are replaced.
    source
        A function that takes a picture, ``(H, W, 3)`` uint8 RGB, and returns ``(h, w, d)`` numbers
        that describe it on a grid of h x w cells, which share it out evenly. Or where the weights
        of a model lie: a folder with the ``config.json`` and ``model.safetensors`` of DINOv2 or
        DINOv3 in transformers or of any vision transformer of timm, or a ``.safetensors`` file of
        the latter.
    positional
        Whether a function also tells where a cell lies, besides what it shows.
    title
        What people see; `name` by default.
    version
        Stands for a function's answers: raise it when they change. Models of normality that are
        saved can be used in another session only with it.
    architecture
        Name of the model in timm, such as ``"vit_small_patch14_dinov2"``, for a file.

    Raises
    ------
    SettingError
        The name cannot be used, or `source` is no function and no path.
    WeightsError
        The weights are missing or damaged, or of another kind.
    MissingExtraError
        safetensors is not installed.
    """
    _user.checked_name(name, _taken())
    if isinstance(source, (str, os.PathLike)):
        own_model(name, Path(source), title, architecture)
        _user.functions_without(name)
        return
    if not callable(source):
        raise SettingError(
            f"add_features({name!r}, ...) takes a function image -> (rows, columns, numbers per "
            f"cell), or the path of a model, not {source!r}."
        )
    _user.add_function(name, source, positional=positional, title=title, version=version)
    remove_model(name)


def remove_features(name: str) -> None:
    """Take away what :func:`add_features` added; files stay.

    Raises
    ------
    SettingError
        There are none of that name, or they come with vde-nb.
    """
    if name in _taken():
        raise SettingError(f"{name!r} comes with vde-nb; only features that were added can go.")
    if not remove_model(name):
        _user.remove_function(name)


def named_features(value: Any) -> str:
    """The name of features given as a name or as a function, which is added under its own name.

    Raises
    ------
    SettingError
        `value` is neither.
    """
    return _user.named_features(value, (*_taken(), *FEATURE_MODELS))


def _taken() -> tuple[str, ...]:
    """Names of what comes with vde-nb."""
    return EMBEDDED, *OURS
