"""What truly changed, in one form, whatever it was written down as."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box
from vde_nb.errors import SettingError
from vde_nb.images import Source

__all__ = ["GroundTruth", "LabelledPair", "TrueRegion", "labelled"]

Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TrueRegion:
    """One true change.

    Attributes
    ----------
    box
        ``(x, y, w, h)`` in reference pixels, half-open.
    type
        Name of its type; empty if it is not known.
    mask
        ``(h, w)`` bool, its pixels in the frame of the box; None if only the box is known.
    where
        Where it was written down, for messages: a file and a line.
    """

    box: Box
    type: str = ""
    mask: Bools | None = field(default=None, repr=False)
    where: str = field(default="", repr=False)


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """All true changes of a pair.

    Attributes
    ----------
    regions
        The changes; none of them means that the pair is sound.
    shape
        ``(H, W)`` of the masks, if there are any.
    where
        File it was read from, for messages.
    """

    regions: tuple[TrueRegion, ...] = ()
    shape: tuple[int, int] | None = None
    where: str = field(default="", repr=False)

    @property
    def has_masks(self) -> bool:
        """Whether it is known of every pixel if it changed."""
        return all(region.mask is not None for region in self.regions)

    def checked(self, name: str, shape: tuple[int, int]) -> GroundTruth:
        """Return this truth if it fits a picture of the shape `shape`, called `name` in errors.

        Raises
        ------
        SettingError
            It is about a picture of another size, or a box does not lie in it.
        """
        height, width = shape
        if self.shape is not None and self.shape != shape:
            raise SettingError(
                f"{self.where or name}: the truth is about {self.shape[1]}×{self.shape[0]} pixels, "
                f"the reference has {width}×{height}; they must be the same."
            )
        for region in self.regions:
            x, y, w, h = region.box
            if w < 1 or h < 1 or x < 0 or y < 0 or x + w > width or y + h > height:
                raise SettingError(
                    f"{region.where or name}: the box (x, y, w, h) = {region.box} does not lie in "
                    f"the picture of {width}×{height} pixels."
                )
        return self


@dataclass(frozen=True, eq=False)
class LabelledPair:
    """Two pictures and what truly changed.

    Attributes
    ----------
    reference, current
        Anything :func:`vde_nb.compare` takes; files are read when their turn comes.
    truth
        What changed, in reference pixels; or a function that reads it when its turn comes.
    name
        What to call it in messages.
    """

    reference: Source = field(repr=False)
    current: Source = field(repr=False)
    truth: GroundTruth | Callable[[], GroundTruth] = field(repr=False)
    name: str = "pair"

    def known(self) -> GroundTruth:
        """Return the truth; read it if it has not been read."""
        return self.truth() if callable(self.truth) else self.truth


def labelled(pair: Any, number: int) -> LabelledPair:
    """Bring a pair into one form.

    Parameters
    ----------
    pair
        A LabelledPair; a `SamplePair`; or ``(reference, current, truth)`` with a `Truth`, a bool
        mask, a list of boxes, or a list of ``(box, type)``.
    number
        Its number, to name it in messages.

    Raises
    ------
    SettingError
        It is nothing of these.
    """
    if isinstance(pair, LabelledPair):
        return pair
    if all(hasattr(pair, name) for name in ("reference", "current", "truth")):
        name = str(getattr(pair, "name", f"pair {number}"))
        return LabelledPair(pair.reference, pair.current, _truth(pair.truth, name), name)
    name = f"pair {number}"
    if not isinstance(pair, (tuple, list)) or len(pair) != 3:
        raise SettingError(
            f"{name} must be a SamplePair, a LabelledPair or (reference, current, truth), not "
            f"{type(pair).__name__}."
        )
    return LabelledPair(pair[0], pair[1], _truth(pair[2], name), name)


def _truth(truth: Any, name: str) -> GroundTruth:
    if isinstance(truth, GroundTruth):
        return truth
    if hasattr(truth, "regions"):
        regions = tuple(_cut(region.mask, region.type) for region in truth.regions)
        return GroundTruth(regions, truth.mask.shape)
    if isinstance(truth, np.ndarray) and truth.ndim == 2 and truth.dtype == np.bool_:
        return of_mask(truth)
    if isinstance(truth, np.ndarray) and not (truth.ndim == 2 and truth.shape[1] == 4):
        raise SettingError(
            f"{name}: a true mask must be (H, W) bool, not {truth.shape} {truth.dtype}; "
            "mask > 0 makes it one."
        )
    if isinstance(truth, str) or not isinstance(truth, Iterable):
        raise SettingError(
            f"{name}: the truth must be a Truth, a bool mask, a list of boxes (x, y, w, h) or of "
            f"(box, type), not {type(truth).__name__}."
        )
    return GroundTruth(tuple(_entry(entry, name) for entry in truth))


def of_mask(mask: Bools, kind: str = "") -> GroundTruth:
    """Return every connected area of a mask (8 neighbours) as a region of its own."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(mask).view(np.uint8), connectivity=8
    )
    regions = []
    for label in range(1, count):
        x, y, w, h = (int(value) for value in stats[label, :4])
        inside = np.asarray(labels[y : y + h, x : x + w] == label, np.bool_)
        regions.append(TrueRegion((x, y, w, h), kind, inside))
    height, width = mask.shape
    return GroundTruth(tuple(regions), (height, width))


def _cut(mask: Bools, kind: str) -> TrueRegion:
    """Return a mask of the whole picture as a region."""
    x, y, w, h = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
    return TrueRegion((x, y, w, h), kind, mask[y : y + h, x : x + w])


def _entry(entry: Any, name: str) -> TrueRegion:
    """Return a box, or a box with its type, as a region."""
    if isinstance(entry, TrueRegion):
        return entry
    box, kind = entry, ""
    if isinstance(entry, (tuple, list)) and len(entry) == 2 and isinstance(entry[1], str):
        box, kind = entry
    good = isinstance(box, (Sequence, np.ndarray)) and len(box) == 4
    if not good or not all(
        isinstance(value, numbers.Real) and float(value).is_integer() for value in box
    ):
        raise SettingError(
            f"{name}: {entry!r} is no box; write (x, y, w, h) in whole pixels, or (box, type)."
        )
    x, y, w, h = (int(value) for value in box)
    return TrueRegion((x, y, w, h), kind)
