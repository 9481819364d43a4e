"""Severity: how bad a region is, by measures that suit its type.

``1 - exp(-sum(weight * measure / limit))``: one measure at its limit with weight 1 gives 0.63,
none ever gives 1. D is the picture's diagonal, A its area; lengths and areas are held against the
picture, because nobody tells how large a pixel is.

=============== ====================================================== ========================
Type            Measures (weight, limit)                               at its limit
=============== ====================================================== ========================
crack           length (0.8, 0.15 D), width (0.2, 0.008 D)             a sixth of the picture
scratch         length (0.6, 0.25 D), strength (0.3, 30 L*)            a quarter of the picture
missing_part    area (0.8, 0.0025 A), contrast it had (0.3, 1)         a twentieth of both sides
added_part      area (0.8, 0.004 A), contrast it has (0.2, 1)
moved           displacement (0.8, 0.02 D), area (0.2, 0.005 A)        16 of 800 pixels
deformation     displacement (0.8, 0.01 D), area (0.2, 0.01 A)
colour_change   colour difference x area (1, 30 x 0.006 A)
stain           colour difference x area (1, 20 x 0.012 A)
spot            area (0.6, 0.0015 A), colour difference (0.3, 60)
texture_change  texture distance x area (1, 0.5 x 0.01 A)
lighting        lightness difference x area (1, 30 x 0.08 A)           mostly harmless
any other       colour difference x (0.3 + area) (1, 40 x 0.006 A)
=============== ====================================================== ========================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from vde_nb.classify._label import SEVERITIES
from vde_nb.classify._region import Region

__all__ = ["grade", "moved_severity", "severity"]

#: Severities from these on are moderate, and major.
_MODERATE, _MAJOR = 0.33, 0.66


def severity(region: Region, type: str) -> float:
    """How bad a region of this type is, from 0 to 1; see the table above.

    Parameters
    ----------
    region
        The evidence.
    type
        Name of its type; one that is not in the table is graded by area and colour.
    """
    measure = _AMOUNTS.get(type, _other)
    return 1 - math.exp(-measure(region))


def grade(score: float) -> str:
    """Word for a severity: minor below 0.33, major from 0.66 on.

    >>> grade(0.2), grade(0.33), grade(0.7)
    ('minor', 'moderate', 'major')
    """
    return SEVERITIES[int(score >= _MODERATE) + int(score >= _MAJOR)]


def _area(region: Region, limit: float) -> float:
    height, width = region.heatmap.shape
    return region.area / float(height * width) / limit


def _length(region: Region, length: float, limit: float) -> float:
    return length / (math.hypot(*region.heatmap.shape) * limit)


def _crack(region: Region) -> float:
    length = _length(region, region.skeleton_length, 0.15)
    return 0.8 * length + 0.2 * _length(region, region.width, 0.008)


def _scratch(region: Region) -> float:
    length = _length(region, region.skeleton_length, 0.25)
    return 0.6 * length + 0.3 * abs(region.ridge) / 30


def _missing(region: Region) -> float:
    return 0.8 * _area(region, 0.0025) + 0.3 * region.contrast_reference


def _added(region: Region) -> float:
    return 0.8 * _area(region, 0.004) + 0.2 * region.contrast_current


def moved_severity(region: Region, displacement: float) -> float:
    """How bad it is that a thing moved by so many pixels, from 0 to 1."""
    return 1 - math.exp(-_displaced(region, displacement))


def _displaced(region: Region, displacement: float) -> float:
    return 0.8 * _length(region, displacement, 0.02) + 0.2 * _area(region, 0.005)


def _moved(region: Region) -> float:
    return _displaced(region, region.displacement or region.exchange_distance)


def _deformation(region: Region) -> float:
    return 0.8 * _length(region, region.flow, 0.01) + 0.2 * _area(region, 0.01)


def _colour_change(region: Region) -> float:
    return region.delta_e / 30 * _area(region, 0.006)


def _stain(region: Region) -> float:
    return region.delta_e / 20 * _area(region, 0.012)


def _spot(region: Region) -> float:
    return 0.6 * _area(region, 0.0015) + 0.3 * region.delta_e / 60


def _texture_change(region: Region) -> float:
    return region.texture_distance / 0.5 * _area(region, 0.01)


def _lighting(region: Region) -> float:
    return abs(region.delta_lightness) / 30 * _area(region, 0.08)


def _other(region: Region) -> float:
    return region.delta_e / 40 * (0.3 + _area(region, 0.006))


_AMOUNTS: Mapping[str, Callable[[Region], float]] = {
    "crack": _crack,
    "scratch": _scratch,
    "missing_part": _missing,
    "added_part": _added,
    "moved": _moved,
    "deformation": _deformation,
    "colour_change": _colour_change,
    "stain": _stain,
    "spot": _spot,
    "texture_change": _texture_change,
    "lighting": _lighting,
}
