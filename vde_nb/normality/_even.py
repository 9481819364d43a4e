"""What levelling leaves of a shadow: a second, finer look at how the light differs.

Levelling two pictures must not take a stain for a shadow, so its field of gain is as wide as a
ninth of the picture. What remains of a deep shadow are a few per cent of light, which is nothing
beside a second picture, but more than normal pictures vary. Here a field three times as fine mends
that and no more: its gain is limited, and what differs clearly is outvoted. A curve of tones that
was bent by the shadow is straightened in the same way before, by a few grey levels at most.
"""

from __future__ import annotations

import cv2
import numpy as np

from vde_nb.align import apply_light
from vde_nb.align.light import Light
from vde_nb.normality.base import Bool, Float32, UInt8

__all__ = ["evened"]

_CELL = 8  # pixels to a cell
_REACH, _NARROWEST = 0.035, 2.0  # standard deviation: of the shorter side, at least so many cells
_MOST = 0.12  # log ratio of light that is mended at most
_LITTLE = 0.003  # log ratio under which nothing is
_DARK = 6.0  # levels added before the ratio: black tells nothing about the light
_PASSES = 3
_SAMPLE, _TONES = 60_000, 12  # pixels the tone curve is measured on, in so many parts
_BEND = 6.0  # grey levels by which a tone is corrected at most


def evened(levelled: UInt8, reference: UInt8, valid: Bool | None) -> UInt8:
    """A levelled picture without the rest of a shadow.

    Parameters
    ----------
    levelled, reference
        ``(H, W, 3)`` RGB uint8, registered and levelled already.
    valid
        Where `levelled` shows anything; None: everywhere.

    Returns
    -------
    ndarray
        ``(H, W, 3)`` uint8; `levelled` itself where there is nothing to mend.
    """
    height, width = levelled.shape[:2]
    size = max(1, width // _CELL), max(1, height // _CELL)
    if min(size) < 8:
        return levelled
    curve = _curve(levelled, reference, valid)
    if curve is not None:
        levelled = apply_light(levelled, Light(curve, None), reference, valid)
    light, other = (_lightness(one, size) for one in (reference, levelled))
    ratio = np.log(light / other)
    trust = np.ones_like(ratio)
    if valid is not None:
        cover = cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        trust = np.asarray(cover > 0.99, np.float32)
    trust[np.maximum(light, other) > 250 + _DARK] = 0.02  # clipped
    trust[np.maximum(light, other) < 10 + _DARK] *= np.float32(0.1)
    judged = trust > 0.5
    if np.count_nonzero(judged) < 64:
        return levelled
    reach = max(_REACH * min(size), _NARROWEST)
    weight, field = trust, np.zeros_like(ratio)
    for _ in range(_PASSES):
        total = np.maximum(_smooth(weight, reach), np.float32(1e-4))
        field = np.asarray(_smooth(ratio * weight, reach) / total, np.float32)
        rest = np.abs(ratio - field)
        spread = np.float32(max(0.015, 2 * float(np.median(rest[judged]))))
        weight = np.asarray(trust / (1 + (rest / spread) ** 2) ** 2, np.float32)
    field = np.clip(field, np.float32(-_MOST), np.float32(_MOST))
    if float(np.abs(field).max()) < _LITTLE:
        return levelled
    return apply_light(levelled, Light(None, np.exp(field)), reference, valid)


def _curve(levelled: UInt8, reference: UInt8, valid: Bool | None) -> UInt8 | None:
    """Levels of each channel -> the median level the reference has there, near the old ones."""
    step = max(1, round((levelled.shape[0] * levelled.shape[1] / _SAMPLE) ** 0.5))
    # Without noise, which would pull every level towards the common ones.
    now, then = (cv2.blur(one, (5, 5))[::step, ::step] for one in (levelled, reference))
    if valid is None:
        now, then = now.reshape(-1, 3), then.reshape(-1, 3)
    else:
        now, then = now[valid[::step, ::step]], then[valid[::step, ::step]]
    if len(now) < 64 * _TONES:
        return None
    levels = np.arange(256, dtype=np.float64)
    table = np.empty((256, 3))
    for channel in range(3):
        one = now[:, channel]
        off = then[:, channel].astype(np.int16) - one
        at, by = [], []
        for part in np.array_split(np.argsort(one, kind="stable"), _TONES):
            at.append(float(np.mean(one[part])))
            by.append(float(np.mean(np.sort(off[part])[len(part) // 4 : -(len(part) // 4)])))
        limited = np.clip(by, -_BEND, _BEND)
        table[:, channel] = levels + np.interp(levels, at, limited)
    if np.abs(table - levels[:, None]).max() < 0.6:
        return None
    straight = np.clip(np.maximum.accumulate(table, axis=0), 0, 255)
    return np.asarray(np.rint(straight), np.uint8)


def _lightness(image: UInt8, size: tuple[int, int]) -> Float32:
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey + np.float32(_DARK)


def _smooth(image: Float32, reach: float) -> Float32:
    return np.asarray(
        cv2.GaussianBlur(image, (0, 0), reach, borderType=cv2.BORDER_REFLECT), np.float32
    )
