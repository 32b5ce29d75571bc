"""to_hf: the rows and types of datasets.load_dataset, where these are those of the files."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import json
import os
import pickle
import subprocess
import sys

import pytest

pa = pytest.importorskip("pyarrow")
datasets = pytest.importorskip("datasets")
distributed = pytest.importorskip("datasets.distributed")

import pyarrow.parquet as pq  # noqa: E402 - after the check that it is there

from shimhub.data import DataError, DecodeError, SchemaDriftError, to_hf  # noqa: E402

CHAT = [
    {"id": 1, "messages": [{"role": "user", "content": "hi"}, {"role": "bot", "content": None}]},
    {"id": 2, "messages": []},
    {"id": 3, "messages": None},
]
#: pyarrow's name of a list's items differs between files; that of features does not.
COLUMNS = {
    "id": pa.array([1, 2, 3], pa.int64()),
    "byte": pa.array([1, None, 3], pa.uint8()),
    "big": pa.array([2**64 - 1, 0, None], pa.uint64()),
    "half": pa.array([0.5, 1.0, 2.0], pa.float16()),
    "flag": pa.array([True, None, False]),
    "none": pa.nulls(3),
    "text": pa.array(["a", None, "ü"]),
    "long": pa.array(["a", "b", "c"], pa.large_string()),
    "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
    "bytes": pa.array([b"\0", None, b"b"], pa.binary()),
    "day": pa.array([dt.date(2024, 2, 29)] * 3),
    "at": pa.array([1_700_000_000_000_000] * 3, pa.timestamp("us", "UTC")),
    "price": pa.array([decimal.Decimal("1.50")] * 3, pa.decimal128(10, 2)),
    "ids": pa.array([[1, 2], [], None], pa.list_(pa.int32())),
    "pair": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int32(), 2)),
    "chat": pa.array([row["messages"] for row in CHAT]),
    "deep": pa.array([{"a": {"b": [[1]]}}, None, {"a": None}]),
}


@pytest.fixture
def theirs(tmp_path):
    """Return load_dataset with a cache of the test's own."""

    def load(kind: str, path, **options):
        return datasets.load_dataset(
            kind, data_files=str(path), cache_dir=str(tmp_path / "theirs"), split="train", **options
        )

    return load


def same(one, two) -> None:
    """Assert that two datasets have the same features and rows."""
    assert one.features == two.features
    assert list(one) == list(two)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("streaming", [False, True])
def test_every_type_is_that_of_load_dataset(tmp_path, theirs, name, streaming):
    """Features and values of each Arrow type, nested ones too, are those of datasets itself."""
    pq.write_table(pa.table({name: COLUMNS[name]}), tmp_path / "a.parquet")
    mine = to_hf(tmp_path / "a.parquet", streaming=streaming)
    same(theirs("parquet", tmp_path / "a.parquet"), mine)


@pytest.mark.parametrize("streaming", [False, True])
def test_json_lines_are_those_of_load_dataset(tmp_path, theirs, streaming):
    """Chat messages, nulls and missing values of JSONL come as datasets reads them."""
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in CHAT))
    same(theirs("json", path), to_hf(path, streaming=streaming))


