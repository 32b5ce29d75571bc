"""Lines of text and of JSON in a buffer: where they are, and whether each holds one object.

Each function is one C function where the native library is loaded, and
:mod:`shimhub.kernels._reference.lines` where it is not.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from shimhub.kernels import _loading
from shimhub.kernels._reference import lines as _reference

#: Of ``shimhub_status``.
_OK: Final = 0
#: Of ``shimhub_elements_state``: where in the text the bytes so far end.
BEGIN: Final = 0
INSIDE: Final = 2
SCALAR: Final = 3
AFTER: Final = 4
END: Final = 5


class TextLines(NamedTuple):
    """Lines without their ends: line i is ``data[offsets[i]:offsets[i + 1]]``."""

    #: Shape (bytes,), uint8.
    data: np.ndarray
    #: Shape (lines + 1,), int32.
    offsets: np.ndarray
    #: Where the lines begin in the text: shape (lines,), int64.
    starts: np.ndarray
    is_ascii: bool


class JsonScan(NamedTuple):
    """What the brackets of JSON lines tell. The numbers hold where it is certain."""

    rows: int
    #: Keys with values, nested ones too.
    pairs: int
    is_ascii: bool
    is_certain: bool


def line_bounds(data: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return where lines begin and end, their line feed included: int64, both (lines,).

    Lines of blanks, tabs and carriage returns alone are left out; only a line feed ends a line.
    O(bytes).
    """
    native = _loading.native()
    if native is None:
        return _reference.line_bounds(bytes(data))
    ffi, count = native.ffi, native.ffi.new("size_t *")
    told = ffi.from_buffer("uint8_t[]", data)
    call = native.lib.shimhub_line_bounds
    _check(call(told, len(told), 0, ffi.NULL, ffi.NULL, count))
    starts, ends = np.empty((2, count[0]), np.int64)
    _check(call(told, len(told), count[0], _int64(ffi, starts), _int64(ffi, ends), count))
    return starts, ends


def text_lines(data: Any) -> TextLines:
    """Copy the lines without their ends: LF, CR or CR LF, as Python's universal newlines.

    Raises ``OverflowError`` if there are 2 GiB or more. O(bytes).
    """
    if len(data) > np.iinfo(np.int32).max:
        raise OverflowError(f"data: {len(data)} bytes, want less than 2 GiB")
    native = _loading.native()
    if native is None:
        return TextLines(*_reference.text_lines(bytes(data)))
    capacity = len(data) + 1  # memory is had where it is written to
    ffi, found = native.ffi, native.ffi.new("shimhub_text_found *")
    out = np.empty(len(data), np.uint8)
    offsets, starts = np.empty(capacity + 1, np.int32), np.empty(capacity, np.int64)
    status = native.lib.shimhub_text_lines(
        ffi.from_buffer("uint8_t[]", data), len(data), capacity,
        ffi.from_buffer("uint8_t[]", out), ffi.from_buffer("int32_t[]", offsets),
        _int64(ffi, starts), found,
    )  # fmt: skip
    _check(status)
    lines = found.lines
    cut = offsets[: lines + 1].copy(), starts[:lines].copy()
    return TextLines(out[: found.bytes], *cut, found.is_ascii)


class CsvRecords(NamedTuple):
    """Records of CSV in a text; where they begin and end, with their line ends."""

    #: Shapes (records,), int64; without records that are empty.
    starts: np.ndarray
    ends: np.ndarray
    #: Bytes of complete records, empty ones too.
    taken: int
    #: Where a quote was opened that was not closed; -1 if none was.
    opened: int
    #: How many there are, also where they were not asked for.
    records: int


def csv_records(
    data: Any, delimiter: str, quote: str | None, *, is_last: bool, bounds: bool = True
) -> CsvRecords:
    """Find records: LF, CR LF or CR end them, but not between quotes.

    A quote counts only as the first byte of a field; twice inside of quotes it is one, and behind
    the closing one the field goes on. With ``is_last`` the last record needs no end. Without
    ``bounds`` the arrays are empty. ``delimiter`` and ``quote`` are one ASCII character. O(bytes).
    """
    native = _loading.native()
    if native is None:
        return CsvRecords(*_reference.csv_records(bytes(data), delimiter, quote, is_last=is_last))
    ffi, found = native.ffi, native.ffi.new("shimhub_csv_found *")
    told = ffi.from_buffer("uint8_t[]", data)
    marks = ord(delimiter), -1 if quote is None else ord(quote), is_last
    call = native.lib.shimhub_csv_records
    _check(call(told, len(told), *marks, 0, ffi.NULL, ffi.NULL, found))
    starts, ends = np.empty((2, found.records if bounds else 0), np.int64)
    if bounds:
        places = _int64(ffi, starts), _int64(ffi, ends)
        _check(call(told, len(told), *marks, len(starts), *places, found))
    return CsvRecords(starts, ends, found.taken, found.open, found.records)


class CsvTexts(NamedTuple):
    """Columns of CSV: value i of a column is ``data[offsets[i]:offsets[i + 1]]``."""

    #: For each column that was asked for: offsets (records + 1,), int32, and data (bytes,), uint8.
    columns: list[tuple[np.ndarray, np.ndarray]]
    records: int
    is_ascii: bool


