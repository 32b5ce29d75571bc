"""Arrow's columns as rows and columns of Python's objects: pyarrow's own are the oracle."""

from __future__ import annotations

import datetime as dt
import decimal
import gc
import pickle
import sys
import tracemalloc
import uuid

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow")

from shimhub import kernels  # noqa: E402 - without pyarrow there is nothing to test
from shimhub.kernels import _row_plans  # noqa: E402 - as above

DAY = dt.date(2020, 2, 29)
MOMENT = dt.datetime.fromisoformat("2020-02-29T01:02:03.000004")
MESSAGES = [
    [{"role": "user", "content": "é"}, {"role": "assistant", "content": None}],
    None,
    [],
    [None, {"role": None, "content": "日本"}],
]
TEXTS = ["", "a", None, "ascii that is longer than a view holds", "é", "日本", "🙂" * 40, "x" * 200]


NUMBERS = {
    **{
        f"int{bits}": pa.array(
            [None, 0, -(1 << bits - 1), (1 << bits - 1) - 1], getattr(pa, f"int{bits}")()
        )
        for bits in (8, 16, 32, 64)
    },
    **{
        f"uint{bits}": pa.array([None, 0, (1 << bits) - 1], getattr(pa, f"uint{bits}")())
        for bits in (8, 16, 32, 64)
    },
    **{
        f"float{bits}": pa.array(
            np.array([1.5, -0.0, 6e-8, 65504, np.inf, -np.inf, np.nan], f"f{bits // 8}")
        )
        for bits in (16, 32, 64)
    },
}
TEXT = {
    "string": pa.array(TEXTS),
    "large_string": pa.array(TEXTS, pa.large_string()),
    "binary": pa.array([b"", b"\xff\x00", None]),
    "large_binary": pa.array([b"", b"\xff", None], pa.large_binary()),
    "fixed binary": pa.array([b"abc", None], pa.binary(3)),
}
NESTED = {
    "list": pa.array([[1, None], None, [], [300]], pa.list_(pa.int32())),
    "large_list": pa.array([["a", None], None, []], pa.large_list(pa.string())),
    "fixed list": pa.array([[1, 2], None, [None, 4]], pa.list_(pa.int16(), 2)),
    "list of lists": pa.array([[[1], []], [None], None]),
    "struct": pa.array([{"a": 1, "b": {"c": [DAY]}}, None, {"a": None, "b": {"c": [None]}}]),
    "messages": pa.array(MESSAGES),
    "empty struct": pa.array([{}, None], pa.struct([])),
    "map": pa.array([[("k", 1), ("k", None)], None, []], pa.map_(pa.string(), pa.int8())),
    "map of structs": pa.array(
        [[("k", {"a": DAY})]], pa.map_(pa.string(), pa.struct({"a": pa.date32()}))
    ),
}
_INDEX = pa.dictionary(pa.int8(), pa.string())
_Dictionary = pa.DictionaryArray.from_arrays
DICTIONARIES = {
    "dictionary": pa.array(["a", "é", None, "a"]).dictionary_encode(),
    "dictionary with null": _Dictionary(pa.array([1, 0, None], pa.uint8()), ["a", None]),
    "dictionary of dates": pa.array([DAY, None, DAY]).dictionary_encode(),
    "dictionary of lists": _Dictionary([0, 1, 0], pa.array([[1], None])),
    "dictionary in lists": pa.array([["a", "b"], ["a"]], pa.list_(_INDEX)),
    "large dictionary": _Dictionary([3, 999], [str(i) for i in range(1000)]),
}
PYARROWS = {
    "date32": pa.array([DAY, None]),
    "date64": pa.array([DAY, None], pa.date64()),
    "time": pa.array([dt.time(1, 2, 3, 4), None]),
    "timestamp": pa.array([MOMENT, None], pa.timestamp("us")),
    "timestamp with a zone": pa.array([MOMENT, None], pa.timestamp("us", "Europe/Berlin")),
    "duration": pa.array([dt.timedelta(1, 2, 3), None]),
    "interval": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
    "decimal": pa.array([decimal.Decimal("1.50"), None]),
    "list of decimals": pa.array([[decimal.Decimal("1.50")], [], None, [None]]),
    "run-end encoded": pa.RunEndEncodedArray.from_arrays(
        pa.array([2, 3], pa.int32()), pa.array(["x", None])
    ),
    "union": pa.UnionArray.from_sparse(
        pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]
    ),
}


