"""What a region was called: the label, and the words for its severity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["SEVERITIES", "Label"]

#: From mild to bad.
SEVERITIES = ("minor", "moderate", "major")


@dataclass(frozen=True)
class Label:
    """What a region was called, and why.

    Attributes
    ----------
    type
        Name of the anomaly type, or ``"unknown"``.
    severity
        One of :data:`SEVERITIES`.
    evidence
        The measurements behind both, for people and for ``results.json``; in the classifier
        ``"evidence"`` those that tell the type best come first.
    confidence
        How sure the type is, in [0, 1].
    severity_score
        Severity as a number in [0, 1]: minor below 0.33, major from 0.66.
    candidates
        Confidence of every type that was considered, the likeliest first.
    """

    type: str
    severity: str
    evidence: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 1.0
    severity_score: float = 0.0
    candidates: Mapping[str, float] = field(default_factory=dict)
