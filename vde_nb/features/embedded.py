"""Embedded features: colour, texture and directions; no weights, no model, nothing to install."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.features._descriptors import BINS, PLANES, measured
from vde_nb.features.base import PatchFeatures

__all__ = ["Embedded"]

Float32 = npt.NDArray[np.float32]

_VERSION = 1  # part of the identity: raised whenever values change
_MOST_CELLS = 135_000
_STRIDES = (4, 8, 16, 32)
_WIDE = 1.5  # standard deviation of the wider neighbourhood, in cells
#: Grey levels of colour, and steps of the logarithm of energy, that count as one unit.
_COLOUR, _ENERGY = 12.0, 0.5
#: Band-passed grey levels below which an energy is noise: three scales of lightness, and colour.
_FLOORS = np.array([6.0, 4.0, 3.0, 4.0], np.float32)
#: Mean gradient towards a direction, in grey levels per pixel, below which it is noise; and how
#: much the shape of a histogram counts.
_FAINT, _SHAPE = 2.0, 1.5
#: Lightness, in grey levels, below which colour is noise; and what relative colour counts.
_DARK, _RELATIVE = 24.0, 8.0


class Embedded:
    """Extractor that needs no weights.

    Each cell of 4 x 4 pixels (8 x 8 above two megapixels, and so on, so that there are at most
    135,000) has 46 values: three colours, four texture energies on a logarithmic scale and two
    normalised histograms of eight gradient directions, of the cell and of its surroundings. All
    are put on one scale, on which 1 is a clear difference, so plain distances mean something; and
    none depends on the rest of the picture, so pictures can be compared. Noise of a few grey
    levels stays well below 1.

    Examples
    --------
    >>> import numpy as np
    >>> picture = np.full((60, 101, 3), 90, np.uint8)
    >>> found = Embedded()(picture)
    >>> found.values.shape, found.cell, found.positional
    ((15, 26, 46), (4.0, 4.0), False)
    """

    name = "embedded"
    title = "Embedded descriptors"
    identity = f"embedded-{_VERSION}"
    #: Length below which a description, less what all cells have in common, says little.
    floor = 3.0

    def __call__(self, image: npt.NDArray[np.uint8], what: str = "the picture") -> PatchFeatures:
        """Describe a picture.

        Parameters
        ----------
        image
            ``(H, W, 3)`` RGB uint8, any size.
        what
            Not used: this is never long work.

        Returns
        -------
        PatchFeatures
            ``(ceil(H / s), ceil(W / s), 46)`` for cells of s x s pixels.
        """
        height, width = image.shape[:2]
        stride = next(
            (s for s in _STRIDES if -(-height // s) * -(-width // s) <= _MOST_CELLS), _STRIDES[-1]
        )
        planes = measured(image, stride)
        wide = np.stack([_wider(plane) for plane in planes])
        values = np.empty((*planes.shape[1:], 2 * PLANES), np.float32)
        _fill(planes, values[..., :PLANES])
        _fill(wide, values[..., PLANES:])
        return PatchFeatures(values, (float(stride), float(stride)), (height, width))

    def without_light(self, features: PatchFeatures) -> PatchFeatures:
        """What a shadow or a reflection leaves as it is.

        Colours relative to lightness; energies relative to each other, as less light lowers all
        of them alike; and directions, which count half, as the border of a shadow has some too.

        Parameters
        ----------
        features
            What this extractor returned.

        Returns
        -------
        PatchFeatures
            On the same grid, 44 values a cell.
        """
        parts: list[Float32] = []
        for first in (0, PLANES):
            values = features.values[..., first : first + PLANES]
            light = values[..., :1] + np.float32(_DARK / _COLOUR)
            parts.append(values[..., 1:3] / light * np.float32(_RELATIVE))
            energies = values[..., 3:7]
            parts.append(energies - energies.mean(axis=-1, keepdims=True))
            parts.append(values[..., 7:] * np.float32(0.5))
        return replace(features, values=np.concatenate(parts, axis=-1))


def _wider(plane: Float32) -> Float32:
    blurred = cv2.GaussianBlur(plane, (9, 9), _WIDE, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32)


def _fill(planes: Float32, out: Float32) -> None:
    """Put measures of any size on the common scale."""
    for index in range(3):
        out[..., index] = planes[index] / np.float32(_COLOUR)
    for index, floor in enumerate(_FLOORS):
        # Half the logarithm of the energy over its floor: in smooth places, noise is next to none.
        ratio = planes[3 + index] / floor**2
        out[..., 3 + index] = np.log1p(ratio) * np.float32(0.5 / _ENERGY)
    for first in (7, 7 + BINS):
        bins = planes[first : first + BINS]
        # Divided by its own size (and a floor): contrast is the energies' business.
        size = np.sqrt(np.einsum("bij,bij->ij", bins, bins) + np.float32(_FAINT**2))
        for index in range(BINS):
            out[..., first + index] = bins[index] * (np.float32(_SHAPE) / size)
