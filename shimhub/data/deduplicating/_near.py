"""Near duplicates: keys of LSH bands by block, buckets by band, candidates, groups.

Texts whose MinHash signatures agree in a band (``kernels.lsh_bands``) lie in a bucket. Of a bucket
these pairs are candidates: its first text with each other one (stars), and each text with those
up to ``window`` places on in the bucket (neighbours), so all pairs of a bucket of ``window`` + 2
texts or fewer. What larger buckets have more is not compared, and counted. A candidate is an edge
if the Jaccard similarity of its sets of shingles is the threshold or more; groups are what edges
join, directly or through others, and of each the first text is kept.

Neighbours are compared only where stars have not joined them: that changes no group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub import kernels
from shimhub.data.deduplicating import _exact, _keys, _near_sets
from shimhub.data.deduplicating._compared import SIGN, Reading
from shimhub.data.deduplicating._keys import Array, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data.jobs._work import Job

#: Keys of bands that a block's task holds at once.
SIGNED_KEYS: Final = 1 << 22
#: Candidates that a task holds at once.
PAIRS: Final = 1 << 21

BUCKETS: Final = "buckets"
MEMBERS: Final = "members"
STARS: Final = "stars"
JOINED: Final = "joined"
REST: Final = "rest"
NEIGHBOURS: Final = "neighbours"
GROUPS: Final = "groups"


def sign_block(job: Job, index: int) -> dict[str, Any]:
    """Write the keys of the bands of a block's texts, sorted; a run for each band, in turn."""
    reading = Reading()
    files = _keys.write_runs(job, SIGN, index, _signed(job, index, reading))
    told = reading.told()
    return {"files": files, **({**told, "skipped": None} if job.params["exact"] else told)}


def _signed(job: Job, index: int, reading: Reading) -> Iterator[dict[str, Array]]:
    held: list[tuple[Array, Array]] = []
    bands = job.params["near"]["bands"]
    for rows, texts in texts_of(job, index, reading):
        held.append((rows, band_keys(texts, job.params["near"])))
        if sum(keys.size for _, keys in held) >= SIGNED_KEYS:
            yield from _sorted_bands(held, bands)
            held = []
    yield from _sorted_bands(held, bands)


def texts_of(job: Job, index: int, reading: Reading) -> Iterator[tuple[Array, Any]]:
    """Yield the numbers of a block's rows that have a text and repeat none exactly, and these."""
    gone, _ = _exact.dropped(job, index)
    for rows, (column,) in reading.columns(job, index):
        wanted = ~np.isin(rows, gone) & column.is_valid().to_numpy(zero_copy_only=False)
        if wanted.any():
            texts = column.cast(pa.large_string())  # dictionaries and views have no sizes
            yield rows[wanted], texts.filter(pa.array(wanted))


def band_keys(texts: Any, near: dict[str, Any]) -> Array:
    """Return the keys of the bands of each text, of shape (n, bands), uint64."""
    signatures = kernels.minhash(
        texts,
        num_perm=near["bands"] * near["rows"],
        ngram=near["ngram"],
        unit=near["unit"],
        seed=near["seed"],
    )
    return kernels.lsh_bands(signatures, near["bands"], seed=near["seed"])


def _sorted_bands(held: list[tuple[Array, Array]], bands: int) -> Iterator[dict[str, Array]]:
    if not held:
        return
    rows, keys = (np.concatenate(each) for each in zip(*held, strict=True))
    for band in range(bands):
        order = np.argsort(keys[:, band], kind="stable")
        yield {"key": keys[order, band], "row": rows[order]}


