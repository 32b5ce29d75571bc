"""Reading Thrift's compact protocol: as much of it as Parquet's footers need.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md has the layout.
"""

from __future__ import annotations

import re
from typing import Any, Final

#: What a reader raises for bytes that are not of this protocol.
ERRORS: Final = (IndexError, AttributeError, TypeError, ValueError, RecursionError)

_TRUE, _FALSE, _BYTE, _I16, _I64, _DOUBLE, _BINARY = 1, 2, 3, 4, 6, 7, 8
_LIST, _SET, _MAP, _STRUCT, _UUID = 9, 10, 11, 12, 13
_LONG_LIST: Final = 15
_LAST_SEVEN: Final = 0x7F
#: The shift of the last seven bits of a varint of 64.
_WIDEST: Final = 63
_VARINT: Final = re.compile(rb"[\x80-\xff]*[\x00-\x7f]").match
#: Bytes of values that have always as many, as elements of lists; fields have booleans in the type.
_FIXED: Final = {_TRUE: 1, _FALSE: 1, _BYTE: 1, _DOUBLE: 8, _UUID: 16}


class Reader:
    """Values one after another, from a place in the bytes."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data, self._at = data, at

    def struct(self, wanted: dict[int, Any]) -> dict[int, Any]:
        """Return the wanted fields of a struct; the others are passed over.

        Only whole numbers, structs and lists of these are returned. What a field maps to is what is
        wanted of the structs in it.
        """
        found: dict[int, Any] = {}
        data, number = self._data, 0
        while head := data[self._at]:
            self._at += 1
            number = number + (head >> 4) if head >> 4 else self._int()
            kind = head & 15
            if number in wanted:
                found[number] = self._value(kind, wanted[number])
            elif kind > _FALSE:
                self._pass(kind)
        self._at += 1
        return found

    def enter(self, wanted: int) -> int:
        """Go to the first element of the list in a field of a struct; return how many there are."""
        number = 0
        while head := self._data[self._at]:
            self._at += 1
            number = number + (head >> 4) if head >> 4 else self._int()
            if number == wanted:
                return self._list()[0]
            if head & 15 > _FALSE:
                self._pass(head & 15)
        return 0

    def _varint(self) -> int:
        byte = self._data[self._at]
        self._at += 1
        found = byte & _LAST_SEVEN
        shift = 7
        while byte > _LAST_SEVEN:
            if shift > _WIDEST:
                raise ValueError("an integer of more than 64 bits")
            byte = self._data[self._at]
            self._at += 1
            found |= (byte & _LAST_SEVEN) << shift
            shift += 7
        return found

    def _int(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)

    def _value(self, kind: int, wanted: Any) -> Any:
        if kind == _STRUCT:
            return self.struct(wanted)
        if kind == _LIST:
            size, kind = self._list()
            return [self._value(kind, wanted) for _ in range(size)]
        if _I16 <= kind <= _I64:
            return self._int()
        raise ValueError(f"type {kind}")

    def _list(self) -> tuple[int, int]:
        head = self._data[self._at]
        self._at += 1
        size = head >> 4
        return self._counted(self._varint() if size == _LONG_LIST else size), head & 15

    def _counted(self, size: int) -> int:
        """Return a number of elements, each a byte or more: a lie is no endless loop."""
        if size > len(self._data) - self._at:
            raise ValueError(f"{size} elements in {len(self._data) - self._at} bytes")
        return size

    def _pass(self, kind: int) -> None:
        """Go behind a value."""
        if _I16 <= kind <= _I64:
            self._at = _VARINT(self._data, self._at).end()  # type: ignore[union-attr]
        elif kind == _BINARY:
            size = self._varint()
            self._at += size
        elif kind == _STRUCT:
            self.struct({})
        elif kind in (_LIST, _SET):
            self._pass_list(*self._list())
        elif kind in _FIXED:
            self._at += _FIXED[kind]
        elif kind == _MAP:
            self._pass_map(self._counted(self._varint()))
        else:
            raise ValueError(f"type {kind}")

    def _pass_map(self, size: int) -> None:
        kinds = self._data[self._at] if size else 0
        self._at += bool(size)
        for _ in range(size):
            self._pass(kinds >> 4)
            self._pass(kinds & 15)

    def _pass_list(self, size: int, kind: int) -> None:
        if kind in _FIXED:
            self._at += size * _FIXED[kind]
            return
        for _ in range(size):
            self._pass(kind)
