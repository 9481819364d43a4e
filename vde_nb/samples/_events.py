"""Anomalies with a history: what lies where in a series, from when to when, and how it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from ._content import content_of
from ._defects import KINDS
from ._noise import Array
from ._pair import TruthRegion
from ._stress import stress

__all__ = ["Layer", "SampleEvent", "painted", "staged"]

_APART = 12  # pixels between two events
_TRIES = 12  # seeds per kind of defect
_RIM = 5  # pixels around an outline that its lens blur may reach
_SOFT = 0.05  # width of a growing edge, as a share of the whole growth
_FIRST = 0.35  # share of a growing event at its first appearance

#: What an event may do, and from when to when as shares of the series.
_STORIES: dict[str, tuple[tuple[float, float], ...]] = {
    "grows": ((0.39, 1.0),),
    "comes back": ((0.31, 0.45), (0.70, 0.84)),
    "stays": ((0.56, 1.0),),
    "goes": ((0.47, 0.64),),
    "passes": ((0.89, 0.93),),
}
#: Types of a scene's own changes that look right in each story, the best ones first.
_SUITED: dict[str, tuple[str, ...]] = {
    "grows": ("crack", "stain"),
    "comes back": ("added_part", "moved"),
    "stays": ("missing_part", "scratch", "deformation", "colour_change", "texture_change"),
    "goes": ("stain", "spot", "colour_change", "moved"),
    "passes": ("added_part",),
}
#: Kinds of `stress` that do; any other will where none of them finds a place.
_DRAWN: dict[str, tuple[str, ...]] = {
    "grows": ("crack", "stain"),
    "comes back": ("added",),
    "stays": ("missing", "scratch", "recolour", "texture"),
    "goes": ("stain", "recolour"),
    "passes": ("added",),
}


@dataclass(frozen=True, eq=False)
class Layer:
    """What an event does to the clean picture.

    Attributes
    ----------
    region : TruthRegion
        Its outline when it is fully grown.
    window : tuple of slice
        Rows and columns it touches.
    change : ndarray of int16, shape (rows, columns, 3)
        What is added to the clean picture there.
    arrival : ndarray of float32, shape (rows, columns)
        At which share of its growth it gets to each pixel, 0 to 1.
    """

    region: TruthRegion
    window: tuple[slice, slice]
    change: npt.NDArray[np.int16]
    arrival: Array

    def add_to(self, levels: Array, share: float, offset: int = 0) -> None:
        """Put the event, grown to `share`, into float32 `levels` that have a margin `offset`."""
        rows, columns = (slice(side.start + offset, side.stop + offset) for side in self.window)
        weight = np.float32(1)
        if share < 1:
            weight = np.clip((share - self.arrival) / _SOFT + 0.5, 0, 1)[..., None]
        levels[rows, columns] += weight * self.change

    def grown(self, share: float) -> npt.NDArray[np.bool_]:
        """Return its outline at a share of its growth, shape (H, W)."""
        if share >= 1:
            return self.region.mask
        mask = np.zeros_like(self.region.mask)
        mask[self.window] = self.region.mask[self.window] & (self.arrival <= share)
        return mask


@dataclass(frozen=True, eq=False, repr=False)
class SampleEvent:
    """One anomaly of a series and its history.

    Attributes
    ----------
    number : int
        From 1, in the order of first appearance.
    type : str
        As in :class:`TruthRegion`.
    story : str
        ``"grows"`` (and stays), ``"comes back"``, ``"stays"``, ``"goes"`` or ``"passes"`` (a frame
        or two).
    visits : tuple of (int, int)
        Frames ``(first, stop)``, half-open, in which it is there.
    mask : ndarray of bool, shape (H, W)
        Its pixels when it is fully grown, in the coordinates of the reference. Read-only.
    box : tuple of int
        ``(x, y, w, h)`` around `mask`, half-open.
    layer : Layer
        What paints it into the frames.
    """

    number: int
    type: str
    story: str
    visits: tuple[tuple[int, int], ...]
    mask: npt.NDArray[np.bool_]
    box: tuple[int, int, int, int]
    layer: Layer = field(repr=False)

    @property
    def frames(self) -> tuple[int, ...]:
        """Numbers of the frames in which it is there, from 0."""
        return tuple(frame for first, stop in self.visits for frame in range(first, stop))

    def share(self, frame: int) -> float:
        """How far it has grown in a frame: 0 (not there) to 1."""
        for first, stop in self.visits:
            if first <= frame < stop:
                if self.story != "grows" or stop - first < 2:
                    return 1.0
                # Fully grown some time before the end.
                grown = (frame - first) / max(0.8 * (stop - 1 - first), 1)
                return min(_FIRST + (1 - _FIRST) * grown, 1.0)
        return 0.0

    def __repr__(self) -> str:
        when = ", ".join(f"{first}\u2013{stop - 1}" for first, stop in self.visits)
        return f"SampleEvent({self.number}, {self.type!r}, {self.story}, frames {when})"


def painted(
    reference: npt.NDArray[np.uint8],
    current: npt.NDArray[np.uint8],
    regions: Sequence[TruthRegion],
) -> list[Layer]:
    """Take the changes of a sample pair apart, so that each may come and go by itself.

    Parameters
    ----------
    reference, current : ndarray of uint8, shape (H, W, 3)
        A pair that differs in the changes and nowhere else.
    regions : sequence of TruthRegion
        The changes.
    """
    taken = np.zeros(reference.shape[:2], np.bool_)
    layers = []
    for region in regions:
        window = _around(region.box, taken.shape, _RIM)
        inside = cv2.dilate(
            region.mask[window].view(np.uint8), np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)
        ).view(np.bool_)
        inside &= ~taken[window]
        taken[window] |= inside
        change = current[window].astype(np.int16) - reference[window]
        change[~inside] = 0
        layers.append(Layer(region, window, change, _arrival(region.mask[window])))
    return layers


def _placed(
    picture: npt.NDArray[np.uint8],
    taken: npt.NDArray[np.bool_],
    kind: str,
    rng: np.random.Generator,
) -> Layer | None:
    """Draw one defect away from what is `taken`; None if there is no place."""
    reach = np.ones((2 * _APART + 1, 2 * _APART + 1), np.uint8)
    for _ in range(_TRIES):
        try:
            pair = stress(
                picture, int(rng.integers(1 << 31)), defects=(kind,), count=1, nuisances="none"
            )
        except ImageError:
            continue
        region = pair.truth.regions[0]
        window = _around(region.box, taken.shape, _APART)
        near = cv2.dilate(region.mask[window].view(np.uint8), reach).view(np.bool_)
        if (near & taken[window]).any():
            continue
        change = pair.current.astype(np.int16) - picture
        touched = np.asarray(change.any(axis=2), np.uint8)
        window = _around(cv2.boundingRect(touched), taken.shape, 0)
        return Layer(region, window, change[window].copy(), _arrival(region.mask[window]))
    return None


def _around(box: Sequence[int], shape: tuple[int, ...], reach: int) -> tuple[slice, slice]:
    """Return the window of a box and `reach` pixels around it."""
    x, y, w, h = box
    return (
        slice(max(y - reach, 0), min(y + h + reach, shape[0])),
        slice(max(x - reach, 0), min(x + w + reach, shape[1])),
    )


def _arrival(mask: npt.NDArray[np.bool_]) -> Array:
    """When growth gets to each pixel: from its upper end if it is long, else from its core."""
    rows, columns = np.nonzero(mask)
    _, (first, second), _ = cv2.minAreaRect(np.stack([columns, rows], axis=1).astype(np.float32))
    if max(first, second) > 2.2 * max(min(first, second), 1) or mask.mean() < 0.2:
        top = int(rows.argmin())
        y, x = np.indices(mask.shape, np.float32)
        far = np.hypot(x - columns[top], y - rows[top])
    else:
        deep = cv2.distanceTransform(
            np.pad(mask.view(np.uint8), 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )[1:-1, 1:-1]
        far = float(deep.max()) - deep
    return np.asarray(np.minimum(far / max(float(far[mask].max()), 1.0), 1), np.float32)


def staged(
    picture: npt.NDArray[np.uint8], own: Sequence[Layer], count: int, frames: int, seed: int
) -> tuple[SampleEvent, ...]:
    """Decide what happens in a series.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB, without anomalies.
    own : sequence of Layer
        What may happen to this very scene. Each takes part in a story that suits it; for the
        others, defects of the stress kit are drawn, apart from what is there.
    count : int
        How many events.
    frames : int
        Length of the series; each event is there in one frame at least.
    seed : int
        What, where and when.

    Returns
    -------
    tuple of SampleEvent
        In the order of first appearance.

    Raises
    ------
    ImageError
        There is no place for that many.
    """
    rng = np.random.Generator(np.random.PCG64([seed, 419, content_of(picture)]))
    names, spare = tuple(_STORIES), list(own)
    stories = [names[i % len(names)] for i in range(count)]
    cast = [_suited(spare, story) for story in stories]
    taken = np.zeros(picture.shape[:2], np.bool_)
    for layer in cast:
        if layer is not None:
            taken |= layer.region.mask
    events = []
    for place, story in enumerate(stories):
        layer = cast[place] or _drawn(picture, taken, story, rng)
        if layer is None:
            raise ImageError(
                f"found places for {place} events in this picture, not for {count}: ask for fewer, "
                "or take another seed or picture."
            )
        taken |= layer.region.mask
        # The second of a kind of story begins somewhat later than the first.
        late = 0.06 * (place // len(names)) + (float(rng.uniform(-0.05, 0.05)) if seed else 0.0)
        visits = tuple(_visit(span, frames, late) for span in _STORIES[story])
        if len(visits) > 1 and visits[0][1] >= visits[1][0]:
            visits, story = visits[:1], "goes"  # no time for coming back
        events.append((visits, story, layer))
    events.sort(key=lambda one: one[0])
    return tuple(
        SampleEvent(i, layer.region.type, story, visits, layer.region.mask, layer.region.box, layer)
        for i, (visits, story, layer) in enumerate(events, 1)
    )


def _suited(spare: list[Layer], story: str) -> Layer | None:
    """Take the layer out of `spare` that suits a story best, if any does."""
    types = [layer.region.type for layer in spare]
    best = next((types.index(kind) for kind in _SUITED[story] if kind in types), None)
    return None if best is None else spare.pop(best)


def _drawn(
    picture: npt.NDArray[np.uint8],
    taken: npt.NDArray[np.bool_],
    story: str,
    rng: np.random.Generator,
) -> Layer | None:
    """Draw a defect that suits a story, or any for which there is a place."""
    for kind in (*rng.permutation(_DRAWN[story]), *rng.permutation(list(KINDS))):
        layer = _placed(picture, taken, str(kind), rng)
        if layer is not None:
            return layer
    return None


def _visit(span: tuple[float, float], frames: int, late: float) -> tuple[int, int]:
    """Turn shares of a series into frames; what lasts to its end still does."""
    first = min(max(round((span[0] + late) * frames), 0), frames - 1)
    stop = frames if span[1] >= 1 else min(round((span[1] + late) * frames), frames)
    return first, max(stop, first + 1)
