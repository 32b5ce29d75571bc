"""What Parquet and Arrow files share: opening them, choosing columns, and naming what is wrong."""

from __future__ import annotations

import mmap
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import Span
from shimhub.data.errors import DataError, DecodeError, FormatError, LimitError
from shimhub.data.formats._streams import open_raw
from shimhub.data.formats._unpacked import unpacked
from shimhub.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shimhub.data._model import Options, Source

#: What pyarrow raises for a file that is not as its format says. A name that is no UTF-8 is a
#: UnicodeDecodeError, so a ValueError; what it cannot allocate is a size that the file declares; a
#: place beyond 64 bits is an OverflowError.
DAMAGE: Final = (
    *(pa.ArrowException, OSError, ValueError, KeyError, IndexError, EOFError, OverflowError),
)
_NOT_DAMAGE: Final = (DataError, FileNotFoundError, IsADirectoryError, PermissionError)

#: Rows or values that a file may have however few bytes it has, and bytes that a part may become.
_FREE_VALUES: Final = 1 << 24
_FREE_BYTES: Final = 1 << 26


@contextmanager
def opened(source: Source, options: Options) -> Iterator[pa.NativeFile]:
    """Open for reading at any place, by reads; what is compressed as a whole, decompressed."""
    if source.compression is not None:
        with unpacked(source, options) as file:
            yield file
    else:
        with open_raw(source, options) as file:
            yield file


class Mapped:
    """A local file in memory; what was read is let go, so that the process does not seem to grow.

    A page of a file that gets shorter while it is mapped ends the process with SIGBUS where it is
    touched: :meth:`keep_from` raises if it has become so, which leaves the time of a batch.
    """

    #: Bytes between two releases.
    _STEP: Final = 1 << 24

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._size, self._path, self._free = len(self.data), path, 0
        self.file = self.reader()

    def reader(self) -> pa.NativeFile:
        """Return a file with a place of its own."""
        return pa.BufferReader(pa.py_buffer(self.data))

    def keep_from(self, at: int) -> None:
        """Let go of the pages before this place. They can be read again: from the file."""
        if self.data.size() < self._size:
            raise DecodeError(self._path, "it became shorter while it was read; read a copy")
        if at - self._free < self._STEP or not hasattr(mmap, "MADV_DONTNEED"):
            return
        done = at - at % mmap.PAGESIZE
        if done > self._free:
            self.data.madvise(mmap.MADV_DONTNEED, self._free, done - self._free)
            self._free = done


@contextmanager
def named(source: Source, **where: Any) -> Iterator[None]:
    """Raise what pyarrow finds wrong as :class:`DecodeError` that names the file."""
    try:
        yield
    except _NOT_DAMAGE:
        raise
    except DAMAGE as error:
        raise decode_error(source, error, **where) from error


def decode_error(source: Source, error: Exception, what: str = "", **where: Any) -> DecodeError:
    """Return the error that says where in which file; what is one already stays."""
    if isinstance(error, DecodeError):
        return error
    told = what + (" ".join(str(error).split()) or type(error).__name__)
    if isinstance(error, MemoryError):
        return LimitError(source.path, f"{told}: damaged, or more than fits into memory", **where)
    return DecodeError(source.path, told, **where)


def limit(source: Source, what: str, found: int, stored: int, options: Options) -> None:
    """Raise :class:`LimitError` if so few bytes declare so many rows, values or bytes."""
    free = _FREE_BYTES if what == "bytes" else _FREE_VALUES
    if found > max(free, options.max_ratio * stored):
        raise LimitError(
            source.path,
            f"{stored} bytes tell of {found} {what}: damaged, or made to fill memory; "
            "a larger max_ratio= allows it",
        )


def _read_names(fields: Iterable[pa.Field]) -> None:
    """Read the names within nested types: one that is no UTF-8 raises now, and not at the user."""
    for field in fields:
        _ = field.name
        kind = field.type
        if kind.num_fields and hasattr(kind, "field"):
            _read_names(kind.field(i) for i in range(kind.num_fields))


def chosen(schema: pa.Schema, source: Source, options: Options) -> list[str]:
    """Return the columns that are read, in order; raise for one that is not there, or twice."""
    names = schema.names
    _read_names(schema)
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise FormatError(
            f"{source.path}: several columns are named {repeated[0]!r}; rows cannot hold both: "
            "rename one of them in the file"
        )
    wanted = names if options.columns is None else list(options.columns)
    for name in wanted:
        if name not in names:
            raise DataError(
                f"{source.path}: no column {name!r}{nearest(name, names)}; it has {names}"
            )
    return wanted


def is_empty(source: Source) -> bool:
    """Whether a local file has no bytes."""
    return not source.is_remote and os.path.getsize(source.path) == 0


def grouped(sizes: list[int], size: int) -> list[Span]:
    """Cut a run of things of these sizes where ``size`` is reached; at least one in each part.

    Of nothing, one empty part: its reader still looks at the file.
    """
    found, start, held = [], 0, 0
    for at, one in enumerate(sizes):
        if at > start and held + one > size:
            found.append(Span(start, at))
            start, held = at, 0
        held += one
    return [*found, Span(start, len(sizes))]
