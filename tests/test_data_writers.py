"""Files of every format, as pyarrow, json and csv read them back."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import decimal
import gzip
import io
import json
import math
import os
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub.data import DataError, FormatError
from shimhub.data.writing import _writers as writers
from shimhub.data.writing._files import replacing, write_json
from shimhub.data.writing._writers import Writer, extension_of, write_file
from tests.data_jobs import environ, python, tree

DAY = dt.date(2024, 7, 1)
NOON = dt.datetime(2024, 7, 1, 12)  # noqa: DTZ001 - a time of no zone
#: Values of many Arrow types, and what a line of JSON has for them.
TYPES = [
    (pa.null(), None, None),
    (pa.bool_(), True, True),
    (pa.int8(), -128, -128),
    (pa.uint64(), 2**64 - 1, 2**64 - 1),
    (pa.int64(), -(2**63), -(2**63)),
    (pa.float16(), 1.5, 1.5),
    (pa.float32(), 0.1, 0.10000000149011612),
    (pa.float64(), 1e16, 1e16),
    (pa.float64(), math.inf, math.inf),
    (pa.string(), 'é"\n\u2028😀\x00\x7f', 'é"\n\u2028😀\x00\x7f'),
    (pa.large_string(), "a", "a"),
    (pa.string_view(), "a", "a"),
    (pa.binary(), b"\xff\x00", "/wA="),
    (pa.large_binary(), b"", ""),
    (pa.binary(2), b"ab", "YWI="),
    (pa.binary_view(), b"ab", "YWI="),
    (pa.date32(), DAY, "2024-07-01"),
    (pa.date64(), DAY, "2024-07-01"),
    (pa.time32("s"), dt.time(1, 2, 3), "01:02:03"),
    (pa.time64("ns"), dt.time(1, 2, 3, 4), "01:02:03.000004000"),
    (pa.timestamp("s"), NOON, "2024-07-01 12:00:00"),
    (pa.timestamp("us", "UTC"), NOON, "2024-07-01 12:00:00.000000Z"),
    (pa.timestamp("ms", "+02:00"), NOON, "2024-07-01 14:00:00.000+0200"),
    (pa.duration("ms"), dt.timedelta(seconds=1), 1000),
    (pa.decimal128(5, 2), decimal.Decimal("1.10"), "1.10"),
    (pa.decimal256(50, 0), decimal.Decimal(10**40), "1" + "0" * 40),
    (pa.dictionary(pa.int8(), pa.string()), "x", "x"),
    (pa.list_(pa.int32()), [1, None], [1, None]),
    (pa.list_(pa.date32()), [DAY], ["2024-07-01"]),
    (pa.large_list(pa.binary()), [b"ab", None], ["YWI=", None]),
    (pa.list_(pa.int8(), 2), [1, 2], [1, 2]),
    (pa.list_view(pa.string()), ["a"], ["a"]),
    (pa.list_(pa.dictionary(pa.int8(), pa.string())), ["x"], ["x"]),
    (
        pa.list_(pa.struct([("role", pa.string()), ("at", pa.timestamp("s"))])),
        [{"role": "user", "at": NOON}, None],
        [{"role": "user", "at": "2024-07-01 12:00:00"}, None],
    ),
    (pa.map_(pa.string(), pa.date32()), [("k", DAY)], [{"key": "k", "value": "2024-07-01"}]),
    (pa.json_(), '{"a":1}', '{"a":1}'),
]
#: Parts of types that a format has other ones for: Parquet has no seconds, and one kind of date.
CHANGED = {
    "x.parquet": ("date64", "[s]", "list_view"),
    "x.arrow": ("dictionary",),
}
ids = [f"{kind}-{at}" for at, (kind, _, _) in enumerate(TYPES)]


def column(kind: pa.DataType, value: object) -> pa.RecordBatch:
    """Return a batch of one column x: the value, null, and the value again."""
    rows = [value, None, value]
    if isinstance(kind, pa.BaseExtensionType):
        return pa.record_batch({"x": pa.array(rows, kind.storage_type).cast(kind)})
    return pa.record_batch({"x": pa.array(rows, kind)})


def written(path: Path, batch: pa.RecordBatch) -> Path:
    """Write a batch, and return the path."""
    write_file(str(path), [batch], batch.schema)
    return path


@pytest.mark.parametrize(("kind", "value", "expected"), TYPES, ids=ids)
def test_json_lines_hold_all_types(kind, value, expected, tmp_path):
    """Each type has the JSON that is documented; nulls stay."""
    path = written(tmp_path / "x.jsonl", column(kind, value))
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [{"x": expected}, {"x": None}, {"x": expected}] == rows


@pytest.mark.parametrize(("kind", "value", "_"), TYPES, ids=ids)
def test_parquet_and_arrow_hold_all_types(kind, value, _, tmp_path):
    """Types and values come back, but for the dictionaries of Arrow files, and what is told."""
    batch = column(kind, value)
    for name in ("x.parquet", "x.arrow"):
        path = written(tmp_path / name, batch)
        table = pq.read_table(path) if name == "x.parquet" else pa.ipc.open_file(path).read_all()
        assert batch["x"].to_pylist() == table["x"].to_pylist()
        if not any(word in str(kind) for word in CHANGED[name]):
            assert batch.schema.field("x").type == table.schema.field("x").type
        path.unlink()


@pytest.mark.parametrize(("kind", "value", "expected"), TYPES, ids=ids)
def test_csv_holds_what_is_one_value(kind, value, expected, tmp_path):
    """Python's csv reads each value as text; a list or struct is refused before a byte is there."""
    batch = column(kind, value).append_column("y", pa.array([1, 2, 3]))
    for name, delimiter in (("x.csv", ","), ("x.tsv", "\t")):
        if isinstance(expected, list):
            with pytest.raises(DataError, match=r"column 'x' is .* CSV cannot hold: write jsonl"):
                written(tmp_path / name, batch)
            assert [] == os.listdir(tmp_path)
            continue
        path = written(tmp_path / name, batch)
        rows = list(csv.reader(io.StringIO(path.read_text(), newline=""), delimiter=delimiter))
        assert ["x", "y"] == rows[0]
        assert [["", "2"], ["3"]] == [rows[2], rows[3][1:]]
        assert csv_text(kind, expected) == rows[1][0]
        path.unlink()


