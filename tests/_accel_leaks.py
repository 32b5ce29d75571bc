"""How much memory calls of shimhub.accel leave behind, by mode and kind of input.

``python -m tests._accel_leaks [CALLS] [KIND ...]`` prints a table, and fails where it is not flat.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from pathlib import Path

import numpy as np

from shimhub import accel
from shimhub.pure import PureTensor
from tests._accel_cases import HAS_TORCH, MODES, computing

STATUS = Path("/proc/self/status")
#: In one of `make leaks`.
MANY = int(os.environ.get("SHIMHUB_TEST_CALLS", "20000"))
X = np.random.default_rng(5).standard_normal((4, 4)).astype(np.float32)
CLASSES = np.array([0, 3, 1, 1])


def refused():
    """Call with shapes that do not fit."""
    with contextlib.suppress(ValueError):
        accel.add(np.ones(2), np.ones(3))
        raise AssertionError("not refused")


def of_arrays():
    """Return calls by our kernels and by numpy, mistakes, explanations and settings."""
    return [
        lambda: accel.matmul(X, X),
        lambda: accel.linear(X, X, X[0], "tanh"),
        lambda: accel.linear(X, X, transposed=True),
        lambda: accel.add(X, X[0]),
        lambda: accel.softmax(X),
        lambda: accel.softmax(X, axis=0),
        lambda: accel.layer_norm(X, X[0], X[0]),
        lambda: accel.mse_loss(X, X),
        lambda: accel.cross_entropy(X, CLASSES),
        lambda: accel.add(np.arange(3), 1),
        lambda: accel.relu(X.T),
        refused,
    ]


def of_lists():
    """Return calls on lists of floats and of whole numbers, and on what is none."""
    rows, row = X.tolist(), X[0].tolist()

    def ragged():
        with contextlib.suppress(ValueError, TypeError):
            accel.matmul([[1.0], [1.0, 2.0]], [[1.0]])

    return [
        lambda: accel.matmul(rows, rows),
        lambda: accel.matmul([[1, 2]], [[3], [4]]),
        lambda: accel.add(rows, row),
        lambda: accel.relu(row),
        lambda: accel.linear(rows, rows, row, "gelu"),
        lambda: accel.softmax(rows),
        lambda: accel.mse_loss(row, row),
        lambda: accel.cross_entropy(rows, [0, 1, 2, 3]),
        ragged,
    ]


def of_tensors():
    """Return calls on torch's tensors, with and without gradients, and beside arrays."""
    import torch

    x = torch.from_numpy(X)
    w = torch.ones(4, 4, requires_grad=True)
    return [
        lambda: accel.matmul(x, x),
        lambda: accel.matmul(x, w),
        lambda: accel.matmul(X, x),
        lambda: accel.linear(x, w, x[0], "relu"),
        lambda: accel.softmax(x),
        lambda: accel.layer_norm(x, x[0]),
        lambda: accel.mse_loss(x, x),
        lambda: accel.relu(x),
    ]


def of_pure():
    """Return calls on PureTensors, and gradients through them."""
    x, w = PureTensor(X), PureTensor(X, requires_grad=True)

    def backward():
        w.grad = None
        accel.mse_loss(accel.relu(accel.matmul(x, w)), x).backward()

    return [
        lambda: accel.matmul(x, x),
        lambda: accel.add(x, x),
        lambda: accel.relu(w),
        lambda: accel.softmax(x),
        lambda: accel.linear(x, w),
        backward,
    ]


KINDS = {"array": of_arrays, "list": of_lists, "tensor": of_tensors, "PureTensor": of_pure}


def resident():
    """Return the memory of this process in use, in KiB."""
    gc.collect()
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines["VmRSS"].split()[0])


def grown(mode, kind, times):
    """Return the KiB by which memory grows in so many calls, after a tenth as many."""
    calls = KINDS[kind]()

    def run(count):
        with computing(mode):
            for at in range(count):
                calls[at % len(calls)]()

    run(max(times // 10, 2000))
    before = resident()
    run(times)
    return resident() - before


def allowed(times):
    """Return the KiB that so many calls may leave: no object of any call, and 128 pages."""
    return times * 4 // 1024 + 512


def main(times=MANY, *kinds):
    """Print a table; return whether memory stayed as it was everywhere."""
    worst = 0
    for kind in kinds or KINDS:
        for mode in MODES:
            if HAS_TORCH or kind != "tensor":
                began = time.perf_counter()
                more = grown(mode, kind, int(times))
                took = time.perf_counter() - began
                worst = max(worst, more - allowed(int(times)))
                told = f"{kind:11}{mode:7}{times:>9} calls {took:7.1f} s {more:+6} KiB\n"
                sys.stdout.write(told)
                sys.stdout.flush()
    return worst > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
