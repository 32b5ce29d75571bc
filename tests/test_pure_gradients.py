"""Gradients of tensors: every operation by finite differences, and the ways they are refused."""

from __future__ import annotations

import copy
import gc
import os
import signal
import sys
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub.pure import GELU, LayerNorm, Linear, ReLU, Sequential, Softmax, _graph, _making
from shimhub.pure import tensor_ops as ops
from shimhub.pure._graph import no_grad
from shimhub.pure.errors import DataError, GraphError
from shimhub.pure.tensor import PureTensor

STEP = 1e-6


def slopes(function, arrays, index):
    """Return the derivative of a number by each element of one array: central differences."""
    found = np.zeros_like(arrays[index])
    for place in np.ndindex(found.shape):
        ends = []
        for sign in (1, -1):
            moved = [array.copy() for array in arrays]
            moved[index][place] += sign * STEP
            with no_grad():
                tensors = [PureTensor(one, dtype="float64") for one in moved]
                ends.append(function(*tensors).item())
        found[place] = (ends[0] - ends[1]) / (2 * STEP)
    return found


def check(function, *shapes, above=None):
    """Compare the gradients of ``sum(function * weights)`` with finite differences, in float64."""
    draw = np.random.default_rng(len(shapes) + sum(sum(one) for one in shapes))
    arrays = [draw.normal(size=one) for one in shapes]
    if above is not None:
        arrays = [np.abs(one) + above for one in arrays]
    weights = {}

    def number(*tensors):
        out = function(*tensors)
        weigh = weights.setdefault("w", draw.normal(size=out.shape))
        return (out * PureTensor(weigh, dtype="float64")).sum()

    tensors = [PureTensor(one.copy(), True, dtype="float64") for one in arrays]
    number(*tensors).backward()
    for index, tensor in enumerate(tensors):
        expected = slopes(number, arrays, index)
        assert tensor.shape == tensor.grad.shape
        np.testing.assert_allclose(tensor.grad.data, expected, rtol=2e-5, atol=2e-7)


