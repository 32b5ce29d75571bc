"""Rows of their own lengths into one matrix: the library against the reference, and its limits."""

from __future__ import annotations

import array
import decimal
import enum
import fractions
import gc
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels import _loading, padding
from shimhub.kernels._reference import padding as reference

DTYPES = ["int32", "int64", "uint8", "float32", "float64", "bool"]
SOURCES = [*"bhilqBHILQfd?"]
DEFAULTS = {
    "length": None,
    "multiple_of": None,
    "side": "right",
    "value": 0,
    "dtype": np.int64,
    "out": None,
    "truncate": False,
}


class Colour(enum.IntEnum):
    RED = 5


class Index:
    """Has ``__index__``, as NumPy's integers have; ``act`` is called by it."""

    def __init__(self, number=7, act=lambda: None):
        self.number, self.act = number, act

    def __index__(self):
        self.act()
        return self.number


def outcome(call, *arguments, **options):
    """Return what a call answers, or how it fails."""
    try:
        answer = call(*arguments, **options)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        return type(error), str(error)
    return answer.dtype, answer.shape, answer.tobytes()


def pad_in_both(rows, **options):
    """Pad by the library, and check that the reference does the same."""
    found = outcome(kernels.pad, rows, **options)
    assert outcome(reference.pad, rows, **{**DEFAULTS, **options}) == found
    return found


@pytest.fixture(params=["library", "reference"])
def _either_way(request, monkeypatch):
    """Run the test with the library, and without."""
    if request.param == "reference":
        monkeypatch.setattr(_loading, "load", lambda: "turned off by the test")


both = pytest.mark.usefixtures("_either_way")


INTEGERS = st.one_of(
    st.integers(0, 1),
    st.integers(-300, 300),
    st.integers(-(2**31) - 2, 2**31 + 2),
    st.integers(-(2**63) - 2, 2**63 + 2),
    st.sampled_from([2**15, 2**30 - 1, 2**30, -(2**30), 2**60, 2**62, 10**4400]),
)
REALS = st.one_of(
    st.floats(width=64),
    st.sampled_from([3.4028234663852886e38, 3.4028235677973362e38, 3.4028235677973366e38, -1e39]),
)
ODD = st.sampled_from(
    [
        *(None, "1", b"1", [1], 1j, Colour.RED, Index(), Index(2**70), object()),
        *(np.int64(3), np.uint8(3), np.float32(0.5), np.float64(0.5), np.bool_(True)),
        *(np.array(3), np.array([3]), decimal.Decimal("0.5"), fractions.Fraction(1, 2), True),
    ]
)
OPTIONS = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(DTYPES),
        "side": st.sampled_from(["right", "left"]),
        "value": st.sampled_from([0, -100, 1, True, 0.5, 255, "range"]),
    },
    optional={
        "length": st.integers(0, 20),
        "multiple_of": st.integers(1, 9),
        "truncate": st.booleans(),
    },
)


@given(st.lists(st.lists(INTEGERS, max_size=12), max_size=6), OPTIONS)
def test_ints_are_padded_as_by_the_reference(rows, options):
    """Values, lengths, padding and errors with their places, over all dtypes and options."""
    pad_in_both(rows, **options)


@given(st.lists(st.lists(st.one_of(INTEGERS, REALS), max_size=12), max_size=6), OPTIONS)
def test_floats_are_padded_as_by_the_reference(rows, options):
    """NaN, infinities and what rounds to one; ints in float rows are rounded once."""
    pad_in_both(rows, **options)


@given(
    st.lists(st.lists(st.one_of(st.integers(0, 9), ODD), max_size=4).map(tuple), max_size=4),
    OPTIONS,
)
def test_odd_items_are_padded_or_refused_as_by_the_reference(rows, options):
    """Subclasses, NumPy's scalars, whatever has __index__ or __float__; and what is no number."""
    pad_in_both(rows, **options)


