"""Where a picture comes from, so that code and sessions can name it again.

The panel is handed sources as :func:`vde_nb.compare` takes them. What a person picks in it is kept
as one of the small objects here, which are sources, too (they have ``__array__``), and know what
they are called.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from vde_nb._text import readable

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Sample", "Upload", "Variable", "as_sample", "digest", "is_path", "name_of", "variables"]

#: What a notebook's pictures may be stored as.
_KINDS = "uf"


@dataclass(frozen=True)
class Sample:
    """One side of a bundled sample; painted when it is looked at, and remembered by `samples`."""

    name: str
    side: str

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        from vde_nb import samples

        picture: NDArray[np.uint8] = getattr(samples.load(self.name), self.side)
        return picture if dtype is None else picture.astype(dtype)


@dataclass(frozen=True, eq=False)
class Variable:
    """An array of the notebook, by the name it has there."""

    name: str
    array: Any

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        array = np.asarray(self.array)
        return array if dtype is None else array.astype(dtype)


@dataclass(frozen=True, eq=False)
class Upload:
    """A file that came through the browser: bytes, with the name they had.

    Has `read`, as :func:`vde_nb.compare` expects of a binary file, any number of times.
    """

    name: str
    data: bytes

    def read(self) -> bytes:
        """All of the file."""
        return self.data


def is_path(source: object) -> bool:
    """Whether `source` names a file."""
    return isinstance(source, (str, os.PathLike))


def name_of(source: object, default: str) -> str:
    """What to call a source in front of people; text, not HTML."""
    if isinstance(source, (list, tuple)) and source:
        more = len(source) - 1
        return name_of(source[0], default) + (f" and {more} more" if more else "")
    if isinstance(source, (str, os.PathLike)):
        return readable(os.path.basename(os.fsdecode(source)) or os.fsdecode(source))  # noqa: PTH119
    if isinstance(source, Sample):
        return f"Sample {source.name}"
    if isinstance(source, (Variable, Upload)):
        return readable(source.name)
    return default


def digest(array: NDArray[Any]) -> str:
    """Hash of shape and pixels, 32 hexadecimal digits, as :attr:`vde_nb.images.Picture.key`."""
    whole = np.ascontiguousarray(array)
    hashed = xxhash.xxh3_128(repr(whole.shape).encode())
    hashed.update(whole.data)
    return hashed.hexdigest()


#: Shapes of the bundled samples: a photograph's, and a screen's.
_SAMPLES = ((600, 800, 3), (620, 880, 3))


def as_sample(source: object) -> Sample | None:
    """`source` as a side of a bundled sample, when it is one.

    Samples are read-only arrays of few sizes, so other pictures cost nothing to tell apart.
    """
    if isinstance(source, Sample):
        return source
    if not isinstance(source, np.ndarray) or source.flags.writeable or source.dtype != np.uint8:
        return None
    if source.shape not in _SAMPLES:
        return None
    from vde_nb import samples

    for name in samples.list():
        pair = samples.load(name)
        for side in ("reference", "current"):
            one = getattr(pair, side)
            if one is source or np.array_equal(one, source):
                return Sample(name, side)
    return None


def variables(names: Mapping[str, Any]) -> list[Variable]:
    """The arrays among a notebook's variables that may be pictures, by name.

    >>> [one.name for one in variables({"photo": np.zeros((9, 9, 3), np.uint8), "n": 3})]
    ['photo']
    """
    found = []
    for name, value in sorted(names.items()):
        if name.startswith("_") or not isinstance(value, np.ndarray):
            continue
        fits = value.ndim == 2 or (value.ndim == 3 and value.shape[2] <= 4)
        if fits and value.dtype.kind in _KINDS and min(value.shape[:2]) >= 7:
            found.append(Variable(name, value))
    return found
