"""Columns as text formats can hold them: what has no JSON or CSV of its own becomes text.

Dates, times and timestamps become the text that pyarrow's cast makes ("2024-07-01",
"2024-07-01 12:00:00", a time zone as "+0200"), decimals their digits, durations whole numbers of
their unit, and binary base64. Dictionaries, views and half floats lose their encoding only. A map
is a list of {"key", "value"}.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.types as pt  # type: ignore[import-untyped]

from shimhub.data.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

_AS_TEXT = (pt.is_date, pt.is_time, pt.is_timestamp, pt.is_decimal)
_AS_IT_IS = (
    *(pt.is_null, pt.is_boolean, pt.is_integer, pt.is_floating, pt.is_string, pt.is_large_string),
)
_LISTS = (
    *(pt.is_list, pt.is_large_list, pt.is_fixed_size_list, pt.is_list_view, pt.is_large_list_view),
)


def json_schema(schema: pa.Schema) -> pa.Schema:
    """Return the types that a line of JSON has for these.

    Raises:
        DataError: a name is there twice, or a type has no JSON; the column is named.
    """
    return _mapped(schema, _json_type)


def csv_schema(schema: pa.Schema) -> pa.Schema:
    """Return the types of CSV for these; binary stays, for ``as_base64``.

    Raises:
        DataError: a name is there twice, or a column is a list or the like.
    """
    return _mapped(schema, _csv_type)


def values_schema(schema: pa.Schema) -> pa.Schema:
    """Return a schema whose dictionaries are their values, in lists and structs too."""
    return pa.schema(
        [field.with_type(_values_type(field.type)) for field in schema], schema.metadata
    )


def cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with the types of the schema."""
    columns = [
        column if column.type == field.type else _cast(column, field.type)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def as_base64(column: pa.Array) -> pa.Array:
    """Return binary as text in base64 (RFC 4648, section 4)."""
    coded = [None if one is None else base64.b64encode(one).decode() for one in column.to_pylist()]
    return pa.array(coded, pa.large_string())


def is_binary(kind: pa.DataType) -> bool:
    """Whether a type is bytes of any kind."""
    return bool(
        pt.is_binary(kind)
        or pt.is_large_binary(kind)
        or pt.is_fixed_size_binary(kind)
        or pt.is_binary_view(kind)
    )


def has_float(kind: pa.DataType) -> bool:
    """Whether a floating point number is in the type, or inside of it."""
    return bool(pt.is_floating(kind)) or any(
        has_float(kind.field(at).type) for at in range(kind.num_fields)
    )


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pt.is_run_end_encoded(column.type):
        column = pa.compute.run_end_decode(column)
    plain = _without_views(column.type)
    if plain != column.type:  # pyarrow 26 loses the last list where it casts list views
        column = pa.array(column.to_pylist(), plain)
    return column.cast(kind)


def _without_views(kind: pa.DataType) -> pa.DataType:
    """Return the type with lists in the place of list views, in lists and structs too."""
    if pt.is_struct(kind):
        return pa.struct([field.with_type(_without_views(field.type)) for field in kind])
    if not any(one(kind) for one in _LISTS):
        return kind
    inner = _without_views(kind.value_type)
    if inner == kind.value_type and not (pt.is_list_view(kind) or pt.is_large_list_view(kind)):
        return kind
    return pa.large_list(inner)


def _mapped(schema: pa.Schema, kind: Callable[[pa.DataType, str], pa.DataType]) -> pa.Schema:
    _refuse_twice(schema.names, "")
    return pa.schema([pa.field(one.name, kind(one.type, one.name)) for one in schema])


def _refuse_twice(names: list[str], inside: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DataError(
                f"column {inside + name!r} is there twice: choose columns, or write parquet"
            )


def _simple(kind: pa.DataType) -> pa.DataType | None:
    """Return the type of what is one value; None for what is none, or has no text."""
    if pt.is_float16(kind):
        return pa.float32()
    if any(one(kind) for one in _AS_IT_IS):
        return kind
    if any(one(kind) for one in _AS_TEXT) or pt.is_string_view(kind):
        return pa.string()
    if pt.is_duration(kind):
        return pa.int64()
    return pa.large_binary() if is_binary(kind) else None


def _inner(kind: pa.DataType) -> pa.DataType | None:
    """Return the type below an encoding or extension; None if it is neither."""
    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        return kind.value_type
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else None


def _json_type(kind: pa.DataType, name: str) -> pa.DataType:
    simple, inner = _simple(kind), _inner(kind)
    if simple is not None:
        return simple
    if inner is not None:
        return _json_type(inner, name)
    if any(one(kind) for one in _LISTS):
        made = pa.list_ if pt.is_list(kind) else pa.large_list  # what is plain is not cast
        return made(kind.value_field.with_type(_json_type(kind.value_type, f"{name}[]")))
    if pt.is_struct(kind):
        fields = [kind.field(at) for at in range(kind.num_fields)]
        _refuse_twice([field.name for field in fields], f"{name}.")
        return pa.struct(
            [one.with_type(_json_type(one.type, f"{name}.{one.name}")) for one in fields]
        )
    if pt.is_map(kind):
        return pa.list_(_pair(kind, name))
    raise _no_text(name, kind, "JSON")


def _pair(kind: pa.DataType, name: str) -> pa.DataType:
    key = pa.field("key", _json_type(kind.key_type, f"{name}.key"), nullable=False)
    return pa.struct([key, pa.field("value", _json_type(kind.item_type, f"{name}.value"))])


def _csv_type(kind: pa.DataType, name: str) -> pa.DataType:
    simple, inner = _simple(kind), _inner(kind)
    if simple is not None:
        is_native = any(one(kind) for one in _AS_TEXT)  # pyarrow writes their text unquoted
        return kind if is_native else simple
    if inner is not None:
        return _csv_type(inner, name)
    raise _no_text(name, kind, "CSV")


def _no_text(name: str, kind: pa.DataType, form: str) -> DataError:
    cure = "write jsonl or parquet" if form == "CSV" else "write parquet or arrow"
    return DataError(
        f"column {name!r} is {kind}, which {form} cannot hold: {cure}, or leave it out (columns=)"
    )


def _values_type(kind: pa.DataType) -> pa.DataType:
    if pt.is_dictionary(kind):
        return _values_type(kind.value_type)
    if pt.is_struct(kind):
        fields = [kind.field(at) for at in range(kind.num_fields)]
        return pa.struct([field.with_type(_values_type(field.type)) for field in fields])
    if pt.is_list(kind) or pt.is_large_list(kind):
        made = pa.list_ if pt.is_list(kind) else pa.large_list
        return made(kind.value_field.with_type(_values_type(kind.value_type)))
    return kind
