"""A straight line through measurements of which some are far off."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Trend", "trend"]

#: More points than this are thinned out evenly: there are as many slopes as pairs of points.
_MOST = 600
#: Quantile of the normal distribution for an interval that holds the slope 99 times of 100.
_Z = 2.576


@dataclass(frozen=True)
class Trend:
    """A line, and how sure its slope is.

    Attributes
    ----------
    slope
        Change of y per unit of x.
    low, high
        Interval that holds the slope with 99 % confidence, if the points scatter independently.
    start, end
        The line at the first and at the last x.
    scatter
        Robust standard deviation of the points around the line (1.4826 times the median absolute
        deviation).
    """

    slope: float
    low: float
    high: float
    start: float
    end: float
    scatter: float


def trend(x: npt.ArrayLike, y: npt.ArrayLike) -> Trend | None:
    """Fit a line by the median of the slopes between all pairs of points.

    Theil 1950; its interval after Sen, "Estimates of the regression coefficient based on
    Kendall's tau", JASA 63, 1968. Up to 29 % of the points may lie anywhere.

    Parameters
    ----------
    x, y
        ``(n,)`` numbers; x ascending.

    Returns
    -------
    Trend or None
        None with fewer than three points or all at one x.

    Examples
    --------
    >>> line = trend([0, 1, 2, 3, 4], [1, 3, 5, 99, 9])
    >>> line.slope, line.start, line.end
    (2.0, 1.0, 9.0)
    """
    places, values = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(places) > _MOST:
        keep = np.linspace(0, len(places) - 1, _MOST).round().astype(int)
        places, values = places[keep], values[keep]
    if len(places) < 3 or places[0] == places[-1]:
        return None
    first, second = np.triu_indices(len(places), 1)
    apart = places[second] - places[first]
    slopes = (values[second] - values[first])[apart > 0] / apart[apart > 0]
    slopes.sort()
    slope = float(np.median(slopes))
    rest = values - slope * places
    offset = float(np.median(rest))
    # Sen's interval: the pairs that Kendall's statistic leaves outside when nothing changes.
    count = len(places)
    outside = _Z * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = int((len(slopes) - outside) // 2)
    high = len(slopes) - 1 - low
    inside = 0 <= low <= high < len(slopes)
    return Trend(
        slope,
        float(slopes[low]) if inside else -math.inf,
        float(slopes[high]) if inside else math.inf,
        offset + slope * float(places[0]),
        offset + slope * float(places[-1]),
        1.4826 * float(np.median(np.abs(rest - offset))),
    )
