"""Arrow IPC: files, streams and Feather, told apart by their first bytes.

Local files are mapped into memory and their batches are views of it. The format has no checksums:
a bit that flipped in a value gives another value. What lies outside of its buffers, ends too early
or declares more than its bytes can mean is an error (`_array_checks`); text is not
checked to be UTF-8 before it becomes `str`. There is no help against a program that changes the
file while it is read: write a new one, and rename it.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._kept import looked_at
from shimhub.data._kept import opened as kept_opened
from shimhub.data._model import Part, Span
from shimhub.data.errors import DecodeError, FormatError
from shimhub.data.formats import (
    _array_checks,
    _arrow_files,
    _ipc_layout,
    _ipc_readers,
    _ipc_sure,
)
from shimhub.data.formats._flatbuffers import LayoutError
from shimhub.data.formats._ipc_fields import ipc_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._model import Options, Source

#: Where the stream in a file begins.
_BEGIN: Final = 8


class _Opened:
    """An open source: ``footer`` is None of a stream, which begins at ``start``."""

    def __init__(
        self, source: Source, options: Options, file: pa.NativeFile, mapped: Any = None
    ) -> None:
        self.source, self.options, self.file, self.mapped = source, options, file, mapped
        self.footer = self._footer()
        self.start = _BEGIN if self.footer is None and self._is_file else 0
        self.schema = self._schema()
        self.fields = ipc_fields(self.schema)

    def ask(self, options: Options) -> None:
        """Read as ``options`` say: the file may have been opened by those of an earlier reading."""
        self.options = options

    def _footer(self) -> Any:
        head = self.file.read(6)
        if head[:4] == b"FEA1":
            raise FormatError(
                f"{self.source.path}: Feather version 1, which pyarrow is giving up; write it "
                "again: pyarrow.feather.write_feather(pyarrow.feather.read_table(old), new)"
            )
        self._is_file = head == _ipc_layout.MAGIC
        try:
            return _ipc_layout.footer(self.file) if self._is_file else None
        except LayoutError:
            if self.options.on_error != "skip":
                raise
            return None  # a file has a stream in it, behind its 8 first bytes

    def _schema(self) -> pa.Schema:
        if self.footer is not None:
            return pa.ipc.open_file(self.file).schema
        top, self.first = _ipc_layout.schema_message(self.file, self.start)
        self._top = top
        self.file.seek(self.start)
        return pa.ipc.open_stream(self.file).schema

    @property
    def is_plain(self) -> bool:
        """Whether any batch can be read by itself."""
        told = (self._top, 2) if self.footer is None else (self.footer, 1)
        is_plain = self.fields is not None or _array_checks.is_plain(self.schema)
        return is_plain and _ipc_layout.is_little_endian(*told)

    def blocks(self) -> list[tuple[int, int]]:
        """Return the places and sizes of a file's record batches."""
        return _ipc_layout.blocks(self.footer, _ipc_layout.BATCH)

    def reader(self, wanted: list[int]) -> Any:
        """Return the reader of these columns, by number."""
        guard = _ipc_readers.Guard(self.source, self.options, self.file)
        if self.is_plain:
            found = self._plain_reader(guard, wanted)
            if found is not None:
                return found
        if self.footer is None:
            return _ipc_readers.AnyStream(self.file, guard, wanted, self.start)
        dictionaries = _ipc_layout.blocks(self.footer, _ipc_layout.DICTIONARY)
        return _ipc_readers.AnyFile(self.file, guard, wanted, self.blocks(), dictionaries)

    def _plain_reader(self, guard: _ipc_readers.Guard, wanted: list[int]) -> Any:
        start = self.start if self.footer is None else _BEGIN
        found = None
        if self.mapped is not None:
            found = _ipc_sure.sure(self.mapped, start, self.schema, self.fields, wanted)
        told = self.file, self.schema, guard, wanted, found
        if self.footer is None:
            return _ipc_readers.PlainStream(*told, self.first)
        if found is not None or len(wanted) == len(self.schema):
            return _ipc_readers.PlainFile(*told, self.blocks())
        return None


