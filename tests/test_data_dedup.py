"""Exact deduplication of files: the first rows stay, in order, whatever the blocks and workers."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")

import numpy as np  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from shimhub.data import DataError, DecodeError, JobError, SchemaDriftError, dedup  # noqa: E402  # noqa: E402
from shimhub.data.deduplicating import _exact, _keys  # noqa: E402  # noqa: E402

ROWS = [{"id": i, "text": f"text {i % 7}"} for i in range(50)]
NUMBERS = st.lists(st.integers(0, 9), max_size=40)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSONL."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]], group: int = 7) -> Path:
    """Write rows as Parquet in small row groups."""
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    return path


def run(inputs: Any, out: Path, **told: Any) -> Any:
    """Deduplicate with one worker."""
    told.setdefault("workers", 1)
    return dedup(inputs, out, **told)


def texts(out: Path) -> list[str]:
    """Return the lines of the parts of an output, in order."""
    return [line for part in sorted(out.glob("part-*")) for line in part.read_text().splitlines()]


def rows_of(out: Path) -> list[dict[str, Any]]:
    """Return the rows of the Parquet parts of an output."""
    return [row for part in sorted(out.glob("part-*")) for row in pq.read_table(part).to_pylist()]


def files_of(out: Path) -> dict[str, bytes]:
    """Return the names and bytes of all files of an output."""
    return {
        str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()
    }


def test_the_first_row_of_each_text_stays_in_order(tmp_path):
    """JSONL lines that stay are those of the input, byte for byte."""
    path = write_jsonl(tmp_path / "a.jsonl", ROWS)
    result = run(path, tmp_path / "out", by="text", block_bytes=200)
    assert path.read_text().splitlines()[:7] == texts(tmp_path / "out")
    assert (50, 7, 43, 0, 7) == (
        result.rows_in,
        result.rows_out,
        result.exact,
        result.near,
        result.groups,
    )
    assert len(list((tmp_path / "out").glob("part-*"))) > 3


def test_the_report_tells_each_row_and_what_it_repeats(tmp_path):
    """_duplicates.parquet has file, row, and those of the row that was kept, in order."""
    first = write_jsonl(tmp_path / "a.jsonl", [{"t": "x"}, {"t": "y"}, {"t": "x"}])
    second = write_jsonl(tmp_path / "b.jsonl", [{"t": "z"}, {"t": "y"}])
    result = run([first, second], tmp_path / "out", by="t")
    told = {"kept_file": str(first), "kind": "exact", "similarity": 1.0}
    assert [
        {"file": str(first), "row": 2, "kept_row": 0, **told},
        {"file": str(second), "row": 1, "kept_row": 1, **told},
    ] == [
        {name: row[name] for name in ("file", "row", "kept_row", *told)}
        for row in pq.read_table(result.report).to_pylist()
    ]


def test_rows_in_the_report_count_from_the_beginning_of_the_file(tmp_path):
    """Blocks do not show in the numbers of rows."""
    path = write_jsonl(tmp_path / "a.jsonl", ROWS)
    result = run(path, tmp_path / "out", by="text", block_bytes=100)
    report = pq.read_table(result.report)
    assert list(range(7, 50)) == report["row"].to_pylist()
    assert [row % 7 for row in range(7, 50)] == report["kept_row"].to_pylist()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(NUMBERS, st.integers(1, 300), st.integers(1, 9))
def test_any_blocks_and_row_groups_give_polars_unique(tmp_path_factory, numbers, size, group):
    """Whole rows and columns: what stays is polars' unique(maintain_order=True)."""
    folder = tmp_path_factory.mktemp("any")
    rows = [{"n": number, "t": f"{number % 3}"} for number in numbers]
    schema = {"n": pl.Int64, "t": pl.String}
    wanted = pl.DataFrame(rows, schema).unique(maintain_order=True)
    table = pa.Table.from_pylist(rows, pa.schema([("n", pa.int64()), ("t", pa.string())]))
    pq.write_table(table, folder / "a.parquet", row_group_size=group)
    run(folder / "a.parquet", folder / "whole", block_bytes=size)
    assert wanted.to_dicts() == rows_of(folder / "whole")
    wanted = pl.DataFrame(rows, schema).unique("t", maintain_order=True, keep="first")
    run(folder / "a.parquet", folder / "by", by="t", block_bytes=size)
    assert wanted.to_dicts() == rows_of(folder / "by")


