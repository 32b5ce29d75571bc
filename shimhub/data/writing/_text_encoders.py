"""Rows as lines of text: JSON, CSV, TSV, or plain."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]
import pyarrow.types as pt  # type: ignore[import-untyped]

from shimhub import kernels
from shimhub.data.errors import DataError
from shimhub.data.reading import _outputs
from shimhub.data.writing import _cell_checks, _plain

if TYPE_CHECKING:
    from collections.abc import Callable

_DELIMITERS: Final = {"csv": ",", "tsv": "\t"}


def encoder(name: str, schema: pa.Schema) -> Any:
    """Return the encoder of a text format.

    Raises:
        DataError: the format cannot hold a column.
    """
    if name == "jsonl":
        return JsonLines(schema)
    return Text(schema) if name == "text" else Separated(schema, _DELIMITERS[name])


class _Lines:
    """Base: encodes a batch to bytes, and has no header."""

    def begin(self, stream: Any, header: bool) -> int:
        self._stream = stream
        return 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._stream.write(self.encoded(batch))

    def encoded(self, batch: pa.RecordBatch) -> bytes:
        raise NotImplementedError

    def end(self) -> None:
        """Nothing is held."""

    def drop(self) -> None:
        """Nothing is open."""


class JsonLines(_Lines):
    """An object a line, keys in the order of the columns, UTF-8 as it is."""

    def __init__(self, schema: pa.Schema) -> None:
        self._plain = _plain.json_schema(schema)
        self._has_time = any(_cell_checks.has_time(kind) for kind in schema.types)
        self._dumps = _dumps(any(_plain.has_float(field.type) for field in self._plain))

    def encoded(self, batch: pa.RecordBatch) -> bytes:
        if self._has_time:
            _cell_checks.refuse_beyond(batch)
        rows = _outputs.rows_of(_plain.cast(batch, self._plain))
        lines = list(map(self._dumps, rows))
        return b"\n".join([*lines, b""])


def _dumps(has_float: bool) -> Callable[[Any], bytes]:
    """Return what encodes a row: orjson where it is there and makes the same bytes as json.

    Of what is in such rows the two differ in floats alone ("1e16" and "1e+16", null for NaN).
    """
    dumps = json.JSONEncoder(
        ensure_ascii=False, check_circular=False, separators=(",", ":"), default=_base64
    ).encode
    slow = lambda row: dumps(row).encode()  # noqa: E731
    if has_float:
        return slow
    try:
        import orjson
    except ImportError:
        return slow
    return lambda row: orjson.dumps(row, default=_base64)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


class Separated(_Lines):
    """CSV or TSV: text and names in quotes, a header first."""

    def __init__(self, schema: pa.Schema, delimiter: str) -> None:
        self._schema = schema
        self._plain = _plain.csv_schema(schema)
        self._delimiter = delimiter
        self._has_time = any(_cell_checks.has_time(kind) for kind in schema.types)

    def begin(self, stream: Any, header: bool) -> int:
        super().begin(stream, header)
        if not header:
            return 0
        stream.write(self._csv(self._texts(_empty(self._plain)), header=True))
        return int(stream.cut())

    def encoded(self, batch: pa.RecordBatch) -> bytes:
        _cell_checks.refuse_no_text(batch)
        if self._has_time:
            _cell_checks.refuse_beyond(batch)
        return self._csv(self._texts(_plain.cast(batch, self._plain)), header=False)

    def _texts(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [
            _plain.as_base64(column) if _plain.is_binary(column.type) else column
            for column in batch.columns
        ]
        if len(columns) == 1:  # an empty line would be no row at all for most readers
            columns = [columns[0].cast(pa.large_string()).fill_null("")]
        return pa.RecordBatch.from_arrays(columns, names=self._plain.names)

    def _csv(self, batch: pa.RecordBatch, header: bool) -> bytes:
        sink = pa.BufferOutputStream()
        options = pa_csv.WriteOptions(include_header=header, delimiter=self._delimiter)
        pa_csv.write_csv(batch, sink, options)
        return bytes(sink.getvalue())


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, one.type) for one in schema], schema=schema)


class Text(_Lines):
    """One column of text: a row a line."""

    def __init__(self, schema: pa.Schema) -> None:
        if len(schema) != 1 or not _is_text(schema.field(0).type):
            told = ", ".join(f"{field.name}: {field.type}" for field in schema)
            raise DataError(
                f"text has one column of strings, and here is {told or 'none'}: choose one "
                "(columns=), or write jsonl"
            )
        self._name = schema.names[0]

    def encoded(self, batch: pa.RecordBatch) -> bytes:
        _cell_checks.refuse_no_text(batch)
        column = batch.column(0).cast(pa.large_string())
        self._refuse(column)
        return "\n".join([*column.to_pylist(), ""]).encode()

    def _refuse(self, column: pa.Array) -> None:
        """Refuse nulls, and text of several lines: they would not come back as they are."""
        breaks = pc.or_(pc.match_substring(column, "\n"), pc.match_substring(column, "\r"))
        at = pc.index(pc.fill_null(breaks, True), True).as_py()
        if at >= 0:
            what = "null" if not column[at].is_valid else "text with a line break"
            raise kernels.CellError(self._name, at, f"{what}, which a text file cannot hold")


def _is_text(kind: pa.DataType) -> bool:
    if pt.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))
