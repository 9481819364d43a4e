"""The segmenter that keeps what detection found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vde_nb._buffers import empty
from vde_nb.segment.base import Outline, Prepared, Prompt, Scene

__all__ = ["KeepMask"]


class KeepMask:
    """Keeps the detected mask; where there is none, the box itself."""

    name = "none"
    notes: tuple[str, ...] = ()

    def prepare(self, scene: Scene) -> Prepared:
        """Nothing to prepare."""
        return self

    def segment(self, prompts: Sequence[Prompt]) -> list[Outline]:
        """One outline per prompt: its mask, or its box, or its first point."""
        return [self._keep(prompt) for prompt in prompts]

    @staticmethod
    def _keep(prompt: Prompt) -> Outline:
        box = prompt.box
        if box is None:
            x, y, _ = prompt.points[0]
            box = (x, y, 1, 1)
        mask = prompt.mask
        if mask is None:
            mask = empty((box[3], box[2]), np.bool_)
            mask.fill(True)
        return Outline(box, mask, 1.0)