@st.composite
def vectors(draw):
    """Draw an array of one dimension with any of the layouts that NumPy has."""
    dtype = np.dtype(draw(st.sampled_from(SOURCES)))
    data = draw(st.binary(max_size=16 * dtype.itemsize))
    data = data[: len(data) // dtype.itemsize * dtype.itemsize]
    if dtype.kind == "b":
        data = bytes(byte & 1 for byte in data)
    found = np.frombuffer(b"x" + data, np.uint8)[1:].view(dtype)
    return found[:: draw(st.sampled_from([1, 2, -1, -3]))]


@given(st.lists(vectors(), max_size=5), OPTIONS)
def test_arrays_are_padded_as_by_the_reference(rows, options):
    """Every dtype into every dtype, strided, backwards and unaligned; misfits with their places."""
    with np.errstate(all="ignore"):
        pad_in_both(rows, **options)


@given(vectors(), st.integers(0, 3), OPTIONS)
def test_a_matrix_is_a_list_of_its_rows(vector, count, options):
    """One array of two dimensions, in any order of memory."""
    with np.errstate(all="ignore"):
        for matrix in (np.tile(vector, (count, 1)), np.tile(vector, (count, 1)).T):
            pad_in_both(matrix, **options)


def test_a_row_longer_than_a_block():
    """Conversions go by blocks: what is in the second and last one arrives too, and is checked."""
    row = np.arange(1000, dtype=np.int16)
    assert np.array_equal(np.arange(1000)[None], kernels.pad([row]))
    for at in (0, 255, 256, 999):
        bad = row.astype(np.int64)
        bad[at] = 2**31
        assert (OverflowError, f"rows[0][{at}]: 2147483648 does not fit int32") == pad_in_both(
            [bad], dtype="int32"
        )


@pytest.mark.parametrize(
    ("rows", "options", "error", "text"),
    [
        ([[1], [2, 2.5]], {}, TypeError, "rows[1][1]: expected an int, got float"),
        ([[1], [None]], {}, TypeError, "rows[1][0]: expected an int, got None"),
        ([[1], ["2"]], {"dtype": float}, TypeError, "rows[1][0]: expected a number, got str"),
        ([[1], [[2]]], {"dtype": bool}, TypeError, "rows[1][0]: expected a bool, got list"),
        ([[1, 2**31]], {"dtype": np.int32}, OverflowError, "rows[0][1]: 2147483648 does not fit"),
        ([[2**63]], {}, OverflowError, "rows[0][0]: 9223372036854775808 does not fit int64"),
        ([[-(2**3000)]], {}, OverflowError, "rows[0][0]: an int of 3001 bits does not fit int64"),
        ([[2]], {"dtype": bool}, OverflowError, "rows[0][0]: 2 does not fit bool"),
        ([[1e39]], {"dtype": "float32"}, OverflowError, "rows[0][0]: 1e+39 does not fit float32"),
        ([[1], None], {}, TypeError, "rows[1]: expected a list, tuple or 1-D array of numbers"),
        ([[1], "23"], {}, TypeError, "rows[1]: expected a list"),
        ([[1], b"23"], {}, TypeError, "rows[1]: expected a list"),
        ([1, 2], {}, TypeError, "rows[0]: expected a list"),
        (7, {}, TypeError, "rows[0]: expected a list"),
        ([np.zeros((1, 1), int)], {}, ValueError, "rows[0]: expected 1-D, got 2-D"),
        (np.zeros(3), {}, ValueError, "rows[0]: expected 2-D, got 1-D"),
        ([np.zeros(2, ">i4")], {}, TypeError, "rows[0]: an array of format"),
        ([np.zeros(2, np.float16)], {"dtype": float}, TypeError, "rows[0]: an array of format"),
        ([np.zeros(2)], {}, TypeError, "rows[0]: float64 numbers do not go into int64"),
        ([[1, 2, 3]], {"length": 2}, ValueError, "rows[0]: 3 items are more than length 2"),
        ([[1]], {"length": -1}, ValueError, "length: expected an int of at least 0"),
        ([[1]], {"length": True}, TypeError, "length: expected an int of at least 0"),
        ([[1]], {"length": 1.0}, TypeError, "length: expected an int of at least 0"),
        ([[1]], {"length": 2**64}, OverflowError, "cannot fit"),
        ([[1]], {"multiple_of": 0}, ValueError, "multiple_of: expected an int of at least 1"),
        ([[1]], {"side": "top"}, ValueError, "side: expected 'right' or 'left', got 'top'"),
        ([[1]], {"side": None}, TypeError, "side: expected 'right' or 'left', got None"),
        ([[1]], {"dtype": "int16"}, TypeError, "dtype: expected int32, int64, uint8"),
        ([[1]], {"dtype": []}, TypeError, "dtype: expected int32, int64, uint8"),
        ([[1]], {"dtype": None}, TypeError, "dtype: expected int32, int64, uint8"),
        ([[1]], {"value": 0.5}, TypeError, "value: expected an int or 'range', got 0.5"),
        ([[1]], {"value": "ranges"}, TypeError, "value: expected an int or 'range'"),
        ([[1]], {"value": 256, "dtype": "uint8"}, OverflowError, "value: 256 does not fit uint8"),
        (
            *([[1]], {"value": "range", "dtype": "uint8", "length": 300}),
            *(OverflowError, "a range of 300 does not fit uint8"),
        ),
        ([[1]], {"threads": -1}, ValueError, "threads: expected 0 .. 1024, got -1"),
    ],
)
@both
def test_bad_input_is_named(rows, options, error, text):
    """The error is of the documented type, and says where; the same without the library."""
    with pytest.raises(error) as caught:
        kernels.pad(rows, **options)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "dtype", [int, np.int64, "int64", np.dtype("int64"), np.dtype(np.longlong)]
)
@both
def test_a_dtype_has_many_names(dtype):
    """What numpy.dtype() takes for one of ours is one of ours."""
    assert np.int64 == kernels.pad([[1]], dtype=dtype).dtype


