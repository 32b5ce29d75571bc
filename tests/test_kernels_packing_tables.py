"""Packing of Arrow tables: equal to trl's own functions, and to rows packed one by one."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels import _loading

np = pytest.importorskip("numpy")
pa = pytest.importorskip("pyarrow")

SOME = settings(max_examples=40, deadline=None)
VALUES = {
    pa.int8(): st.integers(-128, 127),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.bool_(): st.booleans(),
    pa.timestamp("us"): st.integers(0, 2**40),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.decimal128(9, 0): st.integers(-999, 999),
    pa.string(): st.text(max_size=3),
    pa.list_(pa.int16()): st.lists(st.integers(0, 9), max_size=2),
}


@contextmanager
def without_native():
    """Let pyarrow do what the library does, as where that was not built."""
    os.environ["SHIMHUB_NATIVE"] = "0"
    _loading.load.cache_clear()
    try:
        yield
    finally:
        os.environ.pop("SHIMHUB_NATIVE")
        _loading.load.cache_clear()


@contextmanager
def way(native):
    """The library's way, or pyarrow's."""
    if native:
        yield
        return
    with without_native():
        yield


@st.composite
def tables(draw, mixed=True):
    """Tables of one or two columns of lists that agree on lengths.

    With ``mixed`` they are sliced, in chunks, and have offsets of either width in one table.
    """
    lengths = draw(st.lists(st.integers(0, 9), max_size=25))
    holder = draw(st.sampled_from([pa.list_, pa.large_list]))
    columns = {}
    for name in draw(st.sampled_from([["input_ids"], ["input_ids", "labels"]])):
        kind = draw(st.sampled_from(sorted(VALUES, key=str)))
        item = VALUES[kind] | st.none() if draw(st.booleans()) else VALUES[kind]
        pool = draw(st.lists(item, min_size=5, max_size=5))
        rows = [[pool[(at + i * i) % 5] for i in range(n)] for at, n in enumerate(lengths)]
        if mixed:
            holder = draw(st.sampled_from([pa.list_, pa.large_list]))
            array = pa.array([None, *rows, []], holder(kind))[1:-1]
            cut = draw(st.integers(0, len(rows)))
            columns[name] = pa.chunked_array([array[:cut], array[cut:]])
        else:
            columns[name] = pa.array(rows, holder(kind))
    return pa.table(columns)


def by_hand(table, capacity, overlong):
    """The same from Python's lists: pieces, bins of pack(), and what they hold."""
    columns = {name: table[name].to_pylist() for name in table.column_names}
    rows = range(table.num_rows)
    lengths = [len(next(iter(columns.values()))[row]) for row in rows]
    step = {"truncate": 2**40, "split": capacity, "drop": 2**40}[overlong]
    pieces = [
        (row, at)
        for row in rows
        for at in range(0, lengths[row], step)
        if overlong != "drop" or lengths[row] <= capacity
    ]
    cut = {
        name: [rows[r][at : at + capacity] for r, at in pieces] for name, rows in columns.items()
    }
    sizes = [len(one) for one in next(iter(cut.values()))]
    bins = kernels.pack(sizes, capacity, strategy="best_fit_decreasing").tolist()
    made = {
        name: [[value for piece in one for value in parts[piece]] for one in bins]
        for name, parts in cut.items()
    }
    return {**made, "seq_lengths": [[sizes[piece] for piece in one] for one in bins]}


@SOME
@given(tables(), st.integers(1, 12), st.sampled_from(["truncate", "split", "drop"]))
def test_rows_are_those_packed_by_hand(table, capacity, overlong):
    """Any values, with nulls among them, chunks, slices and offsets of both widths."""
    found = kernels.pack_table(table, capacity, overlong=overlong)
    found.validate(full=True)
    assert by_hand(table, capacity, overlong) == found.to_pydict()
    with without_native():
        assert kernels.pack_table(table, capacity, overlong=overlong).equals(found)


def has_values(table):
    """Whether trl can pack it: there is something in it."""
    return any(table.column(0).to_pylist())


@SOME
@given(tables(mixed=False).filter(has_values), st.integers(1, 12))
def test_tables_are_trls(table, capacity):
    """_pack_bfd with truncation and with splitting, and _pack_wrapped: schema and values."""
    trl = pytest.importorskip("trl.data_utils")
    for how in ("truncate", "split"):
        expected = trl._pack_bfd(table, capacity, how)
        assert expected.equals(kernels.pack_table(table, capacity, overlong=how))
    wrapped = kernels.pack_table(table, capacity, strategy="wrapped")
    assert trl._pack_wrapped(table, capacity).equals(wrapped)


