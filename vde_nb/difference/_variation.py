"""By how much a pixel exceeds what may differ at its place.

A variation model, as in the template inspection of industrial vision systems (a grey value is
flagged outside ``mean +- max(abs, var * deviation)``), estimated from the pair itself.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band
from vde_nb._buffers import empty
from vde_nb._reduced import rows_of, small

__all__ = ["FIXED", "OPPONENT", "Planes", "envelope", "excess", "noise_of", "opponent", "square"]

UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]
Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Planes = list[UInt8]

#: RGB -> lightness, red-green, yellow-blue; the last two around 128.
OPPONENT = np.array(
    [[0.299, 0.587, 0.114, 0], [0.6, -0.6, 0, 128], [0.25, 0.25, -0.5, 128]], np.float32
)
_BLUR = 0.7  # pixels; takes the edge off noise and JPEG blocks
_GRADIENT = 0.15  # grey levels a pixel may vary per grey level of gradient
_AROUND = 81  # pixels over which the surrounding is judged
FIXED = 64  # evidence is kept as integers, this many to one
_LARGEST = 8191  # eight of them fit 16 bits
_ROWS = 128
_scratch = Scratch()


def opponent(image: UInt8) -> Planes:
    """Lightness and the two opponent colours, slightly blurred; each ``(H, W)`` uint8."""
    height, width = image.shape[:2]
    planes = [empty((height, width), np.uint8) for _ in range(3)]

    def band(first: int, end: int) -> None:
        top, bottom = max(0, first - 2), min(height, end + 2)
        rows = image[top:bottom]
        colours = _scratch.get("colours", rows.shape, np.uint8)
        soft = _scratch.get("soft", rows.shape, np.uint8)
        cv2.transform(rows, OPPONENT, colours)
        cv2.GaussianBlur(colours, (5, 5), _BLUR, soft, borderType=cv2.BORDER_REFLECT_101)
        for channel, plane in enumerate(planes):
            cv2.extractChannel(soft[first - top : end - top], channel, plane[first:end])

    for_each_band(band, height, width, _ROWS)
    return planes


def noise_of(reference: Planes, current: Planes, valid: Bool | None) -> list[float]:
    """Standard deviation of what differs everywhere, per plane, in grey levels."""
    found = []
    sure = None if valid is None else valid[::3, ::3]
    for one, two in zip(reference, current, strict=True):
        off = cv2.absdiff(np.ascontiguousarray(one[::3, ::3]), np.ascontiguousarray(two[::3, ::3]))
        count = np.bincount(off[sure] if sure is not None else off.ravel(), minlength=256)
        running = count.cumsum()
        half = running[-1] / 2
        level = int(np.searchsorted(running, half))
        # Within the level of the median: whole levels alone would make the scale jump.
        before = running[level] - count[level]
        median = max(0.0, level - 0.5 + (half - before) / max(int(count[level]), 1))
        # Where most of the picture has changed, that is no noise: pictures have their own.
        own = max(_grain(one), _grain(two))
        found.append(float(min(1.4826 * median, 3 * own + 2)))
    return found


def _grain(plane: UInt8) -> float:
    """Standard deviation of a picture's finest detail, noise or not, in grey levels."""
    sample = np.ascontiguousarray(plane[::3]).astype(np.int16)
    if sample.shape[1] < 3:
        return 0.0
    # Second differences along rows: of white noise they have six times the variance.
    return float(np.mean(np.abs(np.diff(sample[:, ::1], n=2, axis=1)))) * 1.2533 / 6**0.5


def square(radius: int) -> UInt8:
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def envelope(known: list[UInt8], now: UInt8, radius: int) -> UInt8:
    """Distance to the levels there are nearby in the other picture, the larger of both ways.

    Of several pictures of the reference, all together make the envelope of the current one, and
    the one that fits best is held to its.
    """
    window = square(radius)
    lows, highs = ([how(one, window) for one in known] for how in (cv2.erode, cv2.dilate))
    low, high = lows[0], highs[0]
    for one, two in zip(lows[1:], highs[1:], strict=True):
        low, high = cv2.min(low, one), cv2.max(high, two)
    off = cv2.max(cv2.subtract(now, high), cv2.subtract(low, now))
    cv2.erode(now, window, low)
    cv2.dilate(now, window, high)
    back = None
    for one in known:
        beyond = cv2.max(cv2.subtract(one, high), cv2.subtract(low, one))
        back = beyond if back is None else cv2.min(back, beyond)
    assert back is not None
    return np.asarray(cv2.max(off, back, off), np.uint8)


