"""All pairs of texts that are near duplicates, exactly: what recall and precision are told by."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_SOURCE = Path(__file__).with_name("near_join.c")


@dataclass(frozen=True)
class Pairs:
    """Pairs of texts, the earlier first, and their Jaccard similarity; sorted."""

    first: Any
    second: Any
    similarity: Any
    #: How many pairs were compared for it.
    compared: int


def shingles(text: str, ngram: int) -> set[str]:
    """Return the runs of ``ngram`` words, or all words where there are fewer; none of no words."""
    words = text.split()
    if len(words) < ngram:
        return {"\0".join(words)} if words else set()
    return {"\0".join(words[at : at + ngram]) for at in range(len(words) - ngram + 1)}


@dataclass(frozen=True)
class Sets:
    """Each text's shingles as numbers: those of text i are items[starts[i]:starts[i + 1]]."""

    items: Any
    starts: Any
    ranks: int


def sets_of(texts: list[str], ngram: int) -> Sets:
    """Number the shingles by how rare they are, and sort each text's."""
    numbers: dict[str, int] = {}
    each = [
        np.array([numbers.setdefault(one, len(numbers)) for one in sorted(shingles(text, ngram))])
        for text in texts
    ]
    sizes = np.array([len(one) for one in each], dtype=np.int64)
    items = np.concatenate([one.astype(np.int64) for one in each])
    del each
    counts = np.bincount(items, minlength=len(numbers))
    rank = np.empty(len(numbers), dtype=np.uint32)
    rank[np.lexsort((np.arange(len(numbers)), counts))] = np.arange(len(numbers), dtype=np.uint32)
    owner = np.repeat(np.arange(len(texts), dtype=np.uint64), sizes)
    keyed = np.sort((owner << np.uint64(32)) | rank[items].astype(np.uint64))
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Sets((keyed & np.uint64(0xFFFFFFFF)).astype(np.uint32), starts, len(numbers))


def all_pairs(sets: Sets, threshold: float) -> Pairs:
    """Return all pairs whose similarity is the threshold or more. Needs a C compiler."""
    sizes = np.diff(sets.starts)
    order = np.argsort(sizes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes[order])]).astype(np.int64)
    items = _gathered(sets, order, starts)
    first, second, similarity, compared = _joined(items, starts, sets.ranks, threshold)
    a, b = order[first], order[second]
    low, high = np.minimum(a, b), np.maximum(a, b)
    by = np.lexsort((high, low))
    return Pairs(low[by], high[by], similarity[by], compared)


def _gathered(sets: Sets, order: Any, starts: Any) -> Any:
    sizes = np.diff(starts)
    offsets = np.arange(starts[-1], dtype=np.int64) - np.repeat(starts[:-1], sizes)
    return np.ascontiguousarray(sets.items[np.repeat(sets.starts[order], sizes) + offsets])


def _joined(items: Any, starts: Any, ranks: int, threshold: float) -> tuple[Any, Any, Any, int]:
    with tempfile.TemporaryDirectory() as folder:
        join = _compiled(Path(folder))
        most = 1 << 20
        while True:
            first, second = np.empty(most, np.int64), np.empty(most, np.int64)
            similarity, compared = np.empty(most, np.float64), ctypes.c_int64()
            found = join(
                items.ctypes.data_as(ctypes.c_void_p),
                starts.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_int64(len(starts) - 1),
                ctypes.c_int64(ranks),
                ctypes.c_double(threshold),
                ctypes.c_int64(most),
                first.ctypes.data_as(ctypes.c_void_p),
                second.ctypes.data_as(ctypes.c_void_p),
                similarity.ctypes.data_as(ctypes.c_void_p),
                ctypes.byref(compared),
            )
            if found < 0:
                raise MemoryError
            if found <= most:
                return first[:found], second[:found], similarity[:found], compared.value
            most = found


def _compiled(folder: Path) -> Any:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise FileNotFoundError("cc: the exhaustive join is compiled; install gcc")
    library = folder / "near_join.so"
    build = [compiler, "-O3", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-lm"]
    subprocess.run(build, check=True)
    join = ctypes.CDLL(str(library)).near_join
    join.restype = ctypes.c_int64
    return join


def brute_force(texts: list[str], ngram: int, threshold: float) -> set[tuple[int, int]]:
    """Return the same pairs by comparing Python's sets, each with each."""
    sets = [shingles(text, ngram) for text in texts]
    return {
        (a, b)
        for b, mine in enumerate(sets)
        for a, other in enumerate(sets[:b])
        if mine and other and len(mine & other) / len(mine | other) >= threshold
    }
