"""Colour: how far two pictures differ inside a region, and a region from its surroundings."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.classify._sums import dot, gram

__all__ = ["difference", "hellinger", "log_ratio", "mean_colour", "smoothness", "to_lab"]

Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

#: Standard deviation in pixels of the blur all measures start from: less noise, same borders.
BLUR = 0.7
#: From OpenCV's 8-bit Lab to CIE L*a*b*, as the matrix of an affine map.
_LAB = np.array([[100 / 255, 0, 0, 0], [0, 1, 0, -128], [0, 0, 1, -128]])
#: Variance per Lab channel that counts as none: a flat region has noise too.
_FLAT = 4.0
#: So many pixels are enough to know a Gaussian by.
_ENOUGH = 3000
#: Grey levels added to both sides of a ratio, so that black does not divide.
_BLACK = 10.0


def to_lab(image: UInt8) -> Float32:
    """RGB ``(h, w, 3)`` uint8 to CIE L*a*b* float32 (L* 0..100, D65), blurred by 0.7 pixels.

    By way of OpenCV's 8-bit Lab, a quarter of the time: L* is right to 0.2, a* and b* to 0.5.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = np.asarray(cv2.transform(lab, _LAB), np.float32)
    return np.asarray(cv2.GaussianBlur(lab, (5, 5), BLUR), np.float32)


def difference(change: Float32) -> Float32:
    """Colour difference CIE 1976 per pixel: ``(h, w, 3)`` Lab change to ``(h, w)``, 0 = none.

    About 2 is just noticeable, over 100 is black against white.
    """
    lightness, a, b = cv2.split(change)
    return np.asarray(cv2.magnitude(cv2.magnitude(lightness, a), b), np.float32)


def mean_colour(lab: Float32, where: Bool) -> tuple[float, float, float]:
    """Mean L*, a*, b* of the pixels of a non-empty mask."""
    lightness, a, b, _ = cv2.mean(lab, where.view(np.uint8))
    return float(lightness), float(a), float(b)


def hellinger(first: Float32, second: Float32) -> float:
    r"""How different two sets of colours are: 0 = the same, 1 = nothing in common.

    Hellinger distance :math:`\sqrt{1 - e^{-B}}` of two Gaussians over L*, a*, b* with the
    Bhattacharyya distance (Kailath 1967)

    .. math:: B = \tfrac18 \delta^T \bar\Sigma^{-1} \delta
                  + \tfrac12 \ln \frac{|\bar\Sigma|}{\sqrt{|\Sigma_1||\Sigma_2|}}

    Parameters
    ----------
    first, second
        ``(n, 3)`` float32 Lab, n > 0.
    """
    (mean_1, spread_1), (mean_2, spread_2) = _gaussian(first), _gaussian(second)
    shared = (spread_1 + spread_2) / 2
    step = mean_1 - mean_2
    apart = dot(step, np.linalg.solve(shared, step)) / 8
    volumes = float(np.linalg.det(spread_1)) * float(np.linalg.det(spread_2))
    apart += 0.5 * math.log(float(np.linalg.det(shared)) / math.sqrt(volumes))
    return math.sqrt(max(0.0, 1 - math.exp(-apart)))


def _gaussian(colours: Float32) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    colours = colours[:: 1 + len(colours) // _ENOUGH]
    mean = colours.mean(axis=0)
    rest = colours - mean
    return mean.astype(np.float64), gram(rest) / len(colours) + _FLAT * np.eye(3)


def log_ratio(reference: UInt8, current: UInt8) -> Float32:
    """Logarithm of the ratio of two RGB pictures in grey, both blurred by 1.5 pixels.

    ``(h, w, 3)`` uint8 twice to ``(h, w)`` float32. Light multiplies, so a change of the light is
    a smooth log-ratio whatever the surface shows.
    """
    logarithms = []
    for image in (reference, current):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        logarithms.append(np.log(cv2.GaussianBlur(grey, (0, 0), 1.5) + np.float32(_BLACK)))
    return np.asarray(logarithms[1] - logarithms[0], np.float32)


def smoothness(ratio: Float32, inside: Bool, base: float) -> float:
    """How smooth a log-ratio is over a region: 1 = a gradient of light, 0 = all detail.

    One minus the share of the ratio's deviation from `base` that is left after subtracting its
    own blur over a fifth of the region's diameter.

    Parameters
    ----------
    ratio
        ``(h, w)`` float32.
    inside
        ``(h, w)`` bool, not empty.
    base
        The ratio around the region.
    """
    side = 2 * round(max(2.0, math.sqrt(np.count_nonzero(inside)) / 5)) + 1
    # Three box filters are as smooth as a Gaussian, and their cost does not depend on the size.
    blurred = ratio
    for _ in range(3):
        blurred = np.asarray(cv2.blur(blurred, (side, side)), np.float32)
    detail = (ratio - blurred)[inside]
    whole = ratio[inside] - np.float32(base)
    share = math.sqrt(dot(detail, detail) / detail.size) / (
        math.sqrt(dot(whole, whole) / whole.size) + 0.02
    )
    return max(0.0, 1 - share)
