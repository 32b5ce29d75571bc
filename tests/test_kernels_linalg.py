"""Linear algebra of small sizes: native against the reference, and both against numpy."""

from __future__ import annotations

import gc
import inspect
import math
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels import _loading, _thresholds, linalg
from shimhub.kernels._reference import linalg as reference
from tests._kernel_lanes import each_lane

DTYPES = (np.float32, np.float64)
FUNCTIONS = [
    "matmul",
    "linear",
    "add",
    "subtract",
    "multiply",
    "divide",
    "relu",
    "sigmoid",
    "tanh",
    "gelu",
    "softmax",
    "layer_norm",
]
OPERATIONS = ("add", "subtract", "multiply", "divide")
both = pytest.mark.parametrize("functions", [kernels, reference], ids=["kernels", "reference"])
dtypes = pytest.mark.parametrize("dtype", DTYPES)
needs_native = pytest.mark.skipif(not kernels.available(), reason="there is no native library")


@pytest.fixture(autouse=True)
def _all_native():
    """Compute all sizes natively, so that tests do not depend on measured limits."""
    pairs = [(kind, dtype) for kind in linalg._KINDS for dtype in linalg._PRECISIONS]
    before = [kernels.native_limit(*pair, math.inf) for pair in pairs]
    yield
    for pair, limit in zip(pairs, before, strict=True):
        kernels.native_limit(*pair, limit)


def numbers(seed, *shape, dtype=np.float64):
    """Return an array of normally distributed numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def assert_product(a, b, found):
    """Each element is within (k + 1) eps of the sum of its products' magnitudes."""
    wide_a, wide_b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    bound = np.matmul(np.abs(wide_a), np.abs(wide_b)) * (wide_a.shape[-1] + 1)
    apart = np.abs(np.matmul(wide_a, wide_b) - found)
    assert np.all(apart <= bound * np.finfo(found.dtype).eps)


def strided(draw, base):
    """Return a view of equal numbers with other strides, offset and alignment."""
    kind = draw(st.sampled_from(["c", "f", "margin", "reverse", "step", "unaligned"]))
    if kind == "c":
        return base
    if kind == "f":
        return np.asfortranarray(base)
    if kind == "unaligned":
        space = np.zeros(base.nbytes + 1, np.uint8)[1:].view(base.dtype).reshape(base.shape)
        space[...] = base
        return space
    step = {"margin": 1, "reverse": -1, "step": 3}[kind]
    space = np.zeros(tuple(abs(step) * n + 2 for n in base.shape), base.dtype)
    view = space[tuple(slice(None, None, step) for _ in base.shape)]
    view = view[tuple(slice(0, n) for n in base.shape)]
    view[...] = base
    return view


@st.composite
def products(draw):
    """Two arrays of one dtype that can be multiplied, as views of any strides."""
    m, n, k = (draw(st.integers(0, 40)) for _ in range(3))
    shapes = draw(st.sampled_from([((m, k), (k, n)), ((k,), (k, n)), ((m, k), (k,))]))
    dtype = draw(st.sampled_from(DTYPES))
    seed = draw(st.integers(0, 1000))
    return tuple(strided(draw, numbers(seed + i, *s, dtype=dtype)) for i, s in enumerate(shapes))


@settings(deadline=None, max_examples=120)
@given(products())
def test_matmul_is_within_its_bound_for_any_shape_and_strides(pair):
    """Shapes and dtypes are numpy's; elements are within the bound that the docstring states."""
    a, b = pair

    found = kernels.matmul(a, b)

    assert np.matmul(a, b).shape == found.shape
    assert a.dtype == found.dtype
    assert type(found) is np.ndarray
    assert_product(a, b, found)


@dtypes
@pytest.mark.usefixtures(each_lane.__name__)
def test_matmul_on_each_lane(dtype):
    """Every lane holds the bound, at sizes around those of vectors, tiles and blocks."""
    for m, n, k in [(1, 1, 1), (2, 3, 4), (7, 9, 8), (16, 17, 15), (33, 65, 31), (130, 70, 300)]:
        a, b = numbers(m, m, k, dtype=dtype), numbers(n, k, n, dtype=dtype)
        assert_product(a, b, kernels.matmul(a, b))
        assert_product(a, b, kernels.matmul(np.asfortranarray(a), np.asfortranarray(b)))