def excess(
    references: list[Planes], current: Planes, noise: list[float], radius: int, share: float
) -> tuple[UInt16, tuple[Float32, Float32]]:
    """Distance of every pixel from what it should be, in units of what may vary there.

    Parameters
    ----------
    references
        Planes of the reference, and of more pictures like it.
    current
        Planes of the current picture.
    noise
        From :func:`noise_of`.
    radius
        Of the envelope, in pixels.
    share
        Of the envelope distance in the distance; the rest is the plain difference.

    Returns
    -------
    tuple
        The distance ``(H, W)`` uint16 in 64ths, and the gradients of lightness in the reference
        and in the current picture, at a quarter of the size.

    Notes
    -----
    What may vary is ``v**2 = noise**2 + (0.15 gradient)**2 + mean square of the difference
    around``. With n pictures of the reference, of variance s**2 at this pixel, it is
    ``(n s**2 + 4 v**2) / (n + 4)``: the more of them there are, the more they are believed.
    """
    height, width = current[0].shape
    out = empty((height, width), np.uint16)
    gradients = tuple(np.empty((small(height), small(width)), np.float32) for _ in range(2))
    sigma = [max(1.0, one) for one in noise]
    around = _surrounding(references[0], current, sigma)
    steepness = (np.arange(256, dtype=np.float32) / 2 * _GRADIENT) ** 2
    tables = [steepness + np.float32(one**2) for one in sigma]
    halo = max(radius, 1)

    def band(first: int, end: int) -> None:
        top, bottom = max(0, first - halo), min(height, end + halo)
        inner = slice(first - top, end - top)
        shape = end - first, width
        total, far, may, vary = (
            _scratch.get(name, shape, np.float32) for name in ("total", "far", "may", "vary")
        )
        for plane, now in enumerate(current):
            now = now[top:bottom]
            known = [one[plane][top:bottom] for one in references]
            off = envelope(known, now, radius)[inner]
            plain, spread = _apart([one[inner] for one in known], now[inner])
            steep = [_gradient(one)[inner] for one in (known[0], now)]
            if plane == 0:
                for image, reduced in zip(steep, gradients, strict=True):
                    part = reduced[first // 4 : small(end)]
                    mean = cv2.resize(image, part.shape[::-1], interpolation=cv2.INTER_AREA)
                    np.copyto(part, mean)
            cv2.addWeighted(off, share, plain, 1 - share, 0, far, cv2.CV_32F)
            np.multiply(far, far, out=far)
            cv2.LUT(cv2.max(*steep), tables[plane], may)
            np.add(may, rows_of(around[plane], first, end, height, width, vary), out=may)
            if spread is not None:
                count = np.float32(len(known))
                np.multiply(spread, count, out=spread)
                np.multiply(may, np.float32(4), out=may)
                np.add(may, spread, out=may)
                np.divide(may, count + np.float32(4), out=may)
                np.maximum(may, np.float32(1), out=may)
            np.divide(far, may, out=far if plane else total)
            if plane:
                np.add(total, far, out=total)
        np.sqrt(total, out=total)
        np.multiply(total, np.float32(FIXED), out=total)
        np.minimum(total, np.float32(_LARGEST), out=total)
        np.copyto(out[first:end], total, casting="unsafe")

    for_each_band(band, height, width, _ROWS)
    return out, (gradients[0], gradients[1])


def _apart(known: list[UInt8], now: UInt8) -> tuple[UInt8, Float32 | None]:
    """Difference from the mean of the references, and their variance when there are several."""
    if len(known) == 1:
        return np.asarray(cv2.absdiff(known[0], now), np.uint8), None
    levels = np.stack(known).astype(np.float32)
    mean = np.rint(levels.mean(axis=0)).astype(np.uint8)
    plain = np.asarray(cv2.absdiff(mean, now), np.uint8)
    return plain, np.asarray(levels.var(axis=0, ddof=1), np.float32)


def _gradient(image: UInt8) -> UInt8:
    """Range of levels in 3 x 3 pixels."""
    return np.asarray(cv2.morphologyEx(image, cv2.MORPH_GRADIENT, square(1)), np.uint8)


def _surrounding(reference: Planes, current: Planes, noise: list[float]) -> list[Float32]:
    """Mean square of the difference in the surrounding, per plane, at a quarter of the size."""
    height, width = reference[0].shape
    shape = small(height), small(width)
    found = [np.empty(shape, np.float32) for _ in range(3)]
    # What differs by more than four deviations is no variation, and must not hide itself.
    levels = np.arange(256, dtype=np.float32)
    tables = [np.minimum(levels, np.float32(4 * one)) ** 2 for one in noise]

    def band(first: int, end: int) -> None:
        for one, two, table, reduced in zip(reference, current, tables, found, strict=True):
            off = _scratch.get("off", (end - first, width), np.uint8)
            cv2.absdiff(one[first:end], two[first:end], off)
            squared = _scratch.get("squared", off.shape, np.float32)
            cv2.LUT(off, table, squared)
            part = reduced[first // 4 : small(end)]
            cv2.resize(squared, part.shape[::-1], part, interpolation=cv2.INTER_AREA)

    for_each_band(band, height, width, _ROWS)
    window = _AROUND // 4 | 1
    return [
        np.asarray(cv2.blur(one, (window, window), borderType=cv2.BORDER_REFLECT), np.float32)
        for one in found
    ]
