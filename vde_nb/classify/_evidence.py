"""Names of the measures of a region, in the order people read them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ALWAYS", "MOTION", "TELLING", "telling_first"]

#: What can be said of any region.
ALWAYS = (
    "contrast_reference",
    "contrast_current",
    "border_reference",
    "border_current",
    "ownership",
    "delta_e",
    "delta_e_p90",
    "unity",
    "delta_lightness",
    "delta_a",
    "delta_b",
    "delta_chroma",
    "tint",
    "polarity",
    "gradient_correlation",
    "detail_reference",
    "detail_current",
    "texture_distance",
    "border_softness",
    "penumbra",
    "smoothness",
    "skeleton_length",
    "width",
    "thickness",
    "elongation",
    "tortuosity",
    "waviness",
    "solidity",
    "compactness",
    "ridge",
)

#: What only says something where a thing may have moved or been bent.
MOTION = (
    "exchange",
    "exchange_balance",
    "exchange_distance",
    "displacement",
    "displacement_score",
    "stillness",
    "flow",
    "flow_gain",
    "flow_roughness",
)

_OWNER = ("ownership", "contrast_reference", "contrast_current", "gradient_correlation")

#: What tells each type best, so that it is shown first.
TELLING: Mapping[str, tuple[str, ...]] = {
    "missing_part": _OWNER,
    "added_part": _OWNER,
    "moved": ("displacement", "displacement_score", "exchange", "exchange_distance"),
    "deformation": ("flow", "flow_gain", "flow_roughness", "unity"),
    "colour_change": ("delta_e", "tint", "delta_lightness", "gradient_correlation"),
    "stain": ("border_softness", "delta_lightness", "tint", "gradient_correlation"),
    "scratch": ("skeleton_length", "width", "ridge", "waviness"),
    "crack": ("skeleton_length", "width", "ridge", "waviness"),
    "spot": ("thickness", "compactness", "delta_e", "ownership"),
    "texture_change": ("texture_distance", "unity", "detail_reference", "detail_current"),
    "lighting": ("penumbra", "delta_lightness", "tint", "gradient_correlation"),
}


def telling_first(evidence: Mapping[str, float], type: str) -> dict[str, float]:
    """The same evidence, what tells this type best in front.

    >>> telling_first({"unity": 0.9, "ridge": -12.0}, "crack")
    {'ridge': -12.0, 'unity': 0.9}
    """
    front = {name: evidence[name] for name in TELLING.get(type, ()) if name in evidence}
    return {**front, **evidence}
