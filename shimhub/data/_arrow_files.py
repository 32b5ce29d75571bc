"""What Parquet and Arrow files share: opening them, choosing columns, and naming what is wrong."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.errors import DataError, DecodeError, FormatError
from shimhub.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._model import Options, Source

#: What pyarrow raises for a file that is not as its format says. A name that is no UTF-8 is a
#: UnicodeDecodeError, so a ValueError; ArrowMemoryError and the errors of files are others'.
DAMAGE: Final = (pa.ArrowException, OSError, ValueError, KeyError, IndexError)


def open_file(source: Source, options: Options, mapped: bool = False) -> pa.NativeFile:
    """Open for reading at any place; a local file as a memory map where asked."""
    if source.is_remote:
        import fsspec  # type: ignore[import-untyped]

        url = fsspec.open(source.path, "rb", **options.storage)
        return pa.PythonFile(url.open(), mode="r")
    return pa.memory_map(source.path) if mapped else pa.OSFile(source.path)


@contextmanager
def named(source: Source, **where: Any) -> Iterator[None]:
    """Raise what pyarrow finds wrong as :class:`DecodeError` that names the file."""
    try:
        yield
    except (DataError, FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except DAMAGE as error:
        raise DecodeError(source.path, problem(error), **where) from error


def problem(error: BaseException) -> str:
    """Return what pyarrow says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def chosen(schema: pa.Schema, source: Source, options: Options) -> list[str]:
    """Return the columns that are read, in order; raise for one that is not there, or twice."""
    names = schema.names
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
