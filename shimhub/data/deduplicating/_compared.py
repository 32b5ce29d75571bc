"""The columns that rows are compared by, block by block, and which rows a block has."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import Skipped
from shimhub.data.deduplicating import _keys, _normal
from shimhub.data.errors import DataError
from shimhub.data.formats import _json_by
from shimhub.data.formats._formats import format_of
from shimhub.data.jobs import _marks
from shimhub.data.jobs._blocks import read_block, skips
from shimhub.data.reading._schemas import check_same
from shimhub.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shimhub.data._model import Options, Part, Source
    from shimhub.data.deduplicating._keys import Array
    from shimhub.data.jobs._work import Job

HASH: Final = "hash"
SIGN: Final = "sign"
_CURE: Final = "convert them to one type before"


class Reading:
    """What one reading of a block found: how many rows, and which of them could not be read."""

    def __init__(self) -> None:
        self.skipped = Skipped()
        self.stop = 0
        self._gaps: list[tuple[int, int]] = []

    def columns(self, job: Job, index: int) -> Iterator[tuple[Array, list[Any]]]:
        """Yield the numbers of a block's rows, and their columns as they are compared."""
        rules, schema = tuple(job.params["normalize"]), job.options.schema
        assert schema is not None  # make_job tells it
        for part in _parts(job, index, self.skipped):
            if part.first > self.stop:
                self._gaps.append((self.stop, part.first))
            self.stop = part.first + part.batch.num_rows
            rows = _numbers(part.first, self.stop)
            columns = [part.batch.column(name) for name in schema.names]
            yield rows, [_normal.normalized(column, rules) for column in columns]

    def told(self) -> dict[str, Any]:
        """Return what the task tells of it."""
        return {"read": self.stop, "gaps": self._gaps, "skipped": skips(self.skipped)}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a block: those before ``stop`` but for the ones that could not be read."""

    stop: int
    unread: Array


def _parts(job: Job, index: int, skipped: Skipped) -> Iterator[Part]:
    """Yield a block's record batches; if columns were named, no other one is looked at."""
    if job.params["by"] is None:
        return read_block(job, index, skipped)
    block, by = job.blocks[index], tuple(job.params["by"])
    source = job.sources[block.source]
    options = dataclasses.replace(job.options, columns=by, schema=None, skipped=skipped)
    if source.format == "jsonl":
        return _json_by.batches(source, block.span, options, job.options.schema)
    parts: Iterator[Part] = format_of(source).batches(source, block.span, options)
    return parts


def _numbers(first: int, stop: int) -> Array:
    """Return the numbers of rows in their block; raise ``OverflowError`` from 2**32 on."""
    if stop > 1 << _keys.ROW_BITS:
        raise OverflowError("a block has 2**32 rows or more: split the file")
    return np.arange(first, stop, dtype=np.uint32)


def rows_of(job: Job, index: int) -> Rows:
    """Return which rows the first stage has read of a block."""
    told = _marks.told(job, HASH if job.params["exact"] else SIGN, index)
    gaps = [np.arange(first, stop, dtype=np.uint32) for first, stop in told["gaps"]]
    return Rows(told["read"], np.concatenate([np.empty(0, np.uint32), *gaps]))


def schema_of(
    sources: Sequence[Source], options: Options, by: Sequence[str]
) -> tuple[pa.Schema, str]:
    """Return the columns ``by``, and the path that told them.

    All sources must have them with one type; others may differ.

    JSONL without rows has no columns, and is none of these.

    Raises:
        DataError: a source has no such column.
        SchemaDriftError: types differ.
    """
    known: pa.Schema | None = None
    first = sources[0].path
    for source in sources:
        every = (
            _json_by.schema(source, options, by)
            if source.format == "jsonl"
            else format_of(source).schema(source, options)
        )
        if source.format == "jsonl" and not every.names:
            continue
        for name in by:
            if name not in every.names:
                near = nearest(name, every.names)
                told = ", ".join(map(repr, every.names))
                raise DataError(f"{source.path}: no column {name!r}{near}; there are {told}")
        found = pa.schema([every.field(name) for name in by])
        if known is None:
            known, first = found, source.path
        check_same(known, found, source.path, first, _CURE)
    return known or pa.schema([(name, pa.null()) for name in by]), first
