"""Record batches, or lines, to one file of any format; there whole at the end, or not at all.

The bytes depend on the rows, how they come in batches, and pyarrow's version; not on which
optional packages are installed, on the clock, or on the machine. Text formats hold what
``_plain`` makes of columns. A null is ``null`` in JSON, and an empty field in CSV, where "" is
``""``. NaN and infinities are ``NaN`` and ``Infinity`` in JSON, as Python's json writes and reads
them. Compressed CSV has its header in a gzip member or zstd frame of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
from typing import IO, TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from shimhub import kernels
from shimhub.data.errors import DataError, FormatError
from shimhub.data.sources._names import by_name
from shimhub.data.writing import _files, _plain, _text_encoders
from shimhub.data.writing._packing_streams import packed_stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from typing_extensions import Self

#: A row group of Parquet, or record batch of Arrow, is full at either.
GROUP_ROWS: Final = 1 << 17
GROUP_BYTES: Final = 32 << 20
_EXTENSIONS: Final = {
    "parquet": "parquet",
    "arrow": "arrow",
    "jsonl": "jsonl",
    "csv": "csv",
    "tsv": "tsv",
    "text": "txt",
}
_PACKED: Final = {"gzip": ".gz", "zstd": ".zst", "none": ""}
_BINARY: Final = ("parquet", "arrow")


def extension_of(name: str, packed: str | None = None) -> str:
    """Return the end of names of such files: ``extension_of("text", "gzip")`` is "txt.gz".

    Raises:
        FormatError: it is not written, or not compressed as a whole.
    """
    if name not in _EXTENSIONS:
        raise FormatError(f"{name} is not written: write {', '.join(_EXTENSIONS)}")
    if name in _BINARY and packed not in {None, "none"}:
        raise FormatError(f"{name} is compressed inside, not as a whole: write .{name}")
    return _EXTENSIONS[name] + _PACKED[packed or "none"]


def check_types(extension: str, schema: pa.Schema) -> None:
    """Check that a format can hold the columns.

    Raises:
        DataError: it cannot; the column is named, with the cure.
    """
    _encoder(by_name(f"x.{extension}")[0] or extension, schema)


def write_file(
    path: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema, scratch: str | None = None
) -> dict[str, Any]:
    """Write all batches to a file of the format that its name says; as ``Writer`` does.

    Returns:
        What ``Writer.told`` is.
    """
    with Writer(path, schema, scratch=scratch) as writer:
        for batch in batches:
            writer.write(batch)
    return writer.told


class CellWriteError(DataError):
    """A value that the format of the output cannot hold, in row ``row`` of the batch."""

    def __init__(self, path: str, error: kernels.CellError, before: int) -> None:
        self.row = error.row
        self.problem = f"column {error.column!r}: {error.problem}; {_cure(path)}"
        super().__init__(f"{path}, row {before + max(0, error.row)}: {self.problem}")


class Writer:
    """A context manager that writes one file.

    ``with Writer(path, schema) as writer: writer.write(batch)``; the file is at ``path`` after the
    block, with its rows in row groups of a size that is good for readers. An error in the block
    leaves ``path`` as it was. ``scratch`` is the folder in which it is written, of the same file
    system; the path's own by default.

    After the block ``told`` is ``{"rows": how many, "head": bytes of the header that the file
    begins with}``.

    Raises:
        FormatError: the name says no format that is written.
        DataError: the format cannot hold a column; nothing is written.
    """

    def __init__(
        self,
        path: str,
        schema: pa.Schema,
        *,
        scratch: str | None = None,
        header: bool = True,
    ) -> None:
        name, packed = by_name(os.path.basename(path))
        if name is None:
            raise FormatError(f"{path}: its name says no format; end it in .{_ends()}")
        extension_of(name, packed)
        self.path, self.schema = path, schema
        self.told: dict[str, Any] = {}
        self._rows = 0
        self._stack = contextlib.ExitStack()
        self._scratch, self._packed, self._header = scratch, packed, header
        self._encoder = _encoder(name, schema)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(_files.replacing(self.path, self._scratch))
            stream = packed_stream(file, self._packed)
            self._head = self._encoder.begin(stream, self._header)
            self._stream = stream
            self._stack = stack.pop_all()
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the rows of a batch of the schema.

        Raises:
            CellWriteError: a value cannot be held by the format: the row is named.
        """
        try:
            self._encoder.write(batch)
        except kernels.CellError as error:
            raise CellWriteError(self.path, error, self._rows) from error
        self._rows += batch.num_rows

    def write_lines(self, lines: bytes, rows: int) -> None:
        """Write so many rows as they are, in a text format; the last line ends in a newline.

        Raises:
            DataError: the format is not of lines, or the last line does not end.
        """
        if isinstance(self._encoder, _Groups):
            raise DataError(f"{self.path}: lines are not written to this format")
        if lines and not lines.endswith(b"\n"):
            raise DataError(f"{self.path}: the last of the lines has no newline")
        self._stream.write(lines)
        self._rows += rows

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file and put it in its place; after an error remove it."""
        with self._stack as stack:
            if error is None:
                self._encoder.end()
                self._stream.finish()
            else:
                self._encoder.drop()
                stack.__exit__(kind, error, trace)
        self.told = {"rows": self._rows, "head": self._head}


def _cure(path: str) -> str:
    other = "jsonl" if by_name(path)[0] == "text" else "parquet"
    return f"mend it, leave it out, or write {other}"


def _ends() -> str:
    return ", .".join(_EXTENSIONS.values())


def _encoder(name: str, schema: pa.Schema) -> Any:
    if name == "parquet":
        return _Parquet(schema)
    return _Arrow(schema) if name == "arrow" else _text_encoders.encoder(name, schema)


class _Groups:
    """Base of formats of row groups: small batches are joined, large ones stay."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._held: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0
        self._refuse()

    def open(self, sink: IO[bytes]) -> Any:
        """Return pyarrow's writer."""
        raise NotImplementedError

    def begin(self, stream: Any, header: bool) -> int:
        self._writer = self.open(stream.file)
        return 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self.put(pa.Table.from_batches(self._held).combine_chunks())
        self._held, self._rows, self._bytes = [], 0, 0

    def put(self, table: pa.Table) -> None:
        """Write a row group."""
        raise NotImplementedError

    def end(self) -> None:
        self._flush()
        self._writer.close()

    def drop(self) -> None:
        """End pyarrow's writer, whose file goes: else it would write to it when it is freed."""
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()

    def _refuse(self) -> None:
        """Try each column on a null, so that what cannot be written is told before it is read."""
        for field in self.schema:
            try:
                one = pa.table([pa.nulls(1, field.type)], pa.schema([field.with_nullable(True)]))
                with self.open_for(io.BytesIO(), one.schema) as writer:
                    writer.write_table(one)
            except (pa.ArrowException, NotImplementedError) as error:
                raise DataError(
                    f"column {field.name!r} is {field.type}, which cannot be written "
                    f"({error}): leave it out (columns=), or write another format"
                ) from error

    @staticmethod
    def open_for(sink: IO[bytes], schema: pa.Schema) -> Any:
        """Return pyarrow's writer for a schema."""
        raise NotImplementedError


class _Parquet(_Groups):
    """Row groups, compressed by snappy, as pyarrow does by default."""

    def open(self, sink: IO[bytes]) -> Any:
        return self.open_for(sink, self.schema)

    def put(self, table: pa.Table) -> None:
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    @staticmethod
    def open_for(sink: IO[bytes], schema: pa.Schema) -> Any:
        return pq.ParquetWriter(sink, schema, compression="snappy")


class _Arrow(_Groups):
    """An Arrow file, uncompressed, so that readers map it; dictionaries become their values.

    A file has one dictionary for each column, and blocks of a job have their own.
    """

    def open(self, sink: IO[bytes]) -> Any:
        self._values = _plain.values_schema(self.schema)
        return self.open_for(sink, self._values)

    def put(self, table: pa.Table) -> None:
        for batch in table.to_batches():
            self._writer.write_batch(_plain.cast(batch, self._values))

    @staticmethod
    def open_for(sink: IO[bytes], schema: pa.Schema) -> Any:
        return pa.ipc.new_file(sink, schema)
