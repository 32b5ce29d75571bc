"""Columns of a record batch as torch tensors with memory of their own."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub import kernels
from shimhub.data.reading import _numpy_columns
from shimhub.data.reading._arrays import Array, Lists, TensorLists

if TYPE_CHECKING:
    from types import ModuleType


def columns(batch: pa.RecordBatch) -> dict[str, Any]:
    """Return the columns; see ``torch_of``."""
    torch = _torch()
    names = batch.schema.names
    found = {name: _column(torch, batch.column(i), name) for i, name in enumerate(names)}
    return {**found, **_numpy_columns.others(batch, found)}


def _torch() -> ModuleType:
    try:
        return importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "output='torch' needs torch: pip install 'shimhub[torch]'", name="torch"
        ) from error


def _column(torch: Any, array: pa.Array, name: str) -> Any:
    found = _numpy_columns.column(array, name, masked=False)
    if isinstance(found, Lists):
        first, last = int(found.offsets[0]), int(found.offsets[-1])
        offsets = found.offsets.astype(np.int64)
        offsets -= first
        values = _tensor(torch, found.values[first:last], name)
        return TensorLists(values, torch.from_numpy(offsets))
    if found is None or found.dtype.kind in "mM":
        return None
    return _tensor(torch, found, name)


def _tensor(torch: Any, values: Array, name: str) -> Any:
    try:
        return torch.from_numpy(values.copy())
    except TypeError as error:
        problem = f"torch has no {values.dtype}: {error}; cast it, or read columns or rows"
        raise kernels.CellError(name, -1, problem) from error
