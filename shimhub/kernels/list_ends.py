"""Where the lists of Arrow's columns end: how long each one is, and its last value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.kernels import _arrow, _columns, _loading
from shimhub.kernels._columns import Kind
from shimhub.kernels._reference import list_ends as reference

if TYPE_CHECKING:
    from types import ModuleType

    Array = np.ndarray[Any, Any]

#: ``shimhub_column``. NumPy writes those of all chunks at once: a column may have many.
_LAYOUT: Final = np.dtype(
    [
        *(("kind", np.int32), ("children_count", np.int32)),
        *(("width", np.int64), ("length", np.int64), ("offset", np.int64)),
        *(("validity", np.uintp), ("validity_size", np.int64)),
        *(("offsets", np.uintp), ("offsets_size", np.int64)),
        *(("data", np.uintp), ("data_size", np.int64)),
        ("children", np.uintp),
    ],
    align=True,
)


def list_lengths(column: pa.ChunkedArray) -> Array | None:
    """Return how long each list of a column is, as int64; None where one is null, or no list.

    Raises ``ValueError`` where offsets fall or lie outside of the values. O(rows).
    """
    if not is_list(column.type) or column.null_count:
        return None
    native, chunks = _loading.native(), column.chunks
    if native is None:
        return reference.list_lengths(chunks)
    lengths = np.empty(len(column), np.int64)
    _take(native, chunks, _unread(chunks), lengths)
    return lengths


def last_values(column: pa.ChunkedArray) -> tuple[Array, Array] | None:
    """Return how long each list is, and its last value (0 if it is empty), as int64.

    None where a list or a value is null, and where values are no integers, or uint64.
    Raises as :func:`list_lengths`. O(rows), and O(values) where pyarrow has to count nulls.
    """
    if not is_list(column.type) or not is_int64(column.type.value_type) or column.null_count:
        return None
    native, chunks = _loading.native(), column.chunks
    values = [chunk.values for chunk in chunks]
    if any(one.null_count for one in values):
        return None
    if native is None:
        return reference.last_values(chunks)
    lengths, last = np.empty(len(column), np.int64), np.empty(len(column), np.int64)
    is_signed = pa.types.is_signed_integer(column.type.value_type)
    _take(native, chunks, _integers(values), lengths, last, is_signed)
    return lengths, last


def is_list(kind: pa.DataType) -> bool:
    """Whether an Arrow type is that of lists with offsets."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def is_int64(kind: pa.DataType) -> bool:
    """Whether int64 has all values of an Arrow type."""
    return bool(pa.types.is_integer(kind) and not pa.types.is_uint64(kind))


def _unread(chunks: list[pa.Array]) -> Array:
    """Return the values of lists as ``shimhub_column``s of which only the length is told."""
    made = np.zeros(len(chunks), _LAYOUT)
    made["kind"], made["length"] = Kind.NULL, [len(chunk.values) for chunk in chunks]
    return made


def _integers(values: list[pa.Array]) -> Array:
    """Return arrays of integers of one type as ``shimhub_column``s."""
    made = _made(values, "data")
    made["kind"] = Kind.FIXED
    made["width"] = values[0].type.bit_width // 8 if values else 0
    return made


def _lists(chunks: list[pa.Array], values: Array) -> Array:
    """Return lists of one type, with these children, as ``shimhub_column``s."""
    made = _made(chunks, "offsets")
    made["kind"], made["children_count"] = Kind.LIST, 1
    made["width"] = reference.offset_width(chunks[0]) if chunks else 0
    made["children"] = values.ctypes.data + values.itemsize * np.arange(len(values))
    return made


def _made(arrays: list[pa.Array], name: str) -> Array:
    """Return columns with lengths, offsets and, under this name, the first buffer but validity."""
    buffers = [_arrow.buffer(one.buffers()[1]) for one in arrays]
    made = np.zeros(len(arrays), _LAYOUT)
    made["length"] = [len(one) for one in arrays]
    made["offset"] = [one.offset for one in arrays]
    made[name] = [one.address for one in buffers]
    made[f"{name}_size"] = [one.size for one in buffers]
    return made


def _take(
    native: ModuleType,
    chunks: list[pa.Array],
    values: Array,
    lengths: Array,
    last: Array | None = None,
    is_signed: bool = False,
) -> None:
    ffi, lists = native.ffi, _lists(chunks, values)
    row = ffi.new("int64_t *")
    status = native.lib.shimhub_list_ends(
        ffi.from_buffer("shimhub_column[]", lists),
        len(lists),
        len(lengths),
        is_signed,
        ffi.from_buffer("int64_t[]", lengths),
        ffi.NULL if last is None else ffi.from_buffer("int64_t[]", last),
        row,
    )
    if status != native.lib.SHIMHUB_OK:
        told = reference.columns(chunks, has_values=last is not None)
        _columns.raise_for(native, status, told, "column")
