"""Digests of what Python prints of rows: ``str(row)`` of dicts, without making the dicts."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels import _arguments, _columns, _loading

if TYPE_CHECKING:
    from types import ModuleType

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.kernels.hashing import Digests

_POINTS: Final = 0x110000
#: Code points that are looked at together; and how long they are where none can be printed.
_PART: Final = 256
_ESCAPED: Final = 2 + _PART * len(r"\U00100000")


def hash_reprs(table: pa.Table, *, threads: int = 1) -> Digests:
    """Return the SHA-256 of ``str(row)`` in UTF-8 for each row of ``table.to_pylist()``.

    An (n, 32) uint8 array. ``table`` is a pyarrow Table. Integers, booleans, strings, binaries,
    lists and structs of them are printed by the native library, without the GIL; other values, such
    as floats and dates, by Python's ``repr`` one by one. ``threads`` 0 is all processors.

    Raises ``TypeError`` for columns whose rows are not told by their values alone: extension types,
    maps, views, unions; for a struct that names a field twice; and ``ValueError`` for text that is
    no UTF-8 and for offsets that leave their buffers. O(bytes printed).
    """
    from shimhub.kernels import _repr_plans

    threads = _arguments.integer("threads", threads, 0, _arguments.THREADS - 1)
    plan = _repr_plans.plan_of(table.schema)
    native = _loading.native()
    if native is None:
        from shimhub.kernels._reference import reprs as reference

        return reference.digests(table)
    parts = _repr_plans.parts(table)
    digests = [_digests(native, plan, _repr_plans.chunks(part), threads) for part in parts]
    return digests[0] if len(digests) == 1 else np.concatenate(digests)


def hex_digests(digests: Digests) -> list[str]:
    """Return each digest as hexadecimal digits."""
    native = _loading.native()
    if native is None:
        from shimhub.kernels._reference import hashing

        return hashing.hex_rows(digests)
    found: list[str] = native.hex_rows(digests, digests.shape[1])
    return found


def _digests(native: ModuleType, plan: Any, chunks: list[Any], threads: int) -> Digests:
    found = np.empty((_columns.count(chunks), 32), dtype=np.uint8)
    status = native.lib.shimhub_digest_reprs(
        _columns.to_native(native, chunks),
        len(chunks),
        plan.to_native(native),
        native.ffi.from_buffer("uint8_t[]", printable()),
        threads,
        native.ffi.from_buffer("uint8_t[]", found),
    )
    if status == native.lib.SHIMHUB_BAD_FORMAT:
        raise ValueError("table: a string is no UTF-8")
    _columns.raise_for(native, status, chunks, "table")
    return found


@functools.cache
def printable() -> bytes:
    """Return a bit for each code point, lowest first: whether ``str.isprintable()`` says so."""
    text = np.arange(_POINTS, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    found = np.zeros(_POINTS, dtype=bool)
    for at in range(0, _POINTS, _PART):
        part = text[at : at + _PART]
        if part.isprintable():
            found[at : at + _PART] = True
        elif len(repr(part)) < _ESCAPED:
            found[at : at + _PART] = [one.isprintable() for one in part]
    return np.packbits(found, bitorder="little").tobytes()