@both
def test_axolotl_s_position_ids():
    """A range starts with 0 at the first place of padding, on either side."""
    rows = [[0, 1, 2, 3], [0], []]
    assert [[0, 1, 2, 3], [0, 0, 1, 2], [0, 1, 2, 3]] == kernels.pad(rows, value="range").tolist()
    left = kernels.pad(rows, value="range", side="left")
    assert [[0, 1, 2, 3], [0, 1, 2, 0], [0, 1, 2, 3]] == left.tolist()


@both
def test_empty_batches_and_rows():
    """No rows, or no items: arrays without items, of the length that was told."""
    assert (0, 0) == kernels.pad([]).shape
    assert (0, 4) == kernels.pad((), length=3, multiple_of=2).shape
    assert (2, 0) == kernels.pad([[], ()]).shape
    assert (2, 0) == kernels.pad(np.empty((2, 0), int)).shape
    assert [[9, 9]] == kernels.pad([[]], length=2, value=9).tolist()


@both
def test_flags_are_taken_by_their_truth():
    """What is true truncates: the ends of longer rows go, on either side of padding."""
    for flag in (True, 1, np.bool_(True)):
        for side in ("right", "left"):
            rows = [[1, 2, 3], np.arange(4)]
            found = kernels.pad(rows, length=2, truncate=flag, side=side)
            assert [[1, 2], [0, 1]] == found.tolist()


@both
def test_other_rows_with_a_buffer():
    """array.array and memoryview are rows, too."""
    rows = [array.array("h", [1, 2]), memoryview(np.arange(3))]
    assert [[1, 2, 0], [0, 1, 2]] == kernels.pad(rows).tolist()


