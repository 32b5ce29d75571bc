"""Sums without rounding: integers of any size, and floats as multiples of the least one."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, Any]

#: Bits by which integers are summed in halves, so that no sum of a batch leaves 64 bits.
_HALF: Final = 32
#: Bits of a double's fraction, and of its lower part: 2**26 of these sum up exactly in a double.
_FRACTION, _LOW = 53, 27
#: Floats are summed in units of 2**-_UNIT: the least exponent of frexp is -1073.
_LEAST: Final = -1073
_UNIT: Final = _FRACTION - _LEAST


def integer_sum(values: Array) -> int:
    """Return the sum of integers of up to 64 bits; O(n), exact."""
    if values.dtype.itemsize <= _HALF // 8:
        return int(values.sum(dtype=np.int64))
    high = values >> np.array(_HALF, values.dtype)
    low = values & np.array((1 << _HALF) - 1, values.dtype)
    return (int(high.sum()) << _HALF) + int(low.sum())


def float_sum(values: Array) -> int:
    """Return the sum of up to 2**26 finite doubles in units that :func:`mean` knows; exact.

    So the order of the values and how they are split do not matter, and nothing overflows:
    fractions are summed as integers for each exponent (the idea of Kulisch's long accumulator).
    """
    fractions, exponents = np.frexp(values)
    whole = np.ldexp(fractions, _FRACTION).astype(np.int64)
    places = exponents.astype(np.int64) - _LEAST
    high = np.bincount(places, (whole >> _LOW).astype(np.float64))
    low = np.bincount(places, (whole & ((1 << _LOW) - 1)).astype(np.float64))
    used = np.flatnonzero((high != 0) | (low != 0)).tolist()
    return sum(((int(high[at]) << _LOW) + int(low[at])) << at for at in used)


def mean(total: int, count: int) -> float:
    """Return the mean of ``count`` floats with that sum of :func:`float_sum`, rounded once."""
    return float(Fraction(total, count << _UNIT))
