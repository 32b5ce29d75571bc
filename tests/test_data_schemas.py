"""Schemas of several files: same or not, widened, and values cast without a change."""

from __future__ import annotations

import pytest

pa = pytest.importorskip("pyarrow", reason="data needs pyarrow")

from hypothesis import given, settings  # noqa: E402 - after importorskip
from hypothesis import strategies as st  # noqa: E402

from shimhub.data.errors import SchemaDriftError  # noqa: E402
from shimhub.data.reading._schemas import (  # noqa: E402
    cast_to,
    check_same,
    conformed,
    differences,
    is_same,
    merged,
    unified,
)
from shimhub.data.reading._widen import UnmergeableError, widened  # noqa: E402

A, B = pa.int64(), pa.string()


def struct(**fields: pa.DataType) -> pa.DataType:
    """Return a struct type."""
    return pa.struct(list(fields.items()))


WIDENED = [
    (pa.null(), pa.list_(A), pa.list_(A)),
    (pa.int8(), pa.int32(), pa.int32()),
    (pa.uint8(), pa.uint64(), pa.uint64()),
    (pa.uint8(), pa.int8(), pa.int16()),
    (pa.uint32(), pa.int8(), pa.int64()),
    (pa.uint8(), pa.int64(), pa.int64()),
    (pa.int64(), pa.float32(), pa.float64()),
    (pa.uint64(), pa.float64(), pa.float64()),
    (pa.float16(), pa.float32(), pa.float32()),
    (pa.string(), pa.large_string(), pa.large_string()),
    (pa.string(), pa.string_view(), pa.string()),
    (pa.binary(), pa.binary_view(), pa.binary()),
    (pa.binary(3), pa.binary(4), pa.binary()),
    (pa.binary(3), pa.large_binary(), pa.large_binary()),
    (pa.dictionary(pa.int8(), B), B, B),
    (pa.dictionary(pa.int8(), B), pa.dictionary(pa.int32(), pa.large_string()), pa.large_string()),
    (pa.list_(pa.int8()), pa.list_(pa.int16()), pa.list_(pa.int16())),
    (pa.list_(pa.int8()), pa.large_list(pa.null()), pa.large_list(pa.int8())),
    (pa.list_(A, 2), pa.list_(A, 3), pa.list_(A)),
    (pa.list_(pa.int8(), 2), pa.list_(A, 2), pa.list_(A, 2)),
    (struct(a=A), struct(b=B), struct(a=A, b=B)),
    (struct(a=pa.null(), b=B), struct(b=B, a=A), struct(a=A, b=B)),
    (pa.list_(struct(a=pa.int8())), pa.list_(struct(a=A, c=B)), pa.list_(struct(a=A, c=B))),
    (pa.map_(B, pa.int8()), pa.map_(B, A), pa.map_(B, A)),
    (pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("us")),
    (pa.timestamp("s", "UTC"), pa.timestamp("ns", "UTC"), pa.timestamp("ns", "UTC")),
    (pa.time32("s"), pa.time32("ms"), pa.time32("ms")),
    (pa.time32("s"), pa.time64("ns"), pa.time64("ns")),
    (pa.duration("s"), pa.duration("ms"), pa.duration("ms")),
    (pa.date32(), pa.date64(), pa.date64()),
    (pa.decimal128(5, 2), pa.decimal128(7, 4), pa.decimal128(7, 4)),
    (pa.decimal128(38, 0), pa.decimal128(38, 10), pa.decimal256(48, 10)),
]
APART = [
    (A, B),
    (pa.bool_(), A),
    (pa.uint64(), pa.int8()),
    (pa.timestamp("s"), pa.timestamp("s", "UTC")),
    (pa.timestamp("s"), pa.date32()),
    (B, pa.binary()),
    (pa.list_(A), A),
    (pa.list_(A), pa.list_(B)),
    (struct(a=A), struct(a=B)),
    (struct(a=A), pa.map_(B, A)),
    (pa.decimal128(5, 2), A),
    (pa.decimal256(76, 0), pa.decimal256(76, 5)),
    (pa.struct([("a", A), ("a", A)]), struct(a=A)),
]


@pytest.mark.parametrize(("one", "two", "expected"), WIDENED, ids=str)
def test_the_type_that_holds_both(one, two, expected):
    """From either side, and null values of both can be cast to it."""
    assert expected == widened(one, two)
    assert _sorted(expected) == _sorted(widened(two, one))
    for kind in (one, two):
        batch = pa.record_batch([pa.nulls(2, kind)], ["a"])
        schema = pa.schema([("a", expected)])
        assert [None, None] == conformed(batch, schema, "f", 0).column(0).to_pylist()


@pytest.mark.parametrize(("one", "two"), APART, ids=str)
def test_types_that_nothing_holds(one, two):
    """Nothing is turned into text, and no bit is lost: they do not go together."""
    for pair in ((one, two), (two, one)):
        with pytest.raises(UnmergeableError):
            widened(*pair)


TYPES = st.recursive(
    st.sampled_from(
        [
            *(pa.null(), pa.int8(), pa.int64(), pa.uint16(), pa.uint64(), pa.float32(), pa.bool_()),
            *(B, pa.large_string(), pa.date32(), pa.timestamp("ms"), pa.binary()),
            pa.decimal128(9, 2),
        ]
    ),
    lambda inner: st.one_of(
        inner.map(pa.list_),
        inner.map(pa.large_list),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=2).map(
            lambda fields: pa.struct(list(fields.items()))
        ),
    ),
    max_leaves=4,
)


