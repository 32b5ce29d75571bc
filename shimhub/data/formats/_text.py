"""Text: one column, "text", with a row for each line, without its end.

Lines end as in Python's universal newlines: LF, CR LF or CR. Empty lines are rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import Part
from shimhub.data.errors import DataError
from shimhub.data.formats._line_blocks import BLOCK, line_blocks, line_spans
from shimhub.data.formats._refusals import Refusals
from shimhub.kernels.lines import text_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._model import Options, Source, Span

_SCHEMA: Final = pa.schema([("text", pa.string())])


def schema(source: Source, options: Options) -> pa.Schema:
    """Return the one column: "text", a string, or as ``options.schema`` has it.

    Raises:
        DataError: that has other columns, or a type that is none of text.
    """
    told = options.schema
    if told is None:
        return _SCHEMA
    if told.names != ["text"] or not _is_text(told.field(0).type):
        raise DataError(
            f'{source.path}: text has one column, "text", of strings; schema= has {told}'
        )
    return told


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def spans(source: Source, size: int, options: Options) -> list[Span]:
    """Return spans of about ``size`` bytes; one for what is compressed, remote or re-encoded."""
    return line_spans(source, size, options)


def batches(source: Source, span: Span, options: Options) -> Iterator[Part]:
    """Yield record batches; one ends where a line is skipped.

    Raises:
        DecodeError: a line is not UTF-8 (``options.encoding``), or the file is damaged.
        LimitError: a line is longer than ``options.max_line``.
    """
    for piece in pieces(source, span, options):
        yield Part(batch_of(source, piece, options), piece.first)


def batch_of(source: Source, piece: Texts, options: Options) -> pa.RecordBatch:
    """Return the chosen columns of lines.

    Raises:
        DataError: there is no such column.
    """
    wanted = schema(source, options)
    if options.columns is not None and set(options.columns) - {"text"}:
        raise DataError(f'{source.path}: text has one column, "text", not {options.columns}')
    texts = piece.texts.cast(wanted.field(0).type)
    batch = pa.RecordBatch.from_arrays([texts], schema=wanted)
    return batch if options.columns is None else batch.select(options.columns)


class Texts(NamedTuple):
    """Lines that follow each other: their text, and where they are in the block's bytes."""

    texts: pa.StringArray
    data: bytes | memoryview
    #: Shape (lines,), int64.
    starts: np.ndarray
    ends: np.ndarray
    #: The number of the first in the span; skipped ones count.
    first: int


def pieces(source: Source, span: Span, options: Options) -> Iterator[Texts]:
    """Yield the lines of a span that are text. Raises as :func:`batches`."""
    count = 0
    with Refusals(source, options) as refusals:
        for block in line_blocks(source, span, options, BLOCK):
            if block.error is not None:
                count += refusals.block(block)
                continue
            lines = text_lines(block.data)
            total = len(lines.starts)
            ends = np.append(lines.starts[1:], len(block.data))
            array = pa.StringArray.from_buffers(
                total, pa.py_buffer(lines.offsets), pa.py_buffer(lines.data)
            )
            bad = [] if lines.is_ascii else _not_utf8(array)
            at = 0
            for stop in [*bad, total]:
                if at < stop:
                    part = slice(at, stop)
                    yield Texts(
                        array[at:stop], block.data, lines.starts[part], ends[part], count + at
                    )
                if stop < total:
                    refusals.bad_line(block.offset + int(lines.starts[stop]), _NOT_UTF8)
                at = stop + 1
            count += total


_NOT_UTF8: Final = "is not UTF-8; give encoding= if it has another one"


def _not_utf8(array: pa.StringArray) -> list[int]:
    """Return which are no UTF-8."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return [i for i, line in enumerate(array.cast(pa.binary())) if not _is_utf8(line.as_py())]
    return []


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
