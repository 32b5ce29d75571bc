"""A block without some of its rows: raw lines where there are lines, Arrow where there are not."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.formats import _json_by, _line_blocks, _text
from shimhub.data.formats._formats import format_of
from shimhub.data.writing._writers import Writer, extension_of
from shimhub.kernels.lines import line_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._model import Options, Source, Span
    from shimhub.data.deduplicating._compared import Rows
    from shimhub.data.deduplicating._keys import Array
    from shimhub.data.jobs._work import Job

#: Lines: their bytes, where each begins and ends there, and the number of the first.
_Lines = tuple[Any, Any, Any, int]
#: Formats whose rows are lines, which are copied as they are.
_LINES: Final = ("jsonl", "text")
_FEED: Final = ord("\n")


def extension(source: Source) -> str:
    """Return the extension of the parts of a source: its own format and compression."""
    name = "jsonl" if source.format == "json" else source.format
    return extension_of(name, source.compression)


def keep(job: Job, index: int, gone: Array, rows: Rows) -> dict[str, Any]:
    """Write the part of a block without the rows ``gone``; return the file, and its rows.

    Lines that ``on_error="skip"`` left out are no rows, and are not written.
    """
    source = job.sources[job.blocks[index].source]
    name = f"part-{index:05d}.{extension(source)}"
    options = dataclasses.replace(job.options, columns=None, schema=None)
    whole = dataclasses.replace(job, options=options)
    is_raw = source.format in _LINES
    schema = (
        pa.schema([("line", pa.string())]) if is_raw else format_of(source).schema(source, options)
    )
    with Writer(os.path.join(job.out, name), schema, scratch=job.scratch()) as writer:
        if is_raw:
            for lines, count in _kept_lines(whole, index, np.union1d(gone, rows.unread), rows.stop):
                writer.write_lines(lines, count)
        else:
            for batch in _kept_batches(whole, index, gone):
                writer.write(batch)
    return {"files": [name], **writer.told}


def _kept_batches(job: Job, index: int, gone: Array) -> Iterator[pa.RecordBatch]:
    block = job.blocks[index]
    source = job.sources[block.source]
    for part in format_of(source).batches(source, block.span, job.options):
        wanted = np.ones(part.batch.num_rows, dtype=bool)
        low, high = np.searchsorted(gone, [part.first, part.first + part.batch.num_rows])
        wanted[gone[low:high].astype(np.int64) - part.first] = False
        yield from _filtered(part.batch, wanted)


def _filtered(batch: pa.RecordBatch, wanted: Array) -> Iterator[pa.RecordBatch]:
    """Yield the wanted rows; in slices where pyarrow cannot filter a type, such as views."""
    if wanted.all():
        yield batch
        return
    try:
        yield batch.filter(pa.array(wanted))
    except pa.ArrowNotImplementedError:
        for first, stop in _runs(wanted):
            yield batch.slice(first, stop - first)


def _runs(wanted: Array) -> list[list[int]]:
    """Return where runs of wanted rows begin and end."""
    edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
    found: list[list[int]] = edges.reshape(-1, 2).tolist()
    return found


def _kept_lines(job: Job, index: int, gone: Array, stop: int) -> Iterator[tuple[Any, int]]:
    """Yield the lines that are kept, a copy of each run of them, and how many they are."""
    block = job.blocks[index]
    source = job.sources[block.source]
    read = _text_lines if source.format == "text" else _json_lines
    for data, starts, ends, first in read(source, block.span, job.options):
        low, high = np.searchsorted(gone, [first, first + len(starts)])
        wanted = np.ones(len(starts), dtype=bool)
        wanted[gone[low:high].astype(np.int64) - first] = False
        wanted[max(stop - first, 0) :] = False
        count = int(np.count_nonzero(wanted))
        if count:
            yield _copied(data, starts, ends, wanted), count


def _text_lines(source: Source, span: Span, options: Options) -> Iterator[_Lines]:
    for piece in _text.pieces(source, span, options):
        yield piece.data, piece.starts, piece.ends, piece.first


def _json_lines(source: Source, span: Span, options: Options) -> Iterator[_Lines]:
    """Yield the lines that are not blank; what is no row was told when they were compared."""
    first = 0
    for lines in _line_blocks.line_blocks(source, span, options, _json_by.READ):
        if lines.error is not None:
            first += int(lines.is_line)
            continue
        starts, ends = line_bounds(lines.data)
        yield lines.data, starts, ends, first
        first += len(starts)


def _copied(data: bytes | memoryview, starts: Array, ends: Array, wanted: Array) -> bytes:
    """Join the wanted lines, those that follow each other at once."""
    view = memoryview(data)
    parts = [view[starts[first] : ends[stop - 1]] for first, stop in _runs(wanted)]
    if parts[-1][-1] != _FEED:
        parts.append(memoryview(b"\n"))
    return b"".join(parts)
