r"""The SSIM both implementations compute, and its constants.

The definition is that of Wang, Bovik, Sheikh and Simoncelli (*IEEE Transactions on Image
Processing* 13(4), 2004) as the published notebooks call it through scikit-image: uniform 7x7
window, sample (co)variance, :math:`K_1 = 0.01, K_2 = 0.03, L = 255`, borders mirrored.

With :math:`N = 49` and window sums :math:`s_x = \sum x`, :math:`s_y = \sum y` it is

.. math::

    1 - S &= e_1 + e_2 - e_1 e_2 \\
    e_1 &= \frac{(s_x - s_y)^2}{s_x^2 + s_y^2 + N^2 (K_1 L)^2} \\
    e_2 &= \frac{N \sum (x - y)^2 - (s_x - s_y)^2}
                {N \sum (x^2 + y^2) - s_x^2 - s_y^2 + N (N - 1) (K_2 L)^2}

All four integers of the fractions are below 2**31 for 8-bit pictures, hence exact; only the
last step is floating point. Identical windows have both numerators 0, so the difference of
identical pictures is exactly 0, which :math:`1 - S` computed from a rounded :math:`S` is not.
"""

from __future__ import annotations

__all__ = ["C1", "C2", "RADIUS", "WINDOW"]

WINDOW = 7
RADIUS = WINDOW // 2
_N = WINDOW * WINDOW
C1 = _N * _N * (0.01 * 255) ** 2
C2 = _N * (_N - 1) * (0.03 * 255) ** 2
