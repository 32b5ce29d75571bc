"""``python -m tests.bench.dedup [--write]``: near duplicates of a real corpus, and exact ones.

The corpus is that of :mod:`tests.bench.near_corpus`; the truth is every pair of its texts that is
similar enough, found exhaustively (:mod:`tests.bench.near_truth`). Rows that have an earlier row
of their group are what deduplication leaves out, where groups are what similar pairs join: recall
is how much of these is found, precision how much of what is found is one of these. Pairs are told
too: how many similar pairs end in one group.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench import near_corpus, near_truth
from tests.bench.kernels import machine

NGRAM = 5
SETTINGS = ((0.7, 25, 5), (0.8, 20, 6))
#: More seeds: what is missed is a matter of chance.
SEEDS = (2, 3, 4)
OUT = Path("docs/benchmarks-dedup.md")
#: What :mod:`tests.bench.dedup_big` writes stays.
LARGE = "## A large corpus"
_EXACT_MB = 256


@dataclass(frozen=True)
class Found:
    """What a way of finding near duplicates found: each row's first row, and its costs."""

    name: str
    first: Any
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Score:
    """How near to the truth that is."""

    recall: float
    precision: float
    pairs: float
    dropped: int


def main() -> int:
    """Measure, print, and write the page if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, help="as near_corpus wrote it; made anew if not")
    parser.add_argument("--rows", type=int, default=0, help="of the corpus; 0 takes all")
    parser.add_argument("--write", action="store_true", help=f"write {OUT}")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = asked.corpus or Path(folder, "corpus.parquet")
        if asked.corpus is None:
            near_corpus.write(corpus, asked.rows)
        lines = []
        for line in measured(corpus, Path(folder), asked.rows):
            print(line, flush=True)
            lines.append(line)
    page = "\n".join(lines)
    if asked.write:
        large = OUT.read_text(encoding="utf-8").partition(LARGE) if OUT.exists() else ("", "", "")
        OUT.write_text(page.rstrip() + "\n\n" + "".join(large[1:]), encoding="utf-8")
    return 0


def measured(corpus: Path, folder: Path, rows: int) -> Iterable[str]:
    """Yield the lines of the page."""
    import pyarrow.parquet as pq

    table = pq.read_table(corpus)
    table = table.slice(0, rows) if rows else table
    texts = table["text"].to_pylist()
    path = folder / "texts.parquet"
    pq.write_table(table.select(["text"]), path, row_group_size=10_000)
    kinds = table["kind"].to_pylist()
    yield from _head(texts, kinds)
    sets = near_truth.sets_of(texts, NGRAM)
    yield _checked(texts)
    yield ""
    for threshold in sorted({each[0] for each in SETTINGS}):
        truth, seconds = _timed(near_truth.all_pairs, sets, threshold)
        yield from _truth_lines(truth, threshold, len(texts), seconds)
        for _, bands, per in (each for each in SETTINGS if each[0] == threshold):
            found = list(ways(path, folder, (texts, sets), (threshold, bands, per)))
            yield from table_of(truth, found, (threshold, bands, per), len(texts))
    yield from exact_lines(path, folder)


def _head(texts: list[str], kinds: list[str]) -> list[str]:
    size = sum(len(text.encode()) for text in texts) / 1e6
    counted = ", ".join(f"{kinds.count(kind):,} {kind}s" for kind in dict.fromkeys(kinds))
    return [
        "# Deduplication: how much is found, and how fast",
        "",
        "`python -m tests.bench.dedup --write` wrote this page. " + machine.line() + ".",
        "",
        (
            f"The corpus: {len(texts):,} texts, all different, {size:,.0f} MB: {counted}, each of "
            "ten words or more (of installed packages; Debian's documentation and man pages). "
            f"Texts are compared by their sets of runs of {NGRAM} words."
        ),
        "",
        (
            "Truth is every similar pair, from an exhaustive join that is compared with brute "
            "force on a sample. *Rows*: those that have an earlier row in their group, where "
            "groups are what similar pairs join. *Pairs*: similar pairs whose two rows come into "
            "one group. Times are seconds of processor, on one thread."
        ),
        "",
    ]


def _checked(texts: list[str]) -> str:
    """Compare the join with brute force on a sample; neighbours are more often alike."""
    draw = np.random.default_rng(0)
    starts = draw.choice(max(len(texts) - 20, 1), 100)
    sample = [text for start in sorted(starts.tolist()) for text in texts[start : start + 20]]
    found = near_truth.all_pairs(near_truth.sets_of(sample, NGRAM), 0.5)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    if pairs != near_truth.brute_force(sample, NGRAM, 0.5):
        raise AssertionError("the exhaustive join is not what brute force finds")
    return (
        f"On a sample of {len(sample):,} texts the join found the {len(pairs):,} pairs of "
        "similarity 0.5 or more that brute force finds."
    )


def _truth_lines(truth: Any, threshold: float, count: int, seconds: float) -> list[str]:
    dropped = int(np.count_nonzero(firsts_of(truth.first, truth.second, count) != np.arange(count)))
    return [
        f"## Similarity {threshold} or more",
        "",
        (
            f"{len(truth.first):,} similar pairs, and {dropped:,} rows with an earlier one in "
            f"their group; {truth.compared:,} pairs compared in {seconds:.1f} s of processor."
        ),
        "",
    ]


def ways(
    path: Path, folder: Path, made: tuple[list[str], Any], told: tuple[float, int, int]
) -> Iterable[Found]:
    """Yield what each way finds; each from the texts, on one thread or as it is."""
    yield ours(path, folder, len(made[0]), told, verify=True)
    yield ours(path, folder, len(made[0]), told, verify=False)
    for seed in SEEDS:
        yield ours(path, folder, len(made[0]), told, verify=True, seed=seed)
    yield from datasketch(*made, told)


def ours(
    path: Path,
    folder: Path,
    count: int,
    told: tuple[float, int, int],
    *,
    verify: bool,
    seed: int = 1,
) -> Found:
    """Run dedup on the file with one process, and read its report."""
    import pyarrow.parquet as pq

    from shimhub.data import NearOptions, dedup

    threshold, bands, rows = told
    near = NearOptions(
        ngram=NGRAM, bands=bands, rows=rows, threshold=threshold, verify=verify, seed=seed
    )
    out = folder / f"out-{bands}-{rows}-{verify}-{seed}"
    result, seconds = _timed(
        lambda: dedup(path, out, by="text", near=near, workers=1, block_bytes=16 << 20)
    )
    report = pq.read_table(result.report)
    first = np.arange(count)
    first[report["row"].to_numpy()] = report["kept_row"].to_numpy()
    name = "shimhub" + (", verified" if verify else ", buckets alone")
    name += f", seed {seed}" if seed != 1 else ""
    pairs = f"{result.buckets['left']:,} pairs of large buckets left"
    return Found(name, first, seconds, f"{pairs}; file to file, with the report")


def datasketch(texts: list[str], sets: Any, told: tuple[float, int, int]) -> Iterable[Found]:
    """Yield the groups of MinHashLSH's answers, and of those that a comparison of sets confirms."""
    threshold, bands, rows = told
    pairs, seconds = _timed(_candidates, texts, bands, rows)
    yield Found("datasketch MinHashLSH", _grouped(pairs, len(texts)), seconds, "in memory")
    confirmed, more = _timed(lambda: [pair for pair in pairs if _alike(sets, *pair) >= threshold])
    yield Found(
        "datasketch MinHashLSH, then sets",
        _grouped(confirmed, len(texts)),
        seconds + more,
        f"in memory; {len(pairs):,} pairs compared, sets made before",
    )


