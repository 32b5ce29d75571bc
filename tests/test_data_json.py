"""JSON files: what Python's json reads, element by element, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow")

from shimhub.data._model import Options, Span  # noqa: E402
from shimhub.data.errors import DecodeError, SchemaDriftError  # noqa: E402
from shimhub.data.formats import _json  # noqa: E402 - needs pyarrow
from tests.data_text import arrow_rows, outcome, python_rows, written  # noqa: E402

ROWS = st.lists(
    st.fixed_dictionaries(
        {"a": st.integers(-9, 9), "b": st.text('"\\[]{},\n\xe4 ', max_size=6)},
        optional={"c": st.lists(st.text("]}", max_size=3), max_size=2)},
    ),
    max_size=20,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that all examples of a property write to."""
    return tmp_path_factory.mktemp("json")


@settings(max_examples=60, deadline=None)
@given(
    rows=ROWS, indent=st.sampled_from([None, 0, 2, "\t"]), size=st.integers(3, 80),
    joined=st.sampled_from(["array", "\n", "", " \r\n "]),
)  # fmt: skip
def test_rows_are_those_of_json(
    folder: Path, rows: list[dict[str, Any]], indent: Any, size: int, joined: str
) -> None:
    """Arrays and objects one after the other, printed anyhow, in blocks of any size."""
    text = json.dumps(rows, indent=indent)
    if joined != "array":
        text = joined.join(json.dumps(row, indent=indent) for row in rows) or " [] "
    source = written(folder, text.encode(), "json")
    names = {name: None for row in rows for name in row}
    wanted = [{**names, **row} for row in rows]
    assert wanted == arrow_rows(source) == python_rows(source)
    blocks = list(_json._Elements(source, Options(), size))
    assert rows == [json.loads(line) for b in blocks for line in bytes(b.data).splitlines()]


@settings(max_examples=80, deadline=None)
@given(
    parts=st.lists(
        st.sampled_from(
            ['{"a":1}', "[", "]", "{", "}", ",", '"', "1", "null", " ", "\n", '{"a":"x']
        )
    )
)
def test_what_json_does_not_read_is_an_error(folder: Path, parts: list[str]) -> None:
    """An array that Python does not take is not taken; both ways agree."""
    text = "[" + "".join(parts)
    source = written(folder, text.encode(), "json")
    found = outcome(arrow_rows, source)
    assert found == outcome(python_rows, source)
    try:
        wanted = json.loads(text)
    except ValueError:
        assert isinstance(found, tuple)
        return
    is_rows = all(isinstance(row, dict) for row in wanted)
    assert (wanted == found) if is_rows else isinstance(found, tuple)


@pytest.mark.parametrize(
    ("content", "row", "offset", "part"),
    [
        (b'[{"a":1},\n 3]', 1, 11, "a number"),
        (b'[{"a":1}, {"a":"x"}]', 1, 10, "'a'"),
        (b'[{"a":1} {"a":2}]', None, 9, "comma"),
        (b'[{"a":1},,]', None, 9, "comma"),
        (b'[{"a":1},]', None, 9, "comma"),
        (b'[{"a":1}] x', None, 10, "comes after"),
        (b'[{"a":1}', None, 8, "cut short"),
        (b'{"a":', None, 5, "cut short"),
        (b'{"a":"x\ny"}', None, 7, "line feed"),
        (b" \n", None, 0, "empty"),
    ],
)
def test_errors_tell_row_or_byte(
    tmp_path: Path, content: bytes, row: int | None, offset: int, part: str
) -> None:
    """Of the file as it is, with a BOM too."""
    for bom in (b"", b"\xef\xbb\xbf"):
        source = written(tmp_path, bom + content, "json")
        for read in (arrow_rows, python_rows):
            with pytest.raises(DecodeError, match=part) as caught:
                read(source)
            shift = len(bom) if part != "empty" else 0
            assert (row, offset + shift) == (caught.value.row, caught.value.offset)


def test_bad_elements_are_skipped_and_counted(tmp_path: Path) -> None:
    """The rows behind them keep their numbers."""
    source = written(tmp_path, b'[{"a":1},3,{"a":"x"},{"a":4}]', "json")
    options = Options(on_error="skip")
    parts = [(p.first, p.batch.to_pylist()) for p in _json.batches(source, Span(), options)]
    assert [(0, [{"a": 1}]), (3, [{"a": 4}])] == parts
    assert [1, 2] == [error.row for error in options.skipped.first]
    assert isinstance(options.skipped.first[1], SchemaDriftError)
