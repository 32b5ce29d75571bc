"""Answers of shimhub.accel for inputs that are seldom tried: each mode gives numpy's, or tells."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from shimhub import accel, kernels
from shimhub.accel.model import OPS
from tests._accel_cases import (
    ARGUMENTS,
    HAS_TORCH,
    MODES,
    anew,
    arguments,
    assert_answer,
    call,
    computing,
)

pytestmark = pytest.mark.usefixtures(anew.__name__)
FLOATS = sorted(set(OPS) - {"matmul", "add", "sub", "mul", "div"})


def strided(array):
    """Return the same values, two places apart in memory."""
    between = np.nan if array.dtype.kind in "fc" else 1
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), between, array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def backwards(array):
    """Return the same values, from the end of memory to its beginning."""
    return array[..., ::-1].copy()[..., ::-1]


def unaligned(array):
    """Return the same values, at an odd address."""
    room = np.zeros(array.nbytes + 1, np.uint8)
    found = room[1:].view(array.dtype).reshape(array.shape)
    found[...] = array
    return found


def read_only(array):
    """Return the same values, which cannot be written."""
    found = array.copy()
    found.flags.writeable = False
    return found


LAYOUTS = {
    "C": lambda array: array,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "backwards": backwards,
    "unaligned": unaligned,
    "read-only": read_only,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_do_not_matter(layout, op, mode):
    """Any strides, alignment and flags give the answer; inputs stay, results are arrays of own."""
    for dtype in ("float32", "float64"):
        given = arguments(op, dtype, LAYOUTS[layout])
        before = [one.tobytes() if isinstance(one, np.ndarray) else one for one in given]
        with computing(mode, strict=HAS_TORCH):
            told = call(op, *given)

        assert_answer(op, given, told)
        assert before == [one.tobytes() if isinstance(one, np.ndarray) else one for one in given]
        assert not any(np.shares_memory(told, one) for one in given if np.ndim(one))
        assert np.ndim(told) == 0 or told.flags.writeable


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("op", OPS)
def test_lists_give_lists(op, mode):
    """Nested lists are computed in float64, and the answer is nested lists or a number."""
    given = [one.tolist() if np.ndim(one) else one for one in arguments(op)]
    with computing(mode):
        told = call(op, *given)

    assert isinstance(told, float if op in ("mse_loss", "cross_entropy") else list)
    assert_answer(op, arguments(op), np.float64(told))


ODD = (math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e308, -1e308)
PAIRS = np.array(list(itertools.product(ODD, ODD)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div"])
def test_pairs_of_odd_numbers_are_those_of_ieee(op, mode):
    """NaN, infinities, signed zeros, subnormal and huge numbers give the bits of numpy."""
    a, b = np.ascontiguousarray(PAIRS.T)
    with np.errstate(all="ignore"), computing(mode):
        expected = {"add": a + b, "sub": a - b, "mul": a * b, "div": a / b}[op]
        told = call(op, a, b)

    np.testing.assert_array_equal(expected, told)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(expected[numbers]), np.signbit(told[numbers]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("relu", [math.nan, math.inf, 0, 0, 0, 5e-324, 1e308, 0]),
        ("sigmoid", [math.nan, 1, 0, 0.5, 0.5, 0.5, 1, 0]),
        ("tanh", [math.nan, 1, -1, 0, -0.0, 5e-324, 1, -1]),
        ("gelu", [math.nan, math.inf, math.nan, 0, -0.0, 0, 1e308, 0]),
    ],
)
def test_activations_of_odd_numbers(op, expected, mode):
    """Limits at infinity, NaN where the number is; never a warning."""
    with computing(mode):
        told = call(op, np.array(ODD))

    np.testing.assert_allclose(told, np.array(expected, float), atol=1e-300)


@pytest.mark.parametrize("mode", MODES)
def test_nan_stays_in_its_row(mode):
    """A row with a NaN is NaN, and so is a loss; the other rows are as without it."""
    spoilt = ARGUMENTS["relu"][0].copy()
    spoilt[1, 2] = math.nan
    wrong = [False, True, False, False, False]
    with computing(mode):
        for op in ("softmax", "layer_norm"):
            assert wrong == np.isnan(call(op, spoilt)).all(axis=-1).tolist()
            assert wrong == np.isnan(call(op, spoilt)).any(axis=-1).tolist()
            np.testing.assert_allclose(call(op, spoilt)[2:], call(op, spoilt[2:]), rtol=1e-12)
        for op in ("mse_loss", "cross_entropy"):
            assert math.isnan(call(op, spoilt, ARGUMENTS[op][1]))


@pytest.mark.parametrize("mode", MODES)
def test_softmax_of_huge_numbers_does_not_overflow(mode):
    """The greatest number is taken off first; rows of -inf alone are NaN."""
    with computing(mode):
        told = accel.softmax(np.array([[1e30, 0], [1e4, 1e4], [-math.inf, 0], [-math.inf] * 2]))

    np.testing.assert_array_equal([[1, 0], [0.5, 0.5], [0, 1], [math.nan] * 2], told)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("op", "shapes", "expected"),
    [
        ("matmul", [(0, 3), (3, 2)], (0, 2)),
        ("matmul", [(2, 0), (0, 3)], (2, 3)),
        ("matmul", [(0,), (0,)], ()),
        ("matmul", [(4, 0, 2), (2, 3)], (4, 0, 3)),
        ("linear", [(0, 3), (3, 2), (2,)], (0, 2)),
        ("linear", [(2, 0), (0, 3), (3,)], (2, 3)),
        ("add", [(0, 3), (3,)], (0, 3)),
        ("div", [(0,), (1,)], (0,)),
        ("relu", [(0, 3)], (0, 3)),
        ("sigmoid", [(3, 0)], (3, 0)),
        ("gelu", [(0,)], (0,)),
        ("softmax", [(0, 3)], (0, 3)),
        ("softmax", [(3, 0)], (3, 0)),
        ("layer_norm", [(0, 3)], (0, 3)),
        ("layer_norm", [(3, 0)], (3, 0)),
        ("mse_loss", [(0, 3), (0, 3)], ()),
    ],
)
def test_nothing_is_an_input(op, shapes, expected, mode):
    """Arrays without elements have answers of numpy's shapes: zeros for an empty sum."""
    given = [np.ones(one, np.float32) for one in shapes]
    with computing(mode):
        told = call(op, *given)

    assert expected == np.shape(told)
    if op == "matmul":
        assert not np.any(told)
    if op == "linear":
        assert np.all(told == 1)
    if op == "mse_loss":
        assert np.isnan(told)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["int32", "bool", "float16", "complex64", "object", ">f4", "U3"])
