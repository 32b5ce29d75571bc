"""Odd inputs: shimhub.accel answers or refuses them in the same words in all modes."""

from __future__ import annotations

import array

import numpy as np
import pytest

from shimhub import accel
from shimhub.accel import ops, torch_ffi
from shimhub.accel.model import OPS
from tests._accel_cases import HAS_TORCH, MODES, anew, arguments, assert_answer, call, computing

pytestmark = pytest.mark.usefixtures(anew.__name__)
X = np.ones((2, 3), np.float32)
W = np.ones((3, 4), np.float32)


def outcome(function, given, options):
    """Return the kind, dtype and values of an answer, or the words of an error."""
    try:
        with np.errstate(all="ignore"):
            told = function(*given, **options)
    except Exception as error:  # noqa: BLE001 - compared
        return type(error).__name__, str(error)
    dtype = getattr(told, "dtype", None)
    numbers = told if isinstance(told, np.ma.MaskedArray) else np.asarray(told)
    return type(told).__name__, str(dtype), numbers.round(4).tolist()


def outcomes(op, given, options):
    """Return who has which outcome of a call, in all modes, by C and by the rule in Python."""
    told = {}
    for mode in MODES:
        with computing(mode):
            for functions in (accel, ops):
                found = outcome(getattr(functions, op), given, options)
                told.setdefault(str(found), []).append(mode)
    return told


def only(op, *given, **options):
    """Return the one outcome that all modes have."""
    told = outcomes(op, given, options)
    assert 1 == len(told), told
    return next(iter(told))


def itself():
    """Return a list that holds itself."""
    made = [1.0]
    made.append(made)
    return made


def deep(depth):
    """Return a number in so many lists."""
    made = 1.0
    for _ in range(depth):
        made = [made]
    return made


class Sub(np.ndarray):
    """A subclass that does nothing."""


#: Inputs of a single argument, and a piece of what every operation says of them.
REFUSED = {
    "memoryview": (memoryview(X), "memoryview"),
    "array.array": (array.array("f", [1, 2]), "array"),
    "bytes": (b"ab", "bytes"),
    "str": ("ab", "str"),
    "set": ({1.0}, "set"),
    "range": (range(3), "range"),
    "dict": ({1: 2.0}, "dict"),
    "iterator": (iter([1.0]), "iterator"),
    "object": (object(), "object"),
    "a list that holds itself": (itself(), "list"),
    "a hundred lists": (deep(100), "list"),
    "ragged": ([[1.0, 2.0], [3.0]], "list"),
    "complex numbers": ([[1j]], "list"),
    "words": ([["a", "b"]], "list"),
    "a huge number": ([[10**400]], "list"),
}


@pytest.mark.parametrize("odd", REFUSED)
@pytest.mark.parametrize("op", OPS)
def test_what_is_no_input_is_refused_in_the_same_words(op, odd):
    """Every operation names itself and the type; nothing is counted."""
    value, named = REFUSED[odd]
    arrays = arguments(op, "float32")
    # Beside an array lists are what numpy makes of them.
    places = [0] if isinstance(value, list) or len(arrays) == 1 or op == "softmax" else [0, 1]
    for at in places:
        told = only(op, *(value if here == at else one for here, one in enumerate(arrays)))
        assert named in told
        assert "Error'" in told
    counts = accel.get_stats()
    assert (0, 0) == (counts.ffi_count, counts.fallback_count)


SAME = {
    "bools": ([[True, False]], [[1.0], [2.0]]),
    "whole numbers": ([[1, 2]], [[3], [4]]),
    "empty": ([], []),
    "empty rows": ([[], []], [[], []]),
    "rows of an array": ([np.ones(2)], [[1.0], [2.0]]),
    "three deep": ([[[1.0]]], [[[1.0]]]),
    "ragged": ([[1.0, 2.0], [3.0]], [[1.0], [2.0]]),
    "of other shapes": ([[1.0, 2.0]], [[1.0], [2.0], [3.0]]),
    "a number": ([1.0, 2.0], 2.0),
    "beside an array": ([[1.0, 2.0]], np.ones((2, 2))),
    "holding itself": (itself(), itself()),
    "huge numbers": ([[10**400]], [[1.0]]),
    "not a number": ([[float("nan"), float("inf")]], [[1.0], [0.0]]),
    "tuples": (((1.0, 2.0),), ((3.0,), (4.0,))),
}