def _candidates(texts: list[str], bands: int, rows: int) -> list[tuple[int, int]]:
    """Return the pairs that datasketch's index answers, each text asked before it is put in."""
    import datasketch as library

    index = library.MinHashLSH(num_perm=bands * rows, params=(bands, rows))
    pairs = []
    for start in range(0, len(texts), 1000):
        sets = [
            {one.encode() for one in near_truth.shingles(text, NGRAM)}
            for text in texts[start : start + 1000]
        ]
        signed = library.MinHash.bulk(sets, num_perm=bands * rows, seed=1)
        for at, one in enumerate(signed, start):
            pairs += [(other, at) for other in index.query(one)]
            index.insert(at, one, check_duplication=False)
    return pairs


def _alike(sets: Any, a: int, b: int) -> float:
    one, two = (sets.items[sets.starts[at] : sets.starts[at + 1]] for at in (a, b))
    both = len(np.intersect1d(one, two, assume_unique=True))
    union = len(one) + len(two) - both
    return both / union if union else 1.0


def _grouped(pairs: list[tuple[int, int]], count: int) -> Any:
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return firsts_of(both[:, 0], both[:, 1], count)


def firsts_of(first: Any, second: Any, count: int) -> Any:
    """Return the least row that each row is joined with, by a plain union-find."""
    parent = list(range(count))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return np.array([root(at) for at in range(count)])


