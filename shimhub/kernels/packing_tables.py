"""Packing of Arrow tables: rows of lists become fewer and longer rows."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.kernels import _loading, packing

if TYPE_CHECKING:
    from types import ModuleType

    Array = np.ndarray[Any, Any]

_OVERLONG: Final = ("truncate", "split", "drop", "error")
_BITS: Final = 8


class _Where(NamedTuple):
    """Rows begin at ``starts`` of the values of chunk ``chunk_of``; None: there is but one."""

    starts: Array
    chunk_of: Array | None


class _Column(NamedTuple):
    """A column of lists."""

    name: str
    is_large: bool
    chunks: list[Any]  #: the values of each chunk, arrays
    where: _Where


def pack_table(
    table: pa.Table,
    capacity: int,
    *,
    strategy: str = "best_fit_decreasing",
    overlong: str = "truncate",
) -> pa.Table:
    """Pack the rows of a table of lists, such as tokens and their labels, into longer rows.

    ``table`` has columns of lists (``list`` or ``large_list``, chunked and sliced as it may be)
    that agree on each row's length. Each bin of :func:`shimhub.kernels.pack` becomes a row with
    its items' values one behind the other; the column ``seq_lengths`` tells how long they are.
    Rows without values are left out. ``strategy`` is one of ``pack``'s or ``"wrapped"``:
    all values in their order, cut each ``capacity`` without regard to rows, and no
    ``seq_lengths``. ``overlong`` rows lose what is over ``capacity`` (``"truncate"``), become
    several of ``capacity`` and a rest (``"split"``), are left out (``"drop"``), or are an error.

    The result is that of trl's ``pack_dataset``: ``"bfd"`` is the default, ``"bfd_split"`` is
    ``overlong="split"``, and ``"wrapped"`` is itself; it forgets the names of list items and the
    metadata of the schema as that does.
    https://github.com/huggingface/trl/blob/main/trl/data_utils.py

    O(values) copying beside ``pack``'s work; values of fixed width (numbers, booleans, times,
    decimals) are copied by the native library, others by pyarrow. Raises ``TypeError`` for a column
    that is not of lists, ``ValueError`` for a table without columns, rows that are null or of
    different lengths (with the column and row) and as ``pack``, ``OverflowError`` if the values
    are too many for the offsets of ``list``: cast to ``large_list`` then.
    """
    if overlong not in _OVERLONG:
        raise ValueError(f"overlong: {overlong!r}; choose of {', '.join(_OVERLONG)}")
    names = list(table.column_names)
    columns = [_column(name, table.column(i)) for i, name in enumerate(names)]
    lengths = _common_lengths(names, [one for one, _ in columns])
    if strategy == "wrapped":
        return _wrapped(table, capacity, int(lengths.sum()))
    return _packed([one for _, one in columns], lengths, (capacity, strategy, overlong))


def _column(name: str, column: pa.ChunkedArray) -> tuple[Array, _Column]:
    is_large = pa.types.is_large_list(column.type)
    if not (is_large or pa.types.is_list(column.type)):
        raise TypeError(f"{name!r}: {column.type} is no list; packing joins lists")
    if column.null_count:
        row = column.is_null().index(True).as_py()
        raise ValueError(f"{name!r}: row {row} is null")
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    offsets = [np.asarray(chunk.offsets) for chunk in chunks]
    lengths = _join([np.diff(part) for part in offsets])
    if len(lengths) and lengths.min() < 0:
        raise ValueError(f"{name!r}: offsets of row {int(np.argmax(lengths < 0))} fall")
    starts = _join([part[:-1] for part in offsets])
    chunk_of = None
    if len(chunks) > 1:
        sizes = [len(chunk) for chunk in chunks]
        chunk_of = np.repeat(np.arange(len(chunks), dtype=np.uint32), sizes)
    values = [chunk.values for chunk in chunks]
    if not values:
        values = [pa.array([], column.type.value_type)]
    return lengths, _Column(name, is_large, values, _Where(starts, chunk_of))


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


class _Pieces(NamedTuple):
    """Piece p is ``lengths[p]`` values from ``skip[p]`` on of row ``rows[p]``; None: as rows."""

    lengths: Array
    rows: Array | None
    skip: Array | None

    def within(self, where: _Where) -> _Where:
        """Return where the pieces of a column begin whose rows are there."""
        starts, chunk_of = where
        if self.rows is not None:
            starts = starts[self.rows]
            chunk_of = None if chunk_of is None else chunk_of[self.rows]
        return _Where(starts if self.skip is None else starts + self.skip, chunk_of)


def _pieces(lengths: Array, capacity: int, overlong: str) -> _Pieces:
    kept = lengths > 0
    if overlong == "error":
        _refuse_overlong(lengths, capacity)
    if overlong == "split" and len(lengths) and lengths.max() > capacity:
        return _split(lengths, capacity)
    if overlong == "drop":
        kept &= lengths <= capacity
    short = np.minimum(lengths, capacity) if overlong == "truncate" else lengths
    if kept.all():
        return _Pieces(short, None, None)
    rows = np.flatnonzero(kept)
    return _Pieces(short[rows], rows, None)


def _refuse_overlong(lengths: Array, capacity: int) -> None:
    if len(lengths) and lengths.max() > capacity:
        row = int(np.argmax(lengths > capacity))
        raise ValueError(
            f"table: row {row} has {lengths[row]} values, over the capacity, {capacity}; pass "
            "overlong='truncate', 'split' or 'drop'"
        )


def _split(lengths: Array, capacity: int) -> _Pieces:
    counts = -(-lengths // capacity)
    rows = np.repeat(np.arange(len(lengths)), counts)
    before = np.cumsum(counts) - counts
    skip = (np.arange(len(rows)) - before[rows]) * capacity
    return _Pieces(np.minimum(lengths[rows] - skip, capacity), rows, skip)


def _packed(columns: list[_Column], lengths: Array, how: tuple[int, str, str]) -> pa.Table:
    capacity, strategy, overlong = how
    pieces = _pieces(lengths, packing.as_capacity(capacity), overlong)
    bins = packing.pack(pieces.lengths, capacity, strategy=strategy)
    placed = pieces.lengths[bins.items]
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(placed)])[bins.offsets]
    arrays = [
        _list_array(column.is_large, ends, _gather(column, pieces, bins.items, int(ends[-1])))
        for column in columns
    ]
    # trl takes the type of its first column's offsets for the lengths.
    kind = pa.int64() if columns[0].is_large else pa.int32()
    items = pa.array(placed.astype(kind.to_pandas_dtype(), copy=False))
    arrays.append(_list_array(False, bins.offsets, items))
    return pa.Table.from_arrays(arrays, names=[*(one.name for one in columns), "seq_lengths"])


def _list_array(is_large: bool, offsets: Array, values: pa.Array) -> pa.Array:
    if is_large:
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values)
    if offsets[-1] > np.iinfo(np.int32).max:
        raise OverflowError(
            f"{offsets[-1]} values are too many for the offsets of list; cast to large_list"
        )
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)


def _gather(column: _Column, pieces: _Pieces, order: Array, total: int) -> pa.Array:
    """Return the values of the pieces in that order as one array."""
    kind, where = column.chunks[0].type, pieces.within(column.where)
    native = _loading.native()
    if native is None or not _is_fixed(kind):
        return _take(column.chunks, where, pieces.lengths, order)
    source = _Source(native, where, pieces.lengths, order)
    validity, nulls = None, any(chunk.null_count for chunk in column.chunks)
    if nulls:
        validity = source.gather([_values(one, 0, 1) for one in column.chunks], 1, total)
    width = kind.bit_width
    data = source.gather([_values(one, 1, width) for one in column.chunks], width, total)
    return pa.Array.from_buffers(kind, total, [validity, data], -1 if nulls else 0)


def _is_fixed(kind: pa.DataType) -> bool:
    tests = (pa.types.is_primitive, pa.types.is_fixed_size_binary, pa.types.is_decimal)
    return any(test(kind) for test in tests) and kind.bit_width > 0


def _values(array: pa.Array, which: int, width: int) -> tuple[int, int, int]:
    """Return address, size and first bit of an array's validity (0) or values (1)."""
    buffer = array.buffers()[which]
    if buffer is None:
        return 0, 0, 0
    return buffer.address, buffer.size, array.offset * width