@contextmanager
def _opened(source: Source, options: Options) -> Iterator[_Opened]:
    if source.is_remote or source.compression is not None:
        with _arrow_files.opened(source, options) as file:
            yield _Opened(source, options, file)
    elif _arrow_files.is_empty(source):
        raise DecodeError(source.path, "the file is empty; an Arrow file has a schema at least")
    else:
        mapped = _arrow_files.Mapped(source.path)
        yield _Opened(source, options, mapped.file, mapped)


def schema(source: Source, options: Options) -> pa.Schema:
    """Return the columns as the footer or the first message tells them."""
    with _arrow_files.named(source), looked_at(source, options, _opened) as opened:
        return opened.schema


def spans(source: Source, size: int, options: Options) -> list[Span]:
    """Return runs of record batches of about ``size`` bytes.

    They are numbers of batches in a file, and bytes in a stream; a stream that is remote, or has
    dictionaries, is one span.
    """
    with _arrow_files.named(source), _opened(source, options) as opened:
        if opened.footer is not None:
            return _arrow_files.grouped([held for _at, held in opened.blocks()], size)
        if opened.mapped is None or not opened.is_plain:
            return [Span()]
        return _cut(list(_ends(opened)), opened.first, size)


def _ends(opened: _Opened) -> Iterator[int]:
    """Yield where the messages of a stream end, as far as they can be found."""
    try:
        for found in _ipc_layout.messages(opened.file, opened.first):
            yield found.end
    except LayoutError:
        return  # told by who reads the last span


def _cut(ends: list[int], first: int, size: int) -> list[Span]:
    """Cut a stream behind messages; the first span begins with it, the last has no end."""
    places = [first, *ends]
    sizes = [end - at for at, end in zip(places, ends, strict=False)]
    groups = _arrow_files.grouped(sizes, size)
    cuts = [0, *(places[group.start] for group in groups[1:]), None]
    return [Span(start or 0, stop) for start, stop in pairwise(cuts)]


def batches(source: Source, span: Span, options: Options) -> Iterator[Part]:
    """Yield the record batches of the span as they are in the file."""
    with _arrow_files.named(source), kept_opened(source, options, _opened) as opened:
        opened.ask(options)
        names = _arrow_files.chosen(opened.schema, source, options)
        try:
            reader = opened.reader(sorted({opened.schema.get_field_index(name) for name in names}))
        except _arrow_files.DAMAGE as error:
            _give_up(opened, opened.start, error)
            return
        # Of no column, pyarrow reads all.
        is_read = bool(names) and names == [one for one in opened.schema.names if one in names]
        parts = _read(opened, reader, span)
        if is_read:
            yield from parts
        else:
            yield from (Part(batch.select(names), first) for batch, first in parts)


def _read(opened: _Opened, reader: Any, span: Span) -> Iterator[Part]:
    """Yield what can be read; raise, or count, what cannot."""
    first, at, steps, mapped = 0, 0, reader.steps(span), opened.mapped
    while True:
        if mapped is not None:
            mapped.keep_from(at)
        try:
            place = next(steps, None)
        except _arrow_files.DAMAGE as error:
            _give_up(opened, reader.at, error)
            return
        if place is None:
            return
        at = place
        try:
            batch = reader.load()
        except _arrow_files.DAMAGE as error:
            if not reader.resumes:
                _give_up(opened, at, error)
                return
            first += _skip(opened, at, error)
            continue
        yield Part(batch, first)
        first += batch.num_rows


def _skip(opened: _Opened, at: int, error: Exception) -> int:
    """Raise, or leave out the batch at a place; return its rows."""
    told = _arrow_files.decode_error(opened.source, error, offset=at)
    if opened.options.on_error != "skip":
        raise told from error
    rows = _ipc_readers.rows_at(opened.file, at)
    opened.options.skipped.add(told, rows)
    return rows


def _give_up(opened: _Opened, at: int, error: Exception) -> None:
    """Raise, or leave out all from a place on."""
    told = _arrow_files.decode_error(opened.source, error, offset=at)
    if opened.options.on_error != "skip":
        raise told from error
    rows = _ipc_readers.rows_from(opened.file, at)
    opened.options.skipped.add(told, rows, opened.file.size() - at)