def test_workers_and_shards_do_not_show(tmp_path):
    """The same files, byte for byte: parts, report and manifest."""
    path = write_jsonl(tmp_path / "a.jsonl", ROWS)
    one = tmp_path / "one"
    run(path, one, by="text", block_bytes=300)
    run(path, tmp_path / "two", by="text", block_bytes=300, workers=2)
    run(path, tmp_path / "shards", by="text", block_bytes=300, workers=2, shards=3)
    assert files_of(one) == files_of(tmp_path / "two") == files_of(tmp_path / "shards")


def test_blocks_do_not_show_in_the_rows(tmp_path):
    """Parts joined are the same for any size of blocks, and so is one file."""
    path = write_jsonl(tmp_path / "a.jsonl", ROWS)
    run(path, tmp_path / "a", by="text", block_bytes=64)
    run(path, tmp_path / "b.jsonl", by="text", block_bytes=500)
    assert texts(tmp_path / "a") == (tmp_path / "b.jsonl").read_text().splitlines()
    assert 43 == pq.read_table(tmp_path / "b.jsonl.duplicates.parquet").num_rows


def test_inputs_keep_their_formats(tmp_path):
    """JSONL, packed JSONL, Parquet and CSV in one job: each part is as its input was."""
    rows = [{"t": "x", "n": "1"}, {"t": "y", "n": "2"}]
    (tmp_path / "d.csv").write_text("t,n\nx,1\nw,5\n")
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"t": "y", "n": "2"}\n{"t": "v",  "n": "3"}'))
    inputs = [
        write_jsonl(tmp_path / "a.jsonl", rows),
        packed,
        write_parquet(tmp_path / "c.parquet", [*rows, {"t": "u", "n": "4"}]),
        tmp_path / "d.csv",
    ]
    out = tmp_path / "out"
    run(inputs, out, by="t")
    names = ["part-00000.jsonl", "part-00001.jsonl.gz", "part-00002.parquet", "part-00003.csv"]
    assert names == sorted(path.name for path in out.glob("part-*"))
    assert b'{"t": "v",  "n": "3"}\n' == gzip.decompress((out / names[1]).read_bytes())
    assert [{"t": "u", "n": "4"}] == pq.read_table(out / names[2]).to_pylist()
    assert [["t", "n"], ["w", "5"]] == list(csv.reader((out / names[3]).read_text().splitlines()))


def test_whole_rows_are_equal_over_formats(tmp_path):
    """A JSON document, packed JSONL with keys in another order, and a folder of datasets'."""
    datasets = pytest.importorskip("datasets")
    (tmp_path / "a.json").write_text('[{"t": "x", "n": 1}, {"t": "y", "n": null}]')
    with pa.CompressedOutputStream(str(tmp_path / "b.jsonl.zst"), "zstd") as file:
        file.write(b'{"n": 1, "t": "x"}\n\n{"t":"z","n":3}')
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({"t": ["z", "u"], "n": [3, 1]}).save_to_disk(str(tmp_path / "c"))
    out = tmp_path / "out"
    run([tmp_path / name for name in ("a.json", "b.jsonl.zst", "c")], out)
    assert '{"t":"x","n":1}\n{"t":"y","n":null}\n' == (out / "part-00000.jsonl").read_text()
    with pa.input_stream(str(out / "part-00001.jsonl.zst"), compression="zstd") as file:
        assert b'{"t":"z","n":3}\n' == file.read()
    with pa.OSFile(str(out / "part-00002.arrow")) as file:
        assert [{"t": "u", "n": 1}] == pa.ipc.open_file(file).read_all().to_pylist()


def test_lines_of_text_keep_their_ends(tmp_path):
    """CR, CR LF and LF end rows, empty lines are rows, and what stays has its own end."""
    (tmp_path / "a.txt").write_bytes(b"x\r\ny\n\nx\nz\r\n\ny")
    result = run(tmp_path / "a.txt", tmp_path / "out", by="text")
    assert b"x\r\ny\n\nz\r\n" == (tmp_path / "out/part-00000.txt").read_bytes()
    assert [3, 5, 6] == pq.read_table(result.report)["row"].to_pylist()
    run(tmp_path / "a.txt", tmp_path / "whole.txt")
    assert b"x\r\ny\n\nz\r\n" == (tmp_path / "whole.txt").read_bytes()


def test_other_columns_may_differ(tmp_path):
    """By a column: files may have other keys, and a file's rows may."""
    first = write_jsonl(tmp_path / "a.jsonl", [{"t": "x"}, {"t": "y", "more": [1]}])
    second = write_jsonl(tmp_path / "b.jsonl", [{"other": 1, "t": "y"}, {"t": "z", "other": "s"}])
    run([first, second], tmp_path / "out", by="t")
    assert ['{"t": "x"}', '{"t": "y", "more": [1]}', '{"t": "z", "other": "s"}'] == texts(
        tmp_path / "out"
    )


