"""What counts as the same result, what as another one, and what as no comparison."""

from __future__ import annotations

import collections
import copy
import dataclasses
import decimal
import enum
import math
import struct
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shimhub._compare import first_finding

NAN = float("nan")


@dataclasses.dataclass
class Point:
    x: object
    y: object = None


class Plain:
    """Has no ``==`` of its own: its attributes are compared."""

    def __init__(self, x):
        self.x = x


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x):
        self.x = x


class Own:
    def __init__(self, answer):
        self.answer = answer

    def __eq__(self, other):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    __hash__ = None


class Equals(Plain):
    def equals(self, other):
        return self.x == other.x


class Arrayish(Plain):
    def __array__(self, dtype=None, copy=None):
        return np.array(self.x)


class Colour(enum.Enum):
    RED = 1


class Pair(NamedTuple):
    a: object
    b: object


def cyclic():
    """Return a list that has itself as an item."""
    found = [1]
    found.append(found)
    return found


SAME = [
    1,
    -0.0,
    NAN,
    complex(NAN, 1),
    "text",
    b"bytes",
    bytearray(b"x"),
    None,
    True,
    range(3),
    Colour.RED,
    decimal.Decimal("1.50"),
    [1, [2.0, NAN]],
    (1, "a"),
    Pair(1, 2),
    {"a": [1], "b": {2}},
    collections.OrderedDict(a=1),
    collections.deque([1, 2]),
    {1, 2},
    frozenset("ab"),
    Point(1, [NAN]),
    Plain([1]),
    Slotted({"a": 1}),
    Own(True),
    Equals(3),
    Arrayish([1, 2]),
    SimpleNamespace(a=1),
    np.arange(6.0).reshape(2, 3),
    np.array([NAN]),
    np.array(["a", None], dtype=object),
    np.float32(1.5),
    np.int64(3),
    cyclic(),
    int,
    len,
]


@pytest.mark.parametrize("value", SAME, ids=lambda value: type(value).__name__)
def test_a_value_is_what_its_copy_is(value):
    """A deep copy of a value is the same, NaN and objects without ``==`` included."""
    assert first_finding("result", copy.deepcopy(value), value) is None


DIFFERENT = [
    (1, 2),
    (1, 1.0),
    (1, True),
    (0.0, -0.0),
    (NAN, 1.0),
    (complex(1, 0.0), complex(1, -0.0)),
    ("a", "b"),
    (b"a", bytearray(b"a")),
    ([1], (1,)),
    ([1], [1, 2]),
    ([1, 2], [2, 1]),
    (Pair(1, 2), (1, 2)),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"a": 1}, {"a": 2}),
    ({1}, {2}),
    (Point(1), Point(2)),
    (Point(np.array([1])), Point(np.array([2]))),
    (Plain(1), Plain(2)),
    (Slotted(1), Slotted(2)),
    (Own(False), Own(False)),
    (Equals(1), Equals(2)),
    (Arrayish([1]), Arrayish([2])),
    (np.array([1]), np.array([2])),
    (np.array([1]), np.array([1.0])),
    (np.array([1]), np.array([[1]])),
    (np.array([0.0]), np.array([-0.0])),
    (np.array([None]), np.array([1], dtype=object)),
    (np.float32(1), np.float64(1)),
    (np.int64(1), 1),
    (None, 0),
]


@pytest.mark.parametrize(("mine", "other"), DIFFERENT)
def test_what_differs_in_type_or_bits_differs(mine, other):
    """Another type, another bit, another order: a difference, told with both values."""
    found = first_finding("result", mine, other)
    assert found is not None
    assert found.differs
    assert found.place.startswith("result")
    assert "original" in found.told


UNKNOWN = [
    (object(), object()),
    (lambda: 1, lambda: 1),
    (iter([1]), iter([1])),
    (Own(NotImplementedError("no")), Own(True)),
    (Own("yes"), Own("yes")),
]


@pytest.mark.parametrize(("mine", "other"), UNKNOWN)
def test_what_cannot_be_compared_is_no_pass(mine, other):
    """Opaque objects, code, iterators, and what ``==`` does not answer, are found as unknown."""
    found = first_finding("result", [mine], [other])
    assert found is not None
    assert not found.differs


