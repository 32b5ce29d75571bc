"""Formats and compressions: by name, by first bytes, and what is not read."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import zipfile

import pytest

pa = pytest.importorskip("pyarrow", reason="data needs pyarrow")

import pyarrow.parquet as pq  # noqa: E402 - after importorskip
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from shimhub.data.errors import FormatError  # noqa: E402
from shimhub.data.sources._detect import detect  # noqa: E402
from shimhub.data.sources._names import EXTENSIONS, PACKED, by_name, named_format  # noqa: E402

TABLE = pa.table({"a": [1, 2], "b": ["x", "y"]})
#: The pairs that fast-axolotl 0.2.0's detect_format tells right, and those that it does not
#: (.text, .tab, .pq, .arrows are JSON for it, and .tsv is CSV with commas).
BASES = {
    ".parquet": "parquet", ".arrow": "arrow", ".ipc": "arrow", ".feather": "arrow",
    ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv",
    ".txt": "text", ".text": "text", ".pq": "parquet", ".arrows": "arrow", ".tab": "tsv",
}  # fmt: skip
ENDS = {"": None, ".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}


def parquet_bytes() -> bytes:
    """Return the table as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(TABLE, sink)
    return sink.getvalue()


def ipc_bytes(make) -> bytes:
    """Return the table as an IPC file or stream."""
    sink = io.BytesIO()
    with make(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return sink.getvalue()


CONTENT = {
    "parquet": parquet_bytes(),
    "arrow": ipc_bytes(pa.ipc.new_file),
    "json": b'[{"a": 1}, {"a": 2}]',
    "jsonl": b'{"a": 1}\n{"a": 2}\n',
    "csv": b"a,b\n1,2\n",
    "tsv": b"a\tb\n1\t2\n",
    "text": b"one\ntwo\n",
}
STREAM = ipc_bytes(pa.ipc.new_stream)


def packed(data: bytes, compression: str | None) -> bytes:
    """Return the bytes in one gzip member or zstd frame."""
    if compression is None:
        return data
    return (
        pa.compress(data, codec="zstd", asbytes=True)
        if compression == "zstd"
        else gzip.compress(data)
    )


def told(name: str, data: bytes, format=None, compression=None):  # noqa: A002
    """Return what ``detect`` says of a file of that name and content."""
    return detect(name, lambda: io.BytesIO(data), *named_format(format, compression))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("base", BASES)
def test_every_extension_with_every_compression(base, end):
    """Base formats times none, gzip and zstd are told by name, and by content with no note."""
    assert (BASES[base], ENDS[end]) == by_name("a.b/data" + base.upper() + end)
    found = told("data" + base + end, packed(CONTENT[BASES[base]], ENDS[end]))
    assert (BASES[base], ENDS[end], "") == (found.format, found.compression, found.note)


def test_the_tables_of_names_are_those_of_the_test():
    """No extension is read that is not tested here."""
    assert set(EXTENSIONS) == set(BASES)
    assert set(PACKED) == set(ENDS) - {""}


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
@pytest.mark.parametrize("form", ["parquet", "arrow", "json", "jsonl"])
def test_without_an_extension_the_bytes_tell(form, compression):
    """Magic numbers and JSON are known without a name, compressed as well."""
    found = told("data", packed(CONTENT[form], compression))
    assert (form, compression) == (found.format, found.compression)


def test_an_ipc_stream_is_arrow():
    """Bytes ff ff ff ff and a length begin a stream."""
    assert "arrow" == told("data", STREAM).format


@pytest.mark.parametrize("form", ["csv", "tsv", "text"])
def test_text_without_an_extension_is_not_guessed(form):
    """What has no certain sign is an error that lists the formats."""
    with pytest.raises(
        FormatError, match=r"data: its format is not known.*format=.*parquet, arrow"
    ):
        told("data", CONTENT[form])


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.json", "x.jsonl.gz", "x"])
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_certain_content_wins_over_the_name(name, form):
    """A magic number decides, and the note tells both."""
    found = told(name, CONTENT[form])
    assert (form, None) == (found.format, found.compression)
    assert (by_name(name)[0] in {form, None}) or f"its content is {form}" in found.note


def test_compression_is_told_by_bytes():
    """A gzip file without .gz is read, a plain one with .gz too, and both are told."""
    found = told("a.jsonl", packed(CONTENT["jsonl"], "gzip"))
    assert ("jsonl", "gzip") == (found.format, found.compression)
    assert "named as not compressed, but its bytes are gzip" in found.note
    found = told("a.jsonl.gz", CONTENT["jsonl"])
    assert ("jsonl", None) == (found.format, found.compression)
    assert "named as gzip" in found.note
    assert "zstd" == told("a.jsonl.gz", packed(CONTENT["jsonl"], "zstd")).compression


def test_damaged_gzip_stays_gzip():
    """Bytes that are neither gzip nor text are left to the reader of gzip, which says so."""
    assert "gzip" == told("a.jsonl.gz", b"\x00\x01garbage").compression


def test_zstd_may_begin_with_a_skippable_frame():
    """RFC 8878: such frames come before the first one with data."""
    skip = b"\x53\x2a\x4d\x18\x03\x00\x00\x00abc"
    assert "zstd" == told("a.jsonl", skip + packed(CONTENT["jsonl"], "zstd")).compression
    assert None is told("a.txt", b"P*M\x18" + b"\x01\x00\x00\x00 and more text").compression


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b'[\n{"a": 1}]', "json"),
        (b'{"a": 1}', "json"),
        (b'{"a": 1} {"a": 2}', "json"),
        (b'{"a": 1} \r\n{"a": 2}', "jsonl"),
        (b'{\n "a": 1\n}', "json"),
        (b'{"a": 1}\n{"a": 2}', "jsonl"),
        (b'\xef\xbb\xbf \n{"a": 1}\n{"a": 2}', "jsonl"),
        (b'\xef\xbb\xbf[{"a": 1}]', "json"),
        (b'{"a": "' + b"x" * 300_000 + b'"}\n{"a": 2}\n', None),
        (b'{\n"a": "' + b"x" * 300_000 + b'"}', "json"),
    ],
)
def test_json_is_told_from_lines(data, form):
    """An object with more after it is JSONL; one without an end in sight is as named."""
    assert (form or "json") == told("a.json", data).format
    assert (form or "jsonl") == told("a", data).format