def test_null_is_a_value_and_not_the_empty_text(tmp_path):
    """A null repeats a null, a missing key is one, and "" is another value."""
    rows = [{"t": None}, {"t": ""}, {"u": 1}, {"t": ""}, {"t": None}]
    path = write_jsonl(tmp_path / "a.jsonl", [{"t": "a"}, *rows])
    result = run(path, tmp_path / "out", by="t")
    assert (6, 3) == (result.rows_in, result.rows_out)


def test_nan_is_nan_and_zeros_are_equal(tmp_path):
    """Floats are equal as in polars and pandas."""
    values = [math.nan, 0.0, -math.nan, -0.0, 1.0, None, None]
    path = write_parquet(tmp_path / "a.parquet", [{"x": value} for value in values], 2)
    run(path, tmp_path / "out", block_bytes=1)
    kept = [row["x"] for row in rows_of(tmp_path / "out")]
    assert [True, False, False] == [math.isnan(value) for value in kept[:3]]
    assert [0.0, 1.0, None] == kept[1:]


def test_normalize_compares_other_texts_than_it_writes(tmp_path):
    """NFC and white space: what stays is written as it came."""
    rows = [{"t": "e\u0301  a"}, {"t": " \u00e9 a\n"}, {"t": "E\u0301 a"}]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    run(path, tmp_path / "none", by="t")
    run(path, tmp_path / "two", by="t", normalize="nfc+ws")
    run(path, tmp_path / "one", by="t", normalize="ws+nfc+lower")
    lines = path.read_text().splitlines()
    assert [lines, lines[::2], lines[:1]] == [texts(tmp_path / n) for n in ("none", "two", "one")]


def test_a_rule_that_is_not_known_is_told(tmp_path):
    """normalize= has names."""
    path = write_jsonl(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(DataError, match=r"'nfx' is none of nfc, nfkc, lower, ws"):
        run(path, tmp_path / "out", by="text", normalize="nfx")


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_no_rows_are_no_rows(tmp_path, content):
    """An empty file, and one of blank lines, give an empty part and an empty report."""
    full = write_jsonl(tmp_path / "a.jsonl", [{"t": "x"}])
    (tmp_path / "b.jsonl").write_text(content)
    (tmp_path / "c.parquet").write_bytes(
        write_parquet(tmp_path / "d.parquet", [{"t": "x"}]).read_bytes()
    )
    pq.write_table(pq.read_table(tmp_path / "c.parquet").slice(0, 0), tmp_path / "c.parquet")
    inputs = [full, tmp_path / "b.jsonl", tmp_path / "c.parquet"]
    result = run(inputs, tmp_path / "out", by="t")
    assert (1, 1, 0) == (result.rows_in, result.rows_out, result.exact)
    assert 0 == pq.read_table(result.report).num_rows


def test_one_row_stays(tmp_path):
    """A line without a line feed gets one."""
    (tmp_path / "a.jsonl").write_text('{"t": "x"}')
    run(tmp_path / "a.jsonl", tmp_path / "out", by="t")
    assert '{"t": "x"}\n' == (tmp_path / "out/part-00000.jsonl").read_text()


def test_a_million_equal_rows_are_one(tmp_path):
    """Their digests crowd in one place, and cost no more memory than others."""
    table = pa.table({"t": pa.array(["same"]).take(pa.array(np.zeros(1_000_000, np.int64)))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=50_000)
    result = run(tmp_path / "a.parquet", tmp_path / "out", block_bytes=1)
    assert (1_000_000, 1) == (result.rows_in, result.rows_out)
    report = pq.read_table(result.report)
    assert [0] == report["kept_row"].unique().to_pylist()
    assert list(range(1, 1_000_000)) == report["row"].to_pylist()


def test_keys_that_crowd_together_are_cut_where_they_lie():
    """Ranges are halved until few keys are in each, however alike they are; equal ones stay."""
    keys = np.sort(np.concatenate([np.arange(1000), np.full(500, 77), [2**63]]).astype(np.uint64))
    run_ = _keys.Run((keys,))
    found = list(_keys.ranges([run_, run_], 0, _keys.KEYS_END, 64))
    assert 2 * len(keys) == sum(len(_keys.gather([run_, run_], *each)[0]) for each in found)
    sizes = [len(_keys.gather([run_, run_], *each)[0]) for each in found]
    assert [1002] == [size for size in sizes if size > 64]
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(found))


def test_digests_whose_first_half_collides_are_two():
    """Both halves of a digest decide."""
    high = np.array([5, 5, 5, 5], dtype=np.uint64)
    low = np.array([2, 1, 2, 1], dtype=np.uint64)
    digests = np.stack([high, low], 1)
    kept, again, first = _exact._firsts(np.arange(4, dtype=np.uint32), digests)
    assert [1, 0] == kept["row"].tolist()
    assert ([2, 3], [0, 1]) == (again.tolist(), first.tolist())


def test_a_bad_line_is_told_or_left_out_and_counted(tmp_path):
    """on_error="skip" writes no bad line, and rows keep their numbers."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"t": "x"}\n{"t": \n{"t": "y"}\n{"t": "x"}\nbad')
    with pytest.raises(DecodeError, match=r"a\.jsonl, line 2"):
        run(path, tmp_path / "out", by="t")
    result = run(path, tmp_path / "skip", by="t", on_error="skip")
    assert ['{"t": "x"}', '{"t": "y"}'] == texts(tmp_path / "skip")
    assert [3] == pq.read_table(result.report)["row"].to_pylist()
    assert 2 == result.skipped == result.manifest["skipped"]["rows"]
    assert (3, 2) == (result.rows_in, result.rows_out)


@pytest.mark.parametrize(
    "line",
    [
        '{"t": "\\ud800"}',
        '{"t": "a", "t": "b"}',
        '{"t": "a"} {"t": "b"}',
        '{"t": "a"} null {"t": "b"}',  # pyarrow 26 crashes on it
        '{"t": "a"} null',
        "null",
        "[]",
    ],
)
def test_lines_that_are_no_such_rows_are_errors(tmp_path, line):
    """What Arrow's reader gives up, or is not certain of, is read strictly."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"t": "x"}\n' * 3 + line + "\n")
    with pytest.raises(DecodeError, match="line 4"):
        run(path, tmp_path / "out", by="t")


