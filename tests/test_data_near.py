"""Near duplicates of files: groups are those of an exhaustive comparison, where LSH misses none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")

import numpy as np  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from shimhub.data import DataError, NearOptions, dedup  # noqa: E402
from shimhub.data.deduplicating import _near, _shingles  # noqa: E402
from shimhub.kernels import minhash  # noqa: E402

#: A pair of similarity 0.5 is missed once in four billion.
SURE = NearOptions(ngram=2, bands=32, rows=1, threshold=0.5, window=64)
WORDS = st.lists(st.sampled_from("abcde"), max_size=8).map(" ".join)
QUICK = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def runs_of(units: Any, size: int) -> set[tuple[str, ...]]:
    """Return the set of shingles of words or letters."""
    units = tuple(units)
    if len(units) < size:
        return {units} if units else set()
    return {units[at : at + size] for at in range(len(units) - size + 1)}


def alike(a: set[Any], b: set[Any]) -> float:
    """Return the Jaccard similarity; two empty sets are equal."""
    return len(a & b) / len(a | b) if a | b else 1.0


def groups_of(sets: list[set[Any]], threshold: float) -> list[int]:
    """Return the first row of each row's group, by comparing all with all."""
    first = list(range(len(sets)))
    for b in range(len(sets)):
        for a in range(b):
            if first[a] != first[b] and alike(sets[a], sets[b]) >= threshold:
                low, high = sorted((first[a], first[b]))
                first = [low if one == high else one for one in first]
    return first


def write(path: Path, texts: list[str | None], group: int = 5) -> Path:
    """Write texts as Parquet."""
    table = pa.table({"id": pa.array(range(len(texts)), pa.int64()), "t": pa.array(texts, "str")})
    pq.write_table(table, path, row_group_size=group)
    return path


def run(path: Path, out: Path, near: NearOptions, **told: Any) -> tuple[list[int], Any]:
    """Deduplicate; return the first row of each row's group, and the result."""
    result = dedup(path, out, by="t", near=near, **{"workers": 1, "exact": False, **told})
    first = list(range(result.rows_in))
    for row in pq.read_table(result.report).to_pylist():
        first[row["row"]] = row["kept_row"]
    return first, result


@QUICK
@given(st.lists(WORDS, min_size=1, max_size=25), st.integers(30, 400))
def test_groups_are_those_of_an_exhaustive_comparison(tmp_path_factory, texts, size):
    """Whatever the blocks, and with exact duplicates left out before or not."""
    folder = tmp_path_factory.mktemp("near")
    path = write(folder / "a.parquet", texts, 3)
    wanted = groups_of([runs_of(text.split(), 2) for text in texts], 0.5)
    assert wanted == run(path, folder / "a", SURE, block_bytes=size)[0]
    assert wanted == run(path, folder / "b", SURE, block_bytes=1 << 20, exact=True)[0]
    kept = [
        row["id"]
        for part in sorted((folder / "a").glob("part-*"))
        for row in pq.read_table(part).to_pylist()
    ]
    assert sorted(set(wanted)) == kept


def test_similarities_in_the_report_are_those_of_the_sets(tmp_path):
    """To the row that is kept: less than the threshold where a chain leads to it."""
    words = [f"w{at}" for at in range(20)]
    texts = [" ".join(words[at : at + 10]) for at in (0, 2, 4, 6)]
    near = NearOptions(ngram=1, bands=32, rows=1, threshold=0.5)
    first, result = run(write(tmp_path / "a.parquet", texts), tmp_path / "out", near)
    sets = [set(text.split()) for text in texts]
    assert [0, 0, 0, 0] == first
    rows = pq.read_table(result.report).to_pylist()
    assert [alike(sets[0], sets[at]) for at in (1, 2, 3)] == [row["similarity"] for row in rows]
    assert {"near"} == {row["kind"] for row in rows}
    assert rows[2]["similarity"] < 0.5


