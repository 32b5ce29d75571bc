"""Digests of rows in Python; ``encode`` writes what ``native/src/encode.c`` does."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels._columns import Column, Kind
from shimhub.kernels._reference import columns as reading

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALL_VALID, _SOME_VALID, _NONE_VALID, _EMPTY = (bytes([flag]) for flag in range(4))
_TAGS: Final = {
    Kind.FIXED: b"\1",
    Kind.FLOAT: b"\2",
    Kind.BOOL: b"\3",
    Kind.BINARY: b"\4",
    Kind.LIST: b"\5",
    Kind.FIXED_LIST: b"\5",
    Kind.STRUCT: b"\6",
}
_SIZES: Final = {"sha256": 32, "xxh3_128": 16}


def digests(rows: list[Any], algorithm: str, seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the digests of ``hashing.as_rows(data)``."""
    size = _SIZES[algorithm]
    found = b"".join(
        bytes(size) if row is None else digest(row, algorithm, seed) for row in row_bytes(rows)
    )
    return np.frombuffer(bytearray(found), dtype=np.uint8).reshape(-1, size)


def digest(row: bytes, algorithm: str, seed: int) -> bytes:
    """Return the digest of one row's bytes."""
    if algorithm == "sha256":
        return hashlib.sha256(row).digest()
    from shimhub.kernels._reference import xxh3

    return xxh3.xxh3_128(row, seed).to_bytes(16, "big")


def hex_rows(found: np.ndarray[Any, np.dtype[np.uint8]]) -> list[str]:
    """Return each row of bytes as hexadecimal digits."""
    return [row.tobytes().hex() for row in found]


def row_bytes(rows: list[Any]) -> Iterator[bytes | None]:
    """Yield what is hashed of each row; None for a null in a column of strings or binaries."""
    if rows and isinstance(rows[0], Column):
        from shimhub.kernels import _columns

        _columns.verify(rows)
        for column in rows:
            yield from _column_bytes(column)
        return
    for at, row in enumerate(tuple(rows)):
        yield _item_bytes(row, at)


def _item_bytes(row: Any, at: int) -> bytes:
    if isinstance(row, bytes):
        return row
    if not isinstance(row, str):
        raise TypeError(f"data[{at}]: {type(row).__name__}, want str or bytes")
    try:
        return row.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"data[{at}]: a lone surrogate, which has no UTF-8; encode the rows yourself, "
            "or replace it"
        ) from error


def _column_bytes(column: Column) -> Iterator[bytes | None]:
    for row in range(column.offset, column.offset + column.length):
        if column.kind is not Kind.BINARY:
            yield encode(column, row, 1)
        elif reading.valid(column, row, 1)[0]:
            yield _binary(column, row)
        else:
            yield None


def _binary(column: Column, row: int) -> bytes:
    first, last = (int(end) for end in reading.offsets(column)[row : row + 2])
    return reading.view(column.data)[first:last].tobytes()


def encode(column: Column, start: int, count: int) -> bytes:
    """Return the canonical encoding of a run of rows of the column's buffers."""
    valid = reading.valid(column, start, count)
    if not count:
        return _EMPTY
    if not valid.any():
        return _NONE_VALID
    flags = _ALL_VALID if valid.all() else _SOME_VALID + valid.astype(np.uint8).tobytes()
    return flags + _TAGS[column.kind] + _values(column, start, valid)


def _values(column: Column, start: int, valid: reading.Array) -> bytes:
    if column.kind in (Kind.FIXED, Kind.FLOAT):
        return _fixed(column, start, valid)
    if column.kind is Kind.BOOL:
        found = reading.bits(column.data, start, len(valid)) & valid
        return found.astype(np.uint8).tobytes()
    rows = (start + int(row) for row in np.flatnonzero(valid))
    if column.kind is Kind.BINARY:
        return b"".join(_counted(_binary(column, row)) for row in rows)
    if column.kind is Kind.STRUCT:
        return b"".join(_struct_row(column, row) for row in rows)
    return b"".join(_list_row(column, row) for row in rows)


def _count(count: int) -> bytes:
    return count.to_bytes(8, "little")


def _counted(value: bytes) -> bytes:
    return _count(len(value)) + value


def _fixed(column: Column, start: int, valid: reading.Array) -> bytes:
    width = column.width
    found = reading.view(column.data)[start * width : (start + len(valid)) * width]
    found = found.reshape(len(valid), width).copy()
    found[~valid] = 0
    if column.kind is Kind.FLOAT:
        numbers = found.view(f"f{width}")
        numbers[np.isnan(numbers)] = np.nan
        numbers[numbers == 0] = 0.0
    encoded: bytes = found.tobytes()
    return _count(width) + encoded


def _list_row(column: Column, row: int) -> bytes:
    child = column.children[0]
    if column.kind is Kind.FIXED_LIST:
        first, count = row * column.width, column.width
    else:
        first, last = (int(end) for end in reading.offsets(column)[row : row + 2])
        count = last - first
    return _count(count) + encode(child, child.offset + first, count)


def _struct_row(column: Column, row: int) -> bytes:
    fields = (encode(child, child.offset + row, 1) for child in column.children)
    return _count(len(column.children)) + b"".join(fields)
