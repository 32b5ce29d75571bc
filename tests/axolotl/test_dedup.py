"""axolotl's exact deduplication and its replacement: the same rows, hashes and fingerprints."""

from __future__ import annotations

import copy

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.axolotl import support

support.require()

MODULE = "axolotl.utils.data.utils"
NEW, OLD = f"{MODULE}:_deduplicate_dataset", f"{MODULE}:deduplicate_dataset"
MANY = settings(max_examples=support.examples(), deadline=None)

TYPES = st.deferred(
    lambda: (
        st.sampled_from(
            [
                *(pa.int8(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64(), pa.bool_()),
                *(pa.float32(), pa.float64(), pa.string(), pa.large_string(), pa.binary()),
                *(pa.null(), pa.date32(), pa.timestamp("us")),
            ]
        )
        | TYPES.map(pa.list_)
        | st.lists(TYPES, min_size=1, max_size=2).map(
            lambda found: pa.struct([("it's", found[0]), *zip("b", found[1:], strict=False)])
        )
    )
)
FEW = {
    "int8": [0, -1, 127],
    "int32": [5, -100, 2**31 - 1],
    "int64": [9999, 10000, 12345678, 123456789, -(2**63), 2**63 - 1],
    "uint8": [0, 9, 10, 255],
    "uint64": [100, 10**15, 2**64 - 1],
    "bool": [True, False],
    "float": [0.0, -0.0, 0.5, float("nan")],
    "double": [0.0, -0.0, 0.1, 1e22, 5e-324, float("nan"), float("-inf")],
    "string": ["", "'", '"', "'\"", "\\\n\r\t\x00\x7f\x80", "é\u2028\U0001f600\U000e0001", "ab"],
    "large_string": ["x", "日本\ufeff", "\ud7ff"],
    "binary": [b"", b"'", b'"\\', b"\x00\xff\n"],
    "date32[day]": [0, 10000],
    "timestamp[us]": [0, 10**15 + 1],
    "null": [],
}


def values(kind: pa.DataType) -> st.SearchStrategy:
    """Return values of a type, few, so that rows come again."""
    if pa.types.is_list(kind):
        found = st.lists(values(kind.value_type), max_size=3)
    elif pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        found = st.fixed_dictionaries({one.name: values(one.type) for one in fields})
    else:
        found = st.sampled_from([None, *FEW[str(kind)]])
    return st.none() | found


@st.composite
def datasets(draw, count: int = 1):
    """Draw ``count`` datasets of one type, some in several chunks, some with a mapping."""
    kinds = draw(st.lists(TYPES, min_size=1, max_size=3))
    schema = pa.schema([(f"c{at}'", kind) for at, kind in enumerate(kinds)])
    return [draw(_dataset(schema)) for _ in range(count)]


@st.composite
def _dataset(draw, schema: pa.Schema):
    few = draw(
        st.lists(st.tuples(*(values(field.type) for field in schema)), min_size=1, max_size=4)
    )
    rows = draw(st.lists(st.sampled_from(few), max_size=12))
    columns = [pa.array(list(column), field.type) for column, field in _columns(rows, schema)]
    table = pa.Table.from_arrays(columns, schema=schema)
    cut = draw(st.integers(0, len(rows)))
    table = pa.concat_tables([table.slice(cut), table.slice(0, cut)])
    found = made(table)
    chosen = draw(st.none() | st.lists(st.integers(0, len(rows) - 1), max_size=9)) if rows else None
    return found if chosen is None else found.select(chosen)


def _columns(rows, schema):
    return zip(zip(*rows, strict=True) if rows else [()] * len(schema), schema, strict=True)


def made(table):
    """Return a dataset of a table with a fingerprint that does not depend on its memory."""
    datasets = support.load("datasets")
    return datasets.Dataset(datasets.table.InMemoryTable(table), fingerprint="first")


def told(dataset):
    """Return what can be seen of a dataset; NaN as its text."""
    mapping = dataset._indices and dataset._indices.column(0).to_pylist()
    return str(dataset[:]), dataset._fingerprint, mapping, dataset.features, dataset.format


def outcome(function, *args):
    """Return what a call comes to: a value, or the type of what it raised."""
    try:
        return function(*args)
    except Exception as error:  # noqa: BLE001  # whatever the original raises is the oracle
        return type(error)


def new_way(function, first, second, seen):
    """Return what the later generation makes of two datasets, with hashes known before."""
    seen = copy.deepcopy(seen)
    one, mine = function(first, seen)
    two, same = function(second, mine)
    three, fresh = function(second)
    return told(one), told(two), told(three), mine, same is mine, fresh, seen


def old_way(function, first, second, seen):
    """Return what the earlier generation makes of two datasets, with hashes known before."""
    seen = {one: [0, 3] for one in seen or ()}
    one = function(first, seen)
    two = function(second, seen, one)
    again = function(dataset=first, seen_hashes=seen)
    return told(one), told(two), told(again), seen


@MANY
@given(datasets(2), st.booleans())
def test_a_set_of_hashes_is_the_originals(pair, known):
    """From 0.10 on: rows, fingerprints, mappings and the set; hashes of others are honoured."""
    original, replacement = support.pair(NEW)
    first, second = pair
    seen = set(list(original(first)[1])[:2]) if known else None
    assert outcome(new_way, original, first, second, seen) == outcome(
        new_way, replacement, first, second, seen
    )


@MANY
@given(datasets(2), st.booleans())
def test_a_dict_of_places_is_the_originals(pair, known):
    """Before 0.10: the same, with the second dataset's rows that stay by mistake."""
    original, replacement = support.pair(OLD)
    first, second = pair
    before: dict = {}
    if known:
        original(first, before)
    seen = list(before)[:2]
    assert outcome(old_way, original, first, second, seen) == outcome(
        old_way, replacement, first, second, seen
    )


@pytest.mark.parametrize("attach", [NEW, OLD])
def test_a_sha256_of_someone_else_is_used(attach, monkeypatch):
    """Where axolotl's sha256 is another function, its collisions are those that count."""
    original, replacement = support.pair(attach)
    monkeypatch.setattr(support.load(MODULE), "sha256", lambda text: "same")
    table = pa.table({"a": [1, 2, 1]})
    way = new_way if attach == NEW else old_way
    assert way(original, made(table), made(table), None) == way(
        replacement, made(table), made(table), None
    )


@pytest.mark.parametrize("kind", ["numpy", "torch", "pandas", "arrow"])
def test_a_format_is_the_originals(kind):
    """Rows of another format have other texts, or no iteration at all: the original serves them."""
    original, replacement = support.pair(NEW if support.is_version(">=0.10") else OLD)
    way = new_way if support.is_version(">=0.10") else old_way
    data = made(pa.table({"a": [1, 2, 1], "b": [0.5, 1.0, 0.5]})).with_format(kind)
    assert outcome(way, original, data, data, None) == outcome(way, replacement, data, data, None)
    data = made(pa.table({"a": [1, 2, 1], "b": [0.5, 1.0, 0.5]})).with_format(columns=["b"])
    assert outcome(way, original, data, data, None) == outcome(way, replacement, data, data, None)
