"""How far the worst place of a frame is from what counts as unchanged, as one number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vde_nb.settings._stages import CALIBRATED

if TYPE_CHECKING:
    from vde_nb.comparison import Comparison
    from vde_nb.panel._choice import Choice

__all__ = ["level_of", "score_of"]

#: Heat of the level, and what the largest heat stands for: half a step below saturation.
_LEVEL, _FULL = 50.0, 254.5


def score_of(comparison: Comparison) -> float | None:
    """Evidence of the worst place in units of the level: 1 is the level itself.

    Parameters
    ----------
    comparison
        A finished one.

    Returns
    -------
    float or None
        At least 0. Beyond 19 heat is saturated; where the method measured its regions, the score
        is what was measured. None for methods whose heat has no such level.
    """
    if comparison.method not in CALIBRATED:
        return None
    hottest = int(comparison.clean_heatmap.max(initial=0))
    score = _ratio(hottest)
    if hottest >= int(_FULL):
        peaks = [one.evidence.get("normality_peak", 0.0) for one in comparison.anomalies]
        score = max([score, *(float(one) for one in peaks if math.isfinite(one))])
    return score


def level_of(choice: Choice) -> float | None:
    """The score from which on regions are shown, None for methods without scores.

    1 at the usual threshold of 50; it follows the threshold.
    """
    return _ratio(choice.threshold) if choice.method in CALIBRATED else None


def _ratio(heat: float) -> float:
    """What :func:`vde_nb.methods.robust.evidence_heat` shows as `heat`.

    >>> _ratio(25), _ratio(50), round(_ratio(255), 1)
    (0.5, 1.0, 19.0)
    """
    if heat <= _LEVEL:
        return heat / _LEVEL
    return 1.0 - 3.0 * math.log1p(-(min(heat, _FULL) - _LEVEL) / (255.0 - _LEVEL))