@needs_native
@dtypes
@pytest.mark.usefixtures(each_lane.__name__)
def test_strides_and_alignment_do_not_change_a_bit(dtype):
    """Same lane, same values: the same bits, however the arrays lie in memory."""
    a, b = numbers(1, 37, 53, dtype=dtype), numbers(2, 53, 41, dtype=dtype)
    expected = kernels.matmul(a, b)

    for offset in range(8):
        x = np.empty(37 * 53 + 8, dtype)[offset:][: 37 * 53].reshape(37, 53)
        x[...] = a
        np.testing.assert_array_equal(expected, kernels.matmul(x, np.asfortranarray(b)))
        np.testing.assert_array_equal(expected, kernels.matmul(x[::-1], b)[::-1])
        np.testing.assert_array_equal(expected[offset:], kernels.matmul(x[offset:], b))


@both
@dtypes
def test_broadcast_views_multiply_as_their_copies(functions, dtype):
    """Strides of zero, as of numpy.broadcast_to, are read as numbers that repeat."""
    row = np.broadcast_to(numbers(3, 5, dtype=dtype), (4, 5))
    column = np.broadcast_to(numbers(4, 5, 1, dtype=dtype), (5, 6))

    assert_product(row, column, functions.matmul(row, column))


@both
@dtypes
def test_out_gets_the_product(functions, dtype):
    """`out` is filled and returned: in C order, with a margin, in Fortran order, one dimension."""
    a, b = numbers(5, 6, 7, dtype=dtype), numbers(6, 7, 8, dtype=dtype)
    expected = functions.matmul(a, b)
    for out in (
        np.empty((6, 8), dtype),
        np.empty((9, 12), dtype)[1:7, 2:10],
        np.empty((6, 8), dtype, order="F"),
        np.empty((6, 8), dtype)[::-1],
    ):
        assert functions.matmul(a, b, out=out) is out
        np.testing.assert_allclose(expected, out, rtol=1e-4, atol=1e-5)
    row = np.empty(16, dtype)[::2]
    assert functions.matmul(a[0], b, out=row) is row
    np.testing.assert_allclose(expected[0], row, rtol=1e-4, atol=1e-5)
    column = np.empty(12, dtype)[::2]
    assert functions.matmul(a, b[:, 0], out=column) is column
    np.testing.assert_allclose(expected[:, 0], column, rtol=1e-4, atol=1e-5)


@both
@dtypes
def test_out_may_be_an_input(functions, dtype):
    """An `out` that shares memory with an input gets what a new array would."""
    space = numbers(7, 9, 8, dtype=dtype)
    a, b = space[:8], numbers(8, 8, 8, dtype=dtype)
    expected = functions.matmul(a, b)
    for out in (a, space[1:], a.T):
        space[...] = numbers(7, 9, 8, dtype=dtype)
        functions.matmul(a, b, out=out)
        np.testing.assert_allclose(expected, out, rtol=1e-4, atol=1e-5)


@both
def test_wrong_out_raises_and_is_not_written(functions):
    """A read-only `out`, and one of a wrong shape or dtype or kind, raise as numpy's do."""
    a = numbers(9, 3, 3)
    fixed = np.zeros((3, 3))
    fixed.flags.writeable = False
    for out, error in (
        (fixed, ValueError),
        (np.zeros((3, 4)), ValueError),
        (np.zeros((3, 3), np.int32), TypeError),
        ([[0.0] * 3] * 3, TypeError),
    ):
        with pytest.raises(error):
            functions.matmul(a, a, out=out)
        assert not np.any(out)


@both
@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.ones((2, 3)), np.ones((2, 3))),
        (np.ones((2, 3)), np.ones(2)),
        (np.ones((2, 3)), np.float64(3)),
        (np.float64(3), np.ones((2, 3))),
        (np.ones((2, 2)), np.ones((3, 4, 5))),
    ],
)
def test_shapes_that_do_not_fit_raise_as_in_numpy(functions, a, b):
    """A wrong inner size, and no dimension at all, are numpy's ValueError."""
    with pytest.raises(ValueError, match="matmul"):
        functions.matmul(a, b)


@both
def test_a_size_that_cannot_be_allocated_raises(functions):
    """The product of an enormous column and row, of no columns or of one, is refused."""
    wide = np.lib.stride_tricks.as_strided(np.zeros(1), (1 << 40, 1), (0, 0))
    for column in (wide, np.zeros((1 << 40, 0))):
        with pytest.raises((ValueError, MemoryError)):
            functions.matmul(column, column.T)


class _Array(np.ndarray):
    pass


