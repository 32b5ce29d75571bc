"""One pass over a stream of rows, and how far it has come: as much as is needed to go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shimhub.data.feeding._buffer import Shuffled
from shimhub.data.feeding._feed import Feed, shorter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data.feeding._slots import Slots
    from shimhub.data.reading._reading import Reading
    from shimhub.data.reading._shards import Piece


@dataclass(frozen=True, slots=True)
class Position:
    """After how many rows a stream goes on, and from which of its pieces they are read again.

    ``first`` is the number of that piece's first row, ``total`` that of all rows once it is known.
    """

    rows: int = 0
    piece: int = 0
    first: int = 0
    total: int | None = None


class Cursor:
    """A pass over some pieces, shuffled by ``slots`` or in order; ``rows`` were given so far."""

    def __init__(
        self, job: Reading, pieces: Sequence[Piece], slots: Slots | None, start: Position
    ) -> None:
        self.rows = self._given = start.rows
        self._feed = Feed(job, pieces, start.piece, start.first)
        self._shuffled = (
            None if slots is None else Shuffled(self._feed, slots, start.rows, start.total)
        )

    def position(self) -> Position:
        """Return where the pass is now."""
        if self._shuffled is None:
            return Position(self.rows, *self._feed.place(self.rows))
        place = self._feed.place(self._shuffled.oldest)
        return Position(self.rows, *place, self._shuffled.total)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows from the start on, once; who takes them counts ``rows``."""
        yield from self._in_order() if self._shuffled is None else self._shuffled

    def _in_order(self) -> Iterator[pa.RecordBatch]:
        end = self._feed.first
        for number, batch in self._feed:
            end = number + batch.num_rows
            if end > self._given:
                yield batch.slice(max(0, self._given - number))
        if end < self._given:
            raise shorter(end)
