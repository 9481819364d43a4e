"""Pieces of a picture too large to be sent whole, at the size they are looked at."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._png import png

__all__ = ["SIZE", "tile", "tile_pixels"]

#: Side of a tile in its own pixels.
SIZE = 512


def tile(picture: npt.NDArray[np.uint8], level: int, x: int, y: int, size: int = SIZE) -> bytes:
    """One tile of a picture as a PNG file; see :func:`tile_pixels`."""
    return png(tile_pixels(picture, level, x, y, size))


def tile_pixels(
    picture: npt.NDArray[np.uint8], level: int, x: int, y: int, size: int = SIZE
) -> npt.NDArray[np.uint8]:
    """Cut a tile out of a picture.

    Parameters
    ----------
    picture
        ``(H, W, 3)`` uint8 RGB, or ``(H, W)`` uint8.
    level
        Pixels of the picture per pixel of the tile, along each side; their mean is taken. Blocks
        that jut out of the picture are filled up with its last row and column.
    x, y
        Which tile, counted from the top left in tiles of this level.
    size
        Side of a tile, in its own pixels; at the right and bottom edge it may be less.

    Returns
    -------
    ndarray
        uint8 of `picture`'s kind: the picture's pixels themselves at level 1.

    Raises
    ------
    ValueError
        `level` is not positive, or there is no such tile.

    Examples
    --------
    >>> picture = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8)
    >>> tile_pixels(picture, 1, 1, 0, size=4)[0]
    array([4, 5, 6, 7], dtype=uint8)
    >>> tile_pixels(picture, 2, 0, 0, size=4).shape
    (3, 4)
    """
    height, width = picture.shape[:2]
    if level < 1 or size < 1:
        raise ValueError(f"level={level}, size={size}: both must be 1 or more.")
    span = size * level
    top, left = y * span, x * span
    if not (0 <= top < height and 0 <= left < width):
        raise ValueError(
            f"There is no tile ({x}, {y}) at level {level} of {width} \u00d7 {height} px."
        )
    piece = picture[top : top + span, left : left + span]
    if level == 1:
        return piece
    below, right = -piece.shape[0] % level, -piece.shape[1] % level
    if below or right:
        piece = cv2.copyMakeBorder(  # type: ignore[assignment]
            piece, 0, below, 0, right, cv2.BORDER_REPLICATE
        )
    small = piece.shape[1] // level, piece.shape[0] // level
    return np.asarray(cv2.resize(piece, small, interpolation=cv2.INTER_AREA), np.uint8)