@pytest.mark.parametrize("op", FLOATS)
def test_other_dtypes_are_refused_by_name(op, dtype, mode):
    """What is defined on float32 and float64 tells the dtype it got; torch's own errors are not."""
    given = arguments(op, dtype)
    with computing(mode), pytest.raises(TypeError, match=str(given[0].dtype)):
        call(op, *given)
    assert 0 == accel.get_stats().ffi_count


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float16", "complex128"])
def test_arithmetic_of_other_dtypes_is_numpys(dtype, mode):
    """Values and dtypes of the result are numpy's, in torch's mode too, which tells why."""
    a = np.arange(6).reshape(2, 3).astype(dtype)
    b = np.arange(6).reshape(3, 2).astype(dtype)
    with computing(mode):
        for op, expected in (("matmul", a @ b), ("add", a + a), ("mul", a * a)):
            told = call(op, a, b if op == "matmul" else a)
            np.testing.assert_array_equal(expected, told)
            assert expected.dtype == told.dtype
    told = accel.get_stats()
    assert (3, 0) == (told.pure_count, told.ffi_count)
    if mode in ("torch", "above"):
        assert {f"dtype {dtype}": 3} == dict(told.reasons)


@pytest.mark.parametrize("mode", MODES)
def test_mixed_dtypes_follow_numpy(mode):
    """float32 with float64, and with a number, have the dtypes that numpy gives."""
    narrow, wide = np.ones(3, np.float32), np.ones(3)
    with computing(mode):
        assert np.float64 == accel.add(narrow, wide).dtype
        assert np.float32 == accel.add(narrow, 2.0).dtype
        assert np.float32 == accel.mul(2, narrow).dtype
        assert np.float32 == accel.add(narrow, np.float32(1)).dtype
        assert np.float64 == accel.add(narrow, np.float64(1)).dtype
        assert np.float64 == accel.matmul(np.ones((2, 3), np.float32), wide).dtype


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("op", "given", "told"),
    [
        ("matmul", [(10, 20), (30, 40)], r"shapes \(10, 20\) and \(30, 40\)"),
        ("add", [(2, 3), (4,)], r"\(2, ?3\).*\(4,\)"),
        ("linear", [(2, 3), (4, 5)], r"weight"),
        ("layer_norm", [(2, 3), (4,)], r"weight"),
        ("mse_loss", [(2,), (3,)], r"target"),
        ("softmax", [()], "axis"),
    ],
)
def test_shapes_that_do_not_fit_are_told(op, given, told, mode):
    """A ValueError names both shapes, or the argument, in every mode; and no breaker trips."""
    for _ in range(5):
        with computing(mode), pytest.raises(accel.ShapeError, match=told):
            call(op, *(np.ones(one, np.float32) for one in given))
    assert 0 == accel.get_stats().fallback_count
    with computing(mode, strict=HAS_TORCH):
        assert_answer(op, arguments(op), call(op, *arguments(op)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("abc",), "str"),
        ((None,), "NoneType|None"),
        ((object(),), "object"),
        (({1: 2},), "dict"),
        (([[1.0, 2.0], [3.0]],), "list"),
        ((["a"],), "list"),
    ],
)
def test_what_is_no_array_is_told(given, told, mode):
    """The error names the operation or argument, and what it got."""
    with computing(mode), pytest.raises((TypeError, ValueError), match=told):
        accel.relu(*given)


@pytest.mark.skipif(not HAS_TORCH, reason="needs torch")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("op", OPS)
def test_tensors_are_computed_in_every_mode(op, mode):
    """Tensors of any strides give tensors with the answer, and their gradients."""
    import torch

    for change in (LAYOUTS["C"], LAYOUTS["Fortran"], LAYOUTS["strided"]):
        arrays = arguments(op, "float32", change)
        given = [torch.from_numpy(one) if np.ndim(one) else one for one in arrays]
        with computing(mode):
            told = call(op, *given)
            assert_answer(op, arrays, told.numpy())
            given[0].requires_grad_()
            call(op, *given).sum().backward()
        assert given[0].grad is not None
        given[0].requires_grad_(False)


@pytest.mark.parametrize("classes", [[0, 2, 1], (2,)])
def test_losses_of_lists_are_those_of_arrays(classes):
    """Numbers of float64, by the kernels; classes stay whole numbers."""
    x = np.random.default_rng(4).normal(size=(len(classes), 3))
    accel.reset_stats()
    found = accel.cross_entropy(x.tolist(), classes), accel.mse_loss(x.tolist(), (x + 1).tolist())
    assert [float, float] == [type(one) for one in found]
    expected = accel.cross_entropy(x, np.array(classes)), accel.mse_loss(x, x + 1)
    assert expected == found
    if kernels.available():
        assert 4 == accel.get_stats().native_count
