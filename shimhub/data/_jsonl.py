"""JSONL, also called NDJSON: one object a line.

The schema is the file's first mebibyte's (or its first line's, if that is longer), unless
``options.schema`` gives it: later rows must be of it. Keys that are missing are null.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from shimhub.data._json_arrow import batch_of, quick_batch
from shimhub.data._json_context import Context
from shimhub.data._json_lines import BadLineError, parse_line
from shimhub.data._json_pieces import pieces, split
from shimhub.data._json_types import NO_FIELDS, ConflictError, guess_of, merged, schema_of
from shimhub.data._line_blocks import BLOCK, line_blocks, line_spans
from shimhub.data._model import Part, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data._json_pieces import Lines, Piece
    from shimhub.data._json_types import Guess
    from shimhub.data._line_blocks import LineBlock
    from shimhub.data._model import Options, Source

#: Bytes whose lines give the schema.
FIRST: Final = 1 << 20


def spans(source: Source, size: int, options: Options) -> list[Span]:
    """Return spans of about ``size`` bytes; one for what is compressed or remote."""
    return line_spans(source, size)


def schema(source: Source, options: Options) -> pa.Schema:
    """Return ``options.schema``, or that of the first block.

    Raises:
        DecodeError: a line is not as it should be (with ``on_error="skip"`` it is left out).
        SchemaDriftError: the first block has no one schema.
    """
    if options.schema is not None:
        return options.schema
    for block in line_blocks(source, Span(), _looking(options), FIRST):
        if block.error is None:
            guess = _guessed(source, options, block, NO_FIELDS)
            if guess is not NO_FIELDS:
                return schema_of(guess)
    return schema_of(NO_FIELDS)


def widest(source: Source, options: Options) -> pa.Schema:
    """Return the schema that holds all rows of the source: it is read to its end."""
    guess = NO_FIELDS
    for block in line_blocks(source, Span(), _looking(options), FIRST):
        if block.error is None:
            guess = _guessed(source, options, block, guess)
    return schema_of(guess)


def _looking(options: Options) -> Options:
    """Options for a first look: what is skipped is counted when the rows are read, and once."""
    from dataclasses import replace

    from shimhub.data._model import Skipped

    return replace(options, skipped=Skipped())


def _guessed(source: Source, options: Options, block: LineBlock, guess: Guess) -> Guess:
    context = Context(source, Span(), options, schema_of(NO_FIELDS))
    lines = split(block)
    for i in range(len(lines.starts)):
        try:
            guess = merged(guess, guess_of(parse_line(lines.line(i))))
        except BadLineError as error:
            if options.on_error != "skip":
                raise context.bad(block, int(lines.starts[i]), str(error)) from None
        except ConflictError as conflict:
            if options.on_error != "skip":
                raise context.drift(
                    block, int(lines.starts[i]), conflict.column, conflict.problem
                ) from None
    return guess


def batches(source: Source, span: Span, options: Options) -> Iterator[Part]:
    """Yield record batches; one ends where a line is skipped.

    Raises:
        DecodeError: a line, or the file, is not as it should be.
        SchemaDriftError: a row is not of the schema.
    """
    context = Context(source, span, options, schema(source, options))
    for piece, _, first in _read(context, quick_batch(context)):
        batch = batch_of(context, piece.rows)
        yield Part(batch if context.columns is None else batch.select(context.columns), first)


def rows(source: Source, span: Span, options: Options) -> Iterator[tuple[list[Any], int]]:
    """Yield the same rows as dicts, and the number of the first."""
    for part in batches(source, span, options):
        yield part.batch.to_pylist(), part.first


def _read(context: Context, quick: Any) -> Iterator[tuple[Piece, Lines, int]]:
    """Yield the pieces that are rows, with the number of the first in the span."""
    count = 0
    for block in line_blocks(context.source, context.span, context.options):
        if block.error is not None:
            is_line = block.unread == 0
            context.options.skipped.add(block.error, rows=int(is_line), unread=block.unread)
            count += is_line
            continue
        lines = split(block)
        for piece in pieces(context, lines, quick):
            if piece.error is None:
                yield piece, lines, count
            elif context.options.on_error == "skip":
                context.options.skipped.add(piece.error)
            else:
                raise piece.error
            count += piece.stop - piece.first
