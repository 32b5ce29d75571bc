"""Data as batches: two arrays that are cut and shuffled, or what yields batches itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.pure._making import check_size, unmasked
from shimhub.pure.errors import DataError
from shimhub.pure.tensor import PureTensor

if TYPE_CHECKING:
    from shimhub.pure._making import Array

    Batch = tuple[Any, Any]


def batches(data: Any, size: int, order: np.random.Generator | None) -> Iterable[Batch]:
    """Return what an epoch sees; ``order`` draws the order of the rows of arrays."""
    if not isinstance(data, tuple):
        return _pairs(data)
    check_pair(data)
    inputs, targets = rows("inputs", data[0]), rows("targets", data[1])
    if len(inputs) != len(targets):
        raise DataError(f"data: {len(inputs)} inputs have {len(targets)} targets")
    if not len(inputs):
        raise DataError("data: inputs and targets have no rows")
    if order is None:
        return zip(cut(inputs, size), cut(targets, size), strict=True)
    return _drawn(inputs, targets, cut(order.permutation(len(inputs)), size))


def check_pair(data: Any) -> None:
    """Raise ``DataError`` for what is not inputs and targets, or may be two batches."""
    if len(data) != 2:  # noqa: PLR2004 - inputs and targets
        raise DataError(f"data: a {type(data).__name__} of {len(data)} is not (inputs, targets)")
    if all(_is_batch(one) for one in data):
        raise DataError(
            "data: two pairs of arrays are two batches, or inputs and targets of two rows; give "
            "fit batches as a list, and rows as one array, as np.stack makes"
        )


def _is_batch(one: Any) -> bool:
    """Whether this is a pair of arrays."""
    return (
        isinstance(one, tuple | list)
        and len(one) == 2  # noqa: PLR2004 - as it says
        and all(isinstance(part, np.ndarray | PureTensor) and part.ndim for part in one)
    )


def values(x: Any) -> Any:
    """Return the array of a tensor, and anything else as it is."""
    return x.data if isinstance(x, PureTensor) else x


def rows(name: str, x: Any) -> Array:
    """Return an array of one dimension at least."""
    found: Array = np.asarray(unmasked(name, values(x)))
    if found.ndim == 0:
        raise DataError(f"{name}: {x!r} is not an array of rows")
    return found


def cut(rows: Array, size: int) -> Iterator[Array]:
    """Yield so many rows at a time; the last are what is left."""
    check_size("batch_size", size)
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _drawn(inputs: Array, targets: Array, order: Iterable[Array]) -> Iterator[Batch]:
    """Yield the rows of each place in turn; no copy of all of them is made."""
    for places in order:
        yield inputs.take(places, axis=0), targets.take(places, axis=0)


def _pairs(data: Iterable[Any]) -> Iterator[Batch]:
    for index, batch in enumerate(data):
        if not isinstance(batch, tuple | list) or len(batch) != 2:  # noqa: PLR2004 - as above
            raise DataError(f"data: batch {index} is not (inputs, targets)")
        if isinstance(batch, list) and _is_row(batch[0]):
            raise DataError(
                f"data: batch {index} is two rows of numbers; give inputs and targets as a tuple, "
                "(inputs, targets), or each batch as one"
            )
        if hasattr(batch[0], "__len__") and not len(batch[0]):
            raise DataError(f"data: batch {index} has no rows")
        yield batch[0], batch[1]


def _is_row(x: Any) -> bool:
    """Whether this is a list of numbers, rather than of rows."""
    return isinstance(x, list) and bool(x) and isinstance(x[0], int | float)
