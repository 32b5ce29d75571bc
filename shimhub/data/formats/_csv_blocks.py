"""Blocks of whole records out of a CSV source, and its header."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from shimhub.data.errors import DataError, DecodeError, FormatError, LimitError
from shimhub.data.formats._encodings import open_content
from shimhub.data.formats._line_blocks import LineBlock
from shimhub.kernels.lines import csv_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._model import Options, Source

#: Bytes that are read at once: Arrow's reader has a cost per block, and the cache an end.
BLOCK: Final = 1 << 21
#: Bytes of the first block that is looked at for the header.
_HEAD: Final = 1 << 16
_BOM: Final = b"\xef\xbb\xbf"
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS: Final = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What parts fields, and what quotes them (None: nothing does)."""

    delimiter: str
    quote: str | None


def dialect_of(source: Source, options: Options) -> Dialect:
    """Return how fields are told apart.

    Raises:
        DataError: ``delimiter`` or ``quote`` is no single ASCII character, or a line end.
    """
    delimiter = options.delimiter or _DELIMITERS[source.format]
    for name, told in (("delimiter", delimiter), ("quote", options.quote)):
        if told is not None and (len(told) != 1 or not told.isascii() or told in "\r\n"):
            raise DataError(f"{name}: {told!r}, want one ASCII character that ends no line")
    if delimiter == options.quote:
        raise DataError(f"delimiter and quote are both {delimiter!r}")
    return Dialect(delimiter, options.quote)


def header(source: Source, options: Options) -> bytes:
    """Return the first record that is not empty; raises ``DecodeError`` if there is none."""
    dialect = dialect_of(source, options)
    for block in _Records(source, options, dialect, _HEAD):
        if block.error is not None:
            raise block.error
        end = _header_end(block.data, dialect)
        if end:
            return bytes(block.data[:end]).strip(b"\r\n")
    raise DecodeError(source.path, "is empty: there is no header with names of columns", offset=0)


def record_blocks(source: Source, options: Options, size: int = BLOCK) -> Iterator[LineBlock]:
    """Yield the records behind the header.

    Errors of records longer than ``options.max_line``, of a quote that is not closed, and of
    damage, are blocks.
    """
    dialect = dialect_of(source, options)
    is_behind = False
    for block in _Records(source, options, dialect, max(size, len(_BOM))):
        if is_behind or block.error is not None:
            yield block
            continue
        end = _header_end(block.data, dialect)
        is_behind = end > 0
        if is_behind and end < len(block.data):
            count = None if block.count is None else block.count - 1
            yield LineBlock(block.data[end:], block.offset + end, count=count)


def _header_end(data: bytes | memoryview, dialect: Dialect) -> int:
    found = csv_records(data, dialect.delimiter, dialect.quote, is_last=True)
    return int(found.ends[0]) if found.records else 0


class _Records:
    """Blocks of all records of a source."""

    def __init__(self, source: Source, options: Options, dialect: Dialect, size: int) -> None:
        self._source, self._options, self._dialect = source, options, dialect
        self._size = size
        self._offset = 0
        self._tail = b""
        self._stream: Any = None

    def __iter__(self) -> Iterator[LineBlock]:
        with closing(open_content(self._source, self._options)) as self._stream:
            try:
                yield from self._blocks()
            except DecodeError as error:
                unread = max(self._source.size - self._stream.compressed, 0)
                yield LineBlock(b"", self._offset, error, unread=unread)

    def _blocks(self) -> Iterator[LineBlock]:
        is_last = False
        while not is_last:
            # A record of many blocks is looked at again, but not once for each of them.
            found = self._stream.read(max(self._size, len(self._tail)))
            is_last = not found
            data = self._begun(found) if self._offset == 0 and not self._tail else found
            data = self._tail + data if self._tail else data
            records = self._records(data, is_last=is_last, bounds=False)
            if records.taken:
                yield from self._checked(memoryview(data)[: records.taken], records.records)
                self._offset += records.taken
            if is_last and records.taken < len(data):
                yield self._stop(self._unclosed(), self._offset)
            if len(data) - records.taken > self._options.max_line:
                yield self._stop(self._too_long(), self._offset)
                return
            self._put_back(data[records.taken :], is_again=records.taken == 0)

    def _records(self, data: Any, *, is_last: bool, bounds: bool) -> Any:
        marks = self._dialect.delimiter, self._dialect.quote
        return csv_records(data, *marks, is_last=is_last, bounds=bounds)

    def _put_back(self, rest: bytes, *, is_again: bool) -> None:
        """Hold what is no whole record yet; copies of it cost more than to read it again, once."""
        self._tail = rest
        if rest and not is_again and len(rest) < self._size // 2:
            self._stream.unread(rest)
            self._tail = b""

    def _begun(self, head: bytes) -> bytes:
        if head.startswith(_WIDE):
            raise FormatError(
                f"{self._source.path}: begins as UTF-16 does, and is read as UTF-8; give "
                'encoding="utf-16"'
            )
        if head.startswith(_BOM):
            self._offset = len(_BOM)
            return head[len(_BOM) :]
        return head

    def _checked(self, data: memoryview, count: int) -> Iterator[LineBlock]:
        """Yield the block; in parts, where a record of it is too long."""
        if len(data) <= self._options.max_line:
            yield LineBlock(data, self._offset, count=count)
            return
        found = self._records(data, is_last=True, bounds=True)
        for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True):
            if end - start > self._options.max_line:
                yield self._stop(self._too_long(), self._offset + start, is_all=False)
            else:
                yield LineBlock(data[start:end], self._offset + start)

    def _stop(self, error: DecodeError, offset: int, *, is_all: bool = True) -> LineBlock:
        """The record that begins there is none; nor is anything behind it found, if it is all."""
        unread = max(self._source.size - self._stream.compressed, 0) if is_all else 0
        return LineBlock(b"", offset, error, is_line=True, unread=unread)

    def _too_long(self) -> LimitError:
        return LimitError(
            self._source.path,
            f"a record is longer than {self._options.max_line} bytes; is a quote not closed? "
            "If not, raise max_line=; or give quote=None if quotes are text",
        )

    def _unclosed(self) -> DecodeError:
        return DecodeError(
            self._source.path,
            "a quote is opened and not closed to the end of the file: it was cut short, or give "
            "quote=None if quotes are text",
        )
