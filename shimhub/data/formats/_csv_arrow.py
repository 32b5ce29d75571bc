"""Records of CSV as Arrow."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pc  # type: ignore[import-untyped]

from shimhub.data.errors import DataError
from shimhub.data.formats._json_arrow import may_round_integers
from shimhub.data.formats._json_lines import BadLineError
from shimhub.data.formats._pieces import DriftError, drift
from shimhub.kernels.lines import csv_records, csv_texts

if TYPE_CHECKING:
    from shimhub.data.formats._csv_blocks import Dialect

_TEXT: Final = pa.string()
_BOM: Final = b"\xef\xbb\xbf"
_WHERE: Final = re.compile(r"^(?:In CSV column #(\d+): )?(?:Row #\d+: )?(.*)$", re.DOTALL)


class _InTwo(io.RawIOBase):
    r"""A file of two reads: three bytes or a few more, and all others.

    Arrow chooses how it parses a block by the values of the record that the block before it began
    (pyarrow 26: SIMD where they are long); in a block that begins with a record it reads byte by
    byte, which takes twice as long. Three, as so many it looks at for a BOM; more where the third
    is "\r": Arrow takes a "\n" that begins a read for the rest of that line end, inside of quotes
    too, and drops it.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        cut = len(_BOM)
        while bytes(view[cut - 1 : cut]) == b"\r":
            cut += 1
        self._left = [view[cut:], view[:cut]]

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, _size: int = -1) -> memoryview:
        """Return what is next, whatever was asked for: nothing at the end."""
        return self._left.pop() if self._left else memoryview(b"")


#: As many digits as a double has at most: Python reads no longer ones.
_INTEGER: Final = re.compile(r"^\s*[+-]?\d{1,309}\s*$", re.ASCII)


class Table:
    """The columns of a CSV source, and how its records are read; nothing of it changes."""

    def __init__(
        self,
        names: list[str],
        schema: pa.Schema | None,
        dialect: Dialect,
        columns: list[str] | None = None,
    ) -> None:
        self.names, self.schema, self.dialect = names, schema, dialect
        self.parse = pc.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote if dialect.quote is not None else False,
            newlines_in_values=dialect.quote is not None,
        )
        self.convert = pc.ConvertOptions(
            column_types=schema, strings_can_be_null=False, include_columns=columns
        )
        #: The numbers of the columns that are read, where all of them are text.
        self.texts = self._numbers(names if columns is None else columns)

    def _numbers(self, chosen: list[str]) -> list[int]:
        if self.schema is None or not all(self.schema.field(name).type == _TEXT for name in chosen):
            return []
        return [self.names.index(name) for name in chosen]

    def find(self, data: bytes | memoryview) -> Any:
        """Return where records begin and end."""
        found = csv_records(data, self.dialect.delimiter, self.dialect.quote, is_last=True)
        return found.starts, found.ends

    def read(self, data: bytes | memoryview) -> pa.RecordBatch | None:
        """Read whole records as one batch, None if there are none; raises as Arrow does."""
        if bytes(data[: len(_BOM)]) == _BOM:  # of a value: Arrow would leave it out
            data = b"\n" + bytes(data)
        options = pc.ReadOptions(
            column_names=self.names, use_threads=False, block_size=len(data) + 1
        )
        file = pa.PythonFile(_InTwo(data), mode="r")
        table = pc.read_csv(file, options, self.parse, self.convert)
        batches = [batch for batch in table.to_batches() if batch.num_rows]
        return pa.concat_batches(batches) if len(batches) > 1 else next(iter(batches), None)

    def quick(
        self, data: bytes | memoryview, count: int | None
    ) -> tuple[int, pa.RecordBatch] | None:
        """Read many records at once; None if one is not right."""
        marks = self.dialect.delimiter, self.dialect.quote
        if count is None:
            count = csv_records(data, *marks, is_last=True, bounds=False).records
        if self.texts and (found := self._split(data, count)) is not None:
            return count, found
        try:
            batch = self.read(data)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
            return None
        if self._may_round(batch):
            return None
        rows = batch.num_rows if batch is not None else 0
        return (rows, batch) if rows == count else None

    def _split(self, data: bytes | memoryview, count: int) -> pa.RecordBatch | None:
        """Read columns of text alone; None where Arrow has to tell whether they are right."""
        marks = self.dialect.delimiter, self.dialect.quote
        found = csv_texts(data, *marks, self.texts, len(self.names), count)
        if found is None:
            return None
        columns = [
            pa.Array.from_buffers(_TEXT, count, [None, *map(pa.py_buffer, one)], null_count=0)
            for one in found.columns
        ]
        names = [self.names[at] for at in self.texts]
        batch = pa.RecordBatch.from_arrays(columns, names)
        try:
            if not found.is_ascii:
                batch.validate(full=True)
        except pa.ArrowInvalid:  # a value is not UTF-8
            return None
        return batch

    def strict(self, record: bytes) -> pa.RecordBatch:
        """Read one record.

        Raises:
            BadLineError: it has too few fields or too many, or is not UTF-8.
            DriftError: a value is not of its column's type.
            DataError: CSV is never made such a type.
        """
        try:
            batch = self.read(record)
        except pa.ArrowNotImplementedError as error:
            raise DataError(f"schema=: {error}") from None
        except UnicodeDecodeError as error:
            raise BadLineError(f"is not UTF-8: {error}; give encoding=") from None
        except pa.ArrowInvalid as error:
            raise self._told(str(error)) from None
        if batch is None or batch.num_rows != 1:
            raise BadLineError("is no single record; is a quote out of place?")
        if self._may_round(batch):
            self._check_integers(record, batch)
        return batch

    def _may_round(self, batch: pa.RecordBatch | None) -> bool:
        """Whether to look at integers; who guesses types looks at them itself."""
        return self.schema is not None and batch is not None and may_round_integers(batch)

    def _check_integers(self, record: bytes, batch: pa.RecordBatch) -> None:
        """Refuse integers that their float column has rounded."""
        names = [field.name for field in batch.schema if pa.types.is_floating(field.type)]
        texts = pa.schema([(name, pa.string()) for name in names])
        again: Any = Table(self.names, texts, self.dialect, names).read(record)
        row = again.to_pylist()[0]
        for name, text in row.items():
            if _INTEGER.match(text) and int(text) != batch.column(name)[0].as_py():
                kind = batch.schema.field(name).type
                raise DriftError(drift(name, f"int {text.strip()}, not exact as {kind}"))

    def _told(self, text: str) -> BadLineError:
        text = text.removeprefix("CSV parse error: ")
        column, problem = _WHERE.match(text).groups()  # type: ignore[union-attr]
        if column is None:
            return BadLineError(f"{problem[:200]}; mend the line, or give delimiter= or quote=")
        name = self.names[int(column)]
        if "invalid UTF8" in problem:
            return BadLineError(f"column {name!r} is not UTF-8; give encoding=")
        return DriftError(f"column {name!r}: {problem[:200]}; give schema= with another type")
