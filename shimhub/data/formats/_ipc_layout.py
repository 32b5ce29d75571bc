"""Where the messages of an Arrow IPC file or stream lie, and what their headers declare.

https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
pyarrow does not tell places and declared sizes, and they must be known before it decompresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final

from shimhub.data.formats import _flatbuffers
from shimhub.data.formats._flatbuffers import LayoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa  # type: ignore[import-untyped]

SCHEMA, DICTIONARY, BATCH = 1, 2, 3
#: Before the metadata's length in all that Arrow 0.15 and later wrote.
CONTINUATION: Final = b"\xff\xff\xff\xff"
MAGIC: Final = b"ARROW1"
#: The footer's length and the magic, at the end of an IPC file.
_TAIL: Final = 10
#: Metadata is never this large; a length that is comes from other bytes.
_METADATA_MAX: Final = 1 << 28

_U8 = Struct("<B")
_I16, _I32, _I64 = Struct("<h"), Struct("<i"), Struct("<q")
_PAIR, _BLOCK = Struct("<qq"), Struct("<qi4xq")


@dataclass(frozen=True, slots=True)
class Header:
    """What a message declares: ``batch`` is the RecordBatch table of batches and dictionaries."""

    kind: int
    body: int
    top: _flatbuffers.Table
    table: _flatbuffers.Table | None

    @property
    def rows(self) -> int:
        """Rows of the batch, 0 of other messages."""
        return 0 if self.table is None else self.table.field(0, _I64)

    @property
    def is_compressed(self) -> bool:
        """Whether buffers are compressed."""
        return self.table is not None and self.table.table(3) is not None


@dataclass(frozen=True, slots=True)
class Message:
    """A message by place: its first byte, its body's, and the one behind it."""

    at: int
    body: int
    end: int
    header: Header


def header(metadata: bytes) -> Header:
    """Return what a message's metadata declares; raise :class:`LayoutError`."""
    top = _flatbuffers.root(metadata)
    kind, body = top.field(1, _U8), top.field(3, _I64)
    table = top.table(2) if kind in (DICTIONARY, BATCH) else None
    if kind == DICTIONARY and table is not None:
        table = table.table(1)
    if body < 0:
        raise LayoutError(f"a message body of {body} bytes")
    return Header(kind, body, top, table)


def message(file: pa.NativeFile, at: int) -> Message | None:
    """Return the message at a place, None for the end-of-stream marker; raise at the file's end."""
    file.seek(at)
    prefix = file.read(8)
    start = 8 if prefix[:4] == CONTINUATION else 4
    if len(prefix) < start:
        raise LayoutError("the stream has no end-of-stream marker: truncated?")
    size = _I32.unpack_from(prefix, start - 4)[0]
    if size == 0:
        return None
    if not 0 < size < _METADATA_MAX:
        raise LayoutError(f"message metadata of {size} bytes")
    file.seek(at + start)
    told = header(file.read(size))
    body = at + start + size
    return Message(at, body, body + told.body, told)


def messages(file: pa.NativeFile, at: int) -> Iterator[Message]:
    """Yield the messages from a place on; raise where the next is damaged or cut off."""
    size = file.size()
    while (found := message(file, at)) is not None:
        if found.end > size:
            raise LayoutError(f"{found.end - size} bytes of a message are missing: truncated?")
        yield found
        at = found.end


def footer(file: pa.NativeFile) -> _flatbuffers.Table:
    """Return the footer of an IPC file."""
    size = file.size()
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    length = _I32.unpack_from(tail)[0] if tail[4:] == MAGIC else -1
    if not 0 < length <= size - _TAIL:
        raise LayoutError("the footer is missing: truncated?")
    file.seek(size - _TAIL - length)
    return _flatbuffers.root(file.read(length))


def blocks(told: _flatbuffers.Table, kind: int) -> list[tuple[int, int]]:
    """Return the places of an IPC file's messages of a kind, and their bytes."""
    field = {DICTIONARY: 2, BATCH: 3}[kind]
    return [(at, head + body) for at, head, body in told.structs(field, _BLOCK)]


def is_little_endian(told: _flatbuffers.Table, field: int) -> bool:
    """Whether the schema in a field, of the footer or of a message, is of little-endian data."""
    schema = told.table(field)
    return schema is not None and schema.field(0, _I16) == 0


def schema_message(file: pa.NativeFile, at: int) -> tuple[_flatbuffers.Table, int]:
    """Return the schema message at the beginning of a stream, and where the next one is."""
    found = message(file, at)
    if found is None or found.header.kind != SCHEMA:
        raise LayoutError("no schema at the beginning")
    return found.header.top, found.end


def is_compressed(metadata: bytes) -> bool:
    """Whether the buffers of a batch are compressed."""
    batch = _flatbuffers.root(metadata).table(2)
    return batch is not None and batch.table(3) is not None


def decoded_size(file: pa.NativeFile, found: Message) -> int:
    """Return the bytes that the buffers of a message say they have once decompressed."""
    table = found.header.table
    if table is None or not found.header.is_compressed:
        return found.header.body
    total = 0
    for offset, length in _pairs(table, 2):
        if length >= _I64.size:
            if not 0 <= offset <= found.header.body - length:
                raise LayoutError("a buffer outside of its message")
            file.seek(found.body + offset)
            total += max(_I64.unpack(file.read(8))[0], length)
    return total


def most_values(found: Header) -> int:
    """Return the length of the longest array of a batch, nested ones too."""
    return max([found.rows, *(length for length, _nulls in _pairs(found.table, 1))])


def _pairs(table: _flatbuffers.Table | None, number: int) -> list[tuple[int, ...]]:
    return [] if table is None else table.structs(number, _PAIR)
