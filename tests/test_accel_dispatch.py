"""Who computes: the functions in C give what the rule in Python gives, for every kind of input."""

from __future__ import annotations

import contextlib
import gc
import inspect
import pickle
import sys
import threading
import time

import numpy as np
import pytest

from shimhub import accel, kernels
from shimhub.accel import AccelMode, _fast, breakers, ops
from shimhub.accel.model import GROUPS, OPS
from shimhub.kernels import _loading

needs_native = pytest.mark.skipif(not kernels.available(), reason="there is no native library")
PAIRS = ("add", "sub", "mul", "div")
ONE = ("relu", "sigmoid", "tanh", "gelu", "softmax", "layer_norm")


@pytest.fixture(autouse=True)
def _as_at_the_start():
    """Every test begins and ends with mode PURE, no thresholds, no counts."""
    accel.set_acceleration(AccelMode.PURE)
    accel.reset_stats()
    yield
    accel.set_acceleration(AccelMode.PURE)
    for name in (*GROUPS, *OPS):
        accel.set_threshold(name, None)
    accel.reset_breakers()
    accel.reset_stats()


def numbers(*shape, dtype=np.float32, seed=3):
    """Return an array of normally distributed numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


class Wrapped:
    """An object with an array, as PureTensor is."""

    def __init__(self, array, requires_grad=False):
        self.array, self.requires_grad = array, requires_grad

    def __accel_array__(self):
        return self.array

    @classmethod
    def __accel_wrap__(cls, array):
        return cls(array)


class Self(Wrapped):
    """An object that computes by itself."""

    def __accel_function__(self, name, arrays, options):
        return name, len(arrays), options


def arguments(name, kind, dtype=np.float32):
    """Return arguments of an operation, of one kind."""
    rows, square = numbers(4, 5, dtype=dtype), numbers(5, 5, dtype=dtype, seed=4)
    row = numbers(5, dtype=dtype, seed=5)
    found = {
        "matmul": (rows, square),
        "linear": (rows, square, row, "gelu"),
        "layer_norm": (rows, row, row),
        "mse_loss": (rows, rows + 1),
        "cross_entropy": (rows, np.array([0, 4, 2, 1])),
    }
    made = found.get(name, (rows, row) if name in PAIRS else (rows,))
    return tuple(to_kind(kind, one) for one in made)


def to_kind(kind, value):
    """Return an array as what is asked for."""
    if not isinstance(value, np.ndarray):
        return value
    if kind == "list":
        return value.tolist()
    if kind == "wrapped":
        return Wrapped(value)
    if kind == "tensor":
        return pytest.importorskip("torch").from_numpy(value)
    return value


def of_kind(kind, value):
    """Whether a result is of the kind of its input."""
    if kind == "tensor":
        return type(value) is sys.modules["torch"].Tensor
    classes = {"list": (list, float), "ndarray": (np.ndarray, np.generic), "wrapped": Wrapped}
    return isinstance(value, classes[kind])


def array_of(value):
    """Return a result as an array."""
    return np.asarray(value.array if isinstance(value, Wrapped) else value)


@pytest.mark.parametrize("mode", [AccelMode.PURE, AccelMode.NATIVE, AccelMode.AUTO, "small"])
@pytest.mark.parametrize("kind", ["ndarray", "list", "wrapped", "tensor"])
@pytest.mark.parametrize("name", OPS)
def test_c_and_python_are_one(name, kind, mode):
    """The same answer to the bit, of the input's kind, counted alike, whoever dispatches."""
    given = arguments(name, kind)
    if mode == "small":
        accel.set_acceleration("auto")
        accel.set_threshold(name, 10_000)
    else:
        accel.set_acceleration(mode)
    ops_answer = getattr(ops, name)(*given)
    in_python = accel.get_stats()
    accel.reset_stats()
    answer = getattr(accel, name)(*given)

    assert of_kind(kind, answer)
    np.testing.assert_array_equal(array_of(ops_answer), array_of(answer))
    assert in_python == accel.get_stats()
    assert 1 == in_python.pure_count + in_python.ffi_count


