"""The reader: the same rows however they are cut up, and errors that tell the cure."""

from __future__ import annotations

import csv
import functools
import gzip
import io
import json
import os
import re
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow", reason="data needs pyarrow")

import pyarrow.feather as pf  # noqa: E402 - after importorskip
import pyarrow.parquet as pq  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from shimhub.data import (  # noqa: E402
    DataError,
    DecodeError,
    FormatError,
    SchemaDriftError,
    convert,
    info,
    streaming_dataset_reader,
)

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("text", pa.string()),
        ("word", pa.string()),
        ("score", pa.float64()),
        ("messages", pa.list_(MESSAGE)),
        ("ids", pa.list_(pa.int64())),
    ]
)
FULL = {
    "id": 0,
    "text": "first",
    "word": "w",
    "score": 0.5,
    "messages": [{"role": "user", "content": "Hi"}],
    "ids": [1, 2],
}

# Writers of the same rows in every format.


def _parquet(rows, path, chunk):
    pq.write_table(pa.Table.from_pylist(rows, _schema(rows)), path, row_group_size=chunk)


def _ipc(new):
    def write(rows, path, chunk):
        table = pa.Table.from_pylist(rows, _schema(rows))
        with new(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=chunk)

    return write


def _feather(rows, path, chunk):
    pf.write_feather(pa.Table.from_pylist(rows, _schema(rows)), path, chunksize=chunk)


def _schema(rows):
    names = rows[0] if rows else {"id": None, "text": None}
    return pa.schema(
        [SCHEMA.field(name) if name != "word" else (name, pa.string()) for name in names]
    )


def _jsonl(rows, path, _chunk):
    _pack(path, "".join(json.dumps(row) + "\n" for row in rows))


def _json(rows, path, chunk):
    _pack(path, json.dumps(rows, indent=chunk % 3 or None))


def _csv(delimiter):
    def write(rows, path, _chunk):
        sink = io.StringIO(newline="")
        writer = csv.writer(sink, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows(row.values() for row in rows)
        _pack(path, sink.getvalue())

    return write


def _packed(write):
    def both(rows, path, chunk):
        plain = path.with_suffix("")
        write(rows, plain, chunk)
        _pack_bytes(path, plain.read_bytes())
        plain.unlink()

    return both


def _text(rows, path, _chunk):
    _pack(path, "".join(row["text"] + "\n" for row in rows))


def _pack(path, text):
    _pack_bytes(path, text.encode())


def _pack_bytes(path, data):
    if path.suffix == ".gz":
        half = len(data) // 2  # two members
        data = gzip.compress(data[:half]) + gzip.compress(data[half:])
    elif path.suffix == ".zst":
        data = pa.compress(data, codec="zstd", asbytes=True)
    path.write_bytes(data)


PACKED = ("", ".gz", ".zst")
TYPED = {
    "parquet": _parquet,
    "arrow": _ipc(pa.ipc.new_file),
    "ipc": _ipc(pa.ipc.new_stream),
    "feather": _feather,
    "parquet.gz": _packed(_parquet),
    "arrow.zst": _packed(_ipc(pa.ipc.new_file)),
    "ipc.gz": _packed(_ipc(pa.ipc.new_stream)),
    **{f"jsonl{end}": _jsonl for end in PACKED},
    **{f"json{end}": _json for end in PACKED},
}
WORDS = {
    **TYPED,
    **{f"csv{end}": _csv(",") for end in PACKED},
    **{f"tsv{end}": _csv("\t") for end in PACKED},
}
LINES = {"parquet": _parquet, "jsonl": _jsonl, **{f"txt{end}": _text for end in PACKED}}

# Rows, and the ways to cut them.

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=6)


def _message(parts):
    return dict(zip(("role", "content"), parts, strict=True))


ROW = st.fixed_dictionaries(
    {
        "text": st.none() | TEXT,
        "word": st.none() | TEXT,
        "score": st.none() | st.floats(allow_nan=False),
        "messages": st.lists(st.tuples(TEXT, st.none() | TEXT).map(_message), max_size=2),
        "ids": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    }
)


