"""Record batches as columns, rows, NumPy arrays and torch tensors."""

from __future__ import annotations

import datetime as dt
import struct
from pathlib import Path

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")

from shimhub import kernels  # noqa: E402 - without pyarrow there is nothing to test
from shimhub.data.reading import _outputs  # noqa: E402 - as above
from shimhub.data.reading._arrays import Lists, TensorLists  # noqa: E402 - as above

NUMBERS = [
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
]
TOKENS = [[1, 2, 3], [], [4], [5, 6]]


def batch(values, kind=None):
    """Return a batch of one column ``a``, whose rows are not the first of their buffers."""
    array = pa.array([*values[:1], *values], kind)
    return pa.record_batch({"a": array})[1:]


def test_columns_and_rows_are_pyarrows():
    """Lists and dicts of the values that pyarrow's own calls give."""
    data = pa.record_batch({"a": [1, None], "t": [[{"x": "é"}], None]})

    assert data.to_pydict() == _outputs.columns_of(data)
    assert data.to_pylist() == _outputs.rows_of(data)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_views(name):
    """Of each dtype, at any offset: the array lies in Arrow's buffer, and cannot be written."""
    data = batch([1, 2, 0], getattr(pa, name)())
    got = _outputs.numpy_of(data)["a"]

    assert ([1, 2, 0], name, False) == (got.tolist(), str(got.dtype), got.flags.writeable)
    buffer = data.column(0).buffers()[1]
    assert buffer.address <= got.ctypes.data < buffer.address + buffer.size


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 31])
def test_booleans_at_any_bit(rows):
    """Bits become booleans, wherever in a byte they begin."""
    values = [i % 3 == 0 for i in range(50)]
    data = pa.record_batch({"a": values})
    for start in (0, 3, 8, 13):
        got = _outputs.numpy_of(data.slice(start, rows))["a"]
        assert (values[start : start + rows], bool) == (got.tolist(), got.dtype)


def test_lists_are_lazy_views():
    """A column of token lists is a sequence of views over one array."""
    data = batch(TOKENS, pa.list_(pa.int32()))
    got = _outputs.numpy_of(data)["a"]

    assert isinstance(got, Lists)
    assert TOKENS == [row.tolist() for row in got]
    assert ([5, 6], [1, 2, 3]) == (got[-1].tolist(), got[-4].tolist())
    assert TOKENS[1:3] == [row.tolist() for row in got[1:3]]
    assert TOKENS[::2] == [row.tolist() for row in got[::2]]
    assert [] == list(got[3:1])
    assert np.shares_memory(got[0], got.values)
    assert (np.int32, False, False) == (
        got.values.dtype,
        got.values.flags.writeable,
        got[0].flags.writeable,
    )
    assert "<Lists: 4 rows of int32>" == repr(got)
    for wrong in (4, -5):
        with pytest.raises(IndexError, match=f"row {wrong} of 4"):
            got[wrong]


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list])
@pytest.mark.parametrize("output", ["numpy_of", "torch_of"])
def test_kernels_take_lists_as_they_are(kind, output):
    """``pad`` and ``collate`` get from them what they get from the lists themselves."""
    if output == "torch_of":
        pytest.importorskip("torch")
    got = getattr(_outputs, output)(batch(TOKENS, kind(pa.int64())))["a"]

    assert kernels.pad(TOKENS).tolist() == kernels.pad(got).tolist()
    expected = kernels.collate([{"input_ids": row} for row in TOKENS])
    for name, array in kernels.collate({"input_ids": got}).items():
        assert expected[name].tolist() == array.tolist()


def test_lists_of_a_fixed_size_are_matrices():
    """Each row is a row of a matrix."""
    got = _outputs.numpy_of(batch([[1, 2], [3, 4]], pa.list_(pa.float32(), 2)))["a"]

    assert ([[1, 2], [3, 4]], np.float32, False) == (got.tolist(), got.dtype, got.flags.writeable)


DAY = dt.date(2020, 2, 29)
MOMENT = dt.datetime.fromisoformat("2020-02-29T01:02:03")


