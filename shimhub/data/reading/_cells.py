"""Errors of values that an output cannot hold: told with the file and its row."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from shimhub import kernels
from shimhub.data.errors import NOT_SKIPPED, DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa  # type: ignore[import-untyped]


class Place(NamedTuple):
    """Where rows are from: rows ``first``, ``first + step``, ... of the file."""

    path: str
    first: int
    step: int = 1
    #: Whether rows are counted from the file's beginning, not from a span's.
    is_known: bool = True
    #: Whether rows that cannot be read are left out.
    skips: bool = False


def converted(convert: Callable[[pa.RecordBatch], Any], batch: pa.RecordBatch, place: Place) -> Any:
    """Return what ``convert`` makes of a batch that is all of one file.

    Raises:
        DecodeError: a value cannot be had: with the file, its row and the column.
    """
    try:
        return convert(batch)
    except ValueError as error:
        raise _told(error, place) from error


def _told(error: ValueError, place: Place) -> DecodeError:
    if not isinstance(error, kernels.CellError):
        return DecodeError(place.path, str(error), row=place.first if place.is_known else None)
    is_known = place.is_known and error.row >= 0
    row = place.first + error.row * place.step if is_known else None
    told = f"column {error.column!r}: {error.problem}" + _cure(error.problem)
    return DecodeError(place.path, told + (NOT_SKIPPED if place.skips else ""), row=row)


def _cure(problem: str) -> str:
    """Return what to do about values that Python has not, such as the year 10000."""
    return '; read output="arrow"' if problem.startswith("Python has no such value") else ""


class Rows:
    """The places of rows that pass, until they are converted."""

    def __init__(self) -> None:
        self._places: deque[tuple[int, Place]] = deque()

    def noted(self, batches: Iterable[tuple[pa.RecordBatch, Place]]) -> Iterator[pa.RecordBatch]:
        """Yield the batches, and keep where they are from."""
        for batch, place in batches:
            self._places.append((batch.num_rows, place))
            yield batch

    def converted(self, convert: Callable[[pa.RecordBatch], Any], batch: pa.RecordBatch) -> Any:
        """Return what ``convert`` makes of the next rows that have passed. Raises as above."""
        try:
            found = convert(batch)
        except ValueError as error:
            row = max(0, error.row) if isinstance(error, kernels.CellError) else 0
            raise _told(error, self._place(row)) from error
        self._drop(batch.num_rows)
        return found

    def _place(self, row: int) -> Place:
        """Return where a row is from, as the place of the row that is numbered 0."""
        before = 0
        for count, place in self._places:
            if row < before + count:
                return place._replace(first=place.first - before * place.step)
            before += count
        raise IndexError(row)

    def _drop(self, rows: int) -> None:
        while rows:
            count, place = self._places.popleft()
            if rows < count:
                left = place._replace(first=place.first + rows * place.step)
                self._places.appendleft((count - rows, left))
                return
            rows -= count