@pytest.mark.parametrize("kind", ["ndarray", "list", "wrapped"])
@pytest.mark.parametrize("name", OPS)
def test_torch_computes_what_numpy_does(name, kind):
    """Mode TORCH gives the same shapes, kinds and numbers up to rounding, counted as torch's."""
    pytest.importorskip("torch")
    given = arguments(name, kind)
    expected = getattr(accel, name)(*given)
    with accel.using("torch", strict=True):
        answer = getattr(accel, name)(*given)

    assert of_kind(kind, answer)
    assert type(expected) is type(answer)
    np.testing.assert_allclose(array_of(expected), array_of(answer), rtol=2e-5, atol=2e-6)
    assert array_of(expected).dtype == array_of(answer).dtype
    assert 1 == accel.get_stats().ffi_count


ODD = {
    "float64": numbers(6, 6, dtype=np.float64),
    "transposed": numbers(6, 6).T,
    "reversed": numbers(6, 6)[::-1, ::-1],
    "strided": numbers(12, 12)[::2, ::2],
    "zero size": np.zeros((0, 6), np.float32),
    "big-endian": numbers(6, 6).astype(">f4"),
    "nan": np.full((6, 6), np.nan, np.float32),
    "infinite": np.full((6, 6), np.inf, np.float32),
    "float16": numbers(6, 6).astype(np.float16),
    "whole": np.arange(36).reshape(6, 6),
    "broadcast": np.broadcast_to(np.float32(2), (6, 6)),
}


def outcome(function, *given):
    """Return what a call gives, or the type of its error."""
    try:
        with np.errstate(all="ignore"):
            return array_of(function(*given))
    except (TypeError, ValueError) as error:
        return type(error)


@pytest.mark.parametrize("mode", ["pure", "native", "torch"])
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", [*PAIRS, *ONE, "matmul"])
def test_odd_arrays_get_numpys_answer_or_a_clear_error(name, odd, mode):
    """Dtypes, strides and values that are not the usual: the same whoever computes."""
    if mode == "torch":
        pytest.importorskip("torch")
    if (name, odd, mode) == ("gelu", "infinite", "torch"):
        pytest.skip("torch's gelu of infinity is NaN, here infinity")
    x = ODD[odd]
    square = numbers(6, 6, seed=9).astype(x.dtype)
    given = (x, square) if name in (*PAIRS, "matmul") else (x,)
    expected = outcome(getattr(accel, name), *given)
    with accel.using(mode):
        answer = outcome(getattr(accel, name), *given)
        again = outcome(getattr(ops, name), *given)

    if isinstance(expected, type):
        assert expected is answer is again
        return
    np.testing.assert_allclose(expected, answer, rtol=2e-5, atol=2e-5)
    np.testing.assert_array_equal(answer, again)
    assert expected.dtype == answer.dtype
    assert expected.shape == answer.shape


@pytest.mark.parametrize("mode", list(AccelMode))
@pytest.mark.parametrize("kind", ["ndarray", "list", "wrapped", "tensor"])
def test_shapes_that_do_not_fit_are_a_value_error(kind, mode):
    """In every mode, before a backend could crash on them; nothing is counted."""
    if mode is AccelMode.TORCH:
        pytest.importorskip("torch")
    x, y = (to_kind(kind, numbers(*shape)) for shape in ((10, 20), (30, 40)))
    with accel.using(mode):
        for name in ("matmul", "add", "mse_loss", "linear"):
            with pytest.raises(ValueError, match=r"shape|mismatch|rows|broadcast"):
                getattr(accel, name)(x, y)

    told = accel.get_stats()
    assert (0, 0, 0) == (told.pure_count, told.ffi_count, told.fallback_count)


@pytest.mark.parametrize("given", [("a", "b"), (object(), 1.0), ({}, {}), (None, None)])
def test_what_is_no_array_is_a_type_error(given):
    """The operation and the type are named."""
    with pytest.raises(TypeError):
        accel.add(*given)


@pytest.mark.parametrize("name", OPS)
def test_wrong_arguments_are_those_of_python(name):
    """A missing, superfluous or unknown argument is a TypeError, `out` too."""
    given = arguments(name, "ndarray")
    for wrong, named in (((), {}), ((*given, *given, 1), {}), (given, {"out": given[0]})):
        with pytest.raises(TypeError):
            getattr(accel, name)(*wrong, **named)


