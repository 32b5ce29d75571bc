"""Rows as Python objects: conformed JSON, and Arrow's columns."""

from __future__ import annotations

import copy
import gc
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels._reference import conform as reference
from shimhub.kernels.rows import fields_of

MESSAGES = ("list", ("struct", (("role", "string"), ("content", "string"))))
FIELDS = (("id", "int64"), ("score", "float64"), ("text", "string"), ("messages", MESSAGES))


@pytest.fixture(params=["library", "reference"])
def conform(request):
    """Conform by the library, or by what it falls back to."""
    if request.param == "library":
        return kernels.conform

    def run(rows, fields):
        found = reference.conform(rows, fields)
        return None if found is None else kernels.Drift(*found)

    return run


def shown(rows):
    """Return the rows as text: types and the order of keys count."""
    return json.dumps(rows)


def test_rows_that_conform_are_left_as_they_are(conform):
    """Keys in order and values of their types: the same dicts, and nothing found."""
    row = {"id": 1, "score": 0.5, "text": "é", "messages": [{"role": "user", "content": None}]}
    rows, before = [row], shown([row])

    assert conform(rows, FIELDS) is None
    assert before == shown(rows)
    assert row is rows[0]


def test_missing_keys_are_none_in_the_right_place(conform):
    """A key that is missing is None, inside of lists and structs too; the order is the fields'."""
    rows = [{"text": "a", "id": 2}, {}, {"messages": [{"content": "c"}, None, {}], "id": 3}]

    assert conform(rows, FIELDS) is None
    none = {"role": None, "content": None}
    expected = [
        {"id": 2, "score": None, "text": "a", "messages": None},
        {"id": None, "score": None, "text": None, "messages": None},
        {"id": 3, "score": None, "text": None,
         "messages": [{"role": None, "content": "c"}, None, none]},
    ]  # fmt: skip
    assert shown(expected) == shown(rows)


def test_ints_become_floats_where_floats_are_wanted(conform):
    """An int in a float64 field is that float; in lists and structs too; none is rounded."""
    rows = [{"a": 2**53 + 2, "b": [1, 2.5, None], "c": {"d": 3}}]
    fields = (("a", "float64"), ("b", ("list", "float64")), ("c", ("struct", (("d", "float64"),))))

    assert conform(rows, fields) is None
    assert shown([{"a": float(2**53 + 2), "b": [1.0, 2.5, None], "c": {"d": 3.0}}]) == shown(rows)
    for value in (2**53 + 1, -(2**53) - 1, 2**64 - 1):
        drift = conform([{"a": value}], (("a", "float64"),))
        assert (0, ("a",), "int, not exact as float64") == drift
    assert conform([{"a": 2**53}, {"a": -(2**63)}], (("a", "float64"),)) is None


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        ([], "", "list, want struct"),
        (None, "", "NoneType, want struct"),
        ({"id": "1"}, "id", "str, want int64"),
        ({"id": True}, "id", "bool, want int64"),
        ({"id": 1.0}, "id", "float, want int64"),
        ({"id": 2**63}, "id", "int, out of the range of int64"),
        ({"id": -(2**63) - 1}, "id", "int, out of the range of int64"),
        ({"id": 2**200}, "id", "int, out of the range of int64"),
        ({"score": "x"}, "score", "str, want float64"),
        ({"score": True}, "score", "bool, want float64"),
        ({"score": 10**400}, "score", "int, out of the range of float64"),
        ({"text": 1}, "text", "int, want string"),
        ({"text": ["a"]}, "text", "list, want string"),
        ({"messages": {}}, "messages", "dict, want list"),
        ({"messages": [{}, "x"]}, "messages[1]", "str, want struct"),
        ({"messages": [{}, {"role": 5}]}, "messages[1].role", "int, want string"),
        ({"messages": [{"tool": 5}]}, "messages[0].tool", "unexpected key"),
        ({"id": 1, "other": 1}, "other", "unexpected key"),
        ({"other": 1, "text": 5}, "text", "int, want string"),
    ],
)
def test_drift_is_placed(conform, row, column, problem):
    """The row, the way to the value and what is wrong with it; rows before it are done."""
    rows = [{"id": 7}, row, {"id": "never looked at"}]

    drift = conform(rows, FIELDS)
    assert (1, column, problem) == (drift.row, drift.column, drift.problem)
    assert [7, None, None, None] == list(rows[0].values())
    assert {"id": "never looked at"} == rows[2]


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [(f"int{n}", -(1 << n - 1), (1 << n - 1) - 1) for n in (8, 16, 32, 64)]
    + [(f"uint{n}", 0, (1 << n) - 1) for n in (8, 16, 32, 64)],
)
def test_integers_keep_to_their_range(conform, kind, low, high):
    """The least and the greatest pass, one more does not."""
    fields = (("a", kind),)
    assert conform([{"a": low}, {"a": high}, {"a": 0}, {"a": None}], fields) is None
    for wrong in (low - 1, high + 1):
        assert f"int, out of the range of {kind}" == conform([{"a": wrong}], fields).problem