@both
@pytest.mark.parametrize(
    "make",
    [
        lambda: numbers(1, 3, 3).view(_Array),
        lambda: numbers(1, 3, 3).astype(">f8"),
        lambda: numbers(1, 3, 3).astype(np.float16),
        lambda: numbers(1, 3, 3).astype(np.int8),
        lambda: numbers(1, 3, 3).astype(np.complex128),
        lambda: numbers(1, 3, 3).astype(object),
        lambda: numbers(1, 2, 3, 3),
        lambda: numbers(1, 3, 3) > 0,
        lambda: np.zeros(73, np.uint8)[1:].view(np.float64).reshape(3, 3),
    ],
)
def test_other_arrays_are_numpys(functions, make):
    """Subclasses, other dtypes and byte orders, batches, unaligned arrays: numpy's own answer."""
    a, b = make(), numbers(2, 3, 3, dtype=np.float32)

    for x, y in ((a, b), (b, a), (a, a)):
        expected, found = np.matmul(x, y), functions.matmul(x, y)
        assert type(expected) is type(found)
        assert expected.dtype == found.dtype
        np.testing.assert_array_equal(expected, found)


@both
def test_keywords_are_checked(functions):
    """Unknown, repeated and missing arguments are TypeError."""
    a = numbers(1, 2, 2)
    for args, keywords in (((a,), {}), ((a, a, a), {}), ((a, a), {"oot": a}), ((), {"a": a})):
        with pytest.raises(TypeError):
            functions.matmul(*args, **keywords)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_are_those_of_the_reference(name):
    """The C functions' signatures, names and texts are there, and are the reference's."""
    found, expected = getattr(kernels, name), getattr(reference, name)

    theirs = inspect.signature(expected).parameters.values()
    assert [(p.name, p.kind, p.default) for p in theirs] == [
        (p.name, p.kind, p.default) for p in inspect.signature(found).parameters.values()
    ]
    assert name == found.__name__
    assert found.__doc__


@dtypes
def test_unpickled_arrays_have_a_dtype_of_their_own_and_are_read(dtype):
    """A dtype that is equal and another object makes no difference."""
    a = numbers(1, 4, 4, dtype=dtype)
    a = np.frombuffer(a.tobytes(), np.dtype(dtype, metadata={"a": 1})).reshape(4, 4)

    assert_product(a, a, kernels.matmul(a, a))


@both
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e308, 0.0])
def test_nan_and_infinity_propagate_with_numpys_warnings(functions, odd):
    """Results and warnings are those of numpy, for products and the four operations."""
    for dtype in DTYPES:
        with np.errstate(over="ignore"):
            a, b = np.full((4, 4), odd).astype(dtype), numbers(1, 4, 4, dtype=dtype)
        a[0, 0], b[1, 1], b[2, 2] = 1, 0, np.inf
        for name in ("matmul", *OPERATIONS):
            expected = _with_warnings(getattr(np, name), a, b)
            found = _with_warnings(getattr(functions, name), a, b)
            np.testing.assert_array_equal(expected[0], found[0])
            assert expected[1] == found[1]


def _with_warnings(function, *args):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return function(*args), {str(one.message) for one in caught}


@both
def test_errstate_is_obeyed(functions):
    """numpy.errstate makes errors of what would be warnings, here too."""
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        functions.divide(np.ones(5), np.zeros(5))
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        functions.matmul(np.full((2, 2), 1e300), np.full((2, 2), 1e300))


@st.composite
def operands(draw):
    """Two operands of an operation: arrays, rows, Python's numbers."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.sampled_from([(), (0,), (1,), (5,), (3, 0), (3, 17), (2, 3, 20), (40, 33)]))
    array = numbers(draw(st.integers(0, 99)), *shape, dtype=dtype)
    others = [
        np.asarray(array * dtype(2)),
        array.T,
        np.asfortranarray(array),
        2.5,
        3,
        np.float32(3),
    ]
    others += [True, array.astype(np.float32), 1e30, np.float64(1.5), np.arange(3)[:, None]]
    if len(shape) > 1 and 0 not in shape:
        others += [array[0], array[..., :1], array[(0,) * (len(shape) - 1)]]
    other = draw(st.sampled_from(range(len(others))))
    pair = (array, others[other])
    return pair if draw(st.booleans()) else pair[::-1]


@settings(deadline=None, max_examples=150)
@given(operands(), st.sampled_from(OPERATIONS))
def test_operations_are_numpys_bit_for_bit(pair, name):
    """Sums, differences, products and quotients are rounded once: shape, dtype, bits as numpy's."""
    results = []
    for function in (getattr(np, name), getattr(kernels, name)):
        try:
            results.append(_with_warnings(function, *pair))
        except ValueError as error:
            results.append((str(error), None))

    (expected, expected_warnings), (found, found_warnings) = results
    assert expected_warnings == found_warnings
    assert type(expected) is type(found)
    np.testing.assert_array_equal(expected, found, strict=True)


