"""Arrow IPC: files, streams and Feather, told apart by their first bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data import _arrow_files
from shimhub.data._model import Part, Span
from shimhub.data._parquet import grouped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._model import Options, Source


def schema(source: Source, options: Options) -> pa.Schema:
    """Return the columns as the first message or the footer tells them."""
    with _arrow_files.named(source), _arrow_files.open_file(source, options, True) as file:
        return _reader(file).schema


def spans(source: Source, size: int, options: Options) -> list[Span]:
    """Return runs of record batches of about ``size`` bytes; a stream is one span."""
    with _arrow_files.named(source), _arrow_files.open_file(source, options, True) as file:
        reader = _reader(file)
        if not isinstance(reader, pa.RecordBatchFileReader):
            return [Span()]
        count = reader.num_record_batches
        return grouped([file.size() // max(1, count)] * count, size)


def batches(source: Source, span: Span, options: Options) -> Iterator[Part]:
    """Yield the record batches of the span as they are in the file."""
    with _arrow_files.named(source), _arrow_files.open_file(source, options, True) as file:
        reader = _reader(file)
        names = _arrow_files.chosen(reader.schema, source, options)
        first = 0
        for batch in _read(reader, span):
            yield Part(batch.select(names), first)
            first += batch.num_rows


def _reader(file: pa.NativeFile) -> pa.RecordBatchFileReader | pa.RecordBatchStreamReader:
    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    return pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)


def _read(
    reader: pa.RecordBatchFileReader | pa.RecordBatchStreamReader, span: Span
) -> Iterator[pa.RecordBatch]:
    if not isinstance(reader, pa.RecordBatchFileReader):
        yield from reader
        return
    for at in range(reader.num_record_batches)[span.start : span.stop]:
        yield reader.get_batch(at)
