"""Whether a scene leaves what was learned: the trend of its background's distance from normal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from vde_nb.normality._trend import trend

__all__ = ["Drift", "drift_of"]

#: Frames from which on a trend is worth a word.
_FEW = 6
#: Change of the background that matters: as a share of what it was, and in units of the level.
_SHARE, _LEAST = 0.25, 0.02
#: Days into the future up to which a trend is drawn on.
_FAR = 3650.0


@dataclass(frozen=True)
class Drift:
    """How the background of a series moves away from what was learned.

    The background is everything outside of anomalies. Its distance from normal is the mean heat
    there, in units of the level from which on a place counts as an anomaly.

    Attributes
    ----------
    drifting
        Whether it surely (99 %) and noticeably (by a quarter) rises.
    slope
        Robust slope (Theil-Sen) of the distance, per day, or per 100 frames where no times are
        known; NaN with fewer than six frames.
    low, high
        Interval of the slope with 99 % confidence.
    start, end
        Distance at the beginning and at the end, by the line.
    per
        ``"day"`` or ``"100 frames"``.
    text
        All that in words.
    """

    drifting: bool
    slope: float
    low: float
    high: float
    start: float
    end: float
    per: str
    text: str

    def __str__(self) -> str:
        return self.text


def drift_of(backgrounds: npt.ArrayLike, times: Sequence[datetime | None]) -> Drift:
    """Drift of a series.

    Parameters
    ----------
    backgrounds
        ``(n,)`` distance of each frame's background in units of the level, NaN for frames that
        were skipped.
    times
        When they were taken; frames without times, or all of one time, count as evenly spaced.
    """
    values = np.asarray(backgrounds, np.float64)
    there = np.isfinite(values)
    known = [time for time in times if time is not None]
    x, per = np.arange(len(values)) / 100, "100 frames"
    if len(known) == len(values) > 0:
        days = np.array([(time - known[0]) / timedelta(days=1) for time in known])
        if len(np.unique(days[there])) > 1:
            x, per = days, "day"
    line = trend(x[there], values[there]) if there.sum() >= _FEW else None
    if line is None:
        return Drift(False, *(np.nan,) * 5, per, _too_few(int(there.sum()), len(values)))
    rise = line.end - line.start
    matters = abs(rise) >= max(_SHARE * abs(line.start), _LEAST)
    drifting = line.low > 0 and matters
    if drifting:
        said = (
            f"The scene is leaving what was learned: outside of anomalies its distance from normal "
            f"rose from {line.start:.2f} to {line.end:.2f} of the level ({line.slope:+.2g} per "
            f"{per}){_ahead(line.slope, line.end, per)}. Show the model recent normal pictures: "
            "model.update(picture, half_life=...)."
        )
    elif line.high < 0 and matters:
        said = (
            f"The scene is getting closer to what was learned: outside of anomalies its distance "
            f"from normal fell from {line.start:.2f} to {line.end:.2f} of the level."
        )
    else:
        middle = float(np.median(values[there]))
        said = (
            f"No drift: outside of anomalies the distance from normal stays at {middle:.2f} of the "
            "level."
        )
    return Drift(drifting, line.slope, line.low, line.high, line.start, line.end, per, said)


def _too_few(judged: int, count: int) -> str:
    if not judged:
        return "Whether the scene drifts cannot be told: not one frame was judged."
    few = f"{judged} of {count} frames" if judged < count else f"{count} frames"
    if count == 1:
        few = "One frame"
    verb = "is" if judged == 1 else "are"
    return f"{few} {verb} too few to tell whether the scene drifts: it takes {_FEW}."


def _ahead(slope: float, end: float, per: str) -> str:
    """When the background itself would count as an anomaly, if it went on like this."""
    if end >= 1:
        return "; it is at the level now"
    far = max((1 - end) / slope, 1)
    if per != "day":
        return f"; at this pace it reaches the level in {100 * far:.0f} frames"
    if far >= _FAR:
        return ""
    count = f"{far:.0f} days" if far >= 1.5 else "a day"
    return f"; at this pace it reaches the level in {count}"
