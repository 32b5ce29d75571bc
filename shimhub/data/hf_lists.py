"""Columns of lists of integers, read by their offsets; None where they hold anything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.kernels import _positions as rows

Array = np.ndarray[Any, Any]


def _parts(column: pa.ChunkedArray) -> list[tuple[Array, pa.Array]] | None:
    """Return offsets and values of each chunk; None if a row or a value is null, or no integer."""
    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not is_list or not pa.types.is_integer(kind.value_type) or column.null_count:
        return None
    found = [(chunk.offsets.to_numpy(), chunk.values) for chunk in column.chunks]
    return None if any(values.null_count for _, values in found) else found


def _joined(parts: list[Array], kind: Any) -> Array:
    return np.concatenate(parts) if parts else np.empty(0, kind)


def lengths(column: pa.ChunkedArray) -> Array | None:
    """Return how many values each row has, as int64."""
    parts = _parts(column)
    if parts is None:
        return None
    return _joined([np.diff(offsets) for offsets, _ in parts], np.int64).astype(np.int64)


def has_other(column: pa.ChunkedArray, value: int) -> Array | None:
    """Return whether each row has a value that is not this one. O(rows) where ends tell it."""
    parts = _parts(column)
    if parts is None:
        return None
    return _joined([_has_other(offsets, values, value) for offsets, values in parts], bool)


def _has_other(offsets: Array, values: pa.Array, value: int) -> Array:
    numbers = values.to_numpy()
    starts, ends = offsets[:-1], offsets[1:]
    found = np.zeros(len(starts), bool)
    filled = np.flatnonzero(ends > starts)
    found[filled] = numbers[ends[filled] - 1] != value
    for row in filled[~found[filled]]:
        found[row] = (numbers[starts[row] : ends[row]] != value).any()
    return found


def positions(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return 0, 1, 2, ... for each row of a column that has lengths; lists of int64."""
    parts = _parts(column)
    if parts is None:
        raise TypeError(f"a column of {column.type}, or with nulls")
    chunks = [_positions(offsets) for offsets, _ in parts]
    return pa.chunked_array(chunks, pa.list_(pa.int64()))


def _positions(offsets: Array) -> pa.Array:
    ends = (offsets - offsets[0]).astype(np.int64)
    numbers = pa.array(rows.positions(ends))
    return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), numbers)
