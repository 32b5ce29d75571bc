"""Arrow's columns as Python's objects, by pyarrow; what ``native/python/py_rows.c`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.kernels.rows import CellError

if TYPE_CHECKING:
    from collections.abc import Callable


def make_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the rows of a batch as dicts."""
    columns = make_columns(batch)
    if not columns:
        return [{} for _ in range(batch.num_rows)]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def make_columns(batch: pa.RecordBatch) -> dict[str, list[Any]]:
    """Return the columns of a batch as lists."""
    return {name: values(batch.column(i), name) for i, name in enumerate(batch.schema.names)}


def values(array: pa.Array, name: str, nested: bool = False) -> list[Any]:
    """Return the values once they are as they say: pyarrow's own functions do not look.

    Raises ``CellError``; of values that are nested in others, rows are not those of a batch.
    """
    try:
        array.validate(full=True)
    except pa.ArrowException as error:  # ArrowIndexError is no ValueError
        row = -1 if nested else _first(array, lambda one: one.validate(full=True))
        raise CellError(name, row, f"not a valid Arrow array: {error}") from error
    try:
        found: list[Any] = array.to_pylist()
    except _NOT_PYTHONS as error:
        row = -1 if nested else _first(array, lambda one: one.to_pylist())
        raise CellError(name, row, f"Python has no such value: {error}") from error
    return found


#: Of dates after 9999, of decimals with more digits than they say, of zones that are not there.
_NOT_PYTHONS: Final = (ArithmeticError, ValueError, LookupError)


def _first(array: pa.Array, look: Callable[[pa.Array], object]) -> int:
    """Return the first row that alone raises an error when it is looked at; -1 if none does."""
    for row in range(len(array)):
        try:
            look(array.slice(row, 1))
        except (pa.ArrowException, *_NOT_PYTHONS):
            return row
    return -1