@both
def test_rows_of_tensors():
    """Tensors are read where they are, strided ones too; a tensor is a matrix of rows."""
    torch = pytest.importorskip("torch")
    rows = [torch.arange(6)[::2], torch.tensor([7], dtype=torch.int32)]
    assert [[0, 2, 4], [7, 0, 0]] == kernels.pad(rows).tolist()
    assert [[0, 1], [2, 3]] == kernels.pad(torch.arange(4).reshape(2, 2)).tolist()
    memory = torch.zeros((1, 2), dtype=torch.int64)
    assert memory is kernels.pad([[1]], out=memory)
    assert [[1, 0]] == memory.tolist()
    with pytest.raises(ValueError, match=r"rows\[0\]: expected 1-D, got 0-D"):
        kernels.pad([torch.tensor(3)])


# ---- memory of the caller ------------------------------------------------------------------------


@both
def test_out_is_written_and_returned():
    """Any strides will do; without a length it is out's."""
    block = np.full((3, 8), 77)
    for out in (block[:2], block[:2, ::2], block[::-2, ::-1], np.full((8, 2), 77).T):
        assert out is kernels.pad([[1, 2], (3,)], out=out, side="left", value=-1)
        assert [1, 2] == out[0, -2:].tolist()
        assert [-1, 3] == out[1, -2:].tolist()
        assert {-1} == set(out[:, :-2].ravel())


@pytest.mark.parametrize(
    "bad",
    [
        [[1, 2], [3, 2.5]],
        [[1, 2], [Index(), None]],
        [np.array([1, 2]), np.array([2**40])],
        [np.array([1, 2]), [1, 2, 3, 4, 5]],
        [[1], [2**31]],
    ],
)
@both
def test_out_is_untouched_on_error(bad):
    """Whatever the last row holds, no earlier one is written."""
    for out in (np.full((2, 4), 77, np.int32), np.full((2, 8), 77, np.int32)[:, ::2]):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            kernels.pad(bad, out=out, dtype=np.int32)
        assert {77} == set(out.ravel())


@pytest.mark.parametrize(
    ("out", "error", "text"),
    [
        (np.zeros((1, 3), np.int32), TypeError, "out: expected dtype int64, got int32"),
        (np.zeros((2, 3), np.int64), ValueError, "out: expected 1 rows, got 2"),
        (np.zeros(3, np.int64), ValueError, "out: expected 2-D, got 1-D"),
        (np.broadcast_to(np.int64(0), (1, 3)), ValueError, "out: it is read-only"),
        (np.zeros((1, 4), np.int64), ValueError, "out: expected a length of 3, got 4"),
        ([[0, 0, 0]], TypeError, "out: expected"),
        (b"123", TypeError, "out: expected"),
    ],
)
@both
def test_wrong_out_is_refused(out, error, text):
    """dtype, shape and writability are checked before anything is written."""
    with pytest.raises(error) as caught:
        kernels.pad([[1]], out=out, length=3)
    assert text in str(caught.value)


@both
def test_out_that_overlaps_itself_is_refused():
    """Two items in one place would make the answer depend on the order of writing."""
    memory = np.zeros(8, np.int64)
    for strides in ((8, 8), (0, 8), (16, 4), (16, 8)):
        out = np.lib.stride_tricks.as_strided(memory, (2, 3), strides)
        with pytest.raises(ValueError, match="its items overlap"):
            kernels.pad([[1], [2]], out=out)


@both
def test_out_may_be_where_the_rows_are():
    """Rows that lie in out are read before it is written; unaligned memory is written rightly."""
    memory = np.arange(6).reshape(2, 3)
    kernels.pad([memory[1], memory[0, :1]], out=memory)
    assert [[3, 4, 5], [0, 0, 0]] == memory.tolist()
    raw = np.zeros(1 + 6 * 8, np.uint8)[1:].view(np.int64).reshape(2, 3)
    kernels.pad([[1, 2], [3]], out=raw)
    assert [[1, 2, 0], [3, 0, 0]] == raw.tolist()


