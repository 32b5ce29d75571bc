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
    from shimhub.kernels import list_ends

    lengths = list_ends.list_lengths(column)
    return None if lengths is None else _taken(lengths, rows)


def last_integers(column: Any, rows: Array | None = None) -> Array | None:
    """Return the last value of each list of integers, as int64; None if one of them is empty."""
    from shimhub.kernels import list_ends

    found = list_ends.last_values(column)
    if found is None:
        return None
    lengths, last = found
    return _taken(last, rows) if _taken(lengths, rows).all() else None


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


def _taken(values: Array, rows: Array | None) -> Array:
    return values if rows is None else values[rows]
