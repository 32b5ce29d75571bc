"""Columns of Arrow, NumPy and plain buffers, and the check of their buffers."""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from shimhub import kernels
from shimhub.kernels import _columns, _loading
from shimhub.kernels._columns import Buffer, Column, Kind
from shimhub.kernels._reference import columns as reference


def verified(data) -> list[Column]:
    """Return the columns of it, found right by the library and by the reference."""
    columns = _columns.rows(data)
    _columns.verify(columns)
    assert [(True, -1)] * len(columns) == [reference.check(column) for column in columns]
    return columns


def values(column: Column):
    """Return the column's values as Python's, read from the addresses alone."""
    rows = range(column.offset, column.offset + column.length)
    return [_value(column, row) for row in rows]


def _value(column, row):
    if not reference.valid(column, row, 1)[0]:
        return None
    if column.kind in (Kind.FIXED, Kind.FLOAT):
        raw = reference.view(column.data)[row * column.width : (row + 1) * column.width]
        return raw.tobytes() if column.dtype is None else raw.view(column.dtype)[0].item()
    if column.kind is Kind.BOOL:
        return bool(reference.bits(column.data, row, 1)[0])
    if column.kind is Kind.STRUCT:
        return tuple(_value(child, child.offset + row) for child in column.children)
    first, last = _range(column, row)
    if column.kind is Kind.BINARY:
        return reference.view(column.data)[first:last].tobytes()
    child = column.children[0]
    return [_value(child, child.offset + at) for at in range(first, last)]


def _range(column, row):
    if column.kind is Kind.FIXED_LIST:
        return row * column.width, (row + 1) * column.width
    return (int(end) for end in reference.offsets(column)[row : row + 2])


def chunk_values(data):
    """Return the values of all chunks, found right."""
    return [value for column in verified(data) for value in values(column)]


def arrow_cases():
    """Yield arrays of each type, with their values."""
    pa = pytest.importorskip("pyarrow")
    nested = [{"a": 1, "b": ["x", None]}, None, {"a": None, "b": []}, {"a": 4, "b": None}]
    yield pa.array([1, None, 3]), [1, None, 3]
    yield pa.array([1.5, None], pa.float16()), [1.5, None]
    yield pa.array([True, None, False]), [True, None, False]
    yield pa.array(["a", None, "", "日本"]), [b"a", None, b"", "日本".encode()]
    yield pa.array([b"a", None], pa.large_binary()), [b"a", None]
    yield pa.array([b"12", None], pa.binary(2)), [b"12", None]
    yield pa.array([None, None]), [None, None]
    yield pa.array([[1], None, [], [2, None]]), [[1], None, [], [2, None]]
    yield pa.array([[1], None, []], pa.large_list(pa.int8())), [[1], None, []]
    yield pa.array([[1, 2], None, [3, None]], pa.list_(pa.int16(), 2)), [[1, 2], None, [3, None]]
    yield (
        pa.array(nested),
        [(1, [b"x", None]), None, (None, []), (4, None)],
    )
    yield (
        pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int32())),
        [[(b"k", 1)], None, []],
    )
    yield pa.array(["a", "b", None, "a"]).dictionary_encode(), [b"a", b"b", None, b"a"]
    yield (
        pa.array(["a", None, "long enough to be out of line"], pa.string_view()),
        [
            b"a",
            None,
            b"long enough to be out of line",
        ],
    )
    yield pa.array([[1, 2], None, []], pa.list_view(pa.int32())), [[1, 2], None, []]
    yield (
        pa.array([{"d": "x"}, None], pa.struct({"d": pa.dictionary(pa.int8(), pa.string())})),
        [(b"x",), None],
    )
    yield pa.array([["x"], []], pa.list_(pa.string_view())), [[b"x"], []]
    yield pa.compute.run_end_encode(pa.array([7, 7, 8])), [7, 7, 8]


def test_arrow_arrays_are_read_where_they_lie():
    """Values at the addresses are the array's, whole, sliced, and in a struct with an offset."""
    pa = pytest.importorskip("pyarrow")
    for array, expected in arrow_cases():
        assert expected == chunk_values(array), array.type
        for start in range(len(array) + 1):
            assert expected[start:] == chunk_values(array[start:]), array.type
        if pa.types.is_run_end_encoded(array.type):
            continue
        inside = pa.StructArray.from_arrays([array], ["inside"])[1:]
        assert [(value,) for value in expected[1:]] == chunk_values(inside), array.type