def test_options_have_their_names():
    """Keywords mean what they mean in Python."""
    x = numbers(3, 4)
    np.testing.assert_array_equal(ops.softmax(x, 0), accel.softmax(x, axis=0))
    np.testing.assert_array_equal(ops.gelu(x, "tanh"), accel.gelu(x, approximate="tanh"))
    np.testing.assert_array_equal(ops.layer_norm(x, eps=1.0), accel.layer_norm(x, eps=1.0))
    w = numbers(5, 4)
    np.testing.assert_array_equal(
        ops.linear(x, w, activation="relu", transposed=True),
        accel.linear(x, w, activation="relu", transposed=True),
    )


@pytest.mark.parametrize("name", OPS)
def test_functions_look_like_those_of_python(name):
    """Name, text, signature and pickling are those of a function of the package."""
    function = getattr(accel, name)
    plain = inspect.signature(getattr(ops, name))
    assert name == function.__name__
    assert inspect.getdoc(getattr(ops, name)) == inspect.getdoc(function)
    assert list(plain.parameters) == list(inspect.signature(function).parameters)
    assert function is pickle.loads(pickle.dumps(function)) or not kernels.available()


def test_an_object_may_compute_by_itself():
    """A class with __accel_function__ is asked, with the operation's name and inputs."""
    assert ("softmax", 1, {"axis": -1}) == accel.softmax(Self(numbers(2)))
    with pytest.raises(TypeError, match=r"Wrapped needs a gradient.*__accel_function__"):
        accel.relu(Wrapped(numbers(2), requires_grad=True))


# ---- torch's tensors


def test_autograd_is_kept():
    """What needs a gradient stays in torch in every mode, beside arrays too."""
    torch = pytest.importorskip("torch")
    for mode in AccelMode:
        with accel.using(mode):
            w = torch.ones(3, 3, requires_grad=True)
            accel.mse_loss(
                accel.matmul(np.ones((3, 3), np.float32), w), torch.zeros(3, 3)
            ).backward()
        assert 3.0 * 2 / 3 == w.grad[0, 0].item(), mode
    assert 1 <= accel.get_stats().reasons["not only tensors"]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda torch: torch.ones(2, 2, requires_grad=True), "needs-grad"),
        (lambda torch: torch.ones(2, 2, dtype=torch.bfloat16), "dtype bfloat16"),
        (lambda torch: torch.ones(2, 4)[:, ::2], "strides"),
        (lambda torch: torch.ones(2, 2, device="meta"), "device meta"),
        (lambda torch: torch.ones(2, 2).to_sparse(), "layout"),
        (lambda torch: torch.ones(2, 2).as_subclass(type("Own", (torch.Tensor,), {})), "subclass"),
    ],
)
def test_tensors_that_are_not_for_us_stay_in_torch(made, reason):
    """Mode NATIVE leaves them, and counts why."""
    torch = pytest.importorskip("torch")
    x = made(torch)
    with accel.using("native"):
        answer = accel.relu(x)
        told = accel.explain("relu", x)
    expected = torch.relu(x)

    assert (type(expected), expected.dtype) == (type(answer), answer.dtype)
    assert {reason: 1} == dict(accel.get_stats().reasons)
    assert ("torch", reason) == (told.backend, told.reason)


def test_autocast_and_vmap_are_torchs():
    """Where torch changes what an operation is, it computes it; arrays are not changed by it."""
    torch = pytest.importorskip("torch")
    x, array = torch.ones(2, 2), np.ones((2, 2), np.float32)
    with accel.using("native"), torch.autocast("cpu", torch.bfloat16):
        assert torch.bfloat16 is accel.matmul(x, x).dtype
    with accel.using("torch"), torch.autocast("cpu", torch.bfloat16):
        assert np.float32 == accel.matmul(array, array).dtype
    with accel.using("native"):
        assert (2, 2) == tuple(torch.vmap(accel.relu)(x).shape)
    assert {"autocast": 2, "vmap": 1} == dict(accel.get_stats().reasons)


# ---- failures


def raising(*_, **__):
    """Fail as no kernel should."""
    raise RuntimeError("no")


