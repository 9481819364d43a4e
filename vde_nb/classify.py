"""Types and severities: the rules, and the registry that lets users add their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box
from vde_nb.errors import SettingError, VdeError

__all__ = [
    "SEVERITIES",
    "Label",
    "Region",
    "anomaly_type",
    "anomaly_types",
    "classify",
    "remove_anomaly_type",
    "severity_by_area",
    "type_by_shape",
]

#: From mild to bad.
SEVERITIES = ("minor", "moderate", "major")

#: What the shape rules can call a region.
SHAPE_TYPES = frozenset({"scratch", "spot", "missing_part", "deformation"})

#: Confidence of the shape rules; a registered type must be surer than this to win.
SHAPE_CONFIDENCE = 0.5


@dataclass(frozen=True, eq=False)
class Region:
    """The evidence a rule sees: one region in both pictures.

    Attributes
    ----------
    box
        ``(x, y, w, h)`` of the region in reference pixels.
    mask
        ``(h, w)`` bool, the region inside the box.
    reference, current, heatmap
        The whole pictures ``(H, W, 3)`` uint8 and the heatmap ``(H, W)`` uint8;
        :meth:`crop` cuts the box out of any of them.
    """

    box: Box
    mask: npt.NDArray[np.bool_]
    reference: npt.NDArray[np.uint8]
    current: npt.NDArray[np.uint8]
    heatmap: npt.NDArray[np.uint8]

    @property
    def w(self) -> int:
        """Width of the box in pixels."""
        return self.box[2]

    @property
    def h(self) -> int:
        """Height of the box in pixels."""
        return self.box[3]

    @property
    def aspect_ratio(self) -> float:
        """Width of the box divided by its height."""
        return self.w / self.h

    @cached_property
    def area(self) -> int:
        """Number of pixels of the mask."""
        return int(np.count_nonzero(self.mask))

    def crop(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Cut the region's box out of a picture of the full size."""
        x, y, w, h = self.box
        return image[y : y + h, x : x + w]

    def mean_colour(self, image: npt.NDArray[np.uint8]) -> tuple[float, float, float]:
        """Mean R, G, B of `image` inside the mask."""
        r, g, b = self.crop(image)[self.mask].mean(axis=0)
        return float(r), float(g), float(b)


@dataclass(frozen=True)
class Label:
    """What a region was called, and why.

    Attributes
    ----------
    type
        Name of the anomaly type.
    severity
        One of :data:`SEVERITIES`.
    evidence
        The measurements behind both, for people and for ``results.json``.
    """

    type: str
    severity: str
    evidence: Mapping[str, float] = field(default_factory=dict)


Rule = Callable[[Region], float]
_rules: dict[str, Rule] = {}


def anomaly_type(name: str) -> Callable[[Rule], Rule]:
    """Register a new type of anomaly: decorator of a function ``region -> confidence``.

    Parameters
    ----------
    name
        The type's name: letters, digits, ``_`` and ``-``. Registering a name again replaces
        its rule, so a notebook cell may be run twice.

    Examples
    --------
    >>> @anomaly_type("burr")
    ... def burr(region):
    ...     return 0.9 if region.area < 200 and region.aspect_ratio > 2 else 0.0
    >>> anomaly_types()
    ('burr',)
    >>> remove_anomaly_type("burr")

    Notes
    -----
    The function gets a :class:`Region` and returns its confidence in [0, 1]. The type with the
    highest confidence wins; the built-in shape rules count with 0.5.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]{1,64}", name):
        raise SettingError(
            f"anomaly_type({name!r}): a name has 1 to 64 letters, digits, '_' or '-'. "
            'Write it with brackets: @anomaly_type("burr").'
        )

    def register(rule: Rule) -> Rule:
        _rules[name] = rule
        return rule

    return register


def remove_anomaly_type(name: str) -> None:
    """Take a registered type away; a name that is not registered is an error."""
    if name not in _rules:
        raise SettingError(f"No anomaly type {name!r} is registered: {list(_rules)}.")
    del _rules[name]


def anomaly_types() -> tuple[str, ...]:
    """Names of the registered types, in order of registration."""
    return tuple(_rules)


def type_by_shape(w: int, h: int, *, otherwise: str = "missing_part") -> str:
    """Type by aspect ratio, the rule of the published notebooks.

    Parameters
    ----------
    w, h
        Size of the bounding box in pixels.
    otherwise
        What neither wide nor tall regions are called: ``"missing_part"`` in the hybrid and
        multi-fusion notebooks, ``"deformation"`` in the ensemble notebook.

    Examples
    --------
    >>> type_by_shape(40, 10), type_by_shape(10, 40), type_by_shape(30, 32)
    ('scratch', 'spot', 'missing_part')
    """
    ratio = w / h
    if ratio > 3:
        return "scratch"
    return "spot" if ratio < 0.5 else otherwise


def severity_by_area(w: int, h: int) -> str:
    """Severity by area of the bounding box, the rule of the published notebooks.

    Over 2000 px\u00b2 is major, over 500 px\u00b2 moderate, anything else minor.

    >>> severity_by_area(30, 32)
    'moderate'
    """
    area = w * h
    if area > 2000:
        return "major"
    return "moderate" if area > 500 else "minor"


def classify(region: Region, classifier: str, *, otherwise: str = "missing_part") -> Label:
    """Name and grade one region.

    Parameters
    ----------
    region
        The evidence.
    classifier
        ``"published"``: the shape rules alone. ``"rules"``: registered types take part.
    otherwise
        See :func:`type_by_shape`.

    Raises
    ------
    VdeError
        A registered rule raised or returned something that is not a confidence.
    """
    name = type_by_shape(region.w, region.h, otherwise=otherwise)
    severity = severity_by_area(region.w, region.h)
    evidence = {"aspect_ratio": region.aspect_ratio, "box_area": float(region.w * region.h)}
    if classifier == "published":
        return Label(name, severity, evidence)
    best = SHAPE_CONFIDENCE
    for candidate, rule in _rules.items():
        confidence = _confidence(candidate, rule, region)
        evidence[f"confidence_{candidate}"] = confidence
        if confidence > best:
            best, name = confidence, candidate
    return Label(name, severity, evidence)


def _confidence(name: str, rule: Rule, region: Region) -> float:
    where = f"The rule of anomaly type {name!r}"
    try:
        value = rule(region)
    except Exception as error:
        raise VdeError(
            f"{where} failed on the region at {region.box}: {type(error).__name__}: {error}. "
            f"Mend it and register it again, or remove_anomaly_type({name!r})."
        ) from error
    if isinstance(value, (bool, int, float, np.floating, np.integer, np.bool_)):
        number = float(value)
        if 0.0 <= number <= 1.0:
            return number
    raise VdeError(f"{where} returned {value!r}; it must return a confidence from 0 to 1.")