def test_workers_shards_and_blocks_do_not_show(tmp_path):
    """The same bytes for any workers and shards; the same groups for any blocks."""
    draw = np.random.default_rng(1)
    texts = [" ".join("abcdefg"[at] for at in draw.integers(0, 7, 12)) for _ in range(60)]
    path = write(tmp_path / "a.parquet", texts, 8)
    found = {}
    for name, told in {
        "one": {},
        "two": {"workers": 2, "shards": 3},
        "large": {"block_bytes": 1 << 20},
    }.items():
        first, _ = run(path, tmp_path / name, SURE, **{"block_bytes": 100, **told})
        out = tmp_path / name
        files = {path.name: path.read_bytes() for path in out.iterdir()}
        found[name] = (first, files)
    assert found["one"] == found["two"]
    assert found["one"][0] == found["large"][0]


def test_nulls_stay_and_texts_without_words_are_one(tmp_path):
    """A null is like no other row; without exact= it does not repeat one either."""
    texts = [None, "", None, "  ", "a b", "a b"]
    path = write(tmp_path / "a.parquet", texts)
    assert [0, 1, 2, 1, 4, 4] == run(path, tmp_path / "near", SURE)[0]
    assert [0, 1, 0, 1, 4, 4] == run(path, tmp_path / "both", SURE, exact=True)[0]


def test_what_repeats_a_near_duplicate_repeats_the_row_that_is_kept(tmp_path):
    """The report names no row that was left out itself."""
    texts = ["a b c d e", "a b c d f", "a b c d f", "a b c d e"]
    path = write(tmp_path / "a.parquet", texts)
    first, result = run(path, tmp_path / "out", SURE, exact=True)
    assert [0, 0, 0, 0] == first
    rows = pq.read_table(result.report).to_pylist()
    assert [("near", 0.6), ("near", 0.6), ("exact", 1.0)] == [
        (row["kind"], row["similarity"]) for row in rows
    ]
    assert (1, 2, 1) == (result.exact, result.near, result.groups)


