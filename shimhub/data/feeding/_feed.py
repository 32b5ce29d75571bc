"""The rows of some pieces, one piece after another, numbered from 0; begun at any piece."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING

from shimhub.data.errors import DataError
from shimhub.data.formats._formats import format_of
from shimhub.data.reading import _reading, _schemas, _shards

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data.reading._reading import Reading
    from shimhub.data.reading._shards import Piece


def rows_of_piece(job: Reading, piece: Piece) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a piece, of ``job.schema``."""
    source, options = job.sources[piece.source], _reading.options_for(job, piece.source)
    if options is None:
        return
    with closing(format_of(source).batches(source, piece.span, options)) as parts:
        for batch, first in _shards.kept(piece, parts):
            if batch.num_rows:
                yield _schemas.conformed(batch, job.schema, source.path, first, job.first)


class Feed:
    """Batches with the number of their first row; ``place`` tells where to begin again.

    ``at`` is the number of the piece that is read first, ``first`` that of its first row.
    """

    def __init__(self, job: Reading, pieces: Sequence[Piece], at: int = 0, first: int = 0) -> None:
        self.first = first
        self._job, self._pieces = job, pieces
        self._starts = deque([(at, first)])

    def __iter__(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        at, number = self._starts[-1]
        for one in range(at, len(self._pieces)):
            for batch in rows_of_piece(self._job, self._pieces[one]):
                yield number, batch
                number += batch.num_rows
            self._starts.append((one + 1, number))

    def place(self, number: int) -> tuple[int, int]:
        """Return the piece of a row and the number of the piece's first row.

        No row before it is asked for again.
        """
        while len(self._starts) > 1 and self._starts[1][1] <= number:
            self._starts.popleft()
        return self._starts[0]


def shorter(rows: int) -> DataError:
    """Return the error for data that has fewer rows than it had."""
    return DataError(
        f"the data ends after {rows} rows, where more had been read when the state was saved: "
        "a file has changed"
    )
