"""Structural similarity (SSIM): its score and the exact map of where structure differs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vde_nb.difference._engine import pixel_maps

__all__ = ["Ssim", "ssim", "ssim_heat"]


@dataclass(frozen=True, eq=False)
class Ssim:
    """Result of :func:`ssim`.

    Attributes
    ----------
    score
        Mean structural similarity, at most 1; exactly 1 for identical pictures.
    difference
        ``1 - SSIM`` at every pixel, ``(H, W)`` float32 in [0, 2]; exactly 0 where the 7 x 7
        neighbourhoods are identical.
    """

    score: float
    difference: npt.NDArray[np.float32]


def ssim(
    reference: npt.NDArray[np.uint8],
    current: npt.NDArray[np.uint8],
    *,
    colour: str = "grey",
    implementation: str = "auto",
) -> Ssim:
    """Structural similarity with a uniform 7 x 7 window.

    The same numbers as scikit-image's ``structural_similarity(..., full=True)`` with its
    defaults (score within 1e-9, map within 1e-6), many times faster and in a fraction of the
    memory. See :mod:`vde_nb.difference._definition` for the formula.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB or ``(H, W)`` grey, uint8, of one shape, at least 7 x 7.
    colour
        ``"grey"``: luma only, as published. ``"channels"``: SSIM of R, G and B apart; the score
        is their mean (scikit-image's ``channel_axis=2``), the map the largest difference of the
        three, so that a change in one channel is not diluted.
    implementation
        ``"opencv"`` (always there), ``"numba"`` (the extra ``[fast]``; waits for the compiler)
        or ``"auto"``: numba once it is ready and worth it. Both give identical results.

    Raises
    ------
    ImageError
        Wrong dtype or shape, different shapes, or smaller than 7 x 7.
    MissingExtraError
        ``"numba"`` was asked for and cannot be used.

    References
    ----------
    Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality assessment: from
    error visibility to structural similarity", *IEEE Transactions on Image Processing* 13(4),
    600-612, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> picture = np.arange(64, dtype=np.uint8).reshape(8, 8)
    >>> same = ssim(picture, picture)
    >>> same.score, float(same.difference.max())
    (1.0, 0.0)
    """
    maps = pixel_maps(reference, current, exact=True, colour=colour, implementation=implementation)
    assert maps.score is not None and maps.exact is not None
    return Ssim(maps.score, maps.exact)


def ssim_heat(
    reference: npt.NDArray[np.uint8],
    current: npt.NDArray[np.uint8],
    *,
    colour: str = "grey",
    overflow: str = "saturate",
    implementation: str = "auto",
) -> tuple[float, npt.NDArray[np.uint8]]:
    """SSIM score, and ``255 * (1 - SSIM)`` as a heatmap.

    Where structure is *inverted*, SSIM is negative and ``255 * (1 - SSIM)`` exceeds 255. The
    published notebooks cast that to ``uint8``, which wraps: the most different pixels of all
    turn dark (0.04 % of the pixels of the tyre pair, 1.8 % of the satellite pair). With
    ``overflow="wrap"`` this is reproduced bit for bit; the default stays at 255.

    Parameters
    ----------
    reference, current, colour
        As in :func:`ssim`.
    overflow
        ``"saturate"`` or ``"wrap"``.
    implementation
        As in :func:`ssim`.

    Returns
    -------
    score : float
        Mean SSIM.
    heat : ndarray
        ``(H, W)`` uint8, 0 = same structure. Fractions are cut off, not rounded.
    """
    maps = pixel_maps(
        reference,
        current,
        ssim=True,
        colour=colour,
        overflow=overflow,
        implementation=implementation,
    )
    assert maps.score is not None and maps.ssim is not None
    return maps.score, maps.ssim
