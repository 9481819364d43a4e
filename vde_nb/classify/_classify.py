"""classify(): from one region to its label."""

from __future__ import annotations

from vde_nb.classify._evidence import telling_first
from vde_nb.classify._label import Label
from vde_nb.classify._published import SHAPE_CONFIDENCE, severity_by_area, type_by_shape
from vde_nb.classify._region import Region
from vde_nb.classify._registry import confidences, user_rules
from vde_nb.classify._severity import grade, severity
from vde_nb.errors import SettingError

__all__ = ["LEAST", "MARGIN", "UNKNOWN", "classify"]

#: What a region is called that no rule is sure of.
UNKNOWN = "unknown"
_CLASSIFIERS = ("evidence", "rules", "published")
#: The best type must be at least so sure, and so much surer than the second.
LEAST = 0.35
MARGIN = 0.05
#: What the built-in rules count for where nothing around the region is known to be unchanged.
_NO_RING = 0.5


def classify(
    region: Region, classifier: str = "evidence", *, otherwise: str = "missing_part"
) -> Label:
    """Name and grade one region.

    Parameters
    ----------
    region
        The evidence.
    classifier
        ``"evidence"``: every registered type is asked, built-in or not, and the surest one wins.
        ``"published"``: the shape rules alone. ``"rules"``: these, and types of the user's.
    otherwise
        See :func:`type_by_shape`.

    Returns
    -------
    Label
        Type, severity, confidence, and what they were told from.

    Raises
    ------
    SettingError
        There is no such classifier.
    VdeError
        A registered rule raised or returned something that is not a confidence.
    """
    if classifier not in _CLASSIFIERS:
        raise SettingError(f"There is no classifier {classifier!r}: {', '.join(_CLASSIFIERS)}.")
    if classifier == "evidence":
        return _by_evidence(region)
    name = type_by_shape(region.w, region.h, otherwise=otherwise)
    grade_by_area = severity_by_area(region.w, region.h)
    evidence = {"aspect_ratio": region.aspect_ratio, "box_area": float(region.w * region.h)}
    if classifier == "published":
        return Label(name, grade_by_area, evidence)
    best = SHAPE_CONFIDENCE
    for candidate, confidence in confidences(user_rules(), region).items():
        evidence[f"confidence_{candidate}"] = confidence
        if confidence > best:
            best, name = confidence, candidate
    return Label(name, grade_by_area, evidence)


def _by_evidence(region: Region) -> Label:
    if not region.area:
        return Label(UNKNOWN, grade(0.0), {}, 0.0)
    users = user_rules()
    found = confidences(None, region)
    if not region.has_ring:
        found = {name: c if name in users else _NO_RING * c for name, c in found.items()}
    # A type somebody registered for these pictures beats a built-in one that is no surer.
    order = sorted(found, key=lambda name: (-found[name], name not in users))
    candidates = {name: round(found[name], 4) for name in order}
    first, second = ([found[name] for name in order[:2]] + [0.0, 0.0])[:2]
    sure = first >= LEAST and (order[0] in users or first - second >= MARGIN)
    name = order[0] if sure else UNKNOWN
    score = severity(region, name)
    evidence = telling_first(region.evidence(), name)
    return Label(name, grade(score), evidence, first, score, candidates)
