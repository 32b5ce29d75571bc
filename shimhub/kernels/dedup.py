"""Exact deduplication: which rows are the first of their value."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels import _columns, _loading, _seen, hashing
from shimhub.kernels._reference import dedup as reference

if TYPE_CHECKING:
    from types import ModuleType

Indices = np.ndarray[Any, np.dtype[np.int64]]

#: Not known to who makes the rows, so they cannot make them collide.
_SEED: Final = secrets.randbits(64)
_ROWS_MAX: Final = 2**32 - 2


class Seen:
    """The rows that earlier calls of :func:`deduplicate` saw; starts empty.

    It keeps the SHA-256 of each row (32 bytes, and 16 of table) and not the row: no two rows with
    the same one are known, and none can be made, so rows need not be compared and can be
    forgotten. ``len`` is the count of different rows. Use one for one kind of rows: the digests
    are those of :func:`~shimhub.kernels.hash_rows`, which sees ``"a"`` and ``b"a"`` as the same
    bytes. Threads may share it; each call is one step.

    A child of fork has what its parent had. If another thread was in a call with it at the fork,
    each use of it in the child is a ``RuntimeError``.
    """

    def __init__(self) -> None:
        self._shared = _seen.Shared(_seen.new(_SEED))

    def __len__(self) -> int:
        return len(self._shared.digests)

    def __repr__(self) -> str:
        lost = isinstance(self._shared.digests, _seen.Lost)
        return "<Seen: lost in a fork>" if lost else f"<Seen: {len(self)} rows>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refuse pickles and copies: a copy would not learn of the rows that the other one sees."""
        raise TypeError("a Seen is not pickled or copied; pass what save() writes to Seen.load()")

    def save(self, path: _seen.AnyPath) -> None:
        """Write the set to a file, at once or not at all: 32 bytes a row, and a checksum.

        Links are followed, and the file keeps its permissions if there is one. Threads and
        processes may save to one path: the last one's file is there, whole. Raises ``OSError`` if
        it cannot, or if the path is that of something else than a file; a file that was there is
        then as it was.
        """
        with self._shared.lock:
            digests = self._shared.digests.tobytes()
        _seen.write(path, digests)

    @classmethod
    def load(cls, path: _seen.AnyPath) -> Seen:
        """Return the set that :meth:`save` wrote. O(rows).

        Raises ``OSError`` if it cannot be read, and ``ValueError`` naming the file if it is not
        such a file, is of a later version, or was damaged.
        """
        made = cls()
        made._shared = _seen.Shared(_seen.read(path, _SEED))
        return made

    def add(self, digests: hashing.Digests) -> Indices:
        """Add digests, (n, 32) uint8, and return the indices of those that were new, rising.

        Raises ``TypeError`` unless it is a NumPy array of uint8 without a mask, and ``ValueError``
        for another shape, such as that of ``xxh3_128``; nothing is added then.
        """
        rows = _seen.checked(digests)
        with self._shared.lock:
            return self._shared.digests.add(rows)


def deduplicate(
    data: Any,
    *,
    exact: bool = True,
    seen: Seen | None = None,
    seed: int | None = None,
    threads: int = 1,
) -> Indices:
    """Return the indices of the rows that no earlier row equals, rising, as 1-D int64.

    ``data`` is what :func:`~shimhub.kernels.hash_rows` takes, or a list of any hashable objects;
    those a dict compares, as Python does. Of the others, rows are equal if

    - strings and binaries have the same characters or bytes (``str`` and ``bytes`` differ; a
      subclass is compared as its base; lone surrogates are characters like others in lists, and
      a ``ValueError`` in NumPy's ``U``);
    - numbers have the same value; NaN equals NaN, whatever its bits, and -0.0 equals 0.0: as in
      SQL's DISTINCT, pandas and polars, for a row that differs from itself could never be dropped;
    - both are null: a null is no empty string, no empty list, and a null struct is no struct of
      nulls;
    - lists have the same length and equal values, structs equal fields.

    ``exact``: rows with equal hashes are compared byte by byte; the hash of a row from 512 bytes on
    is then that of its size and some pieces, unless too many rows agree in those. Without, 128 bits
    of XXH3 over all bytes decide: of a million rows, two collide with a chance below 2**-88. That
    is faster only where most rows are duplicates, as comparing reads a duplicate twice. ``seed`` is
    that of the hash: a random one for each process if None, so that nobody can choose rows that
    collide.

    ``seen``: rows that it has are left out, and it gets those returned; what several calls return
    is what one would over all rows. Its SHA-256 decides, whatever ``exact`` is, and strings with
    lone surrogates are a ``ValueError``.

    ``threads`` 0 is all processors; the answer is the same for any. With 1 and a list, the GIL is
    held. O(bytes) expected, 16 to 40 bytes of memory a row. Raises as ``hash_rows``, and
    ``OverflowError`` from 2**32 - 1 rows on, before it takes memory. ``seen`` is as it was if it
    raises.
    """
    chosen, threads = hashing.checked_arguments("sha256", _SEED if seed is None else seed, threads)
    if seen is not None and not isinstance(seen, Seen):
        raise TypeError(f"seen: {type(seen).__name__}, want a kernels.Seen()")
    rows = hashing.as_rows(data)
    _check_count(rows)
    if seen is not None:
        return seen.add(hashing.digests(rows, "sha256", 0, threads))
    native = _loading.native()
    if native is None:
        return reference.deduplicate(rows)
    if hashing.are_columns(rows):
        return _columns_firsts(native, rows, exact, chosen, threads)
    return _list_firsts(native, rows, exact, chosen, threads)


def _check_count(rows: list[Any]) -> None:
    """Raise ``OverflowError`` for more rows than entries of a table; before any memory is taken."""
    count = _columns.count(rows) if hashing.are_columns(rows) else len(rows)
    if count > _ROWS_MAX:
        raise OverflowError(f"data: {count} rows, want fewer than 2**32 - 1; split them")


def _list_firsts(
    native: ModuleType, rows: list[Any], exact: bool, seed: int, threads: int
) -> Indices:
    kept = np.empty(len(rows), dtype=np.int64)
    count = native.deduplicate_list(rows, bool(exact), seed, threads, kept)
    return reference.deduplicate(rows) if count is None else _shrunk(kept, count)


def _columns_firsts(
    native: ModuleType, columns: list[_columns.Column], exact: bool, seed: int, threads: int
) -> Indices:
    kept = np.empty(_columns.count(columns), dtype=np.int64)
    out = native.ffi.from_buffer("int64_t[]", kept)
    count = native.ffi.new("size_t *")
    status = native.lib.shimhub_deduplicate(
        _columns.to_native(native, columns), len(columns), exact, seed, threads, out, count
    )
    _columns.raise_for(native, status, columns)
    return _shrunk(kept, count[0])


def _shrunk(kept: Indices, count: int) -> Indices:
    """Return the first of them; copied where that lets go of most of the memory."""
    return kept[:count] if count > len(kept) // 2 else kept[:count].copy()
