"""Inputs cut into blocks, and the rows of a block; which workers there are does not matter."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from typing import TYPE_CHECKING, Any

from shimhub.data._model import Block, Part, Skipped, Span
from shimhub.data.errors import DecodeError, SchemaDriftError
from shimhub.data.formats._counts import counts
from shimhub.data.formats._formats import format_of
from shimhub.data.reading import _reading, _schemas

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data._model import Options, Source
    from shimhub.data.jobs._work import Job


def cut(sources: Sequence[Source], size: int, options: Options) -> tuple[Block, ...]:
    """Return the blocks of about ``size`` bytes of all sources, in order; at least one."""
    found = [
        Block(number, span)
        for number, source in enumerate(sources)
        for span in _spans(source, size, options)
    ]
    return tuple(found) or (Block(0, Span()),)


def _spans(source: Source, size: int, options: Options) -> list[Span]:
    """Return the spans of a source; one of all, for what is to be skipped when it is read."""
    try:
        spans: list[Span] = format_of(source).spans(source, size, options)
    except DecodeError:
        if options.on_error != "skip":
            raise
        return [Span()]
    return spans


def read_block(
    job: Job, index: int, skipped: Skipped | None = None, columns: Sequence[str] | None = None
) -> Iterator[Part]:
    """Yield the record batches of block ``index`` of a job, of ``job.options.schema``, in order.

    ``Part.first`` counts the rows of the block's span. ``skipped`` collects what
    ``on_error="skip"`` leaves out: tell it by ``skips()`` so that the manifest has it.
    ``columns`` chooses some of the job's, in that order.

    Raises:
        DecodeError: what cannot be read, with file and place.
        SchemaDriftError: rows have other columns or types than those before.
    """
    block = job.blocks[index]
    source = job.sources[block.source]
    assert job.reading is not None
    reading = job.reading
    schema = _schemas.chosen(reading.schema, None if columns is None else tuple(columns), KeyError)
    options = dataclasses.replace(
        reading.options, skipped=Skipped() if skipped is None else skipped
    )
    reading = dataclasses.replace(reading, options=options, schema=schema, seen={})
    how = _reading.options_for(reading, block.source)
    if how is None:  # it cannot be opened, and is counted as skipped
        return
    with closing(format_of(source).batches(source, block.span, how)) as parts:
        for part in parts:
            yield Part(_conformed(job, index, part, schema), part.first)


def _conformed(job: Job, index: int, part: Part, schema: pa.Schema) -> pa.RecordBatch:
    path = job.sources[job.blocks[index].source].path
    try:
        assert job.reading is not None
        return _schemas.conformed(part.batch, schema, path, part.first, job.reading.first)
    except SchemaDriftError as error:  # its row is one of the span
        raise row_error(job, index, part.first, error.problem, type(error)) from error


def row_error(
    job: Job, index: int, row: int, problem: str, kind: type[DecodeError] = DecodeError
) -> DecodeError:
    """Return the error of row ``row`` of block ``index``, with its number in the file.

    A file of lines does not tell how many rows are before a block: then the block's first byte is.
    """
    block = job.blocks[index]
    source, span = job.sources[block.source], block.span
    before = _rows_before(source, span, job.options)
    if before is not None:
        return kind(source.path, problem, row=before + row)
    where = f"row {row} of the block that begins at byte {span.start}"
    return kind(source.path, f"{where}: {problem}")


def _rows_before(source: Source, span: Span, options: Options) -> int | None:
    """Return how many rows of its file are before a span; None where only reading tells it."""
    if span.start == 0:
        return 0
    units = counts(source, options)  # spans of an Arrow stream are in bytes
    return sum(units[: span.start]) if units is not None and span.start < len(units) else None


def skips(skipped: Skipped) -> dict[str, Any]:
    """Return what a task tells under the key "skipped"."""
    return {
        "rows": skipped.rows,
        "unread": skipped.unread,
        "files": dict(skipped.files),
        "first": [str(error) for error in skipped.first],
    }


def name_of(job: Job, index: int) -> str:
    """Return how a block is called in messages."""
    block = job.blocks[index]
    start, stop = block.span.start, block.span.stop
    end = "end" if stop is None else stop
    return f"block {index} ({job.sources[block.source].path}, {start} to {end})"