@pytest.mark.parametrize("odd", SAME)
@pytest.mark.parametrize("op", ["matmul", "add", "mse_loss", "linear"])
def test_pairs_of_lists_are_the_same_in_all_modes(op, odd):
    """Our kernel takes lists as they are, and torch arrays of them; what they mean is one."""
    assert only(op, *SAME[odd])


#: Calls that are mistakes: what all modes tell.
MISTAKES = [
    ("linear", (X, W, np.ones(5, np.float32)), {}, "ShapeError", "bias: shape (5,) is not (4,)"),
    ("linear", (X, W, np.ones((1, 4), np.float32)), {}, "ShapeError", "bias: shape (1, 4)"),
    ("linear", (X, W, 1.0), {}, "TypeError", "bias: float"),
    ("linear", (X, W, np.ones(4)), {}, "TypeError", "bias: dtype float64"),
    ("linear", (X, X), {}, "ShapeError", "weight: shape (2, 3) is not (in, out)"),
    ("linear", (X, W), {"transposed": True}, "ShapeError", "is not (out, in)"),
    ("linear", (X, W[0]), {}, "ShapeError", "weight: shape (4,)"),
    ("linear", (X, W.astype(float)), {}, "TypeError", "weight: dtype float64"),
    ("linear", (X, W, None, "selu"), {}, "ValueError", "activation: 'selu' is none of"),
    ("linear", (X, W, None, 3), {}, "TypeError", "activation: int"),
    ("linear", (np.float32(1), W), {}, "TypeError", "x: float32"),
    ("layer_norm", (X, np.ones(4, np.float32)), {}, "ShapeError", "weight: shape (4,) is not"),
    ("layer_norm", (X, None, np.ones(2, np.float32)), {}, "ShapeError", "bias: shape (2,)"),
    ("layer_norm", (X, np.ones((1, 3), np.float32)), {}, "ShapeError", "weight: shape (1, 3)"),
    ("layer_norm", (X, np.ones(3)), {}, "TypeError", "weight: dtype float64"),
    ("layer_norm", (X, 1.0), {}, "TypeError", "weight: float"),
    *[
        ("layer_norm", (X,), {"eps": eps}, "ValueError", f"eps: {eps!r} is not a number >= 0")
        for eps in (-1.0, float("nan"), None, "x")
    ],
    *[
        ("gelu", (X,), {"approximate": name}, "ValueError", f"approximate: {name!r} is neither")
        for name in ("x", "Tanh", None, b"tanh", 3)
    ],
    ("softmax", (X,), {"axis": 2}, "ShapeError", "axis: 2 is not one of the 2 of x"),
    ("softmax", (X,), {"axis": -3}, "ShapeError", "axis: -3 is not one of the 2 of x"),
    ("softmax", (X,), {"axis": 10**30}, "ShapeError", "is not one of the 2 of x"),
    *[
        ("softmax", (X,), {"axis": axis}, "TypeError", f"axis: {type(axis).__name__} is not an int")
        for axis in (None, 1.0, "0", True, (0, 1))
    ],
    ("softmax", (X[0, 0],), {}, "TypeError", "float32"),
    ("relu", (np.float32(1),), {}, "TypeError", "x: float32 is not a numpy array"),
    ("relu", (1.0,), {}, "TypeError", "x: float"),
    ("matmul", (np.float32(1), X), {}, "ShapeError", "a number is no matrix"),
    ("mse_loss", (X, 1.0), {}, "TypeError", "target: float"),
    ("mse_loss", (np.float32(1), np.float32(1)), {}, "TypeError", "float32"),
    ("cross_entropy", (X, np.array([0, 3])), {}, "ValueError", "not in 0..2"),
    ("cross_entropy", (X, np.array([0, -1])), {}, "ValueError", "not in 0..2"),
    ("cross_entropy", (X, np.array([True, False])), {}, "TypeError", "target: dtype bool"),
    ("cross_entropy", (X.tolist(), [True, False]), {}, "TypeError", "target: dtype bool"),
    ("cross_entropy", (X, np.array([0.0, 1.0])), {}, "TypeError", "target: dtype float64"),
    ("cross_entropy", (X, [0, 1, 1]), {}, "ShapeError", "target: shape (3,)"),
    ("cross_entropy", (np.ones((2, 3, 4)), np.zeros((2, 3), int)), {}, "ShapeError", "(2, 3, 4)"),
    ("cross_entropy", (np.ones((2, 3, 4)), np.ones((2, 3, 4))), {}, "ShapeError", "(2, 3, 4)"),
    ("cross_entropy", (X[:1], np.array(0)), {}, "ShapeError", "target: shape ()"),
    ("cross_entropy", (X[0], np.array([0])), {}, "ShapeError", "target: shape (1,)"),
    ("cross_entropy", (np.ones(()), np.array(0)), {}, "ShapeError", "shape ()"),
]


