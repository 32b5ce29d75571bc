"""Conversion of any format to any other: the same rows, in order, in one go or many."""

from __future__ import annotations

import functools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub.data import DataError, DecodeError, JobError, streaming_dataset_reader
from shimhub.data import convert as convert_with
from tests.data_jobs import environ, python, tree

ROWS = [
    {"id": n, "text": f"é {n}\n" if n % 3 else None, "chat": [{"role": "user", "at": n}] * (n % 3)}
    for n in range(100)
]
convert = functools.partial(convert_with, workers=1)
ENDS = ["parquet", "arrow", "jsonl", "jsonl.gz", "jsonl.zst"]
FLAT = ["csv", "csv.gz", "tsv", "tsv.zst"]


def read(path: Path, **options) -> list:
    """Return all rows of a file or folder."""
    with streaming_dataset_reader(path, output="rows", **options) as reader:
        return [row for batch in reader for row in batch]


def source(folder: Path, rows=ROWS, group: int = 7) -> Path:
    """Write a Parquet file of many row groups."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "in.parquet", row_group_size=group)
    return folder / "in.parquet"


@pytest.mark.parametrize("is_merged", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_rows_are_those_of_the_input(end, is_merged, tmp_path):
    """To each format that holds the rows, in parts and merged: the same rows come back."""
    out = tmp_path / (f"out.{end}" if is_merged else "out")
    made = convert(source(tmp_path), out, format=None if is_merged else end, block_bytes=2000)
    assert ROWS == read(out)
    assert 100 == made.rows == sum(part["rows"] for part in made.manifest["parts"])
    if is_merged:
        assert {"in.parquet", out.name, f".{out.name}.manifest.json"} == set(os.listdir(tmp_path))
    else:
        assert 1 < len(made.manifest["parts"])
        assert all(part["path"].endswith(end) for part in made.manifest["parts"])


@pytest.mark.parametrize("end", FLAT)
def test_csv_has_its_header_once(end, tmp_path):
    """Merged parts have one header, also where it is compressed; parts have one each."""
    rows = [{"a": n, "b": f'"{n},\n'} for n in range(50)]
    convert(source(tmp_path, rows), tmp_path / f"out.{end}", block_bytes=300)
    texts = [{"a": str(row["a"]), "b": row["b"]} for row in rows]
    assert texts == read(tmp_path / f"out.{end}")
    made = convert(source(tmp_path, rows), tmp_path / "parts", format=end, block_bytes=300)
    assert 3 < len(made.manifest["parts"])
    assert texts == read(tmp_path / "parts")


def test_a_merged_file_is_that_of_one_block(tmp_path):
    """Where parts are joined by bytes, how many there were does not show."""
    for end in ("jsonl", "csv", "tsv"):
        rows = [{"a": n, "b": f"{n}"} for n in range(50)]
        for size in (300, 1 << 20):
            convert(source(tmp_path, rows), tmp_path / f"{size}.{end}", block_bytes=size)
        assert (tmp_path / f"300.{end}").read_bytes() == (
            tmp_path / f"{1 << 20}.{end}"
        ).read_bytes()


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=4),
    st.integers(1, 40),
    st.integers(1, 3000),
    st.sampled_from([*ENDS, "csv"]),
)
@settings(max_examples=25, deadline=None)
def test_files_groups_and_blocks_do_not_show_in_the_rows(files, group, size, end):
    """Any split into files, row groups and blocks gives the same rows."""
    import tempfile

    rows, at = [{"n": str(n)} for n in range(sum(files))], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "in")
        folder.mkdir()
        for number, count in enumerate(files):
            table = pa.Table.from_pylist(rows[at : at + count], pa.schema([("n", pa.string())]))
            pq.write_table(table, folder / f"{number}.parquet", row_group_size=group)
            at += count
        convert(folder, Path(name, f"out.{end}"), block_bytes=size)
        assert rows == read(Path(name, f"out.{end}"))


def test_columns_are_chosen_in_their_order(tmp_path):
    """Only those, in that order; one that is not there is told."""
    convert(source(tmp_path), tmp_path / "out.jsonl", columns=["chat", "id"])
    assert ["chat", "id"] == list(json.loads((tmp_path / "out.jsonl").read_text().split("\n")[0]))
    with pytest.raises(DataError, match=r"did you mean 'text'"):
        convert(source(tmp_path), tmp_path / "no.jsonl", columns=["texts"])


def test_what_a_format_cannot_hold_is_told_before_anything_is_written(tmp_path):
    """Lists in CSV: the column, the cure, and no file."""
    with pytest.raises(DataError, match=r"column 'chat' is list.* CSV cannot hold: write jsonl"):
        convert(source(tmp_path), tmp_path / "out.csv")
    with pytest.raises(DataError, match="text has one column"):
        convert(source(tmp_path), tmp_path / "out.txt")
    assert ["in.parquet"] == os.listdir(tmp_path)
    with pytest.raises(DataError, match=r"row 0: column 'text': null"):
        convert(source(tmp_path), tmp_path / "out.txt", columns=["text"])
    assert not (tmp_path / "out.txt").exists()


def test_text_is_a_column(tmp_path):
    """Lines become rows of one column, and rows of one column lines."""
    (tmp_path / "in.txt").write_text("a\n\nb")
    convert(tmp_path / "in.txt", tmp_path / "out.jsonl")
    assert ["a", "", "b"] == [row["text"] for row in read(tmp_path / "out.jsonl")]
    convert(tmp_path / "out.jsonl", tmp_path / "back.txt")
    assert "a\n\nb\n" == (tmp_path / "back.txt").read_text()


def test_numbers_stay_what_they_are(tmp_path):
    """NaN, infinities and integers of 64 bits survive lines of JSON and come back."""
    rows = [{"f": math.inf, "u": 2**64 - 1, "i": -(2**63)}, {"f": 1e16, "u": 0, "i": 1}]
    schema = pa.schema([("f", pa.float64()), ("u", pa.uint64()), ("i", pa.int64())])
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "in.parquet")
    convert(tmp_path / "in.parquet", tmp_path / "out.jsonl")
    assert rows == read(tmp_path / "out.jsonl", schema=schema)


def test_how_inputs_are_read_is_told_in_words_of_one_level(tmp_path):
    """``input_format`` is that of the input, ``format`` the one to write."""
    (tmp_path / "in.dat").write_text("a;b\n1;x\n")
    told = {"input_format": "csv", "delimiter": ";", "infer": True}
    convert(tmp_path / "in.dat", tmp_path / "out", format="jsonl", **told)
    assert '{"a":1,"b":"x"}\n' == (tmp_path / "out" / "part-00000.jsonl").read_text()


def test_a_file_that_is_there_is_told_with_what_to_do(tmp_path):
    """That of another job is refused, and how to go on is told."""
    convert(source(tmp_path), tmp_path / "out.jsonl", workers=1)
    told = r"out\.jsonl is there already, .*: name another file, or pass overwrite=True"
    with pytest.raises(JobError, match=told):
        convert(source(tmp_path), tmp_path / "out.jsonl", workers=1, columns=["id"])
    assert 100 == convert(source(tmp_path), tmp_path / "out.jsonl", workers=1, overwrite=True).rows


def test_drift_is_unified_where_asked(tmp_path):
    """Files of other types: an error, or one schema for all parts."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"a":1}\n')
    (tmp_path / "in" / "b.jsonl").write_text('{"a":1.5,"b":"x"}\n')
    with pytest.raises(DataError, match="unify"):
        convert(tmp_path / "in", tmp_path / "out.parquet")
    convert(tmp_path / "in", tmp_path / "out.parquet", on_drift="unify", overwrite=True)
    assert [{"a": 1.0, "b": None}, {"a": 1.5, "b": "x"}] == pq.read_table(
        tmp_path / "out.parquet"
    ).to_pylist()


