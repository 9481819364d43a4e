"""Motion: whether what a region showed is found elsewhere, or bent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.classify._measure_colour import hellinger
from vde_nb.classify._sums import gram

__all__ = ["Bend", "Exchange", "Shift", "bend", "best_shift", "exchange"]

Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Complex64 = npt.NDArray[np.complex64]

#: Shifts up to this many pixels are none.
_STILL = 2.3
#: Share of the edges of the region that must still be inside after a shift.
_LEAST_SHARE = 0.5
#: Mean squared gradient, in (grey levels per pixel)**2, that counts as none.
_SMOOTH = 0.08
#: Smallest window side optical flow is computed on.
_LEAST_SIDE = 16
#: Standard deviation in pixels of the blur that makes two places of an exchange.
_PLACES = 2.0
#: A pixel belongs to one place when its change is so large, as a share of the root mean square.
_SIDE = 0.35
#: Smaller places, in pixels, are none.
_LEAST_PLACE = 12


@dataclass(frozen=True)
class Shift:
    """Where the edges of a region went.

    Attributes
    ----------
    dx, dy
        Shift from the reference to the current picture, in window pixels.
    score
        Correlation of the edges after that shift, 0 to 1.
    still
        Correlation without a shift.
    """

    dx: float
    dy: float
    score: float
    still: float


def best_shift(reference: UInt8, current: UInt8, where: Bool) -> Shift:
    """Find the shift that brings the edges of the reference onto those of the current picture.

    Normalised cross-correlation of gradient vectors, over those pixels of the region that the
    shift leaves in it; all shifts at once by Fourier transform (masked correlation, Padfield
    2012).

    Parameters
    ----------
    reference, current
        ``(h, w)`` uint8 grey.
    where
        ``(h, w)`` bool, the region: both where the thing was and where it is now.
    """
    first, second = _edges(reference) * where, _edges(current) * where
    height, width = reference.shape
    size = cv2.getOptimalDFTSize(2 * height), cv2.getOptimalDFTSize(2 * width)
    strength = [(edges * edges.conj()).real for edges in (first, second)]
    there = np.maximum(_correlation(strength[0], where, size), 0)
    here = np.maximum(_correlation(where, strength[1], size), 0)
    slack = _SMOOTH * float(np.count_nonzero(where))
    share = there / (float(strength[0].sum()) + slack)
    score = _correlation(first, second, size) / np.sqrt((there + slack) * (here + slack))
    score = np.where(share > _LEAST_SHARE, score * np.minimum(1, share + 0.2), 0)
    dy, dx = np.fft.fftfreq(size[0], 1 / size[0]), np.fft.fftfreq(size[1], 1 / size[1])
    near = np.hypot(dy[:, None], dx[None]) <= _STILL
    still = float(score[near].max())
    score[near] = -1
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    best = max(0.0, min(1.0, float(score[row, column])))
    return Shift(float(dx[column]), float(dy[row]), best, max(0.0, min(1.0, still)))


def _correlation(
    first: npt.NDArray[Any], second: npt.NDArray[Any], size: tuple[int, int]
) -> Float32:
    """Real part of the cross-correlation of two arrays for all shifts, padded to `size`."""
    spectra = []
    for array in (first, second):
        padded = np.zeros(size, np.complex64)
        padded[: array.shape[0], : array.shape[1]] = array
        spectra.append(_transform(padded, 0))
    product = np.conj(spectra[0]) * spectra[1]
    return np.ascontiguousarray(_transform(product, cv2.DFT_INVERSE | cv2.DFT_SCALE).real)


def _transform(values: Complex64, flags: int) -> Complex64:
    """OpenCV's Fourier transform of complex numbers, ten times as fast as NumPy's here."""
    pairs = values.view(np.float32).reshape(*values.shape, 2)
    return np.asarray(cv2.dft(pairs, flags=flags), np.float32).view(np.complex64)[..., 0]


def _edges(grey: UInt8) -> Complex64:
    """Gradient as complex numbers: x + iy."""
    soft = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    edges = np.empty(grey.shape, np.complex64)
    edges.real = cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=0.125)
    edges.imag = cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=0.125)
    return edges


@dataclass(frozen=True)
class Exchange:
    """Whether a thing left one place of a region and arrived at another.

    Attributes
    ----------
    score
        1: what either place shows now is what the other one showed; 0 and less: it is not.
    balance
        Area of the smaller place divided by that of the larger, 0 to 1; 0 = only one place.
    distance
        Pixels between the centres of the two places.
    """

    score: float
    balance: float
    distance: float


def exchange(reference: Float32, current: Float32, change: Float32, where: Bool) -> Exchange:
    """Compare the two places of a region whose colours changed in opposite directions.

    A thing that moves leaves its old place to the background and covers background at its new
    one, so the change there is the opposite. The change is projected on its principal direction
    and split by sign; then the colours of either place in one picture are compared with those of
    the other place in the other picture (Hellinger distance), and with its own.

    Parameters
    ----------
    reference, current, change
        ``(h, w, 3)`` float32 Lab; `change` is their difference.
    where
        ``(h, w)`` bool, not empty.
    """
    blurred = cv2.GaussianBlur(change * where[..., None], (0, 0), _PLACES)
    inside = blurred[where]
    values, directions = np.linalg.eigh(gram(inside) / len(inside))
    main = directions[:, -1].astype(np.float32)
    along = inside[:, 0] * main[0] + inside[:, 1] * main[1] + inside[:, 2] * main[2]
    limit = _SIDE * math.sqrt(max(0.0, float(values[-1])))
    one, other = along > limit, along < -limit
    sizes = int(np.count_nonzero(one)), int(np.count_nonzero(other))
    if min(sizes) < _LEAST_PLACE:
        return Exchange(0.0, 0.0, 0.0)
    before, after = reference[where], current[where]
    kept = min(hellinger(before[one], after[one]), hellinger(before[other], after[other]))
    swapped = max(hellinger(before[one], after[other]), hellinger(before[other], after[one]))
    rows, columns = np.nonzero(where)
    distance = math.hypot(
        float(columns[one].mean() - columns[other].mean()),
        float(rows[one].mean() - rows[other].mean()),
    )
    return Exchange(kept - swapped, min(sizes) / max(sizes), distance)


@dataclass(frozen=True)
class Bend:
    """How far a region's content was displaced, if it is the same content.

    Attributes
    ----------
    flow
        Upper quartile of the displacement inside, less the ring's, in window pixels.
    gain
        Share of the difference that disappears when the displacement is undone, 0 to 1.
    roughness
        Root mean square of the derivatives of the displacement, pixels per pixel: a smooth bend
        has under 0.5.
    """

    flow: float
    gain: float
    roughness: float


def bend(reference: UInt8, current: UInt8, inside: Bool) -> Bend:
    """Dense displacement of a region by optical flow (DIS, Kroeger et al., ECCV 2016).

    Parameters
    ----------
    reference, current
        ``(h, w)`` uint8 grey; windows under 16 pixels have no displacement.
    inside
        ``(h, w)`` bool, not empty.
    """
    if min(reference.shape) < _LEAST_SIDE:
        return Bend(0.0, 0.0, 0.0)
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    engine.setFinestScale(0)
    engine.setVariationalRefinementIterations(3)
    height, width = reference.shape
    start = np.zeros((height, width, 2), np.float32)
    flow = np.asarray(engine.calc(reference, current, start), np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    undone = cv2.remap(
        current,
        x + flow[..., 0],
        y + flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    before = float(cv2.absdiff(reference, current)[inside].mean())
    after = float(cv2.absdiff(reference, undone)[inside].mean())
    beyond = cv2.dilate(inside.view(np.uint8), np.ones((7, 7), np.uint8)) == 0
    base = np.median(flow[beyond], axis=0) if np.count_nonzero(beyond) > 8 else np.zeros(2)
    amount = np.hypot(*(flow[inside] - base).T)
    rank = (3 * len(amount)) // 4
    slopes = [cv2.Sobel(flow, cv2.CV_32F, i, 1 - i, scale=0.125)[inside] for i in (0, 1)]
    rough = math.sqrt(sum(float((slope * slope).sum()) for slope in slopes) / len(amount))
    quartile = float(np.partition(amount, rank)[rank])
    return Bend(quartile, max(0.0, 1 - after / (before + 1)), rough)