@pytest.mark.parametrize(("op", "given", "options", "error", "told"), MISTAKES)
def test_mistakes_are_told_in_the_same_words(op, given, options, error, told):
    """Wrong shapes, names, numbers and types: one type and one message, whoever was to compute."""
    found = only(op, *given, **options)
    assert found.startswith(f"('{error}'")
    assert told.replace("'", "") in found.replace("\\", "").replace("'", "")


def test_exactly_the_threshold_is_not_above_it():
    """By C and by the rule in Python; 0 is always, though nothing is less than no work."""
    for functions in (accel, ops):
        for limit, above in ((6, False), (5, True), (0, True)):
            with computing("auto", thresholds={"relu": limit}):
                functions.relu(X)
                assert above == (accel.explain("relu", X).reason != "not above the threshold")
            told = accel.get_stats()
            assert (above and HAS_TORCH) == (told.ffi_count == 1)
            accel.reset_stats()


@pytest.mark.parametrize("functions", [accel, ops])
def test_what_has_no_kernel_is_told_in_mode_native(functions):
    """A softmax of columns is numpy's, and a fallback; in mode PURE it is none."""
    for mode, told in (("native", {"no kernel": 1}), ("pure", {})):
        accel.reset_stats()
        with computing(mode):
            functions.softmax(X, axis=0)
        assert told == dict(accel.get_stats().reasons)


def test_classes_beside_probabilities_keep_the_dtype():
    """Probabilities of another dtype do not change that of the loss, in torch's modes either."""
    told = only("cross_entropy", X, np.full((2, 3), 1 / 3))
    assert "('float32', 'float32', 1.0986" in told
    assert ", 16.0)" in only("mse_loss", X, np.full((2, 3), 5.0))
    assert ", 16.0)" in only("mse_loss", np.full((2, 3), 5.0), X)


MASKED = np.ma.masked_array(X, mask=[[0, 1, 0], [1, 0, 0]])


def test_masks_are_not_lost_in_any_place():
    """Nor beside an array, a list, a tensor, or in torch by name."""
    pytest.importorskip("torch")
    classes = np.ma.masked_array([0, 1], [0, 1])
    for losing in (
        lambda: accel.mse_loss(X, MASKED),
        lambda: accel.cross_entropy(X, MASKED),
        lambda: accel.cross_entropy(X, classes),
        lambda: accel.matmul(X, MASKED.T),
        lambda: accel.matmul([[1.0, 1.0]], MASKED),
        lambda: accel.linear(X, W, np.ma.masked_array(W[0])),
        lambda: accel.add(X.tolist(), MASKED),
        lambda: torch_ffi.add_torch_ffi(MASKED, MASKED),
        lambda: torch_ffi.relu_torch_ffi(MASKED),
    ):
        with pytest.raises(TypeError, match="the mask of a masked array would be lost"):
            losing()


@pytest.mark.parametrize("op", ["relu", "sigmoid", "tanh", "gelu", "softmax", "layer_norm"])
def test_masks_are_not_lost(op):
    """Operations of ours have no masks: a masked array is refused, with the cure."""
    assert f"{op}: the mask of a masked array would be lost; give its filled(0)" in only(op, MASKED)
    assert "mask" in only("linear", MASKED, W)


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div"])
def test_arithmetic_of_subclasses_is_numpys(op):
    """A masked array, a matrix and a subclass stay what they are, masks and all."""
    expected = np.add(MASKED, X)
    assert str(expected.tolist()) in only("add", MASKED, X) or op != "add"
    for made, name in (
        (MASKED, "MaskedArray"),
        (X.view(np.matrix), "matrix"),
        (X.view(Sub), "Sub"),
    ):
        assert only(op, made, made).startswith(f"('{name}'")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("op", OPS)