@pytest.mark.parametrize("capacity", [1000, 2048, 8192])
@pytest.mark.parametrize("overlong", ["truncate", "split"])
def test_a_real_size_is_trls(capacity, overlong):
    """20,000 rows with the lengths of a real data set, some of them empty or overlong."""
    trl = pytest.importorskip("trl.data_utils")
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(5.3, 0.85, 4_000), 0, 3_000).astype(np.int64)
    lengths[::97] = 0
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    total = int(lengths.sum())
    columns = {
        "input_ids": pa.ListArray.from_arrays(offsets, pa.array(np.arange(total, dtype=np.int32))),
        "attention_mask": pa.ListArray.from_arrays(offsets, pa.array(np.ones(total, np.int8))),
    }
    table = pa.table(columns)
    expected = trl._pack_bfd(table, capacity, overlong)
    assert expected.equals(kernels.pack_table(table, capacity, overlong=overlong))


def test_bins_of_lengths_are_trls():
    """pack() gives the ids that trl's table holds, in their order."""
    trl = pytest.importorskip("trl.data_utils")
    lengths = np.random.default_rng(1).integers(0, 700, 3_000)
    ids = pa.array([[i] * n for i, n in enumerate(lengths)])
    rows = trl._pack_bfd(pa.table({"id": ids}), 512).column("id").to_pylist()
    bins = kernels.pack(lengths, 512, strategy="best_fit_decreasing", overlong="truncate").tolist()
    assert bins == [list(dict.fromkeys(row)) for row in rows]


def test_other_strategies():
    """Any strategy of pack() makes rows; empty rows are left out of each."""
    table = pa.table({"x": [[1, 1, 1], [], [2, 2], [3]]})
    found = kernels.pack_table(table, 4, strategy="first_fit")
    assert {"x": [[1, 1, 1, 3], [2, 2]], "seq_lengths": [[3, 1], [2]]} == found.to_pydict()


def test_empty_tables():
    """No rows, and rows without values, become no rows of the same types."""
    for rows in ([], [[], []]):
        table = pa.table({"x": pa.array(rows, pa.large_list(pa.int8()))})
        found = kernels.pack_table(table, 4)
        assert 0 == found.num_rows
        assert ["x", "seq_lengths"] == found.column_names
        assert pa.large_list(pa.int8()) == found.schema.field("x").type
        assert 0 == kernels.pack_table(table, 4, strategy="wrapped").num_rows
    empty = pa.chunked_array([], pa.list_(pa.int8()))
    assert 0 == kernels.pack_table(pa.table({"x": empty}), 4).num_rows
    assert 0 == kernels.pack_table(pa.table({"x": empty}), 4, strategy="wrapped").num_rows


@pytest.mark.parametrize(
    ("columns", "options", "error", "words"),
    [
        ({"x": [1, 2]}, {}, TypeError, "'x': int64 is no list"),
        ({"x": [[1], None]}, {}, ValueError, "'x': row 1 is null"),
        ({"x": [[1], [2]], "y": [[1], [2, 3]]}, {}, ValueError, "'y': row 1 has 2 values, .* 1"),
        ({}, {}, ValueError, "it has no columns"),
        ({"x": [[1]]}, {"overlong": "own_bin"}, ValueError, "overlong: 'own_bin'; choose of"),
        ({"x": [[1]]}, {"strategy": "bfd"}, ValueError, "strategy: 'bfd'; choose of"),
        ({"x": [[], [1] * 5]}, {"overlong": "error"}, ValueError, "row 1 has 5 values, over"),
        ({"x": [[1]]}, {"capacity": 0}, ValueError, "capacity: 0 is less than 1"),
        ({"x": [[1]]}, {"capacity": 0, "strategy": "wrapped"}, ValueError, "capacity: 0 is less"),
        ({"x": [[1]]}, {"capacity": 2**31}, OverflowError, "capacity: 2147483648 is more"),
    ],
)
def test_bad_tables_are_refused(columns, options, error, words):
    """What cannot be packed is named by column and row."""
    with pytest.raises(error, match=words):
        kernels.pack_table(pa.table(columns), **{"capacity": 4, **options})


