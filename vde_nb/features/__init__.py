"""What describes pictures place by place: descriptors, trained models, functions of the user."""

from __future__ import annotations

from vde_nb.features.base import Extractor, PatchFeatures
from vde_nb.features.choosing import (
    Chosen,
    add_features,
    check_features,
    choose_features,
    describe_features,
    feature_entries,
    named_features,
    open_features,
    remove_features,
)
from vde_nb.segment.choosing import Entry

__all__ = [
    "Chosen",
    "Entry",
    "Extractor",
    "PatchFeatures",
    "add_features",
    "check_features",
    "choose_features",
    "describe_features",
    "feature_entries",
    "named_features",
    "open_features",
    "remove_features",
]


def __dir__() -> list[str]:
    return sorted(__all__)
