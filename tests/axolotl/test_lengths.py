"""axolotl's lengths of a dataset's rows: the replacement beside the original."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub._compare import first_finding
from tests.axolotl import support

support.require()

datasets = pytest.importorskip("datasets")
np = pytest.importorskip("numpy")
pa = pytest.importorskip("pyarrow")
ATTACH = "axolotl.utils.samplers.utils:get_dataset_lengths"
MANY = settings(max_examples=support.examples(), deadline=None)

integers = st.integers(-3, 2**31 - 1)
NUMBERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32(), pa.uint64()]
OTHERS = [pa.float32(), pa.string(), pa.bool_()]


def cells(kind):
    """Values of an Arrow type."""
    if pa.types.is_integer(kind):
        return st.integers(0, 100)
    if pa.types.is_floating(kind):
        return st.floats(0, 9, width=32)
    return st.booleans() if pa.types.is_boolean(kind) else st.text("ab", max_size=3)


def some_null(values, has_nulls):
    """Values, and now and then none."""
    return values | st.none() if has_nulls else values


@st.composite
def columns(draw):
    """A table of the columns that are looked at, some of them odd, in one chunk or in several."""
    count, odd = draw(st.integers(0, 12)), draw(st.sampled_from([False, False, False, True]))
    names = draw(st.lists(st.sampled_from(["length", "position_ids", "input_ids"]), unique=True))
    made = {"other": pa.array([None] * count, pa.int64())}
    for name in names:
        kind = draw(st.sampled_from(NUMBERS + OTHERS * odd))
        values = cells(kind)
        if name != "length":
            least = 0 if odd or name == "input_ids" else 1
            values = st.lists(some_null(values, odd), min_size=least, max_size=5)
            kind = draw(st.sampled_from([pa.list_, pa.large_list]))(kind)
        rows = draw(st.lists(some_null(values, odd), min_size=count, max_size=count))
        made[name] = pa.array(rows, kind)
    return pa.table(made)


@st.composite
def shown(draw):
    """A dataset: of chunks, of a slice, of selected rows, with a format."""
    table = draw(columns())
    chunks = [table.slice(at, 3) for at in range(0, len(table), 3)]
    if draw(st.booleans()) and chunks:
        table = pa.concat_tables(chunks)
    dataset = datasets.Dataset(datasets.table.InMemoryTable(table))
    for _ in range(draw(st.integers(0, 2))):
        count = len(dataset)
        first, end = sorted(draw(st.tuples(st.integers(0, count), st.integers(0, count))))
        rows = st.lists(st.integers(0, count - 1), max_size=8) if count else st.just([])
        some = range(first, end) if first < end and draw(st.booleans()) else draw(rows)
        dataset = dataset.select(some)
    formats = [None, None, None, "numpy", "torch", "arrow"]
    return dataset.with_format(draw(st.sampled_from(formats)))


def outcome(function, *args, **kwargs):
    """Return what a call returned, or the type of what it raised."""
    try:
        return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  # whatever it is, its type is compared
        return type(error)


@MANY
@given(shown(), st.booleans())
def test_lengths_are_the_same(dataset, from_arrow):
    """Values, dtype and shape, or the type of the error."""
    given = {"from_arrow": from_arrow} if support.is_version(">=0.8") else {}
    theirs, mine = (outcome(function, dataset, **given) for function in support.pair(ATTACH))
    assert first_finding("lengths", mine, theirs) is None


@pytest.mark.parametrize("name", ["length", "position_ids", "input_ids"])
def test_rows_that_are_plain_are_served(name):
    """The original is not asked: its part is a count of calls that fell back."""
    import shimhub

    rows = {"length": [1, 2], "position_ids": [[0], [0, 1]], "input_ids": [[5], [5, 6]]}
    dataset = datasets.Dataset.from_dict({name: rows[name]})
    with support.packed():
        before = dict(shimhub.stats()["axolotl/lengths/get_dataset_lengths"].fallbacks)
        lengths = support.get(ATTACH)(dataset.select([1, 0, 1]))
        after = shimhub.stats()["axolotl/lengths/get_dataset_lengths"].fallbacks
    if support.is_version(">=0.8"):
        assert ([2, 1, 2], np.int64, before) == (lengths.tolist(), lengths.dtype, dict(after))


def test_what_is_no_dataset_is_the_same_error():
    """Whatever the original raises."""
    for odd in (None, {"length": [1]}, datasets.Dataset.from_dict({})):
        theirs, mine = (outcome(function, odd) for function in support.pair(ATTACH))
        assert first_finding("lengths", mine, theirs) is None