OPERATIONS = {
    "add": (lambda a, b: a + b, (2, 3), (2, 3)),
    "add-broadcast": (lambda a, b: a + b, (2, 1, 3), (4, 1)),
    "add-number": (lambda a: 2 + a + 1, (3,)),
    "sub": (lambda a, b: a - b, (2, 3), (3,)),
    "sub-from-number": (lambda a: 1 - a, (3,)),
    "mul": (lambda a, b: a * b, (2, 3), (2, 1)),
    "mul-self": (lambda a: a * a, (2, 3)),
    "neg": (lambda a: -a, (3,)),
    "matmul": (lambda a, b: a @ b, (2, 3), (3, 4)),
    "matmul-vectors": (lambda a, b: a @ b, (3,), (3,)),
    "matmul-vector-left": (lambda a, b: a @ b, (3,), (3, 4)),
    "matmul-vector-right": (lambda a, b: a @ b, (2, 3), (3,)),
    "matmul-stack": (lambda a, b: a @ b, (2, 3, 4), (2, 4, 2)),
    "matmul-stack-broadcast": (lambda a, b: a @ b, (2, 3, 4), (4, 2)),
    "matmul-stack-left": (lambda a, b: a @ b, (3, 4), (2, 1, 4, 2)),
    "matmul-stack-by-vector": (lambda a, b: a @ b, (2, 3, 4), (4,)),
    "matmul-vector-by-stack": (lambda a, b: a @ b, (3,), (2, 3, 4)),
    "linear": (ops.linear, (5, 3), (3, 2), (2,)),
    "linear-transposed": (
        lambda x, w, b: ops.linear(x, w, b, transposed=True),
        *((2, 5, 3), (2, 3), (2,)),
    ),
    "linear-row": (lambda x, w: ops.linear(x, w, transposed=True), (3,), (2, 3)),
    "linear-tanh": (lambda x, w, b: ops.linear(x, w, b, "tanh"), (5, 3), (3, 2), (2,)),
    "linear-gelu-tanh": (lambda x, w, b: ops.linear(x, w, b, "gelu_tanh"), (4, 3), (3, 2), (2,)),
    "relu": (ops.relu, (3, 4)),
    "sigmoid": (ops.sigmoid, (3, 4)),
    "tanh": (ops.tanh, (3, 4)),
    "gelu": (ops.gelu, (3, 4)),
    "gelu-tanh": (lambda x: ops.gelu(x, "tanh"), (3, 4)),
    "softmax": (ops.softmax, (3, 4)),
    "softmax-axis": (lambda x: ops.softmax(x, 0), (3, 4)),
    "layer-norm": (ops.layer_norm, (3, 4), (4,), (4,)),
    "layer-norm-plain": (ops.layer_norm, (2, 3, 4)),
    "layer-norm-bias": (lambda x, b: ops.layer_norm(x, None, b), (3, 4), (4,)),
    "exp": (lambda a: a.exp(), (3,)),
    "power": (lambda a: a**3, (3,)),
    "power-zero": (lambda a: a**0, (3,)),
    "sum": (lambda a: a.sum(), (2, 3)),
    "sum-axis": (lambda a: a.sum(1), (2, 3)),
    "sum-axes": (lambda a: a.sum((0, -1), keepdims=True), (2, 3, 4)),
    "mean": (lambda a: a.mean(), (2, 3)),
    "mean-axis": (lambda a: a.mean(0), (2, 3)),
    "max": (lambda a: a.max(), (2, 3)),
    "max-axis": (lambda a: a.max(-1, keepdims=True), (2, 3)),
    "reshape": (lambda a: a.reshape(3, -1), (2, 3)),
    "transpose": (lambda a: a.T, (2, 3)),
    "transpose-order": (lambda a: a.transpose(1, 2, 0), (2, 3, 4)),
    "transpose-from-the-end": (lambda a: a.transpose(-1, 0), (3, 3)),
    "transpose-mixed": (lambda a: a.transpose(0, -1, -2), (3, 3, 3)),
    "transpose-turned": (lambda a: a.transpose(-1, 0, 1), (2, 3, 4)),
    "transpose-tuple": (lambda a: a.transpose((1, -1, 0)), (2, 3, 4)),
    "transpose-list": (lambda a: a.transpose([np.int64(-1), 0]), (2, 3)),
    "transpose-none": (lambda a: a.transpose(None), (2, 3)),
    "transpose-one": (lambda a: a.transpose(-1) * a.transpose((0,)), (3,)),
    "slice": (lambda a: a[1:, ::2], (3, 4)),
    "slice-back": (lambda a: a[::-1, None, 1, ...], (3, 4)),
    "slices-that-overlap": (lambda a: a[:2] * a[1:], (3, 4)),
    "slice-of-a-view": (lambda a: a.T.reshape(2, 6)[:, 1::2] * a.reshape(6, 2).T[:, :3], (3, 4)),
    "broadcast-both": (lambda a, b, c: a * b / (c * c + 1), (2, 1, 3), (4, 1), ()),
    "row": (lambda a: a[-1], (3, 4)),
    "repeated-rows": (lambda a: a[[0, 1, 0]], (3, 4)),
    "pairs-that-repeat": (lambda a: a[[0, 0, 2], [1, 1, 3]], (3, 4)),
    "mask": (lambda a: a[np.array([True, False, True])], (3, 4)),
    "places": (lambda a: a[PureTensor([0, 2]), 1], (3, 4)),
    "concat": (lambda a, b: ops.concat([a, b], axis=1), (2, 3), (2, 1)),
    "mse": (ops.mse_loss, (4, 3), (4, 3)),
    "cross-entropy": (lambda x: ops.cross_entropy(x, [1, 0, 2, 2]), (4, 3)),
    "cross-entropy-row": (lambda x: ops.cross_entropy(x, 1), (3,)),
    "cross-entropy-shares": (
        lambda x: ops.cross_entropy(x, np.array([[0.1, 0.2, 0.7], [1.0, 0.0, 0.5]])),
        (2, 3),
    ),
    "cross-entropy-by-shares": (ops.cross_entropy, (4, 3), (4, 3)),
    "cross-entropy-by-shares-row": (ops.cross_entropy, (3,), (3,)),
    "cross-entropy-with-itself": (lambda x: ops.cross_entropy(x, ops.softmax(x)), (4, 3)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients_are_the_slopes(name):
    """The gradient by each operand is the slope that finite differences find."""
    check(*OPERATIONS[name])


@pytest.mark.parametrize("name", ["div", "div-number", "log", "power"])
def test_gradients_away_from_zero_are_the_slopes(name):
    """So it is for what has a pole at 0, away from it."""
    functions = {
        "div": (lambda a, b: a / b, (2, 3), (3,)),
        "div-number": (lambda a: 2 / a / 3, (3,)),
        "log": (lambda a: a.log(), (3,)),
        "power": (lambda a: a**-0.5, (3,)),
    }
    check(*functions[name], above=0.5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["+", "*", "-", "@", "tanh", "T", "mean"]), max_size=6))
