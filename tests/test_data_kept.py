"""A file stays open between the look at its schema and its reading: shimhub.data._kept."""

from __future__ import annotations

import gzip
import json
import os
import pickle
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="data needs pyarrow")

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

from shimhub.data import streaming_dataset_reader
from shimhub.data._kept import Kept
from shimhub.data._model import Options, Source, Span
from shimhub.data.errors import SchemaDriftError
from shimhub.data.formats import _json_arrow, _jsonl
from shimhub.data.formats._formats import format_of


def write_lines(table, path):
    """Write rows as JSONL."""
    Path(path).write_text("".join(f"{json.dumps(row)}\n" for row in table.to_pylist()))


def write_array(table, path):
    """Write rows as an array of JSON."""
    Path(path).write_text(json.dumps(table.to_pylist()))


WRITE = {
    "jsonl": write_lines,
    "json": write_array,
    "parquet": pq.write_table,
    "arrow": lambda table, path: pyarrow.feather.write_feather(table, path, "uncompressed"),
}


@pytest.fixture(params=WRITE)
def source(request, tmp_path):
    """A small file of each kind that is opened for its schema."""
    path = tmp_path / f"data.{request.param}"
    WRITE[request.param](pa.table({"n": range(5)}), path)
    return Source(str(path), request.param)


def looked_at(source):
    """Return options that hold the source, as its schema was asked for."""
    options = Options(kept=Kept())
    format_of(source).schema(source, options)
    return options


def open_files():
    """Return the paths of the open and mapped files of this process."""
    links = [f"/proc/self/fd/{one}" for one in os.listdir("/proc/self/fd")]
    with open("/proc/self/maps", encoding="utf-8") as maps:
        mapped = [line.split()[-1] for line in maps]
    return {*mapped, *(os.readlink(one) for one in links if os.path.exists(one))}


def is_open(source):
    """Whether this process has the file open, or in memory."""
    return source.path in open_files()


@pytest.mark.parametrize("output", ["columns", "rows"])
def test_a_reader_reads_the_file_whose_schema_it_told(source, tmp_path, output):
    """Another file of that name, written meanwhile, is not mixed with it."""
    reader = streaming_dataset_reader(source.path, output=output)
    WRITE[source.format](pa.table({"n": range(100, 140)}), tmp_path / "other")
    os.replace(tmp_path / "other", source.path)
    wanted = {"columns": {"n": [0, 1, 2, 3, 4]}, "rows": [{"n": n} for n in range(5)]}
    assert [wanted[output]] == list(reader)
    assert not is_open(source)


def test_it_is_closed_when_it_was_read(source):
    """And is held by nobody then."""
    options = looked_at(source)
    assert is_open(source)
    rows = sum(part.batch.num_rows for part in _parts(source, options))
    assert 5 == rows
    assert not is_open(source)
    assert 5 == sum(part.batch.num_rows for part in _parts(source, options)), "opened anew"


def _parts(source, options):
    return format_of(source).batches(source, Span(), options)


def test_closing_a_reader_closes_it(source):
    """Also one that was never read."""
    reader = streaming_dataset_reader(source.path)
    assert is_open(source)
    reader.close()
    assert not is_open(source)


def test_one_file_is_held_at_most(source, tmp_path):
    """However many are looked at."""
    options = looked_at(source)
    path = tmp_path / "second"
    WRITE[source.format](pa.table({"n": range(5)}), path)
    second = Source(str(path), source.format)
    format_of(source).schema(second, options)
    assert not is_open(source)
    assert options.kept.take(source) is None
    assert options.kept.take(second) is not None


def test_what_is_pickled_holds_none(source):
    """The other process opens it itself."""
    options = looked_at(source)
    found = pickle.loads(pickle.dumps(options))
    assert found.kept.take(source) is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_process_that_was_forked_has_none(source):
    """Both would move the place of one file."""
    kept = looked_at(source).kept
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, b"none" if kept.take(source) is None else b"held")
        os._exit(0)
    os.waitpid(child, 0)
    assert b"none" == os.read(read, 4)
    os.close(read)
    os.close(write)
    assert kept.take(source) is not None


