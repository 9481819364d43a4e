"""``results.json``: the document, and its schema."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vde_nb._text import readable
from vde_nb._version import __version__
from vde_nb._write import write_atomically
from vde_nb.export._rle import encode
from vde_nb.export._text import dump, packaged
from vde_nb.prompting import prompt_dict

if TYPE_CHECKING:
    from vde_nb.comparison import Anomaly, Comparison

__all__ = ["SCHEMA_VERSION", "results", "schema", "to_json"]

#: Version of the document: the second number grows when keys are added, the first when any changes.
SCHEMA_VERSION = "1.4"


def results(comparison: Comparison) -> dict[str, Any]:
    """Make the document of ``results.json``.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.

    Returns
    -------
    dict
        The keys of the published notebooks first, then ours; :func:`schema` describes them. Only
        plain Python values; a measurement that is not finite is None.
    """
    height, width = comparison.pair.shape
    return {
        "image_name": readable(comparison.image_name),
        "ssim_score": float(comparison.ssim_score),
        "change_score_percent": float(comparison.change_score_percent),
        "anomalies": [_anomaly(anomaly) for anomaly in comparison.anomalies],
        "schema_version": SCHEMA_VERSION,
        "package_version": __version__,
        "reference_name": readable(comparison.reference_name),
        "image_size": {"width": int(width), "height": int(height)},
        "method": comparison.method,
        "outlined_by": readable(comparison.outlined_by),
        "described_by": readable(comparison.described_by),
        "settings": _plain(comparison.settings.to_dict()),
        "registration": _registration(comparison),
        "notes": [readable(note) for note in comparison.notes],
        "prompts": [prompt_dict(prompt) for prompt in comparison.prompts],
        "reviews": [_plain(review.to_dict()) for review in comparison.reviews],
        "ignore": _ignore(comparison),
        "timings_ms": {name: round(float(ms), 3) for name, ms in comparison.timings.items()},
    }


def to_json(
    comparison: Comparison,
    path: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
) -> str:
    """``results.json`` as text.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.
    path
        Where to write it as well; see :func:`vde_nb._write.write_atomically`.
    overwrite
        Replace the file if it exists.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """
    text = dump(results(comparison))
    if path is not None:
        write_atomically(path, text, overwrite=overwrite)
    return text


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of ``results.json``."""
    loaded: dict[str, Any] = json.loads(packaged("results.schema.json"))
    return loaded


def _registration(comparison: Comparison) -> dict[str, Any] | None:
    found = comparison.registration
    if found is None:
        return None
    return {
        "model": found.model,
        "matrix": _plain(found.matrix),
        "motion": float(found.motion),
        "max_motion": float(found.max_motion),
        "residual_before": float(found.residual_before),
        "residual_after": float(found.residual_after),
        "confidence": float(found.confidence),
        "nudge": [float(value) for value in found.nudge],
    }


def _ignore(comparison: Comparison) -> dict[str, Any] | None:
    mask = comparison.ignored
    if mask is None or not mask.any():
        return None
    height, width = mask.shape
    return {
        "area": int(np.count_nonzero(mask)),
        "segmentation": encode(mask, (0, 0, width, height), (height, width)),
    }


def _anomaly(anomaly: Anomaly) -> dict[str, Any]:
    x, y, w, h = (int(value) for value in anomaly.box)
    review = {
        "verdict": anomaly.verdict,
        "comment": readable(anomaly.comment),
        "type_found": anomaly.type_found,
    }
    return {
        "x": x,
        "y": y,
        "w": w,
        "h": h,
        "type": anomaly.type,
        "severity": anomaly.severity,
        "number": int(anomaly.number),
        "score": float(anomaly.score),
        "area": int(anomaly.area),
        "centroid": [float(value) for value in anomaly.centroid],
        "points": _plain(anomaly.points),
        "segmentation": encode(anomaly.outline, anomaly.box, anomaly.shape),
        "evidence": _plain(anomaly.evidence),
        "confidence": float(anomaly.confidence),
        "severity_score": float(anomaly.severity_score),
        "box_current": _plain(anomaly.box_current or anomaly.box),
        "origin": anomaly.origin,
        **({"review": review} if anomaly.reviewed else {}),
    }


def _plain(value: Any) -> Any:
    """`value` in JSON's own types; NumPy's become Python's, what is not finite None."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {readable(str(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return readable(value) if isinstance(value, str) else value