def _newer():
    """Yield arrays of types that not all versions of pyarrow have."""
    if hasattr(pa, "string_view"):
        yield "string_view", pa.array(TEXTS, pa.string_view())
        yield "binary_view", pa.array([b"", None, b"\xff" * 99], pa.binary_view())
    for name in ("list_view", "large_list_view"):
        if hasattr(pa, name):
            yield name, pa.array([[1, None], None, [], [4]], getattr(pa, name)(pa.int64()))
    if hasattr(pa, "uuid"):
        raw = pa.array([uuid.UUID(int=7).bytes, None], pa.binary(16))
        yield "uuid", pa.ExtensionArray.from_storage(pa.uuid(), raw)


CASES = {
    "null": pa.nulls(3),
    "bool": pa.array([True, None, False]),
    **NUMBERS,
    **TEXT,
    **NESTED,
    **DICTIONARIES,
    **PYARROWS,
    **dict(_newer()),
}


@pytest.fixture(params=["library", "reference"], autouse=True)
def _which(request, monkeypatch):
    """Run each test on the library, and on what it falls back to."""
    if request.param == "reference":
        monkeypatch.setattr(_row_plans._loading, "native", lambda: None)


def agree(batch):
    """Assert that rows and columns are pyarrow's: values, types and order of keys."""
    assert repr(batch.to_pylist()) == repr(kernels.to_rows(batch))
    assert repr(batch.to_pydict()) == repr(kernels.to_columns(batch))


@pytest.mark.parametrize("name", CASES)
def test_values_are_pyarrows(name):
    """Of each type, whole and sliced anywhere, alone and in lists, structs and dictionaries."""
    array = CASES[name]
    for start in range(len(array) + 1):
        for stop in (start, start + 1, len(array)):
            agree(pa.record_batch({"a": array[start:stop]}))


@pytest.mark.parametrize("name", CASES)
def test_values_inside_of_others(name):
    """The same values in lists, fixed lists and structs that do not begin at the first one."""
    array = CASES[name]
    inner = pa.concat_arrays([array, array]) if name != "run-end encoded" else array
    size = len(inner)
    lists = pa.ListArray.from_arrays(pa.array([0, 0, 1, size], pa.int32()), inner)
    fixed = pa.FixedSizeListArray.from_arrays(inner, 1)
    struct = pa.StructArray.from_arrays([inner, inner], ["x", "y"])
    nested = pa.ListArray.from_arrays(pa.array([0, 1, size], pa.int32()), struct)
    for one in (lists, fixed, struct, nested):
        for start in range(3):
            agree(pa.record_batch({"a": one[start:]}))
            agree(pa.record_batch({"a": one[start : start + 1]}))


def test_all_types_in_one_row():
    """Columns keep their order and their rows."""
    arrays = {name: array[:1] for name, array in CASES.items()}
    agree(pa.record_batch(arrays))


def test_tables_of_several_batches():
    """A table's rows are those of its batches in turn; one without any has none."""
    table = pa.table({"a": pa.chunked_array([[1, 2], [], [3]]), "b": pa.chunked_array([["x"] * 3])})
    assert table.to_pylist() == kernels.to_rows(table)
    assert table.to_pydict() == kernels.to_columns(table)
    empty = pa.schema({"a": pa.int8()}).empty_table()
    assert ([], {"a": []}) == (kernels.to_rows(empty), kernels.to_columns(empty))


def test_rows_without_columns_are_empty_dicts():
    """Their number is kept."""
    batch = pa.RecordBatch.from_struct_array(CASES["empty struct"])
    assert ([{}, {}], {}) == (kernels.to_rows(batch), kernels.to_columns(batch))


def test_what_is_no_table_is_refused():
    """An array or a list has no columns."""
    for wrong in (pa.array([1]), [1], None):
        with pytest.raises((TypeError, AttributeError)):
            kernels.to_rows(wrong)


def test_rows_share_nothing_that_can_be_changed():
    """Lists and dicts behind a dictionary are each row's own."""
    rows = kernels.to_rows(pa.record_batch({"a": CASES["dictionary of lists"]}))
    rows[0]["a"].append(2)
    assert [1] == rows[2]["a"]