@st.composite
def cuttings(draw, forms):
    """Draw files of a cutting: (format, share of the rows, rows in a group), batch size, world."""
    files = st.tuples(st.sampled_from(sorted(forms)), st.integers(0, 9), st.integers(1, 4))
    return (
        draw(st.lists(files, min_size=1, max_size=4)),
        draw(st.integers(1, 7)),
        draw(st.integers(1, 4)),
    )


def written(root, rows, files, forms):
    """Write the rows, in order, into files of these formats and shares; return their paths."""
    root.mkdir()
    total, at, before, paths = sum(share for _, share, _ in files) or 1, 0, 0, []
    for number, (form, share, chunk) in enumerate(files):
        before += share
        stop = len(rows) if number + 1 == len(files) else len(rows) * before // total
        if stop > at:  # CSV of no rows has no header to write
            paths.append(root / f"{number}.{form}")
            forms[form](rows[at:stop], paths[-1], chunk)
            at = stop
    return paths


def read(what, **asked):
    """Return the batches."""
    with streaming_dataset_reader(what, **asked) as reader:
        return list(reader)


def rows_of(batches):
    """Return the rows of any kind of batches."""
    rows = []
    for batch in batches:
        if isinstance(batch, pa.RecordBatch):
            rows += batch.to_pylist()
        elif isinstance(batch, list):
            rows += batch
        else:
            rows += [
                dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)
            ]
    return rows


def sizes(batches, output):
    """Return how many rows each batch has."""
    if output in {"rows", "arrow"}:
        return [len(batch) for batch in batches]
    return [len(next(iter(batch.values()))) for batch in batches]


def check(tmp_path, rows, cutting, forms, **asked):
    """Read every way, and compare with the rows: values, types, order and size of batches."""
    files, size, world = cutting
    root = tmp_path / str(len(os.listdir(tmp_path)))
    what = written(root, rows, files, forms)
    expected = repr(rows)
    for output in ("rows", "columns", "arrow"):
        batches = read(what, output=output, batch_size=size, **asked)
        assert expected == repr(rows_of(batches)), output
        assert sizes(batches, output) == [size] * (len(rows) // size) + [len(rows) % size] * (
            len(rows) % size > 0
        )
    ranks = [rows_of(read(what, batch_size=size, shard=(k, world), **asked)) for k in range(world)]
    places = [[rows.index(row) for row in rank] for rank in ranks] if _distinct(rows) else []
    assert places == [sorted(rank) for rank in places]
    assert sorted(map(repr, rows)) == sorted(repr(row) for rank in ranks for row in rank)


def _distinct(rows):
    return len({repr(row) for row in rows}) == len(rows)


GIVEN = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@GIVEN
@given(st.lists(ROW, max_size=25), cuttings(TYPED), st.booleans())
def test_any_cutting_of_typed_rows_gives_the_same_rows(tmp_path, rows, cutting, is_given):
    """Files, row groups, blocks, shards, batch sizes, formats and compressions do not show."""
    rows = [FULL, *({**FULL, **row, "id": at} for at, row in enumerate(rows, 1))]
    check(tmp_path, rows, cutting, TYPED, **({"schema": SCHEMA} if is_given else {}))


@GIVEN
@given(st.lists(TEXT, min_size=1, max_size=25), cuttings(WORDS))
def test_any_cutting_of_text_columns_gives_the_same_rows(tmp_path, words, cutting):
    """CSV and TSV, beside the others; whatever is in a field."""
    rows = [{"text": word, "word": str(at)} for at, word in enumerate(words)]
    check(tmp_path, rows, cutting, WORDS)


@GIVEN
@given(st.lists(LINE, min_size=1, max_size=25), cuttings(LINES))
def test_any_cutting_of_lines_gives_the_same_rows(tmp_path, lines, cutting):
    """Text files, beside the others."""
    check(tmp_path, [{"text": f"{at} {line}"} for at, line in enumerate(lines)], cutting, LINES)


