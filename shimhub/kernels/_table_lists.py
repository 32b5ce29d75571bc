"""Arrow tables of lists, checked: what :func:`shimhub.kernels.pack_table` reads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.kernels import _arrow, _arrow_import, _columns

Array = np.ndarray[Any, Any]


class Where(NamedTuple):
    """Rows begin at ``starts`` of the values of chunk ``chunk_of``; None: there is but one."""

    starts: Array
    chunk_of: Array | None


class Column(NamedTuple):
    """A column of lists without nulls, whose offsets rise and stay within the values."""

    name: str
    is_large: bool
    chunks: list[pa.Array]  #: the values of each chunk
    where: Where
    lists: list[pa.Array]

    def joined(self) -> pa.Array:
        """Return the values of all rows as one array."""
        values = [chunk.flatten() for chunk in self.lists]
        return values[0] if len(values) == 1 else pa.concat_arrays([self.chunks[0][:0], *values])


def columns_of(data: Any) -> tuple[list[Column], Array]:
    """Return the columns of a table, and the lengths of its rows."""
    table = _table(data)
    names = list(table.column_names)
    columns = [_column(name, table.column(i)) for i, name in enumerate(names)]
    return [one for _, one in columns], _common_lengths(names, [one for one, _ in columns])


def _table(data: Any) -> pa.Table:
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return data
    if _columns.is_dataset(data):
        return _arrow_import.table(data, "table")
    kind = type(data).__name__
    if isinstance(data, (pa.Array, pa.ChunkedArray)) or not hasattr(data, "__arrow_c_stream__"):
        cure = "pass a pyarrow.Table, such as pyarrow.table() makes"
        raise TypeError(f"table: {kind} is no table of Arrow; {cure}")
    try:
        return pa.table(data)
    except pa.ArrowInvalid as error:
        raise TypeError(f"table: {kind} gives no table: {error}") from error


def _column(name: str, column: pa.ChunkedArray) -> tuple[Array, Column]:
    is_large = pa.types.is_large_list(column.type)
    if not (is_large or pa.types.is_list(column.type)):
        raise TypeError(f"{name!r}: {column.type} is no list; packing joins lists")
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    _verify(chunks, repr(name), 8 if is_large else 4)
    if any(chunk.null_count for chunk in chunks):
        row = column.is_null().index(True).as_py()
        raise ValueError(f"{name!r}: row {row} is null")
    offsets = [np.asarray(chunk.offsets) for chunk in chunks]
    starts = _join([part[:-1] for part in offsets])
    chunk_of = None
    if len(chunks) > 1:
        sizes = [len(chunk) for chunk in chunks]
        chunk_of = np.repeat(np.arange(len(chunks), dtype=np.uint32), sizes)
    values = [chunk.values for chunk in chunks] or [pa.array([], column.type.value_type)]
    lengths = _join([np.diff(part) for part in offsets])
    return lengths, Column(name, is_large, values, Where(starts, chunk_of), chunks)


def _verify(lists: list[pa.Array], name: str, width: int) -> None:
    """Raise ``ValueError`` where pyarrow or the library would read beside the buffers. O(rows).

    Values that pyarrow is to copy are checked as a whole, which takes O(values).
    """
    _columns.verify([bounds(one, name, width) for one in lists], name)
    for one in lists:
        _arrow.checked(one.values, name, full=not is_fixed(one.values.type))


def bounds(lists: pa.Array, name: str, width: int) -> _columns.Column:
    """Return the lists with nothing told of their values but how many there are."""
    validity, offsets = lists.buffers()[:2]
    return _columns.Column(
        _columns.Kind.LIST,
        len(lists),
        width=width,
        offset=lists.offset,
        validity=_arrow.buffer(validity),
        offsets=_arrow.buffer(offsets),
        children=(_columns.Column(_columns.Kind.NULL, len(lists.values)),),
        name=name,
        keep=lists,
    )


def is_fixed(kind: pa.DataType) -> bool:
    """Whether values take some bits each, in one buffer."""
    tests = (pa.types.is_primitive, pa.types.is_fixed_size_binary, pa.types.is_decimal)
    return any(test(kind) for test in tests) and kind.bit_width > 0


def _join(parts: list[Array]) -> Array:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _common_lengths(names: list[str], lengths: list[Array]) -> Array:
    if not lengths:
        raise ValueError("table: it has no columns")
    for name, other in zip(names, lengths, strict=True):
        if not np.array_equal(lengths[0], other):
            row = int(np.argmax(lengths[0] != other))
            raise ValueError(
                f"{name!r}: row {row} has {other[row]} values, that of {names[0]!r} has "
                f"{lengths[0][row]}"
            )
    return lengths[0]