@both
def test_operations_write_to_out(functions):
    """`out` may be an input."""
    a = numbers(1, 3, 4)
    expected = a + a
    assert functions.add(a, a, out=a) is a
    np.testing.assert_array_equal(expected, a)


ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-30, -1e-30, 87.0, 89.0, -88.0, -104.0, 700.0, -746.0]


def exact(name, x):
    """Return a function's values in float64; gelu's by math.erfc, of which nothing cancels."""
    if name == "gelu_tanh":
        return reference.gelu(x, "tanh")
    return getattr(reference, name)(x)


@pytest.mark.usefixtures(each_lane.__name__)
@dtypes
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "gelu", "gelu_tanh"])
def test_activations_are_within_their_bounds(name, dtype):
    """Within 8 eps of the value in float64, NaN and infinity where it is; also in linear."""
    x = np.concatenate([numbers(1, 3000) * 4, np.linspace(-5, 5, 999), numbers(2, 99) * 1e-4, ODD])
    x = x.astype(dtype)
    wide = exact(name, x.astype(np.float64))
    with np.errstate(all="ignore"):
        expected = wide.astype(dtype)
    found = kernels.gelu(x, "tanh") if name == "gelu_tanh" else getattr(kernels, name)(x)

    assert (x.dtype, x.shape) == (found.dtype, found.shape)
    finite = np.isfinite(wide)
    np.testing.assert_array_equal(expected[~finite], found[~finite])
    wide, near, argument = wide[finite], found[finite], np.minimum(np.abs(x[finite]), 1e3)
    # The reference rounds gelu's square, and both round the cube of its approximation.
    tails = {"gelu": 2 * argument**2, "gelu_tanh": 8 * argument + argument**3}.get(name, 0)
    bound = np.finfo(dtype).eps * np.abs(wide) * (8 + tails) + np.finfo(dtype).tiny
    assert np.all(np.abs(near.astype(np.float64) - wide) <= bound)
    identity = np.eye(1, dtype=dtype)
    with np.errstate(all="ignore"):
        fused = kernels.linear(x[:, None], identity, activation=name)[:, 0]
    np.testing.assert_array_equal(found, fused)


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, 40), st.integers(0, 99), st.sampled_from(DTYPES))
def test_softmax_and_layer_norm_are_within_their_bounds(rows, columns, seed, dtype):
    """Rows are normalised as the reference does in float64, for weights, biases and none."""
    x, eps = numbers(seed, rows, columns, dtype=dtype) * dtype(5), np.finfo(dtype).eps
    weight, bias = numbers(seed + 1, 2, columns, dtype=dtype)
    wide = x.astype(np.float64)

    found = kernels.softmax(x)
    np.testing.assert_allclose(reference.softmax(wide), found, rtol=64 * eps, atol=0)
    for w, b in ((None, None), (weight, None), (None, bias), (weight, bias)):
        expected = reference.layer_norm(
            wide, *(None if v is None else v.astype(float) for v in (w, b))
        )
        found = kernels.layer_norm(x, w, b)
        assert (x.dtype, x.shape) == (found.dtype, found.shape)
        spread = np.sqrt(wide.var(axis=-1, keepdims=True) + 1e-5) if columns else 1
        bound = 64 * eps * (1 + 20 / spread * np.abs(1 if w is None else w) + np.abs(expected))
        assert np.all(np.abs(expected - found) <= bound)


@both
def test_rows_with_nan_and_infinity(functions):
    """NaN, infinity and a row of minus infinity give NaN; minus infinity alone gives zero."""
    x = np.zeros((4, 20))
    x[0, 3], x[1, 5], x[2], x[3, 7] = np.nan, np.inf, -np.inf, -np.inf

    found = functions.softmax(x)

    assert np.all(np.isnan(found[[0, 2]]))
    assert np.all(np.isnan(reference.softmax(x)) == np.isnan(found))
    assert found[3, 7] == 0


@both
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "gelu", "softmax", "layer_norm"])
def test_views_and_out_of_functions_of_one_array(functions, name):
    """Strided inputs give the same bits as their copies, in C order; `out` may be the input."""
    function = getattr(functions, name)
    base = numbers(1, 6, 8, 10)
    for view in (base[::2, ::-1], base.T, base[:, 1:3, 5], np.broadcast_to(base[0], (2, 8, 10))):
        expected = function(np.ascontiguousarray(view))
        assert expected.flags.c_contiguous
        np.testing.assert_array_equal(expected, function(view))
        out = np.empty(view.shape)
        assert function(view, out=out) is out
        np.testing.assert_array_equal(expected, out)
    expected = function(base)
    for out in (base.copy(), np.empty(base.shape[::-1]).T):
        out[...] = base
        function(out, out=out)
        np.testing.assert_array_equal(expected, out)


