"""Random calls of shimhub.accel: every mode has the reference's answer, or its exception."""

from __future__ import annotations

import os

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shimhub import accel
from shimhub.accel import ops
from shimhub.accel._table import TABLE
from shimhub.accel.model import GROUPS, OPS
from tests._accel_cases import MODES, computing
from tests.test_accel_answers import LAYOUTS

EXAMPLES = int(os.environ.get("SHIMHUB_EXAMPLES", "150"))
PAIRS = GROUPS["elementwise"]
DTYPES = (
    "float32",
    "float32",
    "float64",
    "float64",
    "float16",
    "int32",
    "bool",
    "complex64",
    ">f4",
)
#: Distance to float64's answer, in eps of the dtype for a number of magnitude 1, or of the sum of
#: magnitudes that a number is made of. numpy's and torch's own float32 exp is within 2.
ULPS = {"relu": 0, "sigmoid": 4, "tanh": 4, "gelu": 8, "softmax": 8, "layer_norm": 64}
size = st.integers(0, 9)


class Maker:
    """Draws the parts of a call; seldom shapes or dtypes that do not fit."""

    def __init__(self, draw):
        self.draw = draw
        self.m, self.k, self.n = draw(size), draw(size), draw(size)
        self.random = np.random.default_rng(draw(st.integers(0, 2**16)))
        self.wrong = self.one_of([0] * 9 + [1])
        self.dtypes = [self.one_of(DTYPES)] * 9 + ["float64"]

    def one_of(self, values):
        """Return one of the values."""
        return self.draw(st.sampled_from(values))

    def array(self, *shape):
        """Return random numbers, in a layout and mostly in the call's dtype."""
        values = self.random.standard_normal(shape) * 4
        return LAYOUTS[self.one_of(sorted(LAYOUTS))](values.astype(self.one_of(self.dtypes)))

    def row(self, length):
        """Return a row of parameters, or None."""
        return self.array(length) if self.draw(st.booleans()) else None

    def matmul(self):
        rows = self.k + self.wrong
        return (self.array(self.m, self.k), self.array(*self.one_of([(rows, self.n), (rows,)]))), {}

    def linear(self):
        turned, shape = self.draw(st.booleans()), (self.k + self.wrong, self.n)
        weight = self.array(*(shape[::-1] if turned else shape))
        activation = self.one_of([None, "relu", "sigmoid", "tanh", "gelu", "gelu_tanh"])
        inputs = self.array(self.m, self.k), weight, self.row(self.n), activation
        return inputs, {"transposed": turned}

    def pair(self):
        m, k = self.m, self.k
        shapes = [(m, k), (k + self.wrong,), (1, k), (m, 1), (2, m, k)]
        other = self.array(*self.one_of(shapes))
        return (self.array(m, k), self.one_of([other, other, other, 2.0, 3])), {}

    def activation(self):
        shape = self.one_of([(self.m, self.k), (self.k,), (2, self.m, self.k)])
        return (self.array(*shape),), {}

    def gelu(self):
        return self.activation()[0], {"approximate": self.one_of(["none", "tanh"])}

    def softmax(self):
        return self.activation()[0], {"axis": self.one_of([-1, 0, 1, -2])}

    def layer_norm(self):
        rows = self.row(self.k), self.row(self.k + self.wrong)
        return (self.array(self.m, self.k), *rows), {"eps": self.one_of([1e-5, 1e-3, 1])}

    def mse_loss(self):
        return (self.array(self.m, self.k), self.array(self.m, self.k + self.wrong)), {}

    def cross_entropy(self):
        classes = self.random.integers(0, max(self.k, 1) + self.wrong, self.m)
        return (self.array(self.m, self.k), classes), {}


@st.composite
def calls(draw):
    """Return an operation, its inputs and its options."""
    op, maker = draw(st.sampled_from(OPS)), Maker(draw)
    other = Maker.pair if op in PAIRS else Maker.activation
    return op, *getattr(Maker, op, other)(maker)


def outcome(function, inputs, options):
    """Return an answer, or the exception."""
    try:
        with np.errstate(all="ignore"):
            return function(*inputs, **options)
    except Exception as error:  # noqa: BLE001 - compared
        return error


def wide(value):
    """Return an array of floats in float64, and anything else as it is."""
    floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value.astype(np.float64) if floats else value


def allowed(op, inputs, expected, eps):
    """Return how far an answer may be from float64's."""
    if op in ("matmul", "linear"):
        x, weight = (np.abs(wide(one)) for one in inputs[:2])
        terms = x.shape[-1] + 4
        most = x.max(initial=0) * weight.max(initial=0) * terms + 8
        return eps * terms * most
    if op in ("mse_loss", "cross_entropy"):
        return eps * 16 * max(1.0, float(np.abs(expected).max(initial=0)))
    return eps * ULPS[op] * np.maximum(1.0, np.abs(expected))


def assert_same(told, expected, op, inputs, options):
    """Both are the same exception, or answers that are near enough."""
    if isinstance(expected, Exception):
        assert (type(expected), str(expected)) == (type(told), str(told))
        return
    assert not isinstance(told, Exception), told
    assert (np.shape(expected), expected.dtype) == (np.shape(told), told.dtype)
    if op in PAIRS or expected.dtype not in (np.float32, np.float64):
        np.testing.assert_array_equal(expected, told)
        return
    with np.errstate(all="ignore"):
        exact = TABLE[op].reference(*map(wide, inputs), **options)
        apart = np.abs(told.astype(np.float64) - exact)
    near = apart <= allowed(op, inputs, exact, np.finfo(told.dtype).eps)
    assert np.all(near | (np.isnan(told) & np.isnan(exact))), (apart, exact)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES <= 150,  # by itself, and in CI
    suppress_health_check=list(HealthCheck),
)
@given(calls())
def test_modes_agree(made):
    """C and Python, our kernels, numpy and torch: one answer within rounding, or one exception."""
    op, inputs, options = made
    expected = outcome(getattr(ops, op), inputs, options)
    before = [one.tobytes() for one in inputs if isinstance(one, np.ndarray)]
    for mode in MODES:
        with computing(mode):
            assert_same(outcome(getattr(accel, op), inputs, options), expected, op, inputs, options)
            again = outcome(getattr(ops, op), inputs, options)
            assert_same(again, expected, op, inputs, options)
    assert before == [one.tobytes() for one in inputs if isinstance(one, np.ndarray)]