# ---- lists that change while they are read -------------------------------------------------------


def test_a_list_that_its_own_item_empties():
    """__index__ may empty the row, or the batch: an error, or what was there; never a crash."""
    for fill in (0, 5000):
        row = [1, Index(), *range(fill)]
        row[1].act = row.clear
        with pytest.raises(RuntimeError, match=r"rows\[0\]: changed size while it was read"):
            kernels.pad([row])
        rows = [[1, Index()], [2, *range(fill)]]
        rows[0][1].act = rows.clear
        assert [1, 7] == kernels.pad(rows)[0, :2].tolist()


def test_a_list_that_its_own_item_replaces():
    """Items of the same row may be replaced by others, and the old ones be gone."""
    row = [1, Index(), *(10**9 + n for n in range(1000))]
    row[1].act = lambda: row.__setitem__(slice(1, None), [5.5] * (len(row) - 1))
    with pytest.raises(TypeError, match=r"rows\[0\]\[2\]: expected an int, got float"):
        kernels.pad([row])


def test_a_later_row_that_grows():
    """A row is measured once; another size when its turn comes is an error, also with out."""
    for out in (None, np.full((2, 2), 77)):
        rows = [[1, Index()], [2]]
        rows[0][1].act = lambda later=rows[1]: later.append(3)
        with pytest.raises(RuntimeError, match=r"rows\[1\]: changed size"):
            kernels.pad(rows, out=out)
        assert out is None or {77} == set(out.ravel())


def test_an_error_in_index_comes_through():
    """An exception that is not about the kind of number is the user's own."""

    def fail():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        kernels.pad([[1], [Index(act=fail)]])


# ---- columns -------------------------------------------------------------------------------------


@st.composite
def ragged(draw):
    """Draw a Ragged, sometimes with nulls, and the list of its rows."""
    dtype = np.dtype(draw(st.sampled_from(SOURCES)))
    lengths = draw(st.lists(st.integers(0, 6), max_size=6))
    before, behind = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    offsets = before + np.cumsum([0, *lengths])
    values = np.arange(offsets[-1] + behind).astype(dtype)
    offsets = offsets.astype(draw(st.sampled_from([np.int32, np.int64])))
    return kernels.Ragged(values, offsets), np.split(values, offsets)[1:-1]


def assert_alike(expected, column, options):
    """Check that a column is padded as its rows are; it tells its values before their lengths."""
    found = outcome(kernels.pad, column, **options)
    if found[0] in (TypeError, OverflowError):
        assert expected[0] in (found[0], ValueError)
    else:
        assert expected == found
    return found[0] is not TypeError


@given(ragged(), OPTIONS, st.integers(0, 3))
def test_ragged_is_a_list_of_arrays(drawn, options, threads):
    """Offsets of either width, with values before the first and behind the last row."""
    columns, rows = drawn
    options["threads"] = threads
    if assert_alike(outcome(kernels.pad, rows, **options), columns, options):
        pad_in_both(columns, **options)


@pytest.mark.parametrize("offsets", [[0, 4], [-1, 2], [2, 1], [0, 3, 2], [4, 4], [0, 2**62]])
@both
def test_offsets_outside_of_the_values_are_refused(offsets):
    """Nothing behind the values is read."""
    with pytest.raises(ValueError, match=r"rows: offsets of row \d fall, or lie outside"):
        kernels.pad(kernels.Ragged(np.arange(3), np.array(offsets)))


def arrow_types(pa):
    """Return those of numbers."""
    numbers = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
    numbers += ["float32", "float64", "bool_"]
    return [getattr(pa, name)() for name in numbers]


