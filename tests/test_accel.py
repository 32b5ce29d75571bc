"""Modes, thresholds, counts and lines of shimhub.accel, and that torch comes only when asked."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from shimhub import accel, kernels
from shimhub.accel import AccelMode, crossovers
from shimhub.accel.model import GROUPS, OPS

ROOT = Path(__file__).parent.parent
A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture(autouse=True)
def _as_at_the_start():
    """Every test begins and ends with mode PURE, no thresholds, no counts."""
    accel.set_acceleration(AccelMode.PURE)
    accel.reset_stats()
    yield
    accel.set_acceleration(AccelMode.PURE)
    accel.enable_logging(False)
    for name in (*GROUPS, *OPS):
        accel.set_threshold(name, None)
    accel.reset_breakers()
    accel.reset_stats()


def python(code, **environ):
    """Run code in an interpreter of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "" == done.stderr
    return done.stdout.strip()


# ---- modes


def test_the_mode_is_pure_until_it_is_set():
    """PURE is the default, and what is set is what is told."""
    assert "AccelMode.PURE" == python("from shimhub import accel; print(accel.get_current_mode())")

    accel.set_acceleration("auto")
    assert AccelMode.AUTO is accel.get_current_mode()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("PureSimple", AccelMode.PURE),
        ("PyTorchFFI", AccelMode.TORCH),
        ("Auto", AccelMode.AUTO),
        ("native", AccelMode.NATIVE),
        ("TORCH", AccelMode.TORCH),
    ],
)
def test_modes_have_the_guides_names(name, mode):
    """Names of the guide are members, and any case of a name is taken."""
    accel.set_acceleration(name)
    assert mode is accel.get_current_mode()


@pytest.mark.parametrize("mode", ["purre", 3, None])
def test_an_unknown_mode_is_told(mode):
    """The error names what was given, and what there is."""
    with pytest.raises(accel.ModeError, match=f"mode: {mode!r} is none of PURE, NATIVE"):
        accel.set_acceleration(mode)
    assert AccelMode.PURE is accel.get_current_mode()


def test_a_with_statement_ends():
    """Inside of using other settings hold, and set_acceleration too; outside those of before."""
    with accel.using("torch", strict=True), accel.using(strict=False):
        assert AccelMode.TORCH is accel.get_current_mode()
        accel.set_acceleration("native")
        assert AccelMode.NATIVE is accel.get_current_mode()
    assert AccelMode.PURE is accel.get_current_mode()
    assert AccelMode.PURE is in_a_thread(accel.get_current_mode)


def in_a_thread(function):
    """Return what the function gives in a new thread."""
    told = []
    thread = threading.Thread(target=lambda: told.append(function()))
    thread.start()
    thread.join()
    return told[0]


def test_a_thread_begins_with_the_modes_of_the_process():
    """The main thread sets the mode of threads that set none; another thread only its own."""
    accel.set_acceleration("auto")
    assert AccelMode.AUTO is in_a_thread(accel.get_current_mode)

    in_a_thread(lambda: accel.set_acceleration("torch"))
    assert AccelMode.AUTO is in_a_thread(accel.get_current_mode)
    assert AccelMode.AUTO is accel.get_current_mode()


@pytest.mark.skipif(not kernels.available(), reason="there is no native library")
def test_a_thread_computes_in_the_mode_of_the_process():
    """Where it set none: whole numbers have no kernel, of which mode NATIVE tells."""
    whole = np.arange(3)
    for mode, reasons in (("native", {"no kernel": 1}), ("pure", {})):
        accel.set_acceleration(mode)
        accel.reset_stats()
        in_a_thread(lambda: accel.add(whole, whole))
        assert reasons == dict(accel.get_stats().reasons)


def test_tasks_have_their_own_modes():
    """A with-statement in one task is not seen in another."""

    async def told(mode):
        with accel.using(mode):
            await asyncio.sleep(0.01)
            return accel.get_current_mode()

    async def both():
        return await asyncio.gather(told("torch"), told("native"))

    assert [AccelMode.TORCH, AccelMode.NATIVE] == asyncio.run(both())