@GIVEN
@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=12), cuttings(TYPED))
def test_any_cutting_gives_the_same_arrays(tmp_path, numbers, cutting):
    """NumPy and torch batches, of numbers and of token lists."""
    pytest.importorskip("torch", reason="output='torch' needs torch")
    files, size, _ = cutting
    rows = [{"id": n, "ids": list(range(n % 5))} for n in numbers]
    what = written(tmp_path / str(len(os.listdir(tmp_path))), rows, files, TYPED)
    schema = pa.schema([SCHEMA.field("id"), SCHEMA.field("ids")])  # the first lists may be empty
    for output in ("numpy", "torch"):
        batches = read(what, output=output, batch_size=size, schema=schema)
        assert numbers == [int(n) for batch in batches for n in batch["id"]]
        assert [row["ids"] for row in rows] == [
            list(map(int, x)) for b in batches for x in b["ids"]
        ]


# Shards


@pytest.mark.parametrize("form", ["parquet", "arrow", "ipc", "feather"])
@pytest.mark.parametrize("world", [2, 3, 7, 30])
def test_shards_of_counted_rows_are_even_runs(tmp_path, form, world):
    """Parquet and Arrow: runs of the rows of all files, whose lengths differ by one at most."""
    rows = [{"id": at} for at in range(23)]
    what = written(tmp_path / "d", rows, [(form, 5, 3), (form, 1, 2), (form, 9, 100)], TYPED)
    ranks = [rows_of(read(what, shard=(k, world))) for k in range(world)]
    assert rows == [row for rank in ranks for row in rank]
    assert {len(rank) for rank in ranks} <= {23 // world, 23 // world + 1}


def test_shards_of_lines_are_runs_of_bytes(tmp_path):
    """JSONL: each rank opens what it reads alone, and has about its share."""
    rows = [{"id": at, "text": "x" * (at % 50)} for at in range(2000)]
    what = written(tmp_path / "d", rows, [("jsonl", 1, 1), ("jsonl", 5, 1)], TYPED)
    ranks = [rows_of(read(what, shard=(k, 4))) for k in range(4)]
    assert rows == [row for rank in ranks for row in rank]
    assert all(400 < len(rank) < 600 for rank in ranks)


def test_a_line_at_the_edge_is_of_one_rank(tmp_path):
    """Lines of equal length: shares of bytes end where lines begin."""
    rows = [{"id": at} for at in range(8)]
    for forms in ([("jsonl", 1, 1)], [("jsonl", 1, 1), ("jsonl", 1, 1)]):
        what = written(tmp_path / str(len(forms)), rows, forms, TYPED)
        ranks = [rows_of(read(what, shard=(k, 4))) for k in range(4)]
        assert [rows[at : at + 2] for at in range(0, 8, 2)] == ranks


def test_shards_of_what_is_compressed_are_every_nth_row(tmp_path):
    """Even to one row in each file, and beginning at another rank in each."""
    rows = [{"id": at} for at in range(20)]
    what = written(tmp_path / "d", rows, [("jsonl.gz", 1, 1), ("jsonl.zst", 1, 1)], TYPED)
    ranks = [[row["id"] for row in rows_of(read(what, shard=(k, 3)))] for k in range(3)]
    assert [[0, 3, 6, 9, 12, 15, 18], [1, 4, 7, 10, 13, 16, 19], [2, 5, 8, 11, 14, 17]] == ranks


def test_a_rank_has_the_same_rows_for_any_batch_size(tmp_path):
    """What is cut into other batches is the same every n-th row."""
    rows = [{"id": at} for at in range(20)]
    (path,) = written(tmp_path / "d", rows, [("parquet.gz", 1, 7)], TYPED)
    for size in (1, 2, 5, 100):
        got = rows_of(read(path, shard=(1, 3), batch_size=size))
        assert [1, 4, 7, 10, 13, 16, 19] == [row["id"] for row in got], size


def test_a_shard_may_be_empty(tmp_path):
    """More ranks than rows: no batch, and no error."""
    what = written(tmp_path / "d", [{"id": 1}], [("parquet", 1, 1)], TYPED)
    assert [[], []] == [read(what, shard=(k, 3)) for k in (0, 1)]


# The face


def table_file(path, **columns):
    """Write a Parquet file."""
    pq.write_table(pa.table(columns), path)
    return path


def test_columns_are_chosen_in_the_order_asked_for(tmp_path):
    """For every kind of output, and the schema says the same."""
    rows = [{"id": 1, "text": "a", "score": 0.5}]
    for form in ("parquet", "ipc", "jsonl"):
        (path,) = written(tmp_path / form, rows, [(form, 1, 1)], TYPED)
        for output in ("rows", "columns", "arrow"):
            (row,) = rows_of(read(path, columns=["score", "id"], output=output))
            assert [("score", 0.5), ("id", 1)] == list(row.items())
        assert ["score", "id"] == streaming_dataset_reader(
            path, columns=["score", "id"]
        ).schema.names


def test_it_is_an_iterator_and_a_context_manager(tmp_path):
    """It is read once; after close() nothing more comes, and close() may be called again."""
    path = table_file(tmp_path / "a.parquet", a=list(range(10)))
    with streaming_dataset_reader(path, batch_size=4) as reader:
        assert iter(reader) is reader
        assert {"a": [0, 1, 2, 3]} == next(reader)
        assert pa.schema([("a", pa.int64())]) == reader.schema
    assert [] == list(reader)
    reader.close()
    assert [str(path)] == [source.path for source in reader.sources]


def test_the_file_is_closed(tmp_path):
    """No descriptor is left after close(), nor after the last batch."""
    rows = [{"id": at} for at in range(100)]
    for form in ("parquet", "arrow", "ipc", "jsonl", "jsonl.gz"):
        (path,) = written(tmp_path / form, rows, [(form, 1, 3)], TYPED)
        reader = streaming_dataset_reader(path, batch_size=2)
        next(reader)
        reader.close()
        list(streaming_dataset_reader(path))
        assert str(path) not in _open_files(), form


def _open_files():
    links = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]
    return {os.readlink(link) for link in links if link.is_symlink()}


