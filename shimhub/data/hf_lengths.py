"""Lengths of the rows of Hugging Face datasets, read from Arrow's offsets and never row by row.

Each function answers None where the answer is not in the offsets alone (nulls, other types), so
that the caller can ask in another way.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: How many values of a column are compared at once: what is made for that stays small.
_BLOCK = 1 << 20


def is_table(dataset: Any) -> bool:
    """Whether this is a dataset with an Arrow table under it, without importing ``datasets``."""
    module = sys.modules.get("datasets.arrow_dataset")
    return module is not None and isinstance(dataset, module.Dataset)


def is_plain(dataset: Any) -> bool:
    """Whether columns of a dataset are what its table has: no format, no class of its own."""
    if not is_table(dataset):
        return False
    kind, plain = type(dataset), sys.modules["datasets.arrow_dataset"].Dataset
    return bool(
        kind.__getitem__ is plain.__getitem__
        and kind.column_names is plain.column_names
        and dataset._format_type is None
        and dataset._format_columns is None
    )


def rows_of(dataset: Any) -> Array | None:
    """Return which rows of its table a dataset has, or None for all of them in order."""
    indices = dataset._indices
    return None if indices is None else indices.column(0).to_numpy()


def integers(column: Any, rows: Array | None = None) -> Array | None:
    """Return a column of integers as int64, a copy."""
    if not _is_small_integer(column.type) or column.null_count:
        return None
    return _taken(column.to_numpy(), rows).astype(np.int64)


def list_lengths(column: Any, rows: Array | None = None) -> Array | None:
    """Return how long each list of a column is, as int64."""
    if not _is_list(column.type) or column.null_count:
        return None
    parts = [np.diff(_offsets(chunk)) for chunk in column.chunks]
    return _taken(_joined(parts), rows).astype(np.int64)


def last_integers(column: Any, rows: Array | None = None) -> Array | None:
    """Return the last value of each list of integers, as int64; None if one of them is empty."""
    if not _is_list(column.type) or column.null_count:
        return None
    return _last(column, rows) if _is_small_integer(column.type.value_type) else None


def _last(column: Any, rows: Array | None) -> Array | None:
    offsets = [_offsets(chunk) for chunk in column.chunks]
    is_filled = _taken(_joined([np.diff(one) > 0 for one in offsets]), rows)
    if not is_filled.all():
        return None
    parts = []
    for chunk, bounds in zip(column.chunks, offsets, strict=True):
        values = chunk.values
        if values.null_count:
            return None
        # Of an empty list it is some other value, or none: it is not taken.
        at = np.maximum(bounds[1:], 1) - 1
        parts.append(values.to_numpy()[at] if len(values) else np.zeros(len(at), np.int64))
    return _taken(_joined(parts), rows).astype(np.int64)


def count_other(column: Any, value: int) -> int | None:
    """Return how many integers in a column of lists are not ``value``."""
    if not _is_list(column.type) or column.null_count:
        return None
    if not _is_small_integer(column.type.value_type):
        return None
    count = 0
    for chunk in column.chunks:
        flat = chunk.flatten()
        if flat.null_count:
            return None
        count += _count_other(flat.to_numpy(), value)
    return count


def _count_other(values: Array, value: int) -> int:
    blocks = (values[start : start + _BLOCK] for start in range(0, len(values), _BLOCK))
    return sum(int(np.count_nonzero(block != value)) for block in blocks)


def _is_list(kind: Any) -> bool:
    import pyarrow as pa  # type: ignore[import-untyped]

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_small_integer(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) and not pa.types.is_uint64(kind))


def _offsets(chunk: Any) -> Array:
    """Return where the lists of a chunk begin in its values, and where the last one ends."""
    offsets: Array = chunk.offsets.to_numpy()
    return offsets if len(offsets) else np.zeros(1, np.int64)


def _joined(parts: list[Array]) -> Array:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _taken(values: Array, rows: Array | None) -> Array:
    return values if rows is None else values[rows]
