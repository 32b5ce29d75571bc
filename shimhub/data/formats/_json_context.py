"""How the lines of a JSONL source are made rows: by which schema, and which of its columns."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from shimhub.data.errors import DataError
from shimhub.kernels.rows import fields_of

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data._model import Options, Source


class Context:
    """What the threads that read one source share; nothing of it changes.

    ``partial`` leaves out the keys that the schema does not have, unchecked but for being JSON.
    Raises ``DataError`` if the schema has a column twice, or if a chosen one is not there.
    """

    def __init__(
        self, source: Source, options: Options, schema: pa.Schema, *, partial: bool = False
    ) -> None:
        self.source, self.options, self.schema = source, options, schema
        self.partial = partial
        if len(set(schema.names)) < len(schema.names):
            raise DataError(f"{source.path}: the schema has a column twice: {schema.names}")
        for name in options.columns or ():
            if name not in schema.names:
                there = ", ".join(map(repr, schema.names))
                raise DataError(f"{source.path}: has no column {name!r}, only {there}")

    @cached_property
    def fields(self) -> Any:
        """The schema as ``kernels.conform`` takes it; None where only Arrow makes such values."""
        return fields_of(self.schema) if _all_nullable(self.schema) else None

    @cached_property
    def is_flat(self) -> bool:
        """Whether no column holds objects, nor lists of them."""
        return not any(_inner(field.type) for field in self.schema)

    @cached_property
    def columns(self) -> list[str] | None:
        """The chosen columns; None for all in their order."""
        chosen = self.options.columns
        return None if chosen is None or list(chosen) == self.schema.names else list(chosen)


def _all_nullable(fields: Any) -> bool:
    return all(field.nullable and _all_nullable(_inner(field.type)) for field in fields)


def _inner(kind: pa.DataType) -> list[pa.Field]:
    return [kind.field(i) for i in range(kind.num_fields)]
