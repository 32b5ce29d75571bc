"""CSV and TSV: columns are text, and stay as they are written, unless types are asked for.

"" and 007 are text. With ``options.infer`` the first mebibyte decides, as Arrow guesses; with
``options.schema`` that does. What is empty is null then, but of text. Lines that are empty are no
rows. The first record names the columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from shimhub.data._model import Part, Span
from shimhub.data.errors import DataError, DecodeError, SchemaDriftError
from shimhub.data.formats._csv_arrow import Table
from shimhub.data.formats._csv_blocks import dialect_of, header, record_blocks
from shimhub.data.formats._pieces import Reader, origin, told
from shimhub.data.formats._refusals import Refusals
from shimhub.data.reading._widen import UnmergeableError, widened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shimhub.data._model import Options, Source
    from shimhub.data.formats._csv_blocks import Dialect
    from shimhub.data.formats._line_blocks import LineBlock

#: Bytes of which ``infer`` takes the types.
FIRST: Final = 1 << 20
#: Doubles hold all integers below.
_EXACT: Final = 1 << 53


def schema(source: Source, options: Options) -> pa.Schema:
    """Return the columns that the header names.

    Raises:
        DecodeError: the file is empty, or its header has a name twice, or an empty one.
        SchemaDriftError: ``options.schema`` has other columns.
    """
    names = _names(source, options)
    if options.schema is not None:
        return _given(source, options, names)
    if not options.infer:
        return _texts(names)
    return _inferred(source, options, names, whole=False)


def widest(source: Source, options: Options) -> pa.Schema:
    """Return the schema that holds all rows: with ``infer`` the source is read to its end."""
    if options.schema is not None or not options.infer:
        return schema(source, options)
    return _inferred(source, options, _names(source, options), whole=True)


def spans(source: Source, size: int, options: Options) -> list[Span]:  # noqa: ARG001
    """Return one span: only from the beginning it is known what is inside of quotes."""
    return [Span()]


def batches(source: Source, span: Span, options: Options) -> Iterator[Part]:  # noqa: ARG001
    """Yield record batches; one ends where a record is skipped.

    Raises:
        DecodeError: a record has too few fields or too many, or is not UTF-8; a quote is not
            closed; or the file is damaged.
        SchemaDriftError: a value is not of its column's type.
        LimitError: a record is longer than ``options.max_line``.
    """
    try:
        names, wanted = _names(source, options), schema(source, options)
    except DecodeError as error:
        if options.on_error != "skip" or isinstance(error, SchemaDriftError):
            raise
        options.skipped.add(error, 0, max(0, source.size))
        return
    chosen = _chosen(source, wanted, options)
    table = Table(names, wanted, dialect_of(source, options), chosen.names)
    reader = Reader(table.find, table.quick, table.strict)
    blocks = record_blocks(source, options)
    with Refusals(source, options) as refusals:
        for found in told(blocks, reader, refusals, pa.cpu_count()):
            rows = found.piece.rows
            batch = pa.concat_batches(rows) if isinstance(rows, list) else rows
            yield Part(_with(batch, chosen), found.first)


def _with(batch: pa.RecordBatch, chosen: pa.Schema) -> pa.RecordBatch:
    return batch if batch.schema.equals(chosen, check_metadata=True) else batch.cast(chosen)


def _chosen(source: Source, wanted: pa.Schema, options: Options) -> pa.Schema:
    if options.columns is None:
        return wanted
    for name in options.columns:
        if name not in wanted.names:
            there = ", ".join(map(repr, wanted.names))
            raise DataError(f"{source.path}: has no column {name!r}, only {there}")
    return pa.schema([wanted.field(name) for name in options.columns], wanted.metadata)


def _names(source: Source, options: Options) -> list[str]:
    record = header(source, options)
    table = Table([], None, dialect_of(source, options))
    names = _fields(source, record, table.dialect)
    for i, name in enumerate(names):
        if not name:
            raise DecodeError(source.path, f"column {i} of the header has no name: add one", line=1)
        if name in names[:i]:
            raise DecodeError(
                source.path, f"the header has the name {name!r} twice: change one", line=1
            )
    return names


def _fields(source: Source, record: bytes, dialect: Dialect) -> list[str]:
    import csv
    import io

    try:
        text = record.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(
            source.path, f"the header is not UTF-8: {error}; give encoding=", line=1
        ) from None
    quoting: Any = csv.QUOTE_NONE if dialect.quote is None else csv.QUOTE_MINIMAL
    quote = dialect.quote or '"'
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=dialect.delimiter, quotechar=quote, quoting=quoting
    )
    return next(reader)


def _texts(names: list[str]) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in names])


def _given(source: Source, options: Options, names: list[str]) -> pa.Schema:
    """Return the schema in the header's order."""
    told_schema = options.schema
    assert told_schema is not None
    for name in sorted(set(names) ^ set(told_schema.names)):
        told = origin(source.path, options.told_by)
        here, there = ("the header", told) if name in told_schema.names else (told, "the header")
        raise SchemaDriftError(
            source.path, f"column {name!r} is not in {here}, but in {there}", line=1
        )
    return pa.schema([told_schema.field(name) for name in names], told_schema.metadata)


