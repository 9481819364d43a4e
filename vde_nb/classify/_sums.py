"""Sums of products that come out the same every time.

A product of BLAS depends in its last digits on where its operands lie in memory and on how many
threads share the work. Of two regions that are equally severe now one, now the other would come
first then, and a run that is repeated would not give the same bytes. NumPy's own sums depend on
the numbers and their count alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["dot", "gram", "settled"]

#: Digits of a measure that mean something: beyond them lies the rounding of the last steps.
_DIGITS = 9


def dot(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Sum of the products of two vectors of one length, in double precision."""
    return float(np.multiply(one, other, dtype=np.float64).sum())


def gram(rows: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """``rows.T @ rows`` of ``(n, k)`` for a small k: ``(k, k)`` float64."""
    columns = [np.ascontiguousarray(column) for column in rows.T]
    made = np.empty((len(columns), len(columns)))
    for i, one in enumerate(columns):
        for j, other in enumerate(columns[: i + 1]):
            made[i, j] = made[j, i] = dot(one, other)
    return made


def settled(value: float) -> float:
    """`value` to nine digits, which is the same on every machine and in every run.

    Examples
    --------
    >>> settled(0.12345678901234)
    0.123456789
    """
    return float(f"{value:.{_DIGITS}g}")