def test_names_that_come_twice_are_an_error():
    """A dict would lose one: of the batch, or of a struct in it."""
    twice = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    struct = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["b", "b"])
    for batch in (twice, pa.record_batch({"a": struct})):
        with pytest.raises(ValueError, match=r"twice|duplicate"):
            kernels.to_rows(batch)


def test_depth_has_a_limit():
    """What is nested deeper than the library walks is an error, and no overflow of the stack."""
    if _row_plans._loading.native() is None:
        pytest.skip("pyarrow has a limit of its own")
    array = pa.array([1])
    for _ in range(70):
        array = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), array)
    with pytest.raises(ValueError, match="nested more than 64 deep"):
        kernels.to_rows(pa.record_batch({"a": array}))


def _text(raw):
    """Return a column of text of these bytes, whatever they are."""
    return pa.array(raw, pa.binary()).view(pa.string())


@pytest.mark.parametrize("raw", [b"\xff", b"\xe6\x97", b"\xed\xa0\x80", b"x" * 100 + b"\xc0\x80"])
def test_text_that_is_no_utf8_is_told(raw):
    """The error names column and row; through dictionaries, lists and structs too."""
    column = _text([b"good", b"", raw])
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 3], pa.int32()), column)
    cases = [
        (column, 2, "a"),
        (lists, 1, "a"),
        (pa.StructArray.from_arrays([column], ["b"]), 2, "a.b"),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 2]), column), 3, "a"),
    ]
    for array, row, path in cases:
        with pytest.raises(kernels.CellError, match=r"'a.*': row [0-3]: ") as told:
            kernels.to_rows(pa.record_batch({"a": array}))
        if _row_plans._loading.native() is not None:  # pyarrow looks at columns as a whole
            assert (path, row) == (told.value.column, told.value.row)


def test_errors_of_later_batches_count_all_rows():
    """In a table, rows are counted from its first one."""
    table = pa.table({"a": pa.chunked_array([_text([b"x", b"y"]), _text([b"z", b"\xff"])])})
    for call in (kernels.to_rows, kernels.to_columns):
        with pytest.raises(kernels.CellError) as told:
            call(table)
        assert 3 == told.value.row


def ipc(batch):
    """Return the batch as bytes of an IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_damaged_batches_are_never_read_beside_their_buffers(name):
    """Each byte of an IPC stream in turn becomes another: an answer, or an error, and no crash."""
    whole = ipc(pa.record_batch({"a": CASES[name]}))
    body = len(whole) - 8
    for at in range(0, body, 7):
        for value in (0xFF, 0x80):
            damaged = bytearray(whole)
            damaged[at] ^= value
            _read(bytes(damaged))


def _read(raw):
    try:
        for batch in pa.ipc.open_stream(raw):
            if batch.num_rows < 1000:  # a length that is made up is refused, or costs but time
                kernels.to_rows(batch)
                kernels.to_columns(batch)
    except (ValueError, TypeError, MemoryError, OSError, NotImplementedError, pa.ArrowException):
        pass


def test_a_view_outside_of_its_buffers_is_told():
    """Sizes, places and numbers of buffers of views are looked at one by one."""
    if not hasattr(pa, "string_view"):
        pytest.skip("pyarrow below 16 has no views")
    whole = ipc(pa.record_batch({"a": pa.array(["x" * 20, "y" * 30], pa.string_view())}))
    view = (20).to_bytes(4, "little") + b"xxxx" + bytes(8)
    assert 1 == whole.count(view)
    for wrong in (
        (99).to_bytes(4, "little") + view[4:],
        (-3).to_bytes(4, "little", signed=True) + view[4:],
        view[:8] + (7).to_bytes(4, "little") + bytes(4),
        view[:8] + (-1).to_bytes(4, "little", signed=True) + bytes(4),
        view[:12] + (40).to_bytes(4, "little"),
        view[:12] + (-1).to_bytes(4, "little", signed=True),
    ):
        batch = next(iter(pa.ipc.open_stream(whole.replace(view, wrong))))
        with pytest.raises(kernels.CellError) as told:
            kernels.to_columns(batch)
        assert ("a", 0) == (told.value.column, told.value.row)


@pytest.mark.parametrize("index", [-1, 2, 127])
def test_an_index_outside_of_its_dictionary_is_told(index):
    """Indices that mean no value are an error with column and row."""
    bad = pa.DictionaryArray.from_arrays(pa.array([0, 1, index], pa.int8()), ["a", "b"], safe=False)
    with pytest.raises(kernels.CellError) as told:
        kernels.to_rows(pa.record_batch({"a": bad}))
    assert ("a", 2) == (told.value.column, told.value.row)


def test_errors_are_sent_between_processes():
    """A worker's error keeps its parts."""
    error = pickle.loads(pickle.dumps(kernels.CellError("a", 3, "bad")))
    assert ("a", 3, "bad", "'a': row 3: bad") == (
        error.column, error.row, error.problem, str(error),
    )  # fmt: skip


