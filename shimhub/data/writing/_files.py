"""Files that are there whole or not at all: written beside, synced, and renamed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import secrets
from typing import IO, TYPE_CHECKING, Any, Final

from shimhub import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK: Final = 1 << 20


@contextlib.contextmanager
def naming(path: str) -> Iterator[None]:
    """Give an error of the system that names no file, such as a full disk, the name of this one.

    Raises:
        OSError: as it was raised, with ``filename``.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), path) from error


class _Named(io.FileIO):
    """A file whose writes name it where they fail: whoever writes to it has a handle alone."""

    def __init__(self, handle: int, path: str) -> None:
        super().__init__(handle, "wb")
        self._path = path

    def write(self, data: Any) -> Any:
        with naming(self._path):
            return super().write(data)


@contextlib.contextmanager
def replacing(path: str, scratch: str | None = None) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of ``path`` when the block ends without an error.

    It is written in ``scratch``, a folder of the same file system (``path``'s own if None), with
    a name that starts with a dot. After the block it and the folder of ``path`` are on the disk
    (fsync). An error leaves ``path`` as it was, and no file beside it. A device or a pipe is
    written into.

    Raises:
        OSError: it cannot be written (the disk is full): with ``path`` as ``filename``.
    """
    if not paths.may_replace(path):
        with io.BufferedWriter(_Named(os.open(path, os.O_WRONLY), path)) as file:
            yield file
        return
    folder, name = os.path.split(os.path.abspath(path))
    part = os.path.join(scratch or folder, f".{name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with io.BufferedWriter(_Named(os.open(part, flags, 0o666), path)) as file:
            yield file
            file.flush()
            with naming(path):
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:  # Ctrl-C too leaves no half of a file; raised again
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise
    sync_folder(folder)


def sync_folder(path: str) -> None:
    """Put the names in a folder on the disk; systems that cannot open a folder need it not."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: str, value: Any, scratch: str | None = None) -> None:
    """Write JSON whose bytes depend on the value alone: sorted keys, two spaces, a last newline."""
    with replacing(path, scratch) as file:
        file.write(json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return the bytes that ``write_json`` writes."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def read_json(path: str) -> dict[str, Any] | None:
    """Return the object in a JSON file; None if there is no such file or it holds no object."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read())
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def digest(path: str, limit: int | None = None) -> dict[str, Any]:
    """Return ``{"bytes": ..., "sha256": ...}`` of a file, or of its first ``limit`` bytes."""
    hasher, size = hashlib.sha256(), 0
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK if limit is None else min(_CHUNK, limit - size)):
            hasher.update(chunk)
            size += len(chunk)
    return {"bytes": size, "sha256": hasher.hexdigest()}
