"""JSON files: an array of objects, objects one after the other, or one object; never held whole.

The elements are made lines as they come, and read as JSONL is: what :mod:`._jsonl` tells of schema,
drift and strictness holds here. Places are bytes of the file, and rows: a line has no meaning.
"""

from __future__ import annotations

from collections import deque
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import Part, Span
from shimhub.data.errors import DecodeError, FormatError, LimitError
from shimhub.data.formats._encodings import open_content
from shimhub.data.formats._json_arrow import batch_of, quick_batch
from shimhub.data.formats._json_begun import Begun, begun
from shimhub.data.formats._json_context import Context
from shimhub.data.formats._json_rows import quick_rows, rows_of
from shimhub.data.formats._json_schema import guessed
from shimhub.data.formats._json_strict import strict_row
from shimhub.data.formats._line_blocks import LineBlock
from shimhub.data.formats._pieces import Reader, told
from shimhub.data.formats._refusals import Refusals
from shimhub.kernels.lines import AFTER, BEGIN, END, INSIDE, SCALAR, JsonElements, line_bounds

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from shimhub.data._model import Options, Source
    from shimhub.data.formats._pieces import Quick, Told

#: Bytes whose elements give the schema.
FIRST: Final = 1 << 20
#: Bytes that are made Arrow at once, and dicts: see :mod:`._jsonl`.
READ: Final = 1 << 21
ROWS: Final = 1 << 18
_BOM: Final = b"\xef\xbb\xbf"


def spans(source: Source, size: int, options: Options) -> list[Span]:  # noqa: ARG001
    """Return one span: where elements begin is known only from the beginning."""
    return [Span()]


def schema(source: Source, options: Options) -> pa.Schema:
    """Return ``options.schema``, or that of the first block. Raises as ``_jsonl.schema``."""
    if options.schema is not None:
        return options.schema
    blocks = _Elements(source, options, FIRST)
    return guessed(source, options, blocks, all_of_them=False, places=blocks)


def widest(source: Source, options: Options) -> pa.Schema:
    """Return the schema that holds all rows: the source is read to its end."""
    blocks = _Elements(source, options, FIRST)
    return guessed(source, options, blocks, all_of_them=True, places=blocks)


def batches(source: Source, span: Span, options: Options) -> Iterator[Part]:  # noqa: ARG001
    """Yield record batches; one ends where an element is skipped.

    Raises:
        DecodeError: an element, or what is between them, is not as it should be.
        SchemaDriftError: a row is not of the schema.
    """
    context = Context(source, options, schema(source, options))
    with begun(source, Span(), options, READ) as first:
        quick = quick_batch(context)
        if first is not None:
            quick = first.quick(context.schema, quick)
        for found in _told(context, first, quick, pa.cpu_count(), READ):
            yield Part(batch_of(context, found.piece.rows), found.first)


def rows(source: Source, span: Span, options: Options) -> Iterator[tuple[list[Any], int]]:
    """Yield the same rows as dicts, and the number of the first. Raises as :func:`batches`."""
    context = Context(source, options, schema(source, options))
    if context.fields is None:
        from shimhub.data.reading._outputs import rows_of as rows_of_batch

        for part in batches(source, span, options):
            yield rows_of_batch(part.batch), part.first
        return
    with begun(source, Span(), options, ROWS) as first:
        for found in _told(context, first, quick_rows(context), 1, ROWS):
            yield rows_of(context, found.piece.rows), found.first


def _told(
    context: Context, first: Begun | None, quick: Quick, threads: int, size: int
) -> Iterator[Told]:
    reader = Reader(line_bounds, quick, partial(strict_row, context))
    elements = _Elements(context.source, context.options, size)
    blocks, places = (elements, elements) if first is None else (first, first.blocks)
    with Refusals(context.source, context.options, places) as refusals:
        yield from told(blocks, reader, refusals, threads)


