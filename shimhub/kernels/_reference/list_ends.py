"""Where lists end, by pyarrow and NumPy; what ``native/src/list_ends.c`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.kernels import _arrow, _columns, _table_lists

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


def list_lengths(chunks: list[pa.Array]) -> Array:
    """Return how long the lists of all chunks are; see :mod:`shimhub.kernels.list_ends`."""
    _columns.verify(columns(chunks, has_values=False), "column")
    return _lengths(chunks)


def last_values(chunks: list[pa.Array]) -> tuple[Array, Array]:
    """Return that, and the last value of each list, 0 where it is empty."""
    _columns.verify(columns(chunks, has_values=True), "column")
    return _lengths(chunks), _joined([_last(chunk) for chunk in chunks if len(chunk)])


def columns(chunks: list[pa.Array], *, has_values: bool) -> list[_columns.Column]:
    """Return the chunks as columns, with their values or the count of these."""
    if has_values:
        return [_arrow.column(chunk, "column") for chunk in chunks]
    return [_table_lists.bounds(chunk, "column", offset_width(chunk)) for chunk in chunks]


def offset_width(lists: pa.Array) -> int:
    """Return how many bytes an offset of lists has."""
    return 8 if pa.types.is_large_list(lists.type) else 4


def _lengths(chunks: list[pa.Array]) -> Array:
    # Arrow leaves out the offsets of empty arrays.
    return _joined([np.diff(chunk.offsets.to_numpy()) for chunk in chunks if len(chunk)])


def _last(chunk: pa.Array) -> Array:
    bounds, last = chunk.offsets.to_numpy(), np.zeros(len(chunk), np.int64)
    is_filled = np.diff(bounds) > 0
    last[is_filled] = chunk.values.to_numpy()[bounds[1:][is_filled] - 1]
    return last


def _joined(parts: list[Array]) -> Array:
    return np.concatenate([np.zeros(0, np.int64), *parts])