def test_a_value_of_another_type_is_an_error(tmp_path):
    """In a later block, and in another file."""
    path = tmp_path / "a.jsonl"
    path.write_text(('{"t": "%s"}\n' % ("x" * 89)) * 12_000 + '{"t": 1}\n')
    with pytest.raises(SchemaDriftError, match="line 12001, byte 1188000: column 't'"):
        run(path, tmp_path / "out", by="t")
    first = write_jsonl(tmp_path / "b.jsonl", [{"t": "x"}])
    second = write_jsonl(tmp_path / "c.jsonl", [{"t": 1}])
    with pytest.raises(SchemaDriftError, match=r"c\.jsonl: column 't' is int64, but string"):
        run([first, second], tmp_path / "out2", by="t")


def test_bytes_that_are_no_utf8_are_an_error(tmp_path):
    """In the column that is compared."""
    (tmp_path / "a.jsonl").write_bytes(b'{"t": "x"}\n{"t": "\xff"}\n')
    with pytest.raises(DecodeError, match="line 2"):
        run(tmp_path / "a.jsonl", tmp_path / "out", by="t")


def test_a_column_that_is_not_there_is_told(tmp_path):
    """With the nearest name."""
    path = write_jsonl(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(DataError, match=r"no column 'txet'.*'id', 'text'"):
        run(path, tmp_path / "out", by="txet")


def test_formats_are_not_changed(tmp_path):
    """One file of another format is refused before anything is read."""
    path = write_jsonl(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(DataError, match="formats are kept"):
        run(path, tmp_path / "out.parquet", by="text")


def test_nothing_to_look_for_is_an_error(tmp_path):
    """Neither exact nor near."""
    path = write_jsonl(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(DataError, match="nothing to look for"):
        run(path, tmp_path / "out", by="text", exact=False)


def test_a_foreign_file_is_not_overwritten_by_the_report(tmp_path):
    """Beside one file of output: refused before the work; a report of before needs overwrite."""
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n' * 2)
    report = tmp_path / "o.jsonl.duplicates.parquet"
    report.write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(JobError, match=r"duplicates\.parquet is there already"):
            dedup(tmp_path / "a.jsonl", tmp_path / "o.jsonl", overwrite=overwrite, workers=1)
    assert ("mine", {"a.jsonl", report.name}) == (report.read_text(), set(os.listdir(tmp_path)))
    report.unlink()
    for _ in range(2):
        assert 1 == dedup(tmp_path / "a.jsonl", tmp_path / "o.jsonl", workers=1).rows_out
    (tmp_path / "o.jsonl").unlink()
    (tmp_path / ".o.jsonl.manifest.json").unlink()
    with pytest.raises(JobError, match="overwrite=True replaces it"):
        dedup(tmp_path / "a.jsonl", tmp_path / "o.jsonl", workers=1)
    made = dedup(tmp_path / "a.jsonl", tmp_path / "o.jsonl", workers=1, overwrite=True)
    assert 1 == pq.read_table(made.report).num_rows
