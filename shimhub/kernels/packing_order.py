"""The order in which numba's own sort leaves lengths: packers that are jitted depend on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels import _loading
from shimhub.kernels._reference import packing_order as reference

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_MOST_ITEMS: Final = 2**32 - 2


def quick_order(lengths: Array, offsets: Array | None = None) -> Array:
    """Return the places of lengths, longest first, equal ones as ``argsort()[::-1]`` in numba.

    ``lengths`` is a 1-D array of integers that fit int64. ``offsets``, as of :class:`Bins`, parts
    them: places are then ordered within each part. numba sorts by a quicksort that is not stable;
    its steps are repeated here.
    https://github.com/numba/numba/blob/main/numba/misc/quicksort.py

    Raises ``ValueError`` where offsets fall or do not go from 0 to the number of lengths, and
    ``OverflowError`` for more than 2**32 - 2 of these. O(n log n), O(n**2) for some orders.
    """
    values = np.ascontiguousarray(lengths, np.int64)
    if offsets is None:
        offsets = np.array([0, len(values)], np.int64)
    bounds = np.ascontiguousarray(offsets, np.int64)
    _check(values, bounds)
    native = _loading.native()
    if native is None:
        return reference.quick_order(values, bounds)
    order = np.empty(len(values), np.uint32)
    ffi = native.ffi
    status = native.lib.shimhub_quick_order(
        ffi.from_buffer("int64_t[]", values),
        ffi.from_buffer("int64_t[]", bounds),
        len(bounds) - 1,
        ffi.from_buffer("uint32_t[]", order),
    )
    assert status == native.lib.SHIMHUB_OK  # all it could refuse was checked
    return order


def _check(lengths: Array, offsets: Array) -> None:
    if len(lengths) > _MOST_ITEMS:
        raise OverflowError(f"lengths: {len(lengths)} items, the most is {_MOST_ITEMS}")
    bounds = (int(offsets[0]), int(offsets[-1])) if len(offsets) else ()
    if bounds != (0, len(lengths)) or (np.diff(offsets) < 0).any():
        raise ValueError(f"offsets: they do not rise from 0 to {len(lengths)}")