def test_chunks_are_those_of_the_chunked_array():
    """Chunks come in order, empty ones too."""
    pa = pytest.importorskip("pyarrow")
    data = pa.chunked_array([["a"], [], [None, "b"]], pa.string())

    assert [1, 0, 2] == [column.length for column in _columns.chunks(data)]
    assert [b"a", None, b"b"] == chunk_values(data)


def test_extension_types_are_their_storage():
    """A type that is registered by a program is read as what it is stored as."""
    pa = pytest.importorskip("pyarrow")
    array = pa.ExtensionArray.from_storage(
        pa.uuid(), pa.array([b"0123456789abcdef"], pa.binary(16))
    )

    assert [b"0123456789abcdef"] == chunk_values(array)


def view_of(length, index, offset):
    """Return a string view of one row that says it is there; the row's text has 200 bytes."""
    pa = pytest.importorskip("pyarrow", minversion="16")
    view = struct.pack("<i4sii", length, b"abcd", index, offset)
    buffers = [None, pa.py_buffer(view), pa.py_buffer(b"abcd" * 50)]
    return pa.Array.from_buffers(pa.string_view(), 1, buffers)


@pytest.mark.parametrize(
    ("length", "index", "offset"),
    [(100, 5, 0), (100, 0, 10**6), (-5, 0, 0), (100, 0, -100), (100, -1, 0), (2**31 - 1, 0, 0)],
)
def test_views_of_other_memory_are_refused(length, index, offset):
    """A view that leads out of its buffers is a ValueError; pyarrow's own cast follows it."""
    with pytest.raises(ValueError, match="data: not a valid Arrow array: View at slot 0"):
        kernels.deduplicate(view_of(length, index, offset))


def test_lists_and_dictionaries_that_lead_out_of_their_values_are_refused():
    """Views of lists and dictionary indices are looked at before pyarrow follows them."""
    pa = pytest.importorskip("pyarrow", minversion="16")
    numbers = [pa.py_buffer(np.array(one, np.int32)) for one in ([0, 10**6], [1, 5])]
    values = pa.array([1, 2, 3], pa.int32())
    lists = pa.Array.from_buffers(pa.list_view(pa.int32()), 2, [None, *numbers], children=[values])
    indices = pa.array([0, 10**6], pa.int32())
    words = pa.DictionaryArray.from_arrays(indices, pa.array(["a"]), safe=False)
    for array in (lists, words):
        with pytest.raises(ValueError, match="data: not a valid Arrow array"):
            kernels.deduplicate(array)


def test_unsupported_types_are_named():
    """A union is refused with the column's name and its type."""
    pa = pytest.importorskip("pyarrow")
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])

    with pytest.raises(TypeError, match=r"data\.u: Arrow type sparse_union"):
        _columns.chunks(pa.StructArray.from_arrays([union], ["u"]))
    with pytest.raises(TypeError, match="data: str is no column"):
        _columns.chunks("text")


def test_tables_are_batches_of_named_columns():
    """Columns of a table with other chunks each come side by side; a batch is a struct."""
    pa = pytest.importorskip("pyarrow")
    table = pa.table(
        {"a": pa.chunked_array([[1], [2, 3]]), "b": pa.chunked_array([["x", "y"], ["z"]])}
    )
    rows = [(1, b"x"), (2, b"y"), (3, b"z")]

    assert rows == chunk_values(table)
    assert rows == chunk_values(table.combine_chunks().to_batches()[0])
    found = _columns.table(table)
    assert ["a", "b"] == list(found)
    assert [1, 2, 3] == [value for column in found["a"] for value in values(column)]


def test_mistakes_between_tables_and_columns_are_told():
    """A table where a column is wanted, and the other way round, name the cure."""
    pa = pytest.importorskip("pyarrow")

    with pytest.raises(TypeError, match=r"pass one of \['a'\]"):
        _columns.chunks(pa.table({"a": [1]}))
    with pytest.raises(TypeError, match=r"pass a pyarrow\.Table"):
        _columns.batches(pa.array([1]))


def test_dicts_are_tables():
    """A dict of columns is a table, if they have one length and one chunk each."""
    assert [(1, True), (2, False)] == chunk_values(
        {"a": np.array([1, 2]), "b": np.array([True, False])}
    )
    with pytest.raises(ValueError, match=r"different lengths: \{'a': 1, 'b': 2\}"):
        _columns.batches({"a": np.zeros(1), "b": np.zeros(2)})
    with pytest.raises(ValueError, match="without columns"):
        _columns.batches({})
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(TypeError, match=r"data\['a'\]: several chunks"):
        _columns.batches({"a": pa.chunked_array([[1], [2]])})