def test_a_look_that_fails_holds_none(tmp_path):
    """There is nothing to read then."""
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 is no file")
    options = Options(kept=Kept())
    source = Source(str(tmp_path / "bad.parquet"), "parquet")
    with pytest.raises(Exception, match=r"bad\.parquet"):
        format_of(source).schema(source, options)
    assert options.kept.take(source) is None
    assert not is_open(source)


def parses(monkeypatch, call):
    """Return what a call returns, and how many bytes of JSON Arrow was given meanwhile."""
    read, sizes = _json_arrow.read_lines, []
    monkeypatch.setattr(
        _json_arrow, "read_lines", lambda data, *more: sizes.append(len(data)) or read(data, *more)
    )
    return call(), sum(sizes)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json"])
def test_the_block_that_tells_the_schema_is_parsed_once(tmp_path, monkeypatch, name):
    """Of three mebibytes none is parsed twice, and blocks behind it follow without a gap."""
    rows = [{"n": n, "t": "x" * 3000} for n in range(1000)]
    text = json.dumps(rows) if name == "a.json" else "".join(f"{json.dumps(r)}\n" for r in rows)
    data = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
    (tmp_path / name).write_bytes(data)
    reader = streaming_dataset_reader(tmp_path / name, output="columns", batch_size=1000)
    found, size = parses(monkeypatch, lambda: list(reader))
    assert [{"n": list(range(1000)), "t": ["x" * 3000] * 1000}] == found
    assert size < len(text) - _jsonl.FIRST // 2


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (['{"n": "2024-01-01"}', '{"n": "x"}'], ["2024-01-01", "x"]),
        (['{"n": "2024-01-01"}', '{"n": "2024-01-02"}'], ["2024-01-01", "2024-01-02"]),
        (['{"n": 0.5}', '{"n": 9007199254740992}'], [0.5, 9007199254740992.0]),
        (['{"n": null}', '{"n": null}'], [None, None]),
    ],
)
def test_what_arrow_guessed_otherwise_is_parsed_by_the_schema(tmp_path, lines, wanted):
    """Strings that look like times stay strings; a large integer is looked at in the text."""
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert [{"n": wanted}] == list(streaming_dataset_reader(tmp_path / "a.jsonl", output="columns"))


def test_an_integer_that_the_first_block_rounds_is_refused(tmp_path):
    """As the same line is in any later block."""
    (tmp_path / "a.jsonl").write_text('{"n": 0.5}\n{"n": 9007199254740993}\n')
    with pytest.raises(SchemaDriftError, match="line 2, byte 11: column 'n': int, not exact"):
        list(streaming_dataset_reader(tmp_path / "a.jsonl", output="columns"))


def test_a_shard_reads_its_own_span(tmp_path):
    """What is held is of the whole file."""
    write_lines(pa.table({"n": range(200)}), tmp_path / "a.jsonl")
    source = Source(str(tmp_path / "a.jsonl"), "jsonl", size=(tmp_path / "a.jsonl").stat().st_size)
    options = looked_at(source)
    spans = [Span(0, 500), Span(500)]
    parts = [part.batch for span in spans for part in _jsonl.batches(source, span, options)]
    assert list(range(200)) == pa.Table.from_batches(parts)["n"].to_pylist()
    assert not is_open(source)


def test_what_a_first_block_of_errors_leaves_out_is_counted(tmp_path):
    """The block that tells the schema then is not the first: reading begins with that."""
    bad = b"{" + b"x" * ((1 << 16) - 2) + b"\n"
    (tmp_path / "a.jsonl").write_bytes(bad * (_jsonl.FIRST // len(bad)) + b'{"n": 1}\n')
    reader = streaming_dataset_reader(tmp_path / "a.jsonl", output="columns", on_error="skip")
    assert [{"n": [1]}] == list(reader)
    assert 16 == reader.skipped.rows
