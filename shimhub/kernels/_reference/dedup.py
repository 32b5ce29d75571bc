"""First rows by a dict, and a set of digests that is one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels._columns import Column
from shimhub.kernels._reference import hashing

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

Indices = np.ndarray[Any, np.dtype[np.int64]]

_MAGIC: Final = b"shimseen"
_DIGEST: Final = 32
_HEADER: Final = 24


def deduplicate(rows: list[Any]) -> Indices:
    """Return the first rows of ``hashing.as_rows(data)``; raise ``TypeError`` naming a row."""
    if rows and isinstance(rows[0], Column):
        return _firsts(hashing.row_bytes(rows))
    return _firsts(tuple(rows))  # what hashes them may change the list


def _firsts(rows: Iterable[Hashable]) -> Indices:
    first: dict[Hashable, int] = {}
    for at, row in enumerate(rows):
        try:
            first.setdefault(row, at)
        except TypeError as error:
            raise TypeError(f"data[{at}]: {type(row).__name__} is not hashable") from error
    return np.fromiter(first.values(), dtype=np.int64, count=len(first))


class Digests:
    """A set of digests, in the order that they came in."""

    def __init__(self) -> None:
        self._found: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, digests: np.ndarray[Any, np.dtype[np.uint8]]) -> Indices:
        """Add the (n, 32) digests; return the indices of the new ones."""
        fresh = []
        for at, row in enumerate(digests):
            digest = row.tobytes()
            if digest not in self._found:
                self._found[digest] = None
                fresh.append(at)
        return np.array(fresh, dtype=np.int64)

    def tobytes(self) -> bytes:
        """Return the digests one after another."""
        return b"".join(self._found)


def parse(content: bytes) -> Digests | None:
    """Return the set of a file's content, or None if it is not one."""
    body, checksum = content[:-_DIGEST], content[-_DIGEST:]
    told = _MAGIC + (1).to_bytes(4, "little") + _DIGEST.to_bytes(4, "little")
    count, left = divmod(len(body) - _HEADER, _DIGEST)
    if count < 0 or left or body[:_HEADER] != told + count.to_bytes(8, "little"):
        return None
    if hashlib.sha256(body).digest() != checksum:
        return None
    found = Digests()
    found.add(np.frombuffer(body[_HEADER:], dtype=np.uint8).reshape(-1, _DIGEST))
    return found if len(found) == count else None
