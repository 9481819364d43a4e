"""Models of normality: what a scene looks like when all is well, learnt from pictures of it."""

from __future__ import annotations

from vde_nb.normality._bank import Bank
from vde_nb.normality._kinds import KINDS
from vde_nb.normality.base import Frame, Grid, Kind, KindEntry
from vde_nb.normality.normality import Normality
from vde_nb.normality.registry import (
    find_model,
    held_model,
    known_models,
    named_model,
    pinned,
    stamp_of,
)

__all__ = [
    "KINDS",
    "Bank",
    "Frame",
    "Grid",
    "Kind",
    "KindEntry",
    "Normality",
    "find_model",
    "held_model",
    "known_models",
    "named_model",
    "pinned",
    "stamp_of",
]


def __dir__() -> list[str]:
    return sorted(__all__)
