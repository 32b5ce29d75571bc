"""What shimhub.accel tells of a call: who computes it, whose mistake it is, in which words."""

from __future__ import annotations

import io
import itertools
import math
import sys

import numpy as np
import pytest

from shimhub import accel
from shimhub.accel import ops, torch_ffi
from shimhub.pure import PureTensor
from tests._accel_cases import HAS_TORCH, MODES, anew, computing

pytestmark = pytest.mark.usefixtures(anew.__name__)
X = np.ones((3, 4), np.float32)
ROW = np.ones(8, np.float32)[::2]
P, Q = PureTensor(X), PureTensor(X, dtype="float64")

#: Calls of which C or PureTensor takes other inputs than it was given, or none of them.
CALLS = [
    ("layer_norm", (X,), {"eps": 1}),
    ("layer_norm", (X,), {"eps": 0}),
    ("layer_norm", (X,), {"eps": 1.0}),
    ("layer_norm", (X, ROW), {}),
    ("layer_norm", (X, None, ROW), {}),
    ("layer_norm", (P, [1.0, 2.0, 3.0, 4.0]), {}),
    *(
        ("add", given, {})
        for tensor, other in itertools.product(
            (P, Q), (X, X.astype(np.float64), [1, 2, 3, 4], np.float64(2), 2)
        )
        for given in ((tensor, other), (other, tensor))
    ),
    ("matmul", (P, np.ones((4, 3))), {}),
    ("linear", (P, np.ones((4, 2)), [1, 2]), {}),
    ("mse_loss", (P, np.ones((3, 4))), {}),
    ("cross_entropy", (P, [0, 1, 2]), {}),
    ("cross_entropy", (P, np.full((3, 4), 0.25)), {}),
]


@pytest.mark.parametrize("mode", ["pure", "native", "torch"])
@pytest.mark.parametrize(("op", "given", "options"), CALLS)
def test_explain_names_who_is_counted(op, given, options, mode):
    """Parameters that our kernel does not take, and PureTensor beside other dtypes."""
    with accel.using(mode):
        told = accel.explain(op, *given, **options).backend
        getattr(accel, op)(*given, **options)
    counts = accel.get_stats().per_op[op]
    assert (told == "native", told == "torch") == (counts.native == 1, counts.ffi == 1)


@pytest.mark.parametrize("functions", [accel, ops])
@pytest.mark.parametrize("mode", MODES)
def test_what_torch_takes_otherwise_opens_no_breaker(mode, functions):
    """No classes are NaN, and a number beyond int64 is numpy's; torch is asked for the next."""
    with computing(mode):
        for _ in range(4):
            assert math.isnan(functions.cross_entropy(np.zeros((3, 0)), np.zeros(3, int)))
            assert [2.0**70, 2.0**70] == functions.add(np.zeros(2), 2**70).tolist()
        functions.add(np.ones((3, 3)), np.ones((3, 3)))
    assert not [one for one in accel.get_stats().reasons if "raised" in one or "alone" in one]
    in_torch = HAS_TORCH and mode in {"torch", "above"}
    assert int(in_torch) == accel.get_stats().per_op["add"].ffi


def test_lists_beside_tensors_are_told_by_the_operations_name():
    """A list is float64: torch multiplies it with no float32; bfloat16 is no array."""
    torch = pytest.importorskip("torch")
    weight = torch.ones(5, 2, requires_grad=True)
    for refused in (
        lambda: accel.matmul([[1.0] * 5], weight),
        lambda: accel.layer_norm(torch.ones(2), [1.0, 2.0]),
    ):
        with pytest.raises(TypeError, match=r"^(matmul|layer_norm): a list is float64 beside"):
            refused()
    with pytest.raises(TypeError, match=r"^add: torch\.bfloat16 is no dtype of numpy's"):
        accel.add([1.0], torch.ones(1, dtype=torch.bfloat16))
    with pytest.raises(RuntimeError, match="dtype"):  # tensors alone: torch's own words
        accel.matmul(torch.ones(1, 5, dtype=torch.float64), weight)