@pytest.mark.parametrize("kind", ["ndarray", "list", "wrapped", "tensor"])
def test_a_kernel_that_raises_is_answered_for(kind):
    """The reference answers, the reason is counted; strict gives the error."""
    given = arguments("sigmoid", kind)
    expected = array_of(accel.sigmoid(*given))
    accel.reset_stats()
    with _fast.kernel("sigmoid", raising), accel.using("native"):
        answer = accel.sigmoid(*given)
        with accel.using(strict=True), pytest.raises(RuntimeError, match="no"):
            accel.sigmoid(*given)

    np.testing.assert_allclose(expected, array_of(answer), rtol=1e-6)
    assert of_kind(kind, answer)
    assert {"native raised RuntimeError": 1} == dict(accel.get_stats().reasons)


def test_a_breaker_trips_and_recovers(monkeypatch):
    """After three faults a backend is left alone, then asked once more; reset asks at once."""
    now = [time.monotonic()]
    monkeypatch.setattr(breakers.time, "monotonic", lambda: now[0])
    calls = []
    x = numbers(2, 2)

    def failing(*_, **__):
        calls.append(1)
        return raising()

    with _fast.kernel("tanh", failing):
        for _ in range(5):
            accel.tanh(x)
        assert 3 == len(calls)
        now[0] += breakers.SECONDS
        accel.tanh(x)
        accel.tanh(x)
        assert 4 == len(calls)
        accel.reset_breakers()
        accel.tanh(x)
        assert 5 == len(calls)
    told = accel.get_stats()
    assert {
        "native raised RuntimeError": 5,
        "native: left alone after errors": 3,
    } == dict(told.reasons)
    assert 8 == told.per_op["tanh"].pure
    assert 8 == told.per_op["tanh"].fallback


def test_a_backend_that_answers_again_is_trusted(monkeypatch):
    """One good answer after the pause closes the breaker."""
    now = [time.monotonic()]
    monkeypatch.setattr(breakers.time, "monotonic", lambda: now[0])
    x = numbers(2, 2)
    with _fast.kernel("tanh", raising):
        for _ in range(3):
            accel.tanh(x)
    assert breakers.is_open("tanh", "native")
    now[0] += breakers.SECONDS
    accel.reset_stats()
    if kernels.available():
        accel.tanh(x)
        assert 1 == accel.get_stats().native_count
        assert not breakers._until


def test_torch_that_raises_is_answered_for(monkeypatch):
    """Numpy computes what torch could not, and the reason is counted; three times trip."""
    pytest.importorskip("torch")
    from shimhub.accel import _torch_ops

    x = numbers(2, 2)
    monkeypatch.setitem(_torch_ops.FUNCTIONS, "relu", raising)
    with accel.using("torch"):
        for _ in range(4):
            np.testing.assert_array_equal(np.maximum(x, 0), accel.relu(x))
        with accel.using(strict=True), pytest.raises(RuntimeError, match="no"):
            accel.relu(x)
    assert {"torch raised RuntimeError": 3, "torch: left alone after errors": 1} == dict(
        accel.get_stats().reasons
    )


# ---- the C functions


def test_calls_leave_no_references():
    """Thousands of calls, good and bad, leave each object's count as it was."""
    x, lists = numbers(3, 3), [[1.0, 2.0], [3.0, 4.0]]
    objects = [x, lists, lists[0], accel.modes.current(), np.float64]
    wrong = numbers(2, 2)

    def work():
        for _ in range(300):
            accel.matmul(x, x), accel.add(x, 1.0), accel.softmax(x, axis=-1), accel.relu(x)
            accel.add(lists, lists), accel.matmul(lists, lists), accel.mse_loss(x, x)
            with pytest.raises(ValueError, match=r"shapes \(3, 3\) and \(2, 2\)"):
                accel.matmul(x, wrong)

    work()
    gc.collect()
    before = [sys.getrefcount(one) for one in objects]
    work()
    gc.collect()
    after = [sys.getrefcount(one) for one in objects]

    assert all(abs(new - old) < 10 for new, old in zip(after, before, strict=True)), (before, after)


@needs_native
@pytest.mark.parametrize("kind", ["ndarray", "list"])
def test_calls_leave_no_objects(kind):
    """Nor does any call, or exception, leave an object that nobody has."""
    given = {name: arguments(name, kind) for name in OPS}

    def work():
        for _ in range(200):
            for name in OPS:
                getattr(accel, name)(*given[name])
            with accel.using("auto", thresholds={"add": 10_000}):
                accel.add(*given["add"])
            with pytest.raises(ValueError, match="shape"):
                accel.mse_loss(given["matmul"][0], given["matmul"][1])

    work()
    gc.collect()
    before = sys.getallocatedblocks()
    work()
    gc.collect()
    assert 100 > sys.getallocatedblocks() - before


