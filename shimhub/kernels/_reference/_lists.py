"""Products of Python's lists of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_Numbers = Sequence[Any]


def matmul(a: _Numbers, b: _Numbers) -> Any:
    """Return the product as lists of floats; see :func:`shimhub.kernels.matmul`."""
    left, right = _read("a", a), _read("b", b)
    inner, columns = right.shape[0], left.shape[-1]
    if inner != columns:
        raise ValueError(f"b: {inner} rows, but a has {columns} columns")
    with np.errstate(all="ignore"):
        return np.matmul(left, right).tolist()


def _read(name: str, rows: _Numbers) -> Any:
    if len(rows) == 0:
        raise ValueError(f"{name}: empty, so that its columns are not known")
    if not isinstance(rows[0], list | tuple):
        return np.array(_row(name, rows), np.float64)
    width = len(rows[0])
    read = [_row(f"{name}[{i}]", _checked(name, i, row, width)) for i, row in enumerate(rows)]
    return np.array(read, np.float64).reshape(len(rows), width)


def _checked(name: str, i: int, row: Any, width: int) -> _Numbers:
    if not isinstance(row, list | tuple):
        kind = type(row).__name__
        raise TypeError(f"{name}[{i}]: {kind} is not a list of numbers")
    if len(row) != width:
        raise ValueError(f"{name}[{i}]: length {len(row)}, but {name}[0] has {width}")
    return row


def _row(name: str, row: _Numbers) -> list[float]:
    return [_number(f"{name}[{j}]", number) for j, number in enumerate(row)]


def _number(place: str, number: Any) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(f"{place}: {type(number).__name__} is not a number")
    kind: Any = float if isinstance(number, float) else int
    try:
        found: float = kind.__float__(number)  # the number, whatever a subclass makes of it
    except OverflowError:
        raise OverflowError(f"{place}: int does not fit float64") from None
    return found