@both
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "gelu", "softmax", "layer_norm"])
def test_wrong_arguments_name_the_argument(functions, name):
    """Other dtypes and kinds are TypeError, a wrong `out` an error that leaves it as it was."""
    function, x = getattr(functions, name), numbers(1, 3, 3)
    fixed = np.zeros((3, 3))
    fixed.flags.writeable = False
    for wrong in ([1.0], 1.0, None, np.arange(3), np.ones(3, np.float16), np.ones(3, object)):
        with pytest.raises(TypeError, match=r"^x: "):
            function(wrong)
    for out, error in (
        (fixed, ValueError),
        (np.zeros((3, 2)), ValueError),
        (np.zeros((3, 3), np.float32), TypeError),
        ([0.0], TypeError),
    ):
        with pytest.raises(error, match=r"^out: "):
            function(x, out=out)
        assert not np.any(out)


@both
def test_wrong_options_name_the_option(functions):
    """axis, approximate, eps, weight and bias are checked."""
    x = numbers(1, 3, 4)
    for call, error, match in (
        (lambda: functions.softmax(x, 2), ValueError, "axis: 2"),
        (lambda: functions.softmax(x, 1 << 80), ValueError, "axis: "),
        (lambda: functions.softmax(x, 1.0), TypeError, "axis: float"),
        (lambda: functions.softmax(np.float64(1)), TypeError, "x: float64"),
        (lambda: functions.softmax(np.array(1.0)), ValueError, "axis: -1"),
        (lambda: functions.layer_norm(np.array(1.0)), ValueError, "x: has no dimension"),
        (lambda: functions.gelu(x, "tan"), ValueError, "approximate: 'tan'"),
        (lambda: functions.gelu(x, 1), ValueError, "approximate: 1"),
        (lambda: functions.layer_norm(x, eps=-1.0), ValueError, "eps: -1.0"),
        (lambda: functions.layer_norm(x, eps="x"), ValueError, "eps: 'x'"),
        (lambda: functions.layer_norm(x, x), ValueError, "weight: shape"),
        (lambda: functions.layer_norm(x, None, [1.0]), TypeError, "bias: list"),
        (lambda: functions.layer_norm(x, x[0].astype("f4")), TypeError, "weight: dtype"),
    ):
        with pytest.raises(error, match=match):
            call()
    np.testing.assert_allclose(reference.softmax(x, 0), functions.softmax(x, 0))
    np.testing.assert_allclose(reference.softmax(x, 1), functions.softmax(x, axis=1))
    np.testing.assert_allclose(reference.layer_norm(x, eps=1), functions.layer_norm(x, eps=1))


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=3),
    st.integers(0, 30),
    st.integers(0, 30),
    st.sampled_from([None, "relu", "sigmoid", "tanh", "gelu", "gelu_tanh"]),
    st.sampled_from(DTYPES),
    st.booleans(),
)
def test_linear_is_the_reference(leading, inner, outer, activation, dtype, transposed):
    """X @ weight + bias, activated: leading dimensions, either order of weight, bias or none."""
    x = numbers(1, *leading[1:], inner, dtype=dtype)
    weight, bias = numbers(2, inner, outer, dtype=dtype), numbers(3, outer, dtype=dtype)
    given_weight = np.ascontiguousarray(weight.T) if transposed else weight
    for b in (None, bias):
        wide = [None if v is None else v.astype(np.float64) for v in (x, weight, b)]
        expected = reference.linear(*wide, activation)

        found = kernels.linear(x, given_weight, b, activation, transposed=transposed)

        assert (expected.shape, x.dtype) == (found.shape, found.dtype)
        most = np.matmul(np.abs(wide[0]), np.abs(wide[1])) * (inner + 1) + 8 * (
            1 + np.abs(expected)
        )
        assert np.all(np.abs(expected - found) <= 4 * np.finfo(dtype).eps * most)
        out = np.empty(found.shape, dtype)
        kernels.linear(x, given_weight, b, activation, transposed=transposed, out=out)
        np.testing.assert_array_equal(found, out)