def test_gradients_of_compositions_are_the_slopes(steps):
    """Any chain of operations over two operands that are used again and again, too."""

    def function(a, b):
        out = a
        for step in steps:
            out = {
                "+": lambda x: x + b,
                "*": lambda x: x * a,
                "-": lambda x: b - x,
                "@": lambda x: x @ b,
                "tanh": ops.tanh,
                "T": lambda x: x.T,
                "mean": lambda x: x + x.mean(0),
            }[step](out)
        return ops.tanh(out) + b

    check(function, (2, 2), (2, 2))


# ---- the walk


def test_gradients_add_up_until_they_are_forgotten():
    """A second backward adds to the first; zero_grad begins again."""
    x = PureTensor([1.0, 2.0], True)
    (x * 3).sum().backward()
    (x * 3).sum().backward()
    assert [6.0, 6.0] == x.grad.tolist()
    x.zero_grad()
    assert x.grad is None


def test_two_leaves_never_share_a_gradient():
    """What one sum hands to two leaves is two arrays, and none is the caller's."""
    a, b = PureTensor([1.0, 2.0], True), PureTensor([3.0, 4.0], True)
    given_one = np.array([1.0, 1.0], np.float32)
    (a + b).backward(given_one)
    a.backward(given_one)
    a.grad.data[:] = 9
    assert [1.0, 1.0] == b.grad.tolist() == given_one.tolist()


def test_one_result_used_twice_gets_both():
    """A diamond: the gradients of both branches meet before they go on."""
    x = PureTensor([2.0], True)
    y = x * x
    (y * y + y).backward()
    assert [4 * 2.0**3 + 2 * 2.0] == x.grad.tolist()


@pytest.mark.parametrize("walked", [True, False])
def test_depth_has_no_limit(walked):
    """A chain of 10,000 results is walked back, and dropped, without recursion."""
    x = PureTensor([1.0], True)
    y = x
    for _ in range(10_000):
        y = y + 0.0
    if walked:
        y.backward()
        assert [1.0] == x.grad.tolist()
    del y


def test_results_are_freed_without_the_collector():
    """No result leads to itself: with gc off, all of a step is freed, walked back or not."""
    model = Sequential(Linear(3, 4), ReLU(), LayerNorm(4), GELU(), Linear(4, 2), Softmax())
    x = PureTensor(np.ones((5, 3)))
    gc.collect()
    gc.disable()
    try:
        for walked in (True, False):
            parts = [model(x)[1:, ::-1].T, model(x).max(0).reshape(2, 1)]
            parts.append(ops.concat(parts, axis=1).reshape(-1).exp().mean())
            if walked:
                parts[-1].backward()
            left = [weakref.ref(one) for one in parts]
            left += [weakref.ref(tensor) for one in parts for tensor, _, _ in one.node.edges or ()]
            del parts
            assert [None] * len(left) == [one() for one in left]
        model.zero_grad()
        assert 0 == gc.collect()
    finally:
        gc.enable()


def test_a_walk_that_fails_adds_nothing():
    """An exception in the middle, of memory that is out or of Ctrl-C: no gradient is half there."""
    x, w = PureTensor([1.0], True), PureTensor([2.0], True)
    y = (x.exp() * w).sum()
    y.node.edges[0][0].node.edges[0] = (x, lambda g: 1 / 0, ())
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert (None, None) == (x.grad, w.grad)