# ---- thresholds


def test_a_set_threshold_overrides_what_was_measured():
    """get_threshold and explain tell the size and who says so; None takes it back."""
    accel.set_threshold("matmul", 500_000)

    assert 500_000 == accel.get_threshold("matmul")
    assert "set_threshold" == accel.get_threshold("matmul").source
    assert "500000" == f"{accel.get_threshold('matmul')}"
    with accel.using("auto"):
        told = accel.explain("matmul", A, B)
    assert (24.0, 500_000.0, "set_threshold") == (told.work, told.threshold, told.source)

    accel.set_threshold("matmul", None)
    assert crossovers.source("matmul", "ndarray", "float32") == accel.get_threshold("matmul").source


def test_an_operations_threshold_goes_before_its_groups():
    """The nearest word wins: using, then what was set; the operation, then its group."""
    accel.set_threshold("elementwise", 100)
    accel.set_threshold("add", 7)
    with accel.using(thresholds={"mul": "never"}):
        told = {name: float(accel.get_threshold(name)) for name in ("add", "sub", "mul")}

    assert {"add": 7.0, "sub": 100.0, "mul": math.inf} == told


@pytest.mark.parametrize(("word", "size"), [("never", math.inf), ("always", 0.0), (0, 0.0)])
def test_never_and_always_are_sizes(word, size):
    """The words stand for sizes, and "never" is told as such."""
    accel.set_threshold("relu", word)
    assert size == accel.get_threshold("relu")
    assert ("never" if size else "0") == str(accel.get_threshold("relu"))


@pytest.mark.parametrize(
    ("name", "size", "told"),
    [
        ("matmull", 1, r"'matmull' is no operation.*did you mean 'matmul'\?"),
        ("matmul", -1, "threshold of matmul: -1 is no number >= 0"),
        ("matmul", math.nan, "threshold of matmul: nan"),
        ("matmul", "big", "'never' or 'always'"),
        ("matmul", True, "True is no number"),
    ],
)
def test_a_wrong_threshold_is_told(name, size, told):
    """The error names the operation, the value and what would do; nothing is set."""
    with pytest.raises(accel.ThresholdError, match=told):
        accel.set_threshold(name, size)
    with pytest.raises(accel.ThresholdError, match=told), accel.using(thresholds={name: size}):
        pass
    assert "set_threshold" != accel.get_threshold("matmul").source


def test_thresholds_are_pickled():
    """A threshold is a number with a source, in another process too."""
    accel.set_threshold("matmul", 9)
    copy = pickle.loads(pickle.dumps(accel.get_threshold("matmul")))
    assert (9.0, "set_threshold") == (copy, copy.source)


@pytest.mark.parametrize(
    ("op", "arguments", "work"),
    [
        ("matmul", (A, B), 24.0),
        ("matmul", (A[0], B), 12.0),
        ("matmul", (A, B[:, 0]), 6.0),
        ("matmul", (A[0], B[:, 0]), 3.0),
        ("matmul", (np.zeros((5, 1, 2, 3)), np.zeros((7, 3, 4))), 5 * 7 * 2 * 3 * 4.0),
        ("matmul", ([[1.0, 2.0]], [[1.0], [2.0]]), 2.0),
        ("linear", (A, B), 24.0),
        ("add", (A, 1.0), 6.0),
        ("softmax", (A,), 6.0),
        ("mse_loss", (A, A), 6.0),
        ("relu", (np.zeros((0, 3), np.float32),), 0.0),
    ],
)
def test_the_unit_of_work_is_the_documented_one(op, arguments, work):
    """Multiplications of a product, elements of the largest input of all others."""
    assert work == accel.explain(op, *arguments).work


# ---- counts


