"""What a difference method takes and returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band
from vde_nb.align import Prepared
from vde_nb.detect import Box, Candidate
from vde_nb.difference import PixelMaps, pixel_maps
from vde_nb.settings import Settings
from vde_nb.stages import Staged, Stages

__all__ = [
    "AGREES",
    "ENVIRONMENTAL",
    "Finding",
    "Measure",
    "Method",
    "Prepared",
    "difference_stage",
    "ssim_score",
    "within",
]

_ROWS = 512

#: What a region is called that is taken for a shadow or a reflection.
ENVIRONMENTAL = "environmental"
#: Evidence, 1 or 0: whether each of two methods sees a region. One that not both see is that.
AGREES = ("pixel_agrees", "semantic_agrees")

#: What a method knows of one outline: its box and the mask in it -> evidence by name.
Measure: TypeAlias = Callable[[Box, npt.NDArray[np.bool_]], Mapping[str, float]]


@dataclass(frozen=True, eq=False)
class Finding:
    """What a method found.

    Attributes
    ----------
    score
        Mean SSIM of the pair.
    heatmap
        ``(H, W)`` uint8, 0 = same, 255 = as different as can be.
    clean
        The map whose threshold at `threshold` gives the mask: what a panel may threshold anew.
    threshold
        See `clean`.
    mask
        ``(H, W)`` bool, the changed pixels.
    candidates
        The regions of the mask.
    otherwise
        What regions without a telling shape are called by the published rules.
    notes
        What a user should know, in words.
    measure
        ``measure(box, mask) -> evidence`` of a finished outline: its box ``(x, y, w, h)`` and the
        ``(h, w)`` bool mask in it, in reference pixels. None: the method has nothing to add.
    described_by
        Title of the features that were compared; empty for methods that look at pixels only.
    labels
        One per candidate: the type it has whatever the classifier says, or ``""``. Empty: all are
        classified.
    """

    score: float
    heatmap: Staged[npt.NDArray[np.uint8]]
    clean: Staged[npt.NDArray[np.uint8]]
    threshold: int
    mask: Staged[npt.NDArray[np.bool_]]
    candidates: Staged[list[Candidate]]
    otherwise: str = "missing_part"
    notes: tuple[str, ...] = ()
    measure: Measure | None = None
    described_by: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """A difference method, as :func:`vde_nb.methods` lists it.

    Attributes
    ----------
    name
        What users choose it by.
    title
        What people see.
    summary
        One sentence.
    find
        ``find(images, settings, stage) -> Finding``.
    many_references
        Whether it looks at more references than the first.
    heat_title, heat_said
        Title and sentence under which :func:`vde_nb.explain.explain` shows its heatmap; without a
        sentence the summary stands there. ``{described}`` in it becomes what pictures were
        described by.
    """

    name: str
    title: str
    summary: str
    find: Callable[[Prepared, Settings, Stages], Finding]
    many_references: bool = False
    heat_title: str = "Heat"
    heat_said: str = ""


def difference_stage(images: Prepared, settings: Settings, stage: Stages) -> Staged[PixelMaps]:
    """|Δ| and SSIM of the pair: the stage all pixel methods begin with.

    Parameters
    ----------
    images
        The pair, registered and levelled.
    settings
        Of which `colour` and `ssim_overflow` count here.
    stage
        Runs and keeps it.

    Returns
    -------
    Staged of PixelMaps
        Zero where the pictures cannot be compared.
    """
    return stage(
        "difference",
        _pixel_maps,
        images.reference,
        images.levelled,
        images.valid,
        colour=settings.difference.colour,
        overflow=settings.difference.ssim_overflow,
    )


def _pixel_maps(
    reference: npt.NDArray[np.uint8],
    current: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.bool_] | None,
    *,
    colour: str,
    overflow: str,
) -> PixelMaps:
    maps = pixel_maps(
        reference, current, absolute=True, ssim=True, colour=colour, overflow=overflow
    )
    assert maps.absolute is not None and maps.ssim is not None
    within(maps.absolute, valid)
    within(maps.ssim, valid)
    return maps


def ssim_score(reference: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> float:
    """Mean SSIM of a pair, for methods that have no other use for SSIM.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB uint8, 7 x 7 at least.
    """
    score = pixel_maps(reference, current, score=True).score
    assert score is not None
    return score


def within(
    heat: npt.NDArray[np.uint8], valid: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.uint8]:
    """Put 0 into `heat` where it is not `valid` (None: nowhere), and return it."""
    if valid is not None:

        def band(first: int, end: int) -> None:
            rows = heat[first:end]
            np.multiply(rows, valid[first:end], out=rows)

        height, width = heat.shape
        for_each_band(band, height, width, _ROWS)
    return heat
