"""One number for a comparison: how far its worst place is from what counts as unchanged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vde_nb.settings import CALIBRATED

if TYPE_CHECKING:
    from vde_nb.comparison import Comparison

__all__ = ["evidence_of", "score_of"]

#: Heat of the level, and the largest that evidence is shown as.
_LEVEL, _FULL = 50.0, 254.0


def evidence_of(heat: float) -> float:
    """Evidence over its level that :func:`vde_nb.methods.robust.evidence_heat` shows as `heat`.

    >>> evidence_of(25), evidence_of(50), round(evidence_of(254), 1)
    (0.5, 1.0, 17.0)
    """
    if heat <= _LEVEL:
        return heat / _LEVEL
    return 1.0 - 3.0 * math.log1p(-(min(heat, _FULL) - _LEVEL) / (255.0 - _LEVEL))


def score_of(comparison: Comparison) -> float | None:
    """Evidence of the worst place in units of the level: 1 is the level itself.

    Parameters
    ----------
    comparison
        A finished one.

    Returns
    -------
    float or None
        At least 0. From 17 on heat is saturated; where the method measured its regions, the score
        is what was measured. None for methods whose heat has no such level.
    """
    if comparison.method not in CALIBRATED:
        return None
    hottest = int(comparison.clean_heatmap.max(initial=0))
    score = evidence_of(hottest)
    if hottest >= _FULL:
        peaks = [one.evidence.get("normality_peak", 0.0) for one in comparison.anomalies]
        score = max([score, *(float(one) for one in peaks if math.isfinite(one))])
    return score
