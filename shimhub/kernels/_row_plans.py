"""Batches as the library takes them apart for rows: a tree of nodes with their buffers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.kernels import _arrow_import
from shimhub.kernels.rows import CellError


def batches(data: Any) -> list[pa.RecordBatch]:
    """Return the batches of a table, at least one; raise as ``to_rows``."""
    if not isinstance(data, pa.RecordBatch):
        data = _arrow_import.table(data, "data")
    found = [data] if isinstance(data, pa.RecordBatch) else data.to_batches()
    return found or data.schema.empty_table().to_batches() or [_nothing(data.schema)]


def _nothing(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema)


def run(name: str, batch: pa.RecordBatch, before: int) -> Any:
    """Return what the function of that name makes of the batch; ``before`` counts earlier rows."""
    from shimhub.kernels._reference import rows as reference

    try:
        return getattr(reference, name)(batch)
    except CellError as error:
        if not before or error.row < 0:
            raise
        raise CellError(error.column, before + error.row, error.problem) from error.__cause__
