"""Reading flatbuffers: as much of it as the headers of Arrow IPC need.

https://flatbuffers.dev/internals/ has the layout. Nothing is read outside of the bytes given:
``struct.error`` and ``IndexError`` say that they are no flatbuffer.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Final

_U16: Final = Struct("<H").unpack_from
_U32: Final = Struct("<I").unpack_from
_I32: Final = Struct("<i").unpack_from

#: What a reader raises for bytes that are no flatbuffer.
ERRORS: Final = (error, IndexError)


class Table:
    """The table at a place in the bytes; ``slots`` are its fields' places, 0 for none."""

    __slots__ = ("at", "data", "slots")

    def __init__(self, data: bytes, at: int) -> None:
        vtable = at - _I32(data, at)[0]
        if vtable < 0:
            raise IndexError("a vtable before the beginning")
        size = _U16(data, vtable)[0]
        self.data, self.at = data, at
        self.slots = Struct(f"<{max(0, size // 2 - 2)}H").unpack_from(data, vtable + 4)

    def field(self, number: int, form: Struct, default: int = 0) -> int:
        """Return a field of a number's type."""
        slot = self._slot(number)
        found: int = form.unpack_from(self.data, self.at + slot)[0] if slot else default
        return found

    def table(self, number: int) -> Table | None:
        """Return the table in a field, None if it is not there."""
        at = self._pointed(number)
        return None if at is None else Table(self.data, at)

    def structs(self, number: int, form: Struct) -> list[tuple[int, ...]]:
        """Return the vector of structs in a field; empty if it is not there."""
        at = self._pointed(number)
        if at is None:
            return []
        end = at + 4 + _U32(self.data, at)[0] * form.size
        if end > len(self.data):
            raise IndexError("a vector beyond the end")
        return list(form.iter_unpack(memoryview(self.data)[at + 4 : end]))

    def _slot(self, number: int) -> int:
        return self.slots[number] if number < len(self.slots) else 0

    def _pointed(self, number: int) -> int | None:
        slot = self._slot(number)
        if not slot:
            return None
        at: int = self.at + slot
        return at + int(_U32(self.data, at)[0])


def root(data: bytes) -> Table:
    """Return the outermost table."""
    return Table(data, _U32(data, 0)[0])