@given(TYPES, TYPES)
def test_widening_is_fair(one, two):
    """Same from both sides but for the order of fields, and widening again changes nothing."""
    try:
        found = widened(one, two)
    except UnmergeableError:
        with pytest.raises(UnmergeableError):
            widened(two, one)
        return
    assert found == widened(found, one) == widened(found, two)
    assert _sorted(found) == _sorted(widened(two, one))


def _sorted(kind: pa.DataType) -> str:
    if pa.types.is_struct(kind):
        return "{" + ",".join(sorted(f"{field.name}:{_sorted(field.type)}" for field in kind)) + "}"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{kind.id}[{_sorted(kind.value_type)}]"
    return str(kind)


INTS = st.sampled_from([pa.int8(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32()])


@settings(deadline=None)
@given(
    st.lists(st.integers(-128, 127), max_size=5), st.lists(st.integers(0, 255), max_size=5), INTS
)
def test_values_are_kept(small, unsigned, other):
    """What is cast to the widened type has the same values."""
    schema = pa.schema([("a", widened(widened(pa.int8(), pa.uint8()), other))])
    for values, kind in ((small, pa.int8()), (unsigned, pa.uint8())):
        batch = pa.record_batch([pa.array(values, kind)], ["a"])
        assert values == conformed(batch, schema, "f", 0).column(0).to_pylist()


def test_an_int_that_double_does_not_hold_is_an_error():
    """2**53 + 1 would change: file, column, row and the cure are told."""
    batch = pa.record_batch([pa.array([1, 2**53 + 1])], ["n"])
    with pytest.raises(
        SchemaDriftError, match=r"f\.parquet, row 10: column 'n': .*schema="
    ) as caught:
        conformed(batch, pa.schema([("n", pa.float64())]), "f.parquet", 10)
    assert 10 == caught.value.row
    fine = pa.record_batch([pa.array([1, 2**53])], ["n"])
    assert [1.0, 2.0**53] == conformed(fine, pa.schema([("n", pa.float64())]), "f", 0)[
        0
    ].to_pylist()


def test_conformed_reorders_and_fills():
    """Columns by name; those that are missing are null; fields of structs too."""
    batch = pa.record_batch({"b": ["x"], "s": [{"k": 1}], "d": pa.array(["u"]).dictionary_encode()})
    schema = pa.schema(
        [("s", struct(j=B, k=pa.float64())), ("n", A), ("b", pa.large_string()), ("d", B)]
    )
    expected = [{"s": {"j": None, "k": 1.0}, "n": None, "b": "x", "d": "u"}]
    assert expected == conformed(batch, schema, "f", 0).to_pylist()


def test_a_batch_of_the_schema_is_itself():
    """Nothing is copied where nothing differs."""
    batch = pa.record_batch({"a": [1]})
    assert conformed(batch, batch.schema, "f", 0) is batch


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([("a", A)], "no column 'b', which is string in first"),
        ([("a", B), ("b", B)], "column 'a' is string, but int64 in first"),
        ([("a", A), ("b", B), ("c", A)], r"column 'c' \(int64\) is not in first"),
    ],
)
def test_drift_is_told_with_file_column_and_both_types(found, told):
    """And on_drift="unify" as the cure."""
    with pytest.raises(SchemaDriftError, match=rf'second: {told}; on_drift="unify"'):
        check_same(pa.schema([("a", A), ("b", B)]), pa.schema(found), "second", "first")


def test_every_difference_is_yielded():
    """Missing, changed and new columns."""
    one, two = pa.schema([("a", A), ("b", B)]), pa.schema([("b", A), ("c", A)])
    assert 3 == len(list(differences(one, two, "first")))


def test_order_metadata_and_declarations_are_no_drift():
    """Names of list items, not null and the order of columns say nothing of values."""
    item = pa.list_(pa.field("element", A, nullable=False))
    one = pa.schema([("a", pa.list_(A)), ("b", struct(x=A))], {"k": "v"})
    two = pa.schema([("b", pa.struct([pa.field("x", A, nullable=False)])), ("a", item)])
    assert [] == list(differences(one, two, "first"))
    assert is_same(pa.map_(B, A), pa.map_(B, pa.field("v", A, nullable=False)))
    assert is_same(pa.large_list(A), pa.large_list(pa.field("element", A)))
    assert is_same(pa.list_(A, 2), pa.list_(pa.field("element", A), 2))
    assert not is_same(pa.list_(A), pa.list_(B))


def test_unified_has_the_columns_of_all():
    """In the order they come; the first's metadata; no column is "not null" that is missing."""
    first = pa.schema([pa.field("a", pa.int8(), nullable=False), ("b", B)], {"k": "v"})
    rest = [("g", pa.schema([("c", A)])), ("h", pa.schema([("a", A)]))]
    got = unified([("f", first), *rest])
    assert pa.schema([("a", A), ("b", B), ("c", A)]) == got
    assert {b"k": b"v"} == got.metadata
    assert got.field("a").nullable


def test_what_cannot_be_unified_is_told():
    """File, column with the path inside it, and both types."""
    one = pa.schema([("m", pa.list_(struct(content=A)))])
    two = pa.schema([("m", pa.list_(struct(content=B)))])
    with pytest.raises(
        SchemaDriftError, match=r"g: column 'm\[\]\.content' is string, but int64 in f"
    ):
        merged(one, two, "g", [("f", one)])


def test_views_of_lists_keep_their_last_list():
    """A view of lists is read as lists, whatever pyarrow's own cast makes of it (26 loses some)."""
    kind = pa.struct([("x", pa.list_view(pa.string()))])
    rows = [{"x": ["a"]}, {"x": None}, {"x": ["b"]}]
    plain = pa.struct([("x", pa.list_(pa.string()))])
    assert rows == cast_to(pa.array(rows, kind), plain).to_pylist()
