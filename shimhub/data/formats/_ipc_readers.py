"""Record batches of an Arrow IPC file or stream by place: each can fail by itself.

A reader's ``steps`` yields where the batches begin, and its ``load`` reads the one that came last.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.formats import _array_checks, _arrow_files, _ipc_layout
from shimhub.data.formats._flatbuffers import LayoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._model import Options, Source, Span
    from shimhub.data.formats._ipc_sure import Sure
    from shimhub.kernels.ipc import IpcBatch


class Guard:
    """What is checked of each batch before and after pyarrow reads it."""

    def __init__(self, source: Source, options: Options, file: pa.NativeFile) -> None:
        self._source, self._options, self._file = source, options, file

    def declared(self, found: _ipc_layout.Message) -> None:
        """Raise :class:`LimitError` for sizes that its bytes cannot mean."""
        size = _ipc_layout.decoded_size(self._file, found)
        self.sizes(found.end - found.at, size, _ipc_layout.most_values(found.header))

    def sizes(self, stored: int, size: int, values: int) -> None:
        """Raise :class:`LimitError` for so many bytes, decompressed, and rows in so few bytes."""
        _arrow_files.limit(self._source, "bytes", size, stored, self._options)
        _arrow_files.limit(self._source, "values", values, size, self._options)

    def at(self, place: int) -> _ipc_layout.Message:
        """Check the message at a place, and return it."""
        found = _ipc_layout.message(self._file, place)
        if found is None:
            raise LayoutError("the end of the stream where a message should be")
        self.declared(found)
        return found


class Plain:
    """Batches that need nothing but the schema and their own message, so that any can be read.

    ``sure`` tells which of those in memory are right, at once; None where none is in memory. What
    it is not certain of is read twice: as types whose full check is quick, and as what it is.
    """

    resumes = True

    def __init__(
        self,
        file: pa.NativeFile,
        schema: pa.Schema,
        guard: Guard,
        wanted: list[int],
        sure: Sure | None,
    ) -> None:
        self._file, self._schema, self._guard, self._wanted = file, schema, guard, wanted
        self._is_free = _array_checks.is_free(schema) if sure is None else sure.is_free
        self._sure = sure
        self.at = 0

    @cached_property
    def _checked(self) -> pa.Schema:
        return _array_checks.checked_schema(self._schema)

    @cached_property
    def _checked_wanted(self) -> pa.Schema:
        return pa.schema([self._checked.field(number) for number in self._wanted])

    def _trusted(self, found: IpcBatch, sure: Sure) -> pa.RecordBatch:
        """Return a batch that is right: all of it, or if it is compressed its buffers' places."""
        if found.is_compressed or self._is_free:
            self._guard.sizes(found.end - self.at, found.decoded, found.most)
        batch = sure.read(self.at, found.end)
        if found.is_compressed:
            _array_checks.check(batch, self._checked_wanted)
        return batch

    def _checked_batch(self, message: pa.Message) -> pa.RecordBatch:
        """Return the batch of a message."""
        if message.type != "record batch":
            raise LayoutError(f"a message of {message.type} among the record batches")
        is_compressed = _ipc_layout.is_compressed(message.metadata.to_pybytes())
        if is_compressed or self._is_free:
            self._guard.at(self.at)
        if is_compressed:
            batch = pa.ipc.read_record_batch(message, self._schema)
            _array_checks.check(batch, self._checked)
            return self._chosen(batch)
        self._chosen(pa.ipc.read_record_batch(message, self._checked)).validate(full=True)
        return self._chosen(pa.ipc.read_record_batch(message, self._schema))

    def _chosen(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        is_all = len(self._wanted) == len(self._schema)
        return batch if is_all else batch.select(self._wanted)


class PlainStream(Plain):
    """A stream without dictionaries: a span is from one message's first byte to another's."""

    def __init__(
        self,
        file: pa.NativeFile,
        schema: pa.Schema,
        guard: Guard,
        wanted: list[int],
        sure: Sure | None,
        first: int,
    ) -> None:
        super().__init__(file, schema, guard, wanted, sure)
        self.at = first
        self._message: pa.Message | None = None

    def steps(self, span: Span) -> Iterator[int]:
        """Yield the batches of a span of bytes."""
        self.at = span.start or self.at
        while span.stop is None or self.at < span.stop:
            end = self._looked_at()
            if end is None:
                check_end(self._file, self.at)
                return
            yield self.at
            self.at = end

    def _looked_at(self) -> int | None:
        """Return where the next message ends; None where there is none."""
        self._found = None if self._sure is None else self._sure.at(self.at)
        if self._found is not None:
            return self._found.end
        self._file.seek(self.at)
        try:
            self._message = pa.ipc.read_message(self._file)
        except EOFError:
            return None
        end: int = self._file.tell()
        return end

    def load(self) -> pa.RecordBatch:
        """Return the batch."""
        if self._sure is None or self._found is None:
            return self._checked_batch(self._message)
        return self._trusted(self._found, self._sure)


class PlainFile(Plain):
    """An IPC file without dictionaries: a span is of record batches."""

    def __init__(
        self,
        file: pa.NativeFile,
        schema: pa.Schema,
        guard: Guard,
        wanted: list[int],
        sure: Sure | None,
        blocks: list[tuple[int, int]],
    ) -> None:
        super().__init__(file, schema, guard, wanted, sure)
        self._blocks = blocks

    def steps(self, span: Span) -> Iterator[int]:
        """Yield the batches of a span."""
        for at, _size in self._blocks[span.start : span.stop]:
            self.at = at
            yield at

    def load(self) -> pa.RecordBatch:
        """Return the batch."""
        found = None if self._sure is None else self._sure.at(self.at)
        if self._sure is None or found is None:
            self._file.seek(self.at)
            return self._checked_batch(pa.ipc.read_message(self._file))
        return self._trusted(found, self._sure)


class AnyFile:
    """An IPC file by pyarrow's own reader, which knows dictionaries and skips columns."""

    resumes = True

    def __init__(
        self,
        file: pa.NativeFile,
        guard: Guard,
        wanted: list[int],
        blocks: list[tuple[int, int]],
        dictionaries: list[tuple[int, int]],
    ) -> None:
        self._guard, self._blocks = guard, blocks
        for at, _size in dictionaries:
            guard.at(at)
        self._reader = pa.ipc.open_file(file, options=included(wanted))
        self.at = 0

    def steps(self, span: Span) -> Iterator[int]:
        """Yield the batches of a span."""
        for number in range(len(self._blocks))[span.start : span.stop]:
            self._number, (self.at, _size) = number, self._blocks[number]
            yield self.at

    def load(self) -> pa.RecordBatch:
        """Return the batch."""
        self._guard.at(self.at)
        batch = self._reader.get_batch(self._number)
        _array_checks.check(batch)
        return batch


class AnyStream:
    """A stream by pyarrow's own reader; after an error its dictionaries are not known."""

    resumes = False

    def __init__(self, file: pa.NativeFile, guard: Guard, wanted: list[int], start: int) -> None:
        self._file, self._guard = file, guard
        file.seek(start)
        self._reader = pa.ipc.open_stream(file, options=included(wanted))
        self.at = file.tell()

    def steps(self, span: Span) -> Iterator[int]:
        """Yield the batches; what lies before each is looked at first. It has but one span."""
        while (end := self._looked_at()) is not None:
            self._file.seek(self.at)
            yield self.at
            self.at = end

    def _looked_at(self) -> int | None:
        """Check the messages up to the next batch; return where it ends, None at the end."""
        at = self.at
        for found in _ipc_layout.messages(self._file, at):
            self._guard.declared(found)
            at = found.end
            if found.header.kind == _ipc_layout.BATCH:
                return at
        check_end(self._file, at)
        return None

    def load(self) -> pa.RecordBatch:
        """Return the batch."""
        batch = self._reader.read_next_batch()
        _array_checks.check(batch)
        return batch


def included(wanted: list[int]) -> pa.ipc.IpcReadOptions:
    """Return options for some columns, decompressed one after the other.

    Arrow's pool has a task for each column: most bytes are in one or two of them, and to hand
    these over costs more than is gained. Parallel are those who read spans.
    """
    return pa.ipc.IpcReadOptions(included_fields=wanted, use_threads=False)


def check_end(file: pa.NativeFile, at: int) -> None:
    """Raise :class:`LayoutError` unless the end-of-stream marker is here, and nothing after it."""
    _ipc_layout.message(file, at)
    file.seek(at)
    end = at + (8 if file.read(4) == _ipc_layout.CONTINUATION else 4)
    if left := file.size() - end:
        raise LayoutError(f"{left} bytes after the end of the stream")


def rows_at(file: pa.NativeFile, at: int) -> int:
    """Return the rows that the message at a place declares; 0 where it cannot be read."""
    try:
        found = _ipc_layout.message(file, at)
    except _arrow_files.DAMAGE:
        return 0
    return 0 if found is None else max(0, found.header.rows)


def rows_from(file: pa.NativeFile, at: int) -> int:
    """Return the rows of all batches from a place on, as far as their messages can be found."""
    rows = 0
    try:
        for found in _ipc_layout.messages(file, at):
            rows += max(0, found.header.rows) if found.header.kind == _ipc_layout.BATCH else 0
    except _arrow_files.DAMAGE:
        return rows
    return rows
