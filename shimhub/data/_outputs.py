"""A record batch as columns, rows, NumPy arrays or torch tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shimhub import kernels

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]


def columns_of(batch: pa.RecordBatch) -> dict[str, list[Any]]:
    """Return the columns as lists of Python objects; raises ``kernels.CellError``."""
    return kernels.to_columns(batch)


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the rows as dicts of Python objects; raises ``kernels.CellError``."""
    return kernels.to_rows(batch)
