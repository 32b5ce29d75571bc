"""Calls of each operation of shimhub.accel, and what they come to, in float64 by other means."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from shimhub import accel
from shimhub.accel._fast import kernel  # noqa: F401 - tests take it from here
from shimhub.accel.model import GROUPS, OPS

ROOT = Path(__file__).parent.parent
HAS_TORCH = importlib.util.find_spec("torch") is not None
#: Who is to compute: the modes, and AUTO with all of it above the thresholds.
MODES = ("pure", "native", "torch", "auto", "above")
#: Distance to float64's answer, in parts of the largest magnitude of the answer or of 1.
TOLERANCE = {"float32": 2e-6, "float64": 1e-13}

_random = np.random.default_rng(7)
X, Y = _random.standard_normal((2, 5, 6))
WEIGHT, BIAS = _random.standard_normal((6, 3)), _random.standard_normal(3)
SCALE, SHIFT = _random.standard_normal((2, 6))
CLASSES = np.array([0, 5, 2, 2, 1])
#: Positional arguments of each operation; floats are made float32 or float64 by a test.
ARGUMENTS = {
    "matmul": (X, WEIGHT),
    "linear": (X, WEIGHT, BIAS, "tanh"),
    "add": (X, Y),
    "sub": (X, SCALE),
    "mul": (X, Y),
    "div": (X, Y),
    "relu": (X,),
    "sigmoid": (X * 9,),
    "tanh": (X,),
    "gelu": (X,),
    "softmax": (X, 0),
    "layer_norm": (X, SCALE, SHIFT),
    "mse_loss": (X, Y),
    "cross_entropy": (X, CLASSES),
}
assert set(OPS) == set(ARGUMENTS)


@np.vectorize
def _sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


@np.vectorize
def _gelu(x):
    return x / 2 * math.erfc(-x / math.sqrt(2))


def _softmax(x, axis=-1):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def _layer_norm(x, weight, bias):
    apart = x - x.mean(-1, keepdims=True)
    return apart / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * weight + bias


#: The answers, in float64.
ORACLES = {
    "matmul": lambda a, b: np.einsum("...ij,jk->...ik", a, b),
    "linear": lambda x, w, b, _: np.tanh(np.einsum("ij,jk->ik", x, w) + b),
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "relu": lambda x: np.where(x < 0, 0, x),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "gelu": _gelu,
    "softmax": _softmax,
    "layer_norm": _layer_norm,
    "mse_loss": lambda x, y: np.square(x - y).mean(),
    "cross_entropy": lambda x, y: -np.log(_softmax(x)[np.arange(len(y)), y]).mean(),
}


def arguments(op, dtype="float64", change=lambda array: array):
    """Return the arguments of a call, its arrays of floats in a dtype and changed."""
    return tuple(
        change(one.astype(dtype)) if isinstance(one, np.ndarray) and one.dtype.kind == "f" else one
        for one in ARGUMENTS[op]
    )


def call(op, *arguments):
    """Compute an operation by its name."""
    return getattr(accel, op)(*arguments)


def assert_answer(op, given, told):
    """What was told of these arguments is the answer, and of their dtype."""
    wide = [one.astype(float) if getattr(one, "ndim", 0) == 2 else one for one in given]
    expected = np.asarray(ORACLES[op](*wide))
    assert given[0].dtype == told.dtype
    assert expected.shape == np.shape(told)
    far = np.abs(np.asarray(told, float) - expected).max(initial=0.0)
    assert TOLERANCE[told.dtype.name] * max(1, np.abs(expected).max(initial=0.0)) >= far


@contextlib.contextmanager
def computing(mode, **settings):
    """Compute in a mode of MODES."""
    if mode != "above":
        with accel.using(mode, **settings):
            yield
        return
    with accel.using("auto", thresholds=dict.fromkeys(GROUPS, "always"), **settings):
        yield


def begin_anew():
    """Set mode PURE, no thresholds, no counts, no lines, no faults."""
    accel.set_acceleration("pure")
    accel.enable_logging(False)
    for name in (*GROUPS, *OPS):
        accel.set_threshold(name, None)
    accel.reset_breakers()
    accel.reset_stats()


@pytest.fixture
def anew():
    """A test begins and ends as a process begins."""
    begin_anew()
    yield
    begin_anew()


def start(code, *, check=True, **environ):
    """Run code that has this file as ``cases`` in an interpreter of its own."""
    head = "from tests import _accel_cases as cases\nfrom shimhub import accel\n"
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert not check or "" == done.stderr
    return done


@contextlib.contextmanager
def torch_function(op, function):
    """Compute an operation by another function of torch."""
    from shimhub.accel._torch_ops import FUNCTIONS

    before, FUNCTIONS[op] = FUNCTIONS[op], function
    try:
        yield
    finally:
        FUNCTIONS[op] = before
