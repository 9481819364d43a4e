"""The normal pictures that are kept: a sample of bounded size of however many there were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from vde_nb.normality.base import Frame

__all__ = ["Bank", "Reservoir"]


@dataclass(frozen=True, eq=False)
class Bank:
    """Kept normal frames.

    Attributes
    ----------
    frames
        The frames.
    weights
        ``(n,)`` float64 above 0: how much each counts.
    seen
        How many normal pictures there were, kept or not.
    """

    frames: tuple[Frame, ...] = ()
    weights: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    seen: int = 0

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    def __getitem__(self, number: int) -> Frame:
        return self.frames[number]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the frames."""
        return tuple(frame.name for frame in self.frames)

    @property
    def nbytes(self) -> int:
        """Bytes of the frames."""
        return sum(frame.nbytes for frame in self.frames)

    def plain(self) -> Bank:
        """The bank without embeddings."""
        nothing = np.zeros((0, 0, 0), np.float16)
        frames = tuple(replace(frame, values=nothing) for frame in self.frames)
        return replace(self, frames=frames)

    def added(self, frame: Frame, weight: float, fade: float, limit: int) -> Bank:
        """The bank with one frame more, the others fading.

        Parameters
        ----------
        frame, weight
            What is added.
        fade
            What the weights of the others are multiplied by.
        limit
            Most bytes; where the frames are more, those that count least are left out.
        """
        frames = (*self.frames, frame)
        weights = np.append(self.weights * fade, weight)
        keep = list(range(len(frames)))
        size = sum(one.nbytes for one in frames)
        while size > limit and len(keep) > 2:
            least = min(keep[:-1], key=lambda i: (weights[i], i))
            keep.remove(least)
            size -= frames[least].nbytes
        return Bank(tuple(frames[i] for i in keep), weights[keep], self.seen + 1)


class Reservoir:
    """Chooses which of a stream of pictures are kept (Vitter's algorithm R, 1985).

    Whether a picture enters is decided before it is registered, so a picture that is not kept
    costs nothing but its reading.

    Parameters
    ----------
    limit
        Most bytes of the frames.
    seed
        Of the choice.
    """

    def __init__(self, limit: int, seed: int) -> None:
        self._limit = limit
        self._rng = np.random.Generator(np.random.PCG64([seed, 41]))
        self._frames: list[Frame] = []
        self._capacity: int | None = None
        self.seen = 0

    def place(self) -> int | None:
        """Where the next picture goes, None for nowhere."""
        self.seen += 1
        if self._capacity is None or len(self._frames) < self._capacity:
            return len(self._frames)
        place = int(self._rng.integers(self.seen))
        return place if place < self._capacity else None

    def put(self, place: int, frame: Frame) -> None:
        """Keep a frame in its place."""
        if place == len(self._frames):
            self._frames.append(frame)
        else:
            self._frames[place] = frame
        if self._capacity is None:
            self._capacity = max(2, self._limit // max(frame.nbytes, 1))

    def refuse(self) -> None:
        """Take back the last :meth:`place`: the picture was none."""
        self.seen -= 1

    def bank(self) -> Bank:
        """What was kept."""
        frames = tuple(self._frames)
        return Bank(frames, np.ones(len(frames)), self.seen)
