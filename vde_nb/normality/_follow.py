"""Which anomaly of a frame is which of the frames before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box
from vde_nb.normality._tracks import GAP, Sighting, Track

__all__ = ["Follower"]

Bool = npt.NDArray[np.bool_]

#: Share of two regions' union that they must have in common to be one thing.
_SAME = 0.12
#: The same for a thing that comes back after having been away.
_AGAIN = 0.3
#: Share of the smaller of two regions that must lie inside the other one.
_INSIDE = 0.6
#: How many times larger than before a region may be while still the same.
_LEAP = 4.0
#: Pixels by which outlines of the same thing differ between two frames.
_LOOSE = 2


class Follower:
    """Follows anomalies through frames that are handed over one after the other.

    A region goes on with the track it has most in common with: a share of their union, or most of
    the smaller one inside the other, which is how a crack grows. Parts into which a region falls
    for a frame stay with it; a region that swallows others keeps them alive. Nothing that comes
    later changes what a track was called before.
    """

    def __init__(self) -> None:
        self._trails: list[_Trail] = []
        self._looked: list[int] = []

    def look(self, frame: int, seen: Sequence[tuple[Sighting, Bool]]) -> list[int]:
        """Take in what was found in one frame.

        Parameters
        ----------
        frame
            Its number, larger than the one before. Frames that were skipped are left out.
        seen
            Each anomaly, and its outline ``(h, w)`` bool in the frame of its box.

        Returns
        -------
        list of int
            For each anomaly the id of its track.
        """
        moment = len(self._looked)
        self._looked.append(frame)
        regions = [_Region.of(sighting.box, outline) for sighting, outline in seen]
        pairs = [
            pair
            for trail in self._trails
            for place, region in enumerate(regions)
            if (pair := _Pair.of(trail, place, region, moment)) is not None
        ]
        owner = _assigned(pairs)
        parts: dict[int, list[int]] = {}
        for place, trail in owner.items():
            parts.setdefault(trail.id, []).append(place)
        for trail in self._trails:
            if trail.id in parts:
                trail.go_on(moment, [seen[place] for place in parts[trail.id]])
            elif moment - trail.moment <= GAP + 1:
                hiding = [pair.place for pair in pairs if pair.trail is trail and pair.hides]
                if hiding:  # below a region that grew over it: it has not gone
                    trail.hide(moment, seen[hiding[0]][0])
        for place, (sighting, outline) in enumerate(seen):
            if place not in owner:
                number = len(self._trails) + 1
                owner[place] = _Trail(number, _Region.of(sighting.box, outline), moment, [sighting])
                self._trails.append(owner[place])
        return [owner[place].id for place in range(len(seen))]

    @property
    def tracks(self) -> tuple[Track, ...]:
        """All tracks so far."""
        looked = tuple(self._looked)
        return tuple(
            Track(trail.id, tuple(trail.sightings), _visits(trail.sightings, looked), looked)
            for trail in self._trails
        )


@dataclass(frozen=True, eq=False)
class _Region:
    """An outline, and the same a little wider.

    Two outlines of one thin crack hardly ever lie on the same pixels.
    """

    box: Box
    outline: Bool
    wide: Bool
    pixels: int

    @classmethod
    def of(cls, box: Box, outline: Bool) -> _Region:
        side = 2 * _LOOSE + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        padded = np.pad(outline.view(np.uint8), _LOOSE)
        wide = np.asarray(cv2.dilate(padded, kernel)).view(np.bool_)
        return cls(box, outline.copy(), wide, int(np.count_nonzero(wide)))

    def common(self, other: _Region) -> int:
        """Pixels that both have, widened as they are."""
        (x, y), (ox, oy) = self.box[:2], other.box[:2]
        (h, w), (oh, ow) = self.wide.shape, other.wide.shape
        left, top = max(x, ox), max(y, oy)
        right, bottom = min(x + w, ox + ow), min(y + h, oy + oh)
        if right <= left or bottom <= top:
            return 0
        here = self.wide[top - y : bottom - y, left - x : right - x]
        there = other.wide[top - oy : bottom - oy, left - ox : right - ox]
        return int(np.count_nonzero(here & there))


@dataclass(eq=False)
class _Trail:
    """A track while it is being followed.

    Attributes
    ----------
    region
        Where it was last seen as a region of its own.
    moment
        When it was last seen, counted in compared frames.
    """

    id: int
    region: _Region
    moment: int
    sightings: list[Sighting]

    def go_on(self, moment: int, parts: Sequence[tuple[Sighting, Bool]]) -> None:
        """Add a sighting, made of one region or of the parts of one."""
        self.moment = moment
        main = max((sighting for sighting, _ in parts), key=lambda one: one.area)
        box, outline = _union([(one.box, outline) for one, outline in parts])
        region = _Region.of(box, outline)
        if region.pixels * _LEAP >= self.region.pixels:
            self.region = region  # a crumb of it does not tell where it is
        area = sum(one.area for one, _ in parts)
        score = sum(one.score * one.area for one, _ in parts) / max(area, 1)
        self.sightings.append(replace(main, box=box, area=area, score=score))

    def hide(self, moment: int, over: Sighting) -> None:
        """Add a sighting below a region that is another track's."""
        self.moment = moment
        last = self.sightings[-1]
        self.sightings.append(replace(last, frame=over.frame, number=0))