class _Source:
    """Where the pieces of a column are; keeps what the native library reads alive."""

    def __init__(self, native: ModuleType, where: _Where, lengths: Array, order: Array) -> None:
        self.native = native
        self.arrays = [np.ascontiguousarray(one, np.int64) for one in (where.starts, lengths)]
        self.chunk_of = where.chunk_of
        self.order = order

    def gather(self, chunks: list[tuple[int, int, int]], width: int, total: int) -> pa.Buffer:
        """Return a buffer of the pieces' values, of ``width`` bits each."""
        ffi, lib = self.native.ffi, self.native.lib
        values = [(ffi.cast("void *", address), *rest) for address, *rest in chunks]
        kept = ffi.new("shimhub_values[]", values)
        pieces = ffi.new("shimhub_pieces *")
        pieces.chunks, pieces.chunk_count = kept, len(chunks)
        pieces.starts, pieces.lengths = (ffi.from_buffer("int64_t[]", a) for a in self.arrays)
        pieces.count, pieces.width = len(self.arrays[0]), width
        if self.chunk_of is not None:
            pieces.chunk_of = ffi.from_buffer("uint32_t[]", self.chunk_of)
        made = pa.allocate_buffer((total * width + _BITS - 1) // _BITS)
        place = ffi.new("int64_t *")
        order = ffi.from_buffer("uint32_t[]", self.order)
        out = ffi.cast("void *", made.address)
        status = lib.shimhub_gather(pieces, order, len(self.order), out, made.size, place)
        if status == lib.SHIMHUB_BAD_OFFSETS:
            raise ValueError(f"table: offsets are not within the values (piece {place[0]})")
        if status != lib.SHIMHUB_OK:
            raise ValueError("table: its offsets or buffers are out of range")
        return made


def _take(chunks: list[Any], where: _Where, lengths: Array, order: Array) -> pa.Array:
    """Return the same by pyarrow, for values of any type."""
    starts = where.starts
    if where.chunk_of is not None:
        sizes = [len(chunk) for chunk in chunks]
        starts = starts + (np.cumsum(sizes) - sizes)[where.chunk_of]
    counts = lengths[order]
    shift = starts[order] - (np.cumsum(counts) - counts)
    places = np.arange(counts.sum()) + np.repeat(shift, counts)
    return pa.concat_arrays(chunks).take(pa.array(places))


def _wrapped(table: pa.Table, capacity: int, total: int) -> pa.Table:
    size = operator.index(capacity)
    if size < 1:
        raise ValueError(f"capacity: {size} is less than 1")
    ends = np.append(np.arange(0, total, size), total)
    arrays = []
    for column in table.columns:
        values = [chunk.flatten() for chunk in column.chunks]
        kind = column.type.value_type
        joined = values[0] if len(values) == 1 else pa.concat_arrays([pa.array([], kind), *values])
        arrays.append(_list_array(pa.types.is_large_list(column.type), ends, joined))
    return pa.Table.from_arrays(arrays, names=table.column_names)
