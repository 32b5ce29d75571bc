"""shimhub.accel in threads, in forked children, at the end of the interpreter, and many times."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from shimhub import accel
from shimhub.accel.model import OPS
from tests import _accel_leaks
from tests._accel_cases import (
    HAS_TORCH,
    MODES,
    anew,
    arguments,
    assert_answer,
    call,
    computing,
    kernel,
    start,
)

pytestmark = pytest.mark.usefixtures(anew.__name__)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")


def together(functions):
    """Run each function in a thread of its own; raise what one of them raised."""
    wrong = []

    def run(function):
        try:
            function()
        except Exception as error:  # noqa: BLE001 - raised below
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in functions]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if wrong:
        raise wrong[0]


def compute_all(times):
    """Compute all operations so often, and check their answers."""
    for _ in range(times):
        for op in OPS:
            given = arguments(op, "float32")
            assert_answer(op, given, call(op, *given))


def test_eight_threads_in_modes_of_their_own():
    """Each thread has its mode, each answer is right, and the counts are all calls."""

    def in_mode(mode):
        def run():
            with computing(mode):
                compute_all(10)

        return run

    together([in_mode(mode) for mode in (*MODES, *MODES[:3])])

    told = accel.get_stats()
    assert 8 * 10 * len(OPS) == told.pure_count + told.ffi_count
    by_torch = 3 * 10 * len(OPS)  # torch twice, above
    missing = told.reasons.get("torch is not installed", 0)
    assert (by_torch, 0)[:: 1 if HAS_TORCH else -1] == (told.ffi_count, missing)
    assert all(80 == one.pure + one.ffi for one in told.per_op.values())


def test_a_breaker_that_trips_in_eight_threads():
    """A kernel that fails everywhere at once: all answers are the reference's."""

    def broken(*arguments):
        raise RuntimeError(arguments)

    def run():
        for _ in range(50):
            np.testing.assert_array_equal([2.0], accel.add(np.ones(1), np.ones(1)))

    with kernel("add", broken):
        together([run] * 8)

    told = accel.get_stats()
    assert (400, 0) == (told.pure_count, told.ffi_count)
    assert 400 == told.fallback_count


def test_torch_is_imported_by_another_thread_meanwhile():
    """A call that comes while torch is half imported is answered."""
    done = start("""
        import sys, threading, types
        half = types.ModuleType("torch")
        half.__spec__ = __import__("importlib.machinery").machinery.ModuleSpec("torch", None)
        sys.modules["torch"] = half
        with accel.using("auto", thresholds={"add": "always"}):
            print(accel.add([1], [2]))
    """)
    assert "[3.0]" == done.stdout.strip()


def test_resetting_while_threads_count():
    """Counts that are read and reset meanwhile are never negative, nor more than the calls."""
    over = threading.Event()

    def count():
        compute_all(10)

    def read():
        while not over.wait(0.001):
            told = accel.get_stats()
            assert 0 <= told.native_count <= told.pure_count <= 4 * 10 * len(OPS)
            accel.reset_stats()

    reader = threading.Thread(target=read)
    reader.start()
    together([count] * 4)
    over.set()
    reader.join()


@needs_fork
def test_forked_children_compute_while_the_parent_does():
    """A child made in the midst of other threads' calls computes in all modes, and counts anew."""
    done = start("""
        import os, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of fork with threads
        def compute():
            for mode in cases.MODES:
                with cases.computing(mode):
                    for op in cases.OPS:
                        given = cases.arguments(op)
                        cases.assert_answer(op, given, cases.call(op, *given))
        compute()
        over = threading.Event()
        def work_on():
            while not over.is_set():
                compute()
        busy = [threading.Thread(target=work_on) for _ in range(2)]
        [one.start() for one in busy]
        codes = []
        for _ in range(4):
            child = os.fork()
            if child == 0:
                compute()
                told = accel.get_stats()
                os._exit(0 if told.pure_count + told.ffi_count == 5 * len(cases.OPS) else 7)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        over.set()
        [one.join() for one in busy]
        print(codes)
    """)
    assert str([0] * 4) == done.stdout.strip()


@needs_fork
@pytest.mark.skipif(not HAS_TORCH, reason="needs torch")
def test_a_child_does_without_torchs_threads():
    """Arrays that torch was to compute are numpy's: OpenMP would wait for the parent's threads."""
    done = start("""
        import os, torch
        torch.set_num_threads(2)
        given = cases.arguments("softmax", "float32")
        def compute():
            for mode in ("torch", "above"):
                with cases.computing(mode):
                    cases.assert_answer("softmax", given, cases.call("softmax", *given))
            told = accel.get_stats()
            return (told.pure_count, told.ffi_count, dict(told.reasons))
        print(compute(), flush=True)
        child = os.fork()
        if child == 0:
            print(compute())
            torch.set_num_threads(1)
            print(compute(), flush=True)
            os._exit(0)
        print(os.waitpid(child, 0)[1])
    """)
    ended = {"torch's threads ended with the fork": 2}
    assert [
        str((0, 2, {})),
        str((2, 0, ended)),
        str((2, 2, ended)),
        "0",
    ] == done.stdout.splitlines()


@needs_fork
def test_a_child_keeps_the_mode_and_the_thresholds():
    """What was set before the fork holds in the child, and what it sets is its own."""
    done = start("""
        import os
        accel.set_acceleration("auto")
        accel.set_threshold("matmul", 5)
        child = os.fork()
        if child == 0:
            told = accel.get_current_mode().name, float(accel.get_threshold("matmul"))
            accel.set_acceleration("native")
            os._exit(0 if told == ("AUTO", 5.0) else 7)
        print(os.waitpid(child, 0)[1], accel.get_current_mode().name)
    """)
    assert "0 AUTO" == done.stdout.strip()


def test_the_end_of_the_interpreter_is_quiet():
    """Operations answer in atexit, and a daemon thread in the midst of calls does no harm."""
    done = start("""
        import atexit, threading
        def compute():
            for op in ("matmul", "add", "softmax", "mse_loss"):
                given = cases.arguments(op)
                cases.assert_answer(op, given, cases.call(op, *given))
        compute()
        atexit.register(lambda: print(compute()))
        def work_on():
            while True:
                compute()
        threading.Thread(target=work_on, daemon=True).start()
    """)
    assert (0, "None") == (done.returncode, done.stdout.strip())


# ---- many times

needs_proc = pytest.mark.skipif(not _accel_leaks.STATUS.exists(), reason="reads Linux's /proc")
FEW = 2_000


@needs_proc
@pytest.mark.parametrize("kind", ["array", "list", "PureTensor"])
@pytest.mark.parametrize("mode", ["pure", "native", "auto"])
def test_calls_leave_nothing_behind(mode, kind):
    """In a few thousand calls of all kinds memory grows by less than an object of each."""
    assert FEW * 100 // 1024 + _accel_leaks.allowed(FEW) > _accel_leaks.grown(mode, kind, FEW)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("kind", _accel_leaks.KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_many_calls_leave_nothing_behind(mode, kind):
    """After as many, memory grows by less than 4 bytes a call (and 128 pages): by no object."""
    if kind == "tensor":
        pytest.importorskip("torch")
    many = _accel_leaks.MANY
    assert _accel_leaks.allowed(many) > _accel_leaks.grown(mode, kind, many)
