"""What every segmenter has in common: the protocol, its prompts and its answers.

A segmenter is prepared once for a pair and then answers any number of prompts, because for
models such as SAM the preparation (encoding the picture) costs seconds and a prompt
milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box

__all__ = ["Outline", "Prepared", "Prompt", "Scene", "Segmenter"]


@dataclass(frozen=True, eq=False)
class Scene:
    """What a segmenter may look at.

    Attributes
    ----------
    reference, current
        ``(H, W, 3)`` RGB uint8, on one pixel grid.
    heatmap
        ``(H, W)`` uint8, 0 = same.
    """

    reference: npt.NDArray[np.uint8]
    current: npt.NDArray[np.uint8]
    heatmap: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Prompt:
    """One object to outline; at least a box or one positive point.

    Attributes
    ----------
    box
        ``(x, y, w, h)`` in pixels, half-open, or None.
    points
        ``(x, y, label)`` with label 1 = on the object, 0 = not on it.
    mask
        What detection found, ``(h, w)`` bool in the frame of `box`; a hint, may be None.
    reach
        Pixels the outline may leave the box by on each side.

    Examples
    --------
    >>> Prompt(points=((90, 80, 1), (140, 80, 0)))  # what is at the first, without the second
    Prompt(box=None, points=((90, 80, 1), (140, 80, 0)), mask=None, reach=0)
    """

    box: Box | None = None
    points: tuple[tuple[int, int, int], ...] = ()
    mask: npt.NDArray[np.bool_] | None = None
    reach: int = 0


@dataclass(frozen=True, eq=False)
class Outline:
    """A segmenter's answer to one prompt.

    Attributes
    ----------
    box
        Tight bounding box ``(x, y, w, h)`` of the outline.
    mask
        ``(h, w)`` bool in the frame of `box`.
    score
        How sure the segmenter is, in [0, 1].
    note
        Empty, or why the outline is not what was asked for ("kept the detected mask: ...").
    evidence
        What the segmenter measured besides, by name; it joins the evidence of the anomaly.
    """

    box: Box
    mask: npt.NDArray[np.bool_]
    score: float
    note: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)


class Prepared(Protocol):
    """A segmenter that has looked at a scene."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say about the answers so far as a whole, in words."""
        ...

    def segment(self, prompts: Sequence[Prompt]) -> list[Outline]:
        """One outline per prompt, in order."""
        ...


class Segmenter(Protocol):
    """Anything that turns prompts into outlines."""

    @property
    def name(self) -> str:
        """The name users choose it by."""
        ...

    def prepare(self, scene: Scene) -> Prepared:
        """Do once what all prompts on `scene` share."""
        ...
