"""Blocks of whole lines out of a source: what the formats of lines are read by."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from shimhub.data._model import Span
from shimhub.data.errors import DecodeError, FormatError, LimitError
from shimhub.data.formats._encodings import open_content, recoded

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from shimhub.data._model import Options, Source

#: Bytes of a block, but for lines that are longer. What is read does not depend on it.
BLOCK: Final = 1 << 20
#: Bytes that are copied at once to look for a line feed.
_LOOK: Final = 1 << 14

_BOM: Final = b"\xef\xbb\xbf"
#: JSON begins with ASCII; and text with a BOM, where it is not UTF-8.
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{", b"[\0", b"\0[")


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Lines that lie one after the other, all but the file's last one with their line feed.

    ``offset`` is where they begin in the decompressed content. With an ``error`` there are no
    bytes: it stands for a line that is too long (``is_line``), or for the rest of a file that
    cannot be read (``unread`` bytes as stored); its line is not told yet. ``count`` is how many
    lines or records there are that are not blank, if that is known.
    """

    data: bytes | memoryview
    offset: int
    error: DecodeError | None = None
    is_line: bool = False
    unread: int = 0
    count: int | None = None


def line_spans(source: Source, size: int, options: Options) -> list[Span]:
    """Return spans of ``size`` bytes of a plain local file; one for what must be read in order."""
    is_plain = not (source.compression or source.is_remote or recoded(options))
    if not is_plain or source.size <= size:
        return [Span()]
    starts = list(range(0, source.size, max(size, 1)))
    return [Span(a, b) for a, b in zip(starts, [*starts[1:], None], strict=True)]


def line_blocks(
    source: Source, span: Span, options: Options, size: int = BLOCK
) -> Iterator[LineBlock]:
    """Yield the lines whose first byte lies in the span; a BOM before the first is left out.

    Errors of lines longer than ``options.max_line``, and of damage, are blocks.

    Raises:
        FormatError: the file is UTF-16.
    """
    return iter(LineBlocks(source, span, options, size))


class LineCounter:
    """Which line a byte of the content is on: for errors, as all that is before is read."""

    def __init__(self, source: Source, options: Options) -> None:
        self._source, self._options = source, options
        self._stream: Any = None
        self._offset = self._count = 0
        #: Whether what was counted ends with CR.
        self._carriage = False

    def line_at(self, offset: int) -> int:
        """Return the number of the line, from 1; quick where offsets rise."""
        if self._stream is None or offset < self._offset:
            self.close()
            self._stream = open_content(self._source, self._options)
            self._offset = self._count = 0
            self._carriage = False
        while self._offset < offset:
            found = self._read(min(offset - self._offset, BLOCK))
            if not found:
                break
            self._count += self._ends(found)
            self._offset += len(found)
        return self._count + 1

    def _ends(self, found: bytes) -> int:
        """Count line ends; CR alone is one, too, in text."""
        if self._source.format != "text" or b"\r" not in found:
            count = found.count(b"\n") - (self._carriage and found.startswith(b"\n"))
            self._carriage = False
            return count
        count = found.count(b"\n") + found.count(b"\r") - found.count(b"\r\n")
        count -= self._carriage and found.startswith(b"\n")
        self._carriage = found.endswith(b"\r")
        return count

    def _read(self, size: int) -> bytes:
        try:
            found: bytes = self._stream.read(size)
        except DecodeError:  # of what is told now: there is no more to count
            return b""
        return found

    def close(self) -> None:
        """Close the file; more than once does nothing."""
        if self._stream is not None:
            self._stream.close()
        self._stream = None


