"""Record batches of Arrow IPC in memory: whether all that one tells lies within its message.

One C function where the native library is loaded, and :mod:`shimhub.kernels._reference.ipc` where
it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from shimhub.kernels import _loading
from shimhub.kernels._reference import ipc as _reference

if TYPE_CHECKING:
    from collections.abc import Sequence


class IpcField(NamedTuple):
    """A field of a schema, before its children: numbers as in ``shimhub_ipc_field``."""

    kind: int
    children: int = 0
    width: int = 0


class IpcBatch(Protocol):
    """What the message of a batch tells; it holds until the next is asked for."""

    #: The byte behind it.
    end: int
    rows: int
    #: Rows of the longest array, nested ones too.
    most: int
    #: Bytes of the buffers, once they are decompressed.
    decoded: int
    is_compressed: bool


@dataclass
class _Told:
    """An :class:`IpcBatch` of the reference."""

    end: int = 0
    rows: int = 0
    most: int = 0
    decoded: int = 0
    is_compressed: bool = False


class IpcBatches:
    """The record batches in a file or stream in memory, which must not change."""

    def __init__(self, data: Any, fields: Sequence[IpcField]) -> None:
        native = _loading.native()
        if native is None:
            self._call: Any = _reference_call
            self._found: Any = _Told()
            self._told: tuple[Any, ...] = data, len(data), list(fields), len(fields)
            return
        ffi = native.ffi
        self._call, self._found = native.lib.shimhub_ipc_batch, ffi.new("shimhub_ipc_batch_found *")
        memory, table = ffi.from_buffer("uint8_t[]", data), ffi.new("shimhub_ipc_field[]", fields)
        self._told = memory, len(data), table, len(fields)

    def at(self, place: int) -> IpcBatch | None:
        """Return what the message at a byte tells; None where it is not certain that it is right.

        Then it is no record batch, is damaged, or has what is not known here. Certain is that it
        is whole, has the fields' arrays, that their buffers lie in its body and hold their rows,
        that offsets rise within what they point into, and how many rows are null. Of a compressed
        batch the places of its buffers alone are looked at. O(rows).
        """
        data, size, fields, count = self._told
        found: IpcBatch = self._found
        return None if self._call(data, size, place, fields, count, found) else found


def _reference_call(
    data: Any, _size: int, place: int, fields: list[IpcField], _count: int, found: _Told
) -> bool:
    """Do what ``shimhub_ipc_batch`` does; return whether it is not certain."""
    told = _reference.batch(data, place, fields)
    if told is not None:
        found.end, found.rows, found.most, found.decoded, found.is_compressed = told
    return told is None
