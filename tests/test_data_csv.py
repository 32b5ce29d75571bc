"""CSV and TSV: fields are those of Python's csv module, as text, unless types are asked for."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow")

from shimhub.data._model import Options, Span  # noqa: E402
from shimhub.data.errors import DataError, DecodeError, FormatError, SchemaDriftError  # noqa: E402
from shimhub.data.formats import _csv, _csv_arrow, _csv_blocks  # noqa: E402 - needs pyarrow
from tests.data_text import arrow_rows, outcome, written  # noqa: E402

FIELDS = st.text('ab",\t\n\r \xe4\ufeff0', max_size=6)
TABLES = st.lists(st.tuples(FIELDS, FIELDS), max_size=30)

#: Arrow reads such columns, and those of strings alone are read without it.
BY_ARROW = pa.schema([("x", pa.large_string()), ("y", pa.string())])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that all examples of a property write to."""
    return tmp_path_factory.mktemp("csv")


@settings(max_examples=60, deadline=None)
@example(table=[("0\r\n", "")], kind="csv", size=3)
@example(table=[("0\r\r\n", "")], kind="tsv", size=3)
@given(table=TABLES, kind=st.sampled_from(["csv", "tsv"]), size=st.integers(3, 60))
def test_fields_are_those_of_the_csv_module(
    folder: Path, table: list[tuple[str, str]], kind: str, size: int
) -> None:
    """Any text goes there and back; blocks of any size have whole records."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="," if kind == "csv" else "\t", lineterminator="\r\n")
    writer.writerow(["x", "y"])
    writer.writerows(table)
    source = written(folder, text.getvalue().encode(), kind)
    wanted = [{"x": a, "y": b} for a, b in table]
    assert wanted == arrow_rows(source)
    assert wanted == arrow_rows(source, schema=BY_ARROW)
    blocks = list(_csv_blocks.record_blocks(source, Options(), size))
    content = text.getvalue().encode()
    assert content[5:].strip(b"\r\n") == b"".join(bytes(b.data) for b in blocks).strip(b"\r\n")


@settings(max_examples=80, deadline=None)
@given(body=st.text('a",\n\r', max_size=40), quote=st.sampled_from(['"', None]))
def test_any_text_gives_records_or_a_placed_error(
    folder: Path, body: str, quote: str | None
) -> None:
    """Rows and what is skipped are all records: none is lost, and none is made."""
    source = written(folder, ("x,y\n" + body).encode(), "csv")
    options = Options(on_error="skip", quote=quote)
    parts = list(_csv.batches(source, Span(), options))
    numbers = [part.first + i for part in parts for i in range(part.batch.num_rows)]
    assert sorted(set(numbers)) == numbers
    whole = outcome(arrow_rows, source, quote=quote)
    if options.skipped.rows:
        assert whole[1] == str(options.skipped.first[0])
    else:
        assert len(numbers) == len(whole)


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(st.sampled_from(['"', ",", "\n", "\r\n", "a", "\xff", "b" * 70]), max_size=40),
    quote=st.sampled_from(['"', None]),
    columns=st.sampled_from([None, ["y"], ["y", "x"]]),
)
def test_columns_of_text_are_as_arrow_reads_them(
    parts: list[str], quote: str | None, columns: list[str] | None
) -> None:
    """What is read without Arrow is what Arrow reads; what Arrow refuses is left to it."""
    data = "".join(parts).encode("latin-1")
    texts = pa.schema([("x", pa.string()), ("y", pa.string())])
    dialect = _csv_blocks.Dialect(",", quote)
    table = _csv_arrow.Table(["x", "y"], texts, dialect, columns)
    arrows = _csv_arrow.Table(["x", "y"], texts, dialect, columns)
    arrows.texts = []
    count = len(table.find(data)[0])
    wanted, found = arrows.quick(data, count), table.quick(data, count)
    if not count:  # Arrow wants a record
        assert found is None or (0, []) == (found[0], _rows_of(found[1]))
    elif wanted is None:
        assert found is None
    else:
        assert found is not None
        assert (wanted[0], _rows_of(wanted[1])) == (found[0], _rows_of(found[1]))


def _rows_of(batch: pa.RecordBatch | None) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [] if batch is None else batch.to_pylist()
    return found


def test_text_stays_text(tmp_path: Path) -> None:
    """Nothing is guessed: zeros, empty fields, and words that mean null elsewhere."""
    source = written(tmp_path, b'\xef\xbb\xbfa,b\r\n007,""\r\n\r\n1e5,NA\r\n nan ,', "csv")
    rows = [{"a": "007", "b": ""}, {"a": "1e5", "b": "NA"}, {"a": " nan ", "b": ""}]
    assert rows == arrow_rows(source)


@pytest.mark.parametrize("quoted", [b"7", b'"7"'])
def test_columns_of_text_come_in_the_order_asked(tmp_path: Path, quoted: bytes) -> None:
    """Whatever their order in the file, and none that was not asked for."""
    source = written(tmp_path, b"a,b,c\n" + quoted + b",8,9\n", "csv")
    for names in (("c", "a"), ("b",), ("c", "b", "a")):
        found = arrow_rows(source, columns=names)
        assert [[(name, {"a": "7", "b": "8", "c": "9"}[name]) for name in names]] == [
            list(row.items()) for row in found
        ]


@pytest.mark.parametrize("kind", [pa.string(), pa.int64()])
def test_rows_are_as_many_as_records_or_are_read_one_by_one(kind: pa.DataType) -> None:
    """What finds records counts them; a reader that finds more or fewer rows is not believed."""
    dialect = _csv_blocks.Dialect(",", '"')
    table = _csv_arrow.Table(["a"], pa.schema([("a", kind)]), dialect)
    for count, rows in ((2, 2), (None, 2), (1, None), (3, None)):
        found = table.quick(b"1\n2\n", count)
        assert rows == (None if found is None else found[0])


@pytest.mark.parametrize(
    ("content", "line", "offset", "part"),
    [
        (b'a,b\n"x\n",y\n1\n', 4, 11, "got 1"),
        (b"a,b\n1,2\n1,2,3\n", 3, 8, "got 3"),
        (b'a,b\n1,2\n3,"x\n4,5\n', 3, 8, "not closed"),
        (b"a,b\n1,2\n3,\xff\n", 3, 8, "column 'b' is not UTF-8"),
        (b"a,a\n", 1, None, "'a' twice"),
        (b"a,\n", 1, None, "column 1 of the header has no name"),
        (b"", None, 0, "is empty"),
        (b"\n\r\n", None, 0, "is empty"),
    ],
)
def test_bad_records_are_named(
    tmp_path: Path, content: bytes, line: int | None, offset: int | None, part: str
) -> None:
    """File, line, byte and what is wrong are in the error."""
    with pytest.raises(DecodeError, match=part) as caught:
        arrow_rows(written(tmp_path, content, "csv"))
    assert (line, offset) == (caught.value.line, caught.value.offset)


def test_bad_records_are_skipped_and_counted(tmp_path: Path) -> None:
    """Exactly these are left out, however many are right around them."""
    lines = [b"1,2,3\n" if i % 97 == 5 else b"%d,x\n" % i for i in range(2000)]
    source = written(tmp_path, b"a,b\n" + b"".join(lines), "csv")
    options = Options(on_error="skip")
    found = [
        (part.first + i, row["a"])
        for part in _csv.batches(source, Span(), options)
        for i, row in enumerate(part.batch.to_pylist())
    ]
    assert [(i, str(i)) for i in range(2000) if i % 97 != 5] == found
    assert sum(line == b"1,2,3\n" for line in lines) == options.skipped.rows


def test_types_are_guessed_where_asked_and_fixed_by_the_first_block(tmp_path: Path) -> None:
    """Later values of another type are drift; integers above int64 are no doubles."""
    source = written(tmp_path, b"a,b\n1,x\n2,\n", "csv")
    assert [{"a": 1, "b": "x"}, {"a": 2, "b": ""}] == arrow_rows(source, infer=True)
    source = written(tmp_path, b"a\n18446744073709551615\n", "csv")
    assert [{"a": 2**64 - 1}] == arrow_rows(source, infer=True)
    body = b"a\n" + b"1\n" * 600_000 + b"x\n"
    source = written(tmp_path, body, "csv")
    with pytest.raises(SchemaDriftError, match="'a'") as caught:
        arrow_rows(source, infer=True)
    assert 600_002 == caught.value.line
    assert pa.schema([("a", pa.string())]) == _csv.widest(source, Options(infer=True))


def test_a_schema_gives_types(tmp_path: Path) -> None:
    """Values that are not of them are drift; so are columns that are not there."""
    schema = pa.schema([("b", pa.string()), ("a", pa.uint64())])
    source = written(tmp_path, b"a,b\n1,x\n,\n", "csv")
    assert [{"b": "x", "a": 1}, {"b": "", "a": None}] == arrow_rows(
        source, schema=schema, columns=("b", "a")
    )
    with pytest.raises(SchemaDriftError, match=r"line 2.*'a'"):
        arrow_rows(written(tmp_path, b"a,b\n-1,x\n", "csv"), schema=schema)
    with pytest.raises(SchemaDriftError, match="'b' is not in the header"):
        arrow_rows(written(tmp_path, b"a\n1\n", "csv"), schema=schema)
    nested = pa.schema([("a", pa.list_(pa.int8()))])
    with pytest.raises(DataError, match="not supported"):
        arrow_rows(written(tmp_path, b"a\n1\n", "csv"), schema=nested)


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    """There are columns, and nothing in them."""
    source = written(tmp_path, b"a,b", "csv")
    assert [] == arrow_rows(source)
    assert ["a", "b"] == _csv.schema(source, Options()).names


def test_other_encodings_and_delimiters(tmp_path: Path) -> None:
    """They are as told; UTF-16 that is not told is an error."""
    text = "a;b\nä;'x;y'\n"
    for encoding in ("latin-1", "utf-16", "utf-8-sig"):
        source = written(tmp_path, text.encode(encoding), "csv")
        found = arrow_rows(source, encoding=encoding, delimiter=";", quote="'")
        assert [{"a": "ä", "b": "x;y"}] == found
    with pytest.raises(FormatError, match="UTF-16"):
        arrow_rows(written(tmp_path, text.encode("utf-16"), "csv"))
    with pytest.raises(DataError, match="encoding"):
        arrow_rows(source, encoding="no-such")
    with pytest.raises(DataError, match="delimiter"):
        arrow_rows(source, delimiter="ab")


@pytest.mark.parametrize("first", ["\uff0c", "\ufeff", "\n", '"x\ny"', "a", ""])
def test_a_block_may_begin_with_any_value(tmp_path: Path, first: str) -> None:
    """Also with bytes like a BOM's, with a line end and with quotes; long values are as written."""
    rows = [first + ",b", "\ufefflong" * 9 + ",b"] * 3
    source = written(tmp_path, ("x,y\n" + "\n".join(rows) + "\n").encode(), "csv")
    value = {'"x\ny"': "x\ny", "\n": ""}.get(first, first)
    for schema in (None, BY_ARROW):
        found = arrow_rows(source, schema=schema)
        assert [value, "\ufefflong" * 9] * 3 == [row["x"] for row in found]
