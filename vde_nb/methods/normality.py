"""Normality: compared with what a model has learnt from many normal pictures.

The model (:class:`vde_nb.Normality`) brings its own reference; the current picture is registered
on that and judged by what is normal at each place. Heat 50 is the evidence at which normal pictures
are expected to show `false_alarms` regions, which the model knows from judging each of its normal
pictures by the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box, candidates, clean, threshold_mask
from vde_nb.errors import SettingError
from vde_nb.features import describe_features
from vde_nb.methods.base import Finding, Method, Prepared, ssim_score, within
from vde_nb.methods.robust import decided, evidence_heat, filled
from vde_nb.settings import Settings
from vde_nb.stages import Staged, Stages

if TYPE_CHECKING:
    from vde_nb.normality import Normality

__all__ = ["METHOD"]

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]

_GROW = 0.4  # share of the deciding evidence that is enough beside it


def _evidence(
    model: Normality, levelled: UInt8, valid: Bool | None, *, false_alarms: float
) -> tuple[Float32, Float32]:
    """Evidence over its level: to decide by, and to outline by."""
    frame = model.described(levelled, valid)
    return model.maps(frame, false_alarms)


def _heats(wide: Float32, local: Float32, valid: Bool | None) -> tuple[UInt8, UInt8]:
    """Heat, and heat of the regions that were decided on."""
    from vde_nb.normality._choose import place_means

    core = evidence_heat(place_means(wide), 1.0)
    around = filled(evidence_heat(local, _GROW))
    return within(filled(evidence_heat(local, 1.0)), valid), decided(around, core)


def _cleaned(heat: UInt8, valid: Bool | None, opening: int, closing: int) -> UInt8:
    return within(clean(heat, opening, closing), valid)


def _measured(evidence: Float32, box: Box, mask: Bool) -> Mapping[str, float]:
    """Evidence under one outline; see :class:`~vde_nb.methods.base.Finding`."""
    from vde_nb.normality._choose import place_means

    x, y, w, h = box
    inside = evidence[y : y + h, x : x + w]
    if not mask.any():
        return {}
    return {
        "normality_distance": float(inside[mask].mean()),
        "normality_peak": float(place_means(inside)[mask].max()),
    }


def find(images: Prepared, settings: Settings, stage: Stages) -> Finding:
    """Distance from normal -> heat by false alarms -> decide and grow -> threshold -> contours."""
    from vde_nb.normality import find_model  # comparing two pictures does without it

    how, rules = settings.difference, settings.detect
    model = find_model(how.model)
    if images.reference.value.shape != model.reference.shape:
        (h, w), (high, wide) = images.reference.value.shape[:2], model.reference.shape[:2]
        raise SettingError(
            f"The model knows pictures of {wide} \u00d7 {high} pixels on its own reference, not of "
            f"{w} \u00d7 {h}: model.compare(picture) brings a picture onto it."
        )
    evidence = stage(
        "difference",
        _evidence,
        Staged(model, ("normality", model.signature)),
        images.levelled,
        images.valid,
        false_alarms=how.false_alarms,
    )
    score = stage("ssim", ssim_score, images.reference, images.levelled)
    heats = stage("decision", _heats, evidence.part(0), evidence.part(1), images.valid)
    smooth = stage(
        "cleaning",
        _cleaned,
        heats.part(1),
        images.valid,
        rules.open_iterations,
        rules.close_iterations,
    )
    mask = stage("threshold", threshold_mask, smooth, rules.threshold, keep=False)
    regions = stage("contours", candidates, mask, rules.min_area, keep=False)
    return Finding(
        score.value,
        heats.part(0),
        smooth,
        rules.threshold,
        mask,
        regions,
        notes=(model.describe(),),
        described_by=describe_features(model.features)[0] if model.features else "",
        measure=partial(_measured, evidence.value[0]),
    )


METHOD = Method(
    "normality",
    "Normality",
    "Compares with a model of many normal pictures (vde_nb.Normality): for a fixed scene, where "
    "what varies may vary.",
    find,
    heat_title="Not normal",
    heat_said=(
        "Heat is how far each place is from all that the model has learnt to be normal there."
    ),
)