def test_notes_tell_where_name_and_content_disagree(tmp_path):
    """The file is read as what it is."""
    path = table_file(tmp_path / "a.jsonl", a=[1])
    reader = streaming_dataset_reader(path)
    assert [f"{path}: named as jsonl, but its content is parquet"] == reader.notes
    assert [{"a": [1]}] == list(reader)


def test_a_file_that_changes_its_columns_order_is_no_drift(tmp_path):
    """Columns are told by name."""
    table_file(tmp_path / "1.parquet", a=[1], b=["x"])
    table_file(tmp_path / "2.parquet", b=["y"], a=[2])
    (tmp_path / "3.jsonl").write_text('{"b": "z", "a": 3}\n')
    expected = [{"a": [1, 2, 3], "b": ["x", "y", "z"]}]
    assert expected == read(tmp_path)
    assert list(expected[0]) == list(read(tmp_path)[0])


def test_drift_between_files_is_an_error(tmp_path):
    """After the rows of the first file; file, column, both types and the cure are told."""
    table_file(tmp_path / "1.parquet", a=[1])
    table_file(tmp_path / "2.parquet", a=["x"])
    reader = streaming_dataset_reader(tmp_path, batch_size=1)
    assert {"a": [1]} == next(reader)
    match = r"2\.parquet: column 'a' is string, but int64 in .*1\.parquet; on_drift=\"unify\""
    with pytest.raises(SchemaDriftError, match=match):
        next(reader)


