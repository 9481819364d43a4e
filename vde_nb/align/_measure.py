"""How alike two pictures are, whatever the light: agreement of their gradients."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ._levels import Bools, Float32, Level, Matrix, gradient, scratch
from ._warp import NO_MAP, sources, transform

__all__ = ["Agreement", "agreement", "block_means", "inside", "warped"]

_NOISE = 0.01  # squared slope of a normalised picture: what noise makes of nothing
_TEXTURE = 0.02  # squared slope from which on a block counts half
_POOL = 16  # pixels: in less, chance alone makes slopes agree


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well a map makes the current picture agree with the reference.

    Attributes
    ----------
    blocks
        Normalised correlation of the two gradient fields in every block, ``(rows, columns)``
        float32 in [0, 1].
    weights
        How much structure there is to agree on, float32, 0 to 1; 0 where the map leaves the
        picture.
    score
        Weighted mean of `blocks`, 0 to 1; 0 where there is nothing to agree on.
    """

    blocks: Float32
    weights: Float32

    @property
    def score(self) -> float:
        return self.where(self.weights)

    def where(self, weights: Float32) -> float:
        """The score with other weights."""
        total = float(weights.sum())
        return float((self.blocks * weights).sum()) / total if total > 0 else 0.0


def block_means(first: Float32, second: Float32, level: Level) -> Float32:
    """Mean of the product of two pictures over every block, ``(rows, columns)``."""
    rows, columns = level.grid
    product = cv2.multiply(first, second, dst=scratch.get("product", first.shape, np.float32))
    return np.asarray(cv2.resize(product, (columns, rows), interpolation=cv2.INTER_AREA))


def inside(level: Level, matrix: Matrix) -> Bools:
    """Blocks that a map between pictures of this level leaves within the real current picture."""
    h, w = level.reference.shape
    x = np.arange(0, w + 1, level.block) - 0.5
    y = np.arange(0, h + 1, level.block) - 0.5
    corners = np.dstack(np.meshgrid(x, y))
    left, top, right, bottom = level.valid
    mapped = transform(matrix, corners)
    low, high = np.array([left, top]) - 0.51, np.array([right, bottom]) + 0.51
    good = ((mapped >= low) & (mapped <= high)).all(axis=2)
    # Behind the vanishing line a homography turns the picture inside out.
    good &= corners @ matrix[2, :2] + matrix[2, 2] > 0.1
    return np.asarray(good[1:, 1:] & good[1:, :-1] & good[:-1, 1:] & good[:-1, :-1])


def warped(level: Level, matrix: Matrix, flow: Float32 | None = None) -> Float32:
    """The current picture on the reference's grid: ``current(matrix(p + flow(p)))``.

    `matrix` maps between pictures of this level, `flow` is in its pixels, one vector per block.
    The result is a scratch array: it lasts until the next call.
    """
    h, w = level.reference.shape
    result = scratch.get("warped", (h, w), np.float32)
    mode, edge = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    if flow is None:
        how = mode | cv2.WARP_INVERSE_MAP
        cv2.warpPerspective(level.current, matrix, (w, h), result, how, edge)
    else:
        place = sources(matrix, flow, level.block, 0, h, w)
        cv2.remap(level.current, place, NO_MAP, mode, result, edge)
    return result


def agreement(level: Level, matrix: Matrix, flow: Float32 | None = None) -> Agreement:
    """Correlate the gradients of the reference with those of the warped current picture.

    The correlation of a block is ``<g, g'> / sqrt((|g|^2 + n) (|g'|^2 + n))``, means over its
    pixels, cut at 0, where the noise `n` keeps blocks without structure from agreeing by chance.
    Blocks weigh ``t / (t + 0.02)`` with `t` the stronger of the two mean squared slopes. Both
    pictures are of one local mean and contrast, so gain, offset and shadows make no difference.
    """
    dx, dy = gradient(warped(level, matrix, flow), "slope")
    both = block_means(level.dx, dx, level) + block_means(level.dy, dy, level)
    own = block_means(level.dx, level.dx, level) + block_means(level.dy, level.dy, level)
    other = block_means(dx, dx, level) + block_means(dy, dy, level)
    if level.block < _POOL:
        pool = min(_POOL // level.block + 1, *level.grid)
        both, own, other = (
            np.asarray(cv2.blur(mean, (pool, pool)), np.float32) for mean in (both, own, other)
        )
    blocks = np.maximum(both / np.sqrt((own + _NOISE) * (other + _NOISE)), 0)
    strongest = np.maximum(own, other)
    weights = strongest / (strongest + _TEXTURE) * inside(level, matrix)
    return Agreement(blocks.astype(np.float32), weights.astype(np.float32))