@settings(deadline=None)  # the first example imports pyarrow
@given(st.data())
def test_arrow_lists_are_lists(data):
    """Lists, large and of fixed size, of every number; sliced, in chunks, with a sliced child."""
    pa = pytest.importorskip("pyarrow")
    of = data.draw(st.sampled_from(arrow_types(pa)))
    item = st.booleans() if of == pa.bool_() else st.integers(0, 100)
    width = data.draw(st.integers(0, 4))
    kind, size = data.draw(
        st.sampled_from([(pa.list_(of), None), (pa.large_list(of), None), (pa.list_(of, width), 0)])
    )
    sizes = {"max_size": 5} if size is None else {"min_size": width, "max_size": width}
    rows = data.draw(st.lists(st.lists(item, **sizes), max_size=8))
    cut = data.draw(st.integers(0, len(rows)))
    options = data.draw(OPTIONS)
    whole = pa.array(rows, kind)
    sliced = pa.array([[*row] for row in rows[:1]] + rows, kind)[1:] if rows else whole
    for column in (whole, sliced, pa.chunked_array([whole[:cut], whole[cut:]], kind)):
        expected = [np.array(row, of.to_pandas_dtype()) for row in rows]
        assert_alike(outcome(kernels.pad, expected, **options), column, options)


@both
def test_nulls_are_refused():
    """A null row and a null item have no meaning among tokens; what is behind them is not read."""
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match=r"^rows\[11\]: it is null"):
        kernels.pad(pa.array([[1]] * 11 + [None]))
    with pytest.raises(ValueError, match=r"^rows\[1\]\[9\]: it is null"):
        kernels.pad(pa.array([[1] * 3, [*range(9), None]])[0:])
    with pytest.raises(ValueError, match=r"^rows\[0\]\[0\]: it is null"):
        kernels.pad(pa.array([[None]]))
    assert [[1, 2]] == kernels.pad(pa.array([[1, 2, None]]), length=2, truncate=True).tolist()
    assert [[1], [3]] == kernels.pad(pa.array([None, [1], [3], None])[1:3]).tolist()
    assert (2, 0) == kernels.pad(pa.array([[], []])).shape


@both
def test_columns_of_other_things_are_refused():
    """Text, numbers that are no lists, and lists of lists are named with their type."""
    pa = pytest.importorskip("pyarrow")
    for column in (pa.array(["a"]), pa.array([1]), pa.array([["a"]]), pa.array([[[1]]])):
        with pytest.raises(TypeError, match=r"^rows: expected lists of numbers, got"):
            kernels.pad(column)
    with pytest.raises(TypeError, match=r"^rows\[0\]: (double|float64) numbers|expected an int"):
        kernels.pad(pa.array([[0.5]]))


@both
def test_misfits_in_columns_are_named():
    """A number of any chunk that the dtype cannot hold, with its place among all rows."""
    pa = pytest.importorskip("pyarrow")
    good, bad = pa.array([[1], [2, 3]]), pa.array([[4], [5, 2**31]])
    with pytest.raises(OverflowError, match=r"rows\[3\]\[1\]: 2147483648 does not fit int32"):
        kernels.pad(pa.chunked_array([good, bad]), dtype="int32")
    unsigned = pa.array([[2**64 - 1]], pa.list_(pa.uint64()))
    with pytest.raises(OverflowError, match=r"rows\[0\]\[0\]: 18446744073709551615 does not fit"):
        kernels.pad(unsigned)
    with pytest.raises(ValueError, match=r"rows\[3\]: 2 items are more than length 1"):
        kernels.pad(pa.chunked_array([good[:1], good[:1], good[:1], bad[1:]]), length=1)


@both
def test_columns_into_out():
    """The caller's memory is written when all rows were checked, though it may be the column's."""
    values, out = np.arange(4), np.full((2, 6), 77)
    columns = kernels.Ragged(values, np.array([0, 1, 4]))
    assert out[:, ::2] is not kernels.pad(columns, out=out[:, ::2])
    assert [[0, 77, 0, 77, 0, 77], [1, 77, 2, 77, 3, 77]] == out.tolist()
    with pytest.raises(ValueError, match="more than length 2"):
        kernels.pad(columns, out=out[:, :2])
    assert [[0, 77], [1, 77]] == out[:, :2].tolist()
    memory = np.array([[3, 4, 5], [6, 7, 8]])
    kernels.pad(kernels.Ragged(memory.reshape(-1), np.array([2, 4, 5])), out=memory)
    assert [[5, 6, 0], [7, 0, 0]] == memory.tolist()


