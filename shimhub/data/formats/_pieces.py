"""A block of lines or records in pieces: rows that follow each other, and what is none.

The quick way reads many at once, and gives them up where it is not certain; then the same lines
are halved, until few are left that are read one by one, strictly. So what is a row, and what an
error, is decided in one place, however many lines are read at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from shimhub.data.errors import DecodeError, SchemaDriftError
from shimhub.data.formats._in_order import in_order
from shimhub.data.formats._json_lines import BadLineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np

    from shimhub.data.formats._line_blocks import LineBlock
    from shimhub.data.formats._refusals import Refusals

#: So many lines are not halved again.
FEW: Final = 16
#: Types, as a problem tells them, that a wider one may hold.
_NUMBERS: Final = {
    *("int", "float", "float64"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}

#: From lines, and how many they are if that is known, to how many rows there are, and the rows;
#: None if it is not certain to be right.
Quick = Callable[["bytes | memoryview", "int | None"], "tuple[int, Any] | None"]
#: From a line to its row; raises BadLineError, or DriftError.
Strict = Callable[[bytes], Any]
#: From a block to where its lines begin and end that are not blank.
Bounds = Callable[["bytes | memoryview"], "tuple[np.ndarray, np.ndarray]"]


class DriftError(BadLineError):
    """A row that is not of the schema, and how to mend it."""


class Lines:
    """The lines of a block that are not blank, found when they are asked for."""

    def __init__(self, data: bytes | memoryview, find: Bounds, count: int | None = None) -> None:
        self.data, self._find, self.count = data, find, count

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Where they begin and end, line feed included: int64, both (lines,)."""
        return self._find(self.data)

    def between(self, first: int, stop: int) -> bytes:
        """Return lines ``first`` to ``stop``, with what is blank between them."""
        starts, ends = self.bounds
        return bytes(self.data[starts[first] : ends[stop - 1]])


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines ``first`` to ``stop``: rows as ``Quick`` makes them, or a list of those read alone.

    Or an error: ``problem``, of the line that begins at byte ``start`` of the block.
    """

    first: int
    stop: int
    rows: Any = None
    start: int = 0
    problem: str = ""
    kind: type[DecodeError] = DecodeError


@dataclass(frozen=True, slots=True)
class Reader:
    """How the lines of a format are read."""

    find: Bounds
    quick: Quick
    strict: Strict


class Told(NamedTuple):
    """Lines that are rows."""

    lines: Lines
    piece: Piece
    #: The number of the first row in the span; skipped ones count.
    first: int


def told(
    blocks: Iterable[LineBlock], reader: Reader, refusals: Refusals, threads: int
) -> Iterator[Told]:
    """Yield the pieces that are rows, in order, and refuse the others."""

    def parsed(block: LineBlock) -> tuple[LineBlock, Lines, list[Piece]]:
        lines = Lines(block.data, reader.find, block.count)
        return block, lines, [] if block.error else list(pieces(lines, reader))

    count = 0
    for block, lines, found in in_order(parsed, blocks, threads):
        count += refusals.block(block) if block.error else 0
        for piece in found:
            if piece.problem:
                refusals.bad_line(block.offset + piece.start, piece.problem, piece.kind)
            else:
                yield Told(lines, piece, count)
            count += piece.stop - piece.first


def pieces(lines: Lines, reader: Reader) -> Iterator[Piece]:
    """Yield the lines in order."""
    found = reader.quick(lines.data, lines.count)
    if found is not None:
        if found[0]:
            yield Piece(0, found[0], found[1])
    else:
        yield from _halves(lines, reader, 0, len(lines.bounds[0]))


def _halves(lines: Lines, reader: Reader, first: int, stop: int) -> Iterator[Piece]:
    if stop - first <= FEW:
        yield from _one_by_one(lines, reader.strict, first, stop)
        return
    middle = (first + stop) // 2
    for a, b in ((first, middle), (middle, stop)):
        found = reader.quick(lines.between(a, b), b - a)
        if found is None:
            yield from _halves(lines, reader, a, b)
        else:
            yield Piece(a, b, found[1])


def _one_by_one(lines: Lines, strict: Strict, first: int, stop: int) -> Iterator[Piece]:
    held: list[Any] = []
    for i in range(first, stop):
        try:
            held.append(strict(lines.between(i, i + 1)))
        except BadLineError as error:
            if held:
                yield Piece(i - len(held), i, held)
            kind = SchemaDriftError if isinstance(error, DriftError) else DecodeError
            start = int(lines.bounds[0][i])
            yield Piece(i, i + 1, start=start, problem=str(error), kind=kind)
            held = []
    if held:
        yield Piece(stop - len(held), stop, held)


def drift(column: str, problem: str) -> str:
    """Return what a ``SchemaDriftError`` tells."""
    where = f"column {column!r}: " if column else ""
    return f"{where}{problem}; {_cure(problem)}"


def origin(path: str, told_by: str) -> str:
    """Return which columns and types those are that a file or row has not."""
    if not told_by:
        return "schema="
    return "the first rows of this file" if told_by == path else told_by


def _cure(problem: str) -> str:
    """Return what mends it: a schema that is widened holds not all."""
    if "not exact as" in problem:
        return "no float is equal: write it as a string, or the column's floats as integers"
    found, _, wanted = problem.partition(", want ")
    is_other = wanted not in {"", "null"} and not {found, wanted} <= _NUMBERS
    if is_other or re.search(r" before( \(\w+ \d+\))?$|no integer type has both", problem):
        return "no type holds both: change one of the values, or read such files apart"
    return 'give schema=, or on_drift="unify" to widen it'
