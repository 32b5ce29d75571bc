"""How many rows and batches an Arrow IPC file has, and its codec: from the messages' headers.

Nothing is decoded; pyarrow reads the messages, and tells no more of them than their bytes. Those
are FlatBuffers (https://flatbuffers.dev/internals/) of Arrow's Message.fbs: a table begins with
the distance back to its vtable, whose numbers from the fifth byte on are the fields' places.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Fields by their number in Message.fbs, and what is before a file's first message.
_HEADER, _LENGTH, _COMPRESSION, _CODEC = 2, 0, 3, 0
_MAGIC: Final = b"ARROW1\0\0"
_CODECS: Final = {0: "lz4", 1: "zstd"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the headers tell; ``codec`` is None for none, and names both where there are two."""

    rows: int
    batches: int
    codec: str | None


def facts(file: pa.NativeFile) -> Facts:
    """Return what an open file or stream holds; raises pyarrow's errors for what is none."""
    file.seek(len(_MAGIC) if file.read(len(_MAGIC)) == _MAGIC else 0)
    rows, batches, codecs = 0, 0, set()
    for metadata in _batch_headers(file):
        header = _Table(metadata, _root(metadata)).table(_HEADER)
        length, compression = header.number(_LENGTH, "<q"), header.find(_COMPRESSION)
        rows, batches = rows + length, batches + 1
        if compression:
            codecs.add(_CODECS.get(header.table(_COMPRESSION).number(_CODEC, "<b"), "unknown"))
    return Facts(rows, batches, ", ".join(sorted(codecs)) or None)


def _batch_headers(file: pa.NativeFile) -> Iterator[bytes]:
    while True:
        try:
            message = pa.ipc.read_message(file)
        except EOFError:
            return
        if message.type == "record batch":
            yield message.metadata.to_pybytes()


def _root(data: bytes) -> int:
    return int(struct.unpack_from("<I", data)[0])


class _Table:
    """A FlatBuffers table: pyarrow has verified the message that it is in."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place
        self._fields = place - struct.unpack_from("<i", data, place)[0]

    def find(self, field: int) -> int:
        """Return where the field is; 0 if it has its default."""
        size = struct.unpack_from("<H", self._data, self._fields)[0]
        at = 4 + 2 * field
        if at + 2 > size:
            return 0
        offset = struct.unpack_from("<H", self._data, self._fields + at)[0]
        return self._place + offset if offset else 0

    def number(self, field: int, kind: str) -> int:
        """Return a number; 0 if it is not there."""
        place = self.find(field)
        return int(struct.unpack_from(kind, self._data, place)[0]) if place else 0

    def table(self, field: int) -> _Table:
        """Return the table that the field points to."""
        place = self.find(field)
        return _Table(self._data, place + int(struct.unpack_from("<I", self._data, place)[0]))