def test_drift_in_lines_names_the_line(tmp_path):
    """A JSONL file is held to the schema of the first file, row by row."""
    table_file(tmp_path / "1.parquet", a=[1], b=["x"])
    (tmp_path / "2.jsonl").write_text('{"a": 2}\n{"a": 3, "c": 1}\n')
    with pytest.raises(SchemaDriftError, match=r"2\.jsonl, line 2.*'c'"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("names", "asked", "match"),
    [
        (["a.jsonl", "s.jsonl"], {}, r"s\.jsonl, line 1, .*\(types are those of .*/a\.jsonl\)$"),
        (["p.parquet", "s.jsonl"], {}, r"s\.jsonl, line 1.*those of .*/p\.parquet\)$"),
        (["both.jsonl"], {}, r"line 2, .*is a string, but a number before \(line 1\); no type"),
        (["both.json"], {}, r"row 1, .*is a string, but a number before \(row 0\); no type"),
        (["a.csv", "b.csv"], {}, r"b\.csv, line 1: column 'a' .* the header, but in .*/a\.csv$"),
        (["a.csv", "x.csv"], {"infer": True}, r"x\.csv, line 2.*those of .*/a\.csv\)$"),
        (["x.csv"], {"schema": pa.schema([("a", pa.int8())])}, r"\(types are those of schema=\)$"),
        (
            ["p.parquet", "r.parquet", "s.jsonl"],
            {"on_drift": "unify"},
            r"s\.jsonl: column 'a' is string, but int64 in .*/p\.parquet, and no type",
        ),
        (["late.jsonl"], {}, r"line 2001, .*those of the first rows of this file\)$"),
    ],
    ids=str,
)
def test_drift_names_the_file_that_set_the_type(tmp_path, names, asked, match):
    """And the row or line, where rows of one file do not go together."""
    texts = {
        "a.jsonl": '{"a": 1}\n',
        "s.jsonl": '{"a": "x"}\n',
        "both.jsonl": '{"a": 1}\n{"a": "x"}\n',
        "both.json": '[{"a": 1}, {"a": "x"}]',
        "a.csv": "a\n1\n",
        "b.csv": "b\n1\n",
        "x.csv": "a\nx\n",
        "late.jsonl": f'{{"a": 1, "t": "{"t" * 1000}"}}\n' * 2000 + '{"a": "x", "t": ""}\n',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    table_file(tmp_path / "p.parquet", a=[1])
    table_file(tmp_path / "r.parquet", a=[1.5])
    with pytest.raises(SchemaDriftError, match=match):
        read([tmp_path / name for name in names], **asked)


def test_unify_widens(tmp_path):
    """Every file is looked at before: int to double, new columns, null where there are none."""
    table_file(tmp_path / "1.parquet", a=[1], b=[None])
    (tmp_path / "2.jsonl").write_text('{"a": 2.5}\n{"b": "x", "c": [1]}\n')
    (tmp_path / "3.jsonl.gz").write_bytes(gzip.compress(b'{"c": [1.5]}\n'))
    reader = streaming_dataset_reader(tmp_path, on_drift="unify", output="rows")
    kinds = [("a", pa.float64()), ("b", pa.string()), ("c", pa.list_(pa.float64()))]
    assert pa.schema(kinds) == reader.schema
    expected = [
        {"a": 1.0, "b": None, "c": None},
        {"a": 2.5, "b": None, "c": None},
        {"a": None, "b": "x", "c": [1.0]},
        {"a": None, "b": None, "c": [1.5]},
    ]
    assert repr(expected) == repr(rows_of(reader))
    chosen = read(tmp_path, on_drift="unify", columns=["c"], output="rows")
    assert [{"c": row["c"]} for row in expected] == rows_of(chosen)


def test_unify_keeps_int_exact_or_says_so(tmp_path):
    """2**53 + 1 is no double: row and column are told."""
    table_file(tmp_path / "1.parquet", a=[0.5])
    table_file(tmp_path / "2.parquet", a=[1, 2**53 + 1])
    with pytest.raises(SchemaDriftError, match=r"2\.parquet, row 0: column 'a'"):
        read(tmp_path, on_drift="unify")


def test_a_given_schema_casts(tmp_path):
    """Parquet is cast without a change of value; a column too many or missing is an error."""
    path = table_file(tmp_path / "1.parquet", a=[1, 2])
    wide = pa.schema([("a", pa.float64())])
    assert "[{'a': [1.0, 2.0]}]" == repr(read(path, schema=wide))
    for schema in (
        pa.schema([("b", pa.int64())]),
        pa.schema([("a", pa.int64()), ("b", pa.int64())]),
    ):
        with pytest.raises(SchemaDriftError, match=r"column '[ab]' is not in"):
            read(path, schema=schema)


def test_an_empty_file_of_lines_has_no_schema(tmp_path):
    """The first file with rows tells it; all empty are no rows and no columns."""
    (tmp_path / "1.jsonl").write_text("")
    assert [] == read(tmp_path)
    assert [] == streaming_dataset_reader(tmp_path).schema.names
    (tmp_path / "2.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "3.jsonl").write_text("")
    assert [{"a": [1]}] == read(tmp_path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_rows_without_columns_are_counted_or_refused(tmp_path, name):
    """A dict of columns could not tell how many there are; rows and batches do."""
    (tmp_path / name).write_text("{}\n{}\n{}\n" if name == "a.jsonl" else "[{}, {}, {}]")
    path = tmp_path / name
    assert [[{}, {}], [{}]] == list(streaming_dataset_reader(path, output="rows", batch_size=2))
    batches = streaming_dataset_reader(path, output="arrow", batch_size=2)
    assert [2, 1] == [batch.num_rows for batch in batches]
    for output in ("columns", "numpy", "torch"):
        with pytest.raises(DecodeError, match=rf'{name}, row 0: rows without.*output="rows"'):
            list(streaming_dataset_reader(path, output=output))


class TestSkip:
    """on_error="skip" leaves out what cannot be decoded, and tells what."""

    def test_lines(self, tmp_path):
        """Counted in rows; batches stay full."""
        (tmp_path / "a.jsonl").write_text('{"a": 1}\n{oops\n{"a": 3}\n{"a": 4}\n')
        for output in ("columns", "rows", "arrow"):
            reader = streaming_dataset_reader(
                tmp_path, on_error="skip", batch_size=2, output=output
            )
            assert [{"a": 1}, {"a": 3}, {"a": 4}] == rows_of(reader)
            assert (1, 0) == (reader.skipped.rows, reader.skipped.unread)
            assert {str(tmp_path / "a.jsonl"): 1} == reader.skipped.files
            assert 2 == reader.skipped.first[0].line

    def test_whole_files(self, tmp_path):
        """A file without a footer or magic is counted in bytes; the first one, too."""
        for name in ("1.parquet", "3.parquet"):
            (tmp_path / name).write_bytes(b"PAR1 and nothing")
        table_file(tmp_path / "2.parquet", a=[1])
        reader = streaming_dataset_reader(tmp_path, on_error="skip")
        assert [{"a": [1]}] == list(reader)
        assert (0, 32, 2) == (reader.skipped.rows, reader.skipped.unread, len(reader.skipped.first))

    def test_nothing_left(self, tmp_path):
        """If no file can be read, the first error is raised."""
        (tmp_path / "1.parquet").write_bytes(b"PAR1 and nothing")
        for drift in ("error", "unify"):
            with pytest.raises(DecodeError, match=r"1\.parquet"):
                streaming_dataset_reader(tmp_path, on_error="skip", on_drift=drift)

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.parquet", b"PAR1 and nothing"),
            ("a.arrow", b"ARROW1 and nothing"),
            ("a.json", b"[{oops"),
            ("a.json", b""),
            ("a.jsonl", b"{oops\n"),
            ("a.csv", b"a,b\n1\n"),
            ("a.csv", b""),
            ("a.txt", b"a\xff\n"),
            ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99, mtime=0)[:20]),
            ("a.csv.gz", gzip.compress(b"a\n1\n", mtime=0)[:12]),
            ("a.txt.gz", gzip.compress(b"a\n1\n", mtime=0)[:12]),
            ("a.json.gz", gzip.compress(b'[{"a":1}]', mtime=0)[:15]),
        ],
        ids=str,
    )
    def test_no_row_that_can_be_read_is_an_error_in_any_format(self, name, content, tmp_path):
        """The first error, of the reader and of jobs; beside a file with rows it is counted."""
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / name).write_bytes(content)
        for output in ("columns", "rows", "arrow"):
            with pytest.raises(DecodeError, match=rf"{re.escape(name)}"):
                read(tmp_path / "in", on_error="skip", output=output)
        asked = {"format": "jsonl", "on_error": "skip", "workers": 1}
        with pytest.raises(DecodeError, match=rf"{re.escape(name)}"):
            convert(tmp_path / "in", tmp_path / "out", **asked)
        column = {"a.txt": "text", "a.txt.gz": "text"}.get(name, "a")
        columns = {"a": ["1"], "b": ["2"]} if name == "a.csv" and content else {column: ["1"]}
        table_file(tmp_path / "in" / "0.parquet", **columns)
        reader = streaming_dataset_reader(tmp_path / "in", on_error="skip", output="rows")
        assert (1, 1) == (len(rows_of(reader)), len(reader.skipped.first))
        (tmp_path / "in" / "0.parquet").rename(tmp_path / "in" / "z.parquet")
        reader = streaming_dataset_reader(tmp_path / "in", on_error="skip", output="rows")
        assert (1, 1) == (len(rows_of(reader)), len(reader.skipped.first))
        made = convert(tmp_path / "in", tmp_path / "both", **asked)
        assert (1, True) == (made.rows, bool(made.manifest["skipped"]["first"]))

    def test_drift_of_a_file_is_not_skipped(self, tmp_path):
        """A whole file of other columns is no damage."""
        table_file(tmp_path / "1.parquet", a=[1])
        table_file(tmp_path / "2.parquet", b=[1])
        with pytest.raises(SchemaDriftError):
            read(tmp_path, on_error="skip")

    def test_other_columns_than_the_given_are_not_skipped(self, tmp_path):
        """A header that is not of schema= is no damage, whatever on_drift says."""
        (tmp_path / "a.csv").write_text("b\n1\n")
        asked = {"schema": pa.schema([("a", pa.int64())]), "on_error": "skip"}
        for drift in ("error", "unify"):
            with pytest.raises(SchemaDriftError, match=r"a\.csv"):
                read(tmp_path, on_drift=drift, **asked)

    def test_what_the_output_cannot_hold_is_not_skipped(self, tmp_path):
        """It can be read: the error tells row, cure, and that skipping is for something else."""
        table_file(tmp_path / "a.parquet", a=[1, None])
        match = r"a\.parquet, row 1: column 'a': null, .*; fill or drop it, or .* \(on_error="
        with pytest.raises(DecodeError, match=match):
            read(tmp_path, on_error="skip", output="numpy")
        dates = pa.table({"d": pa.array([10**7], pa.date32())})
        pq.write_table(dates, tmp_path / "a.parquet")
        for output in ("columns", "rows"):
            with pytest.raises(DecodeError, match=r'Python has no such value.* output="arrow"$'):
                read(tmp_path, output=output)

    def test_ranks_agree(self, tmp_path):
        """Skipped rows do not shift what another rank takes."""
        lines = ["{oops"] * 3 + [json.dumps({"a": at}) for at in range(20)] + ["{oops"]
        for end in ("", ".gz"):
            _pack(tmp_path / f"a.jsonl{end}", "\n".join(lines) + "\n")
            what = tmp_path / f"a.jsonl{end}"
            ranks = [read(what, shard=(k, 3), on_error="skip", batch_size=k + 1) for k in range(3)]
            assert list(range(20)) == sorted(row["a"] for rank in ranks for row in rows_of(rank))


