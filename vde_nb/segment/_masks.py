"""From a decoder's low-resolution logits to masks, without ever making a picture-sized array.

A decoder of the SAM family answers with logits on a grid of 256 x 256 cells, which upstream blows
up to the whole picture before it thresholds: for one screw on a 48-megapixel picture that is
192 MB of numbers to find 400 pixels. Bilinear interpolation is separable and linear, so any frame
of the result is ``rows @ logits @ columns.T`` with two small matrices, and a pixel can only be
positive where one of its (at most 3 x 3) cells is. :func:`tight_mask` computes just that part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box

__all__ = ["Grid", "stability_scores", "tidied", "tight_mask", "upsampled"]

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]

_BAND = 4_000_000  # pixels upsampled at once: 16 MB of logits


@dataclass(frozen=True)
class Grid:
    """How the cells of a decoder's logits lie on a picture.

    Attributes
    ----------
    cells
        Cells on each side of the logits (256 for most models).
    width, height
        Of the picture, in pixels.
    side
        Side of the model's square frame in its own pixels, 1024; 0 when upstream interpolates
        from the cells to the picture in one step (SAM 2).
    inner_width, inner_height
        What part of the frame the picture covers; the rest is padding. Unused when `side` is 0.
    """

    cells: int
    width: int
    height: int
    side: int = 0
    inner_width: int = 0
    inner_height: int = 0

    def rows(self, first: int, end: int) -> Float32:
        """Weights of the cells for the picture's rows `first` to `end`, ``(n, cells)`` float32."""
        return self._weights(self.height, self.inner_height, first, end)

    def columns(self, first: int, end: int) -> Float32:
        """Weights of the cells for the picture's columns, ``(n, cells)`` float32."""
        return self._weights(self.width, self.inner_width, first, end)

    def _weights(self, wanted: int, inner: int, first: int, end: int) -> Float32:
        if not self.side:
            return _bilinear(self.cells, wanted, first, end)
        low, high, share = _taps(inner, wanted, first, end)
        step = _first_step(self.cells, self.side)
        return step[low] * (1 - share[:, None]) + step[high] * share[:, None]

    @property
    def used(self) -> tuple[int, int]:
        """``(rows, columns)`` of cells that show the picture; the others show padding."""
        if not self.side:
            return self.cells, self.cells
        inner = np.array([self.inner_height, self.inner_width])
        rows, columns = np.ceil(inner * self.cells / self.side).astype(int)
        return int(rows), int(columns)


def _taps(
    given: int, wanted: int, first: int, end: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Float32]:
    """Which two of `given` samples each output needs, and the share of the second.

    The arithmetic of ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``,
    in single precision as there: the outlines of upstream and ours must not part over rounding.
    """
    scale = np.float32(given) / np.float32(wanted)
    centres = np.arange(first, end, dtype=np.float32) + np.float32(0.5)
    places = np.maximum(scale * centres - np.float32(0.5), np.float32(0))
    low = np.minimum(places.astype(np.intp), given - 1)
    return low, np.minimum(low + 1, given - 1), np.asarray(places - low, np.float32)


def _bilinear(given: int, wanted: int, first: int, end: int) -> Float32:
    low, high, share = _taps(given, wanted, first, end)
    weights = np.zeros((end - first, given), np.float32)
    each = np.arange(end - first)
    weights[each, low] = 1 - share
    weights[each, high] += share
    return weights


@lru_cache(maxsize=8)
def _first_step(cells: int, side: int) -> Float32:
    weights = _bilinear(cells, side, 0, side)
    weights.flags.writeable = False
    return weights


def upsampled(logits: Float32, grid: Grid, frame: Box) -> Float32:
    """Logits at the pixels of `frame`, as upstream interpolates them.

    Parameters
    ----------
    logits
        ``(cells, cells)`` float32.
    grid
        How they lie on the picture.
    frame
        ``(x, y, w, h)`` inside the picture.

    Returns
    -------
    ndarray
        ``(h, w)`` float32.

    Examples
    --------
    >>> logits = np.array([[0, 4], [8, 12]], np.float32)
    >>> upsampled(logits, Grid(2, 4, 4), (0, 0, 4, 2))
    array([[0., 1., 3., 4.],
           [2., 3., 5., 6.]], dtype=float32)
    """
    x, y, w, h = frame
    return _product(grid.rows(y, y + h), logits, grid.columns(x, x + w))


def _product(rows: Float32, logits: Float32, columns: Float32) -> Float32:
    """``rows @ logits @ columns.T``, over the cells that have any weight."""
    up, across = _span(rows.any(axis=0)), _span(columns.any(axis=0))
    part = rows[:, up] @ logits[up, across]
    return np.asarray(part @ columns[:, across].T, np.float32)


def _span(flags: npt.ArrayLike) -> slice:
    """From the first to the last True; empty when there is none."""
    places = np.flatnonzero(flags)
    return slice(int(places[0]), int(places[-1]) + 1) if places.size else slice(0, 0)