@pytest.mark.parametrize("shape", [(3, 2), (6,), (2,), (2, 2, 2), ()])
def test_a_gradient_that_does_not_fit_is_refused(shape):
    """What is no broadcast of the operand is never reshaped to it: a wrong gradient is told."""
    x = PureTensor(np.ones((2, 3)), True)
    y = x * 2
    y.node.edges[0] = (x, lambda g: np.ones(shape), ())
    with pytest.raises(GraphError, match=r"came to a tensor of shape \(2, 3\)"):
        y.sum().backward()
    assert x.grad is None


def test_axes_that_are_no_order_are_refused():
    """Too many, too few, twice the same, or one that there is not: the error of numpy."""
    x = PureTensor(np.ones((2, 3)), True)
    for axes in ((0,), (0, 0), (0, -2), (0, 2), ((0, 1, 2),)):
        with pytest.raises(ValueError, match=r"ax[ei]s"):
            x.transpose(*axes)


def test_only_what_needs_a_gradient_is_remembered():
    """Without requires_grad, and under no_grad, a result remembers nothing."""
    x, w = PureTensor([1.0]), PureTensor([2.0], True)
    assert (x * x).node is None
    with no_grad():
        assert (w * x).node is None
        assert not (w * x).requires_grad
    assert [w] == [tensor for tensor, _, _ in (w * x).node.edges]


def test_no_grad_ends_with_an_exception():
    """What is raised inside does not leave recording off."""
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert (PureTensor([1.0], True) * 2).requires_grad


def test_a_second_walk_is_refused_unless_the_first_kept_the_way():
    """Backward twice is an error that names the cure, and adds nothing."""
    x = PureTensor([1.0], True)
    y = x * 2
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(GraphError, match=r"retain_graph=True"):
        (y + x).backward()
    assert [4.0] == x.grad.tolist()


@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[0], lambda x: x.T, lambda x: x.detach()])
def test_a_write_after_use_is_refused(view):
    """What was written, through any view, after a gradient was to read it: no wrong gradient."""
    x, w = PureTensor([[1.0, 2.0]]), PureTensor([[3.0, 4.0]], True)
    y = (w * view(x)).sum()
    x[0, 0] = 5.0
    with pytest.raises(GraphError, match=r"shape \(.*\) was written"):
        y.backward()
    assert w.grad is None


@pytest.mark.parametrize("name", ["exp", "relu", "sigmoid", "tanh", "gelu", "softmax", "div"])
def test_a_write_to_a_result_that_its_own_gradient_reads_is_refused(name):
    """The slope of a sigmoid is computed from the result: a write to it is no wrong gradient."""
    x = PureTensor([1.0, 2.0], True)
    y = x / 3 if name == "div" else getattr(ops, name)(x)
    y.detach()[0] = 9.0
    with pytest.raises(GraphError, match="the result of an operation was written"):
        y.backward([1.0, 1.0])
    assert x.grad is None


@pytest.mark.parametrize(
    ("index", "shared"), [(slice(1, 2), True), ([1], False), ((slice(None), [0]), False)]
)
def test_what_was_taken_knows_whose_memory_it_has(index, shared):
    """A slice is written with its tensor; rows chosen by a list are their own."""
    x = PureTensor(np.ones((2, 2)))
    assert shared == (x.written is x[index].written)
    assert x.written is x.T[1:].reshape(-1).written
    assert shared == (x.written is x.T.T[index].written)


def test_what_is_written_past_the_tensor_is_told_by_wrote():
    """Nobody sees a write to the array itself, .data; after wrote() the old way back is refused."""
    x, w = PureTensor([1.0]), PureTensor([2.0], True)
    y = w * x
    x.data[0] = 3.0
    x.wrote()
    with pytest.raises(GraphError, match="was written"):
        y.backward()
    again = w * x
    x.data = np.array([9.0], np.float32)
    again.backward()
    assert [3.0] == w.grad.tolist()


def test_a_copy_does_not_mind_a_write_to_what_it_was_taken_from():
    """Rows that were chosen by a list are their own: the data may be written before backward."""
    x, w = PureTensor([[1.0], [2.0]]), PureTensor([3.0], True)
    y = (w * x[[1, 1]]).sum()
    x[1] = 9.0
    y.backward()
    assert [4.0] == w.grad.tolist()