def test_lines_are_json_too():
    """format="json" is what other programs call JSONL as well."""
    found = told("a", CONTENT["jsonl"], format="json")
    assert ("jsonl", "named as json, but it has an object on each line: read as jsonl") == (
        found.format,
        found.note,
    )


def test_an_array_in_jsonl_is_json():
    """A line that begins with [ is no row."""
    found = told("a.jsonl", CONTENT["json"])
    assert "json" == found.format
    assert "named as jsonl, but its content is json" == found.note


def test_json_in_text_and_csv_stays_what_it_is_named():
    """Text is never certain to be something else."""
    assert ["text", "csv"] == [told(name, CONTENT["jsonl"]).format for name in ("a.txt", "a.csv")]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_damaged_binary_file_is_left_to_its_reader(form):
    """on_error="skip" can count it then: it keeps the format of its name."""
    assert form == told(f"a.{form}", b"\x00" * 50).format
    assert form == told(f"a.{form}", b"").format
    assert "jsonl" == told(f"a.{form}", CONTENT["jsonl"]).format


def _sqlite() -> bytes:
    with sqlite3.connect(":memory:") as base:
        base.execute("create table t (a)")
        return (
            base.serialize() if hasattr(base, "serialize") else b"SQLite format 3\x00" + bytes(84)
        )


def _zip() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        file.writestr("a.jsonl", "{}")
    return sink.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
FOREIGN = {
    "git-lfs": POINTER,
    "zip": _zip(),
    "bzip2": bz2.compress(b"{}"),
    "xz": lzma.compress(b"{}"),
    "lz4": b"\x04\x22\x4d\x18\x64\x40\xa7",
    "SQLite": _sqlite(),
    "pickle": pickle.dumps({"a": 1}),
    "safetensors": (20).to_bytes(8, "little") + b'{"a":{"dtype":"F32"}}',
    "numpy": b"\x93NUMPY\x01\x00",
    "HDF5": b"\x89HDF\r\n\x1a\n",
    "Avro": b"Obj\x01\x04",
    "ORC": b"ORC\x0a\x05\x00\x12\x34\x80\x90\xa0",
    "version 1": b"FEA1\x00\x00\x00\x00\x01",
    "encrypted": b"PARE\x01\x02\x03\x04\x05\x80\x80",
    "tar": bytes(257) + b"ustar\x0000",
    "PDF": b"%PDF-1.7",
}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a"])
def test_what_is_not_read_is_told_with_the_cure(what, name):
    """Recognised formats that are not read here are errors that name them, packed too."""
    with pytest.raises(FormatError, match=what):
        told(name, FOREIGN[what])
    with pytest.raises(FormatError, match=what):
        told(name + ".gz", gzip.compress(FOREIGN[what]))


