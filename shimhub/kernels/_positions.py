"""The place of each value in its row."""

from __future__ import annotations

from typing import Any

import numpy as np

from shimhub.kernels import _loading

Array = np.ndarray[Any, np.dtype[np.int64]]


def positions(ends: Array) -> Array:
    """Return 0, 1, 2, ... for each row of ``ends[i + 1] - ends[i]`` values; ``ends[0]`` is 0.

    Raises ``ValueError`` where ends fall.
    """
    if len(ends) == 0 or ends[0] != 0:
        raise ValueError("ends: want one more than there are rows, from 0 on")
    native = _loading.native()
    if native is None:
        return reference(ends)
    found = np.empty(int(ends.max()), np.int64)
    ends = np.ascontiguousarray(ends, np.int64)
    to = native.ffi.from_buffer("int64_t[]", found)
    status = native.lib.shimhub_positions(
        native.ffi.from_buffer("int64_t[]", ends), len(ends) - 1, len(found), to
    )
    if status != native.lib.SHIMHUB_OK:
        raise ValueError("ends: they fall")
    return found


def reference(ends: Array) -> Array:
    """Return the same by NumPy."""
    counts = np.diff(ends)
    if (counts < 0).any():
        raise ValueError("ends: they fall")
    return np.arange(int(ends[-1])) - np.repeat(ends[:-1], counts)
