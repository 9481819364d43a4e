"""The absolute difference of two pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vde_nb.difference._engine import pixel_maps

__all__ = ["absolute"]


def absolute(
    reference: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8], *, colour: str = "grey"
) -> npt.NDArray[np.uint8]:
    """``|reference - current|``, pixel by pixel.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB or ``(H, W)`` grey, uint8, of one shape.
    colour
        ``"grey"``: difference of luma (ITU-R BT.601). ``"channels"``: the largest of the
        differences of R, G and B.

    Returns
    -------
    ndarray
        ``(H, W)`` uint8, 0 = same.

    Raises
    ------
    ImageError
        Wrong dtype or shape, or different shapes.

    Examples
    --------
    >>> import numpy as np
    >>> absolute(np.uint8([[10, 200]]), np.uint8([[13, 100]]))
    array([[  3, 100]], dtype=uint8)
    """
    result = pixel_maps(reference, current, absolute=True, colour=colour).absolute
    assert result is not None
    return result