@pytest.mark.parametrize("text", [b"ORCA is a whale", b"PARENT,CHILD\n1,2", b"BZhands off"])
def test_words_are_not_magic_numbers(text):
    """Letters that begin a magic number begin texts as well."""
    assert "text" == told("a.txt", text).format


def test_twice_compressed_is_an_error():
    """One compression is undone."""
    with pytest.raises(FormatError, match="compressed twice"):
        told("a.jsonl.gz", gzip.compress(gzip.compress(b"{}")))


@pytest.mark.parametrize(
    ("name", "data", "asked", "match"),
    [
        (
            "a.csv",
            CONTENT["parquet"],
            {"format": "csv"},
            "format='csv', but its content is parquet",
        ),
        (
            "a",
            CONTENT["jsonl"],
            {"format": "parquet"},
            "format='parquet', but its content is jsonl",
        ),
        ("a", CONTENT["json"], {"format": "jsonl"}, "format='jsonl', but its content is json"),
        ("a.csv", b"a,b", {"compression": "gzip"}, "compression='gzip'.*no compression"),
        (
            "a.csv.gz",
            gzip.compress(b"a", mtime=0),
            {"compression": "none"},
            "compression='none'.*gzip",
        ),
        (
            "a.csv.gz",
            gzip.compress(b"a", mtime=0),
            {"format": "csv.zst"},
            "compression='zstd'.*gzip",
        ),
    ],
)
def test_what_was_asked_for_is_not_overruled(name, data, asked, match):
    """An explicit format or compression that content contradicts is an error."""
    with pytest.raises(FormatError, match=match):
        told(name, data, **asked)


@pytest.mark.parametrize(
    ("format", "compression", "expected"),
    [
        (None, None, (None, None)),
        ("auto", "auto", (None, None)),
        ("jsonl.gz", None, ("jsonl", "gzip")),
        ("ndjson", "zst", ("jsonl", "zstd")),
        (".parquet", "none", ("parquet", "none")),
        ("feather", None, ("arrow", None)),
        ("hf_dataset", None, ("arrow", None)),
        ("TEXT.ZSTD", "zstd", ("text", "zstd")),
    ],
)
def test_words_for_formats(format, compression, expected):  # noqa: A002
    """format= takes our names, extensions, and the 20 names of fast-axolotl."""
    assert expected == named_format(format, compression)


def test_every_format_of_fast_axolotl_is_known():
    """Its list_supported_formats(), as words for format=."""
    words = [
        *["parquet", "arrow", "feather", "csv", "json", "jsonl", "text", "hf_dataset"],
        *(
            f"{base}.{end}"
            for base in ("parquet", "arrow", "json", "jsonl", "csv", "text")
            for end in ("zst", "gz")
        ),
    ]
    assert 20 == len([named_format(word, None)[0] for word in words])


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        (("parqet", None), "format='parqet'.*did you mean 'parquet'"),
        (("jsonl", "bz2"), "compression='bz2' is none of gzip, zstd, none"),
        (("jsonl.gz", "zstd"), "name one of them"),
        (("", None), "format=''"),
    ],
)
def test_words_that_are_not_known(asked, match):
    """A typo is an error with the nearest word."""
    with pytest.raises(FormatError, match=match):
        named_format(*asked)


@given(st.binary(max_size=200), st.sampled_from([*BASES, "", ".gz", ".jsonl.zst", ".parquet.gz"]))
def test_any_bytes_are_a_format_or_a_format_error(data, end):
    """Nothing else is raised, whatever a file begins with."""
    with contextlib.suppress(FormatError):
        assert told("a" + end, data).format in set(BASES.values())


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers()), min_size=2, max_size=5))
def test_lines_of_any_objects_are_jsonl(rows):
    """Two objects on lines are JSONL, however they are spelled."""
    data = "\n".join(json.dumps(row) for row in rows).encode()
    assert "jsonl" == told("a.json", data).format