@pytest.mark.parametrize(
    ("values", "kind", "dtype"),
    [
        ([DAY, None], pa.date32(), "M8[D]"),
        ([DAY, None], pa.date64(), "M8[ms]"),
        ([MOMENT, None], pa.timestamp("s"), "M8[s]"),
        ([MOMENT, None], pa.timestamp("us"), "M8[us]"),
        ([MOMENT, None], pa.timestamp("ns", "UTC"), "M8[ns]"),
        ([dt.timedelta(1), None], pa.duration("ms"), "m8[ms]"),
    ],
)
def test_times_are_times(values, kind, dtype):
    """Dates, moments and durations keep their unit; a null one is NaT."""
    got = _outputs.numpy_of(batch(values, kind))["a"]

    assert (np.dtype(dtype), [False, True]) == (got.dtype, np.isnat(got).tolist())
    assert np.array(values[0], dtype) == got[0]
    assert not got.flags.writeable


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["é", None], pa.string()),
        ([b"x", None], pa.binary()),
        ([[["a"]], [[], None]], pa.list_(pa.list_(pa.string()))),
        ([[[1, 2]], [[3, 4]]], pa.list_(pa.list_(pa.int64()))),
        ([{"a": 1}, None], pa.struct({"a": pa.int64()})),
        ([None, None], pa.null()),
        ([dt.time(1), None], pa.time32("s")),
    ],
)
def test_what_has_no_numbers_is_objects(values, kind):
    """Text and nested values come as Python's objects, in an array of one dimension."""
    got = _outputs.numpy_of(batch(values, kind))["a"]

    assert (values, object, (2,)) == (list(got), got.dtype, got.shape)


def test_dictionaries_are_their_values():
    """Numbers, lists or text behind a dictionary are as without one."""
    numbers = batch([3, 1, 3]).column(0).dictionary_encode()
    text = pa.array(["a", "b", "a"]).dictionary_encode()
    got = _outputs.numpy_of(pa.record_batch({"n": numbers, "t": text}))

    assert ([3, 1, 3], np.int64) == (got["n"].tolist(), got["n"].dtype)
    assert ["a", "b", "a"] == list(got["t"])


NULLS = [
    ([1, 2, None], pa.int32(), 2),
    ([True, None, None], pa.bool_(), 1),
    ([[1], None, [2]], pa.list_(pa.int32()), 1),
    ([[1], [], [2, None]], pa.list_(pa.int32()), 2),
    ([[1, 2], None, [1, 2]], pa.list_(pa.int32(), 2), 1),
    ([[1, 2], [1, 2], [None, 2]], pa.list_(pa.int32(), 2), 2),
]


@pytest.mark.parametrize(("values", "kind", "row"), NULLS)
@pytest.mark.parametrize("output", ["numpy_of", "torch_of"])
def test_nulls_among_numbers_are_an_error(output, values, kind, row):
    """There is no number to put there: the error names column and row."""
    if output == "torch_of":
        pytest.importorskip("torch")
    with pytest.raises(kernels.CellError, match=f"'a': row {row}: .*null") as told:
        getattr(_outputs, output)(batch(values, kind))
    assert ("a", row) == (told.value.column, told.value.row)


@pytest.mark.parametrize(("values", "kind"), [one[:2] for one in NULLS])
def test_nulls_are_masked_on_request(values, kind):
    """With ``masked`` nothing is lost, and nothing made up."""
    got = _outputs.numpy_of(batch(values, kind), masked=True)["a"]

    rows = [one.tolist() if hasattr(one, "tolist") else one for one in got.tolist()]
    if pa.types.is_fixed_size_list(kind):
        values = [one or [None, None] for one in values]
    assert values == rows


def test_whole_columns_are_not_masked():
    """Without a null, ``masked`` changes nothing."""
    data = pa.record_batch({"a": [1, 2], "t": [[1], [2]]})
    got = _outputs.numpy_of(data, masked=True)

    assert type(got["a"]) is np.ndarray
    assert type(got["t"]) is Lists


@pytest.mark.parametrize("output", ["columns_of", "rows_of", "numpy_of"])
def test_a_name_that_comes_twice_is_an_error(output):
    """A dict would lose one of the columns."""
    data = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(ValueError, match="'a' twice"):
        getattr(_outputs, output)(data)


def corrupt(offsets):
    """Return a batch whose lists tell these offsets, of four values."""
    values = pa.array([1, 2, 3, 4], pa.int32())
    buffers = [None, pa.py_buffer(np.array(offsets, np.int32).tobytes())]
    lists = pa.Array.from_buffers(
        pa.list_(pa.int32()), len(offsets) - 1, buffers, children=[values]
    )
    return pa.record_batch({"a": lists})


