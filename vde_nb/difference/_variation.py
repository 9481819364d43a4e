"""By how much a pixel exceeds what may differ at its place.

A variation model, as in the template inspection of industrial vision systems (a grey value is
flagged outside ``mean +- max(abs, var * deviation)``), estimated from the pair itself.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band, rows_for
from vde_nb._buffers import empty
from vde_nb._reduced import rows_of, small
from vde_nb.difference._opponent import Opponent, Planes, opponent, square

__all__ = ["FIXED", "Planes", "envelope", "excess", "opponent", "square"]

UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]
Float32 = npt.NDArray[np.float32]

_GRADIENT = 0.15  # grey levels a pixel may vary per grey level of gradient
_AROUND = 81  # pixels over which the surrounding is judged
FIXED = 64  # evidence is kept as integers, this many to one
_LARGEST = 8191  # eight of them fit 16 bits
_ROWS = 128
_scratch = Scratch()


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
    references: list[Opponent], current: Opponent, noise: list[float], radius: int, share: float
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
    height, width = current.shape
    out = empty((height, width), np.uint16)
    gradients = tuple(empty((small(height), small(width)), np.float32) for _ in range(2))
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
        seen = [one.rows(top, bottom) for one in (current, *references)]
        for plane, (now, *known) in enumerate(zip(*seen, strict=True)):
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

    for_each_band(band, height, width, rows_for(width, _ROWS))
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


def _surrounding(reference: Opponent, current: Opponent, noise: list[float]) -> list[Float32]:
    """Mean square of the difference in the surrounding, per plane, at a quarter of the size."""
    height, width = reference.shape
    found = [empty((small(height), small(width)), np.float32) for _ in range(3)]
    # What differs by more than four deviations is no variation, and must not hide itself.
    levels = np.arange(256, dtype=np.float32)
    tables = [np.minimum(levels, np.float32(4 * one)) ** 2 for one in noise]

    def band(first: int, end: int) -> None:
        seen = reference.rows(first, end), current.rows(first, end)
        for one, two, table, reduced in zip(*seen, tables, found, strict=True):
            off = _scratch.get("off", one.shape, np.uint8)
            cv2.absdiff(one, two, off)
            squared = _scratch.get("squared", off.shape, np.float32)
            cv2.LUT(off, table, squared)
            part = reduced[first // 4 : small(end)]
            cv2.resize(squared, part.shape[::-1], part, interpolation=cv2.INTER_AREA)

    for_each_band(band, height, width, rows_for(width, _ROWS))
    window = _AROUND // 4 | 1
    means = []
    while found:
        one = found.pop(0)
        mean = empty(one.shape, np.float32)
        means.append(cv2.blur(one, (window, window), mean, borderType=cv2.BORDER_REFLECT))
    return [np.asarray(one, np.float32) for one in means]