@pytest.mark.parametrize(
    ("asked", "error", "match"),
    [
        ({"columns": ["idd"]}, DataError, r"columns= has 'idd'.*did you mean 'id'.*'id', 'text'"),
        ({"columns": "id"}, TypeError, r"columns='id': give a list of names"),
        ({"columns": ["id", "id"]}, DataError, "'id' more than once"),
        ({"columns": [1]}, TypeError, "columns= has 1"),
        ({"columns": []}, DataError, "chooses nothing"),
        ({"batch_size": 0}, DataError, "batch_size=0: give 1 or more"),
        ({"batch_size": True}, TypeError, "batch_size=True is bool: give an int"),
        ({"batch_size": 2.0}, TypeError, "batch_size=2.0 is float"),
        ({"output": "row"}, DataError, r"output='row' is none of .*did you mean 'rows'"),
        ({"output": None}, TypeError, "output=None"),
        ({"shard": (2, 2)}, DataError, r"shard=\(2, 2\): rank is 0 to 1"),
        ({"shard": (-1, 2)}, DataError, "rank of shard=-1: give 0 or more"),
        ({"shard": (0, 0)}, DataError, "world of shard=0: give 1 or more"),
        ({"shard": (0,)}, TypeError, r"give \(rank, world\)"),
        ({"shard": 1}, TypeError, r"give \(rank, world\)"),
        ({"shard": (0.0, 2)}, TypeError, "rank of shard=0.0"),
        ({"on_error": "ignore"}, DataError, "on_error='ignore' is none of raise, skip"),
        ({"on_drift": "widen"}, DataError, "on_drift='widen' is none of error, unify"),
        ({"schema": {"a": "int64"}}, TypeError, "schema= is dict: give a pyarrow.Schema"),
        (
            {"schema": pa.schema([("a", pa.int8()), ("a", pa.int8())])},
            DataError,
            "'a' more than once",
        ),
        ({"format": "parquett"}, FormatError, "did you mean 'parquet'"),
        ({"compression": "lz4"}, FormatError, "compression='lz4'"),
        ({"infer": 1}, TypeError, "infer=1: give True or False"),
        ({"delimiter": "ab"}, DataError, "delimiter='ab': give one ASCII character"),
        ({"delimiter": 1}, TypeError, "delimiter=1 is int"),
        ({"quote": "«"}, DataError, "quote='«'"),
        ({"encoding": "utf-7a"}, DataError, "encoding='utf-7a' is not known"),
        ({"encoding": None}, TypeError, "encoding=None"),
        ({"max_line": 0}, DataError, "max_line=0"),
        ({"max_ratio": "9"}, TypeError, "max_ratio='9'"),
        ({"storage": []}, TypeError, "storage="),
        ({"split": "train"}, DataError, "split='train' is for folders"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_told_at_the_call(tmp_path, asked, error, match):
    """Name, value and cure; before anything is read."""
    path = table_file(tmp_path / "a.parquet", id=[1], text=["x"])
    with pytest.raises(error, match=match):
        streaming_dataset_reader(path, **asked)


@pytest.mark.parametrize(
    "asked",
    [{"delimiter": ";"}, {"quote": None}, {"infer": True}, {"encoding": "latin-1"}],
    ids=str,
)
def test_an_option_that_no_file_uses_is_told(tmp_path, asked):
    """Name, formats and cure; one file of many that uses it is enough."""
    ((name, value),) = asked.items()
    one, two = (1, 2) if "infer" in asked else ("1", "2")
    table_file(tmp_path / "a.parquet", x=[one])
    match = rf"{name}={value!r} is for .*csv.*, and what is read is parquet \(.*: leave it out"
    for face in (streaming_dataset_reader, info, functools.partial(convert, out=tmp_path / "o")):
        with pytest.raises(DataError, match=match):
            face(tmp_path / "a.parquet", **asked)
    (tmp_path / "b.csv").write_text("x\n2\n")
    assert [{"x": [one, two]}] == read(tmp_path, **asked)
    assert [{"x": [one]}] == read(tmp_path / "a.parquet", encoding="UTF8", quote='"', infer=False)


def test_the_calls_of_the_guides_run(tmp_path, monkeypatch):
    """The code that fast-axolotl's guide prints, with our function."""
    table_file(tmp_path / "data.parquet", a=list(range(2500)))
    monkeypatch.chdir(tmp_path)
    seen = []
    code = 'for batch in streaming_dataset_reader("data.parquet"):\n    process(batch)\n'
    exec(code, {"streaming_dataset_reader": streaming_dataset_reader, "process": seen.append})
    assert [1000, 1000, 500] == sizes(seen, "columns")


def test_errors_survive_a_worker(tmp_path):
    """They are pickled with their parts."""
    import pickle

    (tmp_path / "a.jsonl").write_text("{oops\n")
    with pytest.raises(DecodeError) as caught:
        read(tmp_path / "a.jsonl")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(caught.value), 1) == (str(again), again.line)
    assert re.match(r".*a\.jsonl, line 1", str(again))
