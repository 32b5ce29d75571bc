"""A file that is compressed as a whole, and must be read at any place: decompressed once, on disk.

Parquet and Arrow files compress inside; ``.parquet.gz`` and ``.arrow.zst`` are met all the same.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.errors import SpaceError
from shimhub.data.formats._streams import open_decompressed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._model import Options, Source

_STEP: Final = 1 << 20


@contextmanager
def unpacked(source: Source, options: Options) -> Iterator[pa.NativeFile]:
    """Open the decompressed bytes in a file of ``tempfile``'s directory, gone afterwards.

    Raises:
        DecodeError: the compressed bytes are truncated or damaged.
        LimitError: they become more than ``options.max_ratio`` allows.
        SpaceError: the directory has no room for them.
    """
    with tempfile.NamedTemporaryFile(prefix="shimhub-", buffering=0) as file:
        with open_decompressed(source, options) as stream:
            while part := stream.read(_STEP):
                _write(file, part)
        with pa.OSFile(file.name) as opened:
            yield opened


def _write(file: IO[bytes], data: bytes | bytearray) -> None:
    try:
        while data:
            data = data[file.write(data) :]
    except OSError as error:  # not of the file that is read
        raise SpaceError(
            f"{file.name}: {error.strerror}: it is for a decompressed file; TMPDIR says where "
            "such go"
        ) from error
