"""Blocks of whole lines out of a source: what the formats of lines are read by."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from shimhub.data._model import Span
from shimhub.data._streams import open_decompressed, open_raw
from shimhub.data.errors import DecodeError, FormatError, LimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._model import Options, Source

#: Bytes of a block, but for lines that are longer. What is read does not depend on it.
BLOCK: Final = 1 << 20

_BOM: Final = b"\xef\xbb\xbf"
_WIDE: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"{\0": "UTF-16", b"\0{": "UTF-16"}


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Lines that lie one after the other, all but the file's last one with their line feed.

    ``offset`` is where they begin in the decompressed content, ``line`` how many lines are before
    them in the span. With an ``error`` there are no bytes: it stands for a line that is too long,
    or for the rest of a file that cannot be read (``unread`` bytes as stored).
    """

    data: bytes
    offset: int
    line: int
    error: DecodeError | None = None
    unread: int = 0


def line_spans(source: Source, size: int) -> list[Span]:
    """Return spans of ``size`` bytes of a plain local file; one for what must be read in order."""
    if source.compression or source.is_remote or source.size <= size:
        return [Span()]
    starts = list(range(0, source.size, max(size, 1)))
    return [Span(a, b) for a, b in zip(starts, [*starts[1:], None], strict=True)]


def line_blocks(
    source: Source, span: Span, options: Options, size: int = BLOCK
) -> Iterator[LineBlock]:
    """Yield the lines whose first byte lies in the span; a BOM before the first is left out.

    Raises:
        DecodeError: the file is damaged, or UTF-16; with ``on_error="skip"`` it is the last block.
        LimitError: a line is longer than ``options.max_line``; or a block, in the same way.
    """
    for block in _Lines(source, span, options, size):
        if block.error is not None and options.on_error != "skip":
            raise block.error
        yield block


def lines_before(source: Source, offset: int, options: Options) -> int:
    """Count the lines before a byte of the content: for errors, as it reads all that is before."""
    count = 0
    with open_decompressed(source, options) as stream:
        while offset > 0 and (found := stream.read(min(offset, BLOCK))):
            count += found.count(b"\n")
            offset -= len(found)
    return count


class _Lines:
    """The blocks of one span."""

    def __init__(self, source: Source, span: Span, options: Options, size: int) -> None:
        self._source, self._span, self._options = source, span, options
        self._size = max(size, 4)  # a BOM is seen at once
        #: Where the next block begins, and what of it was read: a line that is not yet complete.
        self._offset, self._line = span.start, 0
        self._tail: list[bytes] = []
        self._held = 0
        #: Bytes dropped of a line that is too long, whose end was not yet seen.
        self._dropped = 0
        self._stream: Any = None

    def __iter__(self) -> Iterator[LineBlock]:
        with closing(self._open()) as self._stream:
            try:
                if self._seek():
                    yield from self._blocks()
            except DecodeError as error:
                yield self._broken(error)

    def _open(self) -> Any:
        if self._span.start == 0:
            return open_decompressed(self._source, self._options)
        return open_raw(self._source, self._options)

    def _seek(self) -> bool:
        """Go to the first line of the span; False if there is none."""
        if self._span.start == 0:
            return True
        self._stream.seek(self._span.start - 1)
        self._offset -= 1
        while found := self._stream.read(self._size):
            end = found.find(b"\n") + 1
            self._offset += end or len(found)
            if end:
                self._stream.seek(self._offset)
                return self._span.stop is None or self._offset < self._span.stop
        return False

    def _blocks(self) -> Iterator[LineBlock]:
        is_last = False
        while not is_last and (found := self._stream.read(self._size)):
            if self._offset + self._held == 0:
                found = self._begun(found)
            end, is_last = self._cut(found)
            if end:
                yield from self._complete(found[:end])
                found = b"" if is_last else found[end:]
            yield from self._keep(found)
        if self._held or self._dropped:
            yield from self._complete(b"")

    def _begun(self, head: bytes) -> bytes:
        """Check how the file begins, and leave out its BOM."""
        wide = _WIDE.get(head[:2])
        if wide and (head[0] > 127 or self._source.format != "text"):  # noqa: PLR2004 - a BOM
            raise FormatError(
                f"{self._source.path}: is {wide}, and is read as UTF-8; write it as UTF-8, such as "
                "with iconv"
            )
        if head.startswith(_BOM):
            self._offset = len(_BOM)
            return head[len(_BOM) :]
        return head

    def _cut(self, found: bytes) -> tuple[int, bool]:
        """Where the last complete line ends in what was read, and if it is the span's last."""
        if self._span.stop is not None:
            left = self._span.stop - 1 - (self._offset + self._held)
            end = found.find(b"\n", max(left, 0)) + 1
            if end:
                return end, True
        return found.rfind(b"\n") + 1, False

    def _keep(self, found: bytes) -> Iterator[LineBlock]:
        """Hold the beginning of a line, as long as it may be."""
        if self._dropped:
            self._dropped += len(found)
        elif found:
            self._tail.append(found)
            self._held += len(found)
            if self._held > self._options.max_line:
                yield self._too_long(self._offset, self._line)
                self._dropped, self._held, self._tail = self._held, 0, []

    def _complete(self, found: bytes) -> Iterator[LineBlock]:
        """Yield what is held and what was found to the end of a line."""
        if self._dropped:
            end = found.find(b"\n") + 1 or len(found)
            self._offset += self._dropped + end
            self._line += 1
            found, self._dropped = found[end:], 0
        data = b"".join([*self._tail, found])
        self._tail, self._held = [], 0
        if len(data) > self._options.max_line:
            yield from self._parts(data)
        elif data:
            yield self._block(data)

    def _parts(self, data: bytes) -> Iterator[LineBlock]:
        """Yield the lines without those that are too long."""
        begin = end = 0
        while end < len(data):
            start = end
            end = data.find(b"\n", start) + 1 or len(data)
            if end - start > self._options.max_line:
                if begin < start:
                    yield self._block(data[begin:start])
                yield self._too_long(self._offset, self._line)
                self._offset, self._line, begin = self._offset + end - start, self._line + 1, end
        if begin < end:
            yield self._block(data[begin:end])

    def _block(self, data: bytes) -> LineBlock:
        block = LineBlock(data, self._offset, self._line)
        self._offset += len(data)
        self._line += data.count(b"\n")
        return block

    def _too_long(self, offset: int, line: int) -> LineBlock:
        before = lines_before(self._source, self._span.start, self._options)
        error = LimitError(
            self._source.path,
            f"is longer than {self._options.max_line} bytes; raise max_line if it is meant to be",
            line=before + line + 1,
            offset=offset,
        )
        return LineBlock(b"", offset, line, error)

    def _broken(self, error: DecodeError) -> LineBlock:
        unread = max(self._source.size - self._stream.compressed, 0)
        return LineBlock(b"", self._offset, self._line, error, unread)