def test_counts_sum_to_calls():
    """Native calls are in pure; pure and ffi are all calls; per_op sums to the totals."""
    for _ in range(3):
        accel.matmul(A, B)
    accel.softmax(A)
    accel.mse_loss(A, A)
    told = accel.get_stats()

    assert (5, 0, 0) == (told.pure_count, told.ffi_count, told.fallback_count)
    assert 3 == told.per_op["matmul"].pure
    assert {"matmul", "softmax", "mse_loss"} == set(told.per_op)
    assert kernels.available() == told.per_op["mse_loss"].native
    accel.reset_stats()
    assert accel.Stats() == accel.get_stats()


def test_threads_count_together():
    """What eight threads count is all there when it is read, those that have ended too."""
    threads = [
        threading.Thread(target=lambda: [accel.add(A, A) for _ in range(500)]) for _ in range(8)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    del threads

    assert 4000 == accel.get_stats().pure_count
    accel.add(A, A)
    assert 4001 == accel.get_stats().pure_count


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_counts_from_zero():
    """What the parent counted is not the child's."""
    code = """
import os, numpy as np
from shimhub import accel
x = np.ones(3)
accel.relu(x)
child = os.fork()
if child == 0:
    accel.relu(x); accel.relu(x)
    os._exit(accel.get_stats().pure_count)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), accel.get_stats().pure_count)
"""
    assert "2 1" == python(code)


# ---- lines


def test_each_decision_is_a_line(capsys):
    """The guide's form, on stderr, until it is switched off."""
    accel.enable_logging(True)
    accel.matmul(A, B)
    accel.matmul(A @ B, np.ones((4, 2)))
    accel.relu(np.ones((2, 2)))
    accel.enable_logging(False)
    accel.relu(np.ones((2, 2)))

    lines = capsys.readouterr().err.splitlines()
    assert [
        "[ACCEL] matmul 2\u00d73, 3\u00d74 \u2192 Pure Simple",
        "[ACCEL] matmul 2\u00d74, 4\u00d72 \u2192 Pure Simple",
        "[ACCEL] relu 2\u00d72 \u2192 Pure Simple",
    ] == lines
    assert logging.NOTSET == logging.getLogger("shimhub.accel").level


# ---- torch comes when it is asked for


def test_importing_and_computing_bring_no_torch():
    """Neither the import nor arrays and lists in any mode but TORCH import torch."""
    code = """
import sys, numpy as np
from shimhub import accel
x = np.ones((4, 4))
for mode in ("pure", "native", "auto"):
    with accel.using(mode):
        accel.matmul(x, x); accel.relu([1.0]); accel.explain("matmul", x, x)
accel.torch_available(), accel.torch_version(), accel.get_threshold("matmul")
print("torch" in sys.modules)
"""
    assert "False" == python(code)


def test_without_torch_its_mode_answers_and_counts_why():
    """Mode TORCH without torch is numpy's answer, counted; strict raises, with the cure."""
    code = """
import sys, numpy as np
sys.modules["torch"] = None
from shimhub import accel
x = np.ones((2, 2))
accel.set_acceleration("torch")
assert (accel.matmul(x, x) == x @ x).all()
told = accel.get_stats()
print(accel.torch_available(), told.pure_count, told.ffi_count, dict(told.reasons))
accel.set_acceleration("auto")
accel.set_threshold("matmul", 0)
accel.matmul(x, x)
print(accel.get_stats().fallback_count)
with accel.using("torch", strict=True):
    try:
        accel.matmul(x, x)
    except accel.TorchMissingError as error:
        print(error)
try:
    accel.matmul_torch_ffi(x, x)
except accel.TorchMissingError as error:
    print(error)
"""
    lines = python(code).splitlines()
    assert ["False 1 0 {'torch is not installed': 1}", "2"] == lines[:2]
    assert all("pip install torch" in line for line in lines[2:])
    assert 4 == len(lines)


def test_an_operation_that_does_not_exist_is_told():
    """The error names the nearest one."""
    with pytest.raises(ValueError, match="did you mean 'softmax'"):
        accel.explain("softmaxx", A)