@needs_native
def test_kernels_by_name_keep_their_own_limits():
    """Mode NATIVE forces the calls of accel, and none after them: that is told by the bits."""
    x, y = numbers(30, 3000), numbers(3000, 30)
    before = kernels.linalg.native_limit("products", "float32", 0)
    try:
        by_numpy = kernels.linalg.matmul(x, y)
        with accel.using("native"):
            forced = accel.matmul(x, y)
            after_call = kernels.linalg.matmul(x, y)
            accel.explain("matmul", x, y)
            after_explain = kernels.linalg.matmul(x, y)
    finally:
        kernels.linalg.native_limit("products", "float32", before)
    assert 1 == accel.get_stats().native_count
    if np.array_equal(by_numpy, forced):
        pytest.skip("numpy's product has the same bits")
    np.testing.assert_array_equal(by_numpy, after_call)
    np.testing.assert_array_equal(by_numpy, after_explain)


def test_the_mode_may_change_at_any_time():
    """Threads that change modes and thresholds while others compute give right answers."""
    x = numbers(8, 8)
    expected, over, right = x @ x, threading.Event(), []

    def compute():
        while not over.is_set():
            right.append(np.allclose(expected, accel.matmul(x, x), atol=1e-5))

    def change():
        for i in range(300):
            with accel.using(("native", "auto")[i % 2], thresholds={"matmul": 1e9}):
                accel.matmul(x, x)
            accel.set_threshold("add", i)

    computing = [threading.Thread(target=compute) for _ in range(3)]
    changing = [threading.Thread(target=change) for _ in range(2)]
    run_all(changing, computing, over)
    assert right
    assert all(right)


def run_all(changing, computing, over):
    """Run the threads until those of the first kind have ended."""
    for one in computing + changing:
        one.start()
    for one in changing:
        one.join()
    over.set()
    for one in computing:
        one.join()


@pytest.mark.parametrize(
    ("shape", "other"),
    [((4, 4), (4, 4)), ((2, 500), (500, 500)), ((1, 64), (64, 64)), ((9,), (9,))],
)
def test_explain_tells_who_computes(shape, other):
    """The backend that explain names is the one that is counted."""
    for mode in ("pure", "native"):
        for name in ("matmul", "add", "relu"):
            given = (numbers(*shape), numbers(*other))[: 1 if name == "relu" else 2]
            given = (given[0], given[0]) if name == "add" else given
            with accel.using(mode):
                told = accel.explain(name, *given)
                accel.reset_stats()
                getattr(accel, name)(*given)
            assert (told.backend == "native") == accel.get_stats().native_count


@needs_native
def test_what_kernels_cannot_serve_in_their_mode_is_counted():
    """Mode NATIVE falls back to numpy for other dtypes, and says so."""
    with accel.using("native"):
        accel.add(np.arange(3), np.arange(3))
        accel.add(numbers(3), numbers(3))
    told = accel.get_stats()
    assert (2, 1, 1) == (told.pure_count, told.native_count, told.fallback_count)
    assert {"no kernel": 1} == dict(told.reasons)


def test_a_threshold_is_strict():
    """Exactly at the threshold a call stays pure; above it torch computes."""
    pytest.importorskip("torch")
    x = numbers(10, 10)
    accel.set_threshold("matmul", 1000)
    with accel.using("auto"):
        accel.matmul(x, x)
        assert (1, 0) == (accel.get_stats().pure_count, accel.get_stats().ffi_count)
        accel.matmul(np.ones((11, 10), np.float32), x)
        assert (1, 1) == (accel.get_stats().pure_count, accel.get_stats().ffi_count)


