"""Some columns of JSONL, quickly: other keys are not looked at, as their lines stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.json as pj  # type: ignore[import-untyped]

from shimhub.data._json_context import Context
from shimhub.data._json_lines import BadLineError, parse_line
from shimhub.data._line_blocks import line_blocks
from shimhub.data._model import Part
from shimhub.data.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._keys import Array
    from shimhub.data._line_blocks import LineBlock
    from shimhub.data._model import Options, Source, Span

#: Bytes of lines that are read at once.
READ: Final = 4 << 20
_FEED: Final = ord("\n")
_BLANK: Final = b" \t\r\n"


def rows_of(data: bytes) -> tuple[Array, Array]:
    """Return where the lines that are not blank begin and end, their line feed included."""
    content = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(content == _FEED) + 1
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    starts = np.append(0, ends[:-1])
    blank = content[starts] != ord("{")
    for at in np.flatnonzero(blank):
        blank[at] = not data[starts[at] : ends[at]].strip(_BLANK)
    return starts[~blank], ends[~blank]


def batches(source: Source, span: Span, options: Options, schema: pa.Schema) -> Iterator[Part]:
    """Yield record batches of the columns of ``schema`` as ``_jsonl.batches`` does.

    Arrow's reader takes many lines at once where all begin with a brace and make a row each. Where
    it cannot, they are parsed one by one, strictly.

    Raises:
        DecodeError: a line, or the file, is not as it should be.
        SchemaDriftError: a value is not of the column's type.
    """
    context = Context(source, span, options, schema)
    count = 0
    for block in line_blocks(source, span, options, READ):
        if block.error is not None:
            is_line = block.unread == 0
            options.skipped.add(block.error, rows=int(is_line), unread=block.unread)
            count += is_line
            continue
        starts, ends = rows_of(block.data)
        quick = _quick(block.data, starts, schema)
        found = [(0, quick)] if quick is not None else _strictly(context, block, starts, ends)
        for first, batch in found:
            yield Part(batch, count + first)
        count += len(starts)


def _quick(data: bytes, starts: Array, schema: pa.Schema) -> pa.RecordBatch | None:
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
    context: Context, block: LineBlock, starts: Array, ends: Array
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the rows of lines between those that are none, with the number of the first."""
    held: list[dict[str, Any]] = []
    for at, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        try:
            held.append(_row(context, block, start, end))
        except DecodeError as error:
            if context.options.on_error != "skip":
                raise
            context.options.skipped.add(error)
            if held:
                yield at - len(held), pa.RecordBatch.from_pylist(held, schema=context.schema)
            held = []
    if held:
        yield len(starts) - len(held), pa.RecordBatch.from_pylist(held, schema=context.schema)


def _row(context: Context, block: LineBlock, start: int, end: int) -> dict[str, Any]:
    try:
        found = parse_line(block.data[start:end])
    except BadLineError as error:
        raise context.bad(block, start, str(error)) from None
    row = {name: found.get(name) for name in context.schema.names}
    for field in context.schema:
        try:
            pa.array([row[field.name]], field.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise context.drift(block, start, field.name, str(error)) from None
    return row
