"""Comparing with what was learned: models and functions by name, and a model's own reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from vde_nb.images import ImagePair, Source, load_pair
from vde_nb.settings import Settings

if TYPE_CHECKING:
    from vde_nb.normality import Normality

__all__ = ["adapted", "holding", "load_with", "model_of", "named"]

#: The method that compares with a model instead of with a second picture.
_METHOD = "normality"


def named(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` in which a model or a function stands by its name, as text can be written down."""
    plain = dict(settings)
    if not isinstance(plain.get("model", ""), str):
        from vde_nb.normality import named_model

        plain["model"] = named_model(plain["model"])
    if not isinstance(plain.get("features", ""), str):
        from vde_nb.features import named_features

        plain["features"] = named_features(plain["features"])
    return plain


def model_of(settings: Settings) -> Normality | None:
    """The model a comparison is made with; None where the method needs none.

    Raises
    ------
    SettingError
        The method needs one, and none is named, or there is none of that name.
    """
    if settings.method != _METHOD:
        return None
    from vde_nb.normality import find_model

    return find_model(settings.difference.model)


@contextmanager
def holding(settings: Settings, model: Normality | None) -> Iterator[None]:
    """Have the model's name in `settings` stand for `model`, whatever became of its file."""
    if model is None:
        yield
        return
    from vde_nb.normality import pinned

    with pinned(settings.difference.model, model):
        yield


def load_with(
    model: Normality,
    reference: Source | Sequence[Source] | None,
    current: Source,
    *,
    fit: str,
    max_megapixels: float,
) -> ImagePair:
    """Load a picture at the size of the model's own reference: the grid everything was learned on.

    Parameters
    ----------
    model
        What it is compared with.
    reference
        What somebody gave for a reference; where it is another one, a note says that it is not
        used. None: nothing was given.
    current, fit, max_megapixels
        As for :func:`vde_nb.load_pair`.

    Raises
    ------
    ImageError
        A picture cannot be read, or its proportions are not those of the model's reference.
    """
    pair = load_pair(model.reference, current, fit=fit, max_megapixels=max_megapixels)
    if reference is None or reference is model.reference:
        return pair
    given = load_pair(reference, model.reference, fit="crop", max_megapixels=max_megapixels)
    if np.array_equal(given.reference.array, model.reference):
        return pair
    return _noted(pair, given.reference.name, pair.notes)


def adapted(pair: ImagePair, model: Normality | None) -> ImagePair:
    """A pair that was loaded already, with the model's own reference in the place of its own."""
    if model is None or np.array_equal(pair.reference.array, model.reference):
        return pair
    made = load_pair(model.reference, pair.current.array, fit="crop")
    if made.current.array.shape == pair.current.array.shape:
        # It was of that size before: what is known of it stays.
        made = ImagePair(made.reference, pair.current, (), pair.valid, pair.placement)
    return _noted(made, pair.reference.name, (*pair.notes, *made.notes))


def _noted(pair: ImagePair, name: str, notes: tuple[str, ...]) -> ImagePair:
    note = f"The model was fitted on a reference of its own, which takes the place of {name}."
    return ImagePair(pair.reference, pair.current, (*notes, note), pair.valid, pair.placement)
