"""How the native library prints the columns of a table, and what Python prints for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.kernels import _arrow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from shimhub.kernels._columns import Column

#: Bytes of Arrow that become objects of Python at once: thirty times as many.
_PART: Final = 1 << 20
_KINDS: Final = ("NONE", "SIGNED", "UNSIGNED", "BOOL", "TEXT", "BYTES", "RAW", "LIST", "DICT")


@dataclass(frozen=True)
class Plan:
    """How a column is printed, and so its children; ``key`` is what stands before a field."""

    kind: str
    children: tuple[Plan, ...] = ()
    key: bytes = b""

    def to_native(self, native: ModuleType) -> Any:
        """Return a ``shimhub_repr *``, which owns what it points to."""
        made = native.ffi.new("shimhub_repr *")
        kept = _fill(native, made[0], self)
        return native.ffi.gc(made, lambda _made, _kept=kept: None)


def _fill(native: ModuleType, into: Any, plan: Plan) -> list[Any]:
    key = native.ffi.from_buffer("char[]", plan.key)
    into.kind = _KINDS.index(plan.kind)
    into.key.data, into.key.size = key, len(plan.key)
    children = native.ffi.new("shimhub_repr[]", max(1, len(plan.children)))
    into.children, into.children_count = children, len(plan.children)
    found = [_fill(native, children[at], child) for at, child in enumerate(plan.children)]
    return [key, children, found]


def plan_of(schema: pa.Schema) -> Plan:
    """Return how a row is printed; raises ``TypeError`` for what `hash_reprs` does not take."""
    return Plan("DICT", _fields(schema, "table"))


def _fields(fields: Iterable[pa.Field], name: str) -> tuple[Plan, ...]:
    fields = list(fields)
    names = [field.name for field in fields]
    if len(set(names)) < len(names):
        raise TypeError(f"{name}: a name of a field comes twice")
    return tuple(
        replace(_plan(field.type, field.name), key=f"{field.name!r}: ".encode(errors="strict"))
        for field in fields
    )


def _plan(kind: pa.DataType, name: str) -> Plan:
    if kind.id in _LEAVES:
        return Plan(_LEAVES[kind.id])
    if kind.id in _LISTS:
        return Plan("LIST", (_plan(kind.value_type, name),))
    if pa.types.is_struct(kind):
        return Plan("DICT", _fields((kind.field(i) for i in range(kind.num_fields)), name))
    if kind.id in _PRINTED:
        return Plan("RAW")
    raise TypeError(f"{name}: rows of Arrow type {kind} are not printed here")


def parts(table: pa.Table) -> list[pa.Table]:
    """Return the table in parts of a size whose values, as objects of Python, are few.

    In one, as it is, where Python prints none of them.
    """
    if all(_type(field.type) == field.type for field in table.schema) or not table.nbytes:
        return [table]
    rows = max(1, _PART * table.num_rows // table.nbytes)
    return [table.slice(at, rows) for at in range(0, table.num_rows, rows)]


def chunks(table: pa.Table) -> list[Column]:
    """Return the rows as columns of structs; of what Python prints, the texts."""
    table = pa.table([_printed(column) for column in table.columns], schema=_schema(table.schema))
    return _arrow.batches(table, "table")


def _schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(field.name, _type(field.type)) for field in schema])


def _type(kind: pa.DataType) -> pa.DataType:
    """Return the type with binaries in the place of what Python prints."""
    if kind.id in _PRINTED:
        return pa.large_binary()
    if kind.id in _LISTS:
        return _list_of(kind, _type(kind.value_type))
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return pa.struct([pa.field(field.name, _type(field.type)) for field in fields])
    return kind


def _list_of(kind: pa.DataType, value: pa.DataType) -> pa.DataType:
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(value, kind.list_size)
    return pa.large_list(value) if pa.types.is_large_list(kind) else pa.list_(value)


def _printed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = _type(column.type)
    if kind == column.type:
        return column
    return pa.chunked_array([_print(chunk) for chunk in column.chunks], kind)


def _print(array: pa.Array) -> pa.Array:
    """Return the array with the ``repr`` of each value that Python prints."""
    kind = _type(array.type)
    if kind == array.type:
        return array
    if array.type.id in _PRINTED:
        values = array.to_pylist()
        return pa.array([None if one is None else repr(one).encode() for one in values], kind)
    return pa.array(_nested(array.to_pylist(), array.type), kind)


def _nested(value: Any, kind: pa.DataType) -> Any:
    """Return a value of Python's with what it prints in the place of what has no text here."""
    if value is None:
        return None
    if isinstance(value, list) and kind.id not in _LISTS:
        return [_nested(one, kind) for one in value]
    if kind.id in _PRINTED:
        return repr(value).encode()
    if kind.id in _LISTS:
        return [_nested(one, kind.value_type) for one in value]
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return {field.name: _nested(value[field.name], field.type) for field in fields}
    return value


_LEAVES: Final = {
    pa.null().id: "NONE",
    pa.bool_().id: "BOOL",
    **{kind.id: "SIGNED" for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
    **{kind.id: "UNSIGNED" for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())},
    **{kind.id: "TEXT" for kind in (pa.string(), pa.large_string())},
    **{kind.id: "BYTES" for kind in (pa.binary(), pa.large_binary())},
}
_LISTS: Final = {pa.list_(pa.null()).id, pa.large_list(pa.null()).id, pa.list_(pa.null(), 1).id}
_PRINTED: Final = {
    *(kind.id for kind in (pa.float16(), pa.float32(), pa.float64())),
    *(kind.id for kind in (pa.date32(), pa.date64(), pa.time32("s"), pa.time64("us"))),
    *(kind.id for kind in (pa.timestamp("s"), pa.duration("s"), pa.binary(1))),
    pa.decimal128(1).id,
    pa.decimal256(1).id,
}
