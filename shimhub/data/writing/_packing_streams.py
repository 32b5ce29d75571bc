"""Compression around a file that is written: gzip or zstd, in parts that can be joined as bytes."""

from __future__ import annotations

import zlib
from typing import IO, Final

import pyarrow as pa  # type: ignore[import-untyped]

#: Bytes before compression of a frame of zstd.
_FRAME: Final = 4 << 20
_GZIP_LEVEL: Final = 6
_ZSTD_LEVEL: Final = 3


class Plain:
    """No compression; and the base of those that are some."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def write(self, data: bytes) -> None:
        """Take bytes of content."""
        self.file.write(data)

    def cut(self) -> int:
        """End a part that stands alone; return the bytes in the file so far."""
        return self.file.tell()

    def finish(self) -> None:
        """Write what is held."""


class Gzip(Plain):
    """Members of gzip without name and time."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._packer = _member()

    def write(self, data: bytes) -> None:
        self.file.write(self._packer.compress(data))

    def cut(self) -> int:
        self.finish()
        self._packer = _member()
        return self.file.tell()

    def finish(self) -> None:
        self.file.write(self._packer.flush())


def _member() -> zlib._Compress:
    return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)


class Zstd(Plain):
    """Frames of zstd of 4 MiB of content each, with that size in their headers."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._codec = pa.Codec("zstd", _ZSTD_LEVEL)
        self._held = bytearray()
        self._is_empty = True

    def write(self, data: bytes) -> None:
        self._held += data
        while len(self._held) >= _FRAME:
            self._frame(bytes(self._held[:_FRAME]))
            del self._held[:_FRAME]

    def _frame(self, content: bytes) -> None:
        self.file.write(self._codec.compress(content, asbytes=True))
        self._is_empty = False

    def cut(self) -> int:
        self.finish()
        return self.file.tell()

    def finish(self) -> None:
        if self._held or self._is_empty:
            self._frame(bytes(self._held))
            self._held.clear()


_STREAMS: Final = {None: Plain, "gzip": Gzip, "zstd": Zstd}


def packed_stream(file: IO[bytes], compression: str | None) -> Plain:
    """Return what compresses bytes into the file."""
    return _STREAMS[compression](file)