def test_polars_is_read_through_arrows_interface():
    """A Series is a column and a DataFrame is a table."""
    pl = pytest.importorskip("polars")

    assert [b"a", None] == chunk_values(pl.Series(["a", None]))
    assert [(1, b"x"), (2, None)] == chunk_values(pl.DataFrame({"a": [1, 2], "b": ["x", None]}))


def test_datasets_are_tables_unless_they_have_an_indices_mapping():
    """A Hugging Face Dataset is its table; one with its rows elsewhere is refused with the cure."""
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"a": ["x", "y"]})

    assert [(b"x",), (b"y",)] == chunk_values(data)
    with pytest.raises(ValueError, match=r"pass dataset.flatten_indices\(\)"):
        _columns.rows(data.select([1, 0]))
    assert [(b"y",), (b"x",)] == chunk_values(data.select([1, 0]).flatten_indices())


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.arange(6)[::2], [0, 2, 4]),
        (np.arange(6)[::-3], [5, 2]),
        (np.array([1, 2], dtype=">i4"), [1, 2]),
        (np.array([1.5, -0.0], dtype=np.float16), [1.5, -0.0]),
        (np.array([True, False, True]), [True, False, True]),
        (np.array(["a", "", "é\0x", "日"]), [b"a", b"", "é\0x".encode(), "日".encode()]),
        (np.array([b"a\0b", b"", b"xyz"]), [b"a\0b", b"", b"xyz"]),
        (np.array(["", ""]), [b"", b""]),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([[1, 2], [3, 4]]).T, [[1, 3], [2, 4]]),
        (np.empty((3, 0)), [[], [], []]),
        (np.array([(1, "a"), (2, "")], dtype=[("x", "i4"), ("y", "U2")]), [(1, b"a"), (2, b"")]),
        (np.array([], dtype="U3"), []),
        (np.array([], dtype=np.int32), []),
    ],
)
def test_numpy_arrays_are_columns(array, expected):
    """Strides, byte orders, padding of strings, matrices and records are read by value."""
    assert expected == chunk_values(array)


def test_contiguous_arrays_are_not_copied():
    """The column's address is the array's own, and it keeps the array alive."""
    array = np.arange(5)
    (column,) = _columns.chunks(array)

    assert array.__array_interface__["data"][0] == column.data.address
    assert np.dtype(np.int64) == column.dtype


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([1j]), "dtype complex128 is not supported"),
        (np.array([None]), r"dtype object is not supported; pass array.tolist\(\)"),
        (np.zeros(1, dtype=np.longdouble), "is not supported"),
        (np.zeros((1, 1, 1)), "3 dimensions, want 1 or 2"),
        (np.array(0), "0 dimensions, want 1 or 2"),
    ],
)
def test_other_arrays_are_refused(array, message):
    """What has no bytes that tell its value is a TypeError that names the column."""
    with pytest.raises(TypeError, match=f"data: .*{message}"):
        _columns.chunks(array)


def test_lone_surrogates_in_numpy_strings_name_the_row():
    """They have no UTF-8."""
    with pytest.raises(ValueError, match=r"data\[1\]: surrogates not allowed"):
        _columns.chunks(np.array(["a", "b\ud800"]))


def test_ragged_is_a_list_column():
    """Rows are between the offsets, of either width, and null where validity says so."""
    for dtype in (np.int32, np.int64):
        data = kernels.Ragged([1, 2, 3], np.array([0, 1, 1, 3], dtype=dtype))
        assert 3 == len(data)
        assert [[1], [], [2, 3]] == chunk_values(data)
    data = kernels.Ragged([1, 2], np.array([0, 1, 1, 2]), [True, False, True])
    assert [[1], None, [2]] == chunk_values(data)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1], [0, 1], [True, True]), ValueError, "validity: 2 rows, but offsets tell 1"),
        (([1], []), TypeError, "offsets: dtype float64"),
        (([1], np.array([], dtype=int)), ValueError, "offsets: empty"),
        (([1], np.array([0, 1], dtype=np.int16)), TypeError, "offsets: dtype int16"),
        (([[1]], [0, 1]), ValueError, "values: 2 dimensions, want 1"),
        ((["a"], [0, 1]), TypeError, "values: dtype <U1"),
        (([1], [0, 1], [1]), TypeError, "validity: dtype int64"),
    ],
)
def test_ragged_refuses_what_it_cannot_read(arguments, error, message):
    """Its arguments are checked when it is made, and named."""
    with pytest.raises(error, match=message):
        kernels.Ragged(*arguments)


@pytest.fixture(params=["native", "reference"])
def check(request, monkeypatch):
    """Verify columns in C, and in Python."""
    if request.param == "reference":
        monkeypatch.setattr(_loading, "native", lambda: None)
    elif _loading.native() is None:
        pytest.skip("the native library is not here")
    return _columns.verify


