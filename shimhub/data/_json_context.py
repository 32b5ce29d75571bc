"""What reading one JSONL source needs to know, and its errors."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from shimhub.data._line_blocks import lines_before
from shimhub.data.errors import DataError, DecodeError, SchemaDriftError

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data._line_blocks import LineBlock
    from shimhub.data._model import Options, Source, Span


class Context:
    """One span of a source, read with a schema."""

    def __init__(self, source: Source, span: Span, options: Options, schema: pa.Schema) -> None:
        self.source, self.span, self.options, self.schema = source, span, options, schema
        if len(set(schema.names)) < len(schema.names):
            raise DataError(f"{source.path}: the schema has a column twice: {schema.names}")

    @cached_property
    def fields(self) -> Any:
        """The schema as ``kernels.conform`` takes it; None where only Arrow has such values."""
        from shimhub.kernels.rows import fields_of

        return fields_of(self.schema) if _all_nullable(self.schema) else None

    @cached_property
    def lines_before(self) -> int:
        """How many lines are before the span: known only once an error asks for it."""
        return lines_before(self.source, self.span.start, self.options)

    @cached_property
    def columns(self) -> list[str] | None:
        """The chosen columns; None for all in their order."""
        chosen = self.options.columns
        if chosen is None or list(chosen) == self.schema.names:
            return None
        for name in chosen:
            if name not in self.schema.names:
                raise DataError(
                    f"{self.source.path}: has no column {name!r}, only "
                    + ", ".join(map(repr, self.schema.names))
                )
        return list(chosen)

    def bad(self, block: LineBlock, start: int, problem: str) -> DecodeError:
        """Return the error of the line that begins there in the block."""
        line, offset = self._place(block, start)
        return DecodeError(self.source.path, problem, line=line, offset=offset)

    def drift(self, block: LineBlock, start: int, column: str, problem: str) -> SchemaDriftError:
        """Return the error of a line that is not of the schema."""
        line, offset = self._place(block, start)
        return SchemaDriftError(
            self.source.path,
            f'column {column!r}: {problem}; give schema=, or on_drift="unify" to widen it',
            line=line,
            offset=offset,
        )

    def _place(self, block: LineBlock, start: int) -> tuple[int, int]:
        line = self.lines_before + block.line + block.data.count(b"\n", 0, start) + 1
        return line, block.offset + start


def _all_nullable(fields: Any) -> bool:
    return all(field.nullable and _all_nullable(_inner(field.type)) for field in fields)


def _inner(kind: pa.DataType) -> list[pa.Field]:
    return [kind.field(i) for i in range(kind.num_fields)]
