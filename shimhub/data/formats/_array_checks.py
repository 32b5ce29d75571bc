"""What pyarrow does not look at when it reads record batches: offsets, indices, views, runs.

Its ``validate(full=True)`` looks at them, and also at every letter of the text, which costs more
than reading a memory map. So batches are read a second time, from the same memory, as types whose
checks are of places alone: text as binary, dates and decimals as numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class _Relabelled:
    """A batch's memory under another schema, by way of Arrow's C interface."""

    def __init__(self, batch: pa.RecordBatch, schema: pa.Schema) -> None:
        self._batch, self._schema = batch, schema

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self._schema.__arrow_c_schema__(), self._batch.__arrow_c_array__()[1]


def check(batch: pa.RecordBatch, checked: pa.Schema | None = None) -> None:
    """Raise ``pa.ArrowInvalid`` or ``pa.ArrowIndexError`` if a row lies outside of its buffers.

    ``checked`` is the batch's :func:`checked_schema`, if it is known.
    """
    batch.validate()
    schema = checked_schema(batch.schema) if checked is None else checked
    relabelled = pa.record_batch(_Relabelled(batch, schema))
    relabelled.validate(full=True)


def checked_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema with types of the same layout whose full check is of places alone."""
    return pa.schema([_field(field) for field in schema])


def _field(field: pa.Field) -> pa.Field:
    return pa.field(field.name, _type(field.type), field.nullable)


def _type(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return _type(kind.storage_type)
    if kind.id in _SAME:
        return _SAME[kind.id]
    if pa.types.is_decimal(kind):
        return pa.binary(kind.bit_width // 8)
    make = _NESTED.get(kind.id)
    return kind if make is None else make(kind)


def _union(kind: pa.UnionType) -> pa.DataType:
    return pa.union([_field(child) for child in children(kind)], kind.mode, kind.type_codes)


def children(kind: pa.DataType) -> Iterator[pa.Field]:
    """Yield the fields of a nested type."""
    return (kind.field(i) for i in range(kind.num_fields))


_SAME: Final[dict[int, pa.DataType]] = {
    pa.string().id: pa.binary(),
    pa.large_string().id: pa.large_binary(),
    pa.date64().id: pa.int64(),
    pa.time32("s").id: pa.int32(),
    pa.time64("us").id: pa.int64(),
}
_NESTED: Final[dict[int, Callable[[Any], pa.DataType]]] = {
    pa.lib.Type_LIST: lambda kind: pa.list_(_field(kind.value_field)),
    pa.lib.Type_LARGE_LIST: lambda kind: pa.large_list(_field(kind.value_field)),
    pa.lib.Type_FIXED_SIZE_LIST: lambda kind: pa.list_(_field(kind.value_field), kind.list_size),
    pa.lib.Type_STRUCT: lambda kind: pa.struct([_field(child) for child in children(kind)]),
    pa.lib.Type_MAP: lambda kind: pa.map_(
        _field(kind.key_field), _field(kind.item_field), kind.keys_sorted
    ),
    pa.lib.Type_SPARSE_UNION: _union,
    pa.lib.Type_DENSE_UNION: _union,
    pa.lib.Type_DICTIONARY: lambda kind: pa.dictionary(
        kind.index_type, _type(kind.value_type), kind.ordered
    ),
    pa.lib.Type_RUN_END_ENCODED: lambda kind: pa.run_end_encoded(
        kind.run_end_type, _type(kind.value_type)
    ),
}
#: pyarrow below 16 has no views.
if hasattr(pa, "string_view"):
    _SAME[pa.string_view().id] = pa.binary_view()
    _NESTED[pa.lib.Type_LIST_VIEW] = lambda kind: pa.list_view(_field(kind.value_field))
    _NESTED[pa.lib.Type_LARGE_LIST_VIEW] = lambda kind: pa.large_list_view(_field(kind.value_field))


def is_plain(fields: Iterable[pa.Field]) -> bool:
    """Whether a batch can be read by itself: dictionaries come in messages of their own.

    Unions are not plain as their layout changed with the version of the metadata.
    """
    return not any(kind.id in _NOT_PLAIN for field in fields for kind in within(field.type))


def has_lists(fields: Iterable[pa.Field]) -> bool:
    """Whether a row may have any number of values."""
    return any(kind.id in _LISTS for field in fields for kind in within(field.type))


def is_free(schema: pa.Schema) -> bool:
    """Whether there are types whose rows may take no bytes, so that any number can be declared."""
    return not len(schema) or any(
        kind.id in _FREE or (kind.id in _MAYBE_FREE and not _width(kind))
        for field in schema
        for kind in within(field.type)
    )


def _width(kind: pa.DataType) -> int:
    return int(kind.byte_width) if pa.types.is_fixed_size_binary(kind) else int(kind.num_fields)


def within(kind: pa.DataType) -> Iterator[pa.DataType]:
    """Yield the type and all that it is made of."""
    yield kind
    if isinstance(kind, pa.BaseExtensionType):
        yield from within(kind.storage_type)
    elif pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        yield from within(kind.value_type)
    else:
        for child in children(kind):
            yield from within(child.type)


_NOT_PLAIN: Final = (pa.lib.Type_DICTIONARY, pa.lib.Type_SPARSE_UNION, pa.lib.Type_DENSE_UNION)
_LISTS: Final = tuple(
    getattr(pa.lib, name)
    for name in (
        *("Type_LIST", "Type_LARGE_LIST", "Type_MAP", "Type_FIXED_SIZE_LIST"),
        *("Type_LIST_VIEW", "Type_LARGE_LIST_VIEW"),
    )
    if hasattr(pa.lib, name)
)
_FREE: Final = (pa.lib.Type_NA, pa.lib.Type_RUN_END_ENCODED, pa.lib.Type_FIXED_SIZE_LIST)
_MAYBE_FREE: Final = (pa.lib.Type_STRUCT, pa.lib.Type_FIXED_SIZE_BINARY)
