"""The rules of the published notebooks: type by aspect ratio, severity by area of the box."""

from __future__ import annotations

__all__ = ["SHAPE_CONFIDENCE", "SHAPE_TYPES", "severity_by_area", "type_by_shape"]

#: What the shape rules can call a region.
SHAPE_TYPES = frozenset({"scratch", "spot", "missing_part", "deformation"})

#: Confidence of the shape rules; a registered type must be surer than this to win.
SHAPE_CONFIDENCE = 0.5


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
    """Severity by area of the bounding box, `w` times `h`: the rule of the published notebooks.

    Over 2000 px\u00b2 is major, over 500 px\u00b2 moderate, anything else minor.

    >>> severity_by_area(30, 32)
    'moderate'
    """
    area = w * h
    if area > 2000:
        return "major"
    return "moderate" if area > 500 else "minor"