def test_a_subclass_of_arrays_has_the_answer(op, mode):
    """In torch's modes numpy computes it, and tells why."""
    given = arguments(op, "float32", lambda one: one.view(Sub))
    with computing(mode):
        assert_answer(op, arguments(op, "float32"), np.asarray(call(op, *given))[()])
    told = accel.get_stats()
    assert (1, 0) == (told.pure_count, told.ffi_count)
    if mode in ("torch", "above"):
        assert {"a subclass of numpy's array": 1} == dict(told.reasons)


HUGE = np.broadcast_to(np.float32(1), (2**20, 2**20))
ROW = np.broadcast_to(np.float32(1), (2**40,))
TALL = np.broadcast_to(np.float32(1), (2**22, 1))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("op", "given"),
    [
        *[(op, (HUGE,)) for op in ("relu", "sigmoid", "tanh", "gelu", "softmax", "layer_norm")],
        *[(op, (ROW,)) for op in ("relu", "gelu", "softmax")],
        ("add", (HUGE, HUGE)),
        ("mul", (ROW, np.float32(2))),
        ("div", (HUGE, ROW[: 2**20])),
        ("matmul", (HUGE, HUGE)),
        ("matmul", (TALL, TALL.T)),
        ("linear", (HUGE, HUGE, ROW[: 2**20], "relu")),
        ("mse_loss", (HUGE, HUGE)),
    ],
)
def test_results_that_fit_no_memory_are_told(op, given, mode):
    """Tebibytes without strides: a MemoryError, never a crash."""
    with computing(mode), pytest.raises(MemoryError, match="allocate"):
        call(op, *given)
    assert 0 == accel.get_stats().pure_count


@pytest.mark.parametrize("mode", ["pure", "native"])
def test_results_that_no_address_fits_are_told(mode):
    """2**64 bytes: the product of the shape is not taken modulo anything."""
    x = np.broadcast_to(np.float32(1), (2**31, 1))
    with computing(mode), pytest.raises(ValueError, match="too big"):
        accel.matmul(x, x.T)


SHAPES = [(0,), (0, 3), (3, 0), (2, 0, 3), (0, 0), ()]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("op", sorted(set(OPS) - {"cross_entropy"}))
def test_nothing_and_one_number_are_the_same_in_all_modes(op, shape):
    """Arrays without elements or without dimensions, of one shape and beside others."""
    x = np.ones(shape, np.float32)
    pairs = op in ("add", "sub", "mul", "div", "matmul", "linear", "mse_loss")
    assert only(op, x, x) if pairs else only(op, x)
    if pairs:
        assert only(op, x, X)
        assert only(op, X, x)


@pytest.mark.skipif(not HAS_TORCH, reason="needs torch")
def test_mistakes_with_tensors_are_one_in_all_modes():
    """In the words of torch, or in ours where shapes are wrong."""
    import torch

    x = torch.ones(2, 3)
    assert "axis: 2" in only("softmax", x, axis=2)
    assert "must be int" in only("softmax", x, axis=None)
    assert "ShapeError" in only("linear", x, torch.ones(3, 4), torch.ones(5))
    assert "ShapeError" in only("layer_norm", x, torch.ones(4))
    assert "ShapeError" in only("add", x, torch.ones(4))
    assert "approximate" in only("gelu", x, approximate="x")
    assert "dtype bool" in only("cross_entropy", x, torch.tensor([True, False]))
    assert "out of bounds" in only("cross_entropy", x, torch.tensor([0, 7]))
    assert "Error'" in only("cross_entropy", x[:1], torch.tensor(0))
    assert "1.0986" in only("cross_entropy", x[0], torch.tensor([0]))
    assert "Error'" in only("cross_entropy", x, torch.tensor([0, 1, 1]))
    assert "TypeError" in only("softmax", x, 0, 0)
    assert "TypeError" in only("gelu", x, axis=0)
