"""The schema of JSONL: what the first block's rows hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from pyarrow import types

from shimhub.data._model import Skipped
from shimhub.data.errors import DecodeError, SchemaDriftError
from shimhub.data.formats._json_arrow import certain_batch
from shimhub.data.formats._json_begun import Begun, keep
from shimhub.data.formats._json_lines import BadLineError, parse_line
from shimhub.data.formats._json_types import (
    NO_FIELDS,
    ConflictError,
    Guess,
    guess_from,
    guess_of,
    merged,
    schema_of,
)
from shimhub.data.formats._pieces import Lines, drift
from shimhub.data.formats._refusals import Refusals
from shimhub.kernels.lines import line_bounds

if TYPE_CHECKING:
    from collections.abc import Generator

    from shimhub.data._model import Options, Source
    from shimhub.data.formats._line_blocks import LineBlock

    #: Rows, and Arrow's batch of them; None where that is not certain to be right.
    Found = tuple[int, pa.RecordBatch] | None

    class Blocks(Protocol):
        """What blocks come from, one after the other."""

        def __iter__(self) -> Generator[LineBlock, None, None]: ...  # noqa: PYI058 - it is closed


_TWO_63: Final = float(1 << 63)


def guessed(
    source: Source,
    options: Options,
    blocks: Blocks,
    *,
    all_of_them: bool,
    places: Any = None,
) -> pa.Schema:
    """Return the schema of the first block that has rows, or of all blocks.

    Raises:
        DecodeError: a line is not as it should be (with ``on_error="skip"`` it is left out).
        SchemaDriftError: there is no one schema (with ``on_error="skip"`` the first rows win).
    """
    guess = NO_FIELDS
    # What is skipped is counted when the rows are read, and once.
    quiet = replace(options, skipped=Skipped())
    with Refusals(source, quiet, places) as refusals:
        rest = iter(blocks)
        for number, block in enumerate(rest):
            if block.error is not None:
                refusals.block(block)
                continue
            found = certain_batch(block.data, None)
            guess = _widened(guess, block, found, refusals)
            if guess is not NO_FIELDS and not all_of_them:
                if found is not None and number == 0:
                    keep(source, options, Begun(blocks, rest, block, found), rest)
                break
    return schema_of(guess)


def _widened(guess: Guess, block: LineBlock, found: Found, refusals: Refusals) -> Guess:
    """Return the type of the rows so far and of those of a block, which Arrow may have read."""
    try:
        quick = None if found is None else _by_arrow(*found)
        if quick is not None:
            return merged(guess, quick)
    except (ConflictError, UnicodeDecodeError):  # of a name; the line is found out below
        pass
    return _line_by_line(guess, block, refusals)


def _line_by_line(guess: Guess, block: LineBlock, refusals: Refusals) -> Guess:
    lines = Lines(block.data, line_bounds)
    for i, start in enumerate(lines.bounds[0]):
        kind: type[DecodeError] = DecodeError
        try:
            guess = merged(guess, guess_of(parse_line(lines.between(i, i + 1))))
            continue
        except BadLineError as error:
            problem = str(error)
        except ConflictError as conflict:
            told = conflict.problem + _where(lines, i, block, refusals)
            kind, problem = SchemaDriftError, drift(conflict.column, told)
        refusals.bad_line(block.offset + int(start), problem, kind)
    return guess


def _where(lines: Lines, i: int, block: LineBlock, refusals: Refusals) -> str:
    """Return which line of the block a line does not go with; nothing where lines are skipped."""
    if refusals.options.on_error == "skip":
        return ""
    own = guess_of(parse_line(lines.between(i, i + 1)))
    for at, start in enumerate(lines.bounds[0][:i]):
        try:
            merged(guess_of(parse_line(lines.between(at, at + 1))), own)
        except ConflictError:
            return f" ({refusals.place_of(block.offset + int(start))})"
    return ""


def _by_arrow(count: int, batch: pa.RecordBatch) -> Guess | None:
    """Return the type of all rows as Arrow sees it; None where it is not certain."""
    if count == 0:
        return NO_FIELDS
    columns = zip(batch.schema.names, batch.columns, strict=True)
    fields = {name: _guess(column) for name, column in columns}
    if any(field is None for field in fields.values()):
        return None
    return Guess("struct", fields=fields)


def _guess(column: pa.Array) -> Any:
    """Return the type of a column's values; None if Arrow may have widened integers."""
    if types.is_floating(column.type):
        return None if _hides_integers(column) else Guess("float")
    if types.is_list(column.type):
        item = _guess(column.flatten())
        return None if item is None else Guess("list", item=item)
    if types.is_struct(column.type):
        return _fields(column)
    return guess_from(column)


def _hides_integers(column: pa.Array) -> bool:
    """Whether integers above int64 may have become doubles: one of 2^63 or more is as large."""
    most = pc.max(column).as_py()
    return most is not None and not most < _TWO_63


def _fields(column: pa.Array) -> Guess | None:
    parts = zip([field.name for field in column.type], column.flatten(), strict=True)
    fields = {name: _guess(part) for name, part in parts}
    return None if any(part is None for part in fields.values()) else Guess("struct", fields=fields)
