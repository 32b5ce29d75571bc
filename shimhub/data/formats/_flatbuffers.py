"""Reading flatbuffers: as much of it as the headers of Arrow IPC need.

https://flatbuffers.dev/internals/ has the layout. Nothing is read outside of the bytes given.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Final

_U16: Final = Struct("<H")
_U32: Final = Struct("<I")
_I32: Final = Struct("<i")


class LayoutError(ValueError):
    """The bytes at a place are not what should be there."""


def number(form: Struct, data: bytes, at: int) -> int:
    """Return the number at a place."""
    if at < 0:
        raise LayoutError("metadata is damaged: it points before its beginning")
    try:
        found: int = form.unpack_from(data, at)[0]
    except error as cause:
        raise LayoutError(f"metadata is damaged: it points to byte {at} of {len(data)}") from cause
    return found


class Table:
    """The table at a place in the bytes."""

    __slots__ = ("_at", "_data", "_size", "_vtable")

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._vtable = at - number(_I32, data, at)
        self._size = number(_U16, data, self._vtable)

    def field(self, index: int, form: Struct) -> int:
        """Return a field of a number's type; 0, which is the default of all we read, if untold."""
        slot = self._slot(index)
        return number(form, self._data, self._at + slot) if slot else 0

    def table(self, index: int) -> Table | None:
        """Return the table in a field, None if it is not there."""
        at = self._pointed(index)
        return None if at is None else Table(self._data, at)

    def structs(self, index: int, form: Struct) -> list[tuple[int, ...]]:
        """Return the vector of structs in a field; empty if it is not there."""
        at = self._pointed(index)
        if at is None:
            return []
        end = at + 4 + number(_U32, self._data, at) * form.size
        if end > len(self._data):
            raise LayoutError("metadata is damaged: a vector is longer than all of it")
        return list(form.iter_unpack(memoryview(self._data)[at + 4 : end]))

    def _slot(self, index: int) -> int:
        """Return where in the table a field is, 0 where it is not."""
        at = 4 + 2 * index
        return number(_U16, self._data, self._vtable + at) if at < self._size else 0

    def _pointed(self, index: int) -> int | None:
        slot = self._slot(index)
        if not slot:
            return None
        at = self._at + slot
        return at + number(_U32, self._data, at)


def root(data: bytes) -> Table:
    """Return the outermost table."""
    return Table(data, number(_U32, data, 0))
