"""Some columns of JSONL, quickly: other keys are not looked at, as their lines stay as they are."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import Part, Span
from shimhub.data.errors import SchemaDriftError
from shimhub.data.formats._json_arrow import batch_of, quick_batch
from shimhub.data.formats._json_context import Context
from shimhub.data.formats._json_lines import BadLineError, parse_line
from shimhub.data.formats._jsonl import told_lines
from shimhub.data.formats._line_blocks import line_blocks
from shimhub.kernels.lines import line_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shimhub.data._model import Options, Source

#: Bytes of lines that are read at once.
READ: Final = 4 << 20
#: Bytes of lines that tell the types.
FIRST: Final = 1 << 20


def schema(source: Source, options: Options, by: Sequence[str]) -> pa.Schema:
    """Return ``options.schema``, or the columns of the first block; types only of those ``by``.

    Of a file without rows, none. What is no row is told when it is read.

    Raises:
        SchemaDriftError: the values of a column have no one type.
    """
    if options.schema is not None:
        return options.schema
    rows = _first_rows(source, options)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.schema(
        [(name, _type(source, name, rows) if name in by else pa.null()) for name in names]
    )


def _type(source: Source, name: str, rows: list[dict[str, Any]]) -> pa.DataType:
    try:
        return pa.array([row.get(name) for row in rows]).type
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaDriftError(source.path, f"column {name!r}: {error}") from None


def _first_rows(source: Source, options: Options) -> list[dict[str, Any]]:
    for block in line_blocks(source, Span(), options, FIRST):
        starts, ends = line_bounds(block.data)
        rows = []
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            with contextlib.suppress(BadLineError):
                rows.append(parse_line(bytes(block.data[start:end])))
        if rows:
            return rows
    return []


def batches(source: Source, span: Span, options: Options, schema: pa.Schema) -> Iterator[Part]:
    """Yield record batches of the columns of ``schema``, null where a line has none.

    Each line is checked as a whole: keys that the schema has not must be JSON, too.

    Raises:
        DecodeError: a line, or the file, is not as it should be.
        SchemaDriftError: a value is not of the column's type.
    """
    context = Context(source, options, schema, partial=True)
    for found in told_lines(context, span, quick_batch(context), 1, READ):
        yield Part(batch_of(context, found.piece.rows), found.first)