@both
def test_linear_beyond_the_limit_and_into_its_own_input(functions):
    """Where numpy multiplies, bias and activation follow all the same; `out` may be x."""
    for kind in ("products", "shallow_products", "thin_products"):
        kernels.native_limit(kind, "float64", 0)
    x, weight, bias = numbers(1, 8, 8), numbers(2, 8, 8), numbers(3, 8)
    expected = reference.linear(x, weight, bias, "tanh")

    np.testing.assert_allclose(expected, functions.linear(x, weight, bias, "tanh"))
    found = functions.linear(x, weight.T.copy(), bias, "tanh", transposed=True)
    np.testing.assert_allclose(expected, found)
    functions.linear(x, weight, bias, "tanh", out=x)
    np.testing.assert_allclose(expected, x)


@both
def test_rows_of_nothing_take_no_time(functions):
    """An array of 2**59 rows and no columns is empty, and its result is there at once."""
    rows = np.zeros((1 << 59, 0))

    assert functions.linear(rows, np.zeros((0, 0)), np.zeros(0), "gelu").shape == (1 << 59, 0)
    assert functions.softmax(rows).shape == functions.layer_norm(rows).shape == (1 << 59, 0)
    assert functions.add(rows, 1.5).shape == functions.add(rows, np.zeros(0)).shape


@both
def test_linear_names_what_is_wrong(functions):
    """Shapes, dtypes, kinds and names are checked, and tell the argument."""
    x, weight, bias = numbers(1, 2, 3), numbers(2, 3, 4), numbers(3, 4)
    for args, keywords, error, match in (
        ((x, weight.T), {}, ValueError, r"weight: shape \(4, 3\) is not \(in, out\)"),
        (
            (x, weight),
            {"transposed": True},
            ValueError,
            r"weight: shape \(3, 4\) is not \(out, in\)",
        ),
        ((x, weight[0]), {}, ValueError, "weight: "),
        ((x, weight, bias[:2]), {}, ValueError, r"bias: shape \(2,\) is not \(4,\)"),
        ((x, weight, [1.0] * 4), {}, TypeError, "bias: list"),
        ((x, weight.astype("f4")), {}, TypeError, "weight: dtype float32 is not float64"),
        ((x.tolist(), weight), {}, TypeError, "x: list"),
        ((x, weight, None, "gelo"), {}, ValueError, "activation: 'gelo' is none of None, 'relu'"),
        ((x, weight, None, 3), {}, TypeError, "activation: int"),
        ((x, weight), {"out": np.zeros((4, 2))}, ValueError, "out: shape"),
        ((x,), {}, TypeError, "weight"),
    ):
        with pytest.raises(error, match=match):
            functions.linear(*args, **keywords)


finite = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-(2**40), 2**40)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6), st.data())
def test_lists_multiply_into_lists(m, n, k, data):
    """Lists and tuples of numbers give lists of floats: the reference's, and exactly for ints."""
    rows = st.lists(st.lists(finite, min_size=k, max_size=k), min_size=m, max_size=m)
    columns = st.lists(st.lists(finite, min_size=n, max_size=n), min_size=k, max_size=k)
    a, b = data.draw(rows), data.draw(columns)

    found = kernels.matmul(a, tuple(map(tuple, b)))

    assert all(type(number) is float for row in found for number in row)
    assert_product(a, b, np.array(found))
    np.testing.assert_allclose(reference.matmul(a, b), found, rtol=1e-9, atol=1e300)
    assert_product(a[0], b, np.array(kernels.matmul(a[0], b)))


@both
def test_lists_of_one_dimension(functions):
    """A vector gives a list, two give a float; rows of no numbers give zeros."""
    assert functions.matmul([1, 2.5], [2, 4]) == 12.0
    assert functions.matmul([1, 2], [[1, 0], [0, 1]]) == [1.0, 2.0]
    assert functions.matmul([[1, 0], [0, 2]], [1, 2]) == [1.0, 4.0]
    assert functions.matmul([[1, 2]], [[], []]) == [[]]
    assert functions.matmul([[10**300]], [[10.0**10]]) == [[math.inf]]
    assert math.isnan(functions.matmul([math.inf], [0]))
    assert type(functions.matmul([[1.0]], np.eye(1))) is np.ndarray


class _Fraction(float):
    def __float__(self):
        raise AssertionError("a subclass's code must not run")