def csv_texts(
    data: Any, delimiter: str, quote: str | None, wanted: list[int], width: int, records: int
) -> CsvTexts | None:
    """Return the columns with the numbers ``wanted`` of whole records of ``width`` fields.

    Quotes count as :func:`csv_records` tells; there are ``records`` of those that are not empty.
    None where that does not hold, or a field goes on behind its closing quote, or there are 2 GiB
    or more. O(bytes).
    """
    if len(data) > np.iinfo(np.int32).max or not width:
        return None
    native = _loading.native()
    if native is None:
        found = _reference.csv_texts(bytes(data), delimiter, quote, wanted, width)
        return CsvTexts(*found) if found is not None and found[1] == records else None
    ffi, told = native.ffi, native.ffi.new("shimhub_csv_fields_found *")
    text, mark = ffi.from_buffer("uint8_t[]", data), -1 if quote is None else ord(quote)
    fields, totals = np.empty((2, records * width), np.int32), np.empty(width, np.int64)
    starts, sizes = (ffi.from_buffer("int32_t[]", one) for one in fields)
    _check(native.lib.shimhub_csv_fields(
        text, len(text), ord(delimiter), mark, width, records, starts, sizes,
        _int64(ffi, totals), told,
    ))  # fmt: skip
    if not told.is_certain or told.records != records:
        return None
    columns = []
    for at in wanted:
        out, offsets = np.empty(totals[at], np.uint8), np.empty(records + 1, np.int32)
        _check(native.lib.shimhub_csv_column(
            text, len(text), mark, starts + at, sizes + at, records, width,
            ffi.from_buffer("uint8_t[]", out), len(out), ffi.from_buffer("int32_t[]", offsets),
        ))  # fmt: skip
        columns.append((offsets, out))
    return CsvTexts(columns, records, told.is_ascii)


def json_scan(data: Any, depth: int) -> JsonScan:
    """Look at the brackets of lines of JSON, and not at whether they are JSON in all else.

    Where ``is_certain``, and a parser takes the text, each line that is not blank is one object,
    nested at most ``depth`` deep, integers are of int64 or uint64, and what begins with N or I
    outside of strings is NaN or Infinity. It may be uncertain where that holds, too. O(bytes).
    """
    native = _loading.native()
    if native is None:
        return JsonScan(*_reference.json_scan(bytes(data), depth))
    ffi, found = native.ffi, native.ffi.new("shimhub_json_found *")
    told = ffi.from_buffer("uint8_t[]", data)
    _check(native.lib.shimhub_json_scan(told, len(told), depth, found))
    return JsonScan(found.rows, found.pairs, found.is_ascii, found.is_certain)


def count_pairs(rows: list[Any]) -> int:
    """Count the keys in dicts, in those and in lists inside of them, too. O(values)."""
    native = _loading.native()
    found: int = (_reference if native is None else native).count_pairs(rows)
    return found


class Elements(NamedTuple):
    """What :class:`JsonElements` made of bytes."""

    #: Elements that begin or go on here; the last one may be incomplete.
    lines: bytes | memoryview
    #: How many bytes the complete ones are, with what was put before them.
    whole: int
    #: Where elements begin that began here: int64 from the beginning of all.
    starts: np.ndarray
    is_good: bool


class JsonElements:
    """Elements of a JSON array, or values one after the other, as lines.

    ``state`` is :data:`BEGIN` and so on, and ``is_array`` tells which of both it is.
    """

    def __init__(self) -> None:
        self._native = _loading.native()
        self._machine: Any = (
            _reference.Elements()
            if self._native is None
            else self._native.ffi.new("shimhub_elements *")
        )
        #: The same memory for each call, as new pages cost.
        self._starts = np.empty(0, np.int64)

    @property
    def state(self) -> int:
        """Return where in the text it is."""
        return int(self._machine.state)

    @property
    def is_array(self) -> bool:
        """Return whether there was a bracket before the first element."""
        return bool(self._machine.is_array)

    @property
    def offset(self) -> int:
        """Return how many bytes were taken."""
        return int(self._machine.offset)

    def feed(self, data: Any, head: bytes = b"") -> Elements:
        """Take the next bytes. If not all is well, ``offset`` tells where.

        Line feeds of elements are blanks. Not well is a comma that is missing or too much, a line
        feed in a string, or something behind the array. ``head`` is put before the lines. O(bytes).
        """
        if self._native is None:
            lines, begun, is_good = self._machine.feed(data)
            lines = head + lines
            return Elements(lines, lines.rfind(b"\n") + 1, np.array(begun, np.int64), is_good)
        ffi, size = self._native.ffi, len(head)
        out = np.empty(size + 2 * len(data), np.uint8)
        out[:size] = np.frombuffer(head, np.uint8)
        if len(self._starts) < len(data):
            self._starts = np.empty(len(data), np.int64)
        count, begun = ffi.new("size_t *"), ffi.new("size_t *")
        status = self._native.lib.shimhub_json_elements(
            self._machine, ffi.from_buffer("uint8_t[]", data), len(data),
            ffi.from_buffer("uint8_t[]", out) + size, _int64(ffi, self._starts), count, begun,
        )  # fmt: skip
        whole = self._machine.whole
        return Elements(
            out.data[: size + count[0]],
            size + whole if whole else 0,
            self._starts[: begun[0]].copy(),
            status == _OK,
        )


def _int64(ffi: Any, array: np.ndarray) -> Any:
    return ffi.from_buffer("int64_t[]", array)


def _check(status: int) -> None:
    if status != _OK:
        raise RuntimeError(f"the native library returned status {status}")
