"""What a model of normality is made of: frames, and one class per kind of model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from vde_nb.normality._bank import Bank

__all__ = ["Facts", "Fit", "Frame", "Grid", "HeldOut", "Kind", "KindEntry"]

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

#: Numbers, words and lists of them: what fits JSON.
Facts: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture on the grid of the reference and under its light.

    Attributes
    ----------
    name
        The picture's path, or what it is called.
    levelled
        ``(H, W, 3)`` RGB uint8.
    valid
        ``(H, W)`` bool, the pixels the picture shows; None: all.
    values
        ``(h, w, d)`` float16 or float32, the embeddings of `levelled`; ``(0, 0, 0)`` where the
        model looks at pixels alone.
    time
        When it was taken, where that is known.
    """

    name: str
    levelled: UInt8
    valid: Bool | None
    values: npt.NDArray[np.floating[Any]]
    time: datetime | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        valid = 0 if self.valid is None else self.valid.nbytes
        return self.levelled.nbytes + valid + self.values.nbytes


@dataclass(frozen=True)
class Grid:
    """How the cells of the embeddings lie on the picture.

    Attributes
    ----------
    shape
        ``(H, W)`` of the picture.
    cell
        ``(width, height)`` of a cell in pixels.
    positional
        Whether an embedding also tells where its patch lies.
    """

    shape: tuple[int, int]
    cell: tuple[float, float] = (1.0, 1.0)
    positional: bool = False


class Kind(Protocol):
    """One kind of model, fitted.

    Attributes
    ----------
    name
        What it is chosen by.
    """

    name: ClassVar[str]

    def distances(self, frame: Frame) -> Float32:
        """How far every place of a frame is from normal.

        Returns
        -------
        ndarray
            ``(h, w)``, one per cell of the embeddings, or ``(H, W)``; float32, 0 or more.
        """
        ...

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What was fitted, as float16, float32 or integers, to be saved."""
        ...

    def facts(self) -> Facts:
        """What else has to be known to make it anew, as JSON holds it."""
        ...


class Fit(Protocol):
    """Fits a kind of model to the frames of a bank."""

    def __call__(self, bank: Bank, weights: Float64, *, seed: int, grid: Grid) -> Kind:
        """Return the model; `weights` ``(n,)`` says how much each frame counts."""
        ...


class HeldOut(Protocol):
    """Judges every frame of a bank by a model that was fitted without it."""

    def __call__(
        self, bank: Bank, weights: Float64, *, seed: int, grid: Grid
    ) -> Iterator[tuple[int, Float32]]:
        """Yield the number of each frame in the bank, and its distances."""
        ...


class Both(Protocol):
    """Does both at once, where they share most of their work."""

    def __call__(
        self, bank: Bank, weights: Float64, *, seed: int, grid: Grid
    ) -> tuple[Kind, Iterator[tuple[int, Float32]]]:
        """Return the model, and what judging each frame by the others yields."""
        ...


@dataclass(frozen=True)
class KindEntry:
    """One kind of model, as the table of them lists it.

    Attributes
    ----------
    name
        What users choose it by.
    title
        What people see.
    summary
        One sentence.
    fit
        ``fit(bank, weights, *, seed, grid) -> Kind``.
    restore
        ``restore(arrays, facts) -> Kind``: what :meth:`Kind.arrays` and :meth:`Kind.facts` gave.
    held_out
        ``held_out(bank, weights, *, seed, grid)`` yields ``(number, distances)`` of every frame,
        by a model that was fitted without it.
    both
        ``fit`` and ``held_out`` at once, where they share their work.
    needs
        Modules that an extra installs.
    features
        Whether it looks at embeddings.
    """

    name: str
    title: str
    summary: str
    fit: Fit
    restore: Callable[[Mapping[str, npt.NDArray[Any]], Facts], Kind]
    held_out: HeldOut
    both: Both | None = None
    needs: tuple[str, ...] = ()
    features: bool = True
