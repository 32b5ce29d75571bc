"""Columns checked and read in NumPy; what ``native/src/columns.c`` does."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.kernels._columns import Kind

if TYPE_CHECKING:
    from shimhub.kernels._columns import Buffer, Column

Array = np.ndarray[Any, Any]

_NO_ROW = -1


def view(buffer: Buffer, dtype: Any = np.uint8) -> Array:
    """Return the buffer's memory as an array, without a copy; its owner must outlive it."""
    dtype = np.dtype(dtype)
    count = buffer.size // dtype.itemsize
    if not buffer.address or not count:
        return np.empty(0, dtype=dtype)
    memory = (ctypes.c_char * buffer.size).from_address(buffer.address)
    array: Array = np.frombuffer(memoryview(memory), dtype=dtype, count=count)
    return array


def offsets(column: Column) -> Array:
    """Return all offsets of a BINARY or LIST column, those before ``column.offset`` too."""
    return view(column.offsets, np.int32 if column.width == np.dtype(np.int32).itemsize else "i8")


def valid(column: Column, start: int, count: int) -> Array:
    """Return for rows of the buffers whether they are not null, as booleans."""
    if column.kind is Kind.NULL:
        return np.zeros(count, dtype=bool)
    if not column.validity.address:
        return np.ones(count, dtype=bool)
    return bits(column.validity, start, count)


def bits(buffer: Buffer, start: int, count: int) -> Array:
    """Return bits of the buffer, least significant first, as booleans."""
    part = view(buffer)[start // 8 : (start + count + 7) // 8]
    return np.unpackbits(part, bitorder="little")[start % 8 :][:count].astype(bool)


def check(column: Column) -> tuple[bool, int]:
    """Return whether every row lies within the buffers, and the first that does not (or -1)."""
    ok, row = _check(column, column.offset, column.offset + column.length)
    return ok, row if row == _NO_ROW else row - column.offset


def _check(column: Column, start: int, end: int) -> tuple[bool, int]:
    if start == end:
        return True, _NO_ROW
    if column.validity.address and (end + 7) // 8 > column.validity.size:
        return False, _NO_ROW
    if column.kind in (Kind.BINARY, Kind.LIST):
        return _check_offsets(column, start, end)
    if column.kind in (Kind.FIXED_LIST, Kind.STRUCT):
        return _check_nested(column, start, end)
    return _needed(column, end) <= column.data.size, _NO_ROW


def _needed(column: Column, end: int) -> int:
    """Return the bytes that ``end`` rows take."""
    if column.kind is Kind.BOOL:
        return (end + 7) // 8
    return 0 if column.kind is Kind.NULL else end * column.width


def _check_offsets(column: Column, start: int, end: int) -> tuple[bool, int]:
    if end >= column.offsets.size // column.width:
        return False, _NO_ROW
    child = column.children[0] if column.children else None
    limit = column.data.size if child is None else child.length
    found = offsets(column)[start : end + 1].astype(np.int64)
    wrong = (found[1:] < found[:-1]) | (found[:-1] < 0) | (found[1:] > limit)
    if wrong.any():
        return False, start + int(wrong.argmax())
    if child is None:
        return True, _NO_ROW
    ok, row = _check(child, child.offset + int(found[0]), child.offset + int(found[-1]))
    if row != _NO_ROW:
        row = start + int(np.searchsorted(found, row - child.offset, "right")) - 1
    return ok, row


def _check_nested(column: Column, start: int, end: int) -> tuple[bool, int]:
    """Check the children of rows that have a fixed number of rows of each."""
    times = column.width if column.kind is Kind.FIXED_LIST else 1
    for child in column.children:
        if end * times > child.length:
            return False, _NO_ROW
        ok, row = _check(child, child.offset + start * times, child.offset + end * times)
        if not ok:
            return False, row if row == _NO_ROW else (row - child.offset) // times
    return True, _NO_ROW
