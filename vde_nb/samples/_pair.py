"""A pair of pictures with its truth, and what may come between camera and picture."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from .._png import png
from .._write import expand, write_all
from ._noise import Array
from ._paint import FINE, MARGIN
from ._scene import Exposure

__all__ = ["SamplePair", "Truth", "TruthRegion", "take"]


@dataclass(frozen=True, eq=False, repr=False)
class TruthRegion:
    """One true change.

    Attributes
    ----------
    mask : ndarray of bool, shape (H, W)
        Its pixels, in the coordinates of the reference. Read-only.
    type : str
        ``missing_part``, ``added_part``, ``moved``, ``deformation``, ``colour_change``, ``stain``,
        ``scratch``, ``crack``, ``spot``, ``texture_change`` or ``lighting``.
    box : tuple of int
        ``(x, y, w, h)``, the smallest box around the mask, half-open.
    """

    mask: npt.NDArray[np.bool_]
    type: str
    box: tuple[int, int, int, int]

    def __repr__(self) -> str:
        return f"TruthRegion({self.type!r}, box={self.box})"


@dataclass(frozen=True, eq=False, repr=False)
class Truth:
    """All true changes of a pair.

    Attributes
    ----------
    mask : ndarray of bool, shape (H, W)
        Union of the masks of the regions. Read-only.
    regions : tuple of TruthRegion
        The changes, in the order in which the scene lists them.
    """

    mask: npt.NDArray[np.bool_]
    regions: tuple[TruthRegion, ...]

    def __repr__(self) -> str:
        return f"Truth({', '.join(region.type for region in self.regions)})"


@dataclass(frozen=True, eq=False, repr=False)
class SamplePair:
    """A reference picture, a current picture, and what truly changed.

    Attributes
    ----------
    name : str
        Name of the sample.
    description : str
        One sentence for people.
    reference, current : ndarray of uint8, shape (H, W, 3)
        RGB. Read-only: copy before drawing on them.
    truth : Truth
        Masks, boxes and types of the changes.
    ignore : tuple of tuple of int
        Boxes ``(x, y, w, h)`` of what may differ from one picture to the next and means nothing,
        such as a clock on a screen; for ``vde_nb.compare(..., ignore=pair.ignore)``.
    """

    name: str
    description: str
    reference: npt.NDArray[np.uint8]
    current: npt.NDArray[np.uint8]
    truth: Truth
    ignore: tuple[tuple[int, int, int, int], ...] = ()

    def __repr__(self) -> str:
        height, width = self.truth.mask.shape
        counts = Counter(region.type for region in self.truth.regions)
        kinds = ", ".join(f"{n} {kind}" if n > 1 else kind for kind, n in counts.items())
        return f"SamplePair({self.name!r}, {width}×{height}, changes: {kinds or 'none'})"

    def save(self, folder: str | Path, overwrite: bool = False) -> tuple[Path, Path]:
        """Write the two pictures as lossless PNG.

        Parameters
        ----------
        folder : str or Path
            Where to; made if it does not exist.
        overwrite : bool
            Replace pictures that are there already.

        Returns
        -------
        tuple of Path
            ``folder/reference.png`` and ``folder/current.png``.

        Raises
        ------
        OutputError
            One of the files exists and `overwrite` is not set, or writing fails. Nothing is
            written when either of them exists.
        """
        root = expand(folder)
        paths = root / "reference.png", root / "current.png"
        contents = {
            path: partial(png, picture)
            for path, picture in zip(paths, (self.reference, self.current), strict=True)
        }
        write_all(contents, overwrite=overwrite)
        return paths


def take(
    name: str,
    description: str,
    exposure: Exposure,
    shift: tuple[float, float],
    light: float,
    noise: float,
    seed: int,
    ignore: tuple[tuple[int, int, int, int], ...] = (),
) -> SamplePair:
    """Make the final pictures of an exposure, with the nuisances in the current one.

    Parameters are those of `vde_nb.samples.load`, already checked.
    """
    reference = _shrink(exposure.reference)
    current = _shrink(_moved(exposure.current, shift))
    if light or noise:
        current = _disturbed(current, light, noise, seed)
    regions = []
    for kind, wide in exposure.changes:
        mask = np.ascontiguousarray(wide[MARGIN:-MARGIN, MARGIN:-MARGIN])
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        x, y = int(columns[0]), int(rows[0])
        box = (x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)
        regions.append(TruthRegion(_frozen(mask), kind, box))
    union = np.logical_or.reduce([region.mask for region in regions])
    truth = Truth(_frozen(np.asarray(union, np.bool_)), tuple(regions))
    for picture in (reference, current):
        picture.setflags(write=False)
    return SamplePair(name, description, reference, current, truth, ignore)


def _frozen(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    mask.setflags(write=False)
    return mask


def _shrink(fine: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Average canvas pixels to picture pixels and cut the margin off."""
    edge = MARGIN * FINE
    inner = fine[edge:-edge, edge:-edge]
    size = (inner.shape[1] // FINE, inner.shape[0] // FINE)
    return np.asarray(cv2.resize(inner, size, interpolation=cv2.INTER_AREA), np.uint8)


def _moved(fine: npt.NDArray[np.uint8], shift: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Translate a canvas by `shift` picture pixels; what comes in was painted in the margin."""
    if shift == (0.0, 0.0):
        return fine
    (whole_x, part_x), (whole_y, part_y) = (
        (math.floor(step * FINE), step * FINE - math.floor(step * FINE)) for step in shift
    )
    matrix = np.array([[1, 0, whole_x], [0, 1, whole_y]], np.float64)
    moved = cv2.warpAffine(
        fine, matrix, fine.shape[1::-1], flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    # The rest by exact weights: the tables of warpAffine know only 32 positions in a pixel.
    moved = cv2.sepFilter2D(moved, -1, _cubic(part_x), _cubic(part_y))
    return np.asarray(moved, np.uint8)


def _cubic(part: float) -> npt.NDArray[np.float64]:
    """Return the Catmull-Rom kernel that delays by `part` of a pixel, 0 to 1; 5 taps."""
    t = 1 - part
    weights = [t * (2 - t) * t - t, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
    return np.array([*weights, 0.0]) / 2


def _disturbed(
    picture: npt.NDArray[np.uint8], light: float, noise: float, seed: int
) -> npt.NDArray[np.uint8]:
    """Change exposure and shadow by `light` and add `noise` grey levels of sensor noise."""
    height, width = picture.shape[:2]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    # Exposure, a lamp that moved to one side, and the soft shadow of whoever stands there.
    shadow = 1 / (1 + np.exp(np.clip((x * 0.8 + y * 0.6 + 0.75) * 6, -30, 30)))
    gain = (1 + 0.25 * light) * (1 + 0.12 * light * x) * (1 - 0.25 * abs(light) * shadow)
    levels: Array = np.asarray(picture * gain[..., None], np.float32)
    if noise:
        rng = np.random.Generator(np.random.PCG64([seed, 4711]))
        levels += np.float32(noise) * rng.standard_normal(picture.shape, np.float32)
    return np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
