"""A record batch as columns, rows, NumPy arrays or torch tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shimhub import kernels

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]


def columns_of(batch: pa.RecordBatch) -> dict[str, list[Any]]:
    """Return the columns as lists of Python objects; raises as ``kernels.to_columns``.

    And ``ValueError`` for rows without columns, as a dict of columns does not tell how many.
    """
    _check_countable(batch)
    return kernels.to_columns(batch)


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the rows as dicts of Python objects; raises as ``kernels.to_rows``."""
    return kernels.to_rows(batch)


def numpy_of(batch: pa.RecordBatch, *, masked: bool = False) -> dict[str, Any]:
    """Return the columns by name, those of numbers as arrays over Arrow's memory, read-only.

    =======================================  ==================================================
    numbers and booleans                     array of that dtype
    dates, timestamps, durations             ``datetime64`` (of UTC, if there is a zone) and
                                             ``timedelta64`` of their unit; null is NaT
    lists of numbers or booleans             :class:`~shimhub.data.reading._arrays.Lists`, lazy
    lists of a fixed size of these           array of two dimensions
    dictionaries                             as their values
    text and all others                      array of objects, those of ``kernels.to_columns``
    =======================================  ==================================================

    A null among numbers, or in or instead of a list of them, raises ``kernels.CellError`` with
    column and row, as there is no number to put there. With ``masked`` numbers that have nulls are
    ``numpy.ma.MaskedArray``, and lists that have some an array of objects: None for a row that is
    null, a masked array for one that has nulls. Copies are made of booleans, of what is masked
    and of objects alone. Raises as :func:`columns_of`, too.
    """
    _check_countable(batch)
    from shimhub.data.reading import _numpy_columns

    return _numpy_columns.columns(batch, masked=masked)


def torch_of(batch: pa.RecordBatch) -> dict[str, Any]:
    """Return the columns by name, those of numbers as tensors with memory of their own.

    As :func:`numpy_of`, with tensors, `_arrays.TensorLists` and, for all that
    is no number (dates too), lists of Python objects. Tensors may be written to: they are
    copies. Raises ``kernels.CellError`` for nulls among numbers, as :func:`numpy_of`, and if torch
    has no such dtype (unsigned ones wider than a byte, before 2.3).
    """
    _check_countable(batch)
    from shimhub.data.reading import _torch_columns

    return _torch_columns.columns(batch)


def _check_countable(batch: pa.RecordBatch) -> None:
    if batch.num_rows and not batch.num_columns:
        raise ValueError(
            "rows without columns: a dict of columns does not tell how many there are; read "
            'output="rows" or "arrow"'
        )
