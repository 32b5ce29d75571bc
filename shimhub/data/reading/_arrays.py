"""Lists of numbers as lazy sequences of arrays and tensors: nothing is made before it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from shimhub.kernels import Ragged

Array = np.ndarray[Any, Any]


class Lists(Ragged, Sequence[Any]):
    """A column of lists of numbers: row i is a view of ``values[offsets[i]:offsets[i + 1]]``.

    ``values`` is a 1-D array, ``offsets`` an int32 or int64 one of one more than the rows; both
    are read-only, and lie where Arrow has them. A slice without a step is one of these, too. It
    is a :class:`shimhub.kernels.Ragged`: ``kernels.pad`` and ``kernels.collate`` take it as it is.
    """

    def __getitem__(self, index: Any) -> Any:
        """Return a row, without a copy of it, or the rows of a slice."""
        if isinstance(index, slice):
            return _rows(self, index)
        start, end = _ends(self.offsets, index)
        return self.values[start:end]

    def __iter__(self) -> Iterator[Any]:
        """Yield each row, without a copy of it."""
        values, ends = self.values, self.offsets.tolist()
        for i in range(len(ends) - 1):
            yield values[ends[i] : ends[i + 1]]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} rows of {self.values.dtype}>"


class TensorLists(Lists):
    """As :class:`Lists`, of torch: rows are views of one tensor, which is its own and writable.

    ``values`` is that tensor, of one dimension; ``offsets`` an int64 tensor.
    """

    def __init__(self, values: Any, offsets: Any) -> None:
        super().__init__(values.numpy(), offsets.numpy())
        self._numpy = self.values, self.offsets
        self.values, self.offsets = values, offsets

    def arrays(self) -> tuple[Array, Array]:
        """Return values and offsets as arrays of the same memory."""
        return self._numpy

    def __getitem__(self, index: Any) -> Any:
        """Return a row, without a copy of it, or the rows of a slice."""
        if isinstance(index, slice):
            return _rows(self, index)
        start, end = _ends(self._numpy[1], index)
        return self.values[start:end]

    def __iter__(self) -> Iterator[Any]:
        """Yield each row, without a copy of it; torch cuts all of them at once."""
        if not len(self):
            return iter(())
        values: Any = self.values
        offsets = self._numpy[1]
        return iter(values[offsets[0] : offsets[-1]].split(np.diff(offsets).tolist()))


def _ends(offsets: Array, index: int) -> tuple[int, int]:
    rows = len(offsets) - 1
    at = index + rows if index < 0 else index
    if not 0 <= at < rows:
        raise IndexError(f"row {index} of {rows}")
    return int(offsets[at]), int(offsets[at + 1])


def _rows(lists: Lists, index: slice) -> Any:
    start, stop, step = index.indices(len(lists))
    if step != 1:
        return [lists[i] for i in range(start, stop, step)]
    return type(lists)(lists.values, lists.offsets[start : max(start, stop) + 1])
