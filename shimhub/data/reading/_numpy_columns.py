"""Columns of a record batch as NumPy arrays over the same memory."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub import kernels
from shimhub.data.reading._arrays import Array, Lists

_NUMBERS: Final = {
    getattr(pa, name)().id: np.dtype(name)
    for name in (
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64"),
    )
}
_LISTS: Final[dict[int, np.dtype[Any]]] = {
    pa.lib.Type_LIST: np.dtype("i4"),
    pa.lib.Type_LARGE_LIST: np.dtype("i8"),
}
_CURE: Final = "fill or drop it, or read columns or rows"


def columns(batch: pa.RecordBatch, *, masked: bool = False) -> dict[str, Any]:
    """Return the columns; see ``numpy_of``."""
    names = batch.schema.names
    found = {name: column(batch.column(i), name, masked) for i, name in enumerate(names)}
    return {**found, **{name: objects(values) for name, values in others(batch, found).items()}}


def others(batch: pa.RecordBatch, found: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the columns that are None so far, as lists of Python objects."""
    names = batch.schema.names
    if len(found) != len(names):
        return kernels.to_columns(batch)  # which says which name is there twice
    left = [i for i, name in enumerate(names) if found[name] is None]
    return kernels.to_columns(batch.select(left)) if left else {}