def test_without_verification_buckets_are_groups(tmp_path):
    """And the similarity is not known."""
    texts = ["a b c d e f", "a b c d e g", "x y z"]
    near = NearOptions(ngram=1, bands=64, rows=1, verify=False)
    first, result = run(write(tmp_path / "a.parquet", texts), tmp_path / "out", near)
    assert [0, 0, 2] == first
    assert [None] == pq.read_table(result.report)["similarity"].to_pylist()


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_pairs_that_large_buckets_leave_out_are_counted(tmp_path, size):
    """Of a bucket, the first with all and each with ``window`` after it; the rest is told."""
    texts = ["same text of five words"] * 100
    near = NearOptions(bands=3, rows=2, window=4)
    path = write(tmp_path / "a.parquet", texts, 9)
    first, result = run(path, tmp_path / "out", near, block_bytes=size)
    assert [0] * 100 == first
    left = 3 * (99 * 98 // 2 - sum(99 - apart for apart in range(1, 5)))
    assert {"buckets": 3, "capped": 3, "largest": 100, "left": left, "candidates": 99} == {
        name: value for name, value in result.buckets.items() if name != "similar"
    }


def test_neighbours_join_what_the_first_does_not(tmp_path):
    """In one bucket the first text is like none, and others are like each other."""
    texts = ["k a1 a2 a3 a4", "k b1 b2 b3 b4", "k b1 b2 b3 c4", "k d1 d2 d3 d4", "k d1 d2 d3 e4"]
    one = {"ngram": 1, "num_perm": 1, "unit": "word"}
    seed = next(
        seed for seed in range(1000) if len(np.unique(minhash(texts, seed=seed, **one))) == 1
    )
    near = NearOptions(ngram=1, bands=1, rows=1, threshold=0.6, seed=seed)
    path = write(tmp_path / "a.parquet", texts)
    assert [0, 1, 1, 3, 3] == run(path, tmp_path / "out", near)[0]


def test_characters_are_units_too(tmp_path):
    """Runs of letters; normalised before they are compared."""
    texts = ["na\u00efve caf\u00e9s", "nai\u0308ve  cafe\u0301s", "other"]
    near = NearOptions(ngram=3, unit="char", bands=32, rows=2, threshold=0.9)
    path = write(tmp_path / "a.parquet", texts)
    assert [0, 1, 2] == run(path, tmp_path / "plain", near)[0]
    assert [0, 0, 2] == run(path, tmp_path / "nfc", near, normalize="nfc+ws")[0]


@pytest.mark.parametrize(
    "kind",
    [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    ids=["large", "view", "dictionary"],
)
def test_all_types_of_text_are_texts(tmp_path, kind):
    """Large strings, views and dictionaries, in an Arrow file."""
    texts = pa.array(["a b c d e", None, "a b c d f", "a b c d e", "x"])
    texts = texts.dictionary_encode() if pa.types.is_dictionary(kind) else texts.cast(kind)
    path = tmp_path / "a.arrow"
    table = pa.table({"t": texts})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    assert [0, 1, 0, 0, 4] == run(path, tmp_path / "out", SURE, exact=True)[0]


def test_lines_of_text_files_are_texts(tmp_path):
    """JSONL works as Parquet does, and its lines stay as they are."""
    rows = [{"t": "a b c d e"}, {"t": "a b c d f", "more": 1}, {"t": "x"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dedup(tmp_path / "a.jsonl", tmp_path / "b.jsonl", by="t", near=SURE, workers=1)
    assert '{"t": "a b c d e"}\n{"t": "x"}\n' == (tmp_path / "b.jsonl").read_text()


@pytest.mark.parametrize("unit", ["word", "char"])
@given(texts=st.lists(st.text(max_size=30), min_size=2, max_size=8), ngram=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_similarities_of_sets_are_those_of_pythons_sets(unit, texts, ngram):
    """Words are those of str.split, letters code points; short texts are one shingle."""
    sets = [runs_of(text.split() if unit == "word" else text, ngram) for text in texts]
    made = _shingles.shingles(texts, unit, ngram)
    assert [len(one) for one in sets] == made.sizes().tolist()
    first, second = np.triu_indices(len(texts))
    wanted = [alike(sets[a], sets[b]) for a, b in zip(first, second, strict=True)]
    assert wanted == _shingles.similarities(made, first, second).tolist()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60))
@settings(max_examples=100, deadline=None)
def test_groups_of_edges_have_the_least_id(pairs):
    """Joined as a plain union-find joins them."""
    first, second = (np.array([pair[at] for pair in pairs], np.uint64) for at in (0, 1))
    ids, least = _near.joined(first, second)
    wanted = {one: one for pair in pairs for one in pair}
    for a, b in pairs:
        low, high = sorted((wanted[a], wanted[b]))
        wanted = {one: low if root == high else root for one, root in wanted.items()}
    assert wanted == dict(zip(ids.tolist(), least.tolist(), strict=True))


def test_a_long_chain_of_edges_is_one_group():
    """In few rounds."""
    first = np.arange(100_000, dtype=np.uint64)
    _, least = _near.joined(first, first + np.uint64(1))
    assert [0] == np.unique(least).tolist()


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"bands": 0}, "bands: 0, want 1 to 1024"),
        ({"rows": 65}, "rows: 65, want 1 to 64"),
        ({"ngram": 257}, "ngram: 257, want 1 to 256"),
        ({"unit": "token"}, "unit: 'token', want 'word' or 'char'"),
        ({"threshold": 0.0}, "threshold: 0.0, want more than 0"),
        ({"window": -1}, "window: -1, want 0 to 1024"),
    ],
)
def test_options_out_of_their_range_are_told(told, problem):
    """With the range."""
    with pytest.raises(DataError, match=problem):
        NearOptions(**told)


def test_near_needs_one_column_of_text(tmp_path):
    """A column must be named, and hold strings."""
    path = write(tmp_path / "a.parquet", ["x"])
    for by in (None, ["id", "t"]):
        with pytest.raises(DataError, match="near= compares one column of text"):
            dedup(path, tmp_path / "out", by=by, near=True)
    with pytest.raises(DataError, match="by='id' is int64, and near= needs text"):
        dedup(path, tmp_path / "out", by="id", near=True)
