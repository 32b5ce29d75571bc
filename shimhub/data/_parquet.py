"""Parquet: pyarrow decodes it, a row group at a time.

A row group's pages are read as they are needed, so that memory holds a few pages of each column
and one batch; a page is rarely more than a few MB, whatever the row group's size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from shimhub.data import _arrow_files
from shimhub.data._model import Part, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from shimhub.data._model import Options, Source

#: Bytes that are read ahead of each column.
_BUFFER: Final = 1 << 20


def schema(source: Source, options: Options) -> pa.Schema:
    """Return the columns as the footer tells them."""
    with _opened(source, options) as file:
        return file.schema_arrow


def spans(source: Source, size: int, options: Options) -> list[Span]:
    """Return runs of row groups of about ``size`` compressed bytes."""
    with _opened(source, options) as file:
        sizes = [_stored(file.metadata.row_group(i)) for i in range(file.num_row_groups)]
    return grouped(sizes, size)


def grouped(sizes: list[int], size: int) -> list[Span]:
    """Cut a run of things of these sizes where ``size`` is reached; at least one in each part."""
    found, start, held = [], 0, 0
    for at, one in enumerate(sizes):
        if at > start and held + one > size:
            found.append(Span(start, at))
            start, held = at, 0
        held += one
    return [*found, Span(start, len(sizes))]


def batches(source: Source, span: Span, options: Options) -> Iterator[Part]:
    """Yield the row groups of the span in batches of ``options.batch_size`` rows or fewer."""
    with _opened(source, options) as file:
        names = _arrow_files.chosen(file.schema_arrow, source, options)
        groups = range(file.num_row_groups)[span.start : span.stop]
        first = 0
        with _arrow_files.named(source):
            for batch in file.iter_batches(options.batch_size, row_groups=groups, columns=names):
                yield Part(batch.select(names), first)
                first += batch.num_rows


def _stored(group: pq.RowGroupMetaData) -> int:
    return sum(group.column(i).total_compressed_size for i in range(group.num_columns))


def _opened(source: Source, options: Options) -> pq.ParquetFile:
    with _arrow_files.named(source):
        return pq.ParquetFile(
            _arrow_files.open_file(source, options),
            buffer_size=_BUFFER,
            pre_buffer=False,
            page_checksum_verification=True,
        )