def score(truth: Any, first: Any) -> Score:
    """Return recall and precision of the rows that are left out, and recall of the pairs."""
    rows = np.arange(len(first))
    wanted = firsts_of(truth.first, truth.second, len(first)) != rows
    dropped = first != rows
    hit = np.count_nonzero(wanted & dropped)
    together = np.count_nonzero(first[truth.first] == first[truth.second])
    return Score(
        hit / max(np.count_nonzero(wanted), 1),
        hit / max(np.count_nonzero(dropped), 1),
        together / max(len(truth.first), 1),
        int(np.count_nonzero(dropped)),
    )


def table_of(
    truth: Any, found: list[Found], told: tuple[float, int, int], count: int
) -> Iterable[str]:
    """Yield a table of a setting."""
    threshold, bands, rows = told
    chance = 1 - (1 - threshold**rows) ** bands
    yield f"{bands} bands of {rows} rows ({bands * rows} permutations): a pair of similarity"
    yield f"{threshold} shares a band with probability {chance:.4f}."
    yield ""
    yield "| | rows found | rows that are right | pairs found | left out | CPU s | k texts/s | |"
    yield "|---|--:|--:|--:|--:|--:|--:|---|"
    for each in found:
        got = score(truth, each.first)
        yield (
            f"| {each.name} | {got.recall:.2%} | {got.precision:.2%} | {got.pairs:.2%} "
            f"| {got.dropped:,} | {each.seconds:.1f} | {count / each.seconds / 1e3:.1f} "
            f"| {each.note} |"
        )
    yield ""


def exact_lines(path: Path, folder: Path) -> Iterable[str]:
    """Yield the figures of exact deduplication, beside polars' in memory."""
    import polars as pl
    import pyarrow.parquet as pq

    from shimhub.data import dedup

    texts = pq.read_table(path)["text"].to_pylist()
    source = folder / "exact.jsonl"
    size = _write_exact(source, texts)
    yield "## Exact duplicates"
    yield ""
    yield f"JSONL of {size / 1e6:,.0f} MB, those texts with every sixth line twice, by `text`."
    yield ""
    yield "| | MB a second of processor | rows out |"
    yield "|---|--:|--:|"
    result, seconds = _timed(dedup, source, folder / "exact", by="text", workers=1)
    yield f"| shimhub, file to files | {size / seconds / 1e6:.0f} | {result.rows_out:,} |"

    def polars() -> int:
        frame = pl.read_ndjson(source).unique("text", keep="first", maintain_order=True)
        frame.write_ndjson(folder / "polars.jsonl")
        return int(frame.height)

    height, seconds = _timed(polars)
    yield f"| polars, all in memory | {size / seconds / 1e6:.0f} | {height:,} |"
    yield ""


def _write_exact(path: Path, texts: list[str]) -> int:
    with path.open("w", encoding="utf-8") as file:
        for at, text in enumerate(itertools.cycle(texts)):
            line = json.dumps({"id": at % len(texts), "text": f"{at // len(texts)} {text}"}) + "\n"
            file.write(line)
            if at % 6 == 0:
                file.write(line)
            if at % 1000 == 0 and file.tell() > _EXACT_MB * 1_000_000:
                break
    return path.stat().st_size


def _timed(call: Callable[..., Any], *args: Any, **named: Any) -> tuple[Any, float]:
    """Return what it made, and the seconds of processor: neighbours of the machine do not count."""
    begun = time.process_time()
    made = call(*args, **named)
    return made, time.process_time() - begun


if __name__ == "__main__":
    sys.exit(main())