def csv_text(kind: pa.DataType, expected: object) -> str:
    """Return what CSV has, by what JSON has."""
    if pa.types.is_float32(kind):
        return "0.1"
    special = {None: "", True: "true", math.inf: "inf"}
    if expected is None or isinstance(expected, (bool, float)):
        return special.get(expected, str(expected))  # type: ignore[arg-type]
    return str(expected)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "s": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
                "i": st.none() | st.integers(-(2**63), 2**63 - 1),
                "l": st.none() | st.lists(st.booleans() | st.none(), max_size=3),
                "b": st.none() | st.binary(max_size=5),
            }
        )
    ),
    st.booleans(),
)
@settings(deadline=None)
def test_json_lines_are_the_same_with_and_without_orjson(rows, has_float):
    """What is installed does not show: the bytes are those of json."""
    types = {"b": pa.binary(), "i": pa.int64(), "l": pa.list_(pa.bool_()), "s": pa.string()}
    types |= {"f": pa.float64()} if has_float else {}
    rows = [dict(sorted(row.items())) | ({"f": 1e16} if has_float else {}) for row in rows]
    batch = pa.RecordBatch.from_pylist(rows, pa.schema(types))
    from shimhub.data.writing._text_encoders import JsonLines

    expected = "".join(
        json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=coded) + "\n"
        for row in rows
    )
    assert expected.encode() == JsonLines(batch.schema).encoded(batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "orjson", None)
        assert expected.encode() == JsonLines(batch.schema).encoded(batch)


def coded(value: bytes) -> str:
    """Return base64."""
    return base64.b64encode(value).decode()


