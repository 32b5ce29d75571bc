"""Losses: native against the reference in float64, and both against torch where it is."""

from __future__ import annotations

import importlib.util
import math
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels import _loading, linalg
from shimhub.kernels._reference import linalg as reference
from tests._kernel_lanes import each_lane

DTYPES = (np.float32, np.float64)
LOSSES = ("mse_loss", "cross_entropy")
both = pytest.mark.parametrize("functions", [kernels, reference], ids=["kernels", "reference"])
dtypes = pytest.mark.parametrize("dtype", DTYPES)
needs_native = pytest.mark.skipif(not kernels.available(), reason="there is no native library")
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")


def natively(name, *args):
    """Return a loss, and whether C computed it."""
    native = _loading.native()
    if native is None:
        return getattr(reference, name)(*args), True
    return native.accel_kernel(name, False, *args)


def numbers(seed, *shape, dtype=np.float64):
    """Return an array of normally distributed numbers."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def classes(seed, rows, columns, dtype=np.int64):
    """Return a class for each row."""
    return np.random.default_rng(seed).integers(0, columns, rows).astype(dtype)


def assert_near(expected, found, dtype, eps, most=0.0):
    """A number of that dtype, within so many eps of the expected and of ``most``."""
    assert type(found) is dtype
    assert abs(float(expected) - float(found)) <= eps * np.finfo(dtype).eps * (
        abs(float(expected)) + most
    )


def logs_of(x):
    """Return the logarithms of softmax, in float64."""
    apart = x.astype(np.float64) - x.max(axis=-1, keepdims=True)
    return apart - np.log(np.exp(apart).sum(axis=-1, keepdims=True))


@settings(deadline=None)
@given(
    st.sampled_from([(), (1,), (7,), (3, 5), (2, 3, 40), (70, 33), (1025,), (4096 * 3 + 1,)]),
    st.integers(0, 99),
    st.sampled_from(DTYPES),
    st.sampled_from([1e-3, 1.0, 1e6]),
)
def test_mse_loss_is_within_its_bound(shape, seed, dtype, scale):
    """Within 32 eps of the mean in float64, for any shape; and no reference computed it."""
    x, target = (numbers(seed + i, *shape, dtype=dtype) * dtype(scale) for i in range(2))
    x, target = np.asarray(x, dtype), np.asarray(target, dtype)
    expected = np.square(x.astype(np.float64) - target).mean()

    found, native = natively("mse_loss", x, target)

    assert native
    # Differences in float32 are rounded before they are squared.
    assert_near(expected, found, dtype, 32)


@settings(deadline=None)
@given(
    st.integers(1, 40),
    st.sampled_from([1, 2, 7, 10, 16, 17, 33, 100, 1023, 3000]),
    st.integers(0, 99),
    st.sampled_from(DTYPES),
    st.sampled_from([1.0, 30.0]),
    st.sampled_from([np.int32, np.int64]),
)
def test_cross_entropy_is_within_its_bound(rows, columns, seed, dtype, scale, integer):
    """Within 64 eps of what float64 gives, of classes, of weights, of a row without a dimension."""
    x = np.asarray(numbers(seed, rows, columns, dtype=dtype) * dtype(scale), dtype)
    at = classes(seed, rows, columns, integer)
    weights = np.abs(numbers(seed + 1, rows, columns, dtype=dtype))
    logs = logs_of(x)
    most = 1 + float(np.abs(logs).max())
    hard, soft = -logs[np.arange(rows), at], -(logs * weights).sum(axis=-1)

    for expected, args, more in (
        (hard.mean(), (x, at), most),
        (soft.mean(), (x, weights), most * float(weights.sum(axis=-1).max())),
        (hard[0], (x[0], np.array(at[0])), most),
        (soft[0], (x[0], weights[0]), most * float(weights[0].sum())),
    ):
        found, native = natively("cross_entropy", *args)
        assert native
        assert_near(expected, found, dtype, 64, more)


@pytest.mark.usefixtures(each_lane.__name__)
@dtypes
def test_losses_on_each_lane(dtype):
    """Every lane holds the bounds, at sizes around those of vectors and blocks."""
    for n in (1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 255, 257, 1023, 1024, 1025, 2100):
        x, y = numbers(n, 3, n, dtype=dtype), numbers(n + 1, 3, n, dtype=dtype)
        at, logs = classes(n, 3, n), logs_of(x)
        most = 1 + float(np.abs(logs).max())
        assert_near(np.square(x.astype(float) - y).mean(), kernels.mse_loss(x, y), dtype, 32)
        expected = -logs[np.arange(3), at].mean()
        assert_near(expected, kernels.cross_entropy(x, at), dtype, 64, most)
        expected, total = -(logs * y).sum() / 3, float(np.abs(y).sum(axis=-1).max())
        assert_near(expected, kernels.cross_entropy(x, y), dtype, 64, most * total)


@needs_torch
@dtypes
def test_losses_are_those_of_torch(dtype):
    """The same numbers as torch.nn.functional's, of classes and of probabilities."""
    import torch
    from torch.nn import functional

    x, y = numbers(1, 50, 20, dtype=dtype), kernels.softmax(numbers(2, 50, 20, dtype=dtype))
    at = classes(3, 50, 20)
    tensors = [torch.from_numpy(one) for one in (x, y, at)]

    for expected, found in (
        (functional.mse_loss(tensors[0], tensors[1]), kernels.mse_loss(x, y)),
        (functional.cross_entropy(tensors[0], tensors[2]), kernels.cross_entropy(x, at)),
        (functional.cross_entropy(tensors[0], tensors[1]), kernels.cross_entropy(x, y)),
    ):
        assert_near(expected.item(), found, dtype, 128, 1.0)


