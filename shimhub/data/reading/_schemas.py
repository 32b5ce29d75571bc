"""Schemas of several files or blocks: are they the same, what holds all of them, and casting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import types

from shimhub.data.errors import SchemaDriftError
from shimhub.data.formats._pieces import origin
from shimhub.data.reading._widen import UnmergeableError, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_CURE = 'on_drift="unify" reads everything once before, and widens the schema'


def check_same(
    known: pa.Schema, found: pa.Schema, path: str, before: str, cure: str = _CURE
) -> None:
    """Check that a file has the columns and types of those before; their order is free.

    Raises:
        SchemaDriftError: it does not: which column, and both types.
    """
    if known.equals(found):
        return
    for problem in differences(known, found, before):
        raise SchemaDriftError(path, f"{problem}; {cure}")


def differences(known: pa.Schema, found: pa.Schema, before: str) -> Iterator[str]:
    """Yield what differs from the schema of ``before``, column by column."""
    for field in known:
        if field.name not in found.names:
            yield f"no column {field.name!r}, which is {field.type} in {before}"
        elif not is_same(field.type, found.field(field.name).type):
            other = found.field(field.name).type
            yield f"column {field.name!r} is {other}, but {field.type} in {before}"
    for field in found:
        if field.name not in known.names:
            yield f"column {field.name!r} ({field.type}) is not in {before}"


def is_same(one: pa.DataType, two: pa.DataType) -> bool:
    """Whether types are equal but for names of list items and for what is declared not null."""
    return bool(one.equals(two) or _plain(one).equals(_plain(two)))


def _plain(kind: pa.DataType) -> pa.DataType:
    if types.is_struct(kind):
        return pa.struct([pa.field(field.name, _plain(field.type)) for field in kind])
    if types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if types.is_list(kind):
        return pa.list_(pa.field("item", _plain(kind.value_type)))
    if types.is_large_list(kind):
        return pa.large_list(pa.field("item", _plain(kind.value_type)))
    if types.is_fixed_size_list(kind):
        return pa.list_(pa.field("item", _plain(kind.value_type)), kind.list_size)
    return kind


def unified(schemas: Iterable[tuple[str, pa.Schema]]) -> pa.Schema:
    """Return the schema that holds the rows of all, given by the paths they are from.

    Columns are those of the first, then those that are new in each; the metadata is the first's.

    Raises:
        SchemaDriftError: two types of a column do not go together.
    """
    before = [first := next(rest := iter(schemas))]
    known = first[1]
    for path, found in rest:
        known = merged(known, found, path, before)
        before.append((path, found))
    return known


def merged(
    known: pa.Schema, found: pa.Schema, path: str, before: Sequence[tuple[str, pa.Schema]]
) -> pa.Schema:
    """Return what holds both schemas; ``path`` and which one before are told where nothing does."""
    try:
        return pa.schema(fields_of(list(known), list(found)), known.metadata)
    except UnmergeableError as error:
        where, one, two, other = _other(found, before) or (*error.args, f"those before {path}")
        raise SchemaDriftError(
            path,
            f"column {where!r} is {two}, but {one} in {other}, and no type holds both: change one "
            "of the files, or read them apart",
        ) from None


def _other(
    found: pa.Schema, before: Sequence[tuple[str, pa.Schema]]
) -> tuple[str, pa.DataType, pa.DataType, str] | None:
    """Return column, both types and the first path before whose schema does not go with this one.

    None if each does, and only all together do not.
    """
    for path, schema in before:
        try:
            fields_of(list(schema), list(found))
        except UnmergeableError as error:
            where, one, two = error.args
            return where, one, two, path
    return None


def conformed(
    batch: pa.RecordBatch, schema: pa.Schema, path: str, first: int, told_by: str = ""
) -> pa.RecordBatch:
    """Return the batch with the columns and types of ``schema``; null where it has no such column.

    ``first`` is the number of its first row in the file; ``told_by`` is where the schema is from.

    Raises:
        SchemaDriftError: a value is not held exactly by the new type.
    """
    if batch.schema.equals(schema):
        return batch
    columns = [_column(batch, field, path, first, told_by) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(
    batch: pa.RecordBatch, field: pa.Field, path: str, first: int, told_by: str
) -> pa.Array:
    at = batch.schema.get_field_index(field.name)
    if at < 0:
        return pa.nulls(batch.num_rows, field.type)
    try:
        return cast_to(batch.column(at), field.type)
    except pa.ArrowException as error:
        raise SchemaDriftError(
            path,
            f"column {field.name!r}: {' '.join(str(error).split())}: a {batch.column(at).type} "
            f"that {field.type} of {origin(path, told_by)} does not hold; give schema= with a "
            "type that does",
            row=first,
        ) from error


def cast_to(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return the values as another type; raises ``pa.ArrowException`` where one would change."""
    if array.type.equals(kind):
        return array
    if types.is_dictionary(array.type) and not types.is_dictionary(kind):
        return cast_to(array.dictionary_decode(), kind)
    if _has_list_views(array.type):
        # pyarrow 26 loses the last list where it casts views of lists; values know no offsets.
        return pa.array(array.to_pylist(), kind)
    return array.cast(kind, safe=True)


def _has_list_views(kind: pa.DataType) -> bool:
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        return True
    return any(_has_list_views(kind.field(i).type) for i in range(kind.num_fields))


def chosen(schema: pa.Schema, columns: tuple[str, ...] | None, problem: Any) -> pa.Schema:
    """Return the columns that are wanted, in that order; ``problem(name)`` is raised for others."""
    if columns is None:
        return schema
    for name in columns:
        if name not in schema.names:
            raise problem(name)
    return pa.schema([schema.field(name) for name in columns], schema.metadata)
