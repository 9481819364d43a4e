"""Where differences do not matter: boxes or a mask, as users write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import xxhash

from vde_nb._lessons import lesson
from vde_nb.errors import SettingError
from vde_nb.images import Box
from vde_nb.stages import Staged

__all__ = ["Ignore", "ignore_mask", "outside"]

#: Boxes in reference pixels, or a mask of the size of the reference.
Ignore: TypeAlias = "Sequence[Box] | npt.NDArray[np.bool_]"


def ignore_mask(ignore: Ignore, shape: tuple[int, int]) -> Staged[npt.NDArray[np.bool_]] | None:
    """Check `ignore` and make a mask of it.

    Parameters
    ----------
    ignore
        Boxes ``(x, y, w, h)``, which may jut out of the picture, or a ``(H, W)`` bool mask.
    shape
        ``(H, W)`` of the reference.

    Returns
    -------
    Staged
        The mask, known by a hash of its content; None when nothing is to be ignored.

    Raises
    ------
    SettingError
        A mask of another shape or type, or something that is no box.

    Examples
    --------
    >>> ignore_mask([(2, 1, 3, 1)], (3, 6)).value.astype(int)
    array([[0, 0, 0, 0, 0, 0],
           [0, 0, 1, 1, 1, 0],
           [0, 0, 0, 0, 0, 0]])
    """
    if isinstance(ignore, np.ndarray) and ignore.ndim == 2 and ignore.dtype == np.bool_:
        if ignore.shape != shape:
            raise SettingError(
                f"ignore= has {ignore.shape[1]} \u00d7 {ignore.shape[0]} pixels, the reference "
                f"{shape[1]} \u00d7 {shape[0]}: a mask must have the reference's size."
                f"{lesson('ignore')}"
            )
        mask = ignore.copy()
    else:
        mask = np.zeros(shape, np.bool_)
        for box in ignore if np.iterable(ignore) else (ignore,):
            x, y, w, h = _box(box)
            mask[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)] = True
    if not mask.any():
        return None
    return Staged(mask, xxhash.xxh3_128_hexdigest(np.packbits(mask).data))


def outside(ignore: Ignore, shape: tuple[int, int]) -> str:
    """Which boxes of `ignore` hold nothing of a picture ``(H, W)``, in words; most likely mistyped.

    >>> outside([(2, 1, 3, 1), (6, 0, 2, 2)], (3, 6))
    'ignore: outside the picture, which has 6 × 3 pixels: (6, 0, 2, 2).'
    """
    if isinstance(ignore, np.ndarray) and ignore.dtype == np.bool_:
        return ""
    height, width = shape
    lost = [
        str((x, y, w, h))
        for x, y, w, h in map(_box, ignore)
        if x >= width or y >= height or x + w <= 0 or y + h <= 0
    ]
    more = ", …" if len(lost) > 3 else ""
    told = f"ignore: outside the picture, which has {width} × {height} pixels: "
    return f"{told}{', '.join(lost[:3])}{more}." if lost else ""


def _box(box: object) -> tuple[int, int, int, int]:
    try:
        x, y, w, h = (int(value) for value in box)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        w = h = 0
    if w <= 0 or h <= 0:
        raise SettingError(
            f"ignore= holds {box!r}; needed are boxes (x, y, w, h) in pixels with a width and a "
            "height, as [(10, 20, 100, 50)], or a boolean mask of the reference's size."
            f"{lesson('ignore')}"
        )
    return x, y, w, h