def test_a_write_to_the_shares_of_a_cross_entropy_is_refused():
    """The gradient by the logits reads the target; of one that is an array it reads a copy."""
    x, target = PureTensor([[1.0, 2.0]], True), PureTensor([[0.5, 0.5]])
    loss = ops.cross_entropy(x, target)
    target[...] = 0.0
    with pytest.raises(GraphError, match="was written"):
        loss.backward()
    assert x.grad is None


@pytest.mark.parametrize(
    "target",
    [
        np.array([1]),
        np.array([1], np.int32),
        np.array([1.0]),
        np.array([[0.25, 0.75]], np.float32),
        np.array([[0.25, 0.75]]),
    ],
)
def test_a_target_in_an_array_that_is_used_again_is_copied(target):
    """A buffer may hold the next batch's classes or shares before backward: its gradient is old."""
    expected, x = (PureTensor([[1.0, 2.0]], True) for _ in range(2))
    ops.cross_entropy(expected, target.copy()).backward()
    loss = ops.cross_entropy(x, target)
    target[...] = 0
    loss.backward()
    assert expected.grad.tolist() == x.grad.tolist()


def test_cross_entropy_by_shares_is_torchs():
    """Also with logits far out, and of the dtype of the target."""
    torch = pytest.importorskip("torch")
    x, shares = [[1e4, -1e4, 3.0], [0.5, 0.0, 1.0]], [[0.5, 0.25, 0.25], [1.0, 0.0, 1.0]]
    logits, target = PureTensor(x, True), PureTensor(shares, True, dtype="float64")
    theirs = torch.tensor(shares, requires_grad=True)
    ops.cross_entropy(logits, target).backward()
    torch.nn.functional.cross_entropy(torch.tensor(x), theirs).backward()
    assert "float64" == target.grad.dtype.name
    np.testing.assert_allclose(target.grad.data, theirs.grad.numpy(), rtol=1e-6)


def test_a_write_that_no_gradient_reads_is_none_of_its_business():
    """A sum's gradient reads no operand, so that an optimizer may step before it."""
    w = PureTensor([1.0], True)
    y = w + 1
    w.wrote()
    y.backward()
    assert [1.0] == w.grad.tolist()


def test_writes_that_would_lose_a_gradient_are_refused():
    """x[...] = on a leaf that records, or on a result, names the cure; under no_grad it writes."""
    x = PureTensor([1.0, 2.0], True)
    with pytest.raises(GraphError, match="no_grad"):
        x[0] = 1.0
    y = x * 2
    with no_grad():
        with pytest.raises(GraphError, match="detach"):
            y[0] = 1.0
        x[0] = PureTensor(7.0)
    assert [7.0, 2.0] == x.tolist()


def test_backward_needs_a_number_or_a_gradient():
    """Of a result with more elements, and of what needs none, it is refused; a scalar is fine."""
    x = PureTensor([1.0, 2.0], True)
    with pytest.raises(GraphError, match=r"shape \(2,\) is not one number"):
        (x * 2).backward()
    with pytest.raises(DataError, match=r"gradient: shape \(3,\) is not \(2,\)"):
        (x * 2).backward([1, 2, 3])
    with pytest.raises(GraphError, match="requires_grad=True"):
        x.detach().sum().backward()
    (x * 2)[:1].backward()
    assert [2.0, 0.0] == x.grad.tolist()


def test_equal_greatest_elements_share():
    """The gradient of a maximum that two elements have is half for each."""
    x = PureTensor([3.0, 3.0, 1.0], True)
    x.max().backward()
    assert [0.5, 0.5, 0.0] == x.grad.tolist()


