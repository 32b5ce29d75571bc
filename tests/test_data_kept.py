"""A file stays open between the look at its schema and its reading: shimhub.data._kept."""

from __future__ import annotations

import os
import pickle

import pytest

pytest.importorskip("pyarrow", reason="data needs pyarrow")

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

from shimhub.data import streaming_dataset_reader
from shimhub.data._kept import Kept
from shimhub.data._model import Options, Source
from shimhub.data.formats._formats import format_of

WRITE = {
    "parquet": pq.write_table,
    "arrow": lambda table, path: pyarrow.feather.write_feather(table, path, "uncompressed"),
}


@pytest.fixture(params=WRITE)
def source(request, tmp_path):
    """A small file of each kind that tells its schema."""
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


def test_a_reader_reads_the_file_whose_schema_it_told(source, tmp_path):
    """Another file of that name, written meanwhile, is not mixed with it."""
    reader = streaming_dataset_reader(source.path, output="columns")
    WRITE[source.format](pa.table({"n": range(100, 140)}), tmp_path / "other")
    os.replace(tmp_path / "other", source.path)
    assert [{"n": [0, 1, 2, 3, 4]}] == list(reader)


def test_it_is_closed_when_it_was_read(source):
    """And is held by nobody then."""
    options = looked_at(source)
    assert is_open(source)
    rows = sum(part.batch.num_rows for part in _parts(source, options))
    assert 5 == rows
    assert not is_open(source)
    assert 5 == sum(part.batch.num_rows for part in _parts(source, options)), "opened anew"


def _parts(source, options):
    from shimhub.data._model import Span

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
