"""Files of sorted keys, and the parts of many of them that fit in memory.

A block's keys lie in runs: each sorted, each a record batch of an Arrow file that is mapped, so
that a task reads of all blocks' files no more than its own range of keys. A row's id is
``block << 32 | row``: ids rise as rows do.
"""

from __future__ import annotations

import itertools
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.writing._files import naming

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shimhub.data.jobs._work import Job

Array = np.ndarray[Any, Any]

ROW_BITS: Final = 32
#: Keys that a task holds at once, of a range.
RANGE_KEYS: Final = 1 << 21
KEYS_END: Final = 1 << 64
#: Ranges that a stage is cut into, at most.
_MOST: Final = 64
_BAND_GROUPS: Final = 8


@dataclass(frozen=True, slots=True)
class Run:
    """Columns of one length, mapped; the first one's values never fall."""

    columns: tuple[Array, ...]

    def between(self, low: int, high: int) -> slice:
        """Return where the keys from ``low`` on and before ``high`` are."""
        keys = self.columns[0]
        start = int(np.searchsorted(keys, np.uint64(low)))
        if high >= KEYS_END:
            return slice(start, len(keys))
        return slice(start, int(np.searchsorted(keys, np.uint64(high))))


def parts(job: Job) -> int:
    """Return how many ranges of digests are matched apart: by the blocks, so by the inputs."""
    return min(_MOST, 1 + len(job.blocks) // 8)


def band_parts(job: Job) -> int:
    """Return how many ranges of a band's keys are put into buckets apart."""
    return min(_MOST, 1 + len(job.blocks) // 64)


def band_groups(job: Job) -> int:
    """Return how many groups of bands are put into buckets apart."""
    return min(_BAND_GROUPS, int(job.params["near"]["bands"]))


def bucket_tasks(job: Job) -> int:
    """Return how many tasks put texts into buckets: for each group of bands, each range of keys."""
    return band_groups(job) * band_parts(job)


def shares_of(job: Job) -> int:
    """Return how many ranges of blocks have their candidates compared apart."""
    return min(_MOST, len(job.blocks))


def path_of(job: Job, stage: str, index: int) -> str:
    """Return the file of a task's keys."""
    return os.path.join(job.state, stage, f"{index:05d}.arrow")


def write_runs(job: Job, stage: str, index: int, runs: Iterable[Mapping[str, Array]]) -> list[str]:
    """Write a task's runs, all with the same columns; return the file, named from ``job.out``.

    It is not synced: a mark has its digest, and a file that a crash of the machine took is made
    again.
    """
    path = path_of(job, stage, index)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = os.path.join(job.scratch(), f"{stage}-{index}-{secrets.token_hex(8)}.tmp")
    with naming(path), pa.OSFile(part, "wb") as file:
        writer = None
        for run in runs:
            batch = pa.record_batch({name: pa.array(column) for name, column in run.items()})
            writer = writer or pa.ipc.new_file(file, batch.schema)
            writer.write_batch(batch)
        (writer or pa.ipc.new_file(file, pa.schema([]))).close()
    os.replace(part, path)
    return [os.path.relpath(path, job.out)]


def open_runs(job: Job, stage: str, index: int) -> list[Run]:
    """Map the runs of :func:`write_runs`; what is not looked at is not read."""
    reader = pa.ipc.open_file(pa.memory_map(path_of(job, stage, index)))
    batches = (reader.get_batch(at) for at in range(reader.num_record_batches))
    return [Run(tuple(column.to_numpy() for column in batch.columns)) for batch in batches]


def ids_of(block: int, rows: Array) -> Array:
    """Return the ids of rows of a block."""
    ids: Array = np.uint64(block << ROW_BITS) | rows.astype(np.uint64)
    return ids


def split_ids(ids: Array) -> tuple[Array, Array]:
    """Return the blocks and the rows of ids."""
    return ids >> np.uint64(ROW_BITS), ids & np.uint64((1 << ROW_BITS) - 1)


def block_range(first: int, stop: int) -> tuple[int, int]:
    """Return the range of ids of the blocks from ``first`` on and before ``stop``."""
    return first << ROW_BITS, stop << ROW_BITS


def shares(total: int, parts: int) -> list[tuple[int, int]]:
    """Cut 0 to ``total`` into ``parts`` ranges as equal as can be."""
    edges = [total * part // parts for part in range(parts + 1)]
    return list(itertools.pairwise(edges))


def ranges(
    runs: Sequence[Run], low: int, high: int, limit: int = RANGE_KEYS
) -> Iterator[tuple[int, int]]:
    """Cut a range of keys into ranges of at most ``limit`` keys; equal keys are never parted.

    Halved where they really lie, so that keys that crowd together (by chance or by somebody's
    choice) cost a few look-ups and no memory.
    """
    found = sum(part.stop - part.start for part in (run.between(low, high) for run in runs))
    if found == 0:
        return
    if found <= limit or high - low <= 1:
        yield low, high
        return
    middle = (low + high) // 2
    yield from ranges(runs, low, middle, limit)
    yield from ranges(runs, middle, high, limit)


def gather(runs: Sequence[Run], low: int, high: int) -> tuple[Array, ...]:
    """Return copies of the columns of all runs' rows in a range, by rising first column.

    Rows with equal keys stay in the order of the runs. The runs must not be none.
    """
    parts = [run.between(low, high) for run in runs]
    joined = [
        np.concatenate([run.columns[at][part] for run, part in zip(runs, parts, strict=True)])
        for at in range(len(runs[0].columns))
    ]
    order = np.argsort(joined[0], kind="stable")
    return tuple(column[order] for column in joined)


def unique_pairs(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the different pairs, sorted by the first and then the second."""
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    new = np.ones(len(first), dtype=bool)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return first[new], second[new]


def looked_up(keys: Array, values: Array, wanted: Array, otherwise: Array) -> Array:
    """Return the value of each wanted key, by rising ``keys``; ``otherwise`` where it has none."""
    if not len(keys):
        return otherwise
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], otherwise)
