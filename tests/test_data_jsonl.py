"""JSONL: rows are those of Python's json, strictly, however the file is cut."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow")

from shimhub.data._model import Options, Source, Span  # noqa: E402
from shimhub.data.errors import (  # noqa: E402
    DecodeError,
    FormatError,
    LimitError,
    SchemaDriftError,
)
from shimhub.data.formats import _jsonl, _line_blocks, _lines  # noqa: E402 - needs pyarrow
from tests.data_text import arrow_rows, listed, outcome, python_rows, written  # noqa: E402

VALUES = st.one_of(
    st.none(), st.booleans(), st.text(max_size=8), st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False), st.lists(st.integers(-9, 9), max_size=3),
    st.fixed_dictionaries({}, optional={"x": st.integers(-9, 9), "y": st.text(max_size=3)}),
)  # fmt: skip
ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), max_size=40)
#: Text that is nearly JSON.
SCRAPS = st.sampled_from(
    [
        b'{"a":1}',
        b'{"a":null}',
        b"{}",
        b'{"a":"x"}',
        b'{"a":2.5}',
        b'{"b":1}',
        b"null",
        b"[]",
        b'{"a":1}{"a":2}',
        b'{"a":1} null {"a":2}',
        b'{"a":NaN}',
        b'{"a":Inf}',
        b'{"a":1e400}',
        b'{"a":01}',
        b'{"a":18446744073709551615}',
        b'{"a":18446744073709551616}',
        b'{"a":-1}',
        b'{"a":-9223372036854775809}',
        b'{"a":12345678901234567890123}',
        b"  ",
        b"",
        b"\r",
        b"\0",
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\ud83d\\ude00"}',
        b'{"a":1,"a":2}',
        b"{",
        b'{"a":{"b":1,"b":2}}',
        b'{"a":"\t"}',
        b'{"a":[1,null]}',
        b'{"a":[[1]]}',
        b"}",
        b'{"a":',
        b'{"a":{"b":1}}',
        b'{"a":{"c":"}{"}}',
        b'"{"',
        b"\xef\xbb\xbf{}",
        b'{"a":true}',
        b"\f",
    ]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that all examples of a property write to."""
    return tmp_path_factory.mktemp("jsonl")


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(SCRAPS, max_size=30), skip=st.booleans())
def test_rows_and_batches_agree_on_all_input(
    folder: Path, lines: list[bytes], *, skip: bool
) -> None:
    """Both give the same rows, or the same error with the same place."""
    source = written(folder, b"\n".join(lines))
    on_error = "skip" if skip else "raise"
    by_arrow = outcome(arrow_rows, source, on_error=on_error)
    by_python = outcome(python_rows, source, on_error=on_error)
    assert repr(by_arrow) == repr(by_python)


@settings(max_examples=40, deadline=None)
@given(lines=st.lists(SCRAPS, max_size=60), schema=st.sampled_from(["double", "int64", "string"]))
def test_many_lines_at_once_are_as_one_by_one(
    folder: Path, lines: list[bytes], schema: str, monkeypatch_module: pytest.MonkeyPatch
) -> None:
    """What the quick ways take, the strict way takes, and as the same rows."""
    source = written(folder, b"\n".join(lines))
    options: dict[str, Any] = {
        "schema": pa.schema([("a", pa.type_for_alias(schema))]),
        "on_error": "skip",
    }
    quick = repr(arrow_rows(source, **options))
    with monkeypatch_module.context() as patch:
        patch.setattr(_jsonl, "quick_batch", lambda _context: lambda _data, _count: None)
        assert quick == repr(arrow_rows(source, **options))


@pytest.fixture(scope="module")
def monkeypatch_module() -> Any:
    """Give a monkeypatch that properties may use."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@settings(max_examples=30, deadline=None)
@given(rows=ROWS, size=st.integers(1, 200), end=st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_rows_are_those_of_json_for_any_cut(
    folder: Path, rows: list[dict[str, Any]], size: int, end: str
) -> None:
    """Spans of any size give all rows, in order, and missing keys are None."""
    content = end.join(json.dumps(row) for row in rows).encode()
    source = written(folder, content)
    whole = outcome(arrow_rows, source)
    if isinstance(whole, tuple):  # columns of several types
        assert issubclass(whole[0], SchemaDriftError)
        return
    assert [{**dict.fromkeys(whole[0]), **row} for row in rows] == [
        {key: _without_none(row[key], rows[i].get(key)) for key in row}
        for i, row in enumerate(whole)
    ]
    spans = _jsonl.spans(source, size, Options())
    assert whole == [row for span in spans for row in arrow_rows(source, span)]
    assert whole == [row for span in spans for row in python_rows(source, span)]


def _without_none(found: Any, wanted: Any) -> Any:
    """Leave out the keys of a nested object that the file does not have."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {key: value for key, value in found.items() if key in wanted or value is not None}
    return found


