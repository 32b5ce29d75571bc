"""Arrow's arrays and tables as columns, by pyarrow."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from shimhub.kernels import _arrow_import
from shimhub.kernels._columns import Buffer, Column, Kind
from shimhub.kernels._numpy import memory

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBERS: Final = {
    getattr(pa, name)().id: np.dtype(name)
    for name in (
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64"),
    )
}


def chunks(data: Any, name: str) -> list[Column]:
    """Return the chunks of what pyarrow takes for one array; see ``_columns.chunks``."""
    if isinstance(data, (pa.Table, pa.RecordBatch)):
        raise TypeError(f"{name}: a table is no column; pass one of {data.column_names}")
    array = _arrow_import.array(data, name)
    return [column(one, name) for one in getattr(array, "chunks", [array])]


def batches(data: Any, name: str) -> list[Column]:
    """Return the batches of what pyarrow takes for a table; see ``_columns.batches``."""
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        raise TypeError(f"{name}: a column is no table; pass a pyarrow.Table")
    table = _arrow_import.table(data, name)
    found = [table] if isinstance(table, pa.RecordBatch) else table.to_batches()
    return [_batch(batch, name) for batch in found]


def _batch(batch: pa.RecordBatch, name: str) -> Column:
    children = tuple(
        column(batch.column(i), field.name or str(i)) for i, field in enumerate(batch.schema)
    )
    return Column(Kind.STRUCT, batch.num_rows, children=children, name=name, keep=batch)


def column(array: pa.Array, name: str) -> Column:
    """Return the array as a column, decoded where the library has no kind for its layout."""
    array = _decoded(array, name)
    maker = _MAKERS.get(array.type.id, _fixed if _is_fixed(array.type) else None)
    if maker is None:
        raise TypeError(f"{name}: Arrow type {array.type} is not supported")
    return maker(array, name)


def _decoded(array: pa.Array, name: str) -> pa.Array:
    """Return the array with dictionaries, runs, views and extensions replaced by what they mean."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _decoded(array.storage, name)
    if pa.types.is_dictionary(kind):
        array = checked(array, name)
        return _taken(array.dictionary, array.indices, name)
    if pa.types.is_run_end_encoded(kind):
        array = checked(array, name)
        return _taken(array.values, pa.array(_runs(array)), name)
    return checked(array, name).cast(_CASTS[kind.id]) if kind.id in _CASTS else array


def _taken(values: pa.Array, at: pa.Array, name: str) -> pa.Array:
    """Return the values at these places; with offsets of 64 bits, as they may be many."""
    values = _decoded(values, name)
    try:
        return _widened(values, at, name).take(at)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TypeError(f"{name}: pyarrow does not decode it: {error}; decode it first") from error


def _widened(values: pa.Array, at: pa.Array, name: str) -> pa.Array:
    """Return strings with offsets of 64 bits; raise ``MemoryError`` if those taken do not fit.

    A system that gives out more memory than it has does not refuse it: it ends the process.
    """
    wide = _WIDE.get(values.type.id)
    if wide is not None:
        values = values.cast(wide)
    if values.type.id in _WIDE_IDS:
        taken = pc.sum(pc.binary_length(values).take(at)).as_py() or 0
        if taken > _MEMORY:
            raise MemoryError(f"{name}: {taken} bytes where decoded; pass the rows in parts")
    return values


def _runs(array: pa.Array) -> np.ndarray[Any, Any]:
    """Return the run that each row is in."""
    rows = np.arange(array.offset, array.offset + len(array))
    return np.searchsorted(array.run_ends.to_numpy(), rows, side="right")


_WIDE: Final = {pa.string().id: pa.large_string(), pa.binary().id: pa.large_binary()}

#: Bytes of the machine's memory; macOS and Linux tell them.
_MEMORY: Final = (
    os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 63
)
_WIDE_IDS: Final = {kind.id for kind in _WIDE.values()}


def checked(array: pa.Array, name: str, full: bool = True) -> pa.Array:
    """Return the array once its buffers are as it says: pyarrow's own functions do not look."""
    try:
        array.validate(full=full)
    except pa.ArrowException as error:  # ArrowIndexError is no ValueError
        raise ValueError(f"{name}: not a valid Arrow array: {error}") from error
    return array


#: pyarrow below 16 has no views.
_CASTS: Final[dict[int, pa.DataType]] = {
    getattr(pa.lib, f"Type_{name}_VIEW"): to
    for name, to in {"STRING": pa.large_string(), "BINARY": pa.large_binary()}.items()
    if hasattr(pa.lib, f"Type_{name}_VIEW")
}


def _is_fixed(kind: pa.DataType) -> bool:
    tests = ("is_primitive", "is_fixed_size_binary", "is_decimal", "is_interval")
    return any(getattr(pa.types, test)(kind) for test in tests)


