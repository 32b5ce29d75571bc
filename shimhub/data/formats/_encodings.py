"""Content that is not UTF-8, as UTF-8."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from shimhub.data.errors import DataError, DecodeError
from shimhub.data.formats._streams import open_decompressed

if TYPE_CHECKING:
    from shimhub.data._model import Options, Source
    from shimhub.data.formats._streams import Stream


def recoded(options: Options) -> str | None:
    """Return the encoding that content is read from; None for UTF-8, which stays as it is.

    Raises:
        DataError: Python has no such encoding of text.
    """
    try:
        # The codec itself knows whether it is one of text.
        name = codecs.lookup(options.encoding).name
        "".encode(name)
    except LookupError as error:
        raise DataError(f"encoding: {options.encoding!r}: {error}") from None
    return None if name in ("utf-8", "utf-8-sig", "ascii") else name


def open_content(source: Source, options: Options) -> Stream | Recoded:
    """Open the content as UTF-8, decompressed."""
    name = recoded(options)
    stream = open_decompressed(source, options)
    return stream if name is None else Recoded(source, stream, name)


class Recoded:
    """A stream's bytes in UTF-8; offsets count these."""

    def __init__(self, source: Source, stream: Stream, encoding: str) -> None:
        self._source, self._stream, self._encoding = source, stream, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._held: list[bytes | memoryview] = []
        self._given = 0

    @property
    def compressed(self) -> int:
        """How many bytes of the file were read so far."""
        return self._stream.compressed

    def read(self, size: int) -> bytes:
        """Return about ``size`` bytes, none only at the end; raises ``DecodeError``."""
        if self._held:
            found = b"".join(self._held)
            self._held = []
        else:
            found = self._recoded(size)
        self._given += len(found)
        return found

    def view(self, size: int) -> memoryview:
        """Return what ``read`` does."""
        return memoryview(self.read(size))

    def _recoded(self, size: int) -> bytes:
        found = b""
        while not found:
            raw = self._stream.read(size)
            try:
                found = self._decoder.decode(raw, final=not raw).encode()
            except UnicodeError as error:
                raise DecodeError(
                    self._source.path,
                    f"is not {self._encoding} before byte {self._stream.tell()} of it: {error}; "
                    "give the encoding= that it has",
                    offset=self._given,
                ) from None
            if not raw:
                break
        return found

    def unread(self, last: bytes | memoryview) -> None:
        """Take back the last bytes that ``read`` gave out, to give them out again."""
        self._given -= len(last)
        self._held.insert(0, last)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