def test_nan_is_as_pythons_json_has_it(tmp_path):
    """NaN and infinities are NaN and Infinity: nothing turns into null."""
    path = written(tmp_path / "x.jsonl", pa.record_batch({"x": [math.nan, -math.inf]}))
    assert '{"x":NaN}\n{"x":-Infinity}\n' == path.read_text()


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))),
    st.sampled_from(["txt", "txt.gz", "txt.zst"]),
)
@settings(deadline=None, max_examples=40)
def test_text_holds_lines(
    rows,
    end,
):
    """A row is a line; pyarrow and zlib read what is compressed."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        batch = pa.record_batch({"text": pa.array(rows, pa.string())})
        path = written(Path(folder, f"x.{end}"), batch)
        assert "".join(f"{row}\n" for row in rows).encode() == content(path)


def content(path: Path) -> bytes:
    """Return what is in a file, decompressed by pyarrow."""
    if path.suffix == ".zst":
        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
            return stream.read()
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.mark.parametrize(
    ("batch", "problem"),
    [
        ({"a": ["x"], "b": ["y"]}, "text has one column of strings, and here is a: string, b"),
        ({"a": [1]}, "here is a: int64"),
        ({"a": ["x", None]}, "x.txt, row 1: column 'a': null"),
        ({"a": ["x", "y", "z\n"]}, "row 2: column 'a': text with a line break"),
        ({"a": ["\r"]}, "row 0: column 'a': text with a line break"),
    ],
)
def test_what_text_cannot_hold_is_told(batch, problem, tmp_path):
    """Other columns, nulls and line breaks are errors that name the row, and leave no file."""
    with pytest.raises(DataError, match=problem):
        written(tmp_path / "x.txt", pa.record_batch(batch))
    assert [] == os.listdir(tmp_path)


@pytest.mark.parametrize("end", ["jsonl", "csv", "txt"])
def test_text_that_is_no_utf8_is_told(end, tmp_path):
    """What pyarrow would write to CSV as it is: an error with the row; Parquet keeps the bytes."""
    texts = pa.array([b"a", b"\xff"]).cast(pa.binary()).view(pa.string())
    path = tmp_path / f"x.{end}"
    schema = pa.schema([("a", pa.string())])
    batches = [pa.record_batch({"a": ["x", "y"]}), pa.record_batch([texts], schema=schema)]
    with pytest.raises(DataError, match=r"row 3: column 'a': .*no UTF-8.*; mend it"):
        write_file(str(path), batches, schema)
    assert [] == os.listdir(tmp_path)
    write_file(str(tmp_path / "x.parquet"), [pa.record_batch([texts], schema=schema)], schema)
    assert pq.read_table(tmp_path / "x.parquet").column("a").chunk(0).equals(texts)


BEYOND = [
    (pa.date32(), 10**8),
    (pa.timestamp("s"), 10**13),
    (pa.timestamp("s", "UTC"), 10**13),
    (pa.time64("ns"), 10**18),
]


@pytest.mark.parametrize(("kind", "far"), BEYOND, ids=str)
@pytest.mark.parametrize("end", ["jsonl", "csv"])
def test_times_without_a_text_are_told(end, kind, far, tmp_path):
    """Where pyarrow would write "<value out of range>": an error with the row, nested ones too."""
    times = pa.array([0, None, far], pa.int64())
    times = times.cast(pa.int32()).cast(kind) if kind == pa.date32() else times.view(kind)
    path = str(tmp_path / f"x.{end}")
    columns = [times, times.dictionary_encode()]
    if end == "jsonl":
        columns += [pa.StructArray.from_arrays([times], ["t"])]
        columns += [pa.ListArray.from_arrays([0, 1, 2, 3], times)]
        columns += [pa.MapArray.from_arrays([0, 1, 2, 3], ["a", "b", "c"], times)]
    for column in columns:
        batch = pa.record_batch({"x": column})
        with pytest.raises(DataError, match="row 2: column 'x': a date or time that has no text"):
            write_file(path, [batch], batch.schema)
        assert 2 == write_file(path, [batch.slice(0, 2)], batch.schema)["rows"]


def test_types_and_names_that_cannot_be_are_told(tmp_path):
    """A column that no text has, or that is there twice, is named with the cure."""
    twice = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    inner = pa.struct([pa.field("k", pa.int8()), pa.field("k", pa.int8())])
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    for name, batch, problem in [
        ("x.jsonl", twice, "column 'x' is there twice"),
        ("x.csv", twice, "column 'x' is there twice"),
        ("x.jsonl", pa.record_batch({"x": pa.nulls(1, inner)}), "column 'x.k' is there twice"),
        ("x.jsonl", pa.record_batch({"x": union}), "'x' is .*JSON cannot hold: write parquet"),
        ("x.parquet", pa.record_batch({"x": union}), "'x' is .*which cannot be written"),
        ("x.jsonl", column(pa.month_day_nano_interval(), None), "JSON cannot hold"),
    ]:
        with pytest.raises(DataError, match=problem):
            written(tmp_path / name, batch)
    assert [] == os.listdir(tmp_path)


def test_run_ends_are_written_as_values(tmp_path):
    """A run-end encoded column has the JSON of its values."""
    runs = pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"])
    path = written(tmp_path / "x.jsonl", pa.record_batch({"x": runs}))
    assert '{"x":"a"}\n{"x":"a"}\n{"x":"b"}\n' == path.read_text()


def test_a_null_alone_in_a_row_of_csv_is_still_a_row(tmp_path):
    """One column with a null: the line is "", since readers leave out empty lines."""
    path = written(tmp_path / "x.csv", pa.record_batch({"x": pa.array([1, None, 3])}))
    assert '"x"\n"1"\n""\n"3"\n' == path.read_text()


def test_csv_keeps_quotes_breaks_and_empty_text_apart_from_null(tmp_path):
    """Quotes are doubled, "" is text, nothing is null."""
    rows = ['a"b', "c\nd", "", None, "e,f"]
    path = written(tmp_path / "x.csv", pa.record_batch({"a": rows, "b": [1, 2, 3, 4, 5]}))
    expected = '"a","b"\n"a""b",1\n"c\nd",2\n"",3\n,4\n"e,f",5\n'
    assert expected == path.read_text()


def test_dictionaries_of_many_batches_fit_one_arrow_file(tmp_path):
    """Batches with dictionaries of their own are written as values."""
    batches = [pa.record_batch({"x": pa.array([one]).dictionary_encode()}) for one in "ab"]
    for name in ("x.arrow", "x.parquet"):
        write_file(str(tmp_path / name), batches, batches[0].schema)
    assert ["a", "b"] == pa.ipc.open_file(tmp_path / "x.arrow").read_all()["x"].to_pylist()
    assert ["a", "b"] == pq.read_table(tmp_path / "x.parquet")["x"].to_pylist()


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_small_batches_become_large_groups(name, tmp_path, monkeypatch):
    """Rows are joined up to so many, or so many bytes; none is lost."""
    monkeypatch.setattr(writers, "GROUP_ROWS", 100)
    monkeypatch.setattr(writers, "GROUP_BYTES", 4000)
    batches = [pa.record_batch({"x": [str(at)], "n": [at]}) for at in range(250)]
    batches.append(pa.record_batch({"x": ["y" * 5000], "n": [250]}))
    path = tmp_path / f"x.{name}"

    told = write_file(str(path), batches, batches[0].schema)

    table = pq.read_table(path) if name == "parquet" else pa.ipc.open_file(path).read_all()
    assert list(range(251)) == table["n"].to_pylist()
    assert {"rows": 251, "head": 0} == told
    groups = (
        pq.ParquetFile(path).num_row_groups
        if name == "parquet"
        else pa.ipc.open_file(path).num_record_batches
    )
    assert 3 == groups


@pytest.mark.parametrize("end", ["parquet", "arrow", "jsonl", "csv", "tsv", "txt.gz", "csv.zst"])
def test_no_rows_are_a_file_with_a_schema(end, tmp_path):
    """An empty file is one of its format: header or footer are there."""
    schema = pa.schema([("x", pa.string())])
    path = tmp_path / f"x.{end}"
    told = write_file(str(path), [], schema)
    assert 0 == told["rows"]
    if end == "parquet":
        assert schema == pq.read_schema(path)
    elif end == "arrow":
        assert schema == pa.ipc.open_file(path).schema
    else:
        head = b'"x"\n' if end[:3] in {"csv", "tsv"} else b""
        assert head == content(path)
        assert told["head"] == (path.stat().st_size if head else 0)


@pytest.mark.parametrize("end", ["csv", "csv.gz", "tsv.zst"])
def test_the_header_can_be_cut_off(end, tmp_path):
    """The first ``head`` bytes of a file are its header, compressed alone: the rest is the rows."""
    path = tmp_path / f"x.{end}"
    told = write_file(str(path), [pa.record_batch({"x": ["a"]})], pa.schema([("x", pa.string())]))
    rest = tmp_path / f"rest.{end}"
    rest.write_bytes(path.read_bytes()[told["head"] :])
    assert b'"a"\n' == content(rest)
    with Writer(str(path), pa.schema([("x", pa.string())]), header=False) as writer:
        writer.write(pa.record_batch({"x": ["a"]}))
    assert rest.read_bytes()[-20:] == path.read_bytes()[-20:]
    assert 0 == writer.told["head"]


def test_zstd_is_in_frames_that_decompress_alone(tmp_path):
    """Nine MiB of lines are three frames; the whole is what came in."""
    lines = b"".join(b"%07d\n" % at for at in range(9 << 17))
    with Writer(str(tmp_path / "x.txt.zst"), pa.schema([("x", pa.string())])) as writer:
        writer.write_lines(lines[: 1 << 20], 1 << 17)
        writer.write_lines(lines[1 << 20 :], 8 << 17)
    packed = (tmp_path / "x.txt.zst").read_bytes()
    assert 3 == packed.count(b"\x28\xb5\x2f\xfd")
    assert lines == content(tmp_path / "x.txt.zst")
    assert 9 << 17 == writer.told["rows"]


def test_gzip_has_no_time_and_no_name(tmp_path):
    """The header of a member tells flags 0 and time 0 (RFC 1952)."""
    path = written(tmp_path / "x.jsonl.gz", pa.record_batch({"x": [1]}))
    assert b"\x1f\x8b\x08\x00\x00\x00\x00\x00" == path.read_bytes()[:8]
    assert b'{"x":1}\n' == zlib.decompress(path.read_bytes(), 31)


def test_lines_that_are_none_are_refused(tmp_path):
    """Lines go into text formats alone, and end in a newline."""
    schema = pa.schema([("x", pa.string())])
    for name, lines, problem in [
        ("x.parquet", b"x\n", "lines are not written"),
        ("x.jsonl", b"x", "no newline"),
    ]:
        with (
            pytest.raises(DataError, match=problem),
            Writer(str(tmp_path / name), schema) as writer,
        ):
            writer.write_lines(lines, 1)
    assert [] == os.listdir(tmp_path)


FULL = """
import resource, sys
import pyarrow as pa
from shimhub.data.writing._writers import write_file

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
batch = pa.record_batch({"x": [f"{at * at}" for at in range(100_000)]})
for end in ("parquet", "arrow", "jsonl", "csv"):
    try:
        write_file(f"{sys.argv[1]}/x.{end}", [batch], batch.schema)
    except OSError as error:
        print(error.strerror, error.filename)