class LineBlocks:
    """The blocks of one span: of about ``size`` bytes, which may change between two of them."""

    def __init__(self, source: Source, span: Span, options: Options, size: int) -> None:
        self._source, self._span, self._options = source, span, options
        self.size = max(size, len(_BOM))
        #: Where the next block begins, and what of it was read: a line that is not yet complete.
        self._offset = span.start
        self._tail: list[memoryview] = []
        self._held = 0
        #: Bytes dropped of a line that is too long, whose end was not yet seen.
        self._dropped = 0
        #: What was read is all there is; or what ends it.
        self._is_end = False
        self._failed: DecodeError | None = None
        self._stream: Any = None

    def __iter__(self) -> Generator[LineBlock, None, None]:
        """Yield them, once."""
        with closing(self._open()) as self._stream:
            try:
                if self._seek():
                    yield from self._blocks()
            except DecodeError as error:
                unread = max(self._source.size - self._stream.compressed, 0)
                yield LineBlock(b"", self._offset, error, unread=unread)

    def _open(self) -> Any:
        stream: Any = open_content(self._source, self._options)
        if self._span.start > 0:
            stream.seek(self._span.start - 1)
        return stream

    def _seek(self) -> bool:
        """Go to the first line of the span; False if there is none."""
        if self._span.start == 0:
            return True
        self._offset -= 1
        while found := self._stream.view(self.size):
            end = _behind_first(found, 0)
            self._offset += end or len(found)
            if end:
                self._stream.unread(found[end:])
                return self._span.stop is None or self._offset < self._span.stop
        return False

    def _blocks(self) -> Iterator[LineBlock]:
        is_last = False
        while not is_last and (found := self._filled()):
            if self._offset + self._held + self._dropped == 0:
                found = self._begun(found)
            end, is_last = self._cut(found)
            if end:
                # Copies of this size cost more than to read the rest again.
                yield from self._complete(found[:end])
                found = found[len(found) if is_last else end :]
                if found and len(found) < self.size // 2:
                    self._stream.unread(found)
                    found = found[:0]
            yield from self._keep(found)
        if self._held or self._dropped:
            yield from self._complete(memoryview(b""))

    def _filled(self) -> memoryview:
        """Read a whole block, so that the last line of a small file is in its first one."""
        if self._failed is not None:
            raise self._failed
        found: memoryview = self._stream.view(self.size)
        while found and len(found) < self.size and not self._is_end:
            try:
                more = self._stream.view(self.size - len(found))
            except DecodeError as error:  # told once what came before is given out
                self._failed = error
                break
            self._is_end = not more
            found = memoryview(b"".join((found, more))) if more else found
        return found

    def _begun(self, found: memoryview) -> memoryview:
        """Check how the file begins, and leave out its BOM."""
        head = bytes(found[: len(_BOM)])
        if head.startswith(_WIDE) and not (b"\0" in head[:2] and self._source.format == "text"):
            raise FormatError(
                f"{self._source.path}: begins as UTF-16 does, and is read as UTF-8; write it as "
                "UTF-8, such as with iconv"
            )
        if head.startswith(_BOM):
            self._offset = len(_BOM)
            return found[len(_BOM) :]
        return found

    def _cut(self, found: memoryview) -> tuple[int, bool]:
        """Where the last complete line ends in what was read, and if it is the span's last."""
        if self._span.stop is not None:
            left = self._span.stop - 1 - (self._offset + self._held + self._dropped)
            end = _behind_first(found, max(left, 0))
            if end:
                return end, True
        if self._is_end:
            return len(found), True
        return _behind_last(found), False

    def _keep(self, found: memoryview) -> Iterator[LineBlock]:
        """Hold the beginning of a line, as long as it may be."""
        if self._dropped:
            self._dropped += len(found)
        elif found:
            self._tail.append(found)
            self._held += len(found)
            if self._held > self._options.max_line:
                yield self._too_long(self._offset)
                self._dropped, self._held, self._tail = self._held, 0, []

    def _complete(self, found: memoryview) -> Iterator[LineBlock]:
        """Yield what is held and what was found to the end of a line."""
        if self._dropped:
            end = _behind_first(found, 0) or len(found)
            self._offset += self._dropped + end
            found, self._dropped = found[end:], 0
        data: Any = b"".join([*self._tail, found]) if self._tail else found
        self._tail, self._held = [], 0
        if len(data) > self._options.max_line:
            yield from self._parts(bytes(data))
        elif data:
            yield self._block(data)

    def _parts(self, data: bytes) -> Iterator[LineBlock]:
        """Yield the lines, and errors for those that are too long."""
        begin = end = 0
        while end < len(data):
            start = end
            end = data.find(b"\n", start) + 1 or len(data)
            if end - start > self._options.max_line:
                if begin < start:
                    yield self._block(data[begin:start])
                yield self._too_long(self._offset)
                self._offset, begin = self._offset + end - start, end
        if begin < end:
            yield self._block(data[begin:end])

    def _block(self, data: bytes | memoryview) -> LineBlock:
        block = LineBlock(data, self._offset)
        self._offset += len(data)
        return block

    def _too_long(self, offset: int) -> LineBlock:
        problem = f"is longer than {self._options.max_line} bytes; raise max_line= if it may be"
        return LineBlock(
            b"", offset, LimitError(self._source.path, problem, offset=offset), is_line=True
        )


def _behind_last(found: memoryview) -> int:
    """Return where the last line feed ends; 0 if there is none."""
    stop = len(found)
    while stop:
        start = max(0, stop - _LOOK)
        end = bytes(found[start:stop]).rfind(b"\n") + 1
        if end:
            return start + end
        stop = start
    return 0


def _behind_first(found: memoryview, start: int) -> int:
    """Return where the first line feed from there on ends; 0 if there is none."""
    for at in range(start, len(found), _LOOK):
        end = bytes(found[at : at + _LOOK]).find(b"\n") + 1
        if end:
            return at + end
    return 0
