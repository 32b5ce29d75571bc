"""Lines of text and of JSON, in Python; what ``native/src/lines.c`` and ``json_*.c`` do."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

_BLANK: Final = b" \t\r\n"
_ENDS: Final = re.compile(rb"\r\n|\r|\n")
#: What matters of a line of JSON; a string counts as one.
_PARTS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}:"\\]|-?[0-9.eE+-]+|[A-Za-z]+', re.DOTALL)
_LEAST: Final = -(1 << 63)
_MOST: Final = (1 << 64) - 1
#: Digits that Python turns into integers quickly.
_LONG: Final = 20

BEGIN, WANTED, INSIDE, SCALAR, AFTER, END = range(6)


def line_bounds(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return where lines begin and end that are not blank."""
    lines = data.split(b"\n")
    ends = np.cumsum([len(line) + 1 for line in lines], dtype=np.int64)
    starts = np.append(np.int64(0), ends[:-1])
    ends[-1] = len(data)
    kept = [i for i, line in enumerate(lines) if line.strip(_BLANK)]
    return starts[kept], ends[kept]


def text_lines(data: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Return the lines' bytes, their offsets, where they begin, and whether all is ASCII."""
    ends = [match.span() for match in _ENDS.finditer(data)]
    starts = [0, *(stop for _, stop in ends)]
    stops = [*(start for start, _ in ends), len(data)]
    if starts[-1] == len(data):
        starts, stops = starts[:-1], stops[:-1]
    lines = [data[a:b] for a, b in zip(starts, stops, strict=True)]
    joined = b"".join(lines)
    offsets = np.cumsum([0, *map(len, lines)], dtype=np.int32)
    found = np.frombuffer(joined, np.uint8)
    return found, offsets, np.array(starts, np.int64), joined.isascii()


def csv_records(
    data: bytes, delimiter: str, quote: str | None, *, is_last: bool
) -> tuple[np.ndarray, np.ndarray, int, int, int]:
    """Return where records begin and end, the bytes of all, an open quote, and their count."""
    mark = None if quote is None else quote.encode()
    bounds = []
    at, opened = 0, -1
    while at < len(data):
        end, opened = _record_end(data, at, delimiter.encode(), mark, is_last)
        if end < 0:
            break
        if data[at:end].strip(b"\r\n"):
            bounds.append((at, end))
        at = end
    starts, ends = np.array(bounds, np.int64).reshape(-1, 2).T
    return starts, ends, at, opened, len(bounds)


def _record_end(
    data: bytes, start: int, delimiter: bytes, mark: bytes | None, is_last: bool
) -> tuple[int, int]:
    """Return where the record ends, or -1; and where a quote is open, or -1."""
    at = start
    while at < len(data):
        byte = data[at : at + 1]
        if byte in (b"\n", b"\r"):
            return _behind_end(data, at, is_last), -1
        if byte == mark and (at == start or data[at - 1 : at] == delimiter):
            closed = _behind_quotes(data, at + 1, mark, is_last)
            if closed < 0:
                return -1, at
            at = closed
        else:
            at += 1
    return (at if is_last else -1), -1


def _behind_end(data: bytes, at: int, is_last: bool) -> int:
    if data[at] == ord("\n"):
        return at + 1
    if at + 1 == len(data):
        return at + 1 if is_last else -1
    return at + 1 + (data[at + 1] == ord("\n"))


def _behind_quotes(data: bytes, at: int, mark: bytes, is_last: bool) -> int:
    while (found := data.find(mark, at)) >= 0:
        if data[found + 1 : found + 2] != mark:
            return found + 1 if is_last or found + 1 < len(data) else -1
        at = found + 2
    return -1


def csv_texts(
    data: bytes, delimiter: str, quote: str | None, wanted: list[int], width: int
) -> tuple[list[tuple[np.ndarray, np.ndarray]], int, bool] | None:
    """Return offsets and bytes of each wanted column, how many records, and if all is ASCII."""
    starts, ends, taken, _, _ = csv_records(data, delimiter, quote, is_last=True)
    if taken < len(data):  # a quote is not closed
        return None
    mark = None if quote is None else quote.encode()
    rows = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        row = _fields(data[start:end], delimiter.encode(), mark)
        if row is None or len(row) != width:
            return None
        rows.append(row)
    columns = []
    for at in wanted:
        values = [row[at] for row in rows]
        offsets = np.cumsum([0, *map(len, values)], dtype=np.int32)
        columns.append((offsets, np.frombuffer(b"".join(values), np.uint8)))
    return columns, len(rows), data.isascii()


def _fields(record: bytes, delimiter: bytes, mark: bytes | None) -> list[bytes] | None:
    """Return a record's fields; None where one goes on behind its closing quote."""
    fields = []
    at, is_more = 0, True
    while is_more:
        start = at
        if mark is not None and record.startswith(mark, at):
            at = _behind_quotes(record, at + 1, mark, True)
            if at < 0:
                return None
            fields.append(record[start + 1 : at - 1].replace(mark * 2, mark))
        else:
            ends = [end for end in (record.find(one, at) for one in _marks(delimiter)) if end >= 0]
            at = min(ends, default=len(record))
            fields.append(record[start:at])
        if record[at : at + 1] not in (*_marks(delimiter), b""):
            return None
        is_more = record[at : at + 1] == delimiter
        at += 1
    return fields


def _marks(delimiter: bytes) -> tuple[bytes, bytes, bytes]:
    return delimiter, b"\n", b"\r"


def json_scan(data: bytes, depth: int) -> tuple[int, int, bool, bool]:
    """Return rows, pairs, whether all is ASCII, and whether it is certain."""
    rows = pairs = 0
    for line in data.split(b"\n"):
        if line.strip(_BLANK):
            found = _scan_line(line.strip(_BLANK), depth)
            if found is None:
                return rows, pairs, data.isascii(), False
            rows, pairs = rows + 1, pairs + found
    return rows, pairs, data.isascii(), True


def _scan_line(line: bytes, limit: int) -> int | None:
    """Count the pairs of a line that is an object; None if it is not certain."""
    depth = pairs = 0
    for part in _PARTS.finditer(line):
        text = part.group()
        depth += (text in b"{[") - (text in b"}]")
        pairs += text == b":"
        if not _is_known(text) or not 0 <= depth <= limit:
            return None
        if depth == 0 and part.end() < len(line):
            return None
    return pairs if depth == 0 and line.startswith(b"{") else None


def _is_known(text: bytes) -> bool:
    if text in (b'"', b"\\"):
        return False
    if text[:1].isalpha():
        return text in (b"NaN", b"Infinity") or not set(b"NI") & set(text)
    integers = re.findall(rb"(?<![.\d])-?\d+", text) if text[:1] != b'"' else []
    return all(len(run.lstrip(b"-")) <= _LONG and _LEAST <= int(run) <= _MOST for run in integers)


def count_pairs(value: Any) -> int:
    """Count the keys of dicts in lists, and in each other."""
    if type(value) is dict:
        return len(value) + sum(map(count_pairs, value.values()))
    return sum(map(count_pairs, value)) if type(value) is list else 0


class Elements:
    """What ``shimhub_json_elements`` keeps."""

    def __init__(self) -> None:
        self.state, self.offset, self.depth = BEGIN, 0, 0
        self.is_array = self.in_string = self.is_escaped = self.has_value = False

    def feed(self, data: bytes) -> tuple[bytes, list[int], bool]:
        """Take bytes one by one."""
        out = bytearray()
        starts: list[int] = []
        for byte in data:
            while (taken := self._take(byte, out, starts)) is None:
                pass
            if not taken:
                return bytes(out), starts, False
            self.offset += 1
        return bytes(out), starts, True

    def _take(self, byte: int, out: bytearray, starts: list[int]) -> bool | None:
        """Take a byte: False if it cannot be, None if the state is another one now."""
        if self.state == INSIDE:
            return self._inside(byte, out)
        if self.state == SCALAR:
            return self._scalar(byte, out)
        if byte in _BLANK:
            return True
        if self.state in (WANTED, BEGIN):
            return self._wanted(byte, starts)
        return self._after(byte, starts) if self.state == AFTER else False

    def _begin(self, byte: int, starts: list[int]) -> bool | None:
        if byte in b",]}:":
            return False
        starts.append(self.offset)
        self.state = INSIDE if byte in b"{[" else SCALAR
        self.depth, self.in_string, self.is_escaped = 0, False, False
        return None

    def _wanted(self, byte: int, starts: list[int]) -> bool | None:
        if self.state == BEGIN and byte == ord("["):
            self.is_array, self.state = True, WANTED
            return True
        if self.state == WANTED and byte == ord("]") and not self.has_value:
            self.state = END
            return True
        return self._begin(byte, starts)

    def _after(self, byte: int, starts: list[int]) -> bool | None:
        if not self.is_array:
            return self._begin(byte, starts)
        if byte not in b",]":
            return False
        self.state = WANTED if byte == ord(",") else END
        return True

    def _quote(self, byte: int) -> None:
        """Follow strings and their backslashes."""
        if self.is_escaped:
            self.is_escaped = False
        elif byte == ord("\\"):
            self.is_escaped = self.in_string or self.state == INSIDE
        elif byte == ord('"'):
            self.in_string = not self.in_string

    def _inside(self, byte: int, out: bytearray) -> bool:
        if self.in_string and byte == ord("\n"):
            return False
        if not self.in_string and not self.is_escaped:
            self.depth += (byte in b"{[") - (byte in b"}]")
        self._quote(byte)
        out.append(ord(" ") if byte == ord("\n") else byte)
        if self.depth == 0:
            self._finish(out)
        return True

    def _scalar(self, byte: int, out: bytearray) -> bool | None:
        if self.in_string and byte in b"\r\n":
            return False
        if not self.in_string and (byte in b" \t\r\n,{" or (byte == ord("]") and self.is_array)):
            self._finish(out)
            return None
        self._quote(byte)
        out.append(byte)
        return True

    def _finish(self, out: bytearray) -> None:
        out.append(ord("\n"))
        self.state, self.has_value = AFTER, True
