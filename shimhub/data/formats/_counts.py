"""How many rows a Parquet or Arrow file has, by what it tells of itself: nothing is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from shimhub.data.formats._streams import open_raw

if TYPE_CHECKING:
    from shimhub.data._model import Options, Source

_MAGIC = b"ARROW1"


def counts(source: Source, options: Options) -> list[int] | None:
    """Return the rows of each row group or record batch; those of a stream are one number.

    None for a file that does not tell, or that is damaged: its reader says where.
    """
    if source.compression is not None or source.format not in {"parquet", "arrow"}:
        return None
    try:
        with _opened(source, options) as file:
            return _parquet(file) if source.format == "parquet" else _arrow(file, source)
    except (pa.ArrowException, OSError, ValueError):
        return None


def _opened(source: Source, options: Options) -> pa.NativeFile:
    return open_raw(source, options) if source.is_remote else pa.memory_map(source.path)


def _parquet(file: pa.NativeFile) -> list[int]:
    told = pq.read_metadata(file)
    return [told.row_group(at).num_rows for at in range(told.num_row_groups)]


def _arrow(file: pa.NativeFile, source: Source) -> list[int] | None:
    is_file = file.read(len(_MAGIC)) == _MAGIC
    file.seek(0)
    if not is_file and source.is_remote:
        return None
    # One column is looked at: the buffers of others are not decompressed.
    options = pa.ipc.IpcReadOptions(included_fields=[0])
    if not is_file:
        return [sum(batch.num_rows for batch in pa.ipc.open_stream(file, options=options))]
    reader = pa.ipc.open_file(file, options=options)
    return [reader.get_batch(at).num_rows for at in range(reader.num_record_batches)]