def test_lanes_and_threads_give_the_same_bytes():
    """Every subset of lanes and any number of threads."""
    native = _loading.native()
    rng = np.random.default_rng(4)
    lengths = rng.integers(0, 900, 600)
    offsets = np.cumsum([0, *lengths])
    columns = kernels.Ragged(rng.integers(0, 2**31, offsets[-1], np.int32), offsets)
    answers = set()
    for mask in range(1 << native.lib.SHIMHUB_LANE_COUNT):
        if mask & ~native.lib.shimhub_lanes_here():
            continue
        native.lib.shimhub_lanes_use(mask)
        for threads in (0, 1, 2, 5):
            answers.add(kernels.pad(columns, value="range", threads=threads).tobytes())
    native.lib.shimhub_lanes_use(native.lib.shimhub_lanes_here())
    assert {kernels.pad(columns, value="range").tobytes()} == answers


# ---- leaks ---------------------------------------------------------------------------------------


def calls():
    """Yield calls of each way in, those that fail among them."""
    item, array_, out = Index(), np.arange(3), np.zeros((2, 3), np.int64)
    columns = kernels.Ragged(array_, np.array([0, 1, 3]))
    yield lambda: kernels.pad([[1, 2], (3,)])
    yield lambda: kernels.pad([[1, item], array_], out=out)
    yield lambda: kernels.pad([array_, array_[::2]], dtype="float32")
    yield lambda: kernels.pad(out, value="range", length=9)
    yield lambda: kernels.pad(columns)
    yield lambda: outcome(kernels.pad, [array_, [item, None]])
    yield lambda: outcome(kernels.pad, [array_, None])
    yield lambda: outcome(kernels.pad, [[2**70]])
    yield lambda: outcome(kernels.pad, columns, length=1)
    yield lambda: outcome(kernels.pad, [[1]], out=array_)
    yield lambda: outcome(kernels.pad, [[1]], value=0.5)
    yield lambda: kernels.collate([{"input_ids": array_, "labels": [item]}])
    yield lambda: outcome(kernels.collate, [{"input_ids": array_}, {"labels": [item]}])


def test_references_are_given_back():
    """No call keeps a reference to a row, an item, an array or a dtype, whether it fails or not."""
    item, row = Index(), np.arange(3)
    watched = [item, row, np.empty, np.dtype("int64"), *padding._CONTEXT]
    gc.collect()  # classes of other tests refer to NumPy's
    before = [sys.getrefcount(one) for one in watched]
    for _ in range(50):
        kernels.pad([[item], row])
        outcome(kernels.pad, [[item], row, None])
        outcome(kernels.pad, [[item], row, [None]], out=np.zeros((3, 3), int))
    gc.collect()
    assert before == [sys.getrefcount(one) for one in watched]


