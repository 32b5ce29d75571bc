"""Texts of MinHash as they come: Python's objects in a tuple, or columns."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels import _columns
from shimhub.kernels._columns import Column, Kind
from shimhub.kernels._reference import columns as reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Rows = tuple[Any, ...] | list[Column]

_NAMES: Final = {
    Kind.NULL: "nulls",
    Kind.FIXED: "values of a fixed size",
    Kind.FLOAT: "floats",
    Kind.BOOL: "booleans",
    Kind.BINARY: "strings",
    Kind.LIST: "lists",
    Kind.FIXED_LIST: "lists of a fixed size",
    Kind.STRUCT: "structs",
}
#: A shimhub_bytes: an address and a size, each of the machine's width.
_POINTER: Final = np.dtype([("data", np.uintp), ("size", np.uintp)])


def of(texts: Any, unit: str) -> Rows:
    """Return the rows of ``texts``, columns checked. Raises as :func:`similarity.minhash`."""
    if isinstance(texts, (list, tuple)) or not _is_column(texts):
        return _objects(texts)
    columns = _columns.chunks(texts, "texts")
    _columns.verify(columns, "texts")
    start = 0
    for column in columns:
        _check(column, unit, start)
        start += column.length
    return columns


def _objects(texts: Any) -> tuple[Any, ...]:
    """Return the items; of a dict they would be names, and those of a set have no order."""
    if isinstance(texts, (str, bytes)):
        raise TypeError(f"texts: one {type(texts).__name__}, want a list of texts")
    if isinstance(texts, (Mapping, AbstractSet)) or not hasattr(texts, "__iter__"):
        raise TypeError(f"texts: {type(texts).__name__}, want a list or a column of texts")
    return tuple(texts)


def count(rows: Rows) -> int:
    """Return how many texts there are."""
    return len(rows) if isinstance(rows, tuple) else _columns.count(rows)


def addresses(column: Column, unit: str) -> tuple[Any, Any]:
    """Return the rows as shimhub_bytes; for ``token``, the words, and where texts start."""
    if unit != "token":
        return _pointers(column, column.offset, column.length), None
    starts = reading.offsets(column)[column.offset :][: column.length + 1].astype(np.uintp)
    if not column.length:
        starts = np.zeros(1, dtype=np.uintp)
    child = column.children[0]
    first, words = int(starts[0]), int(starts[-1]) - int(starts[0])
    return _pointers(child, child.offset + first, words), starts - first


def as_bytes(rows: Rows) -> Iterator[bytes]:
    """Yield each text in UTF-8."""
    if isinstance(rows, tuple):
        for at, row in enumerate(rows):
            yield _encoded(row, f"texts[{at}]")
        return
    for column in rows:
        yield from _column_bytes(column, column.offset, column.length)


def as_tokens(rows: Rows) -> Iterator[list[bytes]]:
    """Yield the words of each text in UTF-8."""
    if isinstance(rows, tuple):
        for at, row in enumerate(rows):
            words = enumerate(_sequence(row, at))
            yield [_encoded(word, f"texts[{at}][{place}]") for place, word in words]
        return
    for column in rows:
        child, offsets = column.children[0], reading.offsets(column)
        for row in range(column.offset, column.offset + column.length):
            first, last = int(offsets[row]), int(offsets[row + 1])
            yield list(_column_bytes(child, child.offset + first, last - first))


def _is_column(texts: Any) -> bool:
    is_arrow = hasattr(texts, "__arrow_c_stream__") or hasattr(texts, "__arrow_c_array__")
    return is_arrow or isinstance(texts, np.ndarray)


def _check(column: Column, unit: str, start: int) -> None:
    words = column
    if unit == "token" and column.kind is Kind.LIST:
        words = column.children[0]
    is_list = words is not column
    if words.kind is not Kind.BINARY or is_list != (unit == "token"):
        wanted = "lists of strings" if unit == "token" else "strings"
        raise TypeError(
            f"texts: a column of {_NAMES[column.kind]}, want {wanted} for unit={unit!r}"
        )
    _check_nulls(column, column.offset, column.length, "texts", start)
    if is_list and column.length:
        offsets = reading.offsets(column)[column.offset :][: column.length + 1]
        first, last = int(offsets[0]), int(offsets[-1])
        _check_nulls(words, words.offset + first, last - first, "words of texts", first)


def _check_nulls(column: Column, at: int, length: int, name: str, start: int) -> None:
    """``at`` is a row of the buffers, and ``start`` what the user calls it."""
    if not column.validity.address:
        return
    valid = reading.valid(column, at, length)
    if not valid.all():
        raise ValueError(f"{name}[{start + int(np.argmin(valid))}]: null, want a text")


def _pointers(column: Column, start: int, length: int) -> Any:
    found = np.empty(length, dtype=_POINTER)
    if length:
        offsets = reading.offsets(column)[start : start + length + 1].astype(np.uintp)
        found["data"] = offsets[:-1] + np.uintp(column.data.address)
        found["size"] = offsets[1:] - offsets[:-1]
    return found


def _column_bytes(column: Column, start: int, length: int) -> Iterator[bytes]:
    data, offsets = reading.view(column.data), reading.offsets(column)
    for row in range(start, start + length):
        yield data[offsets[row] : offsets[row + 1]].tobytes()


def _sequence(row: Any, at: int) -> Iterable[Any]:
    if isinstance(row, (str, bytes)) or not hasattr(row, "__iter__"):
        raise TypeError(f"texts[{at}]: {type(row).__name__}, want a sequence of str or bytes")
    items: Iterable[Any] = row
    return items


def _encoded(item: Any, place: str) -> bytes:
    if isinstance(item, bytes):
        return item
    if not isinstance(item, str):
        raise TypeError(f"{place}: {type(item).__name__}, want str or bytes")
    try:
        return item.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{place}: a lone surrogate, which UTF-8 has not") from None
