"""Made-up defects: faint ones of several kinds, to ask of a model whether it would see them.

Normal pictures alone say how seldom a model is wrong, not what it finds. These defects are drawn
into normal pictures to compare one kind of model with another; nothing is learnt from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.normality.base import Bool, Float32, UInt8

__all__ = ["with_defects"]

_COUNT = 6  # per picture
_TRIES = 60
_LEVELS = 24.0  # grey levels by which a stroke or a stain differs

Rng = np.random.Generator
Draw = Callable[[UInt8, int, Rng], "tuple[Float32, Float32]"]


def with_defects(
    image: UInt8, valid: Bool | None, rng: Rng
) -> tuple[UInt8, list[npt.NDArray[np.bool_]]]:
    """A picture with faint defects in it, and the mask of each.

    Parameters
    ----------
    image
        ``(H, W, 3)`` RGB uint8.
    valid
        Where it shows anything; None: everywhere.
    rng
        Decides where and what.

    Returns
    -------
    picture, masks
        Of the same size; ``(H, W)`` bool each.
    """
    height, width = image.shape[:2]
    out = image.copy()
    masks: list[npt.NDArray[np.bool_]] = []
    taken = np.zeros((height, width), np.bool_) if valid is None else ~valid
    side = int(np.clip(round(min(height, width) / 24), 12, 40))
    half = side // 2
    if min(height, width) < 3 * side:
        return out, masks
    for number in range(_COUNT):
        draw = _KINDS[number % len(_KINDS)]
        for _ in range(_TRIES):
            y, x = (int(rng.integers(half, end - side - half)) for end in (height, width))
            if not taken[y - half : y + side + half, x - half : x + side + half].any():
                break
        else:
            continue
        part = out[y : y + side, x : x + side]
        levels, alpha = draw(image, side, rng) if draw is _elsewhere else draw(part, side, rng)
        blend = part + alpha[..., None] * (levels - part)
        new = np.rint(np.clip(blend, 0, 255)).astype(np.uint8)
        mask = np.zeros((height, width), np.bool_)
        mask[y : y + side, x : x + side] = (alpha > 0.3) & (
            np.abs(new.astype(np.int16) - part).max(axis=2) > 4
        )
        taken[y : y + side, x : x + side] = True
        if np.count_nonzero(mask) < 12:
            continue  # it cannot be seen here
        out[y : y + side, x : x + side] = new
        masks.append(mask)
    return out, masks


def _disc(side: int) -> Float32:
    """Soft disc, 0 to 1."""
    steps = np.linspace(-1, 1, side, dtype=np.float32)
    radius = np.hypot(steps[:, None], steps[None, :])
    return np.asarray(np.clip((0.9 - radius) * 4, 0, 1), np.float32)


def _shifted(part: UInt8, by: float | npt.NDArray[np.floating[Any]]) -> Float32:
    return np.asarray(part + np.asarray(by, np.float32), np.float32)


def _stroke(part: UInt8, side: int, rng: Rng) -> tuple[Float32, Float32]:
    """A thin line."""
    alpha = np.zeros((side, side), np.uint8)
    ends = rng.integers(0, side, 2)
    start, stop = (0, int(ends[0])), (side - 1, int(ends[1]))
    cv2.line(alpha, start, stop, 255, 1, cv2.LINE_AA)
    if rng.random() < 0.5:
        alpha = alpha.T
    sign = 1 if part.mean() < 128 else -1
    return _shifted(part, sign * _LEVELS), np.asarray(alpha / 255, np.float32)


def _stain(part: UInt8, side: int, rng: Rng) -> tuple[Float32, Float32]:
    """A soft spot of another lightness."""
    sign = 1 if part.mean() < 128 else -1
    return _shifted(part, sign * _LEVELS / 1.5), _disc(side)


def _tint(part: UInt8, side: int, rng: Rng) -> tuple[Float32, Float32]:
    """A soft spot of another colour."""
    colour = np.array([1.0, -0.5, -0.5], np.float32)
    return _shifted(part, _LEVELS * rng.permutation(colour)), _disc(side)


def _smear(part: UInt8, side: int, rng: Rng) -> tuple[Float32, Float32]:
    """Texture wiped away."""
    return np.asarray(cv2.GaussianBlur(part, (0, 0), 3.0), np.float32), _disc(side)


def _turned(part: UInt8, side: int, rng: Rng) -> tuple[Float32, Float32]:
    """The same, turned by a right angle."""
    return np.rot90(part).astype(np.float32), _disc(side)


def _elsewhere(image: UInt8, side: int, rng: Rng) -> tuple[Float32, Float32]:
    """What belongs in another place (as in CutPaste, Li et al., CVPR 2021)."""
    y, x = (int(rng.integers(0, end - side)) for end in image.shape[:2])
    return image[y : y + side, x : x + side].astype(np.float32), _disc(side)


_KINDS: tuple[Draw, ...] = (_stroke, _stain, _elsewhere, _smear, _tint, _turned)