def buffer(held: pa.Buffer | None) -> Buffer:
    """Return where a buffer lies; its owner must outlive that."""
    return Buffer() if held is None else Buffer(held.address, held.size)


def _null(array: pa.Array, name: str) -> Column:
    return Column(Kind.NULL, len(array), name=name)


def _fixed(array: pa.Array, name: str) -> Column:
    return _values(array, name, Kind.FIXED, array.type.bit_width // 8)


def _float(array: pa.Array, name: str) -> Column:
    return _values(array, name, Kind.FLOAT, array.type.bit_width // 8)


def _bool(array: pa.Array, name: str) -> Column:
    return replace(_values(array, name, Kind.BOOL, 0), dtype=np.dtype(bool))


def _values(array: pa.Array, name: str, kind: Kind, width: int) -> Column:
    validity, data = array.buffers()
    return Column(
        kind,
        len(array),
        width=width,
        offset=array.offset,
        validity=buffer(validity),
        data=buffer(data),
        dtype=_NUMBERS.get(array.type.id),
        name=name,
        keep=array,
    )


def _binary(array: pa.Array, name: str) -> Column:
    validity, offsets, data = array.buffers()
    return Column(
        Kind.BINARY,
        len(array),
        width=8 if array.type.id in _LARGE else 4,
        offset=array.offset,
        validity=buffer(validity),
        offsets=buffer(offsets),
        data=buffer(data),
        name=name,
        keep=array,
    )


def _list(array: pa.Array, name: str) -> Column:
    validity, offsets = array.buffers()[:2]
    return Column(
        Kind.LIST,
        len(array),
        width=8 if array.type.id in _LARGE else 4,
        offset=array.offset,
        validity=buffer(validity),
        offsets=buffer(offsets),
        children=(column(array.values, name),),
        name=name,
        keep=array,
    )


def _fixed_list(array: pa.Array, name: str) -> Column:
    return Column(
        Kind.FIXED_LIST,
        len(array),
        width=array.type.list_size,
        offset=array.offset,
        validity=buffer(array.buffers()[0]),
        children=(column(array.values, name),),
        name=name,
        keep=array,
    )


def _struct(array: pa.Array, name: str) -> Column:
    """Return a struct; pyarrow gives its children without its offset, but its validity with it."""
    array = checked(array, name, full=False)
    fields = [array.type.field(i) for i in range(array.type.num_fields)]
    children = tuple(
        column(array.field(i), f"{name}.{field.name}") for i, field in enumerate(fields)
    )
    valid = _valid_bits(array)
    return Column(
        Kind.STRUCT,
        len(array),
        validity=Buffer() if valid is None else memory(valid),
        children=children,
        name=name,
        keep=(array, valid),
    )


def _list_view(array: pa.Array, name: str) -> Column:
    """Return a view with its rows put in order; pyarrow 26's own cast leaves offsets that fall."""
    array = checked(array, name)
    offsets = np.zeros(len(array) + 1, dtype=np.int64)
    np.cumsum(pc.list_value_length(array).fill_null(0), out=offsets[1:])
    valid = _valid_bits(array)
    return Column(
        Kind.LIST,
        len(array),
        width=8,
        validity=Buffer() if valid is None else memory(valid),
        offsets=memory(offsets),
        children=(column(array.flatten(), name),),
        name=name,
        keep=(offsets, valid),
    )


def _valid_bits(array: pa.Array) -> np.ndarray[Any, Any] | None:
    if not array.null_count:
        return None
    return np.packbits(array.is_valid().to_numpy(zero_copy_only=False), bitorder="little")


def _map(array: pa.Array, name: str) -> Column:
    return _list(checked(array, name).cast(pa.list_(_entries(array.type))), name)


def _entries(kind: pa.MapType) -> pa.DataType:
    return pa.struct([kind.key_field, kind.item_field])


_LARGE: Final = (pa.large_string().id, pa.large_binary().id, pa.large_list(pa.null()).id)
_BINARIES: Final = (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())
_MAKERS: Final[dict[int, Callable[[pa.Array, str], Column]]] = {
    pa.null().id: _null,
    pa.bool_().id: _bool,
    **{kind.id: _float for kind in (pa.float16(), pa.float32(), pa.float64())},
    **{kind.id: _binary for kind in _BINARIES},
    pa.list_(pa.null()).id: _list,
    pa.large_list(pa.null()).id: _list,
    pa.lib.Type_MAP: _map,
    pa.list_(pa.null(), 1).id: _fixed_list,
    pa.struct([]).id: _struct,
    **{
        getattr(pa.lib, name): _list_view
        for name in ("Type_LIST_VIEW", "Type_LARGE_LIST_VIEW")
        if hasattr(pa.lib, name)
    },
}