@dataclass(frozen=True, eq=False)
class _Pair:
    """A track and a region that have something in common.

    Attributes
    ----------
    rate
        How well they fit.
    same
        Whether the region is the track's thing.
    part
        Whether the region is a part of it.
    hides
        Whether the region covers it.
    """

    trail: _Trail
    place: int
    rate: float
    same: bool
    part: bool
    hides: bool

    @classmethod
    def of(cls, trail: _Trail, place: int, region: _Region, moment: int) -> _Pair | None:
        old = trail.region
        both = old.common(region)
        if not both:
            return None
        union = both / (old.pixels + region.pixels - both)
        inside = both / min(old.pixels, region.pixels)
        leap = max(old.pixels, region.pixels) / min(old.pixels, region.pixels)
        if moment - trail.moment > GAP + 1:  # it has been away
            same, near = union >= _AGAIN, False
        else:
            same, near = union >= _SAME or (inside >= _INSIDE and leap <= _LEAP), True
        smaller = region.pixels < old.pixels
        return cls(
            trail,
            place,
            union + inside / 4,
            same,
            near and inside >= _INSIDE and smaller,
            inside >= _INSIDE and not smaller,
        )


def _assigned(pairs: Sequence[_Pair]) -> dict[int, _Trail]:
    """The track of each region: the best fits first, then what is left as parts of these."""
    owner: dict[int, _Trail] = {}
    seen: set[int] = set()
    best = sorted(pairs, key=lambda pair: (-pair.rate, pair.trail.id, pair.place))
    for pair in best:
        if pair.same and pair.place not in owner and pair.trail.id not in seen:
            owner[pair.place] = pair.trail
            seen.add(pair.trail.id)
    for pair in best:
        if pair.part and pair.place not in owner:
            owner[pair.place] = pair.trail
    return owner


def _visits(sightings: Sequence[Sighting], looked: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Stays, with gaps of up to `GAP` compared frames in them."""
    moment = {frame: number for number, frame in enumerate(looked)}
    visits: list[tuple[int, int]] = []
    for sighting in sightings:
        if visits and moment[sighting.frame] - moment[visits[-1][1]] <= GAP + 1:
            visits[-1] = visits[-1][0], sighting.frame
        else:
            visits.append((sighting.frame, sighting.frame))
    return tuple(visits)


def _union(parts: Sequence[tuple[Box, Bool]]) -> tuple[Box, Bool]:
    """Box and outline of several regions together."""
    left, top = min(box[0] for box, _ in parts), min(box[1] for box, _ in parts)
    right = max(box[0] + box[2] for box, _ in parts)
    bottom = max(box[1] + box[3] for box, _ in parts)
    whole = np.zeros((bottom - top, right - left), np.bool_)
    for (x, y, w, h), outline in parts:
        whole[y - top : y - top + h, x - left : x - left + w] |= outline
    return (left, top, right - left, bottom - top), whole
