"""Record batches of an Arrow IPC file or stream by place: each can fail by itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.formats import _array_checks, _arrow_files, _ipc_layout
from shimhub.data.formats._flatbuffers import LayoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shimhub.data._model import Options, Source, Span


@dataclass(frozen=True, slots=True)
class Step:
    """One record batch: where its message begins, and what reads it."""

    at: int
    load: Callable[[], pa.RecordBatch]


class Guard:
    """What is checked of each batch before and after pyarrow reads it."""

    def __init__(self, source: Source, options: Options, file: pa.NativeFile) -> None:
        self._source, self._options, self._file = source, options, file

    def declared(self, found: _ipc_layout.Message) -> None:
        """Raise :class:`LimitError` for sizes that its bytes cannot mean."""
        stored, size = found.end - found.at, _ipc_layout.decoded_size(self._file, found)
        _arrow_files.limit(self._source, "bytes", size, stored, self._options)
        values = _ipc_layout.most_values(found.header)
        _arrow_files.limit(self._source, "values", values, size, self._options)

    def at(self, place: int) -> _ipc_layout.Message:
        """Check the message at a place, and return it."""
        found = _ipc_layout.message(self._file, place)
        if found is None:
            raise LayoutError("the end of the stream where a message should be")
        self.declared(found)
        return found


class Plain:
    """Batches that need nothing but the schema and their own message, so that any can be read."""

    resumes = True

    def __init__(
        self, file: pa.NativeFile, schema: pa.Schema, guard: Guard, wanted: list[int]
    ) -> None:
        self._file, self.schema, self._guard, self._wanted = file, schema, guard, wanted
        self._checked = _array_checks.checked_schema(schema)
        self._is_free = _array_checks.is_free(schema)

    def load(self, at: int, message: pa.Message) -> pa.RecordBatch:
        """Return the batch of a message: what is checked is the same memory as other types."""
        if message.type != "record batch":
            raise LayoutError(f"a message of {message.type} among the record batches")
        is_compressed = _ipc_layout.is_compressed(message.metadata.to_pybytes())
        if is_compressed or self._is_free:
            self._guard.at(at)
        if is_compressed:
            batch = pa.ipc.read_record_batch(message, self.schema)
            _array_checks.check(batch, self._checked)
            return batch
        checked = pa.ipc.read_record_batch(message, self._checked)
        if len(self._wanted) < len(self.schema):
            checked = checked.select(self._wanted)
        checked.validate(full=True)
        return pa.ipc.read_record_batch(message, self.schema)


class PlainStream(Plain):
    """A stream without dictionaries: a span is from one message's first byte to another's."""

    def __init__(
        self,
        file: pa.NativeFile,
        schema: pa.Schema,
        guard: Guard,
        wanted: list[int],
        first: int,
    ) -> None:
        super().__init__(file, schema, guard, wanted)
        self.at = first

    def steps(self, span: Span) -> Iterator[Step]:
        """Yield the batches of a span of bytes."""
        self.at = span.start or self.at
        while span.stop is None or self.at < span.stop:
            self._file.seek(self.at)
            try:
                message = pa.ipc.read_message(self._file)
            except EOFError:
                check_end(self._file, self.at)
                return
            end = self._file.tell()
            yield Step(self.at, partial(self.load, self.at, message))
            self.at = end


class PlainFile(Plain):
    """An IPC file without dictionaries: a span is of record batches."""

    def __init__(
        self,
        file: pa.NativeFile,
        schema: pa.Schema,
        guard: Guard,
        wanted: list[int],
        blocks: list[tuple[int, int]],
    ) -> None:
        super().__init__(file, schema, guard, wanted)
        self._blocks = blocks

    def steps(self, span: Span) -> Iterator[Step]:
        """Yield the batches of a span."""
        for at, _size in self._blocks[span.start : span.stop]:
            yield Step(at, partial(self._read, at))

    def _read(self, at: int) -> pa.RecordBatch:
        self._file.seek(at)
        return self.load(at, pa.ipc.read_message(self._file))


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
        self._reader = pa.ipc.open_file(file, options=_included(wanted))

    def steps(self, span: Span) -> Iterator[Step]:
        """Yield the batches of a span."""
        for number in range(len(self._blocks))[span.start : span.stop]:
            at, _size = self._blocks[number]
            yield Step(at, partial(self._read, at, number))

    def _read(self, at: int, number: int) -> pa.RecordBatch:
        self._guard.at(at)
        batch = self._reader.get_batch(number)
        _array_checks.check(batch)
        return batch


class AnyStream:
    """A stream by pyarrow's own reader; after an error its dictionaries are not known."""

    resumes = False

    def __init__(self, file: pa.NativeFile, guard: Guard, wanted: list[int], start: int) -> None:
        self._file, self._guard = file, guard
        file.seek(start)
        self._reader = pa.ipc.open_stream(file, options=_included(wanted))
        self.at = file.tell()

    def steps(self, span: Span) -> Iterator[Step]:
        """Yield the batches; what lies before each is looked at first. It has but one span."""
        while (end := self._looked_at()) is not None:
            self._file.seek(self.at)
            yield Step(self.at, self._read)
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

    def _read(self) -> pa.RecordBatch:
        batch = self._reader.read_next_batch()
        _array_checks.check(batch)
        return batch


def _included(wanted: list[int]) -> pa.ipc.IpcReadOptions:
    return pa.ipc.IpcReadOptions(included_fields=wanted)


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
