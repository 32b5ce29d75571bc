"""The sets of shingles of the texts that are in a bucket, by block; mapped, and compared."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from shimhub.data.deduplicating import _keys, _near, _shingles
from shimhub.data.deduplicating._compared import Reading
from shimhub.data.deduplicating._keys import Array
from shimhub.data.deduplicating._shingles import Sets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data.jobs._work import Job

SETS: Final = "sets"
#: Texts, and bytes of them, whose sets are made at once.
_TEXTS: Final = 1 << 14
_BYTES: Final = 1 << 24
#: Shingles that are compared at once.
_HELD: Final = 1 << 22
#: A block that is none: blocks have numbers of 32 bits.
_NO_BLOCK: Final = (1 << 64) - 1
#: What the product of a threshold and a size may be off.
_ROUNDING: Final = 1e-9


def write_sets(job: Job, index: int) -> dict[str, Any]:
    """Write the sets of those texts of a block that are in a bucket."""
    low, high = _keys.block_range(index, index + 1)
    tasks = range(_keys.bucket_tasks(job))
    runs = (run for task in tasks for run in _keys.open_runs(job, _near.MEMBERS, task))
    members = np.empty(0, np.uint64)
    for run in runs:
        members = np.union1d(members, run.columns[0][run.between(low, high)])
    rows = _keys.split_ids(members)[1].astype(np.uint32)
    found = _sets(job, index, rows) if len(rows) else iter(())
    return {"files": _keys.write_runs(job, SETS, index, found), "texts": len(rows)}


def _sets(job: Job, index: int, members: Array) -> Iterator[dict[str, Any]]:
    near = job.params["near"]
    for every, texts in _near.texts_of(job, index, Reading()):
        wanted = np.isin(every, members)
        rows, column = every[wanted], texts.filter(pa.array(wanted))
        for start, stop in _pieces(column):
            piece = column.slice(start, stop - start).to_pylist()
            sets = _shingles.shingles(piece, near["unit"], near["ngram"])
            listed = pa.LargeListArray.from_arrays(sets.starts, sets.items)
            yield {"row": rows[start:stop], "set": listed}


def _pieces(texts: Any) -> Iterator[tuple[int, int]]:
    """Cut texts where they reach what is held at once."""
    sizes = pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
    start = size = 0
    for at, one in enumerate(sizes):
        if at > start and (size + one > _BYTES or at - start >= _TEXTS):
            yield start, at
            start, size = at, 0
        size += one
    if start < len(sizes):
        yield start, len(sizes)


def similarities(job: Job, first: Array, second: Array, threshold: float = 0.0) -> Array:
    """Return the Jaccard similarity of each pair of ids; 0 where sizes alone put it below.

    Reads the sets of those ids and no others. O(n log n) in the shingles of all pairs.
    """
    ids, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    found = _Found(job, ids)
    a, b = places[: len(first)], places[len(first) :]
    small, large = (
        np.minimum(found.size[a], found.size[b]),
        np.maximum(found.size[a], found.size[b]),
    )
    possible = np.flatnonzero(small >= threshold * large - _ROUNDING)
    similar = np.zeros(len(first))
    for part in np.split(possible, _cuts((small + large)[possible])):
        similar[part] = found.compare(a[part], b[part])
    return similar


def _cuts(sizes: Array) -> Array:
    """Return where to cut so that the sizes of a piece are about what is held at once."""
    return np.flatnonzero(np.diff(np.cumsum(sizes) // _HELD)) + 1


class _Found:
    """Where the sets of some ids lie."""

    def __init__(self, job: Job, ids: Array) -> None:
        #: The items of each run; which one each id's set is in, where there, and how large it is.
        self._items: list[Array] = []
        self.size = np.zeros(len(ids), dtype=np.int64)
        self._start, self._run = self.size.copy(), self.size.copy()
        blocks, rows = _keys.split_ids(ids)
        edges = np.append(np.flatnonzero(np.diff(blocks, prepend=np.uint64(_NO_BLOCK))), len(ids))
        for start, stop in itertools.pairwise(edges.tolist()):
            self._look_up(job, int(blocks[start]), slice(start, stop), rows[start:stop])

    def _look_up(self, job: Job, block: int, part: slice, rows: Array) -> None:
        for known, starts, items in open_sets(job, block):
            at = np.minimum(np.searchsorted(known, rows), len(known) - 1)
            here = np.flatnonzero(known[at] == rows)
            places = here + part.start
            self._start[places] = starts[at[here]]
            self.size[places] = starts[at[here] + 1] - starts[at[here]]
            self._run[places] = len(self._items)
            self._items.append(items)

    def compare(self, a: Array, b: Array) -> Array:
        """Return the similarity of each pair of ids by their places."""
        wanted, places = np.unique(np.concatenate([a, b]), return_inverse=True)
        sets = self._taken(wanted)
        return _shingles.similarities(sets, places[: len(a)], places[len(a) :])

    def _taken(self, which: Array) -> Sets:
        """Copy the sets with those places; each run's alone, as runs are mapped one by one."""
        sizes = self.size[which]
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        items = np.empty(starts[-1], dtype=np.uint64)
        run = self._run[which]
        for number in np.unique(run):
            here = np.flatnonzero(run == number)
            to = _shingles.spread(starts[here], sizes[here])
            items[to] = self._items[number][_shingles.spread(self._start[which[here]], sizes[here])]
        return Sets(items, starts)


def open_sets(job: Job, block: int) -> Iterator[tuple[Array, Array, Array]]:
    """Yield the rows of a block's runs, where their sets start, and the sets' items; mapped."""
    reader = pa.ipc.open_file(pa.memory_map(_keys.path_of(job, SETS, block)))
    for at in range(reader.num_record_batches):
        rows, sets = reader.get_batch(at).columns
        yield rows.to_numpy(), sets.offsets.to_numpy(), sets.values.to_numpy()