def test_torch_by_name_computes_under_autocast():
    """Arrays and PureTensors keep their dtype; torch's own tensors have autocast's."""
    torch = pytest.importorskip("torch")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        product = torch_ffi.matmul_torch_ffi(X, X.T)
        tensor = torch_ffi.matmul_torch_ffi(P, PureTensor(X.T))
        assert torch.bfloat16 == torch_ffi.matmul_torch_ffi(torch.ones(2, 2), torch.eye(2)).dtype
    assert (np.float32, 4.0) == (product.dtype, product[0, 0])
    assert product.tolist() == tensor.data.tolist()


def test_thresholds_are_any_real_numbers():
    """Integers of numpy's, and ints that no float holds; other values and names are told."""
    accel.set_threshold("matmul", np.int64(3))
    assert 3.0 == accel.get_threshold("matmul")
    accel.set_threshold("matmul", 10**400)
    assert math.inf == accel.get_threshold("matmul")
    for name, value in (
        ("matmul", -(10**400)),
        ("matmul", math.nan),
        ("matmul", np.bool_(True)),
        ("matmul", 1j),
        ([1], 3),
        ({}, None),
    ):
        with pytest.raises(accel.ThresholdError, match="threshold"):
            accel.set_threshold(name, value)


def test_a_line_of_numbers_names_their_shape(capsys):
    """Numbers that are none of numpy's have no shape of their own."""
    accel.enable_logging()
    try:
        accel.add(1, 2)
    finally:
        accel.enable_logging(False)
    assert "[ACCEL] add scalar \u2192 Pure Simple\n" == capsys.readouterr().err


def test_a_closed_stderr_is_not_the_calls_mistake(monkeypatch):
    """The line is lost, the answer is not."""
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    accel.enable_logging()
    try:
        assert [2.0, 2.0] == accel.add(np.ones(2), 1.0).tolist()
    finally:
        accel.enable_logging(False)


def test_bools_and_losses_of_nothing_count_against_nobody():
    """What numpy answers and torch refuses is numpy's, whatever the mode: no breaker opens."""
    pytest.importorskip("torch")
    x = np.ones(3, np.float32)
    accel.reset_breakers()
    with accel.using("torch"):
        for _ in range(4):
            np.testing.assert_array_equal([0, 0, 0], accel.sub(x, True))
            accel.cross_entropy(np.zeros((0, 3), "f4"), np.zeros(0, "f4"))
        accel.reset_stats()
        accel.sub(x, x)
        accel.cross_entropy(np.ones((2, 3), "f4"), np.array([0, 1]))
    assert (2, 0) == (accel.get_stats().ffi_count, accel.get_stats().fallback_count)


def test_a_torch_that_cannot_be_imported_has_no_cuda(monkeypatch):
    """The question has an answer: no."""
    monkeypatch.setattr(torch_ffi, "torch_available", lambda: True)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert accel.torch_cuda_available() is False


@pytest.mark.parametrize("mode", ["torch", "auto", "native"])
def test_a_number_where_a_tensor_belongs_is_told(mode):
    """Its shape is none; one class may be a number."""
    torch = pytest.importorskip("torch")
    x = torch.ones(3)
    with accel.using(mode):
        for call in (
            lambda: accel.mse_loss(x, 0.5),
            lambda: accel.mse_loss(0.5, x),
            lambda: accel.linear(torch.ones(2, 3), 2.0),
            lambda: accel.linear(torch.ones(2, 3), torch.ones(3, 4), 0.0),
            lambda: accel.layer_norm(2.0, x),
        ):
            with pytest.raises(ValueError, match=r"\(\)|no dimension"):
                call()
        assert pytest.approx(math.log(3)) == float(accel.cross_entropy(x, 1))
