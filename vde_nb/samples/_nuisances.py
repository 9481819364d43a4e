"""What comes between camera and picture without anything having changed: one function each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ._noise import Array
from ._plate import grey, soften

__all__ = ["LIMITS", "Amounts", "disturb", "scaled", "usual"]

#: What was decided for one picture: each nuisance by name, ``shift`` as ``(dx, dy)``.
Amounts: TypeAlias = Mapping[str, Any]

#: Least and largest value of each nuisance, and the value at which it does nothing.
LIMITS: dict[str, tuple[float, float, float]] = {
    "shift": (-32.0, 32.0, 0.0),
    "rotation": (-10.0, 10.0, 0.0),
    "warp": (0.0, 8.0, 0.0),
    "blur": (0.0, 8.0, 0.0),
    "shadow": (0.0, 0.9, 0.0),
    "gamma": (0.25, 4.0, 1.0),
    "gain": (0.25, 4.0, 1.0),
    "bias": (-100.0, 100.0, 0.0),
    "noise": (0.0, 64.0, 0.0),
    "jpeg": (1.0, 100.0, 100.0),
}
_WAVE = 150.0  # shortest wavelength of the warp in pixels: smoother than any defect


def usual(rng: np.random.Generator) -> dict[str, Any]:
    """Draw the usual mix of a fixed camera that was touched, under another light."""
    amounts: dict[str, Any] = {"shift": tuple(rng.uniform(-3, 3, 2).tolist())}
    if rng.random() < 0.5:
        amounts["gamma"] = float(math.exp(rng.uniform(math.log(0.8), math.log(1.25))))
    else:
        amounts["gain"] = float(rng.uniform(0.85, 1.15))
    amounts["noise"] = float(rng.uniform(2, 5))
    amounts["jpeg"] = int(rng.integers(60, 93))
    # Drawn whether they are used or not, so that each draw stands at the same place.
    for name, low, high in (
        ("shadow", 0.1, 0.3),
        ("rotation", -0.7, 0.7),
        ("warp", 0.5, 1.5),
        ("blur", 0.3, 0.8),
    ):
        value, taken = float(rng.uniform(low, high)), rng.random() < 1 / 3
        if taken:
            amounts[name] = value
    return amounts


def scaled(amounts: Amounts, strength: float) -> dict[str, Any]:
    """Multiply how far every nuisance is from doing nothing; ratios as powers."""
    out: dict[str, Any] = {}
    for name, value in amounts.items():
        low, high, none = LIMITS[name]
        if name == "shift":
            out[name] = tuple(min(max(step * strength, low), high) for step in value)
        elif name in ("gamma", "gain"):
            out[name] = min(max(value**strength, low), high)
        else:
            out[name] = min(max(none + (value - none) * strength, low), high)
    return out


def disturb(
    picture: npt.NDArray[np.uint8], amounts: Amounts, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Photograph a picture again.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    amounts : mapping
        See `LIMITS`. Content moves right and down by `shift` pixels and turns clockwise by
        `rotation` degrees; `warp` is the largest displacement in pixels; `shadow` the share of the
        light that is taken away at its darkest; `noise` and `blur` standard deviations in grey
        levels and pixels; `jpeg` the quality.
    rng : Generator
        Source of noise, warp and the place of the shadow.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        What comes in at the border is the picture mirrored at it.
    """
    levels: Array = _moved(np.asarray(picture, np.float32), amounts, rng)
    if amounts.get("blur"):
        levels = soften(levels, amounts["blur"])
    if amounts.get("shadow"):
        levels *= _shadow(levels.shape[:2], amounts["shadow"], rng)[..., None]
    if amounts.get("gamma", 1.0) != 1.0:
        levels = np.float32(255) * (np.clip(levels, 0, 255) / 255) ** np.float32(amounts["gamma"])
    levels = levels * np.float32(amounts.get("gain", 1.0)) + np.float32(amounts.get("bias", 0.0))
    if amounts.get("noise"):
        levels += _grain(picture, amounts["noise"], rng)
    out = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    if amounts.get("jpeg", 100) < 100:
        out = _jpeg(out, round(amounts["jpeg"]))
    return out


def _moved(levels: Array, amounts: Amounts, rng: np.random.Generator) -> Array:
    """Shift, turn and warp in one interpolation."""
    (dx, dy), turn = amounts.get("shift", (0.0, 0.0)), math.radians(amounts.get("rotation", 0.0))
    warp = amounts.get("warp", 0.0)
    if not (dx or dy or turn or warp):
        return levels
    height, width = levels.shape[:2]
    x = np.arange(width, dtype=np.float32)[None, :] - np.float32((width - 1) / 2 + dx)
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32((height - 1) / 2 + dy)
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    # Where in the old picture each new pixel comes from: the turn backwards.
    from_x = cos * x + sin * y + np.float32((width - 1) / 2)
    from_y = -sin * x + cos * y + np.float32((height - 1) / 2)
    if warp:
        from_x += _swell(levels.shape[:2], rng) * np.float32(warp / math.sqrt(2))
        from_y += _swell(levels.shape[:2], rng) * np.float32(warp / math.sqrt(2))
    return np.asarray(
        cv2.remap(levels, from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT),
        np.float32,
    )


def _swell(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return a sum of a few long plane waves, between -1 and 1, zero on average."""
    y = np.arange(shape[0], dtype=np.float32)[:, None]
    x = np.arange(shape[1], dtype=np.float32)[None, :]
    field = np.zeros(shape, np.float32)
    for _ in range(4):
        length = rng.uniform(_WAVE, max(2 * _WAVE, max(shape)))
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        step = 2 * np.pi / length
        field += np.sin(
            np.float32(step * math.cos(angle)) * x
            + np.float32(step * math.sin(angle)) * y
            + np.float32(phase)
        )
    field -= field.mean()  # a mean displacement would be a shift
    return np.asarray(field / max(float(np.abs(field).max()), 1e-6), np.float32)


def _shadow(shape: tuple[int, int], depth: float, rng: np.random.Generator) -> Array:
    """Return the light that is left under a wide, soft shadow, 1 - `depth` to 1."""
    height, width = shape
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(height / width)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    angle, where = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
    across = np.float32(math.cos(angle)) * x + np.float32(math.sin(angle)) * y
    edge = 1 / (1 + np.exp((across - np.float32(where)) * np.float32(rng.uniform(4, 8))))
    return np.asarray(1 - np.float32(depth) * edge, np.float32)


def _grain(picture: npt.NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> Array:
    """Return sensor noise: in colour only where the camera sees colour."""
    shape = (*picture.shape[:2], 1 if grey(picture) else 3)
    return np.asarray(np.float32(sigma) * rng.standard_normal(shape, np.float32))


def _jpeg(picture: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    """Compress and open again."""
    ok, packed = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    assert ok
    opened = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert opened is not None
    return np.asarray(cv2.cvtColor(opened, cv2.COLOR_BGR2RGB), np.uint8)
