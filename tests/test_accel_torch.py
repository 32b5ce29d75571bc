"""torch beside us: its own functions give the answers, and who follows tensors sees all of it."""

from __future__ import annotations

import copy
import dataclasses
import gc
import math
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from shimhub import accel, kernels
from shimhub.accel import AccelMode, _fast, breakers, model, modes, ops, thresholds, torch_ffi
from shimhub.accel.model import OPS

torch = pytest.importorskip("torch")
functional = torch.nn.functional
pytestmark = pytest.mark.slow

needs_native = pytest.mark.skipif(not kernels.available(), reason="there is no native library")
MODES = ("torch", "native", "auto")
FLOATS = (torch.float32, torch.float64)


@pytest.fixture(autouse=True)
def _as_at_the_start():
    """Every test begins in mode TORCH whose functions are known, with no counts."""
    with accel.using("torch"):
        accel.relu(torch.ones(2))
        accel.reset_stats()
        yield
    accel.reset_breakers()
    accel.reset_stats()


def drawn(*shape, seed=3, dtype=torch.float32):
    """Return a tensor of normally distributed numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


X, W, B = drawn(4, 5), drawn(5, 3, seed=4), drawn(3, seed=5)
CLASSES = torch.tensor([0, 2, 1, 2])


def as_numpy(value):
    """Return a tensor's array that nobody else has; anything else as it is."""
    return value.detach().numpy().copy() if isinstance(value, torch.Tensor) else value


def net(x):
    """Compute a layer with softmax in ours."""
    return accel.softmax(accel.relu(accel.linear(x, W, B)))


def net_of_torch(x):
    """Compute the same in torch's."""
    return torch.softmax(torch.relu(functional.linear(x, W.T, B)), -1)


