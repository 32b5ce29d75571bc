"""Lines of JSONL and text with their exact bytes, beside the rows that they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.errors import DataError
from shimhub.data.formats import _jsonl, _text
from shimhub.data.formats._json_arrow import batch_of, quick_batch
from shimhub.data.formats._json_context import Context

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from shimhub.data._model import Options, Source, Span


class Raw(NamedTuple):
    """Rows, and where the line of each is: ``data[starts[i]:ends[i]]``, with what ends it.

    The file's last line may have no end. Lines of CR alone are text's only.
    """

    batch: pa.RecordBatch
    data: bytes | memoryview
    #: Shape (rows,), int64.
    starts: np.ndarray
    ends: np.ndarray
    #: The number of the first row in the span; skipped ones count.
    first: int

    def line(self, i: int) -> bytes:
        """Return the bytes of row i."""
        return bytes(self.data[self.starts[i] : self.ends[i]])


def raw_lines(source: Source, span: Span, options: Options) -> Iterator[Raw]:
    """Yield the rows that ``batches`` of the format does, in its order, with their lines.

    Raises:
        DataError: the format is not of lines.
        DecodeError, SchemaDriftError, LimitError: as ``batches``.
    """
    if source.format == "jsonl":
        yield from _of_jsonl(source, span, options)
    elif source.format == "text":
        yield from _of_text(source, span, options)
    else:
        raise DataError(f"{source.path}: rows of {source.format} are no lines")


def _of_jsonl(source: Source, span: Span, options: Options) -> Iterator[Raw]:
    context = Context(source, options, _jsonl.schema(source, options))
    for told in _jsonl.told_lines(context, span, quick_batch(context), pa.cpu_count()):
        part = slice(told.piece.first, told.piece.stop)
        starts, ends = told.lines.bounds
        batch = batch_of(context, told.piece.rows)
        yield Raw(batch, told.lines.data, starts[part], ends[part], told.first)


def _of_text(source: Source, span: Span, options: Options) -> Iterator[Raw]:
    for piece in _text.pieces(source, span, options):
        yield Raw(_text.batch_of(source, piece, options), *piece[1:])
