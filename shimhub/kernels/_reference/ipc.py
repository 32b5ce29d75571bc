"""Record batches of Arrow IPC, in Python and NumPy: what ``native/src/ipc.c`` does."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels._columns import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

_BATCH, _V5, _DEPTH, _NONE = 3, 4, 64, 0xFFFFFFFF
_INT64_MAX: Final = 2**63 - 1


class _DamagedError(Exception):
    """Something is not as it should be."""


def _want(is_right: bool) -> None:
    if not is_right:
        raise _DamagedError


def _number(data: memoryview, form: str, at: int) -> int:
    _want(0 <= at <= len(data) - struct.calcsize(form))
    return int(struct.unpack_from(form, data, at)[0])


class _Table:
    """A table of a FlatBuffer."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data, self._at = data, at
        self._vtable = at - _number(data, "<i", at)
        self._size = _number(data, "<H", self._vtable)
        _want(self._size % 2 == 0 and self._vtable + self._size <= len(data))

    def field(self, index: int, form: str) -> int:
        """Return where a number is, 0 where it is not."""
        at = 4 + 2 * index
        slot = _number(self._data, "<H", self._vtable + at) if at + 2 <= self._size else 0
        is_there = slot and self._at + slot + struct.calcsize(form) <= len(self._data)
        return self._at + slot if is_there else 0

    def number(self, index: int, form: str) -> int:
        at = self.field(index, form)
        return _number(self._data, form, at) if at else 0

    def pointed(self, index: int) -> int:
        at = self.field(index, "<I")
        return at + _number(self._data, "<I", at) if at else 0

    def pairs(self, index: int) -> list[tuple[int, int]]:
        """Return the vector of structs of two numbers."""
        at = self.pointed(index)
        if not at:
            return []
        end = at + 4 + 16 * _number(self._data, "<I", at)
        _want(end <= len(self._data))
        return list(struct.iter_unpack("<qq", self._data[at + 4 : end]))


class _Walk:
    """A batch as its message tells it."""

    def __init__(self, table: _Table, body: memoryview, fields: Sequence[Any]) -> None:
        self.rows = table.number(0, "<q")
        self._all_nodes, self._all_buffers = table.pairs(1), table.pairs(2)
        self.is_compressed = table.field(3, "<B") != 0
        self._nodes, self._buffers = iter(self._all_nodes), iter(self._all_buffers)
        self._fields, self._left = iter(fields), len(fields)
        self._body = body
        _want(self.rows >= 0)
        self.most = max([self.rows, *(length for length, _nulls in self._all_nodes)])

    def decoded(self) -> int:
        """Return the bytes that compressed buffers become."""
        if not self.is_compressed:
            return len(self._body)
        found = [self._place(*place) for place in self._all_buffers]
        sizes = [max(_number(one, "<q", 0), len(one)) for one in found if len(one) >= 8]  # noqa: PLR2004 - a number
        _want(sum(sizes) <= _INT64_MAX)
        return sum(sizes)

    def check(self) -> None:
        """Look at all arrays."""
        while self._left:
            _want(self._array(0) == self.rows)
        _want(next(self._nodes, None) is None and next(self._buffers, None) is None)

    def _place(self, offset: int, length: int) -> memoryview:
        _want(offset >= 0 and length >= 0 and offset + length <= len(self._body))
        return self._body[offset : offset + length]

    def _buffer(self) -> memoryview:
        found = next(self._buffers, None)
        if found is None:
            raise _DamagedError
        return self._place(*found)

    def _array(self, depth: int) -> int:
        node = next(self._nodes, None) if depth < _DEPTH and self._left else None
        if node is None:
            raise _DamagedError
        kind, children, width = next(self._fields)
        self._left -= 1
        length, nulls = node
        _want(0 <= length < _INT64_MAX)
        if kind == Kind.NULL:
            _want(nulls == length)
        else:
            self._validity(length, nulls)
            self._values(kind, children, width, depth, length)
        return length

    def _validity(self, rows: int, nulls: int) -> None:
        bits = self._buffer()
        if nulls:
            _want(0 < nulls <= rows <= 8 * len(bits))
            told = np.unpackbits(np.frombuffer(bits, np.uint8), count=rows, bitorder="little")
            _want(int(told.sum()) == rows - nulls)

    def _values(self, kind: int, children: int, width: int, depth: int, rows: int) -> None:
        if kind in (Kind.FIXED, Kind.BOOL):
            size = len(self._buffer())
            _want(rows * width <= size if kind == Kind.FIXED else rows <= 8 * size)
        elif kind == Kind.BINARY:
            offsets = self._buffer()
            _check_offsets(offsets, width, rows, len(self._buffer()))
        elif kind == Kind.LIST:
            offsets = self._buffer()
            _check_offsets(offsets, width, rows, self._array(depth + 1))
        elif kind == Kind.FIXED_LIST:
            _want(self._array(depth + 1) >= rows * width)
        else:
            _want(kind == Kind.STRUCT)
            for _ in range(children):
                _want(self._array(depth + 1) == rows)


def _check_offsets(data: memoryview, width: int, rows: int, limit: int) -> None:
    if not rows:
        return  # nothing is read; Arrow leaves out the buffers of empty arrays
    _want(len(data) >= width * (rows + 1))
    found = np.frombuffer(data[: width * (rows + 1)], f"<i{width}")
    _want(bool(found[0] >= 0 and found[-1] <= limit and (found[1:] >= found[:-1]).all()))


def batch(data: Any, at: int, fields: Sequence[Any]) -> tuple[int, int, int, int, bool] | None:
    """Return end, rows, most rows of an array, bytes decoded, and whether it is compressed."""
    try:
        return _batch(memoryview(data), at, fields)
    except _DamagedError:
        return None


def _batch(data: memoryview, at: int, fields: Sequence[Any]) -> tuple[int, int, int, int, bool]:
    _want(0 <= at <= len(data) - 8)
    has_mark = _number(data, "<I", at) == _NONE
    start = at + (8 if has_mark else 4)
    size = _number(data, "<I", start - 4)
    _want(size <= len(data) - start)
    metadata, begin = data[start : start + size], start + size
    top = _Table(metadata, _number(metadata, "<I", 0))
    _want((top.number(0, "<h"), top.number(1, "<B")) == (_V5, _BATCH) and top.pointed(2) > 0)
    body = top.number(3, "<q")
    _want(0 <= body <= len(data) - begin)
    walk = _Walk(_Table(metadata, top.pointed(2)), data[begin : begin + body], fields)
    if not walk.is_compressed:
        walk.check()
    return begin + body, walk.rows, walk.most, walk.decoded(), walk.is_compressed
