"""Attributes of what has no dict that can be written, and arrays: saved like everything else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableMapping
from typing import Any, Final

#: A larger array is taken for data, which steps read.
MOST_BYTES: Final = 1 << 24


class ClassAttributes(MutableMapping[str, Any]):
    """What a class has under names of its own; Python's are left out."""

    def __init__(self, owner: type) -> None:
        self._owner = owner

    def __getitem__(self, name: str) -> Any:
        return vars(self._owner)[name]

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self._owner, name, value)

    def __delitem__(self, name: str) -> None:
        delattr(self._owner, name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in vars(self._owner) if not name.startswith("__")])

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Slots(MutableMapping[str, Any]):
    """What an object has in slots."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self._thing, name)
        except AttributeError:
            raise KeyError(name) from None

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self._thing, name, value)

    def __delitem__(self, name: str) -> None:
        delattr(self._thing, name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in slots_of(type(self._thing)) if hasattr(self._thing, name)])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def slots_of(kind: type) -> list[str]:
    """Return the names of all slots of a class that can be written by name."""
    found: list[str] = []
    for base in kind.__mro__:
        told = vars(base).get("__slots__", ())
        found += [told] if isinstance(told, str) else [*told]
    return [name for name in found if not name.startswith("__")]


class SavedArray:
    """A NumPy array, by its bytes."""

    def __init__(self, array: Any, where: str) -> None:
        self.where = where
        self.array = array
        self.copy = array.copy()

    def restore(self) -> None:
        """Write the content back, if it is another."""
        if self.differs():
            self.array[...] = self.copy

    def differs(self) -> bool:
        """Whether it holds other bytes."""
        return bool(self.array.tobytes() != self.copy.tobytes())


def array_of(thing: Any, where: str) -> SavedArray | None:
    """Return a NumPy array of plain numbers that may be written, if it is not too large."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(thing) is not numpy.ndarray or thing.dtype.hasobject:
        return None
    is_small = thing.flags.writeable and thing.nbytes <= MOST_BYTES
    return SavedArray(thing, where) if is_small else None