def test_garbage_collections_in_between_do_no_harm():
    """Finalizers run amidst the making of rows see no list that is not full, and change nothing."""

    class Nosy:
        def __init__(self):
            self.me = self

        def __del__(self):
            for one in gc.get_objects():
                if type(one) is list and one and type(one[-1]) is dict and "nosy" in one[-1]:
                    one.clear()

    batch = pa.record_batch({"nosy": [[{"a": [1, 2]}]] * 40, "d": [DAY] * 40})
    threshold = gc.get_threshold()
    Nosy()
    gc.set_threshold(1)
    try:
        rows = kernels.to_rows(batch)
    finally:
        gc.set_threshold(*threshold)
    assert batch.to_pylist() == rows


def test_nothing_is_kept():
    """Neither buffers nor objects are left behind, in answers and in errors."""
    batch = pa.record_batch({name: array[:1] for name, array in CASES.items()})
    bad = pa.record_batch({"a": [[1]] * 3, "b": _text([b"x", b"x", b"\xff"])})

    def work():
        for _ in range(30):
            kernels.to_rows(batch)
            kernels.to_columns(batch)
            with pytest.raises(kernels.CellError):
                kernels.to_rows(bad)

    work()
    gc.collect()
    tracemalloc.start()
    work()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    held = sys.getrefcount(batch)
    work()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held == sys.getrefcount(batch)
    assert after - before < 20_000


rows_of_any_shape = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | st.text(max_size=20),
            "ids": st.none() | st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=4),
            "messages": st.none()
            | st.lists(
                st.none()
                | st.fixed_dictionaries(
                    {"role": st.text(max_size=2), "score": st.none() | st.floats()}
                ),
                max_size=3,
            ),
            "day": st.none() | st.dates(),
        }
    ),
    max_size=12,
)
SCHEMA = pa.schema(
    {
        "text": pa.string(),
        "ids": pa.list_(pa.int64()),
        "messages": pa.list_(pa.struct({"role": pa.string(), "score": pa.float64()})),
        "day": pa.date32(),
    }
)


#: A machine that is busy is slow to draw examples, and that is no failure.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows_of_any_shape, st.integers(0, 12), st.integers(0, 12))
def test_rows_go_in_and_come_out(rows, start, count):
    """Rows made into a batch, and sliced, come back as they were."""
    batch = pa.RecordBatch.from_pylist(rows, SCHEMA)
    agree(batch)
    agree(batch.slice(start, count))


@pytest.mark.parametrize("part", range(8))
def test_plans_that_are_none_are_refused(part):
    """The library takes nothing for granted of what its face tells it."""
    native = _row_plans._loading.native()
    if native is None:
        pytest.skip("there is no library")
    plan = list(_row_plans.plan(pa.record_batch({"a": ["x"]})))
    for wrong in (None, -1, 10**30, (), ("x",), ((),)):
        bad = (*plan[:part], wrong, *plan[part + 1 :])
        try:
            native.make_rows(bad, kernels.CellError)
        except (TypeError, ValueError, OverflowError):
            continue
        assert part in {1, 6} or (part, wrong) in {
            (4, ()),
            (7, ("x",)),
        }  # not looked at, or as it was
    for wrong in (None, (), tuple(plan[:7])):
        with pytest.raises(TypeError):
            native.make_rows(wrong, kernels.CellError)
