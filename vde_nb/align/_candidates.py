"""First guesses of the global motion, and the choice among them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from ._levels import Float32, Level, Matrix, UInt8
from ._measure import Agreement

__all__ = ["best", "features", "shift", "shifts"]

_NEAR = 3  # pixels around a peak of the correlation that belong to it
_RIVAL = 0.4  # of the highest peak: a lower one is chance
_LIKELIEST, _NEAREST = 4, 6  # peaks kept for their height, and for being near zero motion
_LOOKED_AT, _REACH = 16, 8  # peaks near zero motion looked at, and how far they are from it
_BETTER, _SIGMAS = 0.05, 6.0  # agreement by which a block prefers a map; the same over the noise
_LEAST_WIN, _ODDS = 0.3, 1.5  # agreement won in such blocks, and its ratio to what is lost
_COUNTED = 0.3  # weight from which on a block has a say
_CLEARLY = 0.03  # the same for the whole picture
_RATIO, _LEAST = 0.8, 8  # of the distances of first and second match; matches
_INLIER = 2.0  # pixels: threshold of the robust fit


def shift(x: float, y: float) -> Matrix:
    """Matrix of a translation."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def shifts(level: Level) -> list[Matrix]:
    """The translations that phase correlation likes best, between the pictures of a level.

    One in most cases, up to ten where a pattern repeats.

    Kuglin & Hines, "The phase correlation image alignment method", *Proc. Int. Conf. Cybernetics
    and Society*, 163-165, 1975.
    """
    h, w = level.reference.shape
    taper = np.outer(np.hanning(h + 2)[1:-1], np.hanning(w + 2)[1:-1]).astype(np.float32)
    # Even sides, which is what OpenCV's packed spectra of real pictures are simplest for.
    rows, columns = (2 * cv2.getOptimalDFTSize((side + 1) // 2) for side in (h, w))
    spectra = []
    for picture in (level.current[:h, :w], level.reference):
        padded = np.zeros((rows, columns), np.float32)
        np.multiply(picture, taper, out=padded[:h, :w])
        spectra.append(cv2.dft(padded))
    product = np.asarray(cv2.mulSpectrums(spectra[0], spectra[1], 0, conjB=True), np.float32)
    _whiten(product)
    surface = np.asarray(cv2.blur(cv2.dft(product, flags=cv2.DFT_INVERSE), (3, 3)), np.float32)
    # Zero motion to the middle.
    surface = np.roll(surface, (rows // 2, columns // 2), axis=(0, 1))
    least = _RIVAL * float(surface.max())
    reach = max(_REACH, min(h, w) // 16)
    window = surface[rows // 2 - reach :, columns // 2 - reach :][: 2 * reach + 1, : 2 * reach + 1]
    near = [(x - reach, y - reach) for x, y in _peaks(window.copy(), least, _LOOKED_AT)]
    high = [(x - columns // 2, y - rows // 2) for x, y in _peaks(surface, least, _LIKELIEST)]
    # Of the many of a periodic pattern, the least motions matter too.
    near.sort(key=lambda move: math.hypot(*move))
    return [shift(x, y) for x, y in dict.fromkeys(high + near[:_NEAREST])]


def _peaks(surface: Float32, least: float, most: int) -> list[tuple[int, int]]:
    """The (x, y) of the highest peaks; the surface is used up."""
    found: list[tuple[int, int]] = []
    while len(found) < most:
        y, x = divmod(int(surface.argmax()), surface.shape[1])
        if surface[y, x] < least:
            break
        found.append((x, y))
        surface[max(0, y - _NEAR) : y + _NEAR + 1, max(0, x - _NEAR) : x + _NEAR + 1] = -np.inf
    return found


def _whiten(product: Float32) -> None:
    """Bring the frequencies of a packed spectrum towards one magnitude, in place.

    Packed (CCS): real and imaginary parts side by side; in the first and the last column, where
    the spectrum is symmetric, below each other; four real ones in the corners.
    """
    product[:: len(product) - 1, :: product.shape[1] - 1] = 0
    first, last = product[1:-1, 0], product[1:-1, -1]
    inner = product[:, 1:-1]
    pairs = [(part[..., ::2], part[..., 1::2]) for part in (inner, first, last)]
    sizes = [np.sqrt(real * real + imaginary * imaginary) for real, imaginary in pairs]
    typical = float(sizes[0].mean()) + 1e-9
    for (real, imaginary), size in zip(pairs, sizes, strict=True):
        size += np.sqrt(size * typical) + 1e-9  # what has little energy is noise and counts less
        real /= size
        imaginary /= size


def features(reference: UInt8, current: UInt8) -> Matrix | None:
    """Homography between two grey pictures from matched SIFT features; None where there is none.

    Lowe, "Distinctive image features from scale-invariant keypoints", *IJCV* 60(2), 2004; Barath,
    Noskova, Ivashechkin & Matas, "MAGSAC++, a fast, reliable and accurate robust estimator", *CVPR*
    2020. The random numbers start from a fixed state: the same pictures give the same map.
    """
    clahe, detector = cv2.createCLAHE(2.0, (8, 8)), cv2.SIFT.create(1500)
    (points, words), (others, theirs) = (
        detector.detectAndCompute(clahe.apply(grey), None) for grey in (reference, current)
    )
    if len(points) < _LEAST or len(others) < _LEAST:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(words, theirs, 2)
    good = [first for first, second in pairs if first.distance < _RATIO * second.distance]
    if len(good) < _LEAST:
        return None
    source = np.array([points[match.queryIdx].pt for match in good])
    target = np.array([others[match.trainIdx].pt for match in good])
    settings = cv2.UsacParams()
    settings.randomGeneratorState = 0
    settings.isParallel = False
    settings.threshold = _INLIER
    settings.maxIterations = 5000
    settings.confidence = 0.999
    settings.score = cv2.SCORE_METHOD_MAGSAC
    settings.loMethod = cv2.LOCAL_OPTIM_SIGMA
    try:
        matrix, inliers = cv2.findHomography(source, target, settings)
    except cv2.error:  # all points on one line, or the like
        return None
    if matrix is None or np.count_nonzero(inliers) < _LEAST or abs(matrix[2, 2]) < 1e-6:
        return None
    return np.asarray(matrix / matrix[2, 2], np.float64)


def best(found: Sequence[tuple[float, Agreement]]) -> int:
    """Which of several maps is right, by their motion in pixels and their agreement.

    On a periodic pattern, maps a period apart agree equally well almost everywhere. So the least
    motion is preferred unless the blocks that clearly prefer one or the other map prefer another:
    one mark that does not repeat decides, noise does not.
    """
    order = sorted(range(len(found)), key=lambda i: found[i][0])
    chosen = order[0]
    for i in order[1:]:
        one, other = found[chosen][1], found[i][1]
        weights = np.minimum(one.weights, other.weights)
        counted = weights > _COUNTED
        gain = (other.blocks - one.blocks)[counted]
        if gain.size == 0:
            continue
        typical = float(np.median(np.abs(gain - np.median(gain))))
        clear = max(_BETTER, _SIGMAS * 1.4826 * typical)
        wins, losses = gain[gain > clear].sum(), -gain[gain < -clear].sum()
        marked = wins > _LEAST_WIN + _ODDS * losses
        if marked or other.where(weights) > one.where(weights) + _CLEARLY:
            chosen = i
    return chosen
