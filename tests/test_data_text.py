"""Text: lines are those of Python's universal newlines, however the file is cut."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow")

from shimhub.data._model import Options, Span  # noqa: E402
from shimhub.data.errors import DataError, DecodeError  # noqa: E402
from shimhub.data.formats import _lines, _text  # noqa: E402 - needs pyarrow
from shimhub.kernels import lines as kernels  # noqa: E402
from shimhub.kernels._reference import lines as reference  # noqa: E402
from tests.data_text import arrow_rows, written  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that all examples of a property write to."""
    return tmp_path_factory.mktemp("text")


@settings(max_examples=80, deadline=None)
@given(text=st.text("a\n\r\xe4\u2028\x0b \0", max_size=60), size=st.integers(1, 30))
def test_lines_are_pythons_for_any_cut(folder: Path, text: str, size: int) -> None:
    """The same rows in spans of any size, and the bytes of all lines are those of the file."""
    source = written(folder, text.encode(), "text")
    wanted = [line.removesuffix("\n") for line in io.StringIO(text, newline=None)]
    assert wanted == [row["text"] for row in arrow_rows(source)]
    spans = _text.spans(source, size, Options())
    assert wanted == [row["text"] for span in spans for row in arrow_rows(source, span)]
    raw = [raw for span in spans for raw in _lines.raw_lines(source, span, Options())]
    assert text.encode() == b"".join(part.line(i) for part in raw for i in range(len(part.starts)))


def test_lines_that_are_not_utf8_are_named_or_skipped(tmp_path: Path) -> None:
    """Exactly these."""
    source = written(tmp_path, b"a\r\nb\rc\n\xff\n\xc3\xa4\nx\xc3", "text")
    with pytest.raises(DecodeError, match="not UTF-8") as caught:
        arrow_rows(source)
    assert (4, 7) == (caught.value.line, caught.value.offset)
    options = Options(on_error="skip")
    parts = list(_text.batches(source, Span(), options))
    assert [(0, ["a", "b", "c"]), (4, ["ä"])] == [
        (part.first, part.batch.column(0).to_pylist()) for part in parts
    ]
    assert [4, 6] == [error.line for error in options.skipped.first]


def test_the_column_is_text(tmp_path: Path) -> None:
    """Other columns, or types that are no text, are refused."""
    source = written(tmp_path, b"a\n", "text")
    large = pa.schema([("text", pa.large_string())])
    assert [{"text": "a"}] == arrow_rows(source, schema=large)
    with pytest.raises(DataError, match="one column"):
        arrow_rows(source, schema=pa.schema([("t", pa.string())]))
    with pytest.raises(DataError, match="one column"):
        arrow_rows(source, columns=("line",))


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200) | st.text('{}[]":,\\n\\\\ NI09.-e\n\r', max_size=200))
def test_native_lines_are_those_of_the_reference(data: bytes | str) -> None:
    """Bounds, text, CSV records and JSON elements; a scan is certain only where Python's is."""
    told = data if isinstance(data, bytes) else data.encode()
    for found, wanted in zip(kernels.line_bounds(told), reference.line_bounds(told), strict=True):
        assert wanted.tolist() == found.tolist()
    for found, wanted in zip(
        kernels.text_lines(told)[:3], reference.text_lines(told), strict=False
    ):
        assert wanted.tolist() == found.tolist()
    for quote in ('"', None):
        for is_last in (True, False):
            native = kernels.csv_records(told, ",", quote, is_last=is_last)
            python = reference.csv_records(told, ",", quote, is_last=is_last)
            assert [x.tolist() for x in python[:2]] == [x.tolist() for x in native[:2]]
            assert python[2:] == tuple(native[2:])


MARKS = st.sampled_from(['"', ",", "\n", "\r", "a", "\xe4", "long enough for many" * 4])


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(MARKS, max_size=60),
    quote=st.sampled_from(['"', None, "a"]),
    width=st.integers(1, 3),
)
def test_native_columns_of_csv_are_those_of_the_reference(
    parts: list[str], quote: str | None, width: int
) -> None:
    """None for the same texts, and the same values in all others, also where few are asked for."""
    told = "".join(parts).encode()
    records = kernels.csv_records(told, ",", quote, is_last=True, bounds=False).records
    for wanted in (list(range(width)), [width - 1]):
        native = kernels.csv_texts(told, ",", quote, wanted, width, records)
        python = reference.csv_texts(told, ",", quote, wanted, width)
        assert (python is None) == (native is None)
        if python is not None and native is not None:
            assert _values(python[0]) == _values(native.columns)
            assert python[1:] == (native.records, native.is_ascii)
    assert kernels.csv_texts(told, ",", quote, [0], width, records + 1) is None


def _values(columns: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[list[int], bytes]]:
    return [(offsets.tolist(), data.tobytes()) for offsets, data in columns]


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(
        st.sampled_from(
            ['{"a":', "1", "[", "]", "}", ",", '"x\\"', '"', " ", "\n", "1.5", '"' + "y" * 150]
        )
    ),
    cut=st.integers(0, 400),
)
def test_native_elements_are_those_of_the_reference(parts: list[str], cut: int) -> None:
    """For text that comes in two parts, cut anywhere."""
    told = "".join(parts).encode()
    native, python = kernels.JsonElements(), reference.Elements()
    for part, head in ((told[:cut], b""), (told[cut:], b"head")):
        lines, whole, starts, is_good = native.feed(part, head)
        wanted, places, was_good = python.feed(part)
        if not was_good:
            assert not is_good
            break
        assert (head + wanted, places, True) == (bytes(lines), starts.tolist(), is_good)
        assert whole == (head + wanted).rfind(b"\n") + 1
        assert (python.state, python.offset) == (native.state, native.offset)
