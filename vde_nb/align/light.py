"""Photometric normalisation: give the current picture the light of the reference.

Two steps, both estimated from small copies of the pictures and both robust to what changed:

1. one tone curve per colour channel for the whole picture, ``reference = gain * current**gamma +
   bias``: exposure, white balance, contrast;
2. one smooth gain field: shadows, vignetting, a lamp that moved. It is a robust local mean of the
   log-ratio of lightness (normalised convolution, Knutsson and Westin 1993, with Cauchy weights
   re-estimated in every pass), so a defect much smaller than its window is outvoted and stays.

A stain as wide as that window would be taken for a shadow. So the field is kept apart, and
:attr:`Light.curve` alone gives a second, global-only rendering in which no stain is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band, rows_for
from vde_nb._buffers import empty
from vde_nb._reduced import rows_of
from vde_nb.align._levels import is_large

__all__ = ["Light", "apply_light", "estimate_light"]

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_SAMPLE = 80_000  # pixels of the copies the curves are fitted on
_GRID = 96  # longer side of the gain field
_REACH = 0.11  # standard deviation of the field's window, as a share of the shorter side
_PASSES = 4
_UNEVEN = 0.012  # log ratio of light under which nothing is evened out
_GAMMAS = np.round(np.arange(0.6, 1.61, 0.05), 2)
_CAP = 500  # a level counts at most as if this many shared the picture
_SQUARES = 8  # squares across and down that vote on a curve
_HELPS = 0.3  # share of them that a more complex curve has to help
_STIFF = 4.0  # variance of levels under which the slope is not to be known
_DARK = 8.0  # added to lightness before the ratio: black tells nothing about the light
_WHITE, _BLACK = 243, 12  # beyond these a level may be a clipped one with noise on it
_ROWS = 128
_scratch = Scratch()


@dataclass(frozen=True, eq=False)
class Light:
    """How the light of the current picture differs from that of the reference.

    Attributes
    ----------
    curve
        ``(256, 3)`` uint8: level of R, G, B in the current picture -> level under the light of
        the reference; None when it is the identity within a level.
    gain
        ``(h, w)`` float32, by what the curve's result is multiplied, sampled evenly over the
        picture; None when there is no uneven light worth mending.
    """

    curve: UInt8 | None = None
    gain: Float32 | None = None

    @property
    def changed(self) -> bool:
        """Whether there is anything to mend."""
        return self.curve is not None or self.gain is not None

    @property
    def note(self) -> str:
        """What was found, in words; empty when nothing was."""
        parts = []
        if self.curve is not None:
            middle = self.curve[96:160].astype(np.float64).mean() / np.arange(96, 160).mean()
            factor = f"{middle:.2f}"
            parts.append(
                "other tones than the middle ones are matched"
                if factor == "1.00"
                else f"mid-greys are multiplied by {factor}"
            )
        if self.gain is not None:
            low, high = self.gain.min(), self.gain.max()
            parts.append(f"uneven light is evened out (\u00d7{low:.2f} to \u00d7{high:.2f})")
        return "light: " + ", ".join(parts) if parts else ""


def estimate_light(
    reference: UInt8, current: UInt8, valid: Bool | None = None, *, local: bool = True
) -> Light:
    """Estimate what brings the light of `current` to that of `reference`.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB uint8, registered.
    valid
        ``(H, W)`` bool, where `current` shows anything; None: everywhere.
    local
        Whether to look for uneven light, too.

    Returns
    -------
    Light
        To be applied by :func:`apply_light`.
    """
    height, width = reference.shape[:2]
    scale = min(1.0, (_SAMPLE / (height * width)) ** 0.5)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = [
        np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.uint8)
        for one in (reference, current)
    ]
    sure = np.ones(small[0].shape[:2], np.bool_)
    if valid is not None:
        cover = cv2.resize(_cover(valid), size, interpolation=cv2.INTER_AREA)
        sure = cover == 255
    if np.count_nonzero(sure) < 64:
        return Light()
    # Without noise, which a flat curve would be rewarded for smoothing.
    soft = [np.asarray(cv2.blur(one, (5, 5)), np.uint8)[sure] for one in small]
    squares = _squares(sure.shape)[sure]
    curve = _curve(small[0][sure], small[1][sure], (soft[0], soft[1]), squares)
    if curve is not None:
        small[1] = _look_up(small[1], curve)
    gain = _gain(small[0], small[1], sure) if local else None
    return Light(curve, gain)


def _cover(valid: Bool) -> UInt8:
    """Where `valid` is true, 255; of a large picture, reduced to a quarter."""
    if not is_large(valid.shape):
        return valid.view(np.uint8) * np.uint8(255)
    height, width = (side // 4 for side in valid.shape)
    out = np.empty((height, width), np.uint8)

    def band(first: int, end: int) -> None:
        rows = valid[4 * first : 4 * end, : 4 * width].view(np.uint8) * np.uint8(255)
        cv2.resize(rows, (width, end - first), out[first:end], interpolation=cv2.INTER_AREA)

    for_each_band(band, height, 16 * width, _ROWS // 4)
    return out


def apply_light(
    current: UInt8, light: Light, reference: UInt8 | None = None, valid: Bool | None = None
) -> UInt8:
    """Render `current` under the light of the reference.

    Parameters
    ----------
    current
        ``(H, W, 3)`` RGB uint8.
    light
        From :func:`estimate_light`.
    reference
        With it, clipped pixels take the reference's level where that lies beyond the clip.
    valid
        Pixels that are not valid are taken from the reference.

    Returns
    -------
    ndarray
        ``(H, W, 3)`` uint8; `current` itself when there is nothing to mend.
    """
    if not light.changed:
        return current
    height, width = current.shape[:2]
    out = empty(current.shape, np.uint8)

    def band(first: int, end: int) -> None:
        rows = current[first:end]
        if light.curve is not None:
            rows = _look_up(rows, light.curve)
        if light.gain is None:
            out[first:end] = rows
        else:
            gain = rows_of(light.gain, first, end, height, width)
            wide = _scratch.get("wide", (*gain.shape, 3), np.float32)
            cv2.merge((gain, gain, gain), wide)
            cv2.multiply(rows, wide, out[first:end], 1.0, cv2.CV_8U)
        if light.curve is not None and reference is not None:
            _uncensor(current[first:end], reference[first:end], light.curve, out[first:end])
        if valid is not None and reference is not None:
            np.copyto(out[first:end], reference[first:end], where=~valid[first:end, :, None])

    # Where bands begin decides how the gain is rounded: only large pictures have others.
    for_each_band(band, height, width, rows_for(width, _ROWS) if is_large(out.shape) else _ROWS)
    return out


def _uncensor(current: UInt8, reference: UInt8, curve: UInt8, out: UInt8) -> None:
    """What is clipped says "this much or more": where the reference has more, believe it.

    Only where the curve takes white or black away from the end of the scale: there, what the
    camera could not tell apart is spread over the levels between.
    """
    if curve[255].min() < _WHITE:
        high = _scratch.get("high", out.shape, np.uint8)
        cv2.threshold(current, _WHITE, 255, cv2.THRESH_BINARY, high)
        cv2.min(high, reference, high)
        cv2.max(out, high, out)
    if curve[0].max() > _BLACK:
        low = _scratch.get("low", out.shape, np.uint8)
        cv2.threshold(current, _BLACK, 255, cv2.THRESH_BINARY, low)
        cv2.max(low, reference, low)
        cv2.min(out, low, out)


def _look_up(image: UInt8, curve: UInt8) -> UInt8:
    return np.asarray(cv2.LUT(image, curve.reshape(1, 256, 3)), np.uint8)


def _curve(
    reference: UInt8,
    current: UInt8,
    soft: tuple[UInt8, UInt8],
    squares: npt.NDArray[np.int64],
) -> UInt8 | None:
    """Tone curves of the three channels, fitted to ``(n, 3)`` pairs of levels.

    The curve goes through the medians of the reference's level at every level of the current
    picture, so what changed at fewer than half of the pixels of a level has no say, and it has
    only gain, gamma and bias to do so, so that an object that changed its colour cannot bend it.
    `soft` are the pairs without noise, by which it is judged whether the curve helps, and `squares`
    the parts of the picture they lie in.
    """
    levels = np.arange(256.0)
    xs, ys, weights = [], [], []
    for channel in range(3):
        joint = np.bincount(
            current[:, channel].astype(np.int64) * 256 + reference[:, channel], minlength=65536
        ).reshape(256, 256)
        # Medians one way and the other: noise flattens the first and steepens the second.
        forth, back = _medians(joint), _medians(joint.T)
        xs.append(np.concatenate([levels, back]))
        ys.append(np.concatenate([forth, levels]))
        count = np.concatenate([joint.sum(axis=1), joint.sum(axis=0)]).astype(np.float64)
        # Rare levels count nearly as much as common ones: the curve has to fit everywhere.
        sure = np.minimum(count, len(current) / _CAP)
        for ends in (xs[-1], ys[-1]):  # clipped levels stand for anything beyond them
            sure[(ends < 1) | (ends > 254)] = 0
        weights.append(sure)
    if sum(weight.sum() for weight in weights) < 64:
        return None
    x, y, weight = np.stack(xs), np.stack(ys), np.stack(weights)  # (3, 512)
    gain, bias, cost = _lines(255 * (x / 255) ** _GAMMAS[:, None, None], y, weight)
    # Of two that fit, the straighter one.
    best = int(np.argmin(cost.sum(axis=1) * (1 + 0.1 * np.abs(np.log(_GAMMAS)))))
    power = 255 * (levels / 255) ** _GAMMAS[best]
    bent = gain[best][:, None] * power + bias[best][:, None]
    # From simple to bent, each step has to help all over the picture: an object that changed its
    # tone bends the curve, too, and is helped by it alone.
    chosen = np.stack([levels] * 3)
    apart = _apart(*soft, chosen)
    for curve in (_exposure(*soft)[:, None] * levels, bent):
        closer = _apart(*soft, curve)
        if _votes(closer - apart, squares) >= _HELPS:
            chosen, apart = curve, closer
    chosen = np.clip(chosen, 0, 255)
    if np.abs(chosen - levels)[weight[:, :256] > 0].max(initial=0) < 1.0:
        return None
    return np.ascontiguousarray(np.rint(chosen).astype(np.uint8).T)


def _squares(shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Number of the square each pixel lies in, of a grid over the picture."""
    rows, columns = (np.arange(side) * _SQUARES // side for side in shape)
    return rows[:, None] * _SQUARES + columns


def _votes(change: Float64, squares: npt.NDArray[np.int64]) -> float:
    """Share of the squares in which differences became smaller, less those where they grew."""
    count = _SQUARES**2
    smaller = np.bincount(squares[change < -0.5], minlength=count)
    larger = np.bincount(squares[change > 0.5], minlength=count)
    pixels = np.bincount(squares, minlength=count)
    enough = smaller + larger > np.maximum(2, 0.003 * pixels)
    leaning = (smaller - larger) / np.maximum(smaller + larger, 1)
    votes = np.where(enough & (np.abs(leaning) > 0.3), np.sign(leaning), 0)
    return float(votes.sum() / max(np.count_nonzero(pixels), 1))


def _exposure(reference: UInt8, current: UInt8) -> Float64:
    """Median ratio of the levels of each channel, where they tell anything."""
    known = ((current > 15) & (current < 240) & (reference > 15) & (reference < 240)).all(axis=1)
    if np.count_nonzero(known) < 64:
        return np.ones(3)
    ratio = reference[known].astype(np.float64) / current[known]
    return np.asarray(np.clip(np.median(ratio, axis=0), 0.4, 2.5))


def _apart(reference: UInt8, current: UInt8, curve: Float64) -> Float64:
    """Largest difference of the three channels once `current` went through the curves."""
    table = np.clip(curve, 0, 255)
    off = [np.abs(table[i][current[:, i]] - reference[:, i]) for i in range(3)]
    return np.asarray(np.maximum.reduce(off), np.float64)


def _medians(joint: npt.NDArray[np.int64]) -> Float64:
    """Median column of every row of counts."""
    running = joint.cumsum(axis=1)
    return np.asarray((running * 2 >= running[:, -1:]).argmax(axis=1), np.float64)


def _lines(x: Float64, y: Float64, weight: Float64) -> tuple[Float64, Float64, Float64]:
    """Robust straight lines ``y = gain * x + bias`` along the last axis, with Cauchy's cost."""

    def mean(values: Float64, by: Float64) -> Float64:
        return np.asarray((values * by).sum(axis=-1) / np.maximum(by.sum(axis=-1), 1e-9))

    gain = np.ones(np.broadcast_shapes(x.shape, y.shape)[:-1])
    bias = mean(y - x, weight)
    for _ in range(6):
        residual = y - gain[..., None] * x - bias[..., None]
        scale = np.maximum(1.0, 2 * mean(np.abs(residual), weight))[..., None]
        robust = weight / (1 + (residual / scale) ** 2)
        mx, my = mean(x, robust), mean(y, robust)
        dx = x - mx[..., None]
        # Few tones tell nothing about the slope: it stays near one.
        slope = mean(dx * (y - my[..., None]), robust) + _STIFF
        gain = np.clip(slope / (mean(dx * dx, robust) + _STIFF), 0.4, 2.5)
        bias = my - gain * mx
    residual = y - gain[..., None] * x - bias[..., None]
    return gain, bias, mean(np.log1p((residual / 4) ** 2), weight)


def _gain(reference: UInt8, current: UInt8, sure: Bool) -> Float32 | None:
    """Smooth ratio of lightness ``(h, w)`` float32, None when it is one everywhere."""
    rows, columns = sure.shape
    scale = min(1.0, _GRID / max(rows, columns))
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    trust = _area(sure.astype(np.float32), size)
    light, other = (
        _area(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float32), size) + np.float32(_DARK)
        for one in (reference, current)
    )
    ratio = np.log(light / other)
    # Clipped and nearly black cells do not tell the light.
    trust[np.maximum(light, other) > 252 + _DARK] *= np.float32(0.02)
    trust[np.maximum(light, other) < 12 + _DARK] *= np.float32(0.1)
    if trust.sum() < 4:
        return None
    reach = _REACH * min(size) + 0.6
    weight = trust
    field = np.zeros_like(ratio)
    judged = trust > 0.5 if (trust > 0.5).any() else trust > 0
    for step in range(_PASSES):
        total = np.maximum(_smooth(weight, reach), np.float32(1e-6))
        field = np.asarray(_smooth(ratio * weight, reach) / total, np.float32)
        rest = np.abs(ratio - field)
        spread = max(0.02, 1.5 * float(np.median(rest[judged])))
        cauchy = 1 / (1 + (rest / np.float32(spread)) ** 2)
        weight = np.asarray(trust * (cauchy if step == 0 else cauchy * cauchy), np.float32)
    field = np.asarray(np.clip(field, -1.0, 1.0), np.float32)
    if float(np.abs(field).max()) < _UNEVEN:
        return None
    return np.asarray(np.exp(field), np.float32)


def _area(image: Float32, size: tuple[int, int]) -> Float32:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _smooth(image: Float32, reach: float) -> Float32:
    return np.asarray(
        cv2.GaussianBlur(image, (0, 0), reach, borderType=cv2.BORDER_REFLECT), np.float32
    )
