"""Comparing with what was learned: models and functions by name, and a model's own reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vde_nb.images import ImagePair, Source, load_pair
from vde_nb.settings import Settings

if TYPE_CHECKING:
    from vde_nb.normality import Normality

__all__ = ["adapted", "model_of", "named", "sources"]

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


def sources(
    model: Normality, reference: Source | Sequence[Source], current: Source | None
) -> tuple[Source | Sequence[Source], Source]:
    """What to load: of one picture alone, the model's reference and that picture."""
    if current is None:
        return model.reference, reference  # type: ignore[return-value]
    return reference, current


def adapted(pair: ImagePair, model: Normality | None) -> ImagePair:
    """`pair` with the model's own reference: it is the grid on which everything was learned."""
    if model is None or np.array_equal(pair.reference.array, model.reference):
        return pair
    made = load_pair(model.reference, pair.current.array, fit="crop")
    note = (
        f"The model was fitted on a reference of its own, which takes the place of "
        f"{pair.reference.name}."
    )
    current = pair.current if made.current.array.shape == pair.current.array.shape else made.current
    return ImagePair(
        made.reference,
        current,
        (*pair.notes, note, *made.notes),
        pair.valid if current is pair.current else None,
        pair.placement if current is pair.current else made.placement,
    )