def test_gradients_have_the_dtype_of_their_tensor():
    """In a product of both dtypes the gradient of a float32 is float32, and so on."""
    a, b = PureTensor([1.0], True), PureTensor([2.0], True, dtype="float64")
    (a * b).backward()
    assert [np.float32, np.float64] == [a.grad.dtype, b.grad.dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_slopes_of_gelu_hold_everywhere(dtype):
    """At zeros, the smallest numbers and far out, gelu's slope is 1/2, 1/2, 0 and 1: no NaN."""
    tiny = float(np.finfo(dtype).smallest_subnormal)
    x = PureTensor([0.0, -0.0, tiny, -tiny, -40.0, 40.0], True, dtype=dtype)
    ops.gelu(x).sum().backward()
    np.testing.assert_allclose([0.5, 0.5, 0.5, 0.5, 0, 1], x.grad.data, atol=1e-7)


FAR = {
    "ten-thousand": [[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, -3.0]],
    "largest": [[3e38, -3e38, 0.0], [3e38, 3e38, 3e38], [-3e38, -3e38, 0.0]],
    "minus-infinity": [[0.0, -np.inf, 1.0], [2.0, -np.inf, -np.inf], [-np.inf, 5.0, 4.0]],
}


@pytest.mark.parametrize("name", FAR)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_and_cross_entropy_hold_far_out(name, dtype):
    """Logits of 1e4, of the greatest number and of -inf: torch's values, no overflow, no NaN."""
    torch = pytest.importorskip("torch")
    values, classes = np.array(FAR[name], dtype), [0, 0, 1]
    loss, places = torch.nn.functional.cross_entropy, torch.tensor(classes)
    for ours, theirs in (
        (lambda x: ops.cross_entropy(x, classes), lambda x: loss(x, places)),
        (lambda x: ops.softmax(x)[:, 0].sum(), lambda x: torch.softmax(x, -1)[:, 0].sum()),
    ):
        mine = PureTensor(values.copy(), True, dtype=dtype)
        its = torch.tensor(values, requires_grad=True)
        found, expected = ours(mine), theirs(its)
        found.backward()
        expected.backward()
        assert expected.item() == pytest.approx(found.item(), rel=1e-6)
        np.testing.assert_allclose(mine.grad.data, its.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_a_loss_of_nothing_but_minus_infinity_is_nan_and_does_not_crash():
    """As in torch."""
    x = PureTensor([[-np.inf, -np.inf]], True)
    assert np.isnan(ops.cross_entropy(x, [0]).item())


def test_cross_entropy_holds_far_out():
    """Logits of a thousand have a finite loss and a gradient of whole parts: no overflow."""
    x = PureTensor([[1000.0, -1000.0]], True)
    loss = ops.cross_entropy(x, [1])
    loss.backward()
    assert 2000.0 == loss.item()
    assert [[1.0, -1.0]] == x.grad.tolist()


def test_a_unit_that_is_off_keeps_what_is_infinite_from_what_is_below():
    """The slope of a root or logarithm at 0 is infinite: not NaN times 0, in a layer either."""
    for after in (lambda y: y**0.5, lambda y: y.log()):
        x = PureTensor([-1.0, 4.0], requires_grad=True)
        with np.errstate(divide="ignore"):
            after(ops.relu(x)).sum().backward()
        assert 0 == x.gradient[0]
        assert x.gradient[1] in (0.25, np.float32(0.25))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"), [(2, 0, 4), (2, 3, 0), (0, 3, 4), (0, 0, 0)]
)
def test_layers_of_nothing_have_gradients(rows, inputs, outputs, transposed):
    """Sizes of zero have gradients of their shapes, all of them 0."""
    shape = (outputs, inputs) if transposed else (inputs, outputs)
    given = [PureTensor(np.ones(one), True) for one in ((rows, inputs), shape, (outputs,))]
    ops.linear(*given, transposed=transposed).sum().backward()
    for one in given[:2]:
        assert one.shape == one.gradient.shape
        assert not one.gradient.any()
    np.testing.assert_array_equal(np.full(outputs, rows), given[2].gradient)


def test_the_greatest_of_nan_is_nan():
    """Its gradient is that of NaN alone, as in torch."""
    x = PureTensor([[1.0, np.nan, 2.0], [3.0, 1.0, 3.0]], requires_grad=True)
    x.max(1).sum().backward()
    np.testing.assert_array_equal([[0, 1, 0], [0.5, 0, 0.5]], x.gradient)


def test_a_write_that_would_lose_a_gradient_is_refused():
    """The value of a write has no way back; without recording it may be written."""
    w, x = PureTensor([1.0, 2.0], requires_grad=True), PureTensor.zeros(2)
    for value in (w, (w * w).sum()):
        with pytest.raises(GraphError, match=r"the value needs a gradient.*\.detach\(\)"):
            x[0:2] = value
    assert [0, 0] == x.tolist()
    with no_grad():
        x[0:2] = w
    x[0] = w.detach()[1]
    assert [2, 2] == x.tolist()


def test_relu_hides_no_nan_from_what_is_below():
    """Its gradient is torch's: that of the result at NaN and above 0, none at 0 and below."""
    values = [np.nan, 1.0, 0.0, -0.0, -1.0, np.inf, -np.inf]
    x = PureTensor(values, True)
    ops.relu(x).backward(np.full(7, 2.0))
    assert [2, 2, 0, 0, 0, 2, 0] == x.grad.tolist()


@pytest.fixture
def often():
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("often")
def test_threads_lose_no_gradient_of_a_leaf_that_they_share():
    """Eight of them, 300 times each: their sum, to the last one."""
    leaf = PureTensor([1.0], True)

    def walk():
        for _ in range(300):
            (leaf * 1.0).backward()

    threads = [threading.Thread(target=walk) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [2400.0] == leaf.grad.tolist()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_adds_gradients_while_its_parent_was_adding():
    """The lock that another thread of the parent held is not waited for."""
    held, done = threading.Event(), threading.Event()

    def hold():
        with _graph._adding:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        child = os.fork()
        if not child:
            signal.alarm(10)  # ends a child that waits
            leaf = PureTensor([1.0], True)
            (leaf * 2.0).backward()
            os._exit(int(leaf.grad.item()))
        _, status = os.waitpid(child, 0)
    finally:
        done.set()
        thread.join()
    assert 2 == os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize(
    "other",
    [
        lambda x, _: copy.copy(x),
        lambda _, array: PureTensor(array),
        lambda _, array: PureTensor(array[::-1]),
        lambda x, _: PureTensor(x.numpy()[:1]),
        lambda x, _: PureTensor(copy.copy(x).data),
    ],
)
def test_a_write_through_another_tensor_over_the_memory_is_noticed(other):
    """A copy by copy.copy, and any tensor over the same array or a part of it."""
    array, weight = np.ones(2, np.float32), PureTensor([1.0, 1.0], True)
    x = PureTensor(array)
    out = (weight * x).sum()
    other(x, array)[...] = 9
    with pytest.raises(GraphError, match="was written"):
        out.backward()


def test_memory_that_is_used_again_was_not_written():
    """Cells of writes end with their array: none is left, nor taken for that of a later one."""
    before = len(_making._CELLS)
    weight = PureTensor([1.0, 1.0], True)
    for _ in range(100):
        x = PureTensor(np.ones(2, np.float32))
        out = (weight * x).sum()
        PureTensor(np.ones(2, np.float32))[...] = 2
        out.backward()
    del x, out
    assert before + 1 >= len(_making._CELLS)
    assert [100.0, 100.0] == weight.grad.tolist()


def test_copies_are_leaves_as_the_first_one_is():
    """requires_grad and the gradient come along; a result has no copy."""
    x = PureTensor([1.0], True)
    (x * 2).backward()
    copied = copy.copy(x)
    assert (True, [2.0], [1.0]) == (copied.requires_grad, copied.grad.tolist(), copied.tolist())
    with pytest.raises(GraphError, match="cannot be copied"):
        copy.copy(x * 2)


@pytest.mark.parametrize(
    "index", [[0, 1], np.array([0, 1]), ([0, 1],), np.array([True, True, False])]
)
def test_an_index_that_is_written_later_changes_no_gradient(index):
    """Lists and arrays are copied when they are used."""
    x = PureTensor([1.0, 2.0, 3.0], True)
    out = x[index].sum()
    place = index[0] if isinstance(index, tuple) else index
    place[:] = [False, False, True] if len(place) == 3 else [2, 2]
    out.backward()
    assert [1, 1, 0] == x.grad.tolist()