def column(array: pa.Array, name: str, masked: bool) -> Any:
    """Return an array, ``Lists``, or None for what has no numbers."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = _checked(array, name, full=True).dictionary_decode()
        kind = array.type
    if is_number(kind):
        return masked_or_whole(_checked(array, name), name, masked)
    if pa.types.is_temporal(kind) and not pa.types.is_time(kind) and not _is_interval(kind):
        return _times(_checked(array, name))
    if kind.id in _LISTS and is_number(kind.value_type):
        return _lists(_checked(array, name), name, masked)
    if pa.types.is_fixed_size_list(kind) and is_number(kind.value_type):
        return _matrix(_checked(array, name), name, masked)
    return None


def is_number(kind: pa.DataType) -> bool:
    """Whether values are numbers that NumPy has, or booleans."""
    return kind.id in _NUMBERS or pa.types.is_boolean(kind)


def objects(values: list[Any]) -> Array:
    """Return an array of objects, of one dimension whatever they are."""
    return np.fromiter(values, dtype=object, count=len(values))


def _is_interval(kind: pa.DataType) -> bool:
    return bool(pa.types.is_interval(kind))


def _checked(array: pa.Array, name: str, full: bool = False) -> pa.Array:
    """Return the array once its buffers are as large as it says. O(1) unless full."""
    try:
        array.validate(full=full)
    except pa.ArrowException as error:  # ArrowIndexError is no ValueError
        raise kernels.CellError(name, -1, f"not a valid Arrow array: {error}") from error
    return array


def masked_or_whole(array: pa.Array, name: str, masked: bool) -> Array:
    """Return numbers; those with nulls masked, or an error that names the first null."""
    values = numbers(array)
    if not array.null_count:
        return values
    if not masked:
        raise null_error(array, name)
    return np.ma.MaskedArray(values, mask=nulls(array))


def null_error(array: pa.Array, name: str) -> kernels.CellError:
    """Return the error for the first row that is null."""
    return kernels.CellError(
        name, int(np.argmax(nulls(array))), f"null, which is no number; {_CURE}"
    )


def nulls(array: pa.Array) -> Array:
    """Return which values are null, as booleans."""
    found: Array = array.is_null().to_numpy(zero_copy_only=False)
    return found


def numbers(array: pa.Array) -> Array:
    """Return the numbers, whatever lies where they are null, read-only and without a copy."""
    if pa.types.is_boolean(array.type):
        return _bits(array)
    return _view(array.buffers()[1], _NUMBERS[array.type.id], len(array), array.offset)


def _bits(array: pa.Array) -> Array:
    raw = _view(array.buffers()[1], np.dtype("u1"), (array.offset + len(array) + 7) // 8, 0)
    bits = np.unpackbits(raw[array.offset // 8 :], bitorder="little")[array.offset % 8 :]
    found = bits[: len(array)].view(bool)
    found.flags.writeable = False
    return found


def _view(buffer: pa.Buffer | None, dtype: np.dtype[Any], count: int, offset: int) -> Array:
    if buffer is None or not count:
        array = np.empty(0, dtype)
    else:
        array = np.frombuffer(buffer, dtype, count, offset * dtype.itemsize)
    array.flags.writeable = False
    return array


def _times(array: pa.Array) -> Array:
    """Return dates and times by their bits; null becomes NaT, and only then there is a copy."""
    width = array.type.bit_width // 8
    values = _view(array.buffers()[1], np.dtype(f"i{width}"), len(array), array.offset)
    values = values.astype("i8", copy=False).view(_unit(array.type))
    if array.null_count:
        values = np.where(nulls(array), np.array("NaT", values.dtype), values)
    values.flags.writeable = False
    return values


def _unit(kind: pa.DataType) -> str:
    if pa.types.is_date32(kind):
        return "M8[D]"
    if pa.types.is_date64(kind):
        return "M8[ms]"
    return f"{'m8' if pa.types.is_duration(kind) else 'M8'}[{kind.unit}]"


def _lists(array: pa.Array, name: str, masked: bool) -> Lists | Array:
    offsets, inner = ends(array, name), array.values
    has_nulls = bool(array.null_count or items(array, offsets).null_count)
    if not has_nulls:
        return Lists(numbers(_checked(inner, name)), offsets)
    if not masked:
        raise list_error(array, name, offsets)
    values = masked_or_whole(_checked(inner, name), name, masked)
    missing = nulls(array)
    return objects(
        [None if missing[i] else values[offsets[i] : offsets[i + 1]] for i in range(len(array))]
    )


def items(array: pa.Array, offsets: Array) -> pa.Array:
    """Return those values of lists that their rows have."""
    return array.values[int(offsets[0]) : int(offsets[-1])]


def ends(array: pa.Array, name: str) -> Array:
    """Return the offsets of lists; raise if one lies outside of the values."""
    count = len(array) + 1
    if count == 1:
        return np.zeros(1, np.int32)
    offsets = _view(array.buffers()[1], _LISTS[array.type.id], count, array.offset)
    wrong = (offsets[1:] < offsets[:-1]) | (offsets[:-1] < 0) | (offsets[1:] > len(array.values))
    if wrong.any():
        problem = "offsets fall, or lie outside of the values"
        raise kernels.CellError(name, int(np.argmax(wrong)), problem)
    return offsets


def list_error(array: pa.Array, name: str, offsets: Array) -> kernels.CellError:
    """Return the error for the first row that is null, or that has a null."""
    if array.null_count:
        return null_error(array, name)
    place = int(np.argmax(nulls(items(array, offsets)))) + int(offsets[0])
    row = int(np.searchsorted(offsets, place, side="right")) - 1
    return kernels.CellError(name, row, f"it has a null, which is no number; {_CURE}")


def _matrix(array: pa.Array, name: str, masked: bool) -> Array:
    size = array.type.list_size
    inner = _checked(array.values[array.offset * size : (array.offset + len(array)) * size], name)
    if array.null_count and not masked:
        raise null_error(array, name)
    if inner.null_count and not masked and size:
        row = int(np.argmax(nulls(inner))) // size
        raise kernels.CellError(name, row, f"it has a null, which is no number; {_CURE}")
    values = numbers(inner).reshape(len(array), size)
    if not array.null_count and not inner.null_count:
        return values
    mask = nulls(inner).reshape(len(array), size) | nulls(array)[:, None]
    return np.ma.MaskedArray(values, mask=mask)