"""


def test_a_disk_that_is_full_leaves_nothing(tmp_path):
    """Where the system takes no more bytes: its error, which names the file; and no file."""
    pytest.importorskip("resource")
    told = subprocess.run(
        python(FULL, tmp_path), env=environ(), capture_output=True, text=True, check=True
    )
    expected = [
        f"File too large {tmp_path}/x.{end}" for end in ("parquet", "arrow", "jsonl", "csv")
    ]
    assert expected == told.stdout.splitlines()
    assert ([], "") == (os.listdir(tmp_path), told.stderr)


@pytest.mark.parametrize(
    "name", ["x", "x.json", "x.md", "x.parquet.gz", "x.arrow.zst", "x.jsonl.xz"]
)
def test_names_that_say_no_format_are_refused(name, tmp_path):
    """What is not written, or not compressed so, is told with what is."""
    with pytest.raises(FormatError, match=r"name says no format|is not written|write \."):
        write_file(str(tmp_path / name), [], pa.schema([("x", pa.string())]))


def test_extensions_are_told():
    """The end of a file's name by format and compression."""
    assert "txt.gz" == extension_of("text", "gzip")
    assert "jsonl" == extension_of("jsonl", "none")


# ---- whole or not at all


@pytest.mark.parametrize("end", ["parquet", "arrow", "jsonl.gz", "csv"])
def test_an_error_leaves_what_was_there(end, tmp_path):
    """An exception in the middle: the old file is as it was, and no other is beside it."""
    path = tmp_path / f"x.{end}"
    path.write_bytes(b"old")
    schema = pa.schema([("x", pa.string())])
    with pytest.raises(ValueError, match="no more"):
        write_file(str(path), ending(), schema)
    assert (b"old", [f"x.{end}"]) == (path.read_bytes(), os.listdir(tmp_path))