def test_what_was_skipped_is_in_the_manifest(tmp_path):
    """Bad lines are left out where asked, and told with file and line; else they are errors."""
    (tmp_path / "in.jsonl").write_text('{"a":1}\nbad\n{"a":2}\n')
    with pytest.raises(DataError, match=r"in\.jsonl, line 2"):
        convert(tmp_path / "in.jsonl", tmp_path / "out.csv")
    made = convert(tmp_path / "in.jsonl", tmp_path / "skip.csv", on_error="skip")
    assert '"a"\n"1"\n"2"\n' == (tmp_path / "skip.csv").read_text()
    assert 1 == made.skipped
    assert "line 2" in made.manifest["skipped"]["first"][0]


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_what_the_output_cannot_hold_is_an_error_with_its_row(on_error, tmp_path):
    """File and row of the input, and the cure; it can be read, so it is not skipped either."""
    table = pa.table({"text": [*map(str, range(30)), None]})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=10)
    problem = r"in\.parquet, row 30: column 'text': null.* jsonl"
    with pytest.raises(DecodeError, match=problem) as told:
        convert(
            tmp_path / "in.parquet",
            tmp_path / "out",
            format="text",
            on_error=on_error,
            block_bytes=1,
            workers=1,
        )
    assert ("leaves out what cannot be read" in str(told.value)) == (on_error == "skip")
    assert 30 == told.value.row