ODD = (np.nan, np.inf, -np.inf, 1e36, -1e36, 1e-40, 0.0)


@pytest.mark.usefixtures(each_lane.__name__)
@dtypes
@pytest.mark.parametrize("odd", ODD)
def test_odd_numbers_give_what_numpy_gives(odd, dtype):
    """NaN and infinity are where they are in the reference, and nothing warns."""
    for place in (0, 5, 16, 20):
        x, y = numbers(1, 2, 21, dtype=dtype), numbers(2, 2, 21, dtype=dtype)
        x[1, place] = odd
        if odd == -np.inf:
            x[0] = odd
        for weights in (y, np.zeros_like(y), np.array([place, place]), np.array([1, 1])):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                expected = reference.cross_entropy(x, weights)
                found = kernels.cross_entropy(x, weights)
            np.testing.assert_allclose(expected, found, rtol=1e-5, atol=1e-5)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_allclose(reference.mse_loss(x, y), kernels.mse_loss(x, y), rtol=1e-5)


@both
@dtypes
def test_losses_of_nothing_are_nan(functions, dtype):
    """No elements: NaN of the dtype, at once even for very many rows of no classes."""
    for shape in ((0, 3), (3, 0), (0, 0)):
        x = np.zeros(shape, dtype)
        for found in (
            functions.mse_loss(x, x),
            functions.cross_entropy(x, x),
            functions.cross_entropy(x, np.zeros(shape[0], np.int64)),
        ):
            assert type(found) is dtype
            assert math.isnan(found)
    rows = np.lib.stride_tricks.as_strided(np.zeros(1, np.int64), (1 << 50,), (0,))
    assert math.isnan(functions.cross_entropy(np.zeros((1 << 50, 0), dtype), rows))


class _Array(np.ndarray):
    pass


@both
@dtypes
def test_what_the_kernel_does_not_take_is_computed_all_the_same(functions, dtype):
    """Views, other integers and byte orders, other dtypes of the target: the reference's answer."""
    x, y = numbers(1, 12, 10, dtype=dtype), numbers(2, 12, 10, dtype=dtype)
    at = classes(3, 12, 10)
    squares, entropy = functions.mse_loss(x, y), functions.cross_entropy(x, at)
    wide = np.zeros((12, 20), dtype)[:, ::2]
    wide[...] = x
    far = np.zeros(24, np.int64)[::2]
    far[...] = at
    shifted = np.zeros(12 * 8 + 1, np.uint8)[1:].view(np.int64)
    shifted[...] = at
    for like in (wide, np.asfortranarray(x), x.view(_Array)):
        np.testing.assert_allclose(squares, functions.mse_loss(like, y), rtol=1e-5)
        np.testing.assert_allclose(entropy, functions.cross_entropy(like, at), rtol=1e-5)
    for like in (
        *(at.astype(one) for one in ("i1", "u1", "u4", "u8", ">i8", ">i4", "i2", "q", "i4")),
        *(far, shifted, at[::-1][::-1], at.view(_Array)),
    ):
        np.testing.assert_allclose(entropy, functions.cross_entropy(x, like), rtol=1e-5)
    other = np.float64 if dtype is np.float32 else np.float32
    np.testing.assert_allclose(squares, functions.mse_loss(x, y.astype(other)), rtol=1e-5)
    np.testing.assert_allclose(
        functions.cross_entropy(x, y), functions.cross_entropy(x, y.astype(other)), rtol=1e-5
    )
    assert functions.cross_entropy(x[0], at[0]) == functions.cross_entropy(x[0], np.array(at[0]))


