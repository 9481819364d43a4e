"""How a large picture is cut into tiles that a model can look at, and put together again."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.errors import SettingError

__all__ = ["MOST_TILES", "PARTS", "Plan", "Tile", "affordable", "enlarged", "plan"]

#: Pixels along a tile, nearly: models of this kind were trained at such sizes (DINOv2 at 518).
SIDE = 518
#: Part of a tile by which two neighbours overlap: cells near a border have seen less around them.
OVERLAP = 0.25
#: Picture pixels that a patch covers at the automatic zoom, where that is affordable: a defect of
#: 30 pixels is then seen by about four by four of them.
PIXELS = 8.0
#: Most and fewest tiles allowed at the automatic zoom; a picture that needs more is enlarged less.
AUTO_TILES = 4, 32
#: Tiles times millions of parameters at the automatic zoom: 32 tiles for a small model of 22
#: million, 8 for a base one, 4 for a large one. A tile takes one core 1.05 s with DINOv2 small and
#: 2.8 s with base (middle blocks), so a picture of 1 MP and more 20 to 35 s of one core.
BUDGET = 700.0
#: Most tiles at all.
MOST_TILES = 1024
#: All of this in a word that belongs into the key of what is kept.
PARTS = f"tiles-{SIDE}-{OVERLAP:g}-{PIXELS:g}"


@dataclass(frozen=True)
class Tile:
    """A part of the grid that is looked at at once, and what of it is used.

    Attributes
    ----------
    rows, columns
        Cells ``[first, past)`` that the model sees.
    used_rows, used_columns
        Those it is asked about: nearer to the middle of this tile than of any other.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    used_rows: tuple[int, int]
    used_columns: tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """How a picture is looked at.

    Attributes
    ----------
    size
        ``(width, height)`` in pixels to which it is resized.
    grid
        ``(rows, columns)`` of patches that cover it; the last ones hang over.
    cell
        ``(width, height)`` of a patch in pixels of the picture.
    tiles
        In reading order, all with the same number of cells.
    """

    size: tuple[int, int]
    grid: tuple[int, int]
    cell: tuple[float, float]
    tiles: tuple[Tile, ...]


def affordable(parameters: float) -> int:
    """Tiles that the automatic zoom may take, for a model of so many million parameters.

    The same on every machine, so that an answer is; where a GPU makes more of them cheap, the zoom
    can be given.

    Examples
    --------
    >>> affordable(22.1), affordable(86.6), affordable(304.4)
    (32, 8, 4)
    """
    fewest, most = AUTO_TILES
    return max(fewest, min(most, round(BUDGET / max(parameters, 1e-3))))


def plan(height: int, width: int, patch: int, zoom: float = 0.0, most: int = 32) -> Plan:
    """Decide how a picture is looked at.

    Parameters
    ----------
    height, width
        Of the picture.
    patch
        Pixels along a patch of the model.
    zoom
        Factor by which the picture is enlarged; 0: such that a patch covers :data:`PIXELS`
        pixels of the picture, or more than that where `most` tiles are not enough for it.
    most
        Tiles at the automatic zoom, see :func:`affordable`.

    Raises
    ------
    SettingError
        `zoom` asks for more than :data:`MOST_TILES`.

    Examples
    --------
    >>> plan(480, 640, 14, 1.0).grid, plan(480, 640, 14).cell, len(plan(480, 640, 14).tiles)
    ((35, 46), (8.0, 8.0), 6)
    """
    if zoom:
        made = _planned(height, width, patch, zoom)
        if made is None:
            raise SettingError(
                f"feature_zoom={zoom:g} cuts a picture of {width} x {height} pixels into more "
                f"than {MOST_TILES} tiles; choose a smaller one, or 0."
            )
        return made
    zoom = patch / PIXELS
    while True:
        made = _planned(height, width, patch, zoom)
        if made is not None and len(made.tiles) <= most:
            return made
        zoom *= 0.97


def _planned(height: int, width: int, patch: int, zoom: float) -> Plan | None:
    """The plan at one zoom; None when it has too many tiles."""
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    rows, columns = math.ceil(size[1] / patch), math.ceil(size[0] / patch)
    side = max(1, round(SIDE / patch))
    down, across = _spans(rows, side), _spans(columns, side)
    if len(down) * len(across) > MOST_TILES:
        return None
    tiles = tuple(
        Tile(seen_rows, seen_columns, used_rows, used_columns)
        for seen_rows, used_rows in down
        for seen_columns, used_columns in across
    )
    cell = patch * width / size[0], patch * height / size[1]
    return Plan(size, (rows, columns), cell, tiles)


def _spans(count: int, side: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Along one axis: cells of each tile, and those of them that are used.

    >>> _spans(10, 6)
    [((0, 6), (0, 5)), ((4, 10), (5, 10))]
    """
    if count <= side:
        return [((0, count), (0, count))]
    step = max(1, side - round(OVERLAP * side))
    number = 1 + math.ceil((count - side) / step)
    starts = [round(i * (count - side) / (number - 1)) for i in range(number)]
    # A cell is farthest from a border in the tile whose middle is nearest: neighbours share
    # their overlap half and half.
    ends = [(a + side + b) // 2 for a, b in itertools.pairwise(starts)]
    used = zip([0, *ends], [*ends, count], strict=True)
    return [((start, start + side), span) for start, span in zip(starts, used, strict=True)]


def enlarged(image: npt.NDArray[np.uint8], made: Plan, patch: int) -> npt.NDArray[np.uint8]:
    """The picture at the size of a plan, its right and bottom reflected to whole patches.

    Parameters
    ----------
    image
        ``(H, W, 3)`` uint8.
    made, patch
        Of :func:`plan`.

    Returns
    -------
    numpy.ndarray
        ``(rows * patch, columns * patch, 3)`` uint8.
    """
    width, height = made.size
    image = np.ascontiguousarray(image)
    if image.shape[:2] != (height, width):
        smaller = width * height < image.shape[0] * image.shape[1]
        how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        image = np.asarray(cv2.resize(image, made.size, interpolation=how), np.uint8)
    bottom, right = made.grid[0] * patch - height, made.grid[1] * patch - width
    if not (bottom or right):
        return image
    border = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REFLECT_101)
    return np.asarray(border, np.uint8)