@pytest.mark.parametrize(
    ("offsets", "row"), [([0, 2, 1, 3], 1), ([0, 1, 2, 4], 2), ([-1, 1, 2, 3], 0)]
)
def test_wrong_offsets_name_the_row(check, offsets, row):
    """Offsets that fall, start below zero or leave the values are told with the row."""
    good = _columns.chunks(kernels.Ragged([1, 2, 3], [0, 3]), "ids")
    bad = _columns.chunks(kernels.Ragged([1, 2, 3], offsets), "ids")

    with pytest.raises(ValueError, match=rf"ids: offsets of row {row + 1} fall, or lie outside"):
        check(good + bad)


def test_rows_of_nested_columns_are_those_of_the_outermost(check):
    """A wrong row of a child is told as the row that holds it."""
    inner = _columns.chunks(kernels.Ragged([1, 2, 3], [0, 1, 3, 2]))[0]
    offsets = np.array([0, 0, 2, 3])
    address = Buffer(offsets.__array_interface__["data"][0], offsets.nbytes)
    outer = Column(Kind.LIST, 3, width=8, offsets=address, children=(inner,), keep=offsets)
    pairs = Column(Kind.FIXED_LIST, 3, width=1, children=(inner,))
    record = Column(Kind.STRUCT, 3, children=(inner,))

    for column in (outer, pairs, record):
        with pytest.raises(ValueError, match="data: offsets of row 2 fall"):
            check([column])
        check([replace(column, length=2)])


def test_small_buffers_are_refused(check):
    """Buffers that are smaller than the rows need are told, whatever the kind."""
    short = _columns.chunks(np.arange(3))[0]
    for column in (
        replace(short, length=4),
        replace(short, offset=1),
        replace(short, validity=short.data, length=3, offset=200),
        Column(Kind.BOOL, 9, data=Buffer(short.data.address, 1)),
        Column(Kind.BINARY, 1, width=4),
        Column(Kind.STRUCT, 4, children=(short,)),
        Column(Kind.FIXED_LIST, 2, width=2, children=(short,)),
    ):
        with pytest.raises(ValueError, match="data: a buffer is smaller than"):
            check([column])


def test_empty_columns_need_no_buffers(check):
    """Arrow leaves out the buffers of arrays without rows."""
    check([Column(kind, 0, width=4) for kind in Kind if kind < Kind.LIST])


def test_arrow_is_not_imported_for_others():
    """Neither the package nor its use on NumPy and lists brings pyarrow, torch or datasets."""
    script = (
        "import sys, numpy as np; from shimhub import kernels;"
        "kernels.deduplicate(np.arange(3)); kernels.hash_rows(['a']);"
        "kernels.deduplicate({'a': np.arange(3)});"
        "sys.exit(bool({'pyarrow', 'torch', 'datasets'} & set(sys.modules)))"
    )
    assert 0 == subprocess.run([sys.executable, "-c", script], check=False).returncode


@pytest.mark.parametrize(
    ("ends", "why"), [([5, 3], "Every run end"), ([3, 3], "Every run end"), ([-2, 3], "All run")]
)
def test_runs_that_do_not_rise_are_refused(ends, why):
    """Run ends that do not rise, or are below 1, are no array."""
    pa = pytest.importorskip("pyarrow")
    array = pa.Array.from_buffers(
        pa.run_end_encoded(pa.int32(), pa.string()),
        3,
        [None],
        children=[pa.array(ends, pa.int32()), pa.array(["a", "b"])],
    )

    with pytest.raises(ValueError, match=f"data: not a valid Arrow array: {why}"):
        _columns.chunks(array)


def test_dictionaries_of_runs_and_runs_of_dictionaries_are_decoded():
    """What is encoded twice, and views in a dictionary, mean what pyarrow says they do."""
    pa = pytest.importorskip("pyarrow")
    words = pa.array(["x", "x", "y", None])
    at = pa.array([3, 0, None, 2, 1])
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 5, 6]), words.dictionary_encode())
    expected = [b"x"] * 3 + [b"y"] * 2 + [None]

    assert expected == chunk_values(runs)
    assert expected[1:4] == chunk_values(runs[1:4])
    for values in (words.cast(pa.string_view()), pa.compute.run_end_encode(words)):
        array = pa.DictionaryArray.from_arrays(at, values)
        assert [None, b"x", None, b"y", b"x"] == chunk_values(array)
        assert [None, b"y"] == chunk_values(array[2:4])


