"""What is kept of a picture that a model has looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box
from vde_nb.errors import SettingError
from vde_nb.segment._backend import Fit
from vde_nb.segment._masks import Grid

if TYPE_CHECKING:
    from vde_nb.segment._backend import Backend

__all__ = ["Arrays", "Embedded", "checked_part", "grid_of", "rounded", "size_of"]

Arrays = dict[str, npt.NDArray[Any]]

#: Magnitudes float16 holds with all its digits.
_LEAST, _MOST = 2.0**-14, 65504.0


@dataclass(frozen=True, eq=False)
class Embedded:
    """A picture, or a part of one, as the model saw it.

    Attributes
    ----------
    key
        What it is kept under.
    box
        ``(x, y, w, h)``: which part of the picture it shows; all of it, or an enlarged crop.
    fit
        How that part lies in the model's frame.
    arrays
        What the encoder left behind, float16 (float32 where that would lose digits).
    how
        ``"encoded"`` just now, or ``"kept"``.
    notes
        What there is to say about it, in words.
    """

    key: str
    box: Box
    fit: Fit
    arrays: Arrays
    how: str
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        _, _, width, height = self.box
        return f"Embedded({width}\u00d7{height}, {self.how}, {size_of(self.arrays) / 1e6:.1f} MB)"


def grid_of(backend: Backend, embedded: Embedded) -> Grid:
    """How the mask grid of a model lies on what was encoded.

    Upstream pads and interpolates in two steps, or squashes and does it in one.
    """
    _, _, width, height = embedded.box
    if backend.preprocessing.startswith("squash"):
        return Grid(backend.grid, width, height)
    fit = embedded.fit
    return Grid(backend.grid, width, height, backend.side, fit.inner_w, fit.inner_h)


def checked_part(image: npt.NDArray[np.uint8], part: Box | None) -> Box:
    """The part of a picture to encode, or :class:`SettingError`."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise SettingError(
            f"A model looks at (H, W, 3) uint8 pictures, not at {image.shape} {image.dtype}."
        )
    height, width = image.shape[:2]
    x, y, w, h = part or (0, 0, width, height)
    if w < 1 or h < 1 or x < 0 or y < 0 or x + w > width or y + h > height:
        raise SettingError(f"Part {part} does not lie in the {width} x {height} picture.")
    return x, y, w, h


def rounded(arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays | None:
    """An encoding in the precision it is kept in; None when it is not finite.

    float16, unless the greatest magnitude is none of a normal float16: it would turn into
    infinity, or lose its digits.
    """
    made = {}
    for name, array in arrays.items():
        peak = max(float(array.max()), -float(array.min()))  # NaN wins in both
        if not np.isfinite(peak):
            return None
        fits = peak == 0 or _LEAST <= peak <= _MOST
        made[name] = array.astype(np.float16 if fits else np.float32)
    return made


def size_of(arrays: Arrays) -> int:
    """Bytes of an encoding."""
    return sum(array.nbytes for array in arrays.values())
