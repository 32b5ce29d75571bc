"""A block of JSONL in pieces: rows that follow each other, and the lines that are none.

The quick way reads many lines at once, and gives them up where it is not certain; then the same
lines are halved, until few are left that are read one by one, strictly. So what is a row, and what
an error, is decided in one place, however many lines are read at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._json_lines import BadLineError, is_blank, parse_line
from shimhub.kernels.rows import conform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shimhub.data._json_context import Context
    from shimhub.data._line_blocks import LineBlock
    from shimhub.data.errors import DecodeError

#: So many lines are not halved again.
FEW: Final = 16


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a block that are not blank: ``block.data[starts[i]:ends[i]]``, int64."""

    block: LineBlock
    starts: np.ndarray
    ends: np.ndarray

    def line(self, i: int) -> bytes:
        """Return line i with its line feed."""
        return self.block.data[self.starts[i] : self.ends[i]]


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines ``first`` to ``stop``: rows (a list of dicts, or what ``quick`` made), or an error."""

    first: int
    stop: int
    rows: Any = None
    error: DecodeError | None = None


def split(block: LineBlock) -> Lines:
    """Find the lines of a block."""
    feeds = np.flatnonzero(np.frombuffer(block.data, np.uint8) == ord("\n")) + 1
    ends = feeds if block.data.endswith(b"\n") else np.append(feeds, len(block.data))
    starts = np.append(0, ends[:-1]).astype(np.int64)
    kept = [
        i
        for i, (a, b) in enumerate(zip(starts, ends, strict=True))
        if not is_blank(block.data[a:b])
    ]
    return Lines(block, starts[kept], ends[kept].astype(np.int64))


def pieces(context: Context, lines: Lines, quick: Any) -> Iterator[Piece]:
    """Yield the lines in order, with errors as they are: raising is up to who reads them."""
    yield from _halves(context, lines, quick, 0, len(lines.starts))


def _halves(context: Context, lines: Lines, quick: Any, first: int, stop: int) -> Iterator[Piece]:
    if stop == first:
        return
    rows = quick(lines, first, stop)
    if rows is not None:
        yield Piece(first, stop, rows)
    elif stop - first <= FEW:
        yield from _one_by_one(context, lines, first, stop)
    else:
        middle = (first + stop) // 2
        yield from _halves(context, lines, quick, first, middle)
        yield from _halves(context, lines, quick, middle, stop)


def _one_by_one(context: Context, lines: Lines, first: int, stop: int) -> Iterator[Piece]:
    held: list[Any] = []
    for i in range(first, stop):
        found = _strict(context, lines, i)
        if isinstance(found, Exception):
            if held:
                yield Piece(i - len(held), i, held)
            yield Piece(i, i + 1, error=found)
            held = []
        else:
            held.append(found)
    if held:
        yield Piece(stop - len(held), stop, held)


def _strict(context: Context, lines: Lines, i: int) -> Any:
    start = int(lines.starts[i])
    try:
        row = parse_line(lines.line(i))
    except BadLineError as error:
        return context.bad(lines.block, start, str(error))
    if context.fields is None:
        return _by_arrow(context, lines, i)
    made = [row]
    drift = conform(made, context.fields)
    if drift is not None:
        return context.drift(lines.block, start, drift.column, drift.problem)
    return made[0]


def _by_arrow(context: Context, lines: Lines, i: int) -> Any:
    """One row with types that JSON does not have, such as timestamps."""
    from shimhub.data._json_arrow import read_lines

    try:
        return read_lines(lines.line(i), context.schema)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        return context.drift(lines.block, int(lines.starts[i]), "", str(error))