def test_null_and_any(conform):
    """A null column takes None alone, "any" takes what there is as it is."""
    value = {"x": [1, "a"]}
    rows = [{"n": None, "a": value}]

    assert conform(rows, (("n", "null"), ("a", "any"))) is None
    assert value is rows[0]["a"]
    assert "int, want null" == conform([{"n": 1}], (("n", "null"),)).problem


def test_no_fields(conform):
    """Rows of nothing are empty dicts."""
    rows = [{}, {}]
    assert conform(rows, ()) is None
    assert [{}, {}] == rows
    assert ("a",) == conform([{"a": None}], ()).path


def _nested(depth):
    kind = "int64"
    for _ in range(depth):
        kind = ("list", kind)
    return (("a", kind),)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (None, TypeError),
        (["a"], TypeError),
        (("a",), TypeError),
        ((("a", "int64", 1),), TypeError),
        (((1, "int64"),), TypeError),
        ((("a", "int65"),), TypeError),
        ((("a", 7),), TypeError),
        ((("a", ("list",)),), TypeError),
        ((("a", ("tuple", "int64")),), TypeError),
        ((("a", ("struct", "int64")),), TypeError),
        ((("a", "int64"), ("a", "int64")), ValueError),
        (_nested(200), ValueError),
    ],
)
def test_wrong_fields_are_refused(conform, fields, error):
    """What is no description of fields is an error, whatever the rows are."""
    with pytest.raises(error, match="fields: "):
        conform([], fields)


def test_rows_must_be_a_list():
    """A tuple of rows could not be changed."""
    with pytest.raises(TypeError, match="rows: tuple, want a list"):
        kernels.conform(({},), ())


def test_fields_of_a_schema():
    """Types that JSON has are told; a schema with others has no fields."""
    pa = pytest.importorskip("pyarrow")
    schema = pa.schema(
        {
            "id": pa.int64(),
            "score": pa.float64(),
            "text": pa.large_string(),
            "messages": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
        }
    )
    assert FIELDS == fields_of(schema)
    assert fields_of(pa.schema({"a": pa.list_(pa.struct({"b": pa.date32()}))})) is None
    assert fields_of(pa.schema({"a": pa.float32()})) is None
    assert (("a", "null"), ("b", "bool"), ("c", "uint8")) == fields_of(
        pa.schema({"a": pa.null(), "b": pa.bool_(), "c": pa.uint8()})
    )


def test_the_list_may_change_its_size_only_before(conform):
    """What a garbage collection runs may change the list: an error then, and no crash."""
    rows = [{"b": 1} for _ in range(50)]

    class Cycle:
        def __init__(self):
            self.me = self

        def __del__(self):
            rows.clear()

    threshold, told = gc.get_threshold(), None
    Cycle()
    gc.set_threshold(1)
    try:
        conform(rows, (("a", ("list", "any")), ("b", "int64")))
    except RuntimeError as error:
        told = str(error)
    finally:
        gc.set_threshold(*threshold)
    # Or it is collected before, or after.
    assert told in {"rows: changed their size while they were conformed", None}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcé"), inner, max_size=3)
    ),
    max_leaves=8,
)
types = st.recursive(
    st.sampled_from(
        ["null", "any", "bool", "string", "float64", "int8", "uint16", "int64", "uint64"]
    ),
    lambda inner: (
        st.tuples(st.just("list"), inner)
        | st.tuples(
            st.just("struct"),
            st.dictionaries(st.sampled_from("abcé"), inner, max_size=3).map(
                lambda found: tuple(found.items())
            ),
        )
    ),
    max_leaves=6,
)


#: A machine that is busy is slow to draw examples, and that is no failure.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.dictionaries(st.sampled_from("abcé"), json_values, max_size=4), max_size=4),
    st.dictionaries(st.sampled_from("abcé"), types, max_size=4).map(
        lambda found: tuple(found.items())
    ),
)
def test_the_library_conforms_as_the_reference_does(rows, fields):
    """Whatever the rows and the fields: the same rows, the same order of keys, the same drift."""
    expected = copy.deepcopy(rows)
    outcome = reference.conform(expected, fields)

    assert outcome == kernels.conform(rows, fields)
    if outcome is None:
        assert repr(expected) == repr(rows)
