"""JSONL, also called NDJSON: one object a line.

The schema is the file's first mebibyte's (or its first line's, if that is longer), unless
``options.schema`` gives it: later rows must be of it. Keys that are missing are null.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import Part, Span
from shimhub.data.formats._json_arrow import batch_of, quick_batch
from shimhub.data.formats._json_begun import begun
from shimhub.data.formats._json_context import Context
from shimhub.data.formats._json_rows import quick_rows, rows_of
from shimhub.data.formats._json_schema import guessed
from shimhub.data.formats._json_strict import strict_row
from shimhub.data.formats._line_blocks import LineBlocks, line_blocks, line_spans
from shimhub.data.formats._pieces import Reader, told
from shimhub.data.formats._refusals import Refusals
from shimhub.kernels.lines import line_bounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shimhub.data._model import Options, Source
    from shimhub.data.formats._line_blocks import LineBlock
    from shimhub.data.formats._pieces import Quick, Told

#: Bytes whose lines give the schema.
FIRST: Final = 1 << 20
#: Bytes that are made Arrow at once: fewer cost more calls, and more copies of rows between blocks.
READ: Final = 1 << 22
#: Bytes that are made dicts at once: such are copied without new pages.
ROWS: Final = 1 << 18


def spans(source: Source, size: int, options: Options) -> list[Span]:
    """Return spans of about ``size`` bytes; one for what is compressed or remote."""
    return line_spans(source, size, options)


def schema(source: Source, options: Options) -> pa.Schema:
    """Return ``options.schema``, or that of the first block.

    Raises:
        DecodeError: a line is not as it should be (with ``on_error="skip"`` it is left out).
        SchemaDriftError: the first block has no one schema.
    """
    if options.schema is not None:
        return options.schema
    blocks = LineBlocks(source, Span(), options, FIRST)
    return guessed(source, options, blocks, all_of_them=False)


def widest(source: Source, options: Options) -> pa.Schema:
    """Return the schema that holds all rows: the source is read to its end. Raises as `schema`."""
    blocks = LineBlocks(source, Span(), options, FIRST)
    return guessed(source, options, blocks, all_of_them=True)


def batches(source: Source, span: Span, options: Options) -> Iterator[Part]:
    """Yield record batches; one ends where a line is skipped.

    Raises:
        DecodeError: a line, or the file, is not as it should be.
        SchemaDriftError: a row is not of the schema.
    """
    context = Context(source, options, schema(source, options))
    with begun(source, span, options, READ) as first:
        quick = quick_batch(context)
        if first is not None:
            quick = first.quick(context.schema, quick)
        blocks = line_blocks(source, span, options, READ) if first is None else first
        for found in _told(context, blocks, quick, pa.cpu_count()):
            yield Part(batch_of(context, found.piece.rows), found.first)


def rows(source: Source, span: Span, options: Options) -> Iterator[tuple[list[Any], int]]:
    """Yield the same rows as dicts, and the number of the first. Raises as :func:`batches`."""
    context = Context(source, options, schema(source, options))
    if context.fields is None:
        from shimhub.data.reading._outputs import rows_of as rows_of_batch

        for part in batches(source, span, options):
            yield rows_of_batch(part.batch), part.first
        return
    with begun(source, span, options, ROWS) as first:
        blocks = line_blocks(source, span, options, ROWS) if first is None else first
        for found in _told(context, blocks, quick_rows(context), 1):
            yield rows_of(context, found.piece.rows), found.first


def told_lines(
    context: Context, span: Span, quick: Quick, threads: int, size: int = READ
) -> Iterator[Told]:
    """Yield the pieces of a span that are rows, and refuse the others."""
    blocks = line_blocks(context.source, span, context.options, size)
    return _told(context, blocks, quick, threads)


def _told(
    context: Context, blocks: Iterable[LineBlock], quick: Quick, threads: int
) -> Iterator[Told]:
    reader = Reader(line_bounds, quick, partial(strict_row, context))
    with Refusals(context.source, context.options) as refusals:
        yield from told(blocks, reader, refusals, threads)
