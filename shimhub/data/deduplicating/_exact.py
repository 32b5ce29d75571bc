"""Exact duplicates: digests by block, then the first row of each digest by range of digests.

A row's key is the SHA-256 of its canonical encoding (docs/kernels.md; of its bytes where it is
one string), cut to 16 bytes. A block tells the first row of each of its digests, and which rows
repeat one of them; a range of digests of all blocks tells which of these firsts have an earlier
one. What is dropped of a block is the sum of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub import kernels
from shimhub.data.deduplicating import _keys
from shimhub.data.deduplicating._compared import HASH, Reading
from shimhub.data.deduplicating._keys import Array, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data.jobs._work import Job

#: Rows of a run: what a block's task holds keys of at once.
RUN_ROWS: Final = 1 << 20
REPEATS: Final = "repeats"
MATCH: Final = "match"


def hash_block(job: Job, index: int) -> dict[str, Any]:
    """Write the digests of a block's first rows, sorted, and which rows repeat one in its run."""
    reading = Reading()
    repeats: list[tuple[Array, Array]] = []
    files = _keys.write_runs(job, HASH, index, _runs(job, index, reading, repeats))
    again = [np.concatenate(each) for each in zip(*repeats, strict=True)]
    runs = [{"row": again[0], "first": again[1]}] if repeats else []
    files += _keys.write_runs(job, REPEATS, index, runs)
    return {"files": files, **reading.told()}


def _runs(
    job: Job, index: int, reading: Reading, repeats: list[tuple[Array, Array]]
) -> Iterator[dict[str, Array]]:
    parts = ((rows, digests(columns)) for rows, columns in reading.columns(job, index))
    for rows, found in _gathered(parts):
        run, row, first = _firsts(rows, found)
        repeats.append((row, first))
        yield run


def digests(columns: list[Any]) -> Array:
    """Return each row's first 16 bytes of SHA-256, of shape (n, 2), uint64.

    Rows of one column have the digests of its values, and a null's is zeros; rows of several
    have those of rows of a table.
    """
    names = [str(at) for at in range(len(columns))]
    rows = columns[0] if len(columns) == 1 else pa.Table.from_arrays(columns, names=names)
    return np.ascontiguousarray(kernels.hash_rows(rows)[:, :16]).view(np.uint64)


def _gathered(
    parts: Iterator[tuple[Array, Array]], limit: int = RUN_ROWS
) -> Iterator[tuple[Array, Array]]:
    """Join parts until they have ``limit`` rows."""
    held: list[tuple[Array, Array]] = []
    for part in parts:
        held.append(part)
        if sum(len(rows) for rows, _ in held) >= limit:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    rows, digests = (np.concatenate(each) for each in zip(*parts, strict=True))
    return rows, digests


def _firsts(rows: Array, digests: Array) -> tuple[dict[str, Array], Array, Array]:
    """Return the first row of each digest, sorted by digest; the others, and their first."""
    high, low = digests[:, 0], digests[:, 1]
    order = _sorted_by(high, low)
    high, low, rows = high[order], low[order], rows[order]
    same, first = repeats_of(high, low, rows)
    kept = {"high": high[~same], "low": low[~same], "row": rows[~same]}
    by = np.argsort(rows[same])
    return kept, rows[same][by], first[same][by]


def _sorted_by(high: Array, low: Array) -> Array:
    """Return the order by both, stable; the second one decides next to never."""
    order = np.argsort(high, kind="stable")
    high, low = high[order], low[order]
    if np.any((high[1:] == high[:-1]) & (low[1:] != low[:-1])):
        return order[np.lexsort((low, high))]
    return order


def repeats_of(high: Array, low: Array, ids: Array) -> tuple[Array, Array]:
    """Tell of sorted digests which repeat the one before, and each one's first id."""
    same = np.zeros(len(high), dtype=bool)
    same[1:] = (high[1:] == high[:-1]) & (low[1:] == low[:-1])
    starts = np.flatnonzero(~same)
    first = np.repeat(ids[starts], np.diff(np.append(starts, len(ids))))
    return same, first


def match_range(job: Job, index: int) -> dict[str, Any]:
    """Write which first rows of runs repeat an earlier row, for a range of the digests."""
    blocks = range(len(job.blocks))
    opened = [(block, run) for block in blocks for run in _keys.open_runs(job, HASH, block)]
    low, high = _keys.shares(_keys.KEYS_END, _keys.parts(job))[index]
    spans = _keys.ranges([run for _, run in opened], low, high)
    found = [_matched(opened, *span) for span in spans]
    count = sum(len(ids) for ids, _ in found)
    runs = []
    if count:
        ids, firsts = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.argsort(ids)
        runs = [{"id": ids[order], "first": firsts[order]}]
    return {"files": _keys.write_runs(job, MATCH, index, runs), "repeats": count}


def _matched(opened: list[tuple[int, Run]], low: int, high: int) -> tuple[Array, Array]:
    """Return the ids of rows in a range that repeat an earlier one, and that one's."""
    parts = [_part(run, block, run.between(low, high)) for block, run in opened]
    highs, lows, ids = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = _sorted_by(highs, lows)
    same, first = repeats_of(highs[order], lows[order], ids[order])
    return ids[order][same], first[same]


def _part(run: Run, block: int, part: slice) -> tuple[Array, Array, Array]:
    high, low, row = (column[part] for column in run.columns)
    return high, low, _keys.ids_of(block, row)


def dropped(job: Job, index: int) -> tuple[Array, Array]:
    """Return the rows of a block that repeat an earlier row, rising, and the ids of the firsts."""
    if not job.params["exact"]:
        return np.empty(0, np.uint32), np.empty(0, np.uint64)
    rows, firsts = _matches(job, index)
    found = _keys.open_runs(job, REPEATS, index)
    if not found:
        return rows, firsts
    again, within = found[0].columns
    kept = _keys.looked_up(rows, firsts, within, _keys.ids_of(index, within))
    rows, firsts = np.concatenate([rows, again]), np.concatenate([firsts, kept])
    order = np.argsort(rows)
    return rows[order], firsts[order]


def _matches(job: Job, index: int) -> tuple[Array, Array]:
    """Return the first rows of the block's runs that repeat an earlier row."""
    tasks = range(_keys.parts(job))
    runs = [run for task in tasks for run in _keys.open_runs(job, MATCH, task)]
    if not runs:
        return np.empty(0, np.uint32), np.empty(0, np.uint64)
    ids, firsts = _keys.gather(runs, *_keys.block_range(index, index + 1))
    return _keys.split_ids(ids)[1].astype(np.uint32), firsts