@pytest.mark.parametrize(
    ("offsets", "row"), [([0, 2, 1, 4], 1), ([0, 9, 2, 4], 0), ([0, -5, 2, 4], 0)]
)
@pytest.mark.parametrize("output", ["numpy_of", "columns_of", "rows_of"])
def test_offsets_of_a_damaged_file_are_never_followed(output, offsets, row):
    """Offsets that fall or lie outside are an error with column and row."""
    with pytest.raises(kernels.CellError) as told:
        getattr(_outputs, output)(corrupt(offsets))
    assert ("a", row) == (told.value.column, told.value.row)


@pytest.mark.parametrize("output", ["numpy_of", "columns_of", "rows_of"])
def test_buffers_that_are_too_small_are_an_error(output):
    """A buffer that ends before its rows do is told, and not read."""
    sink = pa.BufferOutputStream()
    data = pa.record_batch({"a": pa.array(range(100), pa.int64())})
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write(data)
    raw = sink.getvalue().to_pybytes()
    offset_and_size = struct.pack("<qq", 0, 800)
    assert 1 == raw.count(offset_and_size)
    damaged = raw.replace(offset_and_size, struct.pack("<qq", 0, 8))
    with pytest.raises(kernels.CellError, match="'a': "):
        getattr(_outputs, output)(pa.ipc.open_stream(damaged).read_next_batch())


class TestTorch:
    """The same as tensors."""

    torch = property(lambda self: pytest.importorskip("torch"))

    def test_numbers_are_copies_that_may_be_written(self):
        """Writing to a tensor changes no file that is mapped, and warns of nothing."""
        data = batch([1, 2, 3])
        got = _outputs.torch_of(data)["a"]
        got[0] = 9

        assert ([9, 2, 3], self.torch.int64) == (got.tolist(), got.dtype)
        assert [1, 2, 3] == data.column(0).to_pylist()

    def test_lists_are_lazy_views_of_one_tensor(self):
        """Rows are views of ``values``, which is a copy and may be written."""
        got = _outputs.torch_of(batch(TOKENS, pa.large_list(pa.int32())))["a"]

        assert isinstance(got, TensorLists)
        assert TOKENS == [row.tolist() for row in got]
        assert TOKENS[1:] == [row.tolist() for row in got[1:]]
        assert TOKENS[::-1] == [row.tolist() for row in got[::-1]]
        assert [] == list(got[2:2])
        next(iter(got))[0] = 9
        assert [9, 2, 3, 4, 5, 6] == got.values.tolist()
        assert ([0, 3, 3, 4, 6], self.torch.int64) == (got.offsets.tolist(), got.offsets.dtype)
        assert "<TensorLists: 4 rows of torch.int32>" == repr(got)

    def test_matrices_booleans_and_halves(self):
        """Lists of a fixed size, booleans and float16 have tensors too."""
        data = pa.record_batch(
            {
                "m": pa.array([[1, 2], [3, 4]], pa.list_(pa.int16(), 2)),
                "b": [True, False],
                "h": pa.array([0.5, 1.0], pa.float16()),
            }
        )
        got = _outputs.torch_of(data)

        assert [[1, 2], [3, 4]] == got["m"].tolist()
        assert ([True, False], self.torch.bool) == (got["b"].tolist(), got["b"].dtype)
        assert ([0.5, 1.0], self.torch.float16) == (got["h"].tolist(), got["h"].dtype)

    def test_what_has_no_numbers_is_lists(self):
        """Text, dates and structs are Python's objects in lists."""
        data = pa.record_batch({"s": ["é", None], "d": [DAY, None], "r": [{"a": 1}, None]})
        assert data.to_pydict() == _outputs.torch_of(data)

    def test_dtypes_that_torch_lacks_are_told(self, monkeypatch):
        """A torch without unsigned numbers is an error with the column's name."""

        def lacking(array):
            raise TypeError(f"can't convert np.ndarray of type numpy.{array.dtype}")

        monkeypatch.setattr(self.torch, "from_numpy", lacking)
        with pytest.raises(kernels.CellError, match="'a': torch has no uint16"):
            _outputs.torch_of(batch([1], pa.uint16()))

    def test_without_torch_it_says_what_to_install(self, monkeypatch):
        """The cure is in the message."""
        monkeypatch.setitem(__import__("sys").modules, "torch", None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'shimhub\[torch\]'"):
            _outputs.torch_of(batch([1]))


def test_the_table_of_the_page_is_what_batches_hold():
    """docs/data.md tells each type's form in each output."""
    pytest.importorskip("torch")
    from tests import data_forms

    page = (Path(__file__).resolve().parent.parent / "docs" / "data.md").read_text("utf-8")
    assert "\n".join(data_forms.lines()) in page
