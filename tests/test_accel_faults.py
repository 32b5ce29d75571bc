"""What shimhub.accel does when a backend is missing, raises, or the mode changes meanwhile."""

from __future__ import annotations

import ast
import threading
import time
import weakref

import numpy as np
import pytest

from shimhub import accel, kernels
from shimhub.accel import AccelMode, breakers, thresholds, torch_ffi
from shimhub.accel.model import OPS
from shimhub.pure import PureTensor
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
    torch_function,
)

pytestmark = pytest.mark.usefixtures(anew.__name__)
A = np.arange(6.0).reshape(2, 3)
B = np.arange(12.0).reshape(3, 4)
KERNELS = sorted(set(OPS) - {"mse_loss", "cross_entropy"})

needs_native = pytest.mark.skipif(not kernels.available(), reason="needs the native library")
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="needs torch")


class Failing:
    """A backend that raises in its first calls, and then answers by another function."""

    def __init__(self, error, times=10**9, then=None):
        self.error, self.left, self.then, self.calls = error, times, then, 0

    def __call__(self, *arguments, **options):
        """Raise, or answer."""
        self.calls += 1
        if self.left > 0:
            self.left -= 1
            raise self.error
        return self.then(*arguments, **options)


# ---- what is missing

#: Computes all operations in all modes, and prints who did.
ALL = """
for mode in cases.MODES:
    for op in cases.OPS:
        given = cases.arguments(op)
        with cases.computing(mode):
            cases.assert_answer(op, given, cases.call(op, *given))
told = accel.get_stats()
print(told.pure_count, told.native_count, told.ffi_count, dict(told.reasons))
"""


def test_without_the_native_library_numpy_computes():
    """SHIMHUB_NATIVE=0: all modes answer, nothing native is counted, products of lists too."""
    done = start(ALL + "print(accel.matmul([[1, 2]], [[3], [4]]))", SHIMHUB_NATIVE="0")
    counts, product = done.stdout.splitlines()
    pure, native, ffi, *_ = counts.split()
    assert "0" == native
    assert 5 * len(OPS) == int(pure) + int(ffi)
    assert (2 * len(OPS) if HAS_TORCH else 0) == int(ffi)
    assert "[[11.0]]" == product


def test_without_torch_all_modes_answer():
    """No torch: numpy and our kernels compute, and each call that torch was to is told."""
    done = start("import sys\nsys.modules['torch'] = None" + ALL)
    counts, reasons = done.stdout.split(" {")
    told = ast.literal_eval("{" + reasons)
    assert "0" == counts.split()[2]
    assert 2 * len(OPS) == told.pop("torch is not installed")
    assert {"no kernel"} >= set(told)  # mode NATIVE, of what has none


