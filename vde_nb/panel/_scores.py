"""Where the level lies on the curve of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vde_nb.scoring import evidence_of
from vde_nb.settings import CALIBRATED

if TYPE_CHECKING:
    from vde_nb.panel._choice import Choice

__all__ = ["level_of"]


def level_of(choice: Choice) -> float | None:
    """The score from which on regions are shown, None for methods without scores.

    1 at the usual threshold of 50; it follows the threshold.
    """
    return evidence_of(choice.threshold) if choice.method in CALIBRATED else None
