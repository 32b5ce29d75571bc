"""Packing of Arrow tables, by pyarrow and the native gather."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.kernels import _loading, packing
from shimhub.kernels._table_lists import Column, Where, columns_of, is_fixed

if TYPE_CHECKING:
    from types import ModuleType

    Array = np.ndarray[Any, Any]

_OVERLONG: Final = ("truncate", "split", "drop", "error")
_BITS: Final = 8


def packed(table: Any, capacity: int, strategy: str, overlong: str) -> pa.Table:
    """Return what ``packing_tables.pack_table`` does."""
    if overlong not in _OVERLONG:
        raise ValueError(f"overlong: {overlong!r}; choose of {', '.join(_OVERLONG)}")
    size = packing.as_index("capacity", capacity)
    columns, lengths = columns_of(table)
    if strategy == "wrapped":
        return _wrapped(columns, size, int(lengths.sum()))
    return _packed(columns, lengths, (size, strategy, overlong))


class _Pieces(NamedTuple):
    """Piece p is ``lengths[p]`` values from ``skip[p]`` on of row ``rows[p]``; None: as rows."""

    lengths: Array
    rows: Array | None
    skip: Array | None

    def within(self, where: Where) -> Where:
        """Return where the pieces of a column begin whose rows are there."""
        starts, chunk_of = where
        if self.rows is not None:
            starts = starts[self.rows]
            chunk_of = None if chunk_of is None else chunk_of[self.rows]
        return Where(starts if self.skip is None else starts + self.skip, chunk_of)


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


def _packed(columns: list[Column], lengths: Array, how: tuple[int, str, str]) -> pa.Table:
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


def _gather(column: Column, pieces: _Pieces, order: Array, total: int) -> pa.Array:
    """Return the values of the pieces in that order as one array."""
    kind, where = column.chunks[0].type, pieces.within(column.where)
    native = _loading.native()
    if native is None or not is_fixed(kind):
        return _take(column.chunks, where, pieces.lengths, order)
    source = _Source(native, where, pieces.lengths, order)
    validity, nulls = None, any(chunk.null_count for chunk in column.chunks)
    if nulls:
        validity = source.gather([_values(one, 0, 1) for one in column.chunks], 1, total)
    width = kind.bit_width
    data = source.gather([_values(one, 1, width) for one in column.chunks], width, total)
    return pa.Array.from_buffers(kind, total, [validity, data], -1 if nulls else 0)


def _values(array: pa.Array, which: int, width: int) -> tuple[int, int, int]:
    """Return address, size and first bit of an array's validity (0) or values (1)."""
    buffer = array.buffers()[which]
    if buffer is None:
        return 0, 0, 0
    return buffer.address, buffer.size, array.offset * width


class _Source:
    """Where the pieces of a column are; keeps what the native library reads alive."""

    def __init__(self, native: ModuleType, where: Where, lengths: Array, order: Array) -> None:
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


def _take(chunks: list[Any], where: Where, lengths: Array, order: Array) -> pa.Array:
    """Return the same by pyarrow, for values of any type."""
    starts = where.starts
    if where.chunk_of is not None:
        sizes = [len(chunk) for chunk in chunks]
        starts = starts + (np.cumsum(sizes) - sizes)[where.chunk_of]
    counts = lengths[order]
    shift = starts[order] - (np.cumsum(counts) - counts)
    places = np.arange(counts.sum()) + np.repeat(shift, counts)
    return pa.concat_arrays(chunks).take(pa.array(places))


def _wrapped(columns: list[Column], size: int, total: int) -> pa.Table:
    if size < 1:
        raise ValueError(f"capacity: {size} is less than 1")
    ends = np.append(np.arange(0, total, size), total)
    arrays = [_list_array(one.is_large, ends, one.joined()) for one in columns]
    return pa.Table.from_arrays(arrays, names=[one.name for one in columns])