@settings(max_examples=25, deadline=None)
@given(lines=st.lists(SCRAPS, max_size=40), size=st.integers(3, 100))
def test_any_block_size_gives_the_same(folder: Path, lines: list[bytes], size: int) -> None:
    """The blocks of a file join to the same lines, at the same places."""
    content = b"\n".join(lines)
    source = written(folder, content, "text")
    blocks = list(_line_blocks.line_blocks(source, Span(), Options(), size))
    bom = b"\xef\xbb\xbf"
    assert content.removeprefix(bom) == b"".join(bytes(block.data) for block in blocks)
    at = len(bom) if content.startswith(bom) else 0
    for block in blocks:
        assert at == block.offset
        at += len(block.data)


@settings(max_examples=25, deadline=None)
@given(lines=st.lists(SCRAPS, max_size=40))
def test_raw_lines_are_beside_their_rows(folder: Path, lines: list[bytes]) -> None:
    """Each row's line gives that row, and skipped lines are in neither."""
    source = written(folder, b"\n".join(lines))
    rows = arrow_rows(source, on_error="skip")
    found = [
        (row, raw.line(i))
        for raw in _lines.raw_lines(source, Span(), Options(on_error="skip"))
        for i, row in enumerate(listed(raw.batch))
    ]
    assert repr(rows) == repr([row for row, _ in found])
    for row, line in found:
        value = json.loads(line)
        assert {key for key in row if row[key] is not None} <= set(value)
        assert set(value) <= set(row)


