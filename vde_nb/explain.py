"""Explain a comparison: what every stage made of the pictures, as a strip of small pictures.

Pictures of heat are reduced by maximum, so that a single pixel stays seen, and coloured from black
(same) over red to white (as different as can be).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._draw import by_severity, draw_reduced, reduce_map, reduce_picture
from vde_nb.comparison import Comparison
from vde_nb.difference import pixel_maps
from vde_nb.errors import SettingError
from vde_nb.features import describe_features
from vde_nb.features.choosing import EMBEDDED, MEANWHILE, is_function
from vde_nb.methods import get_method
from vde_nb.methods.base import ENVIRONMENTAL
from vde_nb.settings import CALIBRATED

__all__ = ["Step", "explain"]

UInt8 = npt.NDArray[np.uint8]

#: Pixels of the largest pictures |Δ| and SSIM are computed on for the strip.
_MOST = 2_200_000
_LEAST_SIDE = 16


@dataclass(frozen=True, eq=False)
class Step:
    """What one stage made of the pictures.

    Attributes
    ----------
    key
        Name of the stage, such as ``"absolute"``; the same in every comparison.
    title
        What people see above it.
    sentence
        What happened, in one sentence for somebody who learns it.
    picture
        ``(h, w, 3)`` RGB uint8.
    """

    key: str
    title: str
    sentence: str
    picture: UInt8 = field(repr=False)


def explain(comparison: Comparison, side: int = 360) -> list[Step]:
    """The stages of a comparison in their order, each with a small picture and a sentence.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.
    side
        Most pixels of the pictures' longer side.

    Returns
    -------
    list of Step
        ``aligned``, ``levelled``, ``absolute``; ``ssim`` and ``heat`` (fused) for the methods of
        the notebooks, ``heat`` (evidence) for the others; ``cleaned``, ``mask``, ``outlines``.
        What the comparison holds is shown as it is. |Δ| and SSIM are computed again, of a picture
        over 2.2 megapixels at reduced size.

    Raises
    ------
    SettingError
        `side` is under 16.

    Examples
    --------
    >>> from vde_nb import compare, samples
    >>> pair = samples.load("tyre")
    >>> [step.key for step in explain(compare(pair.reference, pair.current, method="hybrid"))]
    ['aligned', 'levelled', 'absolute', 'ssim', 'heat', 'cleaned', 'mask', 'outlines']
    """
    if side < _LEAST_SIDE:
        raise SettingError(f"side={side!r} is not allowed: whole number of at least {_LEAST_SIDE}.")
    height, width = comparison.pair.shape
    before = max(1, math.ceil(math.sqrt(height * width / _MOST)))
    rest = math.ceil(max(height, width) / before / side)
    factor = before * rest
    reference, current = (
        reduce_picture(one, before) for one in (comparison.reference, comparison.current)
    )
    levelled = current
    if comparison.levelled is not comparison.current:
        levelled = reduce_picture(comparison.levelled, before)
    steps = [
        Step(
            "aligned", "Aligned", _aligned(comparison), reduce_picture(comparison.current, factor)
        ),
        Step("levelled", "Levelled", _levelled(comparison), reduce_picture(levelled, rest)),
        *_differences(comparison, reference, levelled, rest),
        Step("heat", *_decided_by(comparison), _heat(comparison.heatmap, factor)),
        Step("cleaned", "Cleaned", _cleaned(comparison), _heat(comparison.clean_heatmap, factor)),
        Step("mask", "Mask", _mask(comparison), _white(comparison.mask, factor)),
        Step(
            "outlines",
            "Outlined",
            _outlined(comparison),
            draw_reduced(comparison, by_severity, factor)[1],
        ),
    ]
    return steps


def _decided_by(comparison: Comparison) -> tuple[str, str]:
    """Title and sentence of the step that turns pictures into heat."""
    method = get_method(comparison.method)
    title, said = method.heat_title, method.heat_said or method.summary
    return title, said.replace("{described}", _described_by(comparison))


def _described_by(comparison: Comparison) -> str:
    """What the pictures were described by, which need not be what was asked for."""
    name = comparison.settings.difference.features
    if name == EMBEDDED or any(note.endswith(MEANWHILE) for note in comparison.notes):
        return "its colours, texture and directions"
    kind = "function" if is_function(name) else "model"
    return f"the {kind} {describe_features(name)[0]}"


def _aligned(comparison: Comparison) -> str:
    found = comparison.registration
    if found is None:
        return "The current picture is compared where it is: no registration was asked for."
    if not found.moved:
        return "The current picture fits on the reference already, so it was not moved."
    return (
        f"The current picture was moved by {found.motion:.1f} pixels so that both show the same "
        "place at the same pixel."
    )


def _levelled(comparison: Comparison) -> str:
    if comparison.settings.align.normalise == "off":
        return "Its light is left as it is: no levelling was asked for."
    if comparison.levelled is comparison.current:
        return "Its light is that of the reference already, so nothing was changed."
    return "It was given the light of the reference, so that a lamp is no change."


def _differences(
    comparison: Comparison, reference: UInt8, levelled: UInt8, factor: int
) -> list[Step]:
    calibrated = comparison.method in CALIBRATED
    how = comparison.settings.difference
    fits = min(reference.shape[:2]) >= 7  # SSIM's window
    maps = pixel_maps(
        reference,
        levelled,
        absolute=True,
        ssim=not calibrated and fits,
        colour="channels" if calibrated else how.colour,
        overflow=how.ssim_overflow,
    )
    assert maps.absolute is not None
    why = (
        "Subtracting the two shows every difference, noise and edges included: too much to decide "
        "by."
        if calibrated
        else "Subtracting the two shows where brightness or colour differs."
    )
    steps = [Step("absolute", "|\u0394|", why, _heat(maps.absolute, factor))]
    if maps.ssim is not None:
        said = "SSIM compares the structure of small windows, so faint texture and edges show, too."
        steps.append(Step("ssim", "SSIM", said, _heat(maps.ssim, factor)))
    return steps


def _cleaned(comparison: Comparison) -> str:
    rules = comparison.settings.detect
    said = []
    if comparison.method in CALIBRATED:
        said.append("places with enough evidence grow into what is hot around them")
    if rules.open_iterations:
        said.append("opening removes specks")
    elif not said:
        said.append("nothing is opened, so specks stay")
    if rules.close_iterations:
        said.append("closing joins fragments")
    *most, last = said
    told = f"{', '.join(most)}, and {last}" if most else last
    return f"{told[0].upper()}{told[1:]}."


def _mask(comparison: Comparison) -> str:
    share = f"{comparison.change_score_percent:.2f} % of the picture"
    if comparison.method in ("multi_fusion", "ensemble"):
        listed = comparison.settings.detect.thresholds
        count = len(comparison.settings.difference.fusion_weights) * len(listed)
        return f"{count} masks united are the heat above {comparison.threshold}: {share}."
    return f"Heat above the threshold {comparison.threshold} counts as changed: {share}."


def _outlined(comparison: Comparison) -> str:
    count = len(comparison.anomalies)
    regions = "One region is" if count == 1 else f"{count or 'No'} regions are"
    how = comparison.settings.segment.segmenter
    border = "as detected" if how == "none" else f"by {how}"
    apart = sum(one.type == ENVIRONMENTAL for one in comparison.anomalies)
    hatched = f"; {apart} found by one of two methods only {'is' if apart == 1 else 'are'} hatched"
    return f"{regions} outlined {border}, named and graded{hatched if apart else ''}."


def _heat(values: UInt8, factor: int) -> UInt8:
    coloured = cv2.applyColorMap(reduce_map(values, factor), cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), np.uint8)


def _white(mask: npt.NDArray[np.bool_], factor: int) -> UInt8:
    return np.repeat(reduce_map(mask.view(np.uint8), factor)[..., None] * np.uint8(255), 3, axis=2)
