"""Kernels in threads, in forked children, at the end of the interpreter, and many times."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from shimhub import kernels

ROOT = Path(__file__).parent.parent
TEXTS = [f"row {i % 97} é {'x' * (i % 50)}" for i in range(400)]
LENGTHS = [1 + i * 7919 % 400 for i in range(500)]
ROWS = [list(range(one % 9)) for one in LENGTHS]
FEATURES = [{"input_ids": row, "labels": row} for row in ROWS[:16] if row]
MATRIX = np.arange(64, dtype=np.float32).reshape(8, 8)

#: One call of each area, over Python's own objects and NumPy: what children and threads run.
CALLS = {
    "sha256": lambda: kernels.hash_rows(TEXTS, threads=2),
    "xxh3": lambda: kernels.hash_rows(TEXTS, algorithm="xxh3_128", threads=2),
    "hex": lambda: "".join(kernels.hash_rows(TEXTS, output="hex")).encode(),
    "deduplicate": lambda: kernels.deduplicate(TEXTS, threads=2),
    "minhash": lambda: kernels.minhash(TEXTS[:50], num_perm=16, threads=2),
    "pad": lambda: kernels.pad(ROWS),
    "collate": lambda: b"".join(one.tobytes() for one in kernels.collate(FEATURES).values()),
    "first_fit": lambda: kernels.pack(LENGTHS, 512).items,
    "best_fit": lambda: kernels.pack(LENGTHS, 512, strategy="best_fit_decreasing").items,
    "matmul": lambda: kernels.matmul(MATRIX, MATRIX),
    "softmax": lambda: kernels.softmax(MATRIX),
}


def answer(name):
    """Return a digest of what the call gives."""
    return hashlib.sha256(bytes(memoryview(CALLS[name]()).cast("B"))).hexdigest()


def answers():
    """Return the digests of all calls, by name."""
    return {name: answer(name) for name in CALLS}


#: Floating point differs between the library and the references, which round in another order.
EXACT = sorted(set(CALLS) - {"matmul", "softmax"})


def start(code, **environ):
    """Run code that has this file as module ``work``, in an interpreter of its own."""
    head = f"""
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location("work", {__file__!r})
        sys.modules["work"] = work = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(work)
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize(
    "environ", [{"SHIMHUB_NATIVE": "0"}, {"SHIMHUB_LANES": "portable"}], ids=str
)
def test_answers_are_the_same_without_the_library_and_without_lanes(environ):
    """References, portable lane and the lanes of this processor give the same bytes."""
    done = start("print({name: work.answer(name) for name in work.EXACT})", **environ)

    assert "" == done.stderr
    assert str({name: answer(name) for name in EXACT}) == done.stdout.strip()


def test_threads_of_python_can_call_at_once():
    """Eight threads that call all kernels over the same objects get what one gets."""
    expected = answers()
    told = []
    threads = [threading.Thread(target=lambda: told.append(answers())) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert [expected] * 8 == told


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_answers_while_its_parent_works():
    """Children made in the midst of other threads' calls answer as their parent does."""
    done = start("""
        import os, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of fork with threads
        expected, over = work.answers(), threading.Event()
        def work_on():
            while not over.is_set():
                work.answers()
        busy = [threading.Thread(target=work_on) for _ in range(2)]
        [one.start() for one in busy]
        codes = []
        for _ in range(10):
            child = os.fork()
            if child == 0:
                os._exit(0 if work.answers() == expected else 7)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        over.set()
        [one.join() for one in busy]
        print(codes)
    """)

    assert "" == done.stderr
    assert str([0] * 10) == done.stdout.strip()


def test_the_end_of_the_interpreter_is_quiet():
    """Kernels answer in atexit, and a daemon thread in the midst of calls does no harm."""
    done = start("""
        import atexit, threading
        expected = work.answers()
        atexit.register(lambda: print(work.answers() == expected))
        def work_on():
            while True:
                work.answers()
        threading.Thread(target=work_on, daemon=True).start()
    """)

    assert ("", "True", 0) == (done.stderr, done.stdout.strip(), done.returncode)


def wrong():
    """Call with rows that cannot be padded."""
    with pytest.raises(TypeError, match=r"rows\[0\]\[1\]"):
        kernels.pad([[1, "x"]])


SMALL = {
    "hash_rows": lambda: kernels.hash_rows(["a", "bé"]),
    "deduplicate": lambda: kernels.deduplicate(["a", "é", "a"]),
    "minhash": lambda: kernels.minhash(["some text"], num_perm=8),
    "pad": lambda: kernels.pad([[1, 2], [3]]),
    "collate": lambda: kernels.collate([{"input_ids": [1, 2]}]),
    "pack": lambda: kernels.pack([3, 1, 2], 4),
    "matmul": lambda: kernels.matmul(MATRIX, MATRIX),
    "an error": wrong,
}


def resident():
    """Return the memory that this process has in use, in KB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


#: How often each is called; `make leaks` asks for a million.
MANY = int(os.environ.get("SHIMHUB_TEST_CALLS", "100000"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("name", SMALL)
def test_many_calls_leave_nothing_behind(name):
    """After the first half memory grows by less than 8 bytes a call: not by an object."""
    call = SMALL[name]
    for _ in range(MANY // 2):  # allocators settle
        call()
    before = resident()
    for _ in range(MANY):
        call()

    assert MANY * 8 // 1024 > resident() - before
