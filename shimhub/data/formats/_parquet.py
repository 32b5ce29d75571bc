"""Parquet: pyarrow decodes it, a few pages at a time.

Pages are read as they are needed: memory holds some of each column, and one batch. A page is
rarely more than 1 MB, but may have 2 GB by the format, and a batch is ``batch_size`` rows, however
long they are. Checksums of pages are verified where the file has them; many files have none, and
then a bit that flipped in a page that is not compressed gives another value. The footer has none.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from shimhub.data._kept import looked_at, opened
from shimhub.data._model import Part, Span
from shimhub.data.errors import DecodeError, FormatError
from shimhub.data.formats import _array_checks, _arrow_files, _thrift

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from shimhub.data._model import Options, Source

#: Bytes that are read ahead of each column.
_BUFFER: Final = 1 << 20
#: The footer's length and the magic, at the end of a file.
_TAIL: Final = 8
#: In the footer: row groups; in a row group: columns (1), their metadata (3), number of values (5).
_GROUPS: Final = 4
_VALUES: Final[dict[int, Any]] = {1: {3: {5: {}}}}


def schema(source: Source, options: Options) -> pa.Schema:
    """Return the columns as the footer tells them."""
    with _arrow_files.named(source), looked_at(source, options, _opened) as (parquet, _file):
        return parquet.schema_arrow


def spans(source: Source, size: int, options: Options) -> list[Span]:
    """Return runs of row groups of about ``size`` bytes as stored."""
    with _arrow_files.named(source), _opened(source, options) as (parquet, file):
        groups = map(parquet.metadata.row_group, range(parquet.num_row_groups))
        decoded = [max(0, group.total_byte_size) for group in groups]
        share = file.size() / max(1, sum(decoded))
        return _arrow_files.grouped([int(one * share) for one in decoded], size)


def batches(source: Source, span: Span, options: Options) -> Iterator[Part]:
    """Yield the row groups of the span in batches of ``options.batch_size`` rows or fewer.

    Where errors are skipped a row group is decoded twice: first to see whether all of it can be,
    as what is left out must not depend on the batches' size.
    """
    with _arrow_files.named(source), opened(source, options, _opened) as (parquet, file):
        reader = _Groups(source, options, parquet, file)
        groups = range(parquet.num_row_groups)[span.start : span.stop]
        is_skipping = options.on_error == "skip"
        first = 0
        for run in [[group] for group in groups] if is_skipping else [groups]:
            if is_skipping and not reader.is_whole(run):
                first += reader.rows(run)
                continue
            for batch in reader.batches(run):
                yield Part(batch, first)
                first += batch.num_rows


class _Groups:
    """The row groups of an open file, and their chosen columns."""

    def __init__(
        self, source: Source, options: Options, parquet: pq.ParquetFile, file: pa.NativeFile
    ) -> None:
        self._source, self._options, self._parquet = source, options, parquet
        known = parquet.schema_arrow
        self._names = _arrow_files.chosen(known, source, options)
        self._columns = None if self._names == known.names else self._names
        self._has_dictionaries = not _array_checks.is_plain(map(known.field, self._names))
        self._size = file.size()
        self._values = _Values(file) if _array_checks.has_lists(known) else None

    def rows(self, groups: Sequence[int]) -> int:
        """Return how many rows the footer tells of."""
        return sum(max(0, self._parquet.metadata.row_group(group).num_rows) for group in groups)

    def batches(self, groups: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield the rows; raise :class:`DecodeError` with the row where one cannot be read."""
        done = checked = 0
        left, decoded = iter(groups), self._decoded(groups)
        try:
            while True:
                while checked < done + self._options.batch_size:  # the groups of the next batch
                    if (group := next(left, None)) is None:
                        break
                    self._check_declared(group)
                    checked += self.rows([group])
                if (batch := next(decoded, None)) is None:
                    break
                yield batch
                done += batch.num_rows
            if done != self.rows(groups):
                raise ValueError(f"{done} rows, but its footer tells of {self.rows(groups)}")
        except _arrow_files.DAMAGE as error:
            row = self.rows(range(groups[0])) + done
            raise _decode_error(self._source, error, row) from error

    def _decoded(self, groups: Sequence[int]) -> Iterator[pa.RecordBatch]:
        found = self._parquet.iter_batches(
            self._options.batch_size,
            row_groups=groups,
            columns=self._columns,
            use_threads=False,  # each holds pages of its own; parallel are those who read spans
        )
        for whole in found:
            batch = whole.select(self._names)
            if self._has_dictionaries:
                _array_checks.check(batch)
            yield batch

    def is_whole(self, run: Sequence[int]) -> bool:
        """Whether all of it can be decoded; if not, it is counted as skipped."""
        try:
            for _batch in self.batches(run):
                pass
        except DecodeError as error:
            self._options.skipped.add(error, self.rows(run))
            return False
        return True

    def _check_declared(self, number: int) -> None:
        """Raise for rows, bytes and values that so small a file cannot mean."""
        group = self._parquet.metadata.row_group(number)
        rows, values = group.num_rows, self._values.of(number) if self._values else 0
        if min(rows, values) < 0:
            raise ValueError("the footer is damaged: a row group of negative length")
        in_batch = values * min(self._options.batch_size, rows) // max(1, rows)
        told = {"rows": rows, "bytes": group.total_byte_size, "values in a batch": in_batch}
        for what, found in told.items():
            _arrow_files.limit(self._source, what, found, self._size, self._options)


class _Values:
    """The most values that a column of each row group has, lists' elements counted.

    They are read from the footer when they are asked for. pyarrow's own accessor of a column's
    metadata ends the process where that is encrypted.
    """

    def __init__(self, file: pa.NativeFile) -> None:
        end = file.size() - _TAIL
        file.seek(end)
        size = int.from_bytes(file.read(4), "little")
        file.seek(end - size)
        self._reader, self._found = _thrift.Reader(file.read(size)), list[int]()
        self._count: int | None = None

    def of(self, number: int) -> int:
        """Return that of a row group; raise ``ValueError`` where the footer is damaged."""
        try:
            if self._count is None:
                self._count = self._reader.enter(_GROUPS)
            while len(self._found) <= number < self._count:
                columns = self._reader.struct(_VALUES).get(1, [])
                self._found.append(max(map(_count, columns), default=0))
            return self._found[number]
        except _thrift.ERRORS as error:
            raise ValueError(f"the footer is damaged: {error}") from error


def _count(column: dict[int, Any]) -> int:
    return int(column.get(3, {}).get(5, 0))


def _decode_error(source: Source, error: Exception, row: int | None = None) -> Exception:
    if "decrypt" in str(error):
        return FormatError(
            f"{source.path}: encrypted; decrypt it with "
            "pyarrow.parquet.read_table(..., decryption_properties=...), and write it again"
        )
    return _arrow_files.decode_error(source, error, row=row)


@contextmanager
def _opened(source: Source, options: Options) -> Iterator[tuple[pq.ParquetFile, pa.NativeFile]]:
    with _arrow_files.opened(source, options) as file:
        try:
            found = pq.ParquetFile(
                file, buffer_size=_BUFFER, pre_buffer=False, page_checksum_verification=True
            )
        except _arrow_files.DAMAGE as error:
            raise _decode_error(source, error) from error
        yield found, file