def tight_mask(logits: Float32, grid: Grid, frame: Box, threshold: float = 0.0) -> tuple[Box, Bool]:
    """Where the upsampled logits exceed `threshold`, cut to its own bounding box.

    Parameters
    ----------
    logits
        ``(cells, cells)`` float32.
    grid
        How they lie on the picture.
    frame
        ``(x, y, w, h)``: nothing outside is looked at. It may leave the picture.
    threshold
        What counts as inside; 0 in every model of the family.

    Returns
    -------
    box, mask
        ``(x, y, w, h)`` and ``(h, w)`` bool. Where nothing exceeds it, a box without area at the
        frame's corner.
    """
    left, top = max(0, frame[0]), max(0, frame[1])
    right = min(grid.width, frame[0] + frame[2])
    bottom = min(grid.height, frame[1] + frame[3])
    nothing = (left, top, 0, 0), np.zeros((0, 0), np.bool_)
    if left >= right or top >= bottom:
        return nothing
    rows, columns = grid.rows(top, bottom), grid.columns(left, right)
    hot = logits > threshold
    # A pixel is a weighted mean of cells: it exceeds the threshold only where one of them does.
    high = _span((rows > 0) @ hot.any(axis=1))
    wide = _span((columns > 0) @ hot.any(axis=0))
    rows, columns = rows[high], columns[wide]
    mask = np.zeros((len(rows), len(columns)), np.bool_)
    if not mask.size:
        return nothing
    band = max(1, _BAND // mask.shape[1])
    for first in range(0, len(rows), band):
        part = _product(rows[first : first + band], logits, columns)
        np.greater(part, threshold, out=mask[first : first + band])
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    if not w:
        return nothing
    box = (left + wide.start + x, top + high.start + y, w, h)
    return box, mask[y : y + h, x : x + w]


def stability_scores(logits: Float32, grid: Grid, offset: float = 1.0) -> npt.NDArray[np.float32]:
    """How little each mask depends on the threshold.

    Intersection over union of the masks thresholded at ``+offset`` and ``-offset``, as in the
    automatic mask generator of Kirillov et al., *Segment Anything* (ICCV 2023), but on the cells
    that show the picture instead of its pixels, so that it costs nothing.

    Parameters
    ----------
    logits
        ``(..., cells, cells)`` float32.

    Returns
    -------
    ndarray
        float32 in [0, 1], of the leading shape; 0 where there is no mask at all.
    """
    rows, columns = grid.used
    part = logits[..., :rows, :columns]
    inner = np.count_nonzero(part > offset, axis=(-2, -1))
    outer = np.count_nonzero(part > -offset, axis=(-2, -1))
    return np.asarray(inner / np.maximum(outer, 1), np.float32)


def tidied(
    mask: Bool,
    share: float,
    on: list[tuple[int, int]] | None = None,
    off: list[tuple[int, int]] | None = None,
) -> Bool:
    """A mask without small islands and holes.

    Parameters
    ----------
    mask
        ``(h, w)`` bool.
    share
        Islands (8-connected) smaller than this share of the largest piece go, and holes
        (4-connected) smaller than this share of it are filled. The largest piece always stays.
    on, off
        Points ``(x, y)`` of the mask: a piece with one of `on` stays, a hole with one of `off`
        stays open. Points outside of the mask are allowed.

    Returns
    -------
    ndarray
        ``(h, w)`` bool; `mask` itself where nothing changed.
    """
    if share <= 0 or not mask.any():
        return mask
    labels, sizes = _pieces(mask, 8)
    limit = share * sizes[1:].max()
    keep = sizes >= limit
    keep[0] = False
    keep[_labels_at(labels, on)] = True
    keep[0] = False
    found = mask if keep[1:].all() else keep[labels]
    # The frame's border counts as outside, so that a bay cut off by it is no hole.
    labels, sizes = _pieces(np.pad(~found, 1, constant_values=True), 4)
    fill = sizes < limit
    fill[[0, labels[0, 0]]] = False
    fill[_labels_at(labels[1:-1, 1:-1], off)] = False
    if not fill.any():
        return found
    return np.asarray(found | fill[labels[1:-1, 1:-1]], np.bool_)


def _pieces(mask: Bool, connectivity: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Labels of the connected pieces, 0 being the rest, and how many pixels each has."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.view(np.uint8), connectivity=connectivity
    )
    return np.asarray(labels, np.int32), np.asarray(stats[:, cv2.CC_STAT_AREA], np.int64)


def _labels_at(labels: npt.NDArray[np.int32], points: list[tuple[int, int]] | None) -> list[int]:
    height, width = labels.shape
    inside = [(x, y) for x, y in points or () if 0 <= x < width and 0 <= y < height]
    return [int(labels[y, x]) for x, y in inside]
