"""What an IterableDataset reads: files cut into pieces, and which rank and worker gets which."""

from __future__ import annotations

import importlib
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from shimhub.data._model import Span
from shimhub.data.errors import DataError, DecodeError
from shimhub.data.feeding import _dealing, _torch_state
from shimhub.data.feeding._feed import rows_of_piece
from shimhub.data.feeding._order import key, permutation
from shimhub.data.formats._formats import format_of
from shimhub.data.jobs._progress import progress
from shimhub.data.reading._shards import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shimhub.data.feeding._torch_state import Order
    from shimhub.data.reading._reading import Reading

LOG: Final = logging.getLogger("shimhub.data")


@dataclass(frozen=True, slots=True)
class Plan:
    """All of the data in pieces, and the order that was asked for; the same in every process."""

    job: Reading
    pieces: tuple[Piece, ...]
    order: Order
    digest: str
    #: Rows of each piece, where ranks are to have as many as each other.
    counts: tuple[int, ...] | None = None

    def share(self) -> _dealing.Even | None:
        """Return how many rows each rank has, if they are as many."""
        if self.counts is None:
            return None
        return _dealing.even(sum(self.counts), self.order.world, self.order.even)

    def pieces_of(self, epoch: int, worker: int, workers: int) -> list[Piece]:
        """Return what a worker of this rank reads in an epoch, in order."""
        order, share = self.order, self.share()
        at: Sequence[int] = range(len(self.pieces))
        if order.shuffle_blocks:
            at = permutation(key(order.seed, epoch, "blocks"), len(self.pieces)).tolist()
        pieces = [self.pieces[one] for one in at]
        if share is None or self.counts is None:
            own = _dealing.dealt(pieces, order.rank, order.world)
            return _dealing.dealt(own, worker, workers)
        first = order.rank * share.rows
        ends = [first + share.rows * part // workers for part in (worker, worker + 1)]
        return _dealing.cut(pieces, [self.counts[one] for one in at], *ends)


def planned(job: Reading, order: Order, size: int, told: bool | None) -> Plan:
    """Cut the files into pieces of about ``size`` bytes, and count rows where that is needed."""
    pieces = [Piece(at, span) for at in range(len(job.sources)) for span in _spans(job, at, size)]
    digest = _torch_state.digest(job, pieces)
    counts = None
    if order.world > 1 and order.even != "none":
        counts = tuple(_counts(job, pieces, told))
    plan = Plan(job, tuple(pieces), order, digest, counts)
    _tell(plan)
    return plan


def _spans(job: Reading, at: int, size: int) -> list[Span]:
    source = job.sources[at]
    try:
        found: list[Span] = format_of(source).spans(source, size, job.options)
    except DecodeError:
        if job.options.on_error == "skip":
            return [Span()]  # reading it counts what it costs
        raise
    return found


def _counts(job: Reading, pieces: list[Piece], told: bool | None) -> list[int]:
    """Return the rows of each piece: of the files' own words, or by reading everything once."""
    known = {at: _told_counts(job, at) for at in range(len(job.sources))}
    unread = sum(max(0, job.sources[at].size) for at, counts in known.items() if counts is None)
    found = []
    with progress(unread, "counting rows", told if unread else False) as tally:
        for piece in pieces:
            counts = known[piece.source]
            if counts is not None:
                found.append(sum(counts[piece.span.start : piece.span.stop]))
                continue
            found.append(sum(batch.num_rows for batch in rows_of_piece(job, piece)))
            tally.advance(bytes=_size(job, piece), rows=found[-1])
    return found


def _told_counts(job: Reading, at: int) -> list[int] | None:
    source = job.sources[at]
    counts = getattr(format_of(source), "counts", None)
    return None if counts is None else counts(source, job.options)


def _size(job: Reading, piece: Piece) -> int:
    size = job.sources[piece.source].size
    return max(0, size if piece.span.stop is None else piece.span.stop - piece.span.start)


def _tell(plan: Plan) -> None:
    """Say once, on the first rank, which rows ranks of one length cost."""
    share = plan.share()
    if share is None or plan.order.rank or not (share.dropped or share.repeated):
        return
    what = (
        f"{share.dropped:,} rows are left out of"
        if share.dropped
        else f"{share.repeated:,} rows come twice in"
    )
    LOG.warning(
        "even=%r: %s each epoch, so that each of %d ranks has %s rows",
        plan.order.even,
        what,
        plan.order.world,
        f"{share.rows:,}",
    )


def this_rank() -> tuple[int, int]:
    """Return rank and world: torch.distributed's if it is initialised, else RANK and WORLD_SIZE.

    Raises:
        DataError: the variables are not numbers, or one of them is missing.
    """
    distributed: Any = importlib.import_module("torch.distributed")
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    told = {name: os.environ.get(name) for name in ("RANK", "WORLD_SIZE")}
    if not any(told.values()):
        return 0, 1
    try:
        rank, world = (int(value or "") for value in told.values())
    except ValueError:
        rank = world = -1
    if not 0 <= rank < world:
        raise DataError(
            f"RANK={told['RANK']!r} and WORLD_SIZE={told['WORLD_SIZE']!r} name no rank: set both "
            "(torchrun does), unset both, or give shard=(rank, world)"
        )
    return rank, world


def this_worker() -> tuple[int, int]:
    """Return DataLoader's number of this worker, and of how many; (0, 0) outside of one."""
    info = importlib.import_module("torch.utils.data").get_worker_info()
    return (0, 0) if info is None else (info.id, info.num_workers)
