"""A block of JSONL in pieces: rows that follow each other, and the lines that are none.

The quick way reads many lines at once, and gives them up where it is not certain; then the same
lines are halved, until few are left that are read one by one, strictly. So what is a row, and what
an error, is decided in one place, however many lines are read at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._json_lines import BadLineError, parse_line
from shimhub.data.errors import DecodeError, SchemaDriftError
from shimhub.kernels.lines import line_bounds
from shimhub.kernels.rows import conform

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from shimhub.data._json_context import Context

#: So many lines are not halved again.
FEW: Final = 16

#: From lines to how many rows there are, and the rows; None if it is not certain to be right.
Quick = Callable[["bytes | memoryview"], "tuple[int, Any] | None"]


class Lines:
    """The lines of a block that are not blank, found when they are asked for."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = data

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Where they begin and end, line feed included: int64, both (lines,)."""
        return line_bounds(self.data)

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


def pieces(context: Context, lines: Lines, quick: Quick) -> Iterator[Piece]:
    """Yield the lines in order."""
    found = quick(lines.data)
    if found is not None:
        if found[0]:
            yield Piece(0, found[0], found[1])
    else:
        yield from _halves(context, lines, quick, 0, len(lines.bounds[0]))


def _halves(context: Context, lines: Lines, quick: Quick, first: int, stop: int) -> Iterator[Piece]:
    if stop - first <= FEW:
        yield from _one_by_one(context, lines, first, stop)
        return
    middle = (first + stop) // 2
    for a, b in ((first, middle), (middle, stop)):
        found = quick(lines.between(a, b))
        if found is None:
            yield from _halves(context, lines, quick, a, b)
        else:
            yield Piece(a, b, found[1])


def _one_by_one(context: Context, lines: Lines, first: int, stop: int) -> Iterator[Piece]:
    held: list[Any] = []
    for i in range(first, stop):
        start = int(lines.bounds[0][i])
        try:
            held.append(strict_row(context, lines.between(i, i + 1)))
        except (BadLineError, _DriftError) as error:
            if held:
                yield Piece(i - len(held), i, held)
            kind = SchemaDriftError if isinstance(error, _DriftError) else DecodeError
            yield Piece(i, i + 1, start=start, problem=str(error), kind=kind)
            held = []
    if held:
        yield Piece(stop - len(held), stop, held)


class _DriftError(Exception):
    """A row that is not of the schema, and how to mend it."""


def drift(column: str, problem: str) -> str:
    """Return what a ``SchemaDriftError`` tells."""
    where = f"column {column!r}: " if column else ""
    return f'{where}{problem}; give schema=, or on_drift="unify" to widen it'


def strict_row(context: Context, line: bytes) -> Any:
    """Return a line as a dict, or as a batch of one row where its types are only Arrow's."""
    row = parse_line(line)
    if context.fields is None:
        return _by_arrow(context, line)
    made = [_known(context, row) if context.partial else row]
    found = conform(made, context.fields)
    if found is not None:
        raise _DriftError(drift(found.column, found.problem))
    return made[0]


def _known(context: Context, row: dict[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in context.schema.names}


def _by_arrow(context: Context, line: bytes) -> pa.RecordBatch:
    from shimhub.data._json_arrow import read_lines

    try:
        return read_lines(line, context.schema, "ignore" if context.partial else "error")
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise _DriftError(drift("", str(error))) from None