@pytest.mark.parametrize("error", ["ImportError", "OSError", "RuntimeError"])
def test_a_torch_that_cannot_be_imported_is_a_fallback(tmp_path, error):
    """Numpy answers, the exception is counted, and after three the import is not tried again."""
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text(f"print('asked')\nraise {error}('libc10.so is broken')\n")
    done = start(f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        with accel.using("torch"):
            for _ in range(5):
                assert [2.0] == accel.add([1], [1])
        told = accel.get_stats()
        print(told.pure_count, told.ffi_count, told.fallback_count)
        print(*told.reasons, sep=", ")
    """)
    asked, counts, reasons = done.stdout.splitlines()[:-2], *done.stdout.splitlines()[-2:]
    assert ["asked"] * 3 == asked
    assert "5 0 5" == counts
    raised = error if error == "RuntimeError" else "TorchMissingError"
    assert f"torch raised {raised}, torch: left alone after errors" == reasons


def test_torch_by_name_tells_that_it_is_missing():
    """matmul_torch_ffi has no fallback: its error says what to install."""
    done = start("""
        import sys
        sys.modules["torch"] = None
        try:
            accel.matmul_torch_ffi([[1.0]], [[1.0]])
        except ImportError as error:
            print(type(error).__name__, error)
        print(accel.torch_available(), repr(accel.torch_version()), accel.torch_cuda_available())
    """)
    told, facts = done.stdout.splitlines()
    assert told.startswith("TorchMissingError torch: ")
    assert "pip install torch" in told
    assert "False '' False" == facts


@needs_torch
def test_torch_by_name_keeps_the_gradients_of_pure():
    """matmul_torch_ffi of tensors that need a gradient is torch's answer, with the gradient."""
    x, w = PureTensor([[1.0, 2.0]]), PureTensor([[3.0], [4.0]], requires_grad=True)
    told = accel.matmul_torch_ffi(x, w)
    assert (0, 1) == (accel.get_stats().pure_count, accel.get_stats().ffi_count)
    told.backward()
    assert ([[11.0]], [[1.0], [2.0]]) == (told.tolist(), w.grad.tolist())


# ---- what raises


@pytest.mark.parametrize("op", KERNELS)
@pytest.mark.parametrize("mode", ["pure", "native", "auto"])
def test_a_kernel_that_raises_is_answered_by_the_reference(op, mode):
    """The answer is the reference's, and the exception is counted by its type."""
    given = arguments(op)
    with kernel(op, Failing(RuntimeError("broken"))), computing(mode):
        assert_answer(op, given, call(op, *given))

    told = accel.get_stats()
    assert (1, 0, 1) == (told.pure_count, told.native_count, told.fallback_count)
    assert {"native raised RuntimeError": 1} == dict(told.reasons)
    assert 1 == told.per_op[op].fallback


@needs_torch
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("mode", ["torch", "above"])
def test_torch_that_raises_is_answered_by_the_reference(op, mode):
    """The same for arrays that torch was to compute."""
    given = arguments(op)
    with torch_function(op, Failing(RuntimeError("broken"))), computing(mode):
        assert_answer(op, given, call(op, *given))

    told = accel.get_stats()
    assert (1, 0, 1) == (told.pure_count, told.ffi_count, told.fallback_count)
    assert {"torch raised RuntimeError": 1} == dict(told.reasons)


def test_a_kernel_that_raises_on_tensors_leaves_them_in_torch():
    """The answer is torch's, of its own type; the fallback is counted."""
    torch = pytest.importorskip("torch")
    x = torch.ones(2, 2)
    with kernel("add", Failing(RuntimeError("broken"))), computing("native"):
        told = accel.add(x, x)

    assert torch.equal(x + x, told)
    assert {"native raised RuntimeError": 1} == dict(accel.get_stats().reasons)
    assert (0, 1) == (accel.get_stats().pure_count, accel.get_stats().ffi_count)


def test_strict_raises_what_the_backend_raised():
    """Nothing is answered for a backend that was to compute; nothing is counted."""
    broken = kernel("add", Failing(RuntimeError("of the kernel")))
    raised = pytest.raises(RuntimeError, match="of the kernel")
    with broken, computing("pure", strict=True), raised:
        accel.add(A, A)
    assert accel.Stats() == accel.get_stats()


@needs_torch
def test_strict_raises_what_torch_raised():
    """The same of torch."""
    broken = torch_function("add", Failing(RuntimeError("of torch")))
    raised = pytest.raises(RuntimeError, match="of torch")
    with broken, computing("torch", strict=True), raised:
        accel.add(A, A)
    assert 0 == accel.get_stats().fallback_count


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_program_is_not_held_up(error):
    """Only exceptions are answered; the breaker does not count these."""
    with kernel("add", Failing(error())), computing("pure"), pytest.raises(error):
        accel.add(A, A)
    assert not breakers.is_open("add", "native")
    assert 0 == accel.get_stats().fallback_count


def test_running_out_of_memory_is_answered_or_raised():
    """A MemoryError of the kernel is an exception like others: the reference may have enough."""
    with kernel("add", Failing(MemoryError())), computing("pure"):
        np.testing.assert_array_equal(A + A, accel.add(A, A))
    assert {"native raised MemoryError": 1} == dict(accel.get_stats().reasons)


# ---- left alone


def test_a_breaker_trips_after_three_exceptions():
    """The kernel is not called a fourth time; each call has its reason; other operations go on."""
    broken = Failing(RuntimeError("broken"))
    with kernel("add", broken), computing("pure"):
        for _ in range(5):
            np.testing.assert_array_equal(A + A, accel.add(A, A))
        accel.relu(A)

    assert 3 == broken.calls
    told = accel.get_stats()
    assert {"native raised RuntimeError": 3, "native: left alone after errors": 2} == dict(
        told.reasons
    )
    relu = int(kernels.available())
    assert (6, relu, 5) == (told.pure_count, told.native_count, told.fallback_count)


def test_a_breaker_recovers_after_its_time(monkeypatch):
    """One call asks again; it answers, and the backend is trusted as before."""
    monkeypatch.setattr(breakers, "SECONDS", 0.05)
    healed = Failing(RuntimeError("broken"), times=3, then=np.add)
    with kernel("add", healed), computing("pure"):
        for _ in range(4):
            accel.add(A, A)
        assert 3 == healed.calls
        time.sleep(0.06)
        for _ in range(2):
            np.testing.assert_array_equal(A + A, accel.add(A, A))
    assert 5 == healed.calls
    assert not breakers.is_watched("add", "native")
    assert 4 == accel.get_stats().fallback_count


def test_a_breaker_trips_again_at_the_first_exception(monkeypatch):
    """A backend that is asked once more and fails is left alone at once."""
    monkeypatch.setattr(breakers, "SECONDS", 0.05)
    broken = Failing(RuntimeError("broken"))
    with kernel("add", broken), computing("pure"):
        for _ in range(3):
            accel.add(A, A)
        time.sleep(0.06)
        for _ in range(3):
            accel.add(A, A)
    assert 4 == broken.calls


def test_reset_breakers_asks_again():
    """At once, and the exceptions of before are forgotten."""
    broken = Failing(RuntimeError("broken"))
    with kernel("add", broken), computing("pure"):
        for _ in range(4):
            accel.add(A, A)
        accel.reset_breakers()
        for _ in range(4):
            accel.add(A, A)
    assert 6 == broken.calls


@needs_torch
def test_torchs_breaker_trips_and_strict_asks_it_all_the_same():
    """After three exceptions numpy computes unasked; strict is the user's word to ask."""
    broken = Failing(RuntimeError("broken"))
    with torch_function("add", broken), computing("torch"):
        for _ in range(5):
            accel.add(A, A)
        assert 3 == broken.calls
        with computing("torch", strict=True), pytest.raises(RuntimeError, match="broken"):
            accel.add(A, A)
    told = accel.get_stats()
    assert {"torch raised RuntimeError": 3, "torch: left alone after errors": 2} == dict(
        told.reasons
    )
    assert (5, 0) == (told.pure_count, told.ffi_count)


@pytest.mark.parametrize("mode", MODES)
def test_mistakes_of_the_caller_trip_no_breaker(mode):
    """Shapes, types and values that the reference refuses too are told, and not held against us."""
    for _ in range(5):
        with computing(mode), pytest.raises(ValueError, match="axis"):
            accel.softmax(A, axis=7)
        with computing(mode), pytest.raises(TypeError):
            accel.relu(A.astype(int))
    for backend in ("native", "torch"):
        assert not breakers.is_open("softmax", backend)
        assert not breakers.is_open("relu", backend)


def test_warnings_that_are_errors_are_the_callers(recwarn):
    """numpy.errstate and warnings filters mean the same as in numpy; no breaker trips."""
    for _ in range(5):
        with np.errstate(all="raise"), pytest.raises(FloatingPointError):
            accel.div(A, np.zeros(3))
    assert not breakers.is_open("div", "native")
    assert 0 == accel.get_stats().fallback_count
    assert [] == recwarn.list


# ---- the mode changes meanwhile


def test_a_call_ends_in_the_mode_that_it_began_in():
    """A kernel, or what it calls, that sets another mode: this call is done, the next is not."""

    def changes_the_mode(a, b):
        accel.set_acceleration("torch")
        return a + b

    with kernel("add", changes_the_mode):
        np.testing.assert_array_equal(A + A, accel.add(A, A))
        assert (1, 0) == (accel.get_stats().pure_count, accel.get_stats().ffi_count)
        assert AccelMode.TORCH is accel.get_current_mode()
        accel.set_acceleration("pure")


def test_a_backend_that_changes_the_mode_and_fails():
    """The reference answers by the settings of the beginning: not strict, though it is now."""
    entered = accel.using("pure", strict=True)

    def fails(a, b):
        del a, b
        entered.__enter__()
        raise RuntimeError("broken")

    with kernel("add", fails):
        np.testing.assert_array_equal(A + A, accel.add(A, A))
    entered.__exit__(None, None, None)
    assert {"native raised RuntimeError": 1} == dict(accel.get_stats().reasons)


@needs_native
def test_settings_end_while_others_are_looked_up():
    """What runs at their end may set thresholds: the limits of the call at hand stay."""
    x = np.ones(3, np.float32)
    for _ in range(20):
        with accel.using("auto", thresholds={"relu": 10**9}) as settings:
            weakref.finalize(settings, accel.set_threshold, "gelu", 10**6)
            del settings
            np.testing.assert_array_equal(x, accel.relu(x))
    assert 20 == accel.get_stats().native_count


@needs_native
@pytest.mark.parametrize("told", [{}, {"gelu": 10**6}])
def test_thresholds_that_change_while_they_are_looked_up(monkeypatch, told):
    """What was found before the change is not kept: the next call goes by the new one."""
    effective, changed = thresholds.effective, []

    def changes(op, *given):
        found = effective(op, *given)
        if op == "relu" and not changed:
            changed.append(op)
            accel.set_threshold("relu", 5)
        return found

    x = np.ones(10, np.float32)
    with accel.using("auto", thresholds=told):
        accel.set_threshold("relu", 10**9)
        monkeypatch.setattr(thresholds, "effective", changes)
        for expected in ("ffi_count", "ffi_count") if HAS_TORCH else ("fallback_count",):
            accel.reset_stats()
            accel.relu(x)
            assert 1 == getattr(accel.get_stats(), expected)
    assert changed


def test_the_processs_mode_changes_under_running_threads():
    """Every call of every thread is answered and counted once, by one backend or another."""
    modes = ["pure", "native", "auto", *(["torch"] if HAS_TORCH else [])]
    over, wrong = threading.Event(), []

    def compute():
        for _ in range(300):
            for op in ("matmul", "add", "softmax", "mse_loss"):
                given = arguments(op)
                try:
                    assert_answer(op, given, call(op, *given))
                except Exception as error:  # noqa: BLE001 - told to the test
                    wrong.append(error)

    workers = [threading.Thread(target=compute) for _ in range(4)]
    for one in workers:
        one.start()
    watch = threading.Thread(target=lambda: [one.join() for one in workers] and over.set())
    watch.start()
    while not over.wait(0.0005):
        accel.set_acceleration(modes[int(time.monotonic() * 2000) % len(modes)])
    watch.join()

    assert [] == wrong
    told = accel.get_stats()
    assert 4 * 300 * 4 == told.pure_count + told.ffi_count


@pytest.mark.parametrize("mode", ["pure", "native", "torch", "auto"])
@pytest.mark.parametrize("classes", [[-100, 1, 2], [0, 1, 4]])
def test_classes_that_x_does_not_have_are_refused(mode, classes):
    """Also those of -100, which torch leaves out of the mean; by arrays and lists."""
    if mode == "torch":
        pytest.importorskip("torch")
    x = np.random.default_rng(3).normal(size=(3, 4))
    thresholds = {"cross_entropy": "always"} if mode == "auto" else {}
    for given in ((x, np.array(classes)), (x.tolist(), classes)):
        with (
            accel.using(mode, thresholds=thresholds),
            pytest.raises(ValueError, match=r"classes that are not in 0\.\.3"),
        ):
            accel.cross_entropy(*given)


def test_torchs_own_loss_refuses_them_too():
    """By the error of all modes, where torch has an IndexError or leaves rows out."""
    pytest.importorskip("torch")
    for classes in ([-100, 1], [0, 4]):
        with pytest.raises(ValueError, match=r"not in 0\.\.3"):
            torch_ffi.cross_entropy_torch_ffi(np.ones((2, 4)), np.array(classes))


@pytest.mark.parametrize("target", [1, np.int64(1), np.array(1), [0.0, 1.0, 0.0]])
@pytest.mark.parametrize("x", [[1.0, 2.0, 3.0], np.array([1.0, 2.0, 3.0])])
def test_torchs_own_loss_takes_what_all_modes_take(x, target):
    """The class of one row as a number, too."""
    pytest.importorskip("torch")
    if isinstance(x, np.ndarray) and isinstance(target, list):
        target = np.array(target)
    expected = accel.cross_entropy(x, target)
    assert expected == pytest.approx(torch_ffi.cross_entropy_torch_ffi(x, target))


def test_an_exception_of_a_numbers_own_code_is_the_calls():
    """It is not run again, on what it has changed in the meantime."""

    class Clearing:
        def __float__(self):
            given.clear()
            raise OSError("of a number")

    given = [Clearing(), 2.0, 3.0]
    with pytest.raises(OSError, match="of a number"):
        accel.relu(given)