def _inferred(source: Source, options: Options, names: list[str], *, whole: bool) -> pa.Schema:
    blocks = record_blocks(source, options, FIRST)
    table = Table(names, None, dialect_of(source, options))
    guess: pa.Schema | None = None
    for block in blocks:
        found = _guess(table, block)
        if found is not None:
            guess = found if guess is None else _merged(guess, found)
        if guess is not None and not whole:
            break
    return guess if guess is not None else _texts(names)


def _guess(table: Table, block: LineBlock) -> pa.Schema | None:
    """Return the types of a block's records, of those that are right."""
    if block.error is not None:
        return None
    batches = [rows for rows in _rows(table, block) if rows is not None]
    fields: list[pa.Field] = []
    for i, name in enumerate(table.names):
        kinds = [_exact(table, block, batch.column(i), name) for batch in batches]
        fields += [pa.field(name, _all(kinds))] if kinds else []
    return pa.schema(fields) if fields else None


def _exact(table: Table, block: LineBlock, column: pa.Array, name: str) -> pa.DataType:
    """Return the type of a column; integers beyond int64 are no doubles, as Arrow makes them."""
    if not pa.types.is_floating(column.type) or not _is_large(column):
        return column.type
    for kind in (pa.uint64(), pa.string()):
        again = Table(table.names, pa.schema([(name, kind)]), table.dialect, [name])
        try:
            batch: Any = again.read(block.data)
            values = batch.column(0)
        except pa.ArrowInvalid:
            continue
        if kind == pa.uint64() or pc.all(pc.match_substring_regex(values, r"^-?\d*$")).as_py():
            return kind
    return column.type


def _is_large(column: pa.Array) -> bool:
    most = pc.max(pc.abs(column)).as_py()
    return most is not None and most >= _EXACT


def _rows(table: Table, block: LineBlock) -> Iterable[pa.RecordBatch]:
    from shimhub.data.formats._pieces import Lines, pieces

    lines = Lines(block.data, table.find)
    for piece in pieces(lines, Reader(table.find, table.quick, table.strict)):
        if not piece.problem:
            yield from piece.rows if isinstance(piece.rows, list) else [piece.rows]


def _merged(one: pa.Schema, two: pa.Schema) -> pa.Schema:
    pairs = zip(one, two, strict=True)
    return pa.schema([(a.name, _all([a.type, b.type])) for a, b in pairs])


def _all(kinds: list[pa.DataType]) -> pa.DataType:
    kind = kinds[0]
    for other in kinds[1:]:
        try:
            kind = widened(kind, other)
        except UnmergeableError:
            return pa.string()
    return kind