def resident():
    """Return the bytes of memory that this process has."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_memory_does_not_grow():
    """RSS is flat over a million calls, thirteen ways in and out taken in turn."""
    ways = list(calls())
    sizes = []
    for _ in range(6):  # the first round fills the allocator's arenas
        for way in ways * (200_000 // len(ways)):
            way()
        sizes.append(resident())
    assert sizes[-1] - sizes[0] < 3 << 20


def test_arrays_that_are_not_what_their_memory_says():
    """A masked array and a matrix are refused in both, with what to pass instead."""
    masked = np.ma.array([1, 2], mask=[True, False])
    matrix = np.ones((1, 2), np.int64).view(np.matrix)
    for rows, cure in (([masked], "filled"), ([matrix], "asarray"), (matrix, "asarray")):
        kind, text = pad_in_both(rows)
        assert kind is TypeError
        assert text.startswith("rows[0]: ")
        assert cure in text


def test_tensors_that_numpy_cannot_have():
    """Of each kind the row is named, and a cure."""
    torch = pytest.importorskip("torch")
    tensors = [
        torch.zeros(3, requires_grad=True),
        torch.zeros(3, dtype=torch.bfloat16),
        torch.zeros(3, device="meta"),
        torch.zeros(3).to_sparse(),
        torch.zeros(3, dtype=torch.complex64).conj(),
    ]
    for tensor in tensors:
        kind, text = pad_in_both([[1], tensor], dtype="float32")
        assert kind is TypeError
        assert text.startswith("rows[1]: no NumPy array of this Tensor: ")
        assert ".detach(), .cpu()" in text
    out = torch.zeros(1, 1, requires_grad=True)
    kind, text = pad_in_both([[1]], dtype="float32", out=out)
    assert kind is TypeError
    assert text.startswith("out: no NumPy array of this Tensor: ")


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"length": 2**63}, OverflowError, "length: cannot fit 9223372036854775808"),
        ({"length": -(2**70)}, ValueError, "length: expected an int of at least 0"),
        ({"length": 2**62}, OverflowError, "length: 1 rows of 4611686018427387904 are more"),
        ({"multiple_of": 2**64}, OverflowError, "multiple_of: cannot fit 18446744073709551616"),
        ({"threads": 1.5}, TypeError, "threads: expected 0 .. 1024, got 1.5"),
        ({"threads": None}, TypeError, "threads: expected 0 .. 1024, got None"),
        ({"threads": 2**70}, ValueError, "threads: expected 0 .. 1024, got 11805916"),
        ({"out": [[0] * 4]}, TypeError, "out: expected a 2-D array, got list"),
        ({"dtype": "i2"}, TypeError, "dtype: expected int32,"),
        ({"dtype": None}, TypeError, "dtype: expected int32,"),
        ({"dtype": {"a": 1}}, TypeError, "dtype: expected int32,"),
    ],
)
def test_options_are_named_where_they_are_wrong(options, kind, words):
    """The same error in both, naming the argument."""
    found, text = pad_in_both([[1]], **options)
    assert found is kind
    assert text.startswith(words)


@pytest.mark.parametrize("dtype", ["i8", "<i8", "q", np.longlong, np.intc, "int", "?", "f4"])
def test_dtypes_in_other_words(dtype):
    """Whatever NumPy takes for one of the dtypes is one."""
    assert pad_in_both([[1], [0, 1]], dtype=dtype)[0] == np.dtype(dtype)


def test_numpy_bools_pad():
    """They count as bools do."""
    for dtype in ("bool", "int64", "float32"):
        kind, shape, data = pad_in_both([[1]], length=2, dtype=dtype, value=np.True_)
        assert (kind, shape) == (np.dtype(dtype), (1, 2))
        assert data == np.ones(2, dtype).tobytes()


def test_columns_of_every_layout():
    """Views, dictionaries and runs are the lists that they mean, in both."""
    pa = pytest.importorskip("pyarrow")
    plain = pa.array([[1, 2], [], [3]])
    encoded = pa.ListArray.from_arrays(plain.offsets, plain.values.dictionary_encode())
    columns = [encoded, plain.slice(1), pa.array([[1, 2], [3, 4]], pa.list_(pa.int8(), 2)).slice(1)]
    columns += [
        pa.array([[True, False], [True]]),
        pa.array([[1, None], [2]]),
        pa.array([[1], None]),
    ]
    if hasattr(pa, "ListViewArray"):
        columns.append(pa.ListViewArray.from_arrays([2, 0, 1], [1, 2, 0], pa.array([1, 2, 3])))
    for column in columns:
        pad_in_both(column)
        pad_in_both(pa.chunked_array([column, column]), side="left", multiple_of=4)
