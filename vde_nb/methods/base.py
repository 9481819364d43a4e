"""What a difference method takes and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vde_nb.detect import Candidate
from vde_nb.difference import PixelMaps, pixel_maps
from vde_nb.settings import Settings
from vde_nb.stages import Staged, Stages

__all__ = ["Finding", "Input", "Method", "difference_stage"]


@dataclass(frozen=True, eq=False)
class Input:
    """The two pictures on one grid, ``(H, W, 3)`` RGB uint8, as the first stage left them."""

    reference: Staged[npt.NDArray[np.uint8]]
    current: Staged[npt.NDArray[np.uint8]]


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
    """

    score: float
    heatmap: Staged[npt.NDArray[np.uint8]]
    clean: Staged[npt.NDArray[np.uint8]]
    threshold: int
    mask: Staged[npt.NDArray[np.bool_]]
    candidates: Staged[list[Candidate]]
    otherwise: str = "missing_part"


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
        ``find(input, settings, stage) -> Finding``.
    """

    name: str
    title: str
    summary: str
    find: Callable[[Input, Settings, Stages], Finding]


def difference_stage(images: Input, settings: Settings, stage: Stages) -> Staged[PixelMaps]:
    """|Δ| and SSIM of the pair: the stage all pixel methods begin with."""
    return stage(
        "difference",
        pixel_maps,
        images.reference,
        images.current,
        absolute=True,
        ssim=True,
        colour=settings.difference.colour,
        overflow=settings.difference.ssim_overflow,
    )