def test_a_difference_outweighs_what_cannot_be_compared():
    """Beside something unknown a difference is still found, and its place told."""
    found = first_finding("result", [object(), {"a": 1}], [object(), {"a": 2}])
    assert (True, "result[1]['a']", "1, the original 2") == dataclasses.astuple(found)


def test_nan_of_other_bits_in_an_array_is_told():
    """Arrays are compared by bytes, also where their values look the same."""
    other = np.frombuffer(struct.pack("<Q", 0xFFF8_0000_0000_0001), "<f8")
    found = first_finding("result", np.array([NAN]), other)
    assert "other bytes for values that look the same" == found.told


def test_the_tolerance_is_for_floats_alone():
    """It lets floats differ, in containers and arrays, relative or absolute; never integers."""
    near = [
        (1.0, 1.0 + 1e-7),
        ([{"a": 1e6}], [{"a": 1e6 + 0.1}]),
        (complex(1, 1), complex(1, 1 + 1e-7)),
        (np.float32([1.0]), np.nextafter(np.float32([1.0]), np.float32(2))),
        (np.array([NAN, 0.0]), np.array([NAN, -0.0])),
    ]
    assert all(first_finding("result", a, b).differs for a, b in near)
    assert [None] * 5 == [first_finding("result", a, b, 1e-6) for a, b in near]
    far = [(1, 2), (1.0, 1.1), (NAN, 1.0), (np.array([1]), np.array([2])), (1.0, 1)]
    assert all(first_finding("result", a, b, 1e-6).differs for a, b in far)


def test_a_result_too_deep_to_compare_is_unknown():
    """Where comparing itself fails nothing is claimed."""
    one, two = [], []
    for _ in range(100_000):
        one, two = [one], [two]
    found = first_finding("result", one, two)
    assert (False, "comparing raised RecursionError") == (found.differs, found.told)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=10,
)


def bits(value):
    """Return something that is equal for equal bits alone: an oracle of another kind."""
    if isinstance(value, float):
        return ("nan",) if math.isnan(value) else struct.pack("<d", value)
    if isinstance(value, dict):
        return ["dict", *((key, bits(item)) for key, item in value.items())]
    if isinstance(value, (list, tuple)):
        return [type(value), *map(bits, value)]
    return type(value), value


@given(VALUES, VALUES)
def test_any_two_values_are_the_same_if_their_bits_are(one, two):
    """Random nested values, copied and paired, agree with a comparison by packed bits."""
    assert first_finding("result", one, copy.deepcopy(one)) is None
    assert (first_finding("result", one, two) is None) == (bits(one) == bits(two))


def test_user_dicts_are_compared_by_what_they_hold():
    """Their `==` asks that of arrays, which is no bool; their other attributes count."""
    one, other = collections.UserDict(x=np.arange(3)), collections.UserDict(x=np.arange(3))
    assert first_finding("result", one, other) is None
    other["x"][1] = 7
    assert "result.__dict__['data']['x'][1]" == first_finding("result", one, other).place
    other["x"][1], other.more = 1, 2
    assert first_finding("result", one, other).differs


def test_tensors_are_compared_by_what_they_can_do():
    """Tensors: dtype, shape, requires_grad and bytes, bfloat16 and 0-dim too; sparse is unknown."""
    torch = pytest.importorskip("torch", reason="needs torch's tensors")
    same = [
        torch.tensor([1.0, NAN]),
        torch.tensor(2),
        torch.ones(3, dtype=torch.bfloat16),
        torch.tensor([True]),
        torch.tensor([1 + 2j]),
        torch.arange(6).reshape(2, 3).t(),
        torch.ones(2, requires_grad=True),
    ]
    assert [None] * 7 == [first_finding("result", copy.deepcopy(one), one) for one in same]
    ones = torch.ones(2)
    others = [ones * 2, ones.double(), ones[None], torch.ones(2, requires_grad=True), -ones * 0]
    assert all(first_finding("result", ones, other).differs for other in others)
    assert first_finding("result", ones, ones + 1e-6, 1e-5) is None
    sparse = first_finding("result", ones.to_sparse(), ones.to_sparse())
    assert (False, True) == (sparse.differs, sparse.told.startswith("comparing raised"))
    module = torch.nn.Linear(2, 2)
    assert first_finding("result", copy.deepcopy(module), module) is None
    assert first_finding("result", torch.nn.Linear(2, 2), module).differs
