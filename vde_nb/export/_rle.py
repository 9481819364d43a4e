"""COCO's run lengths: masks as text.

A mask is read column by column; the lengths of its runs, of zeros first, are written as text in
the way of `pycocotools`: each as its difference to the last run but one, in groups of five bits,
lowest first, in the characters from ``0`` on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box

__all__ = ["counts_from_text", "decode", "encode"]

#: Groups of 5 bits a run may need: 35 bits hold any picture's number of pixels, and a sign.
_GROUPS = 7
#: Pixels of the columns that are looked at in one go.
_MOST = 8_000_000


def encode(outline: npt.NDArray[np.bool_], box: Box, shape: tuple[int, int]) -> dict[str, Any]:
    """Compressed run lengths of a region of a picture.

    Only the region is looked at, so the size of the picture costs nothing.

    Parameters
    ----------
    outline
        ``(h, w)`` bool, the region's inside in the frame of `box`.
    box
        ``(x, y, w, h)``; must lie in the picture.
    shape
        ``(H, W)`` of the picture.

    Returns
    -------
    dict
        ``{"size": [H, W], "counts": str}``.

    Examples
    --------
    >>> encode(np.ones((2, 1), bool), (1, 0, 1, 2), (3, 4))
    {'size': [3, 4], 'counts': '327'}
    """
    height, width = shape
    x, y, w, h = box
    step = max(1, _MOST // (h + 2))
    found = []
    for first in range(0, w, step):
        part = outline[:, first : first + step]
        columns = np.zeros((part.shape[1], h + 2), np.int8)  # zeros around end every run
        columns[:, 1:-1] = part.T
        column, row = np.nonzero(np.diff(columns, axis=1))  # in order: start, end, start, end …
        found.append((column + first + x) * height + row + y)
    edges = np.concatenate(found)
    # A run to the bottom and one from the top of the next column are one run.
    joined = np.flatnonzero(edges[1:-1:2] == edges[2::2]) * 2 + 1
    edges = np.delete(edges, np.concatenate([joined, joined + 1]))
    counts = np.diff(edges, prepend=0, append=height * width)
    if edges.size and edges[-1] == height * width:
        counts = counts[:-1]
    return {"size": [height, width], "counts": _to_text(counts)}


def decode(segmentation: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """Mask ``(H, W)`` bool of compressed run lengths.

    >>> decode({"size": [3, 4], "counts": "327"}).astype(int)
    array([[0, 1, 0, 0],
           [0, 1, 0, 0],
           [0, 0, 0, 0]])
    """
    height, width = segmentation["size"]
    counts = counts_from_text(segmentation["counts"])
    values = np.arange(counts.size) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


def _to_text(counts: npt.NDArray[np.int64]) -> str:
    values = counts.astype(np.int64)
    values[3:] -= counts[1:-2]
    # A value is complete when what is left repeats the sign, the highest bit of its last group.
    shifts = 5 * np.arange(_GROUPS)
    groups = (values[:, None] >> shifts) & 31
    left = values[:, None] >> (shifts + 5)
    more = left != np.where(groups & 16, -1, 0)
    # Groups are needed up to and including the first that completes the value.
    used = np.cumprod(np.column_stack([np.ones(len(values), bool), more[:, :-1]]), axis=1) == 1
    return bytes((groups + 32 * more + 48)[used].astype(np.uint8)).decode("ascii")


def counts_from_text(text: str) -> npt.NDArray[np.int64]:
    groups = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    last = np.flatnonzero(groups < 32)
    first = np.concatenate([[0], last[:-1] + 1])
    place = np.arange(groups.size) - np.repeat(first, last - first + 1)
    values = np.add.reduceat((groups & 31) << (5 * place), first)
    values[groups[last] & 16 > 0] -= 1 << (5 * (last - first + 1))[groups[last] & 16 > 0]
    # Undo the differences: from the fourth on, each is to the last but one.
    for start in (1, 2):
        values[start::2] = np.cumsum(values[start::2])
    return values
