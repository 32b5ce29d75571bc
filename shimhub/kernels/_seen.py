"""Sets of digests in memory and in files, for ``dedup.Seen``."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels import _loading
from shimhub.kernels._reference import dedup as reference

if TYPE_CHECKING:
    from types import ModuleType

Indices = np.ndarray[Any, np.dtype[np.int64]]

_DIGEST: Final = 32
_VERSION: Final = 1


class NativeDigests:
    """A ``shimhub_seen``."""

    def __init__(self, native: ModuleType, made: Any) -> None:
        self._native = native
        self._set = native.ffi.gc(made, native.lib.shimhub_seen_free)

    def __len__(self) -> int:
        count: int = self._native.lib.shimhub_seen_count(self._set)
        return count

    def add(self, digests: np.ndarray[Any, np.dtype[np.uint8]]) -> Indices:
        """Add the (n, 32) digests; return the indices of the new ones."""
        ffi, lib = self._native.ffi, self._native.lib
        kept = np.empty(len(digests), dtype=np.int64)
        count = ffi.new("size_t *")
        status = lib.shimhub_seen_add(
            self._set,
            ffi.from_buffer("uint8_t[]", digests),
            len(digests),
            ffi.from_buffer("int64_t[]", kept),
            count,
        )
        if status != lib.SHIMHUB_OK:
            raise (
                MemoryError
                if status == lib.SHIMHUB_NO_MEMORY
                else OverflowError(
                    f"seen: {len(self)} rows and {len(digests)} more, want fewer than 2**32 - 1"
                )
            )
        fresh: Indices = kept[: count[0]].copy()
        return fresh

    def tobytes(self) -> bytes:
        """Return the digests one after another."""
        if not len(self):
            return b""
        found = self._native.lib.shimhub_seen_digests(self._set)
        return bytes(self._native.ffi.buffer(found, len(self) * _DIGEST))


def new(seed: int) -> NativeDigests | reference.Digests:
    """Return an empty set."""
    native = _loading.native()
    if native is None:
        return reference.Digests()
    made = native.ffi.new("shimhub_seen **")
    if native.lib.shimhub_seen_new(seed, made) != native.lib.SHIMHUB_OK:
        raise MemoryError
    return NativeDigests(native, made[0])


def write(path: str | os.PathLike[str], digests: bytes) -> None:
    """Write the file by a rename, so that nobody ever sees half of it."""
    count = len(digests) // _DIGEST
    numbers = ((_VERSION, 4), (_DIGEST, 4), (count, 8))
    header = b"shimseen" + b"".join(value.to_bytes(size, "little") for value, size in numbers)
    checksum = hashlib.sha256(header)
    checksum.update(digests)
    target = Path(path)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.writelines((header, digests, checksum.digest()))
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        raise


def read(path: str | os.PathLike[str], seed: int) -> NativeDigests | reference.Digests:
    """Return the set of a file; raise ``ValueError`` naming it if it is none."""
    content = Path(path).read_bytes()
    native = _loading.native()
    found = reference.parse(content) if native is None else _parse(native, content, seed)
    if found is None:
        raise ValueError(
            f"{os.fspath(path)}: not a whole file of Seen.save of this version; "
            "delete it and start with Seen()"
        )
    return found


def _parse(native: ModuleType, content: bytes, seed: int) -> NativeDigests | None:
    made = native.ffi.new("shimhub_seen **")
    status = native.lib.shimhub_seen_parse(
        native.ffi.from_buffer(content), len(content), seed, made
    )
    if status == native.lib.SHIMHUB_NO_MEMORY:
        raise MemoryError
    return NativeDigests(native, made[0]) if status == native.lib.SHIMHUB_OK else None
