"""Where lists end, in C and by NumPy, beside pyarrow's own values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy")
pa = pytest.importorskip("pyarrow")

from shimhub.kernels import _loading, list_ends  # noqa: E402  # they import both
from shimhub.kernels._reference import list_ends as reference  # noqa: E402

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()]
LISTS = [pa.list_, pa.large_list]


@pytest.fixture(params=["native", "reference"])
def _way(request, monkeypatch):
    """Each test runs with the library, if it is there, and without it."""
    if request.param == "reference":
        monkeypatch.setattr(_loading, "native", lambda: None)


def values_of(kind):
    """Integers of an Arrow type, its least and its greatest one too."""
    limits = np.iinfo(kind.to_pandas_dtype())
    few = st.sampled_from([int(limits.min), int(limits.max)])
    return few | st.integers(int(limits.min), int(limits.max))


@st.composite
def columns(draw, kinds=INTEGERS, nulls=False):
    """A column of lists in chunks: slices, of children that are slices themselves, empty ones."""
    kind, make = draw(st.sampled_from(kinds)), draw(st.sampled_from(LISTS))
    values = values_of(kind) | st.none() if nulls else values_of(kind)
    rows = st.lists(values, max_size=4)
    chunks = []
    for _ in range(draw(st.integers(0, 4))):
        data = draw(st.lists(rows | st.none() if nulls else rows, max_size=30))
        chunk = pa.array(data, make(kind))
        if draw(st.booleans()) and not chunk.null_count:
            child = pa.concat_arrays([chunk.values[:1], chunk.values])[len(chunk.values[:1]) :]
            chunk = type(chunk).from_arrays(chunk.offsets, child)
        first, end = sorted(draw(st.tuples(*[st.integers(0, len(chunk))] * 2)))
        chunks.append(draw(st.sampled_from([chunk, chunk[first:end]])))
    return pa.chunked_array(chunks, make(kind))


@settings(max_examples=200, deadline=None)
@given(columns())
def test_lengths_and_last_values_are_pyarrows(column):
    """As int64, of every width but uint64; an empty list's is 0."""
    rows = column.to_pylist()
    for lengths, last in (list_ends.last_values(column), reference.last_values(column.chunks)):
        assert [len(row) for row in rows] == lengths.tolist()
        assert [row[-1] if row else 0 for row in rows] == last.tolist()
        assert (np.int64, np.int64) == (lengths.dtype, last.dtype)
    assert [len(row) for row in rows] == list_ends.list_lengths(column).tolist()
    assert [len(row) for row in rows] == reference.list_lengths(column.chunks).tolist()


@settings(max_examples=200, deadline=None)
@given(columns(nulls=True))
def test_nulls_are_declined(column):
    """Of lists by both functions; of values by that which reads them, those of no row too."""
    has_null_row = column.null_count > 0
    has_null_value = any(chunk.values.null_count for chunk in column.chunks)
    assert has_null_row == (list_ends.list_lengths(column) is None)
    assert (has_null_row or has_null_value) == (list_ends.last_values(column) is None)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize(
    "kind", [pa.uint64(), pa.float32(), pa.string(), pa.bool_(), pa.null(), pa.list_(pa.int8())]
)
def test_lists_of_anything_have_lengths(kind):
    """Only integers that fit int64 are read."""
    column = pa.chunked_array([pa.array([[None], [], [None, None]], pa.list_(kind))])
    assert [1, 0, 2] == list_ends.list_lengths(column).tolist()
    assert list_ends.last_values(column) is None


@pytest.mark.parametrize("kind", [pa.int64(), pa.list_(pa.int64(), 2), pa.struct([])])
def test_what_has_no_offsets_is_declined(kind):
    """Numbers, lists of a fixed size, structs."""
    column = pa.chunked_array([], kind)
    assert list_ends.list_lengths(column) is None
    assert list_ends.last_values(column) is None


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("make", LISTS)
@pytest.mark.parametrize("offsets", [[0, 3, 1], [0, 2, 9], [-1, 2, 3]])
def test_offsets_that_fall_or_leave_the_values_are_told(make, offsets):
    """With the row, counted over all chunks."""
    column = _column(make, offsets, pa.array([1, 2, 3]))
    row = 2 if offsets[0] < 0 else 3
    for function in (list_ends.list_lengths, list_ends.last_values):
        with pytest.raises(ValueError, match=f"column: offsets of row {row} fall, or lie outside"):
            function(column)


def _column(make, offsets, values):
    """A chunk that is right, and one whose offsets change after pyarrow has looked at them."""
    kind, width = make(values.type), np.int32 if make is pa.list_ else np.int64
    memory = np.zeros(len(offsets), width)
    buffers = [None, pa.py_buffer(memory)]
    wrong = pa.Array.from_buffers(kind, len(offsets) - 1, buffers, children=[values])
    memory[:] = offsets
    return pa.chunked_array([pa.array([[1], [2, 3]], kind), wrong])


@pytest.mark.skipif(_loading.native() is None, reason="needs the native library")
def test_numpys_layout_is_the_librarys():
    """Every field of ``shimhub_column`` lies where NumPy writes it."""
    ffi, layout = _loading.native().ffi, list_ends._LAYOUT
    assert ffi.sizeof("shimhub_column") == layout.itemsize
    for name in ("kind", "children_count", "width", "length", "offset", "validity", "children"):
        assert ffi.offsetof("shimhub_column", name) == layout.fields[name][1]
    for name in ("offsets", "data"):
        for part, field in (("data", name), ("size", f"{name}_size")):
            assert ffi.offsetof("shimhub_column", name, part) == layout.fields[field][1]