def lists_of(offsets, values, kind=None):
    """A column whose offsets are what they are, and a table of it."""
    code = np.int32 if kind is None else np.int64
    told = pa.py_buffer(np.array(offsets, code).tobytes())
    kind = (pa.list_ if kind is None else kind)(values.type)
    return pa.table(
        {
            "x": pa.Array.from_buffers(
                kind, max(0, len(offsets) - 1), [None, told], children=[values]
            )
        }
    )


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("values", [[1, 2, 3], ["a", "b", "c"]])
@pytest.mark.parametrize("how", [{}, {"strategy": "wrapped"}, {"overlong": "split"}])
@pytest.mark.parametrize(
    ("offsets", "row"),
    [
        ([0, 900, 3], 0),
        ([0, 3, 2], 1),
        ([0, -3, 3], 0),
        ([0, -(2**63), 3], 0),
        ([0, 2**63 - 1, 3], 0),
    ],
)
def test_offsets_that_lie_are_refused(offsets, row, how, values, native):
    """Arrow does not check all offsets by itself: no byte outside of the values is read."""
    table = lists_of(offsets, pa.array(values), pa.large_list)
    with way(native), pytest.raises(ValueError, match=f"'x': offsets of row {row} fall"):
        kernels.pack_table(table, 4, **how)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("strategy", ["wrapped", "first_fit"])
def test_an_empty_column_may_have_no_offset_at_all(native, strategy):
    """Arrow allows it, and pyarrow's flatten() ends the process."""
    kind, told = pa.list_(pa.int64()), pa.py_buffer(b"")
    empty = pa.Array.from_buffers(kind, 0, [None, told], children=[pa.array([1])])
    with way(native):
        packed = kernels.pack_table(pa.table({"x": empty}), 4, strategy=strategy)
    assert packed.column("x").to_pylist() == []


@pytest.mark.parametrize("native", [True, False])
def test_tables_of_other_kinds(native):
    """Record batches and what has Arrow's C stream are tables; other things say what would be."""
    table = pa.table({"x": [[1], [2, 3]]})
    with way(native):
        packed = kernels.pack_table(table, 4)
        assert kernels.pack_table(table.to_batches()[0], 4) == packed
        for other in ({"x": [[1]]}, [1], None, table.column("x")):
            with pytest.raises(TypeError, match=r"table: .* is no table of Arrow; pass"):
                kernels.pack_table(other, 4)
        for capacity in (None, 1.5):
            with pytest.raises(TypeError, match="capacity: expected an int, got"):
                kernels.pack_table(table, capacity)
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame({"x": [[1], [2, 3]]})
        assert kernels.pack_table(frame, 4).column("x").to_pylist() == [[2, 3, 1]]
        with pytest.raises(TypeError, match="table: Series gives no table"):
            kernels.pack_table(frame["x"], 4)


def test_more_values_than_offsets_can_tell():
    """2**31 values in lists with 32-bit offsets are refused, and the cure is named."""
    offsets = pa.array(np.array([0, 2**31 - 1], np.int64)[[0, 1]].astype(np.int32))
    values = pa.Array.from_buffers(pa.null(), 2**31 - 1, [None])
    one = pa.ListArray.from_arrays(offsets, values)
    with pytest.raises(OverflowError, match=r"4294967294 values are too many .* large_list"):
        kernels.pack_table(
            pa.table({"x": pa.chunked_array([one, one])}), 2**31 - 1, strategy="wrapped"
        )


@pytest.mark.slow
def test_no_leak():
    """A thousand tables of a thousand rows keep nothing."""
    lists = pa.array([list(range(i % 50)) for i in range(1_000)], pa.list_(pa.int32()))
    table = pa.table({"x": pa.chunked_array([lists[:500], lists[500:]]), "y": lists})

    def work(rounds):
        for _ in range(rounds):
            kernels.pack_table(table, 64)
            kernels.pack_table(table, 16, overlong="split")

    work(100)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work(1_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_000


def test_a_dataset_is_its_table():
    """Hugging Face's, unless its rows are others than its table's."""
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"x": [[1], [2, 3]]})
    assert kernels.pack_table(data, 4).column("x").to_pylist() == [[2, 3, 1]]
    with pytest.raises(ValueError, match="flatten_indices"):
        kernels.pack_table(data.select([1, 0]), 4)
