"""An anomaly over time: when it appeared, how long it stayed, whether it grew or came back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vde_nb.detect import Box
from vde_nb.normality._trend import trend

__all__ = ["GAP", "Sighting", "Track"]

#: Frames without it that do not end the stay of an anomaly.
GAP = 2
#: Growth (or shrinking) that is worth a word.
_GROWN = 1.3


@dataclass(frozen=True, eq=False)
class Sighting:
    """An anomaly in one frame.

    Attributes
    ----------
    frame
        Number of the frame, from 0.
    number
        Its number among the anomalies of that frame, from 1; 0 where it is part of a region that
        is another track's.
    box
        ``(x, y, w, h)`` in reference pixels.
    area
        Pixels of its outline.
    score
        Mean heat, 0 to 1.
    type, severity
        What it was called in this frame.
    """

    frame: int
    number: int
    box: Box
    area: int
    score: float
    type: str
    severity: str


@dataclass(frozen=True, eq=False, repr=False)
class Track:
    """One anomaly over time.

    Attributes
    ----------
    id
        From 1, in the order of first appearance; further frames do not change it.
    sightings
        It in every frame where it was seen.
    visits
        ``(first, last)`` frames of each stay; up to two frames without it do not end one.
    looked
        Numbers of all frames that could be compared.
    """

    id: int
    sightings: tuple[Sighting, ...]
    visits: tuple[tuple[int, int], ...]
    looked: tuple[int, ...] = field(repr=False)

    @property
    def first(self) -> int:
        """Frame of its first appearance."""
        return self.sightings[0].frame

    @property
    def last(self) -> int:
        """Frame in which it was last seen."""
        return self.sightings[-1].frame

    @property
    def frames(self) -> int:
        """In how many frames it was seen."""
        return len(self.sightings)

    @property
    def persistence(self) -> float:
        """Share of the frames since its first appearance in which it was seen, 0 to 1."""
        return self.frames / max(sum(frame >= self.first for frame in self.looked), 1)

    @property
    def gaps(self) -> int:
        """How many frames between its first and last appearance are without it."""
        inside = sum(self.first <= frame <= self.last for frame in self.looked)
        return inside - self.frames

    @property
    def present(self) -> bool:
        """Whether it is there at the end, give or take two frames."""
        after = sum(frame > self.last for frame in self.looked)
        first, last = self.visits[-1]
        stayed = sum(first <= frame <= last for frame in self.looked)
        return after <= min(GAP, stayed - 1)

    @property
    def type(self) -> str:
        """What it was called most often."""
        return _most([sighting.type for sighting in self.sightings])

    @property
    def severity(self) -> str:
        """How severe it was most often."""
        return _most([sighting.severity for sighting in self.sightings])

    @property
    def box(self) -> Box:
        """Where it was last seen as a region of its own."""
        return self._own[-1].box

    @property
    def boxes(self) -> dict[int, Box]:
        """Its box in every frame where it was seen."""
        return {sighting.frame: sighting.box for sighting in self.sightings}

    @property
    def area(self) -> int:
        """Pixels, the median of its last three sightings."""
        return int(np.median([sighting.area for sighting in self._own[-3:]]))

    @property
    def growth(self) -> float:
        """How many times larger it got from the first to the last sighting, 1 for not.

        The robust line through the logarithm of its area, where that surely rises or falls.
        """
        own = self._own
        line = trend([one.frame for one in own], [math.log(max(one.area, 1)) for one in own])
        if line is None or line.low <= 0 <= line.high:
            return 1.0
        return math.exp(line.end - line.start)

    @property
    def story(self) -> str:
        """What it did, in words."""
        if self.frames == 1:
            return "seen once"
        parts = []
        if self.growth >= _GROWN:
            parts.append(f"grows (\u00d7{self.growth:.1f})")
        elif self.growth <= 1 / _GROWN:
            parts.append(f"shrinks (\u00d7{self.growth:.1f})")
        if len(self.visits) == 2:
            parts.append("came back")
        elif len(self.visits) > 2:
            parts.append(f"came back {len(self.visits) - 1} times")
        parts.append("still there" if self.present else "gone")
        return ", ".join(parts)

    @property
    def _own(self) -> list[Sighting]:
        return [sighting for sighting in self.sightings if sighting.number]

    def __repr__(self) -> str:
        return (
            f"Track({self.id}, {self.type!r}, frames {self.first + 1}\u2013{self.last + 1}, "
            f"seen in {self.frames}, {self.story})"
        )


def _most(words: Sequence[str]) -> str:
    """The most frequent word, of several the one said last."""
    counts = Counter(words)
    most = max(counts.values())
    return next(word for word in reversed(words) if counts[word] == most)
