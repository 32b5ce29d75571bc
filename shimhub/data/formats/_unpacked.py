"""A file that is compressed as a whole, and must be read at any place: decompressed once, on disk.

Parquet and Arrow files compress inside; ``.parquet.gz`` and ``.arrow.zst`` are met all the same.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pyarrow as pa  # type: ignore[import-untyped]

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
    """
    with tempfile.NamedTemporaryFile(prefix="shimhub-") as file:
        with open_decompressed(source, options) as stream:
            while part := stream.read(_STEP):
                file.write(part)
        file.flush()
        with pa.OSFile(file.name) as opened:
            yield opened