@both
def test_wrong_arguments_are_named(functions):
    """Kinds, dtypes, shapes and classes out of range are told, at any row."""
    x, at = numbers(1, 6, 4), classes(2, 6, 4)
    for bad in (-1, 4, 1 << 40, -(1 << 63)):
        for row in (0, 5):
            wrong = at.copy()
            wrong[row] = bad
            with pytest.raises(ValueError, match=r"target: has classes that are not in 0\.\.3"):
                functions.cross_entropy(x, wrong)
    for call, error, match in (
        (lambda: functions.mse_loss(x, x[0]), ValueError, r"target: shape \(4,\) is not \(6, 4\)"),
        (lambda: functions.mse_loss(x, x.tolist()), TypeError, "target: list"),
        (lambda: functions.mse_loss(x.tolist(), x), TypeError, "x: list"),
        (lambda: functions.mse_loss(x.astype("i4"), x), TypeError, "x: dtype int32"),
        (lambda: functions.mse_loss(x), TypeError, "target"),
        (lambda: functions.mse_loss(x, x, x), TypeError, "argument"),
        (lambda: functions.mse_loss(x, target=x), TypeError, "target"),
        (lambda: functions.cross_entropy(x, at[:3]), ValueError, r"target: shape \(3,\)"),
        (lambda: functions.cross_entropy(x[None], at), ValueError, r"x: shape \(1, 6, 4\)"),
        (lambda: functions.cross_entropy(np.array(1.0), at), ValueError, r"x: shape \(\)"),
        (lambda: functions.cross_entropy(x, at > 1), TypeError, "target: dtype bool"),
        (lambda: functions.cross_entropy(x, at * 1.0), TypeError, "target: dtype float64"),
        (lambda: functions.cross_entropy(x, x.astype(int)), TypeError, r"of shape \(6, 4\)"),
        (lambda: functions.cross_entropy(x, 1), TypeError, "target: int"),
        (lambda: functions.cross_entropy(x.astype("f2"), at), TypeError, "x: dtype float16"),
        (lambda: functions.cross_entropy(None, at), TypeError, "x: NoneType"),
    ):
        with pytest.raises(error, match=match):
            call()


@needs_native
def test_classes_are_read_alike_by_heads_and_as_buffers():
    """Without trust in heads the buffer protocol gives the same answers, also of odd arrays."""
    native = _loading.native()
    x, at = numbers(1, 6, 4), classes(2, 6, 4)
    targets = [at.astype(one) for one in ("i4", "i8", "q", ">i8", "u8", "i2")]
    targets += [np.repeat(at, 2)[::2], np.zeros(49, "u1")[1:].view("i8")]
    expected = [kernels.cross_entropy(x, one) for one in targets]
    try:
        assert native.linalg_setup(np, reference, []) is False
        assert expected == [kernels.cross_entropy(x, one) for one in targets]
        for wrong in (np.array([""] * 6), np.array([None] * 6), np.zeros(6, "M8[s]")):
            with pytest.raises(TypeError, match="target: dtype"):
                kernels.cross_entropy(x, wrong)
    finally:
        linalg._set_up(native)


def test_without_the_library_the_losses_are_the_references():
    """With SHIMHUB_NATIVE=0 numpy computes them."""
    code = (
        "import numpy as np; from shimhub import kernels as k;"
        "from shimhub.kernels._reference import losses as r;"
        f"print(all(getattr(k, n) is getattr(r, n) for n in {LOSSES!r}),"
        "k.mse_loss(np.ones(2), np.zeros(2)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "SHIMHUB_NATIVE": "0"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.split() == ["True", "1.0"]
