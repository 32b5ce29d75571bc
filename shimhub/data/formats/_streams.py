"""The bytes of a source: as stored, and decompressed; in bounded memory, and never cut short.

Arrow's codecs read gzip of many members and zstd of many frames, skippable ones too, check CRC-32
and XXH64, and raise where the bytes end too early or go on with something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.errors import DataError, DecodeError, LimitError

if TYPE_CHECKING:
    from types import TracebackType

    from shimhub.data._model import Options, Source

#: Decompressed bytes asked of a codec at once: what lies before damage is lost by at most as many.
STEP: Final = 1 << 18
#: A file may become as large as this whatever its ratio: small files repeat themselves.
FREE: Final = 1 << 28

_SKIPPABLE: Final = 0x50
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


def open_raw(source: Source, options: Options) -> pa.NativeFile:
    """Open the bytes as they are stored, for random access.

    Raises ``FileNotFoundError``, ``PermissionError`` and the like as ``open`` does, and
    ``DataError`` where a URL needs a package that is not there.
    """
    if not source.is_remote:
        return pa.OSFile(source.path, "rb")
    return pa.PythonFile(_open_remote(source, options), mode="r")


def open_decompressed(source: Source, options: Options) -> Stream:
    """Open the content from its beginning. See :class:`Stream` for what reading raises."""
    return Stream(source, options)


class Stream:
    """A source's decompressed bytes, in order.

    ``read`` raises ``DecodeError`` where the file is no file of its compression, is truncated or
    damaged, or goes on after its last member; ``offset`` of the error counts decompressed bytes,
    and its text tells how far the compressed ones were read. ``LimitError`` where more than
    ``options.max_ratio`` bytes come out of a byte (and more than 256 MiB in all).
    """

    def __init__(self, source: Source, options: Options) -> None:
        self._source, self._options = source, options
        self._raw = open_raw(source, options)
        self._held: list[bytes | bytearray | memoryview] = []
        self._failed: DecodeError | None = None
        self._given = 0
        self._total = 0
        self._codec: Any = self._open_codec() if source.compression else None

    def _open_codec(self) -> Any:
        try:
            _check_magic(self._source, self._raw.read(4))
            self._raw.seek(0)
        except BaseException:  # nobody else has the file yet; raised again
            self._raw.close()
            raise
        return pa.CompressedInputStream(self._raw, self._source.compression)

    def read(self, size: int) -> bytes | bytearray:
        """Return the next ``size`` bytes; fewer before the end or damage, none only at the end."""
        if self._codec is None:
            found: bytes = self._raw.read(size)
            self._given += len(found)
            return found
        room = bytearray(size)
        count = self._take(memoryview(room))
        return room if count == size else room[:count]

    def view(self, size: int) -> memoryview:
        """Return what ``read`` does, in memory of Arrow's pool, whose pages are used again."""
        if self._codec is None:
            found = memoryview(self._raw.read_buffer(size)).cast("B")
            self._given += len(found)
            return found
        room = memoryview(pa.allocate_buffer(size)).cast("B")
        return room[: self._take(room)]

    def _take(self, room: memoryview) -> int:
        """Decompress into that memory: pieces would be copied once more to join them."""
        count = self._take_held(room)
        while count < len(room) and (step := self._step(room[count : count + STEP], count)):
            count += step
        self._given += count
        return count

    def _take_held(self, room: memoryview) -> int:
        held = b"".join(self._held)
        count = min(len(held), len(room))
        room[:count] = held[:count]
        self._held = [held[count:]] if count < len(held) else []
        return count

    def _step(self, room: memoryview, before: int) -> int:
        """Decompress a step; where that fails, what came before is given out first."""
        try:
            return self._decompressed(room)
        except DecodeError as error:
            if not before:
                raise
            self._failed = error
            return 0

    def _decompressed(self, room: memoryview) -> int:
        if self._failed is not None:
            raise self._failed
        try:
            count = int(self._codec.readinto(room))
        except OSError as error:
            raise self._damaged(str(error)) from None
        self._total += count
        if self._total > FREE and self._total > self._options.max_ratio * self.compressed:
            raise self._bomb()
        return count

    @property
    def compressed(self) -> int:
        """How many bytes of the file the codec was given so far."""
        return int(self._raw.tell())

    def _damaged(self, problem: str) -> DecodeError:
        size = self._raw.size()
        return DecodeError(
            self._source.path,
            f"the {self._source.compression} data is truncated or damaged: {problem}; read to "
            f"compressed byte {self.compressed} of {size}. Get the file again, or keep what "
            'comes before with on_error="skip"',
            offset=self._total,
        )

    def _bomb(self) -> LimitError:
        return LimitError(
            self._source.path,
            f"{self.compressed} compressed bytes became {self._total}, more than "
            f"{self._options.max_ratio} for one; raise max_ratio= if you trust the file",
            offset=self._total,
        )

    def seek(self, offset: int) -> None:
        """Go on from there: of sources that are not compressed."""
        self._raw.seek(offset)
        self._given = offset

    def unread(self, last: bytes | bytearray | memoryview) -> None:
        """Take back the last bytes that ``read`` gave out, to give them out again."""
        self._given -= len(last)
        if self._codec is None:
            self._raw.seek(self._given)
        else:
            self._held.insert(0, last)

    def tell(self) -> int:
        """Return how many bytes were given out."""
        return self._given

    def close(self) -> None:
        """Close the file; more than once does nothing."""
        if self._codec is not None:
            self._codec.close()
        self._raw.close()

    def __enter__(self) -> Stream:  # noqa: PYI034 - Self came with Python 3.11
        """Return the stream itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()


def _check_magic(source: Source, head: bytes) -> None:
    if _is_compressed(source.compression, head):
        return
    what = "is empty" if not head else f"begins with {head!r}"
    raise DecodeError(
        source.path,
        f'is read as {source.compression}, but {what}; give compression="none" if it is plain, or '
        "get the file again",
        offset=0,
    )


def _is_compressed(compression: str | None, head: bytes) -> bool:
    if compression == "gzip":
        return head[:2] == b"\x1f\x8b"
    # A skippable frame may come first (RFC 8878, section 3.1.2).
    return head == _ZSTD or (head[1:] == b"\x2a\x4d\x18" and head[0] & 0xF0 == _SKIPPABLE)


def _open_remote(source: Source, options: Options) -> Any:
    try:
        import fsspec  # type: ignore[import-untyped]
    except ImportError:
        raise DataError(f"{source.path}: URLs need fsspec: pip install 'shimhub[data]'") from None
    try:
        return fsspec.open(source.path, "rb", **options.storage).open()
    except (ImportError, ValueError) as error:  # no package, or no name, of the protocol
        raise DataError(f"{source.path}: fsspec cannot open it: {error}") from None