def test_an_input_is_never_written_to(tmp_path):
    """Over itself, or among what is read: refused, and it is as before."""
    before = source(tmp_path / "in").read_bytes()
    for out in ("in/in.parquet", "in", "in/out"):
        with pytest.raises(JobError, match="write the output elsewhere"):
            convert(tmp_path / "in", tmp_path / out, overwrite=True)
    assert before == (tmp_path / "in" / "in.parquet").read_bytes()


def test_hf_metadata_of_columns_that_are_left_out_goes(tmp_path):
    """`datasets` reads what is written, also where columns were chosen."""
    datasets = pytest.importorskip("datasets")
    given_ = datasets.Dataset.from_dict({"a": [1, 2], "b": ["x", "y"]})
    given_.to_parquet(str(tmp_path / "in.parquet"))
    convert(tmp_path / "in.parquet", tmp_path / "out.parquet", columns=["b"])
    back = datasets.Dataset.from_parquet(str(tmp_path / "out.parquet"), cache_dir=str(tmp_path))
    assert [{"b": "x"}, {"b": "y"}] == back.to_list()


MEMORY = """
import resource, sys
import pyarrow as pa
from shimhub.data import convert

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
convert(sys.argv[1], sys.argv[2], workers=1, block_bytes=1 << 22)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
@pytest.mark.parametrize("end", ["parquet", "jsonl.gz"])
def test_memory_does_not_grow_with_the_input(end, tmp_path):
    """Four times the rows: hardly more memory, merging included."""
    peaks = []
    for times in (1, 4):
        table = pa.table({"x": [f"{n:0600d}" for n in range(40_000)]})
        path = tmp_path / f"{times}.parquet"
        with pq.ParquetWriter(path, table.schema) as writer:
            for _ in range(times):
                writer.write_table(table, row_group_size=5_000)
        command = python(MEMORY, path, tmp_path / f"out{times}.{end}")
        told = subprocess.run(command, env=environ(), capture_output=True, text=True, check=True)
        peaks.append(int(told.stdout))
    assert peaks[1] < 1.3 * peaks[0] + 10_000


def test_processes_write_what_one_does(tmp_path):
    """Two workers, and one: the same bytes."""
    for workers in (1, 2):
        convert_with(
            source(tmp_path / "in"),
            tmp_path / f"{workers}",
            format="jsonl.gz",
            block_bytes=900,
            workers=workers,
        )
    assert tree(tmp_path / "1") == tree(tmp_path / "2")
