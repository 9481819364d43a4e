"""Sub-pixel refinement of a global map, blind to defects.

Where the warped current picture is displaced by a small `u`, its difference to the reference is
``g . u`` with `g` the mean gradient of the two (efficient second-order minimisation, Benhimane &
Malis, IROS 2004). Summed over a block this is a 2 x 2 system of equations, ``A u = b``, and all
that follows is arithmetic on a grid of such systems: a translation, an affine map or a homography
is fitted to all of them at once (Lucas & Kanade, IJCAI 1981), and blocks that fit badly lose their
vote (iteratively re-weighted least squares with the weights of Geman & McClure).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ._levels import Float32, Level, Matrix, gradient
from ._measure import block_means, inside, warped
from ._warp import transform

__all__ = ["MODELS", "Equations", "corner_gap", "equations", "refine", "robust_weights", "simplest"]

#: Models by their number of parameters.
MODELS = {"none": 0, "translation": 2, "affine": 6, "homography": 8}

_RIDGE = 1e-4  # of the mean diagonal: what no block decides stays as it is
_DONE = 0.02  # pixels of the level: a smaller step ends the iteration
_OUTLIER = 3.0  # times the median cost of a block: from there on its vote is under a quarter
_CAP = 6.0  # times the median cost: a block's part in what is ordinary around it
_CORRELATED = 12.0  # pixels that share one noise value after the blur of the levels
#: Chi-squared per parameter under which a parameter is not believed. True ones reach thousands,
#: and uneven light, which is no noise, makes up to 40.
_SURE = 40.0
_ALIKE, _CLOSE = 0.06, 0.35  # full pixels: models are one; are close enough for that test


@dataclass(frozen=True, eq=False)
class Equations:
    """``A u = b`` for every block; arrays ``(rows, columns)``, means over the block's pixels.

    Attributes
    ----------
    xx, xy, yy
        The symmetric matrix A.
    bx, by
        The right-hand side b.
    error
        Mean squared difference before any displacement.
    usable
        1 where the block lies within both pictures, else 0.
    """

    xx: Float32
    xy: Float32
    yy: Float32
    bx: Float32
    by: Float32
    error: Float32
    usable: Float32

    def cost(self, u: Matrix | Float32) -> Matrix:
        """Mean squared difference after displacements `u`, ``(rows, columns, 2)``."""
        x, y = u[..., 0], u[..., 1]
        bilinear = self.xx * x * x + 2 * self.xy * x * y + self.yy * y * y
        return np.asarray(np.maximum(self.error - 2 * (self.bx * x + self.by * y) + bilinear, 0))


def equations(level: Level, matrix: Matrix, flow: Float32 | None = None) -> Equations:
    """Compare the reference with the warped current picture, block by block."""
    found = warped(level, matrix, flow)
    dx, dy = gradient(found, "slope")
    cv2.addWeighted(dx, 0.5, level.dx, 0.5, 0, dst=dx)
    cv2.addWeighted(dy, 0.5, level.dy, 0.5, 0, dst=dy)
    rest = np.subtract(level.reference, found, out=found)
    pairs = (dx, dx), (dx, dy), (dy, dy), (dx, rest), (dy, rest), (rest, rest)
    xx, xy, yy, bx, by, error = (block_means(first, second, level) for first, second in pairs)
    return Equations(xx, xy, yy, bx, by, error, inside(level, matrix).astype(np.float32))


def robust_weights(system: Equations, u: Matrix | Float32, sigma: float = 0.0) -> Matrix:
    """Votes in [0, 1]: how ordinary the cost of a block is after displacements `u`.

    With `sigma`, what is ordinary is the mean around (Gaussian, in blocks) where that is more than
    the median of the picture.
    """
    cost = system.cost(u)
    counted = (system.usable > 0) & (system.xx + system.yy > 1e-4)
    if not counted.any():
        return np.zeros_like(cost)
    typical = float(np.median(cost[counted]))
    ordinary = np.full_like(cost, typical)
    if sigma:
        local = np.where(counted, np.minimum(cost, _CAP * typical), typical)
        np.maximum(ordinary, cv2.GaussianBlur(local, (0, 0), sigma), out=ordinary)
    return np.asarray(system.usable / (1 + cost / (ordinary * _OUTLIER + 1e-6)) ** 2)


class _Plane:
    """Models over a level: displacements that are linear in their parameters."""

    def __init__(self, level: Level) -> None:
        h, w = level.reference.shape
        self.scale, self.centre = max(h, w) / 2, np.array([(w - 1) / 2, (h - 1) / 2])
        self.points = level.centres().reshape(-1, 2)
        x, y = ((self.points - self.centre) / self.scale).T
        one, zero = np.ones_like(x), np.zeros_like(x)
        #: ``(blocks, 2, 8)``: one of x and y of the displacement by one of the parameters.
        self.jacobian = np.stack(
            [
                np.stack([one, zero, x, y, zero, zero, -x * x, -x * y], -1),
                np.stack([zero, one, zero, zero, x, y, -x * y, -y * y], -1),
            ],
            1,
        )

    def solve(self, own: Matrix, right: Matrix, count: int) -> Matrix:
        """The `count` parameters that fit systems ``own u = right`` best; in pixels."""
        jacobian = self.jacobian[:, :, :count]
        weighted = own @ jacobian
        normal = np.tensordot(jacobian, weighted, ((0, 1), (0, 1)))
        side = np.tensordot(jacobian, right, ((0, 1), (0, 1)))
        trace = float(np.trace(normal))
        if trace <= 0:
            return np.zeros(count)
        ridge = _RIDGE * trace / count * np.eye(count)
        return np.asarray(np.linalg.solve(normal + ridge, side), np.float64)

    def matrix(self, parameters: Matrix) -> Matrix:
        """The map ``p -> p + displacement(p)``."""
        p = np.zeros(8)
        p[: len(parameters)] = parameters / self.scale
        own = np.array([[1 + p[2], p[3], p[0]], [p[4], 1 + p[5], p[1]], [p[6], p[7], 1.0]])
        (x, y), s = self.centre, self.scale
        unit = np.array([[1 / s, 0, -x / s], [0, 1 / s, -y / s], [0, 0, 1]])
        return np.asarray(np.linalg.inv(unit) @ own @ unit)


def _stacked(system: Equations, weights: Matrix) -> tuple[Matrix, Matrix]:
    """Weighted systems as ``(blocks, 2, 2)`` and ``(blocks, 2)``."""
    own = np.stack([system.xx, system.xy, system.xy, system.yy], -1).reshape(-1, 2, 2)
    right = np.stack([system.bx, system.by], -1).reshape(-1, 2)
    votes = weights.reshape(-1, 1)
    return own * votes[..., None], right * votes


def corner_gap(shape: tuple[int, ...], first: Matrix, second: Matrix) -> float:
    """The farthest apart two maps put a corner of a picture of `shape`."""
    x, y = shape[1] - 1.0, shape[0] - 1.0
    corners = np.array([[0, 0], [x, 0], [0, y], [x, y]])
    gap = transform(first, corners) - transform(second, corners)
    return float(np.hypot(gap[:, 0], gap[:, 1]).max())


def refine(level: Level, matrix: Matrix, model: str, rounds: int) -> Matrix:
    """Improve a map between the pictures of a level, by at most `rounds` steps."""
    count, plane, shape = MODELS[model], _Plane(level), level.reference.shape
    for _ in range(rounds if count else 0):
        system = equations(level, matrix)
        displacement, step = np.zeros((*level.grid, 2)), np.eye(3)
        for _ in range(3):
            weights = robust_weights(system, displacement)
            parameters = plane.solve(*_stacked(system, weights), count)
            displacement = (plane.jacobian[:, :, :count] @ parameters).reshape(*level.grid, 2)
        step = plane.matrix(parameters)
        improved = matrix @ step
        if not np.isfinite(improved).all() or abs(improved[2, 2]) < 1e-6:
            break
        improved = improved / improved[2, 2]
        size = corner_gap(shape, improved, matrix)
        if not size < max(shape):  # what flies off is no improvement
            break
        matrix = improved
        if size < _DONE:
            break
    return matrix


def simplest(level: Level, matrix: Matrix, most: str) -> tuple[str, Matrix]:
    """The model with the fewest parameters that explains what a refined map explains.

    A simpler model is as good when it puts no block more than 0.06 full pixels elsewhere, or, up
    to 0.35, when noise and light explain the difference of their costs (chi-squared).
    """
    system, plane = equations(level, matrix), _Plane(level)
    weights = robust_weights(system, np.zeros((*level.grid, 2)))
    own, right = _stacked(system, weights)
    # The systems are those of displacements before the map; here they are needed after it.
    points, targets = plane.points, transform(matrix, plane.points)
    columns = [transform(matrix, points + e) - transform(matrix, points - e) for e in np.eye(2) / 2]
    inverse = np.linalg.inv(np.stack(columns, -1))
    after = np.swapaxes(inverse, 1, 2) @ own @ inverse
    moved = targets - points
    side = (np.swapaxes(inverse, 1, 2) @ right[..., None])[..., 0]
    side = side + (after @ moved[..., None])[..., 0]
    noise = float((weights * system.error).sum()) / max(float(weights.sum()), 1e-9)
    pixels = level.block**2 / _CORRELATED
    counted = weights.reshape(-1) > 0.05
    for model, count in MODELS.items():
        if count >= MODELS[most] or not counted.any():
            break
        found = plane.matrix(plane.solve(after, side, count)) if count else np.eye(3)
        gap = transform(found, points) - targets
        cost = float(np.einsum("ni,nij,nj", gap, after, gap)) * pixels / max(noise, 1e-9)
        farthest = float(np.hypot(*gap[counted].T).max()) * level.factor
        if farthest < _ALIKE or (cost < _SURE * (MODELS[most] - count) and farthest < _CLOSE):
            return model, found
    return most, matrix
