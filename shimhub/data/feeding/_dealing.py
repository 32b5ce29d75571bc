"""Who reads what: pieces dealt to ranks and to their workers, without a gap or a row twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shimhub.data.reading._shards import Piece


def dealt(pieces: Sequence[Piece], part: int, parts: int) -> list[Piece]:
    """Return the pieces of one of ``parts`` takers, each of which gets as many as the others.

    Piece k goes to taker k modulo ``parts``. What is left when no whole round can be dealt is
    shared: some takers read the same piece, and each takes every n-th of its rows. So nobody
    reads more than one piece for a part of it, and nobody is without rows where there are enough.
    """
    rounds = len(pieces) // parts
    own = [pieces[k * parts + part] for k in range(rounds)]
    rest = pieces[rounds * parts :]
    return [*own, _shared(rest, part, parts)] if rest else own


def _shared(rest: Sequence[Piece], part: int, parts: int) -> Piece:
    at = part * len(rest) // parts
    takers = [taker for taker in range(parts) if taker * len(rest) // parts == at]
    piece = rest[at]
    start = piece.start + takers.index(part) * piece.step
    return replace(piece, start=start, step=piece.step * len(takers))


def cut(pieces: Sequence[Piece], counts: Sequence[int], first: int, last: int) -> list[Piece]:
    """Return rows ``first`` to ``last`` - 1 of whole pieces with so many rows, again and again.

    After the last row comes the first one.
    """
    total = sum(counts)
    found: list[Piece] = []
    while total and first < last:
        at = first % total
        stop = min(total, at + last - first)
        found += _between(pieces, counts, at, stop)
        first += stop - at
    return found


def _between(
    pieces: Sequence[Piece], counts: Sequence[int], first: int, last: int
) -> Iterator[Piece]:
    for piece, count, end in zip(pieces, counts, accumulate(counts), strict=True):
        start, stop = max(first, end - count), min(last, end)
        if start < stop:
            begin = end - count
            yield replace(piece, start=start - begin, stop=stop - begin)


@dataclass(frozen=True, slots=True)
class Even:
    """How many rows each rank has, so that all have as many, and what that costs in an epoch."""

    rows: int
    dropped: int = 0
    repeated: int = 0


def even(total: int, world: int, how: str) -> Even:
    """Return the rows of each of ``world`` ranks: ``how`` is "drop" or "repeat"."""
    if how == "drop":
        return Even(total // world, dropped=total % world)
    rows = -(-total // world)
    return Even(rows, repeated=rows * world - total)