class _Elements:
    """Blocks of elements as lines; ``offset`` of a block counts bytes of these.

    ``place`` tells where an element lies in the file, of blocks that were given out lately.
    """

    def __init__(self, source: Source, options: Options, size: int) -> None:
        self._source, self._options, self.size = source, options, max(size, len(_BOM))
        self._machine = JsonElements()
        #: Of the last blocks: the first row, the block, and where its elements are in the file.
        self._given: deque[tuple[int, LineBlock, np.ndarray]] = deque(maxlen=pa.cpu_count() + 4)
        self._row = 0
        self._pending = np.empty(0, np.int64)
        self._tail: list[bytes] = []
        self._held = 0
        self._offset = 0
        self._before = 0

    def __iter__(self) -> Generator[LineBlock, None, None]:
        with closing(open_content(self._source, self._options)) as stream:
            try:
                yield from self._blocks(stream)
            except DecodeError as error:
                unread = max(self._source.size - stream.compressed, 0)
                yield LineBlock(b"", self._offset, error, unread=unread)

    def place(self, offset: int) -> tuple[int, int]:
        """Return the number of the element whose line begins there, and its byte in the file."""
        for row, block, starts in reversed(self._given):
            if block.offset <= offset:
                at = bytes(block.data[: offset - block.offset]).count(b"\n")
                return row + at, int(starts[at]) + self._before
        raise IndexError(offset)

    def _blocks(self, stream: Any) -> Iterator[LineBlock]:
        is_begun = False
        while found := stream.view(self.size):
            if not is_begun:
                found = self._begun(found)
                is_begun = True
            # What is held of a long element is copied where it ends, and not for each block.
            head = self._tail.pop() if 0 < self._held <= self.size else b""
            lines, end, starts, is_good = self._machine.feed(found, head)
            self._held -= len(head)
            self._pending = np.concatenate([self._pending, starts])
            if end:
                whole = memoryview(lines)[:end]
                yield self._block(b"".join([*self._tail, whole]) if self._held else whole)
                self._tail, self._held = [], 0
            self._tail.append(bytes(lines[end:]))
            self._held += len(lines) - end
            if not is_good:
                raise self._misplaced()
            if self._held > self._options.max_line:
                raise self._too_long()
        yield from self._finished()

    def _begun(self, found: memoryview) -> memoryview:
        head = bytes(found[: len(_BOM)])
        if b"\0" in head[:2] or head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise FormatError(
                f"{self._source.path}: begins as UTF-16 does, and is read as UTF-8; give "
                'encoding="utf-16"'
            )
        if head.startswith(_BOM):
            self._before = len(_BOM)
            return found[len(_BOM) :]
        return found

    def _block(self, data: bytes | memoryview, *, is_last: bool = False) -> LineBlock:
        is_open = self._machine.state in (INSIDE, SCALAR) and not is_last
        count = len(self._pending) - is_open
        block = LineBlock(data, self._offset)
        # Blocks are told of in order, and at most a few after they were given out.
        self._given.append((self._row, block, self._pending[:count]))
        self._row += count
        self._pending = self._pending[count:]
        self._offset += len(data)
        return block

    def _finished(self) -> Iterator[LineBlock]:
        machine = self._machine
        if machine.state == SCALAR and not machine.is_array:
            yield self._block(b"".join([*self._tail, b"\n"]), is_last=True)
        elif machine.state == BEGIN:
            raise DecodeError(self._source.path, "is empty: there is no JSON value", offset=0)
        elif machine.state != END and (machine.is_array or machine.state != AFTER):
            raise DecodeError(
                self._source.path,
                "ends in the middle of its value: the file was cut short; get it again",
                offset=machine.offset + self._before,
            )

    def _misplaced(self) -> DecodeError:
        problem = "is no JSON: a comma or bracket is missing or out of place, or a string has a"
        return DecodeError(
            self._source.path,
            f"{problem} line feed; or something comes after the end",
            offset=self._machine.offset + self._before,
        )

    def _too_long(self) -> LimitError:
        return LimitError(
            self._source.path,
            f"an element is longer than {self._options.max_line} bytes; raise max_line= if it may "
            "be, or write an array, or lines, of smaller ones",
            offset=int(self._pending[0]) + self._before,
        )
