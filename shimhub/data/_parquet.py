"""Parquet: pyarrow decodes it, a few pages at a time.

Pages are read as they are needed: memory holds some of each column, and one batch. A page is
rarely more than 1 MB, but may have 2 GB by the format, and a batch is ``batch_size`` rows, however
long they are. Checksums of pages are verified where the file has them; many files have none, and
then a bit that flipped in a page that is not compressed gives another value.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from shimhub.data import _array_checks, _arrow_files
from shimhub.data._model import Part, Span
from shimhub.data.errors import DecodeError, FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from shimhub.data._model import Options, Source

#: Bytes that are read ahead of each column.
_BUFFER: Final = 1 << 20


def schema(source: Source, options: Options) -> pa.Schema:
    """Return the columns as the footer tells them."""
    with _opened(source, options) as file:
        return file.schema_arrow


def spans(source: Source, size: int, options: Options) -> list[Span]:
    """Return runs of row groups of about ``size`` bytes as stored."""
    with _opened(source, options) as file:
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        return _arrow_files.grouped([_stored(group) for group in groups], size)


def batches(source: Source, span: Span, options: Options) -> Iterator[Part]:
    """Yield the row groups of the span in batches of ``options.batch_size`` rows or fewer.

    Where errors are skipped a row group is decoded twice: first to see whether all of it can be,
    as what is left out must not depend on the batches' size.
    """
    with _opened(source, options) as file:
        names = _arrow_files.chosen(file.schema_arrow, source, options)
        reader = _Groups(source, options, file, names)
        groups = range(file.num_row_groups)[span.start : span.stop]
        runs = [[group] for group in groups] if options.on_error == "skip" else [groups]
        first = 0
        for run in runs:
            if options.on_error != "skip" or reader.is_whole(run[0]):
                for batch in reader.batches(run):
                    yield Part(batch, first)
                    first += batch.num_rows
            else:
                first += reader.rows(run)


class _Groups:
    """The row groups of an open file."""

    def __init__(
        self, source: Source, options: Options, file: pq.ParquetFile, names: list[str]
    ) -> None:
        self._source, self._options, self._file, self._names = source, options, file, names
        fields = [file.schema_arrow.field(name) for name in names]
        self._has_dictionaries = not _array_checks.is_plain(fields)
        self._columns = None if names == file.schema_arrow.names else names

    def rows(self, groups: Sequence[int]) -> int:
        """Return how many rows the footer tells of."""
        return sum(max(0, self._file.metadata.row_group(group).num_rows) for group in groups)

    def batches(self, groups: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield the rows; raise :class:`DecodeError` with the row where one cannot be read."""
        done = 0
        try:
            for group in groups:
                self._check_declared(self._file.metadata.row_group(group))
            for batch in self._decoded(groups):
                yield batch
                done += batch.num_rows
            if done != self.rows(groups):
                raise ValueError(f"{done} rows, but its footer tells of {self.rows(groups)}")
        except _arrow_files.DAMAGE as error:
            row = self.rows(range(groups[0])) + done
            raise _decode_error(self._source, error, row) from error

    def _decoded(self, groups: Sequence[int]) -> Iterator[pa.RecordBatch]:
        size = self._options.batch_size
        for found in self._file.iter_batches(size, row_groups=groups, columns=self._columns):
            batch = found.select(self._names)
            if self._has_dictionaries:
                _array_checks.check(batch)
            yield batch

    def is_whole(self, group: int) -> bool:
        """Whether all of it can be decoded; if not, it is counted as skipped."""
        try:
            for _batch in self.batches([group]):
                pass
        except DecodeError as error:
            self._options.skipped.add(error, self.rows([group]))
            return False
        return True

    def _check_declared(self, group: pq.RowGroupMetaData) -> None:
        """Raise for rows, values and bytes that so few bytes cannot mean."""
        columns = [group.column(i) for i in range(group.num_columns)]
        told = [group.num_rows, *(column.num_values for column in columns)]
        if min(told) < 0:
            raise ValueError(f"a row group of {min(told)} rows")
        _arrow_files.limit(self._source, "values", max(told), _stored(group), self._options)
        for column in columns:
            stored, size = column.total_compressed_size, column.total_uncompressed_size
            _arrow_files.limit(self._source, "bytes", size, stored, self._options)


def _stored(group: pq.RowGroupMetaData) -> int:
    return sum(max(0, group.column(i).total_compressed_size) for i in range(group.num_columns))


def _decode_error(source: Source, error: Exception, row: int | None = None) -> Exception:
    if "decrypt" in str(error):
        return FormatError(
            f"{source.path}: encrypted; decrypt it with "
            "pyarrow.parquet.read_table(..., decryption_properties=...), and write it again"
        )
    return _arrow_files.decode_error(source, error, row=row)


@contextmanager
def _opened(source: Source, options: Options) -> Iterator[pq.ParquetFile]:
    with _arrow_files.named(source), _arrow_files.opened(source, options) as file:
        try:
            found = pq.ParquetFile(
                file, buffer_size=_BUFFER, pre_buffer=False, page_checksum_verification=True
            )
        except _arrow_files.DAMAGE as error:
            raise _decode_error(source, error) from error
        yield found
