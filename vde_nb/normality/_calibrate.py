"""From distances to evidence: which distance a normal picture exceeds how often.

Every normal picture is judged by a model of the others, and its largest distance taken. Those
maxima follow a Gumbel law in their logarithm, as the maximum of many places with an exponential
tail does (Gumbel, *Statistics of Extremes*, 1958), and where few regions exceed a distance, as many
are expected as that law's ``exp(-(log t - location) / scale)``. So the distance at which
`false_alarms` regions are expected is ``exp(location - scale * log(false_alarms))``, far beyond
what a handful of pictures shows by itself. A prior takes the place of the pictures there are too
few of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vde_nb.normality.base import Float64, Kind

__all__ = ["DEFAULT_FALSE_ALARMS", "Calibration", "Fitted", "alone", "calibrate"]

#: False regions to be expected in a normal picture, where nothing else is asked for.
DEFAULT_FALSE_ALARMS = 0.02
#: Scale of the logarithm of maxima seen in many series, and the pictures it counts as much as.
_SCALE, _PRIOR = 0.3, 4.0
_LEAST, _MOST = 0.18, 0.8  # of the scale
_UNKNOWN = 1.2  # a second picture lies e to this further out, usually
_EULER = 0.5772156649
#: A normal picture stands out where fewer than one in so many would exceed its maximum.
_RARE = 2000.0
_FAR = 0.92  # and where its logarithm lies so far beyond the middle one: 2.5 times
_SMALL = 1.0  # distances below the usual one are all the same
_ENOUGH = 5  # pictures among which one can stand out
_MOST_OUT = 0.2  # share of the pictures that can


@dataclass(frozen=True)
class Calibration:
    """Law of the largest distance in a normal picture.

    Attributes
    ----------
    location, scale
        Of the Gumbel law of its logarithm.
    count
        Pictures it was estimated from.
    """

    location: float
    scale: float
    count: int = 0

    def level(self, false_alarms: float = DEFAULT_FALSE_ALARMS) -> float:
        """Distance that so many regions of a normal picture exceed, on average.

        Examples
        --------
        >>> law = Calibration(1.0, 0.3)
        >>> round(law.level(0.02), 1), round(law.level(0.05), 1)
        (8.8, 6.7)
        """
        return math.exp(self.location - self.scale * math.log(false_alarms))


@dataclass(frozen=True, eq=False)
class Fitted:
    """One kind of model and what its distances mean.

    Attributes
    ----------
    kind
        The model.
    calibration
        What its distances mean.
    outliers
        Numbers of the frames of the bank that stood out of the others.
    """

    kind: Kind
    calibration: Calibration
    outliers: tuple[int, ...] = ()


def calibrate(
    maxima: Sequence[float], weights: npt.ArrayLike | None = None
) -> tuple[Calibration, Float64]:
    """Law of the maxima of normal pictures, and which of the pictures stand out.

    Parameters
    ----------
    maxima
        ``(n,)``, the largest distance in each picture, by a model of the others.
    weights
        ``(n,)``, how much each picture counts; None: all the same.

    Returns
    -------
    calibration
        Without those that stand out.
    out
        ``(n,)`` float64: how many pictures one would have to see for one so far out, 0 where
        that is not remarkable.
    """
    logs = np.log(np.maximum(np.asarray(maxima, np.float64), _SMALL))
    weight = np.ones(len(logs)) if weights is None else np.asarray(weights, np.float64)
    out = np.zeros(len(logs))
    kept = np.ones(len(logs), np.bool_)
    while kept.sum() >= _ENOUGH and (~kept).sum() < math.floor(_MOST_OUT * len(logs) + 0.5):
        worst = int(np.argmax(np.where(kept, logs, -np.inf)))
        others = kept.copy()
        others[worst] = False
        law = _gumbel(logs[others], weight[others])
        rarity = math.exp(min((logs[worst] - law.location) / law.scale, 50.0))
        if rarity < _RARE or logs[worst] < np.median(logs[others]) + _FAR:
            break
        out[worst], kept = rarity, others
    return _gumbel(logs[kept], weight[kept]), out


def alone(distance: float) -> Calibration:
    """A guess where there is one picture, which lies `distance` from itself."""
    return Calibration(math.log(max(distance, 1.0)) + _UNKNOWN, _SCALE)


def _gumbel(logs: Float64, weight: Float64) -> Calibration:
    """Location and scale by L-moments (Hosking 1990), the scale shrunk towards the usual one."""
    count = len(logs)
    effective = float(weight.sum() ** 2 / max((weight**2).sum(), 1e-12))
    mean = float(np.average(logs, weights=weight))
    scale = _SCALE
    if count > 1:
        both = weight[:, None] * weight[None, :] * (1 - np.eye(count))
        gaps = np.abs(logs[:, None] - logs[None, :])
        own = float((both * gaps).sum() / both.sum()) / 2 / math.log(2)
        known = effective - 1
        scale = (known * own + _PRIOR * _SCALE) / (known + _PRIOR)
    scale = min(max(scale, _LEAST), _MOST)
    # Of few pictures, the next one may lie further out: a location is known to scale / sqrt(n).
    unsure = 1.28 * scale / math.sqrt(max(effective, 1.0))
    return replace(Calibration(mean - _EULER * scale + unsure, scale), count=count)
