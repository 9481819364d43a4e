"""A picture to put defects into: where there is room, and outlines to put there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ._noise import Array
from ._paint import Stamp

__all__ = ["Edit", "Plate", "blob", "even", "grey", "mixed", "places", "soften", "strokes"]

_FINE = 4  # outlines are drawn at this many times the size, so that every edge is anti-aliased
_EDGE = 12  # defects keep this distance from the border: a shifted camera still sees them


@dataclass(frozen=True, eq=False)
class Plate:
    """A picture, and where the next defect may lie.

    Attributes
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB, with the defects there are already.
    room : ndarray of bool, shape (H, W)
        True where nothing has been changed yet, away from the border.
    rng : Generator
        Source of every choice.
    colour : bool
        False if red, green and blue are the same everywhere.
    """

    picture: npt.NDArray[np.uint8]
    room: npt.NDArray[np.bool_]
    rng: np.random.Generator
    colour: bool

    @classmethod
    def of(cls, picture: npt.NDArray[np.uint8], rng: np.random.Generator) -> Plate:
        """Make a plate of an untouched picture."""
        room = np.zeros(picture.shape[:2], np.bool_)
        room[_EDGE:-_EDGE, _EDGE:-_EDGE] = True
        return cls(picture, room, rng, not grey(picture))

    @property
    def side(self) -> int:
        """Shorter side in pixels."""
        return int(min(self.room.shape))

    @property
    def part(self) -> tuple[float, float]:
        """Smallest and largest diameter of a part of what is shown, in pixels."""
        return max(0.035 * self.side, 11.0), max(0.11 * self.side, 20.0)

    def free(self, stamp: Stamp) -> bool:
        """Tell whether a stamp lies inside of the picture on nothing but free pixels."""
        rows, columns = stamp.window
        height, width = self.room.shape
        if rows.start < 0 or columns.start < 0 or rows.stop > height or columns.stop > width:
            return False
        return bool(self.room[stamp.window][stamp.alpha > 0.05].all())

    def under(self, stamp: Stamp) -> Array:
        """Return the pixels under a stamp as float32, shape (rows, columns, 3)."""
        return np.asarray(self.picture[stamp.window], np.float32)


@dataclass(frozen=True, eq=False)
class Edit:
    """What a defect does to a picture.

    Attributes
    ----------
    stamp : Stamp
        Area of the edit in the picture: it changes nothing outside of it.
    pixels : ndarray of float32, shape (rows, columns, 3)
        New pixels under the stamp, 0 to 255, mixed already with the old ones.
    least : float
        Mean change in grey levels that makes this kind of defect visible.
    closing : int
        Gaps of this many pixels in the changed area belong to the defect.
    solid : bool
        Whether unchanged pixels enclosed by changed ones belong to the defect.
    shown : Stamp, optional
        Outline of what a person would call the defect, if that is less than all of the stamp:
        ground that was replaced by ground around a thing that is gone is no part of the defect.
    """

    stamp: Stamp
    pixels: Array
    least: float = 12.0
    closing: int = 3
    solid: bool = True
    shown: Stamp | None = None


def soften(field: Array, sigma: float, sigma_y: float = 0.0) -> Array:
    """Blur by a Gaussian of `sigma` pixels (along y: `sigma_y`), mirrored at the border."""
    soft = cv2.GaussianBlur(field, (0, 0), sigma, sigmaY=sigma_y, borderType=cv2.BORDER_REFLECT)
    return np.asarray(soft, np.float32)


def grey(picture: npt.NDArray[np.uint8]) -> bool:
    """Tell whether red, green and blue are the same everywhere."""
    red, green, blue = (picture[..., channel] for channel in range(3))
    return bool((red == green).all() and (green == blue).all())


def blob(
    rng: np.random.Generator,
    width: float,
    height: float,
    ragged: float = 0.35,
    soft: float = 0.5,
) -> Array:
    """Draw an irregular closed outline.

    Parameters
    ----------
    rng : Generator
        Source of its form and direction.
    width, height : float
        Its diameters in pixels before it is turned.
    ragged : float
        How far it is from an ellipse, 0 to 1.
    soft : float
        Standard deviation of its edge in pixels.

    Returns
    -------
    ndarray of float32
        Coverage, 0 to 1, just large enough to hold it.
    """
    turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    radius = np.ones_like(turn)
    for k in range(2, 8):
        radius += ragged / k * rng.normal(0, 0.8) * np.cos(k * turn + rng.uniform(0, 2 * np.pi))
    radius = np.clip(radius, 0.45, 1.6)
    x, y = radius * np.cos(turn) * width / 2, radius * np.sin(turn) * height / 2
    lean = rng.uniform(0, np.pi)
    points = np.stack(
        [x * np.cos(lean) - y * np.sin(lean), x * np.sin(lean) + y * np.cos(lean)], axis=1
    )
    pad = 2 + math.ceil(3 * soft)
    points += pad - points.min(axis=0)
    columns, rows = np.ceil(points.max(axis=0)).astype(int) + pad
    large = np.zeros((rows * _FINE, columns * _FINE), np.uint8)
    cv2.fillPoly(large, [np.rint(points * _FINE).astype(np.int32)], (255,))
    alpha = cv2.resize(large, (int(columns), int(rows)), interpolation=cv2.INTER_AREA)
    if soft:
        return soften(alpha.astype(np.float32) / 255, soft)
    return np.asarray(alpha / np.float32(255), np.float32)


def strokes(lines: Sequence[tuple[Array, Array]]) -> Array:
    """Draw thin lines whose width and darkness vary.

    Parameters
    ----------
    lines : sequence of (points, widths)
        Points ``(x, y)`` of shape (n, 2) and the widths there of shape (n,), in pixels.

    Returns
    -------
    ndarray of float32
        Coverage, 0 to 1, just large enough to hold them.
    """
    pad = 4
    corner = np.min([points.min(axis=0) for points, _ in lines], axis=0) - pad
    far = np.max([points.max(axis=0) for points, _ in lines], axis=0) + pad
    columns, rows = np.ceil(far - corner).astype(int)
    large = np.zeros((rows * _FINE, columns * _FINE), np.uint8)
    for points, widths in lines:
        fine = np.rint((points - corner) * _FINE).astype(int)
        for a, b, width in zip(fine[:-1], fine[1:], widths[:-1], strict=True):
            cv2.line(large, a.tolist(), b.tolist(), (255,), max(round(float(width) * _FINE), 1))
    alpha = cv2.resize(large, (int(columns), int(rows)), interpolation=cv2.INTER_AREA)
    return soften(alpha.astype(np.float32) / 255, 0.45)


def places(
    plate: Plate, alpha: Array, prefer: Callable[[Array, Array], float], tries: int = 48
) -> Iterator[Stamp]:
    """Yield places for an outline, the most suitable ones first.

    Parameters
    ----------
    plate : Plate
        Where to look.
    alpha : ndarray of float32
        Coverage of the outline.
    prefer : callable
        ``prefer(pixels, alpha)`` rates the float32 pixels under it; negative is out of the
        question.
    tries : int
        Random places to look at.
    """
    height, width = plate.room.shape
    rows, columns = alpha.shape
    if rows >= height or columns >= width:
        return
    rated = []
    for _ in range(tries):
        top = int(plate.rng.integers(0, height - rows))
        left = int(plate.rng.integers(0, width - columns))
        stamp = Stamp(top, left, alpha)
        if plate.free(stamp) and (rate := prefer(plate.under(stamp), alpha)) >= 0:
            rated.append((rate, stamp))
    # Not always the very best one: that would be the same few pixels in every seed.
    rated.sort(key=lambda one: -one[0])
    better = rated[: max(len(rated) // 3, 1)]
    for i in plate.rng.permutation(len(better)):
        yield better[i][1]
    for _, stamp in rated[len(better) :]:
        yield stamp


def even(pixels: Array, alpha: Array) -> float:
    """Prefer even places; for `places`."""
    return 1 / (1 + float(pixels[alpha > 0.1].std(axis=0).mean()))


def mixed(old: Array, new: Array, alpha: Array) -> Array:
    """Lay new pixels over old ones."""
    return np.asarray(old + alpha[..., None] * (np.clip(new, 0, 255) - old), np.float32)
