"""A shuffle buffer of Arrow rows; the order is that of `_slots.Slots`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.feeding._feed import shorter
from shimhub.data.feeding._gather import gathered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data.feeding._feed import Feed
    from shimhub.data.feeding._order import Array
    from shimhub.data.feeding._slots import Slots

#: More batches than this are joined, the smallest first; and not into more bytes than that:
#: the offsets of strings are 32 bits.
_BATCHES: Final = 48
_JOINED: Final = 1 << 30


class Pool:
    """Rows by slot: a slot is a row of one of the batches that are held.

    A batch that has lost three quarters of its rows is copied without them, so that no more than
    four times the rows of the slots are held (about 1.5 times, as a rule).
    """

    def __init__(self, size: int) -> None:
        self._batch, self._row = np.full(size, -1, np.int64), np.zeros(size, np.int64)
        self._held: dict[int, pa.RecordBatch] = {}
        self._live: dict[int, int] = {}
        self._next = 0

    def put(self, slots: Array, batch: pa.RecordBatch) -> None:
        """Put row i of the batch into ``slots[i]``, which is empty."""
        if len(slots):
            self._add(slots, batch)
        if len(self._held) > _BATCHES:
            self._join()

    def _add(self, slots: Array, batch: pa.RecordBatch) -> None:
        self._batch[slots], self._row[slots] = self._next, np.arange(len(slots))
        self._held[self._next], self._live[self._next] = batch, len(slots)
        self._next += 1

    def take(self, slots: Array) -> pa.RecordBatch:
        """Return the rows of the slots in this order, and empty them."""
        ids, which = np.unique(self._batch[slots], return_inverse=True)
        found = gathered([self._held[one] for one in ids.tolist()], which, self._row[slots])
        self._batch[slots] = -1
        for one, count in zip(ids.tolist(), np.bincount(which).tolist(), strict=True):
            self._taken(one, count)
        return found

    def _taken(self, one: int, count: int) -> None:
        self._live[one] -= count
        if not self._live[one]:
            del self._held[one], self._live[one]
        elif 4 * self._live[one] <= self._held[one].num_rows:
            self._gather([one])

    def _join(self) -> None:
        """Make one batch of the smaller half of the batches, where it is not too large."""
        few = sorted(sorted(self._live, key=self._live.__getitem__)[: _BATCHES // 2])
        if sum(self._held[one].nbytes for one in few) <= _JOINED:
            self._gather(few)

    def _gather(self, some: list[int]) -> None:
        """Copy what is left of some batches into a new one."""
        slots = np.flatnonzero(np.isin(self._batch, some))
        which = np.searchsorted(some, self._batch[slots])
        left = gathered([self._held.pop(one) for one in some], which, self._row[slots])
        for one in some:
            del self._live[one]
        self._add(slots, left)


class Shuffled:
    """The rows of a feed in the order of the slots, without the first ``given`` of them.

    ``total`` is the number of rows if it was known when that many had been given: if the feed
    was at its end. The feed has to begin at or before the row ``oldest`` of that time.
    """

    def __init__(self, feed: Feed, slots: Slots, given: int = 0, total: int | None = None) -> None:
        self.total = total
        self._slots, self._intake = slots, _Intake(feed)
        self._step, self._skip = slots.step_of(given, total)
        self._rows = slots.before(self._step, total)
        #: The least number of a row that lay in a slot when the step began.
        self.oldest = int(self._rows.min(initial=0))
        self._pool = Pool(len(self._rows))

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        self._fill()
        while (incoming := self._incoming()) is not None:
            yield from self._unskipped(self._stepped(incoming))
        count = len(self._rows)
        if count:
            self.oldest = int(self._rows.min())
            yield from self._unskipped(self._pool.take(self._slots.drained(count)))

    def _fill(self) -> None:
        """Read the rows that lie in the slots before this step."""
        limit = self._slots.first_of(self._step)
        order = np.argsort(self._rows)
        while (found := self._intake.before(limit)) is not None:
            first, batch = found
            start, stop = np.searchsorted(self._rows[order], [first, first + batch.num_rows])
            here = order[start:stop]
            if len(here) < batch.num_rows:
                batch = batch.take(pa.array(self._rows[here] - first))
            self._pool.put(here, batch)
        if self._intake.number < limit:
            self._ended()

    def _ended(self) -> None:
        """Note that the feed is at its end: no slot holds a row that is not there."""
        if self.total is None and not self._step:
            self.total = self._intake.number
            self._rows = self._rows[: self.total]
        if self._intake.number != self.total:
            raise shorter(self._intake.number)

    def _incoming(self) -> pa.RecordBatch | None:
        chunk = self._intake.rows(self._slots.chunk)
        if chunk is None or chunk.num_rows < self._slots.chunk:
            self.total = self._intake.number
        return chunk

    def _stepped(self, incoming: pa.RecordBatch) -> pa.RecordBatch:
        count = incoming.num_rows
        slots = self._slots.drawn(self._step)[:count]
        self.oldest = int(self._rows.min())
        given = self._pool.take(slots)
        self._pool.put(slots, incoming)
        self._rows[slots] = self._intake.number - count + np.arange(count)
        self._step += 1
        return given

    def _unskipped(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        rest = batch.slice(self._skip)
        self._skip = 0
        if rest.num_rows:
            yield rest


class _Intake:
    """Takes as many rows from a feed as are asked for; ``number`` is that of the next one."""

    def __init__(self, feed: Feed) -> None:
        self._feed = iter(feed)
        self._left: pa.RecordBatch | None = None
        self.number = feed.first

    def before(self, limit: int) -> tuple[int, pa.RecordBatch] | None:
        """Return the next rows with numbers below the limit, and the number of the first."""
        if self._left is None:
            _, self._left = next(self._feed, (0, None))
        first = self.number
        if self._left is None or first >= limit:
            return None
        batch = self._left.slice(0, limit - first)
        self.number += batch.num_rows
        rest = self._left.slice(batch.num_rows)
        self._left = rest if rest.num_rows else None
        return first, batch

    def rows(self, count: int) -> pa.RecordBatch | None:
        """Return the next ``count`` rows, less at the end, None if there are none."""
        limit, found = self.number + count, []
        while (some := self.before(limit)) is not None:
            found.append(some[1])
        return pa.concat_batches(found) if found else None
