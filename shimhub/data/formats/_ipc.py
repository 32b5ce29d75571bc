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
from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import Part, Span
from shimhub.data.errors import DecodeError, FormatError
from shimhub.data.formats import _array_checks, _arrow_files, _ipc_layout, _ipc_readers
from shimhub.data.formats._flatbuffers import LayoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._model import Options, Source


class _Opened:
    """An open source: ``footer`` is None of a stream, which begins at ``start``."""

    def __init__(self, source: Source, options: Options, file: pa.NativeFile) -> None:
        self.source, self.options, self.file = source, options, file
        self.footer = self._footer()
        self.start = 8 if self.footer is None and self._is_file else 0
        self.schema = self._schema()

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
        return _array_checks.is_plain(self.schema) and _ipc_layout.is_little_endian(*told)

    def blocks(self) -> list[tuple[int, int]]:
        """Return the places and sizes of a file's record batches."""
        return _ipc_layout.blocks(self.footer, _ipc_layout.BATCH)

    def reader(self, wanted: list[int]) -> Any:
        """Return the reader of these columns, by number."""
        guard = _ipc_readers.Guard(self.source, self.options, self.file)
        if self.footer is None and self.is_plain:
            return _ipc_readers.PlainStream(self.file, self.schema, guard, wanted, self.first)
        if self.footer is None:
            return _ipc_readers.AnyStream(self.file, guard, wanted, self.start)
        if self.is_plain and len(wanted) == len(self.schema):
            return _ipc_readers.PlainFile(self.file, self.schema, guard, wanted, self.blocks())
        dictionaries = _ipc_layout.blocks(self.footer, _ipc_layout.DICTIONARY)
        return _ipc_readers.AnyFile(self.file, guard, wanted, self.blocks(), dictionaries)


@contextmanager
def _opened(source: Source, options: Options) -> Iterator[tuple[_Opened, Any]]:
    with _arrow_files.named(source):
        if source.is_remote or source.compression is not None:
            with _arrow_files.opened(source, options) as file:
                yield _Opened(source, options, file), None
        elif _arrow_files.is_empty(source):
            raise DecodeError(source.path, "the file is empty; an Arrow file has a schema at least")
        else:
            mapped = _arrow_files.Mapped(source.path)
            yield _Opened(source, options, mapped.file), mapped


def schema(source: Source, options: Options) -> pa.Schema:
    """Return the columns as the footer or the first message tells them."""
    with _opened(source, options) as (opened, _mapped):
        return opened.schema


def spans(source: Source, size: int, options: Options) -> list[Span]:
    """Return runs of record batches of about ``size`` bytes.

    They are numbers of batches in a file, and bytes in a stream; a stream that is remote, or has
    dictionaries, is one span.
    """
    with _opened(source, options) as (opened, mapped):
        if opened.footer is not None:
            return _arrow_files.grouped([held for _at, held in opened.blocks()], size)
        if mapped is None or not opened.is_plain:
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
    with _opened(source, options) as (opened, mapped):
        names = _arrow_files.chosen(opened.schema, source, options)
        try:
            reader = opened.reader(sorted({opened.schema.get_field_index(name) for name in names}))
        except _arrow_files.DAMAGE as error:
            _give_up(opened, opened.start, error)
            return
        for part in _parts(opened, reader, span, mapped):
            is_whole = part.batch.schema.names == names
            yield part if is_whole else Part(part.batch.select(names), part.first)


def _parts(opened: _Opened, reader: Any, span: Span, mapped: Any) -> Iterator[Part]:
    """Yield what can be read; raise, or count, what cannot."""
    first, at, steps = 0, 0, reader.steps(span)
    while True:
        if mapped is not None:
            mapped.keep_from(at)
        try:
            step = next(steps, None)
        except _arrow_files.DAMAGE as error:
            _give_up(opened, reader.at, error)
            return
        if step is None:
            return
        at = step.at
        try:
            batch = step.load()
        except _arrow_files.DAMAGE as error:
            if not reader.resumes:
                _give_up(opened, step.at, error)
                return
            first += _skip(opened, step.at, error)
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