def test_a_compressed_file_is_the_same(tmp_path):
    """What the reader reads, is read: compression and several files, too."""
    (tmp_path / "a.jsonl").write_text(json.dumps(CHAT[0]) + "\n")
    rest = "".join(json.dumps(row) + "\n" for row in CHAT[1:])
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(rest.encode()))
    assert CHAT == list(to_hf([tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"]))


def test_csv_is_text_unless_types_are_asked_for(tmp_path, theirs):
    """Where load_dataset guesses, "007" stays what it is; infer=True guesses, too."""
    path = tmp_path / "a.csv"
    path.write_text("code,x\n007,1.5\n008,2.5\n")
    assert [{"code": 7, "x": 1.5}, {"code": 8, "x": 2.5}] == list(theirs("csv", path))
    mine = to_hf(path)
    assert [{"code": "007", "x": "1.5"}, {"code": "008", "x": "2.5"}] == list(mine)
    assert {"code": datasets.Value("string"), "x": datasets.Value("string")} == mine.features
    assert datasets.Value("double") == to_hf(path, infer=True).features["x"]


def test_columns_are_chosen_in_order(tmp_path):
    """``columns`` chooses, and tells the order."""
    pq.write_table(pa.table(COLUMNS), tmp_path / "a.parquet")
    assert ["text", "id"] == to_hf(tmp_path / "a.parquet", columns=["text", "id"]).column_names


def test_features_of_a_saved_dataset_are_kept(tmp_path):
    """Names of classes, which Arrow's types do not have, survive; the split is chosen."""
    features = datasets.Features({"label": datasets.ClassLabel(names=["no", "yes"])})
    saved = datasets.DatasetDict(
        {
            "train": datasets.Dataset.from_dict({"label": [0, 1]}, features=features),
            "test": datasets.Dataset.from_dict({"label": [1]}, features=features),
        }
    )
    saved.save_to_disk(str(tmp_path / "saved"))
    for streaming in (False, True):
        mine = to_hf(tmp_path / "saved", split="test", streaming=streaming)
        assert features == mine.features
        assert [{"label": 1}] == list(mine)
        assert "test" == mine.split


@pytest.mark.parametrize("streaming", [False, True])
def test_a_dict_gives_splits(tmp_path, streaming):
    """A dict of paths is a DatasetDict, each split with its name."""
    for name, value in (("a", 1), ("b", 2)):
        (tmp_path / f"{name}.jsonl").write_text(f'{{"x": {value}}}\n')
    made = to_hf({"train": tmp_path / "a.jsonl", "test": tmp_path / "b.jsonl"}, streaming=streaming)
    kind = datasets.IterableDatasetDict if streaming else datasets.DatasetDict
    assert isinstance(made, kind)
    found = {name: (list(one), one.split) for name, one in made.items()}
    assert {"train": ([{"x": 1}], "train"), "test": ([{"x": 2}], "test")} == found


@pytest.mark.parametrize(("what", "split"), [({}, None), ({"train": "a.jsonl"}, "train")])
def test_splits_are_named_once(what, split):
    """An empty dict, and a split beside a dict, are errors that say so."""
    with pytest.raises(DataError, match="a dict names the splits"):
        to_hf(what, split=split)


# ---- the cache file


def test_a_cache_file_is_written_once(tmp_path):
    """The same files and options use the file that is there; other ones have another."""
    path, cache = tmp_path / "a.jsonl", tmp_path / "cache"
    path.write_text('{"x": 1, "y": 2}\n')
    mine = to_hf(path, cache_dir=cache)
    (file,) = cache.iterdir()
    assert str(file) == mine.cache_files[0]["filename"]
    before = file.stat().st_mtime_ns
    to_hf(path, cache_dir=cache)
    assert before == file.stat().st_mtime_ns
    to_hf(path, cache_dir=cache, columns=["x"])
    assert 2 == len(list(cache.iterdir()))
    path.write_text('{"x": 3, "y": 4}\n')
    os.utime(path, ns=(1, 1))
    assert [{"x": 3, "y": 4}] == list(to_hf(path, cache_dir=cache))


def test_an_error_leaves_no_file(tmp_path):
    """Where the data cannot be read to its end, no cache file is there to be taken for it."""
    path, cache = tmp_path / "a.jsonl", tmp_path / "cache"
    path.write_text('{"x": 1}\n{"x"\n')
    with pytest.raises(DecodeError, match="line 2"):
        to_hf(path, cache_dir=cache, schema=pa.schema({"x": pa.int64()}))
    assert [] == list(cache.iterdir())


def test_a_temporary_file_goes_with_the_process(tmp_path):
    """Without ``cache_dir`` nothing is left when the process ends."""
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n')
    code = """
import sys
from shimhub.data import to_hf
made = to_hf(sys.argv[1])
assert [{"x": 1}] == list(made)
print(made.cache_files[0]["filename"])
"""
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.jsonl")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ).stdout.strip()
    assert told.startswith(str(tmp_path))
    assert not os.path.exists(told)
    assert ["a.jsonl"] == os.listdir(tmp_path)


def test_it_can_be_mapped_by_other_processes(tmp_path):
    """A Dataset in a named folder is pickled by the path of its file."""
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n')
    made = to_hf(tmp_path / "a.jsonl", cache_dir=tmp_path / "cache")
    assert [{"x": 1}] == list(pickle.loads(pickle.dumps(made)))


def test_types_that_datasets_cannot_hold_are_told(tmp_path):
    """The column is named, and the way to leave it out."""
    a_map = pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table({"x": [1], "m": a_map}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"column 'm' .* leave it out, as in columns=\['x'\]"):
        to_hf(tmp_path / "a.parquet")
    assert [{"x": 1}] == list(to_hf(tmp_path / "a.parquet", columns=["x"]))


def test_drift_is_an_error_unless_it_is_unified(tmp_path):
    """Files of other columns are told, and on_drift="unify" makes one schema of all."""
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"x": 1, "y": 2}\n')
    with pytest.raises(SchemaDriftError):
        to_hf(tmp_path)
    assert [{"x": 1, "y": None}, {"x": 1, "y": 2}] == list(to_hf(tmp_path, on_drift="unify"))


# ---- streaming


@pytest.fixture
def groups(tmp_path):
    """Two files of several row groups."""
    for name in "ab":
        ids = pa.table({"id": [f"{name}{i}" for i in range(25)]})
        pq.write_table(ids, tmp_path / f"{name}.parquet", row_group_size=10)
    return tmp_path


def test_a_streamed_dataset_goes_on_from_its_state(groups):
    """state_dict and load_state_dict of datasets give the very rows that were left."""
    whole = [row["id"] for row in to_hf(groups, streaming=True)]
    for at in (0, 1, 7, 25, 40, 50):
        first = to_hf(groups, streaming=True)
        rows = iter(first)
        assert whole[:at] == [next(rows)["id"] for _ in range(at)]
        second = to_hf(groups, streaming=True)
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        assert whole[at:] == [row["id"] for row in second]


def test_a_streamed_dataset_has_shards(groups):
    """Files can be read alone: nodes share them, each row once."""
    made = to_hf(groups, streaming=True)
    assert 2 == made.num_shards
    split = distributed.split_dataset_by_node
    found = [row["id"] for rank in (0, 1) for row in split(made, rank, 2)]
    assert [row["id"] for row in made] == found


def test_what_is_skipped_is_told_also_from_the_cache_and_of_streams(tmp_path, caplog):
    """Each call warns of how much, and of the first error."""
    file = tmp_path / "a.jsonl"
    file.write_text('{"a":1}\nx\n{"a":2}\n')
    for how in ({}, {"cache_dir": tmp_path / "c"}, {"cache_dir": tmp_path / "c"}):
        assert [1, 2] == to_hf(file, on_error="skip", **how)["a"][:]
        assert "1 rows, " in caplog.text
        assert "a.jsonl, line 2" in caplog.text
        caplog.clear()
    stream = to_hf(file, on_error="skip", streaming=True)
    for _ in range(2):
        assert [{"a": 1}, {"a": 2}] == list(stream)
        assert "1 rows, " in caplog.text
        caplog.clear()


def test_nothing_that_could_be_read_is_an_error(tmp_path):
    """As the reader tells it, and no file is left; of a share of several it is none."""
    file = tmp_path / "a.jsonl"
    file.write_text("{oops\n[1]\n")
    with pytest.raises(DecodeError, match=r"a\.jsonl, line 1"):
        to_hf(file, on_error="skip", cache_dir=tmp_path / "c")
    assert not list((tmp_path / "c").iterdir())
    with pytest.raises(DecodeError, match=r"a\.jsonl, line 1"):
        list(to_hf(file, on_error="skip", streaming=True))
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n')
    both = to_hf(tmp_path, on_error="skip", streaming=True, format="jsonl")
    shares = [distributed.split_dataset_by_node(both, rank, 2) for rank in (0, 1)]
    assert [[], [{"a": 1}]] == [list(share) for share in shares]


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.9999])
def test_a_cache_that_was_cut_short_is_written_again(share, tmp_path):
    """Also between two batches, where it looks whole."""
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": range(5000)}), file)
    to_hf(file, cache_dir=tmp_path / "c")
    (cache,) = (tmp_path / "c").glob("*.arrow")
    os.truncate(cache, int(cache.stat().st_size * share))
    assert list(range(5000)) == to_hf(file, cache_dir=tmp_path / "c")["a"][:]


def test_another_file_of_the_same_size_and_time_is_no_old_cache(tmp_path):
    """As ``rsync -t`` and ``cp -p`` leave it."""
    file, other = tmp_path / "a.jsonl", tmp_path / "b"
    file.write_text('{"a":1}\n')
    other.write_text('{"a":3}\n')
    assert [1] == to_hf(file, cache_dir=tmp_path / "c")["a"][:]
    time = file.stat().st_mtime_ns
    os.utime(other, ns=(time, time))
    other.replace(file)
    assert [3] == to_hf(file, cache_dir=tmp_path / "c")["a"][:]