WORKS = {
    "matmul": ("matmul", (numbers(4, 5), numbers(5, 3)), {}),
    "matmul, a row": ("matmul", (numbers(5), numbers(5, 3)), {}),
    "matmul, a column": ("matmul", (numbers(4, 5), numbers(5)), {}),
    "matmul, many": ("matmul", (numbers(2, 4, 5), numbers(5, 3)), {}),
    "matmul, by many": ("matmul", (numbers(4, 5), numbers(2, 5, 3)), {}),
    "matmul, of two dtypes": ("matmul", (numbers(4, 5), numbers(5, 3).astype(float)), {}),
    "linear": ("linear", (numbers(4, 5), numbers(5, 3)), {}),
    "linear, many": ("linear", (numbers(2, 4, 5), numbers(5, 3), numbers(3), "relu"), {}),
    "linear, transposed": ("linear", (numbers(4, 5), numbers(3, 5)), {"transposed": True}),
    "linear, not transposed": ("linear", (numbers(4, 5), numbers(5, 3)), {"transposed": False}),
    "add": ("add", (numbers(4, 5), numbers(5)), {}),
    "add, to a row": ("add", (numbers(5), numbers(4, 5)), {}),
    "add, of two dtypes": ("add", (numbers(4, 5), numbers(5).astype(float)), {}),
    "layer_norm": ("layer_norm", (numbers(4, 5), numbers(5)), {"eps": 1.0}),
    "softmax": ("softmax", (numbers(4, 5),), {"axis": 0}),
    "cross_entropy": ("cross_entropy", (numbers(4, 5), np.array([0, 4, 2, 1])), {}),
    "cross_entropy, one class": ("cross_entropy", (numbers(9, 1), np.zeros(9, int)), {}),
}


@pytest.mark.parametrize("name", WORKS)
def test_a_threshold_is_the_work_that_explain_tells(name):
    """Up to it numpy or a kernel computes, above it torch where that can: in C as in Python."""
    pytest.importorskip("torch")
    op, given, options = WORKS[name]
    accel.set_acceleration("auto")
    work = accel.explain(op, *given, **options).work
    for threshold in (work, work - 1):
        accel.set_threshold(op, threshold)
        backend = accel.explain(op, *given, **options).backend
        told = []
        for functions in (accel, ops):
            accel.reset_stats()
            getattr(functions, op)(*given, **options)
            told.append(accel.get_stats())
        assert told[0] == told[1]
        assert (backend == "torch", backend == "native") == (
            told[0].ffi_count == 1,
            told[0].native_count == 1,
        )
        assert threshold < work or backend != "torch"


def counted_in_c():
    """Return how many calls C counted since the last reset."""
    return sum(map(sum, _loading.native().accel_counts()))


@needs_native
@pytest.mark.parametrize(
    ("name", "given"),
    [
        *((name, ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],)) for name in ONE),
        *((name, ([1.0, 2.0, 4.0], [[2.0], [3.0]])) for name in PAIRS),
        ("add", ([[[1, 2], [3, 4]]], 2)),
        ("add", ([1.0], [[2.0, 3.0]])),
        ("matmul", ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])),
        ("matmul", ([[1.0, 2.0], [3.0, 4.0]], (1.0, 2.0))),
        ("matmul", ((1.0, 2.0), [[1.0], [2.0]])),
        ("linear", ([[1.0, 2.0]], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [1.0, 2.0, 3.0])),
        ("linear", ([[[1.0, 2.0]]], [[1.0], [4.0]], None, "relu")),
        ("layer_norm", ([[1.0, 2.0, 4.0]], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])),
        ("mse_loss", ([[1.0, 2.0]], [[2.0, 2.0]])),
        ("cross_entropy", ([[1.0, 2.0], [3.0, 1.0]], [0, 1])),
    ],
)
def test_lists_up_to_a_threshold_stay_in_c(name, given):
    """C takes the work of lists for what Python does: up to the threshold it computes them."""
    accel.set_acceleration("auto")
    work = accel.explain(name, *given).work
    answers = []
    for threshold, in_c in ((work, 1), (work - 1, 0)):
        accel.set_threshold(name, threshold)
        accel.reset_stats()
        answers.append(getattr(accel, name)(*given))
        assert in_c == counted_in_c()

    np.testing.assert_allclose(*answers, rtol=1e-15)


@needs_native
@pytest.mark.parametrize(
    "odd", [[], [[]], [[True]], [np.ones(2)], [[np.float32(1)]], ["1"], [[{}]]]
)
def test_lists_of_other_than_numbers_are_pythons_to_judge(odd):
    """Where a threshold holds, C leaves lists whose size it does not see at once."""
    accel.set_acceleration("auto")
    accel.set_threshold("relu", 100)
    with contextlib.suppress(TypeError, ValueError):
        accel.relu(odd)
    assert 0 == counted_in_c()
