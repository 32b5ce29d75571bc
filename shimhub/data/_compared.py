"""The columns that rows are compared by, block by block, and which rows a block has."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.data import _json_by, _keys, _marks, _normal
from shimhub.data._blocks import read_block, skips
from shimhub.data._model import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data._keys import Array
    from shimhub.data._model import Part
    from shimhub.data._work import Job

HASH: Final = "hash"
SIGN: Final = "sign"


class Reading:
    """What one reading of a block found: how many rows, and which of them could not be read."""

    def __init__(self) -> None:
        self.skipped = Skipped()
        self.stop = 0
        self._gaps: list[tuple[int, int]] = []

    def columns(self, job: Job, index: int) -> Iterator[tuple[Array, list[Any]]]:
        """Yield the numbers of a block's rows, and their columns as they are compared."""
        rules = tuple(job.params["normalize"])
        for part in _parts(job, index, self.skipped):
            if part.first > self.stop:
                self._gaps.append((self.stop, part.first))
            self.stop = part.first + part.batch.num_rows
            rows = _numbers(part.first, self.stop)
            yield rows, [_normal.normalized(column, rules) for column in part.batch.columns]

    def told(self) -> dict[str, Any]:
        """Return what the task tells of it."""
        return {"read": self.stop, "gaps": self._gaps, "skipped": skips(self.skipped)}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a block: those before ``stop`` but for the ones that could not be read."""

    stop: int
    unread: Array


def _parts(job: Job, index: int, skipped: Skipped) -> Iterator[Part]:
    """Yield a block's record batches; of JSONL, nothing but the columns is looked at."""
    block = job.blocks[index]
    source = job.sources[block.source]
    if source.format == "jsonl" and job.params["by"] is not None:
        options = dataclasses.replace(job.options, skipped=skipped)
        return _json_by.batches(source, block.span, options, job.options.schema)
    return read_block(job, index, skipped)


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