@both
def test_lists_with_wrong_elements_name_them(functions):
    """Ragged rows, None, text, bool, nested and enormous numbers tell where they stand."""
    good = [[1.0, 2.0], [3.0, 4.0]]
    for wrong, error, match in (
        ([[1.0, None]], TypeError, r"^a\[0\]\[1\]: NoneType is not a number"),
        ([[1.0, 2], ["x", 1]], TypeError, r"^a\[1\]\[0\]: str is not a number"),
        ([[1.0, True]], TypeError, r"^a\[0\]\[1\]: bool is not a number"),
        ([[1.0, [2]]], TypeError, r"^a\[0\]\[1\]: list is not a number"),
        ([1.0, None], TypeError, r"^a\[1\]: NoneType is not a number"),
        (["12"], TypeError, r"^a\[0\]: str is not a number"),
        ([[1.0, 2], 3], TypeError, r"^a\[1\]: int is not a list of numbers"),
        ([[1.0, 2], [3.0]], ValueError, r"^a\[1\]: length 1, but a\[0\] has 2"),
        ([[1, 10**400]], OverflowError, r"^a\[0\]\[1\]: int does not fit float64"),
        ([10**400], OverflowError, r"^a\[0\]: int does not fit float64"),
        ([], ValueError, "^a: empty"),
        ([[1.0]], ValueError, "^b: 2 rows, but a has 1 columns"),
    ):
        with pytest.raises(error, match=match):
            functions.matmul(wrong, good)
    with pytest.raises(ValueError, match=r"^b: empty"):
        functions.matmul(good, [])
    with pytest.raises(TypeError, match=r"^out: "):
        functions.matmul(good, good, out=np.empty((2, 2)))
    assert functions.matmul([[_Fraction(2)]], [[3]]) == [[6.0]]


@needs_native
@pytest.mark.skipif("avx512" not in kernels.lanes(), reason="other lanes have other limits")
@pytest.mark.parametrize(
    ("shape", "ours"),
    [
        ((64, 64, 64), True),
        ((8, 2048, 8), True),
        ((9, 2048, 16), True),
        ((100, 2048, 16), True),
        ((100, 1200, 40), False),
        ((64, 2048, 64), True),
        ((2, 2048, 64), False),
        ((1000, 64, 1), False),
        ((600, 3, 600), True),
        ((3, 8, 60_000), False),
        ((600, 24, 600), True),
        ((1000, 16, 1000), True),
        ((1000, 17, 4000), False),
        ((512, 8, 512), True),
        ((100, 3, 100), True),
    ],
)
def test_shapes_are_computed_where_they_were_measured_to_be_faster(shape, ours):
    """Deep and thin products, and large results of little work, go where the measurements say."""
    m, k, n = shape
    a, b = numbers(1, m, k, dtype=np.float32), numbers(2, k, n, dtype=np.float32)
    limits = _thresholds.limits(kernels.lanes())["float32"]
    kernels.native_limit("products", "float32", limits.products)
    kernels.native_limit("shallow_products", "float32", limits.shallow_products)
    kernels.native_limit("thin_products", "float32", limits.thin_products)

    assert ours == _loading.native().accel_serves("matmul", False, a, b)
    assert_product(a, b, kernels.matmul(a, b))


@needs_native
@dtypes
@pytest.mark.usefixtures(each_lane.__name__)
@pytest.mark.parametrize(("m", "k", "n"), [(523, 3, 600), (37, 31, 9001), (600, 16, 517)])
def test_a_large_result_has_the_bits_of_its_parts(m, k, n, dtype):
    """Results that leave the caches are computed in another order, to the same bits."""
    a, b = numbers(1, m, k, dtype=dtype), numbers(2, k, n, dtype=dtype)
    whole = kernels.matmul(a, b)

    assert_product(a, b, whole)
    for i in (0, 5, 30, m - 4):
        np.testing.assert_array_equal(kernels.matmul(a[i : i + 4], b), whole[i : i + 4])
    for j in (0, 16, n - 40):
        part = kernels.matmul(a[:4], np.ascontiguousarray(b[:, j : j + 40]))
        np.testing.assert_array_equal(part, whole[:4, j : j + 40])


def test_limits_are_read_and_set():
    """A limit is returned and replaced; wrong ones are refused and change nothing."""
    before = kernels.native_limit("products", "float32", 5)
    assert kernels.native_limit("products", "float32") == (5 if kernels.available() else 0)
    for args in (("product", "float32"), ("products", "f4"), ("products", "float32", -1)):
        with pytest.raises(ValueError, match=": "):
            kernels.native_limit(*args)
    with pytest.raises(ValueError, match="limit"):
        kernels.native_limit("products", "float32", math.nan)
    kernels.native_limit("products", "float32", before)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"OPENBLAS_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        ({"OMP_NUM_THREADS": "2,1"}, 2),
        ({"OMP_NUM_THREADS": "0"}, None),
        ({"OMP_NUM_THREADS": "many"}, None),
        ({}, None),
    ],
)
def test_threads_of_blas_are_those_of_its_variables(monkeypatch, environ, expected):
    """OpenBLAS's own variable comes first; without a number all processors count."""
    for name in ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    found = _thresholds.blas_threads()

    assert found == expected if expected else found >= 1