#: Calls of ours, and what a user of torch writes for the same.
SAME = {
    "softmax": (lambda: accel.softmax(X), lambda: torch.softmax(X, -1)),
    "softmax, axis": (lambda: accel.softmax(X, 0), lambda: torch.softmax(X, 0)),
    "softmax, named": (lambda: accel.softmax(X, axis=0), lambda: torch.softmax(X, 0)),
    "gelu": (lambda: accel.gelu(X), lambda: functional.gelu(X)),
    "gelu, tanh": (
        lambda: accel.gelu(X, approximate="tanh"),
        lambda: functional.gelu(X, approximate="tanh"),
    ),
    "linear": (lambda: accel.linear(X, W, B), lambda: functional.linear(X, W.T, B)),
    "linear, addmm": (lambda: accel.linear(X, W, B), lambda: torch.addmm(B, X, W)),
    "linear, no bias": (lambda: accel.linear(X, W), lambda: functional.linear(X, W.T)),
    "linear, activation": (
        lambda: accel.linear(X, W, B, "relu"),
        lambda: torch.relu(functional.linear(X, W.T, B)),
    ),
    "linear, transposed": (
        lambda: accel.linear(X, W.T, B, transposed=True),
        lambda: functional.linear(X, W.T, B),
    ),
    "linear, deep": (
        lambda: accel.linear(X[None], W, B),
        lambda: functional.linear(X[None], W.T, B),
    ),
    "linear, a row": (lambda: accel.linear(X[0], W, B), lambda: functional.linear(X[0], W.T, B)),
    "layer_norm": (
        lambda: accel.layer_norm(X, X[0], X[1]),
        lambda: functional.layer_norm(X, (5,), X[0], X[1]),
    ),
    "layer_norm, eps": (
        lambda: accel.layer_norm(X, eps=1.0),
        lambda: functional.layer_norm(X, (5,), eps=1.0),
    ),
    "mse_loss": (lambda: accel.mse_loss(X, X + 1), lambda: functional.mse_loss(X, X + 1)),
    "cross_entropy": (
        lambda: accel.cross_entropy(X, CLASSES),
        lambda: functional.cross_entropy(X, CLASSES),
    ),
    "cross_entropy, int32": (
        lambda: accel.cross_entropy(X, CLASSES.int()),
        lambda: functional.cross_entropy(X, CLASSES),
    ),
    "cross_entropy, weights": (
        lambda: accel.cross_entropy(X, torch.softmax(X, -1)),
        lambda: functional.cross_entropy(X, torch.softmax(X, -1)),
    ),
    "cross_entropy, a row": (
        lambda: accel.cross_entropy(X[0], CLASSES[1]),
        lambda: functional.cross_entropy(X[0], CLASSES[1]),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_tensors_have_torchs_bits(name):
    """What a user of torch writes gives the same numbers to the bit; the call counts as torch's."""
    ours, theirs = SAME[name]
    answer = ours()
    assert torch.equal(theirs(), answer)
    assert 1 == accel.get_stats().ffi_count


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_gradients_are_those_of_torch(dtype):
    """A layer and its loss, through torch's own functions: each gradient to the bit."""

    def gradients(layer, loss):
        leaves = [one.to(dtype, copy=True).requires_grad_() for one in (X, W, B)]
        loss(layer(*leaves), CLASSES).backward()
        return [one.grad for one in leaves]

    ours = gradients(accel.linear, accel.cross_entropy)
    theirs = gradients(lambda x, w, b: functional.linear(x, w.T, b), functional.cross_entropy)
    for one, other in zip(theirs, ours, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["tensor", "ndarray"])
def test_shapes_that_torch_lets_broadcast_are_no_layer_and_no_loss(kind, mode):
    """A bias of one number, targets of another shape: ShapeError, nothing counted."""
    given = [X, W, B] if kind == "tensor" else [as_numpy(one) for one in (X, W, B)]
    x, w, b = given
    with accel.using(mode):
        for call in (
            lambda: accel.linear(x, w, b[:1]),
            lambda: accel.linear(x, w, b[None]),
            lambda: accel.linear(x, w, b, "relu")[accel.linear(x, w, b[:1], "relu")],
            lambda: accel.linear(x, w[:2], b),
            lambda: accel.mse_loss(x, x[:1]),
            lambda: accel.cross_entropy(x, b),
            lambda: accel.layer_norm(x, b),
            lambda: accel.softmax(x, 2),
        ):
            accel.reset_stats()
            with pytest.raises(accel.ShapeError):
                call()
    told = accel.get_stats()
    assert (0, 0, 0) == (told.pure_count, told.ffi_count, told.fallback_count)


# ---- arrays that torch computes


ARRAYS = {
    "add": (as_numpy(X), as_numpy(X)),
    "mul": (as_numpy(X), 2.0),
    "matmul": (as_numpy(X), as_numpy(W)),
    "matmul ": (as_numpy(B), as_numpy(B)),
    "linear": (as_numpy(X), as_numpy(W), as_numpy(B)),
    "relu": (as_numpy(X),),
    "gelu": (as_numpy(X),),
    "softmax": (as_numpy(X), 0),
    "layer_norm": (as_numpy(X), as_numpy(X[0]), as_numpy(X[1])),
    "mse_loss": (as_numpy(X), as_numpy(X + 1)),
    "cross_entropy": (as_numpy(X), as_numpy(CLASSES)),
}


@needs_native
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_go_to_torch_from_c(monkeypatch, name):
    """No Python of ours runs, and the answer is that of the rule in Python to the bit."""
    given, name = ARRAYS[name], name.strip()
    expected = getattr(ops, name)(*given)
    monkeypatch.setattr("shimhub.accel._dispatch.call_of", None)
    accel.reset_stats()
    answer = getattr(accel, name)(*given)

    assert type(expected) is type(answer)
    assert expected.dtype == answer.dtype
    np.testing.assert_array_equal(expected, answer)
    assert (1, 0) == (accel.get_stats().ffi_count, accel.get_stats().fallback_count)


def read_only(array):
    """Return a copy that cannot be written."""
    made = array.copy()
    made.flags.writeable = False
    return made


@pytest.mark.parametrize(
    "odd",
    [
        read_only(as_numpy(X)),
        as_numpy(X)[::-1],
        as_numpy(X)[:, ::2],
        as_numpy(X).T,
        as_numpy(X).astype(">f4"),
        as_numpy(X).astype(np.float16),
        np.frombuffer(b"\0" * 81, np.uint8)[1:].view(np.float32).reshape(4, 5),
        np.zeros((0, 5), np.float32),
        np.array(2.0, np.float32),
    ],
)
def test_odd_arrays_are_numpys_or_copied_without_a_word(odd):
    """Read-only, reversed, strided, unaligned, of other dtypes: the same answer, no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = [accel.tanh(odd) if odd.dtype.isnative and odd.itemsize > 2 else None]
        answer += [accel.add(odd, odd), accel.mul(odd, 2.0)]
    assert answer[0] is None or np.allclose(np.tanh(odd), answer[0], atol=1e-6)
    np.testing.assert_array_equal(odd + odd, answer[1])
    np.testing.assert_array_equal(odd * 2.0, answer[2])
    assert type(odd + odd) is type(answer[1])


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, ">i8"])
def test_classes_may_be_of_any_whole_dtype(dtype):
    """Read-only and reversed ones, too; those that do not exist are told."""
    x, classes = as_numpy(X), as_numpy(CLASSES).astype(dtype)
    expected = functional.cross_entropy(X, CLASSES).item()
    for one in (classes, read_only(classes), classes[::-1][::-1], classes[::-1].copy()[::-1]):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert expected == pytest.approx(accel.cross_entropy(x, one).item())
    with pytest.raises((ValueError, IndexError)):
        accel.cross_entropy(x, np.array([0, 1, 2, 5]))


def test_autocast_and_a_watched_torch_are_pythons():
    """Arrays keep their dtype under autocast; a torch that failed is left alone, then asked."""
    x = as_numpy(X)
    with torch.autocast("cpu", torch.bfloat16):
        assert np.float32 == accel.matmul(x, as_numpy(W)).dtype
    assert {"autocast": 1} == dict(accel.get_stats().reasons)
    for _ in range(breakers.FAULTS):
        breakers.fault("relu", "torch")
    accel.reset_stats()
    accel.relu(x)
    assert {"torch: left alone after errors": 1} == dict(accel.get_stats().reasons)
    accel.reset_breakers()
    accel.relu(x)
    assert 1 == accel.get_stats().ffi_count


# ---- tensors that our kernels compute


def ours(low=math.inf, high=math.inf, mode=AccelMode.AUTO):
    """Return settings by which torch computes tensors from ``low`` on, up to ``high``."""
    return model.Settings(mode, False, {"matmul": 0.0}, True, (low, high))


@pytest.fixture
def in_settings():
    """Return a function that lets settings hold for the rest of the test."""
    tokens = []
    yield lambda settings: tokens.append(modes.CURRENT.set(settings))
    for token in reversed(tokens):
        modes.CURRENT.reset(token)


@needs_native
def test_a_range_of_sizes_is_torchs(in_settings):
    """Ours compute below its begin and from its end on; another dtype or layout stays in torch."""
    in_settings(ours(10, 20))
    for count, native in ((9, 1), (10, 0), (19, 0), (20, 1)):
        accel.reset_stats()
        x = drawn(count)
        torch.testing.assert_close(torch.tanh(x), accel.tanh(x))
        assert (native, 1 - native) == (accel.get_stats().native_count, accel.get_stats().ffi_count)
    for odd in (
        drawn(4, 6)[:, ::2],
        drawn(4).bfloat16(),
        drawn(3).to("meta"),
        drawn(4).to_sparse(),
    ):
        accel.reset_stats()
        assert (odd.dtype, odd.layout) == (accel.relu(odd).dtype, accel.relu(odd).layout)
        assert (2, 0) == (accel.get_stats().ffi_count, accel.get_stats().fallback_count)


@needs_native
@pytest.mark.parametrize("name", OPS)
def test_ours_give_tensors(name, in_settings):
    """A tensor of the same dtype and shape as torch's, up to rounding, in AUTO and NATIVE."""
    given = {
        "matmul": (X, W),
        "linear": (X, W, B, "gelu"),
        "layer_norm": (X, X[0], X[1]),
        "mse_loss": (X, X + 1),
        "cross_entropy": (X, CLASSES),
    }.get(name, (X, X + 3) if name in {"add", "sub", "mul", "div"} else (X,))
    expected = getattr(accel, name)(*given)
    in_settings(ours())
    by_ours = getattr(accel, name)(*given)
    with accel.using("native"):
        forced = getattr(accel, name)(*given)
    for answer in (by_ours, forced):
        assert torch.Tensor is type(answer)
        torch.testing.assert_close(expected, answer, rtol=2e-5, atol=2e-6)


def counted():
    """Return how many calls our kernels, numpy and torch computed since the last count."""
    told = accel.get_stats()
    accel.reset_stats()
    return told.native_count, told.pure_count - told.native_count, told.ffi_count


@needs_native
def test_ranges_are_told_by_dtype_and_length_of_rows(monkeypatch):
    """Each of the four has its own, in C as in Python; rows of 16 are not short."""
    made = {(dtype, size): drawn(3, size, dtype=dtype) for dtype in FLOATS for size in (15, 16)}
    for wanted in made:
        by = str(wanted[0]).removeprefix("torch."), wanted[1] < model.SHORT_ROW
        monkeypatch.setattr(
            thresholds,
            "tensor_range",
            lambda _, dtype, __, short, by=by: (
                (math.inf if (dtype, short) == by else 0.0),
                math.inf,
            ),
        )
        thresholds.changed()
        with accel.using("auto"):
            for kind, x in made.items():
                for function in (accel.tanh, ops.tanh):
                    counted()
                    function(x)
                    assert (kind == wanted) == (counted() == (1, 0, 0)), (kind, wanted, function)
    monkeypatch.undo()
    thresholds.changed()


#: Calls whose work is not that of one matrix: what they are, and the work in the unit of ranges.
WORKS = {
    "add, a row": ("add", (X, X[0]), 20),
    "add, more first": ("add", (drawn(8, 5), drawn(8, 1)), 40),
    "matmul": ("matmul", (X, W), 60),
    "matmul, tall": ("matmul", (drawn(7, 5), drawn(5, 2)), 70),
    "linear": ("linear", (drawn(7, 5), drawn(5, 2), drawn(2)), 70),
    "linear, no bias": ("linear", (drawn(7, 5), drawn(5, 2)), 70),
    "layer_norm": ("layer_norm", (X, X[0], X[1]), 20),
    "mse_loss": ("mse_loss", (X, X + 1), 20),
    "cross_entropy": ("cross_entropy", (X, CLASSES), 20),
}


@needs_native
@pytest.mark.parametrize("name", WORKS)
def test_works_of_tensors_are_those_of_the_rule(name):
    """A range ends, and begins, at the same work whoever dispatches, and explain tells it."""
    op, given, work = WORKS[name]
    for low, high, by_torch in (
        (work, math.inf, True),
        (work + 1, math.inf, False),
        (0, work, False),
        (0, work + 1, True),
    ):
        token = modes.CURRENT.set(ours(low, high))
        try:
            told = accel.explain(op, *given)
            for functions in (accel, ops):
                counted()
                getattr(functions, op)(*given)
                found = counted()
                assert (work, by_torch) == (told.work, found[2] == 1), (low, high, functions)
            assert (told.backend == "torch") == by_torch
        finally:
            modes.CURRENT.reset(token)


#: Tensors that our kernels do not compute, or not with these beside them.
NOT_OURS = {
    "another dtype beside": ("add", (X, X.double()), {}),
    "another dtype of weights": ("mse_loss", (X, X.double()), {}),
    "a number beside": ("mul", (X, 2.0), {}),
    "a whole number beside": ("mul", (X, 2), {}),
    "a scale": ("add", (X, X), {"alpha": 3}),
    "classes of 32 bits": ("cross_entropy", (X, CLASSES.int()), {}),
    "columns": ("softmax", (X, 0), {}),
}


@needs_native
@pytest.mark.parametrize("mode", ["native", "ours"])
@pytest.mark.parametrize("name", NOT_OURS)
def test_what_is_not_ours_is_one_by_c_and_by_the_rule(name, mode, in_settings):
    """The same answer or exception, computed by the same, with the same reasons."""
    op, given, named = NOT_OURS[name]
    in_settings(ours() if mode == "ours" else model.Settings(AccelMode.NATIVE))
    told = []
    for functions in (ops, accel):
        accel.reset_stats()
        try:
            answer = getattr(functions, op)(*given, **named)
        except Exception as error:  # noqa: BLE001 - compared
            answer = type(error)
        told.append((str(answer), dict(accel.get_stats().reasons), counted()))
    assert told[0] == told[1]
    assert 0 == told[0][2][0]


LOSSES = {
    "mse_loss": (X, X + 1),
    "mse_loss, deep": (X[None], X[None] + 1),
    "cross_entropy": (X, CLASSES),
    "cross_entropy, shares": (X, torch.softmax(X, -1)),
    "cross_entropy, a row": (X[0], CLASSES[1]),
    "cross_entropy, shares of a row": (X[0], torch.softmax(X[0], -1)),
}


@needs_native
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_tensors_are_ours_below_a_range(name, dtype, in_settings):
    """A tensor without dimensions and of the dtype, counted as native; explain says so."""
    x, target = (one.to(dtype) if one.is_floating_point() else one for one in LOSSES[name])
    op = name.partition(",")[0]
    expected = getattr(functional, op)(x, target)
    in_settings(ours(1000, 2000))
    assert "native" == accel.explain(op, x, target).backend
    answer = getattr(accel, op)(x, target)
    assert torch.Tensor is type(answer)
    torch.testing.assert_close(expected, answer, rtol=1e-6, atol=0)
    assert (1, 0) == (accel.get_stats().native_count, accel.get_stats().ffi_count)
    by_python = getattr(ops, op)(x, target)
    assert (torch.Tensor, x.dtype) == (type(by_python), by_python.dtype)
    assert torch.equal(answer, by_python)
    assert (2, 0) == (accel.get_stats().native_count, accel.get_stats().ffi_count)


#: Calls of a cross entropy that only torch computes so, and why.
ONLY_TORCH = {
    "a class left out": (X, torch.tensor([-100, *CLASSES[1:]]), "other classes"),
    "whole numbers of 32 bits": (X, CLASSES.int(), "dtype int32"),
    "classes with steps": (X, CLASSES.repeat_interleave(2)[::2], "target's layout"),
    "more dimensions": (drawn(2, 5, 3), torch.tensor([[0, 1, 4], [2, 2, 3]]), "dimensions"),
    "shares of more dimensions": (drawn(2, 5, 3), drawn(2, 5, 3), "dimensions"),
    "a gradient": (drawn(4, 5).requires_grad_(), CLASSES, "needs-grad"),
    "a gradient of shares": (X, torch.softmax(X, -1).requires_grad_(), "needs-grad"),
}


@pytest.mark.parametrize("name", ONLY_TORCH)
def test_cross_entropies_that_only_torch_has_stay_there(name, in_settings):
    """With torch's answer: in AUTO it is no fallback, in NATIVE it is one, with its reason."""
    x, target, why = ONLY_TORCH[name]
    classes = target.long() if not target.is_floating_point() else target
    expected = functional.cross_entropy(x, classes)
    in_settings(ours())
    assert torch.equal(expected, accel.cross_entropy(x, target))
    assert (1, 0) == (accel.get_stats().ffi_count, accel.get_stats().fallback_count)
    with accel.using("native"):
        assert torch.equal(expected, accel.cross_entropy(x, target))
        assert ("torch", why) == (
            accel.explain("cross_entropy", x, target).backend,
            accel.explain("cross_entropy", x, target).reason,
        )
    assert {why: 1} == accel.get_stats().reasons


@pytest.mark.parametrize("wrong", [5, -1, -99])
def test_classes_that_x_has_not_are_torchs_error_in_every_mode(wrong, in_settings):
    """An IndexError, which counts against nobody."""
    target = torch.tensor([wrong, *CLASSES[1:]])
    in_settings(ours())
    for mode in ("auto", "native", "torch", "pure"):
        with accel.using(mode), pytest.raises(IndexError, match="out of bounds"):
            accel.cross_entropy(X, target)
    assert 0 == accel.get_stats().fallback_count


@needs_native
def test_parameters_without_autograd_are_ours(in_settings):
    """Under no_grad a parameter is a tensor as others are; with autograd it stays in torch."""
    in_settings(ours())
    weight = torch.nn.Parameter(W)
    with torch.no_grad():
        accel.linear(X, weight, B)
    assert (1, 0) == (accel.get_stats().native_count, accel.get_stats().ffi_count)
    assert accel.linear(X, weight, B).requires_grad
    assert (1, 1) == (accel.get_stats().native_count, accel.get_stats().ffi_count)
    with torch.inference_mode():
        torch.testing.assert_close(functional.linear(X, W.T, B), accel.linear(X, weight, B))


# ---- who follows tensors


def by_compile(backend):
    """Return a way to compute a function: compiled, with something before and after ours."""

    def way(function):
        torch._dynamo.reset()
        return torch.compile(lambda x: function(x * 1.0) * 2.0, backend=backend)(X)

    return way


def by_jvp(function):
    """Compute forward-mode derivatives."""
    return torch.func.jvp(function, (X,), (torch.ones_like(X),))[1]


def by_dual(function):
    """Compute forward-mode derivatives by dual numbers."""
    level = torch.autograd.forward_ad
    with level.dual_level():
        return level.unpack_dual(function(level.make_dual(X, X * 2))).tangent.clone()


def by_compiled_gradient(function):
    """Compute gradients of a compiled function."""
    torch._dynamo.reset()
    x = X.clone().requires_grad_()
    torch.compile(lambda x: function(x * 1.0).square().sum(), backend="aot_eager")(x).backward()
    return x.grad


def by_make_fx(function):
    """Trace to a graph, and run that on other numbers."""
    from torch.fx.experimental.proxy_tensor import make_fx

    return make_fx(function)(X)(X + 1)


WAYS = {
    "compile, eager": by_compile("eager"),
    "compile, aot_eager": by_compile("aot_eager"),
    "compile, gradient": by_compiled_gradient,
    "vmap": lambda function: torch.vmap(function)(X),
    "vmap of grad": lambda function: torch.vmap(torch.func.grad(lambda x: function(x)[0]))(X),
    "grad": (lambda function: torch.func.grad(lambda x: function(x).square().sum())(X)),
    "jvp": by_jvp,
    "dual": by_dual,
    "functionalize": lambda function: torch.func.functionalize(function)(X),
    "make_fx": by_make_fx,
    "jit.trace": lambda function: torch.jit.trace(function, (X,))(X + 1),
    "inference_mode": torch.inference_mode()(lambda function: function(X)),
    "autocast": torch.autocast("cpu", torch.bfloat16)(lambda function: function(X)),
    "negative bit": lambda function: function(torch._neg_view(X)),
    "checkpoint": lambda function: torch.utils.checkpoint.checkpoint(
        function, X.clone().requires_grad_(), use_reentrant=False
    ).detach(),
    "DataParallel": lambda function: torch.nn.DataParallel(Layer(function))(X),
    "deepcopy": lambda function: copy.deepcopy(Layer(function))(X),
}


class Layer(torch.nn.Module):
    """A module of a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        """Compute it."""
        return self.function(x)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", WAYS)
def test_transformations_of_torch_see_our_functions(way, mode):
    """Compiled, traced, mapped, differentiated both ways: the numbers of torch's functions."""
    expected = WAYS[way](net_of_torch)
    with accel.using(mode):
        answer = WAYS[way](net)
    assert expected.dtype == answer.dtype
    torch.testing.assert_close(expected, answer, rtol=2e-5, atol=2e-6)


def test_modes_and_subclasses_see_every_operation():
    """A dispatch mode, a function mode, fake tensors and __torch_function__, in mode NATIVE too."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode

    seen = []

    class Dispatch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            seen.append(str(function))
            return function(*args, **(kwargs or {}))

    class Function(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            seen.append(function.__name__)
            return function(*args, **(kwargs or {}))

    for mode in MODES:
        with accel.using(mode):
            for made in (Dispatch(), Function()):
                seen.clear()
                with made:
                    accel.gelu(X)
                assert "gelu" in str(seen), (mode, made)
            with FakeTensorMode(allow_non_fake_inputs=True) as fake:
                assert "FakeTensor" == type(accel.gelu(fake.from_tensor(X))).__name__


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_is_raised_at_once(error):
    """By C as well: torch is not asked a second time."""
    from torch.overrides import TorchFunctionMode

    asked = []

    class Ending(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            asked.append(function.__name__)
            raise error

    with Ending(), pytest.raises(error):
        accel.tanh(X)
    first = "tanh" if kernels.available() else "__get__"  # Python asks for the layout before
    assert [first] == asked


@pytest.mark.parametrize("name", OPS)
def test_functions_are_copied_and_pickled_as_functions(name):
    """By name, as numpy's and torch's: a module that holds one is copied and saved."""
    function = getattr(accel, name)
    assert function is copy.deepcopy(function)
    assert not kernels.available() or function is pickle.loads(pickle.dumps(function))


# ---- references


def resident_kb():
    """Return the memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def collect_all():
    """Free all garbage: what torch.compile leaves holds more that the next collection finds."""
    while gc.collect():
        pass


TENSORS = [X.clone(), W.clone(), B.clone(), CLASSES.clone()]
AS_ARRAYS = [as_numpy(one) for one in TENSORS]
PARAMETER = torch.nn.Parameter(X.clone())


def call_all(times):
    """Call what has a way of its own to torch so often, on tensors and arrays, right and wrong."""
    for _ in range(times):
        for one, two, three, four in (TENSORS, AS_ARRAYS):
            accel.linear(one, two, three), accel.linear(one, two), accel.add(one, one)
            accel.softmax(one), accel.softmax(one, axis=0), accel.gelu(one)
            accel.layer_norm(one, eps=1e-3), accel.mse_loss(one, one), accel.matmul(one, two)
            accel.cross_entropy(one, four), accel.mul(one, 2.0)
        with torch.no_grad():
            accel.relu(PARAMETER)
        with pytest.raises(accel.ShapeError):
            accel.linear(*TENSORS[:2], B[:1])
        with pytest.raises(accel.ShapeError):
            accel.mse_loss(AS_ARRAYS[0], AS_ARRAYS[1])


@needs_native
@pytest.mark.parametrize("mode", MODES)
def test_paths_to_torch_leave_no_references(mode):
    """Hundreds of calls leave each object's count as it was."""
    kept = [None, -1, 1, (), torch.addmm, torch.Tensor, accel.linear, np.float32]
    with accel.using(mode):
        objects = [PARAMETER, *TENSORS, *AS_ARRAYS, *kept, modes.current()]
        call_all(200)
        collect_all()
        before = [sys.getrefcount(one) for one in objects]
        call_all(600)
        collect_all()
        after = [sys.getrefcount(one) for one in objects]
    pairs = zip(objects, before, after, strict=True)
    assert [] == [(one, new - old) for one, old, new in pairs if abs(new - old) > 30]


@needs_native
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("mode", MODES)
def test_paths_to_torch_leave_nothing_behind(mode):
    """Nor does memory grow."""
    with accel.using(mode):
        call_all(200)
        collect_all()
        before = resident_kb()
        call_all(600)
        collect_all()
    assert resident_kb() - before < 2000


@pytest.mark.parametrize("layout", ["strided", "jagged"])
@pytest.mark.parametrize("mode", ["pure", "native", "auto"])
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors_are_torchs(mode, layout):
    """Their sizes are no numbers: nothing is asked of them."""
    rows = [torch.tensor([1.0, -2.0]), torch.tensor([-3.0, 4.0, 5.0])]
    nested = torch.nested.nested_tensor(rows, layout=getattr(torch, layout))
    with accel.using(mode):
        found = accel.relu(nested)
        assert "torch" == accel.explain("relu", nested).backend
    assert [[1, 0], [0, 4, 5]] == [one.tolist() for one in found.unbind()]


@pytest.mark.parametrize("mode", ["native", "auto"])
def test_a_kernel_that_fails_on_tensors_is_counted(monkeypatch, mode):
    """In mode AUTO, too: torch answers, and the reason is among those of the counts."""
    monkeypatch.setattr(thresholds, "tensor_range", lambda *_: (math.inf, math.inf))
    thresholds.changed()

    def failing(*_):
        raise RuntimeError("broken")

    accel.reset_stats()
    with _fast.kernel("tanh", failing), accel.using(mode):
        assert [0.0] == accel.tanh(torch.zeros(1)).tolist()
    assert {"native raised RuntimeError": 1} == accel.get_stats().reasons
    accel.reset_breakers()
    monkeypatch.undo()
    thresholds.changed()


def test_functions_by_name_are_refused_after_a_fork(monkeypatch):
    """They would wait for threads that ended with it; calls of accel are numpy's there."""
    monkeypatch.setattr(torch_ffi, "has_threads_of_parent", lambda: True)
    with pytest.raises(accel.AccelError, match="start processes by spawn"):
        torch_ffi.relu_torch_ffi(np.ones(2))


def test_counts_can_be_kept_and_told():
    """Stats pickle, copy and become a dict."""
    accel.relu(np.ones(2))
    told = accel.get_stats()
    assert told == pickle.loads(pickle.dumps(told)) == copy.deepcopy(told)
    assert told.pure_count == dataclasses.asdict(told)["pure_count"]


@pytest.mark.parametrize("mode", ["pure", "torch", "auto", "native"])
@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "softmax", "sigmoid", "layer_norm"])
def test_activation_checkpointing_ends_its_recomputation(name, mode):
    """An exception by which torch ends what it computes is no mistake, to be computed again."""
    from torch.utils import checkpoint

    x = drawn(6, 4).requires_grad_()
    function = getattr(accel, name)
    for _ in range(2):
        x.grad = None
        with accel.using(mode):
            checkpoint.checkpoint(function, x, use_reentrant=False).sum().backward()
            plain = x.detach().requires_grad_()
            function(plain).sum().backward()
        torch.testing.assert_close(plain.grad, x.grad)
