"""Texts as sets of shingles, and how similar two of them are: the truth that MinHash estimates.

A shingle is what ``kernels.minhash`` has: a run of ``ngram`` words (of ``str.split``) or
characters, or all of them where there are fewer. It is kept as a hash of 48 bits, in which two
different ones of a pair of texts with 10,000 each agree by chance once in three million pairs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub import kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray[Any, Any]

#: An odd number of no meaning: the golden ratio's digits, as in SplitMix64.
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_MIXED: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
#: Bits of a hash that are left out, so that the number of a pair fits beside it.
_PAIR_BITS: Final = 16
#: Shingles that are compared at once.
_COMPARED: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class Sets:
    """The hashes of set i are ``items[starts[i]:starts[i + 1]]``, rising, none twice; uint64."""

    items: Array
    starts: Array

    def sizes(self) -> Array:
        """Return how many shingles each set has."""
        return np.diff(self.starts)


def shingles(texts: Sequence[str], unit: str, ngram: int) -> Sets:
    """Return the sets of the texts. O(n log n) in their units."""
    hashes, counts = _units(texts, unit)
    windows, rows = _windows(hashes, counts, ngram)
    kept = _mixed(windows) >> np.uint64(_PAIR_BITS)
    order = np.argsort(kept)
    order = order[np.argsort(rows[order], kind="stable")]
    kept, rows = kept[order], rows[order]
    new = np.ones(len(kept), dtype=bool)
    new[1:] = (kept[1:] != kept[:-1]) | (rows[1:] != rows[:-1])
    return Sets(kept[new], _starts(np.bincount(rows[new], minlength=len(texts))))


def _units(texts: Sequence[str], unit: str) -> tuple[Array, Array]:
    """Return the hash of each word or character of all texts, and how many each text has."""
    if unit == "char":
        points = np.frombuffer("".join(texts).encode("utf-32-le"), dtype="<u4")
        return _mixed(points.astype(np.uint64)), np.array([len(text) for text in texts], np.int64)
    words = [text.split() for text in texts]
    counts = np.array([len(each) for each in words], dtype=np.int64)
    every = pa.array(itertools.chain.from_iterable(words), pa.large_string()).dictionary_encode()
    digests = kernels.hash_rows(every.dictionary, algorithm="xxh3_128")
    known = np.ascontiguousarray(digests[:, :8]).view(np.uint64).reshape(-1)
    return known[every.indices.to_numpy()], counts


def _windows(hashes: Array, counts: Array, ngram: int) -> tuple[Array, Array]:
    """Return the hash of each run of units that lies in one text, and that text's number."""
    starts = _starts(counts)[:-1]
    sizes = np.minimum(counts, ngram)
    runs = np.where(counts > 0, counts - sizes + 1, 0)
    rows = np.repeat(np.arange(len(counts)), runs)
    first = spread(starts, runs)
    found = np.zeros(len(rows), dtype=np.uint64)
    size = sizes[rows]
    for at in range(int(size.max(initial=0))):
        inside = size > at
        if inside.all():
            found = found * _STEP + hashes[first + at] + np.uint64(at)
        else:
            found[inside] = found[inside] * _STEP + hashes[first[inside] + at] + np.uint64(at)
    return found, rows


def _mixed(numbers: Array) -> Array:
    """Return the output function of SplitMix64 (https://doi.org/10.1145/2660193.2660195)."""
    numbers = numbers + _STEP
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _MIXED[0]
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _MIXED[1]
    mixed: Array = numbers ^ (numbers >> np.uint64(31))
    return mixed


def _starts(counts: Array) -> Array:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def taken(sets: Sets, which: Array) -> Sets:
    """Return the sets with those numbers, in that order."""
    sizes = sets.sizes()[which]
    return Sets(sets.items[spread(sets.starts[which], sizes)], _starts(sizes))


def spread(starts: Array, sizes: Array) -> Array:
    """Return ``start``, ``start`` + 1, ... of each start, ``size`` of them, one after another."""
    before = _starts(sizes)
    places: Array = np.arange(before[-1]) + np.repeat(starts - before[:-1], sizes)
    return places


def similarities(sets: Sets, first: Array, second: Array) -> Array:
    """Return the Jaccard similarity of pairs of sets, by their numbers; of two empty ones 1.0."""
    sizes = sets.sizes()
    both = sizes[first] + sizes[second]
    found = np.empty(len(first))
    for low, high in _chunks(both):
        a, b = first[low:high], second[low:high]
        shared = _shared(taken(sets, np.stack([a, b], 1).reshape(-1)))
        union = both[low:high] - shared
        found[low:high] = np.where(union > 0, shared / np.maximum(union, 1), 1.0)
    return found


def _chunks(sizes: Array) -> list[tuple[int, int]]:
    """Cut pairs where their shingles reach what is compared at once."""
    pairs = (1 << _PAIR_BITS) - 1
    edges = [0]
    ends = np.cumsum(sizes)
    while edges[-1] < len(sizes):
        begun = ends[edges[-1] - 1] if edges[-1] else 0
        fitting = int(np.searchsorted(ends, begun + _COMPARED, side="right"))
        edges.append(max(edges[-1] + 1, min(fitting, edges[-1] + pairs)))
    return list(itertools.pairwise(edges))


def _shared(sets: Sets) -> Array:
    """Return how many items set 2 i and set 2 i + 1 have in common."""
    pairs = np.repeat(
        np.arange(len(sets.starts) - 1, dtype=np.uint64) >> np.uint64(1), sets.sizes()
    )
    keyed = np.sort((pairs << np.uint64(64 - _PAIR_BITS)) | sets.items)
    twice = keyed[1:][keyed[1:] == keyed[:-1]] >> np.uint64(64 - _PAIR_BITS)
    return np.bincount(twice.astype(np.int64), minlength=(len(sets.starts) - 1) // 2)
