"""Values that a text format cannot hold, though pyarrow would write something for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.types as pt  # type: ignore[import-untyped]

from shimhub import kernels

#: What pyarrow's cast to text makes of a date or time beyond the years -32767 to 32767.
_BEYOND: Final = "<value out of range"
_LISTS: Final = (
    *(pt.is_list, pt.is_large_list, pt.is_fixed_size_list, pt.is_list_view, pt.is_large_list_view),
)


def refuse_no_text(batch: pa.RecordBatch) -> None:
    """Refuse text that is no UTF-8, which pyarrow writes to CSV as it is.

    Raises:
        CellError: so it is, in that row.
    """
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pt.is_string(column.type) or pt.is_large_string(column.type):
            try:
                column.validate(full=True)
            except pa.ArrowException as error:
                kernels.to_columns(pa.RecordBatch.from_arrays([column], [name]))  # names the row
                raise kernels.CellError(name, -1, str(error)) from error


def has_time(kind: pa.DataType) -> bool:
    """Whether a date or time is in the type, or inside of it."""
    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        return has_time(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return has_time(kind.storage_type)
    return bool(pt.is_date(kind) or pt.is_time(kind) or pt.is_timestamp(kind)) or any(
        has_time(kind.field(at).type) for at in range(kind.num_fields)
    )


def refuse_beyond(batch: pa.RecordBatch) -> None:
    """Refuse dates and times that have no text.

    Raises:
        CellError: there is one, in that row.
    """
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if has_time(column.type) and _is_beyond(column):
            row = next(at for at in range(len(column)) if _is_beyond(column.slice(at, 1)))
            raise kernels.CellError(name, row, "a date or time that has no text")


def _is_beyond(array: pa.Array) -> bool:
    return any(map(_has_beyond, _times(array)))


def _has_beyond(times: pa.Array) -> bool:
    if pt.is_timestamp(times.type):  # of a zone, pyarrow writes another year
        times = times.view(pa.timestamp(times.type.unit))
    ends = pc.min_max(times)
    texts = pa.concat_arrays([pa.repeat(ends[name], 1) for name in ("min", "max")])
    return any((one or "").startswith(_BEYOND) for one in texts.cast(pa.string()).to_pylist())


def _times(array: pa.Array) -> Iterator[pa.Array]:
    """Yield the arrays of dates and times in an array."""
    kind = array.type
    if not has_time(kind):
        return
    if isinstance(array, pa.ExtensionArray):
        yield from _times(array.storage)
    elif pt.is_dictionary(kind):
        yield from _times(array.dictionary_decode())
    elif pt.is_run_end_encoded(kind):
        yield from _times(pc.run_end_decode(array))
    elif pt.is_struct(kind) or any(one(kind) for one in _LISTS) or pt.is_map(kind):
        for inner in _inside(array):
            yield from _times(inner)
    else:
        yield array


def _inside(array: pa.Array) -> list[pa.Array]:
    """Return the values in structs, lists and maps; those of nulls are none."""
    if pt.is_struct(array.type):
        found: list[pa.Array] = array.flatten()
        return found
    if pt.is_map(array.type):
        pairs = array.filter(array.is_valid())
        return [pairs.keys, pairs.items] if len(pairs) else []
    return [array.flatten()]
