"""Which rows of a block are left out, and what each one repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.data.deduplicating import _exact, _keys, _near, _near_sets

if TYPE_CHECKING:
    from shimhub.data.deduplicating._keys import Array
    from shimhub.data.jobs._work import Job


@dataclass(frozen=True, slots=True)
class Drops:
    """Rows by rising number, each with the id of the row that is kept in its place.

    ``near`` tells which are not equal to it; of these ``similarity`` is the Jaccard similarity to
    the row that is kept, 1.0 of the others, and NaN where it was not asked for.
    """

    rows: Array
    kept: Array
    near: Array
    similarity: Array


def drops_of(job: Job, index: int) -> Drops:
    """Return what is left out of a block; all stages before must be done."""
    rows, firsts = _exact.dropped(job, index)
    kept, near = firsts, np.zeros(len(rows), dtype=bool)
    similarity = np.ones(len(rows))
    if job.params["near"] is None:
        return Drops(rows, kept, near, similarity)
    ids, least = _near.groups(job, _near.GROUPS)
    part = slice(*np.searchsorted(ids, np.array(_keys.block_range(index, index + 1), np.uint64)))
    others = np.flatnonzero(ids[part] != least[part]) + part.start
    rows = np.concatenate([rows, _keys.split_ids(ids[others])[1].astype(np.uint32)])
    texts = np.concatenate([firsts, ids[others]])
    kept = np.concatenate([_keys.looked_up(ids, least, firsts, firsts), least[others]])
    order = np.argsort(rows)
    rows, texts, kept = rows[order], texts[order], kept[order]
    near = texts != kept
    return Drops(rows, kept, near, _similarity(job, texts, kept, near))


def _similarity(job: Job, texts: Array, kept: Array, near: Array) -> Array:
    found = np.ones(len(texts))
    if not job.params["near"]["verify"]:
        found[near] = np.nan
    elif near.any():
        found[near] = _near_sets.similarities(job, kept[near], texts[near])
    return found


def told(drops: Drops) -> dict[str, Any]:
    """Return the counts of what is left out."""
    near = int(np.count_nonzero(drops.near))
    return {"exact": len(drops.rows) - near, "near": near}
