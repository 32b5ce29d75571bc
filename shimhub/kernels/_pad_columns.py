"""Columns for padding: Arrow's lists, and ``Ragged``, as the tuples that the library reads.

What pyarrow has as lists of numbers is told by its buffers as they are; anything else goes through
:mod:`shimhub.kernels._columns` first, which knows more layouts and takes longer.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels import _columns

if TYPE_CHECKING:
    from collections.abc import Iterable

#: (number, kind, width, length, offset, values' length, values' offset, buffers, owner)
Chunk = tuple[int, int, int, int, int, int, int, list[Any], object]

#: ``shimhub_number`` by dtype; Arrow's booleans are bits, and what is only null is no number.
_NUMBERS: Final = {
    np.dtype(name): number
    for number, name in enumerate(
        (
            *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
            *("float32", "float64"),
        )
    )
}
_BIT: Final = 11
_NO_NUMBER: Final = -1

#: Filled from pyarrow when it is there: list types and their widths, and numbers by type id.
_widths: dict[type, int] = {}
_numbers: dict[int, int] = {}


def is_column(data: Any) -> bool:
    """Whether it is Arrow's, or Ragged: for :func:`chunks_of` or :func:`columns_of`."""
    return (
        isinstance(data, _columns.Ragged)
        or hasattr(data, "__arrow_c_array__")
        or hasattr(data, "__arrow_c_stream__")
    )


def chunks_of(data: Any, name: str) -> tuple[Chunk, ...]:
    """Return the chunks of one column; raises ``TypeError`` if it is not of lists of numbers."""
    if type(data) in _list_types():
        return (_arrow_list(data, name),)
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and isinstance(data, pyarrow.ChunkedArray):
        return tuple(chunk for part in data.chunks for chunk in chunks_of(part, name))
    return _general(_columns.chunks(data, name), name)


def columns_of(features: Any, names: Iterable[str]) -> dict[str, tuple[Chunk, ...]]:
    """Return the chunks of those columns of a table or a mapping of columns that are there."""
    if isinstance(features, dict):
        return {
            name: chunks_of(features[name], f"features[{name!r}]")
            for name in names
            if name in features
        }
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is None or not isinstance(features, (pyarrow.RecordBatch, pyarrow.Table)):
        found = _columns.table(features, "features")
        return {
            name: _general(found[name], f"features[{name!r}]") for name in names if name in found
        }
    indices = ((name, features.schema.get_field_index(name)) for name in names)
    return {
        name: chunks_of(features.column(index), f"features[{name!r}]")
        for name, index in indices
        if index >= 0
    }


def _list_types() -> dict[type, int]:
    """Return pyarrow's classes of lists with the width of their offsets; {} without pyarrow."""
    if not _widths and (pyarrow := sys.modules.get("pyarrow")) is not None:
        for dtype, number in _NUMBERS.items():
            _numbers[getattr(pyarrow, str(dtype))().id] = number
        _numbers[pyarrow.bool_().id] = _BIT
        _widths.update({pyarrow.ListArray: 4, pyarrow.LargeListArray: 8})
    return _widths


def _arrow_list(array: Any, name: str) -> Chunk:
    values = array.values
    number = _numbers.get(values.type.id)
    if number is None:
        return _general(_columns.chunks(array, name), name)[0]
    width = _widths[type(array)]
    return (
        *(number, _columns.Kind.LIST, width, len(array), array.offset),
        *(len(values), values.offset, array.buffers(), array),
    )


def _general(columns: Iterable[_columns.Column], name: str) -> tuple[Chunk, ...]:
    return tuple(_chunk(column, name) for column in columns)


def _chunk(column: _columns.Column, name: str) -> Chunk:
    if column.kind not in (_columns.Kind.LIST, _columns.Kind.FIXED_LIST):
        raise TypeError(f"{name}: expected lists of numbers, got a column of {_kind_of(column)}")
    values = column.children[0]
    buffers = [column.validity, column.offsets, values.validity, values.data]
    return (
        *(_number_of(values, name), column.kind, column.width, column.length, column.offset),
        *(values.length, values.offset),
        [(buffer.address, buffer.size) if buffer.address else None for buffer in buffers],
        column,
    )


def _number_of(values: _columns.Column, name: str) -> int:
    if values.kind is _columns.Kind.NULL:
        return _NO_NUMBER
    if values.kind is _columns.Kind.BOOL:
        return _BIT
    number = None if values.dtype is None else _NUMBERS.get(values.dtype)
    if number is None:
        raise TypeError(f"{name}: expected lists of numbers, got lists of {_kind_of(values)}")
    return number


def _kind_of(column: _columns.Column) -> str:
    return column.kind.name.lower() if column.dtype is None else str(column.dtype)
