"""The regions that a plug-in's rules are asked about: of pictures, and as odd as they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from vde_nb import samples
from vde_nb.classify import Region
from vde_nb.classify._registry import put_rules
from vde_nb.compare import compare

__all__ = ["PROBE", "Place", "extremes", "places_of"]

#: Name of the rule that looks on while pictures are compared; no plug-in calls one so.
PROBE = "vde-nb-trial"


@dataclass(frozen=True)
class Place:
    """A region, and where it is from."""

    region: Region
    where: str


def places_of(pair: tuple[str, str] | None) -> list[Place]:
    """The regions of a pair of pictures, named by their paths, or of all bundled samples."""
    return [place for one in _pairs(pair) for place in _places(*one)]


def _pairs(pair: tuple[str, str] | None) -> Iterator[tuple[str, Any, Any]]:
    if pair is not None:
        yield ("", *pair)
        return
    for name in samples.list():
        sample = samples.load(name)
        yield name, sample.reference, sample.current


def _places(name: str, reference: Any, current: Any) -> list[Place]:
    """The regions that a comparison names, in its order."""
    seen: list[Region] = []

    def look_on(region: Region) -> float:
        seen.append(region)
        return 0.0

    put_rules({PROBE: look_on})
    try:
        found = compare(reference, current, cache=None)
    finally:
        put_rules({PROBE: None})
    places = []
    for one in found.anomalies:
        same = [region for region in seen if region.box == one.box and region.area == one.area]
        where = f"on the region at {one.box}{f' of {name}' if name else ''}"
        places += [Place(region, where) for region in same[-1:]]
    return places


def extremes() -> Iterator[Place]:
    """Regions that divide by zero what can be: as small and as large as they come."""
    rng = np.random.default_rng(0)
    reference, current = rng.integers(40, 220, (2, 48, 64, 3), np.uint8)
    heatmap = np.full((48, 64), 200, np.uint8)
    for where, (x, y, w, h) in {
        "on a region of one pixel": (30, 20, 1, 1),
        "on a region of one pixel in the corner": (63, 47, 1, 1),
        "on a region one pixel wide": (5, 5, 1, 40),
        "on a region one pixel high": (5, 5, 40, 1),
        "on a region as large as the picture": (0, 0, 64, 48),
    }.items():
        mask = np.ones((h, w), np.bool_)
        yield Place(Region((x, y, w, h), mask, reference, current, heatmap), where)
