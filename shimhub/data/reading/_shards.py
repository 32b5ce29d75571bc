"""Which rows a rank reads: disjoint, in order, and together all of them.

Parquet and Arrow files tell how many rows they have: the rows of all of them, end to end, are cut
into ``world`` runs, whose lengths differ by one at most. Lines are cut by bytes: the bytes of all
such files, end to end, into ``world`` runs, and a line belongs to the run in which it begins. What
can only be read from its beginning (compressed files, JSON arrays) is read by every rank, which
keeps each ``world``-th row of the file, beginning with its own number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import Span
from shimhub.data.errors import DecodeError
from shimhub.data.formats._counts import counts
from shimhub.data.formats._formats import format_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shimhub.data._model import Options, Part, Source

#: How many spans a rank's share of lines is cut into: its error is a part of one of them.
_FINE: Final = 4
#: Formats whose spans are not in bytes.
_SELF_TOLD: Final = ("parquet", "arrow")


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows ``start``, ``start + step``, ... below ``stop`` of a span, whose rows count from 0."""

    source: int
    span: Span
    start: int = 0
    stop: int | None = None
    step: int = 1


def whole(sources: tuple[Source, ...]) -> list[Piece]:
    """Return everything."""
    return [Piece(at, Span()) for at in range(len(sources))]


def pieces_of(
    sources: tuple[Source, ...], shard: tuple[int, int] | None, options: Options
) -> list[Piece]:
    """Return what the rank ``shard[0]`` of ``shard[1]`` reads, in the order of the sources."""
    if shard is None or shard[1] == 1:
        return whole(sources)
    rank, world = shard
    told = {at: counts(source, options) for at, source in enumerate(sources)}
    counted = {at: units for at, units in told.items() if units}
    lined = _lined(sources, world, options)
    found = [
        *_runs(counted, rank, world),
        *_line_runs(sources, lined, rank, world),
        *(
            Piece(at, Span(), (rank - at) % world, step=world)
            for at in range(len(sources))
            if at not in counted and at not in lined
        ),
    ]
    return sorted(found, key=lambda piece: piece.source)


def _runs(counted: dict[int, list[int]], rank: int, world: int) -> Iterator[Piece]:
    total = sum(map(sum, counted.values()))
    low, high = total * rank // world, total * (rank + 1) // world
    at = 0
    for source, units in counted.items():
        rows = sum(units)
        if at < high and at + rows > low:
            yield _run(source, units, max(0, low - at), min(rows, high - at))
        at += rows


def _run(source: int, units: list[int], low: int, high: int) -> Piece:
    """Return rows low to high of a source, by the units that hold them."""
    first, before = 0, 0
    while before + units[first] <= low:
        before += units[first]
        first += 1
    last, rows = first, before
    while rows < high:
        rows += units[last]
        last += 1
    span = Span() if len(units) == 1 else Span(first, last)
    return Piece(source, span, low - before, high - before)


def _lined(sources: tuple[Source, ...], world: int, options: Options) -> dict[int, list[Span]]:
    """Return the spans of the sources that can be cut by bytes."""
    rest = [at for at, source in enumerate(sources) if source.format not in _SELF_TOLD]
    share = sum(max(0, sources[at].size) for at in rest) // (world * _FINE)
    spans = {at: _spans(sources[at], max(1, share), options) for at in rest}
    return {at: found for at, found in spans.items() if len(found) > 1}


def _spans(source: Source, size: int, options: Options) -> list[Span]:
    try:
        found: list[Span] = format_of(source).spans(source, size, options)
    except DecodeError:
        return []  # every rank sees the same damage, and its reader tells where it is
    return found


def _line_runs(
    sources: tuple[Source, ...], lined: dict[int, list[Span]], rank: int, world: int
) -> Iterator[Piece]:
    total = sum(sources[at].size for at in lined)
    low, high = total * rank // world, total * (rank + 1) // world
    before = 0
    for at, spans in lined.items():
        mine = [span for span in spans if low <= before + span.start < high]
        if mine:
            yield Piece(at, Span(mine[0].start, mine[-1].stop))
        before += sources[at].size


def kept(piece: Piece, parts: Iterable[Part]) -> Iterable[tuple[pa.RecordBatch, int]]:
    """Return the rows of the piece out of those of its span, and the number of each first one."""
    if piece.step > 1:
        return _every(piece, parts)
    return parts if piece.start == 0 and piece.stop is None else _run_of(piece, parts)


def _run_of(piece: Piece, parts: Iterable[Part]) -> Iterator[tuple[pa.RecordBatch, int]]:
    for batch, first in parts:
        if piece.stop is not None and first >= piece.stop:
            return
        low = max(0, piece.start - first)
        high = batch.num_rows if piece.stop is None else min(batch.num_rows, piece.stop - first)
        if low < high:
            yield batch.slice(low, high - low), first + low


def _every(piece: Piece, parts: Iterable[Part]) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Take every ``step``-th of the rows that come; skipped ones do not count."""
    at = 0
    for part in parts:
        low = (piece.start - at) % piece.step
        if low < part.batch.num_rows:
            wanted = pa.array(range(low, part.batch.num_rows, piece.step), pa.int64())
            yield part.batch.take(wanted), part.first + low
        at += part.batch.num_rows