def test_a_decoded_column_that_does_not_fit_memory_is_told():
    """Indices of one large value are more than the machine has: nothing is taken."""
    pa = pytest.importorskip("pyarrow")
    values = pa.array(["x" * 10**7])
    array = pa.DictionaryArray.from_arrays(pa.nulls(5_000_000, pa.int8()).fill_null(0), values)

    with pytest.raises(MemoryError, match="data: 50000000000000 bytes where decoded"):
        _columns.chunks(array)


def test_polars_categories_and_objects():
    """Categories are their strings; objects, whose addresses Arrow would get, are refused."""
    pl = pytest.importorskip("polars")
    rows = ["a", "b", None, "a"]
    for dtype in (pl.Categorical, pl.Enum(["b", "a"])):
        series = pl.Series("s", rows, dtype=dtype)
        assert [b"a", b"b", None, b"a"] == chunk_values(series)
        assert [0, 1, 2] == kernels.deduplicate(pl.DataFrame([series])).tolist()
    objects = pl.Series("s", [object(), object()], dtype=pl.Object)
    for data, name in ((objects, "data"), (pl.DataFrame([objects]), "s")):
        with pytest.raises(TypeError, match=rf"{name}: polars' Object .* pass series\.to_list"):
            kernels.hash_rows(data)


def test_a_pandas_index_is_no_column():
    """A frame that was filtered, sorted or given an index has the rows of its columns alone."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 1, 2, 1], "b": list("xxyx")})
    for same in (frame, frame[frame.a > 0].iloc[::-1], frame.set_index(pd.Index(list("abcd")))):
        assert 2 == len(kernels.deduplicate(same))
    assert ["a", "b"] == list(_columns.table(frame[::2]))
    assert [b"x", b"y"] == chunk_values(frame.b.iloc[[0, 2]])


def test_what_pyarrow_does_not_take_names_the_argument():
    """Mixed objects and columns of one name in pandas are told by the argument's name."""
    pd = pytest.importorskip("pandas")

    with pytest.raises(TypeError, match=r"data: Expected bytes, got a 'int' .*column a"):
        kernels.hash_rows(pd.DataFrame({"a": ["x", 1]}))
    with pytest.raises(TypeError, match="texts: Expected bytes"):
        kernels.minhash(pd.Series(["x", 1]))
    with pytest.raises(ValueError, match="data: Duplicate column names"):
        kernels.hash_rows(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_nesting_is_64_deep_at_most():
    """One level more is told as such, before the library or Python's stack comes to it."""
    pa = pytest.importorskip("pyarrow")

    def nested(array, levels):
        for _ in range(levels):
            array = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), array)
        return array

    deepest = nested(pa.array([1]), 63)
    verified(deepest)
    verified(nested(pa.array(["a"]).dictionary_encode(), 63))
    verified(pa.table({"a": deepest.values}))
    for data, name in ((nested(deepest, 1), "data"), (pa.table({"a": deepest}), "a")):
        with pytest.raises(ValueError, match=f"{name}: nested more than 64 deep"):
            kernels.deduplicate(data)
    with pytest.raises(ValueError, match="data: nested more than 64 deep"):
        kernels.deduplicate(nested(deepest, 1000))


def test_masked_arrays_are_refused():
    """A mask is not ignored: the error tells how to make nulls of it."""
    masked = np.ma.array([1, 2, 3, 9], mask=[0, 1, 1, 0])
    cure = r"a masked array .* pass pyarrow\.array\(it\)"

    for data, name in ((masked, "data"), ({"a": masked}, r"data\['a'\]")):
        with pytest.raises(TypeError, match=f"{name}: {cure}"):
            kernels.deduplicate(data)
    with pytest.raises(TypeError, match=f"values: {cure}"):
        kernels.Ragged(masked, [0, 4])
    with pytest.raises(TypeError, match=f"validity: {cure}"):
        kernels.Ragged([1], [0, 1], np.ma.array([True]))
    with pytest.raises(TypeError, match=f"signatures: {cure}"):
        kernels.lsh_bands(np.ma.zeros((1, 4), np.uint32), 2)
    pa = pytest.importorskip("pyarrow")
    assert [0, 1, 3] == kernels.deduplicate(pa.array(masked)).tolist()


def test_what_is_no_character_is_named():
    """NumPy's U holds any number; those above Unicode's are a ValueError with the row."""
    for order in "<>":
        rows = np.array([97, 98, 97, 0x110000], f"{order}u4").view(f"{order}U2")
        with pytest.raises(ValueError, match=r"data\[1\]: a number above 0x10FFFF"):
            kernels.deduplicate(rows)
