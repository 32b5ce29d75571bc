"""The rows that are kept, block by block as they came, and the report of the others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from shimhub.data.deduplicating import _compared, _drops, _keeping, _keys
from shimhub.data.writing._files import replacing

if TYPE_CHECKING:
    from shimhub.data.deduplicating._keys import Array
    from shimhub.data.jobs._work import Job

LEFT: Final = "left"
REPORT: Final = "_duplicates.parquet"
_SCHEMA: Final = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("kept_file", pa.string()),
        ("kept_row", pa.int64()),
        ("kind", pa.string()),
        ("similarity", pa.float64()),
    ]
)


def filter_block(job: Job, index: int) -> dict[str, Any]:
    """Write the rows of a block that are kept, in order, and what each other one repeats."""
    drops = _drops.drops_of(job, index)
    made = _keeping.keep(job, index, drops.rows, _compared.rows_of(job, index))
    left = {
        "row": drops.rows,
        "kept": drops.kept,
        "near": drops.near.astype(np.uint8),
        "similarity": drops.similarity,
    }
    files = _keys.write_runs(job, LEFT, index, [left] if len(drops.rows) else [])
    return {**made, "files": [*files, *made["files"]], **_drops.told(drops)}


def report(job: Job, _index: int) -> dict[str, Any]:
    """Write ``_duplicates.parquet``: the rows that were left out, in their order."""
    starts, kept, rows = _starts(job), np.empty(0, np.uint64), 0
    with (
        replacing(os.path.join(job.out, REPORT), job.scratch()) as file,
        pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer,
    ):
        for block in range(len(job.blocks)):
            for run in _keys.open_runs(job, LEFT, block):
                writer.write_table(_told(job, starts, block, run.columns))
                kept = np.union1d(kept, run.columns[1])
                rows += len(run.columns[0])
    return {"files": [REPORT], "groups": len(kept), "rows": rows}


def is_report(path: str) -> bool:
    """Whether a file is such a report, of whatever job."""
    try:
        return bool(os.path.isfile(path) and pq.read_schema(path).equals(_SCHEMA))
    except pa.ArrowInvalid:
        return False


def _starts(job: Job) -> Array:
    """Return how many rows of its file are before each block."""
    starts = np.zeros(len(job.blocks), dtype=np.int64)
    for at in range(1, len(starts)):
        if job.blocks[at].source == job.blocks[at - 1].source:
            starts[at] = starts[at - 1] + _compared.rows_of(job, at - 1).stop
    return starts


def _told(job: Job, starts: Array, block: int, columns: tuple[Array, ...]) -> pa.Table:
    row, kept, near, similarity = columns
    source = np.array([each.source for each in job.blocks], dtype=np.int32)
    blocks, rows = (each.astype(np.int64) for each in _keys.split_ids(kept))
    paths = pa.array([each.path for each in job.sources], pa.string())
    here = np.full(len(row), source[block])
    return pa.table(
        [
            paths.take(pa.array(here)),
            pa.array(starts[block] + row.astype(np.int64)),
            paths.take(pa.array(source[blocks])),
            pa.array(starts[blocks] + rows),
            pa.array(["exact", "near"]).take(pa.array(near)),
            pa.array(similarity, from_pandas=True),
        ],
        schema=_SCHEMA,
    )
