"""Digests of what Python prints of rows, against hashlib and Python's own ``str``."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub.kernels import _loading, reprs
from shimhub.kernels._reference import reprs as reference

pa = pytest.importorskip("pyarrow", reason="Arrow's columns are what is printed")

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-12345, 12345)
VALUES = {
    "numbers": (pa.list_(pa.int64()), st.lists(st.none() | NUMBERS)),
    "texts": (pa.large_list(pa.string()), st.lists(st.none() | TEXT)),
    "bytes": (pa.large_binary(), st.binary()),
    "floats": (pa.list_(pa.float64(), 2), st.lists(st.floats(), min_size=2, max_size=2)),
    "it's": (
        pa.struct([("a", pa.float32()), ('"b"\n', pa.list_(pa.bool_()))]),
        st.fixed_dictionaries(
            {"a": st.floats(width=32), '"b"\n': st.lists(st.none() | st.booleans())}
        ),
    ),
}


def rows_of(draw_from: dict) -> st.SearchStrategy:
    """Return rows with a value or a null in each column."""
    return st.lists(
        st.fixed_dictionaries({name: st.none() | values for name, (_, values) in draw_from.items()})
    )


SCHEMA = pa.schema([(name, kind) for name, (kind, _) in VALUES.items()])


@pytest.mark.parametrize("threads", [1, 2])
@settings(deadline=None)
@given(rows=rows_of(VALUES), cut=st.integers(0, 9))
def test_digests_are_those_of_the_printed_rows(threads, rows, cut):
    """Whatever the chunks and the offsets."""
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    table = pa.concat_tables([table.slice(cut), table.slice(0, cut)])
    assert reference.digests(table).tolist() == reprs.hash_reprs(table, threads=threads).tolist()


def test_every_character_is_printed_as_by_python():
    """Each code point alone, and with either quote before it."""
    points = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000]
    texts = ["".join(points[at : at + 97]) for at in range(0, len(points), 97)]
    table = pa.table({"a": texts, "b": [f"'{one}" for one in texts]})
    assert reference.digests(table).tolist() == reprs.hash_reprs(table).tolist()


def test_every_width_of_numbers():
    """The ends of each type, and numbers of each count of digits."""
    wide = [sign * (10**at + step) for at in range(19) for step in (-1, 0) for sign in (1, -1)]
    columns = {}
    for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        ends = np.iinfo(name)
        found = [int(ends.min), int(ends.max)] + [i for i in wide if ends.min <= i <= ends.max]
        columns[name] = pa.array([found, None, []], pa.list_(pa.from_numpy_dtype(name)))
        columns[f"{name}s"] = pa.array([found[0], None, found[1]], pa.from_numpy_dtype(name))
    table = pa.table(columns)
    assert reference.digests(table).tolist() == reprs.hash_reprs(table).tolist()


def test_what_python_prints_itself():
    """Dates, times, decimals and binaries of a fixed size, alone and within lists and structs."""
    day = dt.datetime(2020, 2, 3, 4, 5, 6, 7)  # noqa: DTZ001  # Arrow's has no zone either
    table = pa.table(
        {
            "day": [day.date(), None],
            "at": pa.array([day, None], pa.timestamp("us")),
            "took": pa.array([dt.timedelta(1, 2), None]),
            "in": pa.array([[{"d": decimal.Decimal("1.50")}, None], [None, {"d": None}]]),
            "fixed": pa.array([b"ab", None], pa.binary(2)),
            "none": pa.nulls(2),
        }
    )
    assert reference.digests(table).tolist() == reprs.hash_reprs(table).tolist()


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        pa.array(["a", "a"]).dictionary_encode(),
        pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
    ],
)
def test_other_types_are_refused(array):
    """With the column's name."""
    with pytest.raises(TypeError, match="no_such"):
        reprs.hash_reprs(pa.table({"no_such": array}))


def test_text_that_is_no_utf8_is_an_error():
    """As it is where Python makes a str of it: wrong, cut, overlong, a surrogate, too large."""
    if _loading.native() is None:
        pytest.skip("Python's own error is another")
    for wrong in (b"\x80", b"a\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff"):
        raw = pa.array([wrong, b"b"], pa.binary()).view(pa.string())
        with pytest.raises(ValueError, match="UTF-8"):
            reprs.hash_reprs(pa.table({"a": raw}))


def test_no_rows_and_hexadecimal_digits():
    """No rows have no digests; hex_digests gives hashlib's spelling."""
    table = pa.table({"a": pa.array([], pa.int64())})
    assert (0, 32) == reprs.hash_reprs(table).shape
    found = reprs.hash_reprs(pa.table({"a": [1]}))
    assert [found.tobytes().hex()] == reprs.hex_digests(found)