def bucket_range(job: Job, index: int) -> dict[str, Any]:
    """Write the buckets of some bands whose keys lie in a range, and which texts are in any."""
    parts, bands = _keys.band_parts(job), job.params["near"]["bands"]
    told = {"buckets": 0, "largest": 0, "capped": 0, "left": 0}
    runs = [
        run
        for band in range(index // parts, bands, _keys.band_groups(job))
        for run in _buckets(job, band, index % parts, told)
        if len(run["first"])
    ]
    files = _keys.write_runs(job, BUCKETS, index, runs)
    members = [np.unique(np.concatenate([run["first"], run["member"]])) for run in runs]
    return {
        "files": files + _keys.write_runs(job, MEMBERS, index, ({"id": each} for each in members)),
        **told,
    }


def _buckets(job: Job, band: int, part: int, told: dict[str, int]) -> Iterator[dict[str, Array]]:
    """Yield the buckets of a band, a range of its keys at a time."""
    low, high = _keys.shares(_keys.KEYS_END, _keys.band_parts(job))[part]
    bands, window = job.params["near"]["bands"], job.params["near"]["window"]
    opened = [
        (block, run)
        for block in range(len(job.blocks))
        for run in _keys.open_runs(job, SIGN, block)[band::bands]
    ]
    for span in _keys.ranges([run for _, run in opened], low, high):
        yield _bucketed(opened, *span, window, told)


def _bucketed(
    opened: list[tuple[int, Run]], low: int, high: int, window: int, told: dict[str, int]
) -> dict[str, Array]:
    """Return the first text of each bucket with each other one, sorted."""
    parts = [(block, run.columns, run.between(low, high)) for block, run in opened]
    keys = np.concatenate([columns[0][part] for _, columns, part in parts])
    ids = np.concatenate([_keys.ids_of(block, columns[1][part]) for block, columns, part in parts])
    order = np.argsort(keys, kind="stable")
    keys, ids = keys[order], ids[order]
    same, first = _exact.repeats_of(keys, keys, ids)
    _tell(same, window, told)
    first, member = first[same], ids[same]
    order = np.argsort(first, kind="stable")
    return {"first": first[order], "member": member[order]}


def _tell(same: Array, window: int, told: dict[str, int]) -> None:
    """Add how many buckets there are, how large, and how many pairs of them are no candidates."""
    sizes = np.diff(np.append(np.flatnonzero(~same), len(same)))
    sizes = sizes[sizes > 1]
    beyond = np.maximum(sizes - 2 - window, 0)  # pairs of others that are further apart
    told["buckets"] += len(sizes)
    told["largest"] = max(told["largest"], int(sizes.max(initial=0)))
    told["capped"] += int(np.count_nonzero(beyond))
    told["left"] += int((beyond * (beyond + 1) // 2).sum())


def compare_stars(job: Job, index: int) -> dict[str, Any]:
    """Write which texts are similar to the first one of a bucket of theirs."""
    return _compared(job, index, BUCKETS, STARS)


def compare_neighbours(job: Job, index: int) -> dict[str, Any]:
    """Write which neighbours in buckets are similar."""
    return _compared(job, index, REST, NEIGHBOURS)


def _compared(job: Job, index: int, pairs: str, edges: str) -> dict[str, Any]:
    tasks = range(_keys.bucket_tasks(job))
    runs = [run for task in tasks for run in _keys.open_runs(job, pairs, task)]
    first, stop = _keys.shares(len(job.blocks), _keys.shares_of(job))[index]
    told = {"candidates": 0, "similar": 0}
    found = _similar(job, runs, _keys.block_range(first, stop), told)
    return {"files": _keys.write_runs(job, edges, index, found), **told}


def _similar(
    job: Job, runs: list[Run], within: tuple[int, int], told: dict[str, int]
) -> Iterator[dict[str, Array]]:
    threshold = job.params["near"]["threshold"]
    for low, high in _keys.ranges(runs, *within, PAIRS):
        for first, second in _pairs(runs, low, high):
            alike = _near_sets.similarities(job, first, second, threshold)
            edges = alike >= threshold
            told["candidates"] += len(first)
            told["similar"] += int(np.count_nonzero(edges))
            if edges.any():
                yield {"first": first[edges], "second": second[edges]}


def _pairs(runs: list[Run], low: int, high: int) -> Iterator[tuple[Array, Array]]:
    """Yield the different pairs of a range; a text that has very many of them, in parts."""
    if high - low > 1:
        yield _keys.unique_pairs(*_keys.gather(runs, low, high))
        return
    seconds = np.empty(0, np.uint64)
    for run in runs:
        seconds = np.union1d(seconds, run.columns[1][run.between(low, high)])
    for start in range(0, len(seconds), PAIRS):
        part = seconds[start : start + PAIRS]
        yield np.full(len(part), low, np.uint64), part


def neighbours(job: Job, index: int) -> dict[str, Any]:
    """Write the neighbours in buckets that stars have not joined; for one file of buckets."""
    labels = groups(job, JOINED)
    found = (
        pairs
        for run in _keys.open_runs(job, BUCKETS, index)
        for pairs in _neighbours(run, labels, job.params["near"]["window"])
    )
    return {"files": _keys.write_runs(job, REST, index, found)}


def _neighbours(run: Run, labels: tuple[Array, Array], window: int) -> Iterator[dict[str, Array]]:
    first, member = run.columns
    group = _keys.looked_up(*labels, member, member)
    held: list[tuple[Array, Array]] = []
    for apart in range(1, window + 1):
        open_ = (first[apart:] == first[:-apart]) & (group[apart:] != group[:-apart])
        held.append((member[:-apart][open_], member[apart:][open_]))
        if sum(len(one) for one, _ in held) >= PAIRS:
            yield _as_run(held)
            held = []
    if any(len(one) for one, _ in held):
        yield _as_run(held)


def _as_run(held: list[tuple[Array, Array]]) -> dict[str, Array]:
    first, second = (np.concatenate(each) for each in zip(*held, strict=True))
    first, second = _keys.unique_pairs(first, second)
    return {"first": first, "second": second}


def join_stars(job: Job, index: int) -> dict[str, Any]:
    """Write the groups that similar stars make."""
    return _grouped(job, index, JOINED, (STARS,))


def join_all(job: Job, index: int) -> dict[str, Any]:
    """Write the groups that all edges make."""
    return _grouped(job, index, GROUPS, (STARS, NEIGHBOURS))


def join_buckets(job: Job, index: int) -> dict[str, Any]:
    """Write the groups that buckets make, without a comparison."""
    return _grouped(job, index, GROUPS, (BUCKETS,))


def _grouped(job: Job, index: int, stage: str, edges: tuple[str, ...]) -> dict[str, Any]:
    tasks = {
        BUCKETS: _keys.bucket_tasks(job),
        STARS: _keys.shares_of(job),
        NEIGHBOURS: _keys.shares_of(job),
    }
    runs = [
        run.columns
        for each in edges
        for task in range(tasks[each])
        for run in _keys.open_runs(job, each, task)
    ]
    if not runs:
        return {"files": _keys.write_runs(job, stage, index, []), "groups": 0}
    first, second = (np.concatenate(each) for each in zip(*runs, strict=True))
    ids, least = joined(first, second)
    runs_ = [{"id": ids, "least": least}]
    told = {"groups": len(np.unique(least)), "texts": len(ids)}
    return {"files": _keys.write_runs(job, stage, index, runs_), **told}


def joined(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the ids of all edges, rising, and the least id that each is connected to.

    Roots hang onto lesser ones until all edges are inside a tree (Shiloach and Vishkin 1982,
    https://doi.org/10.1016/0196-6774(82)90008-6); the least id is the root, whatever the order.
    """
    ids, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    a, b = places[: len(first)], places[len(first) :]
    root = np.arange(len(ids))
    while len(a):
        low, high = np.minimum(root[a], root[b]), np.maximum(root[a], root[b])
        np.minimum.at(root, high, low)
        while not np.array_equal(root, higher := root[root]):
            root = higher
        apart = root[a] != root[b]
        a, b = a[apart], b[apart]
    return ids, ids[root]


def groups(job: Job, stage: str) -> tuple[Array, Array]:
    """Return the ids that are in a group, rising, and the first id of each one's group."""
    found = _keys.open_runs(job, stage, 0)
    if not found:
        return np.empty(0, np.uint64), np.empty(0, np.uint64)
    ids, least = found[0].columns
    return ids, least