def ending():
    """Yield a batch, then raise."""
    yield pa.record_batch({"x": ["a"]})
    raise ValueError("no more")


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    """Inside the block the path has the old content; the scratch file lies where it is told."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    path = tmp_path / "x.json"
    path.write_bytes(b"old")
    with replacing(str(path), str(scratch)) as file:
        file.write(b"new")
        file.flush()
        assert b"old" == path.read_bytes()
        assert 1 == len(os.listdir(scratch))
    assert (b"new", []) == (path.read_bytes(), os.listdir(scratch))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_is_written_into(tmp_path):
    """It stays what it is, and who reads it gets all of it."""
    path, found = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    write_json(str(path), {"a": 1})
    reader.join()
    assert {"a": 1} == json.loads(found[0])
    assert path.is_fifo()
    assert [path] == list(tmp_path.iterdir())


def test_a_file_that_cannot_be_made_leaves_nothing(tmp_path):
    """A folder that is not there, or a folder in the place of the file, is the system's error."""
    with pytest.raises(FileNotFoundError):
        write_json(str(tmp_path / "none" / "x"), {})
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        write_json(str(tmp_path / "taken"), {})
    assert ["taken"] == os.listdir(tmp_path)


def test_permissions_are_those_of_the_umask(tmp_path):
    """A new file is as open as any other of the user."""
    before = os.umask(0o027)
    try:
        write_json(str(tmp_path / "x"), {})
    finally:
        os.umask(before)
    assert 0o640 == (tmp_path / "x").stat().st_mode & 0o777


SAME = """
import sys, time
import pyarrow as pa
from shimhub.data.writing._writers import write_file

batch = pa.record_batch({"x": ["a", "b"] * 500, "n": list(range(1000))})
for end in ("parquet", "arrow", "jsonl", "jsonl.gz", "csv.zst", "tsv"):
    write_file(f"{sys.argv[1]}/x.{end}", [batch], batch.schema)
"""


def test_bytes_do_not_depend_on_process_and_time(tmp_path):
    """Another process, at another time and place, with another hash seed: the same bytes."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        command = python(SAME, tmp_path / name)
        subprocess.run(command, env=environ(PYTHONHASHSEED=str(len(name))), check=True)
    assert 6 == len(tree(tmp_path / "one"))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_strings_of_a_slice_are_its_own(tmp_path):
    """A slice of a batch is written without what is around it."""
    batch = pa.record_batch({"x": ["a", "b", "c"], "l": [[1], [2], [3]]}).slice(1, 1)
    assert '{"x":"b","l":[2]}\n' == written(tmp_path / "x.jsonl", batch).read_text()
    assert pc.equal(pq.read_table(written(tmp_path / "x.parquet", batch))["x"], "b").to_pylist()
