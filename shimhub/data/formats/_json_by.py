"""Some columns of JSONL, quickly: other keys are not looked at, as their lines stay as they are."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.json as pj  # type: ignore[import-untyped]

from shimhub.data._model import Part, Span
from shimhub.data.errors import DecodeError, SchemaDriftError
from shimhub.data.formats._json_lines import BadLineError, parse_line
from shimhub.data.formats._line_blocks import line_blocks
from shimhub.data.formats._refusals import Refusals
from shimhub.kernels.lines import line_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shimhub.data._model import Options, Source
    from shimhub.data.deduplicating._keys import Array
    from shimhub.data.formats._line_blocks import LineBlock

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

    Arrow's reader takes many lines at once where all begin with a brace and make a row each. Where
    it cannot, they are parsed one by one, strictly.

    Raises:
        DecodeError: a line, or the file, is not as it should be.
        SchemaDriftError: a value is not of the column's type.
    """
    count = 0
    with Refusals(source, options) as refusals:
        for block in line_blocks(source, span, options, READ):
            if block.error is not None:
                count += refusals.block(block)
                continue
            starts, ends = line_bounds(block.data)
            quick = _quick(block.data, starts, schema)
            found = [(0, quick)] if quick else _strictly(refusals, block, starts, ends, schema)
            for first, batch in found:
                yield Part(batch, count + first)
            count += len(starts)


def _quick(data: bytes | memoryview, starts: Array, schema: pa.Schema) -> pa.RecordBatch | None:
    """Read all lines at once; None where that is not certain to be right."""
    if not len(starts) or np.any(np.frombuffer(data, np.uint8)[starts] != ord("{")):
        return None
    try:
        table = pj.read_json(
            pa.py_buffer(data),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="ignore"
            ),
        )
        table.validate(full=True)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    if table.num_rows != len(starts):
        return None
    return table.combine_chunks().to_batches()[0]


def _strictly(
    refusals: Refusals, block: LineBlock, starts: Array, ends: Array, schema: pa.Schema
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the rows of lines between those that are none, with the number of the first."""
    held: list[pa.RecordBatch] = []
    for at, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        try:
            held.append(_row(block.data[start:end], schema))
        except BadLineError as error:
            kind = error.args[1] if error.args[1:] else DecodeError
            refusals.bad_line(block.offset + start, str(error.args[0]), kind)
            if held:
                yield at - len(held), pa.concat_batches(held)
            held = []
    if held:
        yield len(starts) - len(held), pa.concat_batches(held)


def _row(line: bytes | memoryview, schema: pa.Schema) -> pa.RecordBatch:
    """Return the row of a line.

    Raises:
        BadLineError: it is none; with SchemaDriftError if a value is not of its column's type.
    """
    found = parse_line(bytes(line))
    columns = []
    for field in schema:
        try:
            columns.append(pa.array([found.get(field.name)], field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise BadLineError(f"column {field.name!r}: {error}", SchemaDriftError) from None
    return pa.record_batch(columns, schema=schema)
