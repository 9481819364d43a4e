"""What describes a picture place by place, whichever way that is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Extractor", "PatchFeatures"]


@dataclass(frozen=True, eq=False)
class PatchFeatures:
    """Embeddings on a grid of cells.

    Attributes
    ----------
    values
        ``(h, w, d)`` float32, C-contiguous, as they were computed: not normalised.
    cell
        ``(width, height)`` of a cell in picture pixels. The cell in row ``i`` and column ``j``
        covers ``[j * width, (j + 1) * width)`` and ``[i * height, (i + 1) * height)``; the last
        ones may hang over the border.
    shape
        ``(H, W)`` of the picture.
    positional
        Whether an embedding also tells where its patch lies, as those of transformers do.
    """

    values: npt.NDArray[np.float32]
    cell: tuple[float, float]
    shape: tuple[int, int]
    positional: bool = False


class Extractor(Protocol):
    """Something that describes pictures; it may be called from any thread.

    Attributes
    ----------
    name
        What users choose it by.
    title
        What people see.
    identity
        Changes when its answers may: model, digest of the weights, layers, zoom, version.
    """

    name: str
    title: str
    identity: str

    def __call__(self, image: npt.NDArray[np.uint8], what: str = "the picture") -> PatchFeatures:
        """Describe a picture.

        Parameters
        ----------
        image
            ``(H, W, 3)`` RGB uint8.
        what
            What it is, for people who watch the progress.

        Returns
        -------
        PatchFeatures
            A vector for each cell of a grid over the picture.
        """
        ...
