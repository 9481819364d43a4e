"""The compiled SSIM kernel: one pass over both pictures, everything else in cache.

Importing this module imports numba and compiles the kernel (or loads it from numba's cache);
:mod:`vde_nb.difference._implementation` decides when that pays. The arithmetic is that of
:mod:`vde_nb.difference._strips`, operation for operation, so both give the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from vde_nb.difference._definition import C1, C2, WINDOW

__all__ = ["fill"]


def _int32(operation: str) -> Any:
    """One 32-bit integer operation; Python's own operators would widen to 64 bits.

    The numerators of SSIM fit 32 bits, and 32-bit vectors hold twice as many of them.
    """

    @intrinsic
    def function(_context: Any, left: Any, right: Any) -> Any:
        def generate(_ctx: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return getattr(builder, operation)(*arguments)

        return types.int32(types.int32, types.int32), generate

    return function


_add, _sub, _mul = _int32("add"), _int32("sub"), _int32("mul")
_i32 = types.int32
_f64 = types.float64
_N = WINDOW * WINDOW
_TILE = 1024  # columns worked on at once: their running sums fit the first-level cache


@njit(
    "void(u1[:,::1], u1[:,::1], f4[:,::1], u1[:,::1], f8[::1], i8, i8, i8)",
    nogil=True,
    cache=True,
    boundscheck=False,
    error_model="numpy",
)
def fill(x, y, exact, heat, sums, first, end, wrap):  # type: ignore[no-untyped-def]
    """Fill a band; see :func:`vde_nb.difference._strips.fill`, whose twin this is."""
    rows = x.shape[0] - (WINDOW - 1)
    columns = x.shape[1] - (WINDOW - 1)
    # Running column sums over seven rows: x and y (packed: each sum fits 16 bits),
    # x*x + y*y, and (x - y)**2.
    xy = np.empty(_TILE + 6, np.int32)
    power = np.empty(_TILE + 6, np.int32)
    error = np.empty(_TILE + 6, np.int32)
    n1 = np.empty(_TILE, np.int32)
    n2 = np.empty(_TILE, np.int32)
    d1 = np.empty(_TILE, np.int32)
    rest2 = np.empty(_TILE, np.int32)
    value = np.empty(_TILE, np.float64)
    for left in range(0, columns, _TILE):
        width = min(_TILE, columns - left)
        padded = width + 6
        # Shifted views instead of [j + k]: numba proves them free of aliasing and wrap-around,
        # and LLVM then uses vector instructions.
        a0, a1, a2, a3 = xy[0:width], xy[1 : width + 1], xy[2 : width + 2], xy[3 : width + 3]
        a4, a5, a6 = xy[4 : width + 4], xy[5 : width + 5], xy[6 : width + 6]
        p0, p1, p2 = power[0:width], power[1 : width + 1], power[2 : width + 2]
        p3, p4, p5 = power[3 : width + 3], power[4 : width + 4], power[5 : width + 5]
        p6 = power[6 : width + 6]
        q0, q1, q2 = error[0:width], error[1 : width + 1], error[2 : width + 2]
        q3, q4, q5 = error[3 : width + 3], error[4 : width + 4], error[5 : width + 5]
        q6 = error[6 : width + 6]
        xy[:] = 0
        power[:] = 0
        error[:] = 0
        columns_sum = sums[left : left + width]
        for row in range(rows + 6):
            new_x = x[row, left : left + padded]
            new_y = y[row, left : left + padded]
            if row < 7:
                for j in range(padded):
                    a, b = _i32(new_x[j]), _i32(new_y[j])
                    d = _sub(a, b)
                    xy[j] = _add(xy[j], _add(a, _mul(b, _i32(65536))))
                    power[j] = _add(power[j], _add(_mul(a, a), _mul(b, b)))
                    error[j] = _add(error[j], _mul(d, d))
            else:
                # Add the new row and take the oldest away, as products of sums and differences.
                old_x = x[row - 7, left : left + padded]
                old_y = y[row - 7, left : left + padded]
                for j in range(padded):
                    a, b = _i32(new_x[j]), _i32(new_y[j])
                    c, e = _i32(old_x[j]), _i32(old_y[j])
                    am, ap = _sub(a, c), _add(a, c)
                    bm, bp = _sub(b, e), _add(b, e)
                    xy[j] = _add(xy[j], _add(am, _mul(bm, _i32(65536))))
                    power[j] = _add(power[j], _add(_mul(am, ap), _mul(bm, bp)))
                    error[j] = _add(error[j], _mul(_sub(am, bm), _sub(ap, bp)))
            if row < 6:
                continue
            for j in range(width):
                s = _add(
                    _add(_add(a0[j], a1[j]), _add(a2[j], a3[j])),
                    _add(_add(a4[j], a5[j]), a6[j]),
                )
                p = _add(
                    _add(_add(p0[j], p1[j]), _add(p2[j], p3[j])),
                    _add(_add(p4[j], p5[j]), p6[j]),
                )
                q = _add(
                    _add(_add(q0[j], q1[j]), _add(q2[j], q3[j])),
                    _add(_add(q4[j], q5[j]), q6[j]),
                )
                sx, sy = _i32(s & 0xFFFF), _i32((s >> 16) & 0xFFFF)
                d = _sub(sx, sy)
                square = _mul(d, d)
                means = _add(_mul(sx, sx), _mul(sy, sy))
                n1[j] = square
                d1[j] = means
                n2[j] = _sub(_mul(_i32(_N), q), square)
                rest2[j] = _sub(_sub(_mul(_i32(_N), p), means), n2[j])
            for j in range(width):
                f1, f2 = _f64(n1[j]), _f64(n2[j])
                g1, rest = _f64(d1[j]) + C1, _f64(rest2[j]) + C2
                value[j] = (rest * f1 + f2 * g1) / (g1 * (rest + f2))
            out = row - 6
            if first <= out < end:
                for j in range(width):
                    columns_sum[j] += value[j]
            if exact.shape[0]:
                exact_row = exact[out, left : left + width]
                for j in range(width):
                    exact_row[j] = value[j]
            if heat.shape[0]:
                heat_row = heat[out, left : left + width]
                if wrap:
                    for j in range(width):
                        heat_row[j] = np.uint8(_i32(value[j] * 255.0) & 255)
                else:
                    for j in range(width):
                        heat_row[j] = np.uint8(_i32(min(value[j] * 255.0, 255.0)))
