"""The fields of a schema as ``kernels.ipc`` takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.formats._array_checks import children
from shimhub.kernels._columns import Kind
from shimhub.kernels.ipc import IpcField

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Types whose id tells their layout. Other ids: decimals, and those that are made of others.
_BY_ID: Final = {
    **{
        kind.id: IpcField(Kind.FIXED, 0, kind.bit_width // 8)
        for kind in (
            *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
            *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
            *(pa.float16(), pa.float32(), pa.float64(), pa.date32(), pa.date64()),
            *(pa.time32("s"), pa.time64("us"), pa.timestamp("us"), pa.duration("us")),
            pa.month_day_nano_interval(),
        )
    },
    **dict.fromkeys((pa.string().id, pa.binary().id), IpcField(Kind.BINARY, 0, 4)),
    **dict.fromkeys((pa.large_string().id, pa.large_binary().id), IpcField(Kind.BINARY, 0, 8)),
    pa.lib.Type_LIST: IpcField(Kind.LIST, 1, 4),
    pa.lib.Type_LARGE_LIST: IpcField(Kind.LIST, 1, 8),
    pa.lib.Type_BOOL: IpcField(Kind.BOOL),
    pa.lib.Type_NA: IpcField(Kind.NULL),
}


class _UnknownError(Exception):
    """A type whose layout is not looked at there."""


def ipc_fields(schema: pa.Schema) -> list[IpcField] | None:
    """Return the fields in the order of their arrays; None where one is of another layout.

    Views, maps, dictionaries, unions and run ends are.
    """
    try:
        return [one for field in schema for one in _fields(field.type)]
    except _UnknownError:
        return None


def is_free(fields: list[IpcField]) -> bool:
    """Whether rows may take no bytes, so that any number can be declared."""
    return not fields or any(
        kind in (Kind.NULL, Kind.FIXED_LIST)
        or (kind == Kind.STRUCT and not count)
        or (kind == Kind.FIXED and not width)
        for kind, count, width in fields
    )


def _fields(kind: pa.DataType) -> Iterator[IpcField]:
    found = _BY_ID.get(kind.id)
    if isinstance(kind, pa.BaseExtensionType):
        yield from _fields(kind.storage_type)
        return
    yield _other(kind) if found is None else found
    for child in children(kind):
        yield from _fields(child.type)


def _other(kind: pa.DataType) -> IpcField:
    if pa.types.is_fixed_size_list(kind):
        return IpcField(Kind.FIXED_LIST, 1, kind.list_size)
    if pa.types.is_struct(kind):
        return IpcField(Kind.STRUCT, kind.num_fields)
    if pa.types.is_decimal(kind) or pa.types.is_fixed_size_binary(kind):
        return IpcField(Kind.FIXED, 0, kind.bit_width // 8)
    raise _UnknownError