def test_the_fastest_lane_has_the_limits():
    """Limits are those of the widest lane in use; unknown lanes have the portable one's."""
    assert _thresholds.limits(frozenset({"portable", "avx2"})) == _thresholds.LIMITS["avx2"]
    assert _thresholds.limits(frozenset({"portable", "neon"})) == _thresholds.LIMITS["portable"]
    assert _thresholds.limits(frozenset()) == _thresholds.LIMITS["portable"]


@needs_native
def test_arrays_are_read_by_their_heads():
    """This numpy's array objects have the documented layout, and samples that differ are found."""
    native = _loading.native()
    assert native.linalg_setup(np, reference, linalg._samples()) is True


@needs_native
def test_without_agreement_arrays_are_read_as_buffers():
    """If heads cannot be trusted (here: no samples agree) the buffer protocol gives the same."""
    native = _loading.native()
    a, b = numbers(1, 7, 9), numbers(2, 9, 5)
    views = [a, np.asfortranarray(a), a[::-1], a.astype("f4"), a.astype(">f8"), a.view(_Array)]
    expected = [kernels.matmul(view, b) for view in views]
    try:
        assert native.linalg_setup(np, reference, []) is False
        for view, wanted in zip(views, expected, strict=True):
            found = kernels.matmul(view, b)
            assert type(wanted) is type(found)
            np.testing.assert_array_equal(wanted, found)
        assert kernels.matmul(np.array(["2020"], "M8[D]").view("i8"), np.array([2])) > 0
        with pytest.raises(TypeError):
            kernels.matmul(np.array(["2020"], "M8[D]"), b)
    finally:
        linalg._set_up(native)


def test_without_the_library_everything_answers():
    """With SHIMHUB_NATIVE=0 the functions are the reference's."""
    code = (
        "import numpy as np; from shimhub import kernels as k;"
        "from shimhub.kernels._reference import linalg as r;"
        f"print(all(getattr(k, n) is getattr(r, n) for n in {FUNCTIONS!r}),"
        "k.matmul(np.eye(2), np.eye(2)).sum(), k.matmul([[2]], [[3]]),"
        "k.native_limit('products', 'float32'))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "SHIMHUB_NATIVE": "0"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.split() == ["True", "2.0", "[[6.0]]", "0.0"]


def test_threads_get_the_same_answers():
    """Calls from several threads at once, some without the GIL, do not disturb each other."""
    a, b = numbers(1, 90, 100), numbers(2, 100, 80)
    expected, wrong = kernels.matmul(a, b), []

    def multiply():
        for i in range(60):
            part = slice(i % 40, None)
            if not np.array_equal(expected[part], kernels.matmul(a[part], b)):
                wrong.append(i)

    threads = [threading.Thread(target=multiply) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == [] if kernels.available() else True


def _resident():
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc")
def test_memory_stays_over_a_million_calls():
    """A million calls of each kind, errors among them, leave the resident size where it was."""
    a, small, rows = numbers(1, 8, 8), numbers(2, 3, 3), [[1.0, 2.0], [3.0, 4.0]]
    flipped, bias = np.asfortranarray(a)[::-1], numbers(3, 8)

    def calls():
        kernels.matmul(a, flipped)
        kernels.matmul(rows, rows)
        kernels.linear(a, a, bias, "gelu")
        kernels.add(a, bias)
        kernels.softmax(flipped)
        kernels.layer_norm(a, bias, bias, out=a)
        for wrong in (
            lambda: kernels.matmul(a, small),
            lambda: kernels.matmul([[1], [None]], rows),
        ):
            try:
                wrong()
            except (ValueError, TypeError):
                continue
            raise AssertionError("no error")

    for _ in range(20_000):
        calls()
    before = _resident()
    for _ in range(125_000):
        calls()

    assert _resident() - before < 2 << 20


@pytest.mark.parametrize("name", linalg._FUNCTIONS)
def test_the_c_functions_have_the_references_docstrings(name):
    """help() tells of each function what its reference tells, and its signature."""
    native, plain = getattr(linalg, name), getattr(reference, name)
    assert inspect.getdoc(plain) == inspect.getdoc(native)
    assert list(inspect.signature(plain).parameters) == list(inspect.signature(native).parameters)
