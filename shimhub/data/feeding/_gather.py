"""Rows of several record batches, in any order, as one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shimhub.data.feeding._order import Array

#: What 32-bit offsets can tell.
_LIMIT: Final = (1 << 31) - 1


def gathered(batches: Sequence[pa.RecordBatch], which: Array, rows: Array) -> pa.RecordBatch:
    """Return row ``rows[i]`` of ``batches[which[i]]`` for each i; the batches have one schema."""
    schema = batches[0].schema
    columns = [
        _column([batch.column(at) for batch in batches], which, rows) for at in range(len(schema))
    ]
    if not columns:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(rows), pa.struct([])))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(arrays: list[pa.Array], which: Array, rows: Array) -> pa.Array:
    if all(_is_of_numbers(array) for array in arrays):
        found = _lists(arrays, which, rows)
        if found is not None:
            return found
    try:
        return _taken(arrays, which, rows)
    except pa.ArrowNotImplementedError:  # take knows no views of strings
        places = zip(which.tolist(), rows.tolist(), strict=True)
        return pa.concat_arrays([arrays[one].slice(row, 1) for one, row in places])


def _is_of_numbers(array: pa.Array) -> bool:
    """Whether it is of lists of numbers and has no nulls: tokens, as a rule."""
    kind = array.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    inner = kind.value_type
    is_number = pa.types.is_integer(inner) or pa.types.is_floating(inner)
    return is_number and not array.null_count and not array.values.null_count


def _lists(arrays: list[pa.Array], which: Array, rows: Array) -> pa.Array | None:
    """Copy whole rows; Arrow's take copies number by number. None if 32 bits are too few."""
    starts, stops = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    for at, array in enumerate(arrays):
        here, offsets = which == at, array.offsets.to_numpy()
        starts[here], stops[here] = offsets[rows[here]], offsets[rows[here] + 1]
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(stops - starts, out=offsets[1:])
    kind: Any = arrays[0].type
    if offsets[-1] > _LIMIT and pa.types.is_list(kind):
        return None
    values = [array.values.to_numpy(zero_copy_only=True) for array in arrays]
    places = zip(which.tolist(), starts.tolist(), stops.tolist(), strict=True)
    parts = [values[one][start:stop] for one, start, stop in places]
    joined = np.concatenate(parts) if parts else values[0][:0]
    width = np.int32 if pa.types.is_list(kind) else np.int64
    make = pa.ListArray if pa.types.is_list(kind) else pa.LargeListArray
    return make.from_arrays(pa.array(offsets.astype(width)), pa.array(joined), type=kind)


def _taken(arrays: list[pa.Array], which: Array, rows: Array) -> pa.Array:
    """Take from each array what is wanted of it, and put that in order."""
    if len(arrays) == 1:
        return arrays[0].take(pa.array(rows))
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(arrays) + 1))
    parts = [
        array.take(pa.array(rows[order[ends[at] : ends[at + 1]]]))
        for at, array in enumerate(arrays)
    ]
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return pa.concat_arrays(parts).take(pa.array(back))
