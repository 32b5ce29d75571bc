"""Sets of digests in memory and in files, for ``dedup.Seen``."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels import _loading
from shimhub.kernels._reference import dedup as reference

if TYPE_CHECKING:
    from types import ModuleType

Indices = np.ndarray[Any, np.dtype[np.int64]]
AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_DIGEST: Final = 32
_VERSION: Final = 1
_MATRIX: Final = 2


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

    def abandon(self) -> None:
        """Never free the set: another thread was changing it when this process was forked."""
        self._native.ffi.gc(self._set, None)

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


class Lost:
    """What a child of fork has of a set that another thread was changing: half of a change."""

    def __len__(self) -> int:
        raise self._error()

    def add(self, _digests: np.ndarray[Any, np.dtype[np.uint8]]) -> Indices:
        """Raise ``RuntimeError``."""
        raise self._error()

    def tobytes(self) -> bytes:
        """Raise ``RuntimeError``."""
        raise self._error()

    @staticmethod
    def _error() -> RuntimeError:
        return RuntimeError(
            "seen: another thread was in a call with it when this process was forked, so its rows "
            "are not known here; make it after the fork, or fork when no call is under way"
        )


class Shared:
    """A set and its lock; after a fork, the child's is never locked for ever."""

    def __init__(self, digests: NativeDigests | reference.Digests) -> None:
        self.lock = threading.Lock()
        self.digests: NativeDigests | reference.Digests | Lost = digests
        _ALL.add(self)

    def after_fork(self) -> None:
        """Replace what a thread was busy with that this process does not have."""
        if not self.lock.locked():
            return
        if isinstance(self.digests, NativeDigests):
            self.digests.abandon()
        self.lock, self.digests = threading.Lock(), Lost()


_ALL: Final[weakref.WeakSet[Shared]] = weakref.WeakSet()


def _after_fork() -> None:
    for shared in list(_ALL):
        shared.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def checked(digests: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the (n, 32) uint8 array, contiguous; raise as ``Seen.add`` for anything else."""
    wanted = "want the (n, 32) uint8 array of hash_rows with sha256"
    if not isinstance(digests, np.ndarray) or isinstance(digests, np.ma.MaskedArray):
        raise TypeError(f"digests: {type(digests).__name__}, {wanted}")
    if digests.dtype != np.uint8:
        raise TypeError(f"digests: dtype {digests.dtype}, {wanted}")
    if digests.ndim != _MATRIX or digests.shape[1] != _DIGEST:
        raise ValueError(f"digests: shape {digests.shape}, {wanted}")
    return np.ascontiguousarray(digests)


def write(path: AnyPath, digests: bytes) -> None:
    """Write the file by a rename, so that nobody ever sees half of it."""
    count = len(digests) // _DIGEST
    numbers = ((_VERSION, 4), (_DIGEST, 4), (count, 8))
    header = b"shimseen" + b"".join(value.to_bytes(size, "little") for value, size in numbers)
    checksum = hashlib.sha256(header)
    checksum.update(digests)
    target = Path(os.path.realpath(os.fsdecode(path)))
    mode = _mode(target, path)
    part = target.with_name(f".seen-{secrets.token_hex(8)}.part")
    try:
        _write_new(part, mode, (header, digests, checksum.digest()))
        part.replace(target)
    except BaseException:  # Ctrl-C too: whatever ends it, no half of a file stays; raised again
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        raise


def _mode(target: Path, path: AnyPath) -> int | None:
    """Return the permissions of the file that is there; None where there is none."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    return stat.S_IMODE(mode)


def _write_new(part: Path, mode: int | None, parts: tuple[bytes, ...]) -> None:
    """Write a file that nobody else has; it is never open to more than ``mode`` lets in."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    made = os.open(part, flags, 0o666 if mode is None else 0o600)
    with open(made, "wb") as file:
        file.writelines(parts)
        file.flush()
        if mode is not None:
            part.chmod(mode)
        os.fsync(made)


def read(path: AnyPath, seed: int) -> NativeDigests | reference.Digests:
    """Return the set of a file; raise ``ValueError`` naming it if it is none."""
    content = Path(os.fsdecode(path)).read_bytes()
    native = _loading.native()
    found = reference.parse(content) if native is None else _parse(native, content, seed)
    if found is None:
        raise ValueError(
            f"{os.fsdecode(path)}: not a whole file of Seen.save of this version; "
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
