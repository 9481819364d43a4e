"""Structure: what lies under a change, whether it is still there, and whose border a region has."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.classify._sums import dot

__all__ = [
    "border",
    "border_contrast",
    "border_profile",
    "detail",
    "gradient",
    "gradient_correlation",
    "ramp",
    "texture_distance",
    "without_trend",
]

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
#: Derivatives along x and y, of the same shape.
Slopes = tuple[Float32, Float32]

#: Mean squared gradient, (L* per pixel)**2, below which a surface counts as smooth.
_SMOOTH = 0.005
#: Share of the squared noise that reaches the mean squared gradient of a blurred picture.
_NOISE_SHARE = 0.02
#: Energy of one octave of texture, (L*)**2, that counts as none.
_NO_TEXTURE = 0.05
#: Octaves of the texture measure.
_OCTAVES = 3
#: Side in pixels of the box filters that, applied twice, tell a trend from structure.
_TREND = 7
#: Slope of the blurred region, per pixel, from which on there is its border.
_BORDER = 0.02
#: Pixels on both sides of the border that a border profile covers.
_PROFILE = 20


def gradient(values: Float32) -> Slopes:
    """Sobel derivatives along x and y per pixel; of each channel if there are several."""
    return (
        np.asarray(cv2.Sobel(values, cv2.CV_32F, 1, 0, scale=0.125), np.float32),
        np.asarray(cv2.Sobel(values, cv2.CV_32F, 0, 1, scale=0.125), np.float32),
    )


def without_trend(values: Float32, where: Bool) -> Float32:
    """Values inside a region less their own blur over 3 pixels, which does not look beyond it.

    ``(h, w)`` float32; what is outside is of no use.
    """
    weight = where.astype(np.float32)
    sums = [values * weight, weight]
    for _ in range(2):  # two box filters: nearly a Gaussian, and much faster
        sums = [np.asarray(cv2.blur(part, (_TREND, _TREND)), np.float32) for part in sums]
    return np.asarray(values - sums[0] / np.maximum(sums[1], 1e-3), np.float32)


def gradient_correlation(first: Slopes, second: Slopes, where: Bool, noise: float) -> float:
    """Whether two surfaces have the same edges: 1 = the same, 0 = unrelated, -1 = inverted.

    Normalised correlation of the lightness gradients, ``(h, w)`` float32 each. Gradients no
    stronger than the noise count as agreeing, so two smooth surfaces are the same. A factor on
    the lightness does not change the result.
    """
    ax, ay, bx, by = (part[where] for part in (*first, *second))
    slack = ax.size * (_SMOOTH + _NOISE_SHARE * noise * noise)
    shared = dot(ax, bx) + dot(ay, by) + slack
    return shared / math.sqrt(
        (dot(ax, ax) + dot(ay, ay) + slack) * (dot(bx, bx) + dot(by, by) + slack)
    )


def detail(slopes: Slopes, where: Bool) -> float:
    """Root mean square of the lightness gradient in a region, L* per pixel."""
    x, y = slopes[0][where], slopes[1][where]
    return math.sqrt((dot(x, x) + dot(y, y)) / x.size)


def texture_distance(both: Float32, where: Bool, noise: float) -> float:
    """How differently two surfaces are textured: 0 = alike, 1 = one has none.

    ``1 - exp(-d / 2)``, where `d` is the mean over three octaves of a Laplacian pyramid (Burt &
    Adelson 1983) of the absolute log-ratio of their energies.

    Parameters
    ----------
    both
        ``(h, w, 2)`` float32, lightness of one and the other.
    where
        ``(h, w)`` bool, not empty.
    noise
        Colour difference that counts as none.
    """
    least = _NO_TEXTURE + _NOISE_SHARE * noise * noise
    distance, octaves = 0.0, 0
    while octaves < _OCTAVES and where.any():
        coarse = np.asarray(cv2.GaussianBlur(both, (5, 5), 1.1), np.float32)
        band = (both - coarse)[where]
        energy = (band * band).mean(axis=0) + least
        distance += abs(math.log(float(energy[1] / energy[0])))
        octaves += 1
        both, where = np.ascontiguousarray(coarse[::2, ::2]), where[::2, ::2]
    return 1 - math.exp(-distance / max(1, octaves) / 2)


def border(filled: Bool) -> tuple[Bool, Float32, Float32]:
    """Where the border of a region is, and its direction.

    Returns
    -------
    where, x, y
        ``(h, w)`` bool, and for each of its n pixels the outward normal, ``(n, 1)`` float32; the
        longer it is, the nearer the border.
    """
    x, y = gradient(
        np.asarray(cv2.GaussianBlur(filled.astype(np.float32), (7, 7), 1.0), np.float32)
    )
    where = np.asarray(cv2.magnitude(x, y) > _BORDER, np.bool_)
    return where, -x[where][:, None], -y[where][:, None]


def border_contrast(slopes: Slopes, border: tuple[Bool, Float32, Float32]) -> float:
    """Mean colour step per pixel across a region's border, in CIE 1976 units.

    Parameters
    ----------
    slopes
        Of a Lab picture, ``(h, w, 3)`` each.
    border
        See :func:`border`.
    """
    where, x, y = border
    total = float(np.hypot(x, y).sum())
    if not total:
        return 0.0
    across = slopes[0][where] * x + slopes[1][where] * y
    return float(np.sqrt((across * across).sum(axis=1)).sum()) / total


def border_profile(change: Float32, filled: Bool) -> Float32:
    """Strength of the mean change at each distance from a region's border.

    The change is averaged as a vector before its length is taken, so that the texture below it
    drops out.

    Parameters
    ----------
    change
        ``(h, w, n)`` float32, current minus reference.
    filled
        ``(h, w)`` bool, the region; neither empty nor everything.

    Returns
    -------
    ndarray of float32
        From 20 pixels outside to 20 pixels inside, as far as the window goes.
    """
    own = filled.view(np.uint8)
    inward = np.asarray(cv2.distanceTransform(own, cv2.DIST_L2, 3), np.float32)
    outward = np.asarray(cv2.distanceTransform(1 - own, cv2.DIST_L2, 3), np.float32)
    near = cv2.max(inward, outward) <= _PROFILE
    signed = inward[near] - outward[near] + np.where(filled[near], -0.5, 0.5)
    place = np.rint(signed + _PROFILE).astype(np.intp)
    count = np.bincount(place, minlength=2 * _PROFILE + 1)
    sums = [np.bincount(place, part[near], len(count)) for part in cv2.split(change)]
    known = count > 0
    mean = np.stack(sums)[:, known] / count[known]
    return np.asarray(np.sqrt((mean * mean).sum(axis=0)), np.float32)


def ramp(profile: Float32, step: int) -> float:
    """Width of a border in pixels: the rise of a profile divided by its steepest slope.

    `step` is how far apart, in pixels, the two values of a slope are: a sharp border is `step`
    wide. 0 for a profile that is too short or flat.
    """
    if len(profile) <= step:
        return 0.0
    slope = float((profile[step:] - profile[:-step]).max()) / step
    return float(profile.max() - profile.min()) / slope if slope > 1e-6 else 0.0