@pytest.mark.parametrize(
    ("content", "line", "offset", "part"),
    [
        (b'{"a":1}\n\n{"a":', 3, 9, "cut short"),
        (b'{"a":1}\n{"a":1}{"a":2}\n', 2, 8, "more than one value"),
        (b'{"a":1}\n[1]\n', 2, 8, "a list"),
        (b'{"a":1}\nnull\n', 2, 8, "null"),
        (b'{"a":1}\n{"a":1,"a":2}\n', 2, 8, "'a' twice"),
        (b'{"a":"x"}\n{"a":"\xff"}\n', 2, 10, "not UTF-8"),
        (b'{"a":"x"}\n{"a":"\\ud800"}\n', 2, 10, "lone surrogate"),
        (b'{"a":1.5}\n{"a":18446744073709551616}\n', 2, 10, "beyond int64 and uint64"),
        (b'{"a":1.5}\n{"a":1e999}\n', 2, 10, "beyond double"),
        (b'{"a":1}\n{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 2, 8, "nested more than"),
        (b'{"a":1}\n' + b'{"a":' * 70 + b"1" + b"}" * 70, 2, 8, "nested more than"),
    ],
)
def test_bad_lines_are_named(
    tmp_path: Path, content: bytes, line: int, offset: int, part: str
) -> None:
    """File, line, byte and what is wrong are in the error of either way."""
    source = written(tmp_path, content)
    for read in (arrow_rows, python_rows):
        with pytest.raises(DecodeError, match=part) as caught:
            read(source)
        assert (source.path, line, offset) == (
            caught.value.path,
            caught.value.line,
            caught.value.offset,
        )


@pytest.mark.parametrize(
    ("later", "part"),
    [
        (b'{"a":1,"n":null,"z":1}', "'z'"),
        (b'{"a":1.5,"n":null}', "'a'"),
        (b'{"a":"x","n":null}', "'a'"),
        (b'{"a":1,"n":5}', "'n'"),
    ],
)
def test_drift_behind_the_first_block_names_line_and_column(
    tmp_path: Path, later: bytes, part: str
) -> None:
    """A new key, another type, and a null column that gets values are errors."""
    first = b'{"a":1,"n":null}\n' * 70_000
    source = written(tmp_path, first + later)
    for read in (arrow_rows, python_rows):
        with pytest.raises(SchemaDriftError, match=part) as caught:
            read(source)
        assert (70_001, len(first)) == (caught.value.line, caught.value.offset)
    assert 70_000 == len(arrow_rows(source, on_error="skip"))
    wide = _jsonl.widest
    if b"x" not in later:
        assert 70_001 == len(arrow_rows(source, schema=wide(source, Options())))


def test_integers_are_exact(tmp_path: Path) -> None:
    """A column with integers above int64 is uint64, and none of them is a double."""
    source = written(tmp_path, b'{"a":18446744073709551615}\n{"a":1}\n')
    assert pa.schema([("a", pa.uint64())]) == _jsonl.schema(source, Options())
    assert [{"a": 2**64 - 1}, {"a": 1}] == arrow_rows(source) == python_rows(source)
    with pytest.raises(SchemaDriftError, match="negative"):
        arrow_rows(written(tmp_path, b'{"a":18446744073709551615}\n{"a":-1}\n'))


def test_strings_stay_strings_and_nan_is_read(tmp_path: Path) -> None:
    """What looks like a time is text; NaN and Infinity are floats, as Python writes them."""
    source = written(tmp_path, b'{"a":"2020-01-01","b":NaN}\n{"a":"x","b":-Infinity}\n')
    for rows in (arrow_rows(source), python_rows(source)):
        assert ["2020-01-01", "x"] == [row["a"] for row in rows]
        assert math.isnan(rows[0]["b"])
        assert -math.inf == rows[1]["b"]


def test_a_schema_wins(tmp_path: Path) -> None:
    """Columns are the schema's, of its types, also those that only Arrow has."""
    schema = pa.schema([("t", pa.timestamp("s")), ("m", pa.int8())], {"k": "v"})
    source = written(tmp_path, b'{"t":"2020-01-01"}\n{"t":null}\n')
    batch = next(_jsonl.batches(source, Span(), Options(schema=schema))).batch
    assert schema.equals(batch.schema, check_metadata=True)
    assert [None, None] == batch.column(1).to_pylist()
    assert arrow_rows(source, schema=schema) == python_rows(source, schema=schema)
    with pytest.raises(SchemaDriftError):
        arrow_rows(written(tmp_path, b'{"t":"yesterday"}\n'), schema=schema)


def test_columns_are_chosen_in_their_order(tmp_path: Path) -> None:
    """Only those asked for are there, in that order."""
    source = written(tmp_path, b'{"a":1,"b":2,"c":3}\n')
    for read in (arrow_rows, python_rows):
        assert [["c", "a"]] == [list(row) for row in read(source, columns=("c", "a"))]
        with pytest.raises(ValueError, match="no column 'z'"):
            read(source, columns=("z",))


def test_a_line_may_be_longer_than_a_block_but_not_than_max_line(tmp_path: Path) -> None:
    """Long lines are whole, until they are too long: then named, or skipped and counted."""
    long = b'{"a":"' + b"x" * (5 << 20) + b'"}'
    source = written(tmp_path, b'{"a":"1"}\n' + long + b'\n{"a":"2"}\n')
    assert [1, 5 << 20, 1] == [len(row["a"]) for row in arrow_rows(source)]
    for limit in (1000, 3 << 20):
        with pytest.raises(LimitError) as caught:
            arrow_rows(source, max_line=limit)
        assert (2, 10) == (caught.value.line, caught.value.offset)
        options = Options(max_line=limit, on_error="skip")
        parts = list(_jsonl.batches(source, Span(), options))
        assert [("1", 0), ("2", 2)] == [(p.batch.to_pylist()[0]["a"], p.first) for p in parts]
        assert 1 == options.skipped.rows


def test_utf16_is_told(tmp_path: Path) -> None:
    """A file of UTF-16 is no damaged UTF-8, and is read where the encoding is given."""
    text = '{"a":"ä"}\n'
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        source = written(tmp_path, text.encode(encoding))
        with pytest.raises(FormatError, match="UTF-16"):
            arrow_rows(source)
        assert [{"a": "ä"}] == arrow_rows(source, encoding=encoding)


def test_the_last_line_of_a_small_file_tells_columns(tmp_path: Path) -> None:
    """Also where no line feed follows it."""
    rows = [{"a": 1, "b": None}, {"a": 1, "b": 2}]
    source = written(tmp_path, b'{"a":1}\n{"a":1,"b":2}')
    assert rows == arrow_rows(source) == python_rows(source)


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    """Nothing, or blanks alone, are no rows and no columns."""
    for content in (b"", b"\n \r\n", b"\xef\xbb\xbf"):
        source = written(tmp_path, content)
        assert [] == arrow_rows(source) == python_rows(source)


def test_a_missing_file_is_not_found() -> None:
    """The error is that of ``open``."""
    with pytest.raises(FileNotFoundError):
        arrow_rows(Source("/nowhere/file.jsonl", "jsonl"))
