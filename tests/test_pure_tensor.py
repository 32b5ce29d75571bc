"""PureTensor: what it is made of, what it shares, what it refuses, and how accel meets it."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import shimhub.pure
from shimhub import accel
from shimhub.pure import (
    SGD,
    LayerNorm,
    Linear,
    PureTensor,
    Sequential,
    Tanh,
    Trainer,
    cross_entropy,
    manual_seed,
    tensor_ops,
)
from shimhub.pure.errors import DataError, GraphError, KindError

# ---- making


@pytest.mark.parametrize("data", [[1, 2], (1.0, 2.0), np.array([1, 2]), np.array([True, 2])])
def test_numbers_become_float32(data):
    """Lists, tuples and arrays of any real numbers are float32, unless a dtype is told."""
    assert ("float32", [1.0, 2.0]) == (PureTensor(data).dtype.name, PureTensor(data).tolist())
    assert "float64" == PureTensor(data, dtype="float64").dtype.name


def test_an_array_of_the_dtype_is_shared_and_others_are_copied():
    """A tensor lies over a float32 array; over a float64 one only if that dtype is told."""
    single, double = np.zeros(2, np.float32), np.zeros(2)
    assert single is PureTensor(single).data
    assert double is PureTensor(double, dtype=np.float64).data
    assert not np.shares_memory(double, PureTensor(double).data)


def test_shapes_are_told_as_a_list_or_as_numbers():
    """zeros, ones and randn take both; from_list takes nested lists."""
    assert (2, 3) == PureTensor.randn([2, 3]).shape == PureTensor.randn(2, 3).shape
    assert () == PureTensor.zeros([]).shape
    assert [[0.0, 0.0]] == PureTensor.zeros((1, 2)).tolist()
    assert [1.0] == PureTensor.ones(1).tolist()
    assert [[1.0], [2.0]] == PureTensor.from_list([[1], [2]]).tolist()


def test_a_tensor_of_a_tensor_is_over_the_same_memory():
    """What is written to one is known of the other; another dtype is a copy with its own."""
    x, w = PureTensor([1.0, 2.0]), PureTensor([3.0, 4.0], True)
    y = (w * x).sum()
    PureTensor(x)[0] = 5.0
    assert [5.0, 2.0] == x.tolist()
    with pytest.raises(GraphError, match="was written"):
        y.backward()
    PureTensor(x, dtype="float64")[0] = 7.0
    assert [5.0, 2.0] == x.tolist()


def test_a_write_takes_tensors_as_places_and_values():
    """x[tensor] = tensor, as numpy's."""
    x = PureTensor.zeros(3)
    x[PureTensor([0, 2])] = PureTensor([1.0, 2.0])
    assert [1.0, 0.0, 2.0] == x.tolist()


def test_manual_seed_repeats():
    """The same seed draws the same numbers."""
    manual_seed(3)
    first = PureTensor.randn(4).tolist()
    manual_seed(3)
    assert first == PureTensor.randn(4).tolist()


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: PureTensor([[1, 2], [3]]), DataError, "rows of equal lengths"),
        (lambda: PureTensor(["a"]), KindError, "no real numbers"),
        (lambda: PureTensor([1j]), KindError, "complex128 values"),
        (lambda: PureTensor(None), KindError, "NoneType is no list"),
        (lambda: PureTensor([1], dtype="int32"), KindError, "neither float32 nor float64"),
        (lambda: PureTensor([1], dtype="nonsense"), KindError, "'nonsense' is neither"),
        (lambda: PureTensor.zeros([2, -1]), DataError, "integers >= 0"),
        (lambda: PureTensor.randn(2.5), DataError, "integers >= 0"),
        (lambda: PureTensor([1, 2]).item(), DataError, r"shape \(2,\) is not one number"),
        (lambda: PureTensor([1.0]) ** PureTensor([1.0]), KindError, "is not a number"),
        (lambda: PureTensor([1.0])[PureTensor([0.5])], KindError, "not whole"),
        (lambda: PureTensor([]).max(), DataError, "no greatest element"),
        (lambda: tensor_ops.concat([]), DataError, "no tensor"),
        (lambda: tensor_ops.linear([[1]], [[1]], None, "selu"), DataError, "'selu' is none of"),
        (lambda: PureTensor([[1, 2]]) @ PureTensor([[1, 2]]), ValueError, r"1|2"),
        (lambda: PureTensor([1, 2]) + PureTensor([1, 2, 3]), ValueError, r"\(2,\).*\(3,\)"),
    ],
)
def test_what_makes_no_sense_is_told(make, error, told):
    """Each mistake is an error that names the thing."""
    with pytest.raises(error, match=told):
        make()


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "longdouble", "int8", "uint64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpys_numbers_are_exponents_that_leave_the_dtype(kind, dtype):
    """As x ** 2 is x ** np.float64(2), its gradient too, whatever the number's own dtype is."""
    exponent = getattr(np, kind)(2)
    for power in (lambda x: x**exponent, lambda x: tensor_ops.power(x, exponent)):
        x = PureTensor([3.0], True, dtype=dtype)
        y = power(x)
        y.backward()
        assert (dtype, [9.0], [6.0]) == (y.dtype.name, y.tolist(), x.grad.tolist())


@pytest.mark.parametrize("exponent", [2j, np.complex64(2), "2", None, np.array([2.0]), [2.0]])
def test_what_is_no_number_is_no_exponent(exponent):
    """The type is named, by the operator and by the function."""
    for power in (lambda x: x**exponent, lambda x: tensor_ops.power(x, exponent)):
        with pytest.raises(KindError, match="is not a number"):
            power(PureTensor([3.0]))


# ---- masks, which numpy would drop without a word


MASKED = np.ma.masked_array([1.0, 2.0, 3.0], mask=[0, 1, 0])
P = PureTensor([1.0, 1.0, 1.0])
COLUMN = np.ma.masked_array([[1.0], [2.0]], mask=[[0], [1]])
KEPT = Linear(1, 1, bias=False)
TWO = ["add", "sub", "mul", "div", "matmul", "mse_loss", "layer_norm"]
ONE = [
    *("relu", "sigmoid", "tanh", "gelu", "softmax", "layer_norm"),
    *("exp", "log", "total", "mean", "maximum", "reshape", "transpose"),
]


@pytest.mark.parametrize(
    "use",
    [
        lambda: PureTensor(MASKED),
        lambda: PureTensor(MASKED.astype(np.float32)),
        lambda: PureTensor(np.ma.masked_array([1, 2])),
        lambda: PureTensor([MASKED, MASKED]),
        lambda: PureTensor(([1.0, np.ma.masked],)),
        lambda: PureTensor.from_list([MASKED[0], MASKED[1]]),
        lambda: P + MASKED,
        lambda: MASKED + P,
        lambda: MASKED @ P,
        lambda: P == MASKED,
        lambda: setattr(PureTensor([1.0, 1.0, 1.0]), "grad", MASKED),
        lambda: PureTensor([1.0, 1.0, 1.0], True).exp().backward(MASKED),
        lambda: PureTensor([1.0, 1.0, 1.0]).__setitem__(0, MASKED[1]),
        lambda: P[np.ma.masked_array([0, 1], mask=[0, 1])],
        lambda: P[[np.ma.masked_array([0, 1], mask=[0, 1])]],
        lambda: PureTensor([1.0]).__setitem__(np.ma.masked_array([0], [1]), 2.0),
        *[lambda name=name: getattr(accel, name)(P, MASKED) for name in TWO],
        *[lambda name=name: getattr(accel, name)(MASKED, P) for name in TWO],
        *[lambda name=name: getattr(tensor_ops, name)(MASKED, [1.0, 1.0, 1.0]) for name in TWO],
        *[lambda name=name: getattr(tensor_ops, name)(MASKED) for name in ONE],
        lambda: tensor_ops.power(MASKED, 2),
        lambda: tensor_ops.take(MASKED, 0),
        lambda: tensor_ops.concat([P, MASKED]),
        lambda: tensor_ops.compare("less", MASKED, 1.0),
        lambda: tensor_ops.linear([[1.0]], [[1.0]], MASKED),
        lambda: tensor_ops.linear([[1.0]], [[1.0] * 3], MASKED),
        lambda: tensor_ops.layer_norm(P, P, MASKED),
        lambda: shimhub.pure.mse_loss(P, MASKED),
        lambda: cross_entropy(MASKED, 1),
        lambda: cross_entropy(P, MASKED),
        lambda: cross_entropy([[1.0, 2.0]], np.ma.masked_array([1], [1])),
        lambda: cross_entropy([[1.0, 2.0]], [np.ma.masked_array(1, 1)]),
        lambda: Linear(3, 2)(MASKED),
        lambda: Sequential(Tanh())(MASKED),
        lambda: LayerNorm(3)(MASKED),
        lambda: shimhub.pure.accuracy(np.ma.masked_array(np.eye(2)), [0, 1]),
        lambda: shimhub.pure.accuracy(np.eye(2), np.ma.masked_array([0, 1], [0, 1])),
        lambda: Linear(1, 1, bias=False).load_state_dict({"weight": COLUMN[1:]}),
        lambda: SGD(KEPT.parameters(), momentum=0.5).load_state_dict(
            {"steps": [1], "0.momentum": COLUMN[:1]}
        ),
        lambda: SGD(KEPT.parameters()).load_state_dict({"steps": np.ma.masked_array([1], [1])}),
        lambda: trainer().fit((COLUMN, [[1.0], [2.0]])),
        lambda: trainer().fit(([[1.0], [2.0]], COLUMN)),
        lambda: trainer().fit([([[1.0], [2.0]], COLUMN)]),
        lambda: trainer().fit([(COLUMN, [[1.0], [2.0]])]),
        lambda: trainer().predict(COLUMN),
        lambda: trainer().evaluate((COLUMN, [[1.0], [2.0]])),
        lambda: trainer().evaluate(([[1.0], [2.0]], COLUMN)),
    ],
)
def test_masked_arrays_are_refused_wherever_one_comes_in(use):
    """The words of accel.relu, a TypeError, not an answer of what the mask hides."""
    with pytest.raises(TypeError, match=r"would be lost; give \S+\.filled\(0\)"):
        use()


def trainer():
    """Return a trainer of one layer with one weight."""
    return Trainer(KEPT, SGD(KEPT.parameters()), shimhub.pure.mse_loss, seed=0)


def test_a_refused_write_or_state_leaves_all_as_it_was():
    """A masked value is told before anything is written."""
    x, layer = PureTensor([1.0]), Linear(1, 2)
    before = layer.state_dict()
    with pytest.raises(KindError):
        x[0] = MASKED[1]
    with pytest.raises(KindError):
        layer.load_state_dict({"weight": [[9.0], [9.0]], "bias": MASKED[:2]})
    assert [1.0] == x.tolist()
    assert all(np.array_equal(before[name], one) for name, one in layer.state_dict().items())


def test_lists_without_end_are_told_also_where_masks_are_looked_for():
    """A list that is in itself is an error of data, not of recursion."""
    endless = [1.0]
    endless.append(endless)
    with pytest.raises((DataError, KindError)):
        PureTensor(endless)


# ---- operators as numpy's


A = np.array([[1.5, -2.0], [0.25, 4.0]], np.float32)
B = np.array([[3.0, 1.0], [-1.0, 0.5]], np.float32)


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a + b,
        lambda a, b: a - b * 2,
        lambda a, b: 1 - a / b,
        lambda a, b: 2 / b + (-a),
        lambda a, b: (a @ b).T,
        lambda a, b: a**2 + b[0],
        lambda a, b: a.sum(0) * b.mean(1) + a.max(),
        lambda a, b: a.reshape(4)[1:3] + b.reshape(-1)[::3],
        lambda a, b: a[a > 0][:2] + b[b != 3][:2],
    ],
)
def test_operators_are_numpys(function):
    """The same expression of tensors and of arrays has the same bits, and float32."""
    expected = function(A, B)
    found = function(PureTensor(A), PureTensor(B))
    assert ("float32", expected.tolist()) == (found.dtype.name, found.tolist())


def test_an_array_on_either_side_gives_a_tensor_with_a_gradient():
    """Arrays leave their operators to the tensor, whose gradient would be lost in an array."""
    w = PureTensor([1.0, 2.0], True)
    for result in (np.ones(2) * w, w * np.ones(2), np.ones((1, 2)) @ w, [1, 1] - w, w / [1, 1]):
        assert isinstance(result, PureTensor)
        assert result.requires_grad
        assert np.float32 == result.dtype
    with pytest.raises(TypeError):
        np.add(w, 1)


def test_comparisons_are_arrays_of_bool():
    """They have no gradient; tensors are still found by identity in sets."""
    x = PureTensor([1.0, 2.0])
    assert [True, False] == (x == [1, 3]).tolist() == (x < 2).tolist() == (x <= 1).tolist()
    assert [False, True] == (x != 1).tolist() == (x > 1).tolist() == (x >= 2).tolist()
    assert {x} == {x, x}


def test_looking_at_a_tensor():
    """len, iteration, float, bool, argmax and repr are those of its values."""
    x = PureTensor([[1.0, 5.0]], True)
    assert (1, 2, 2, (1, 2)) == (len(x), x.ndim, x.size, x.shape)
    assert [1.0, 5.0] == [float(one) for row in x for one in row]
    assert PureTensor([2])
    assert not PureTensor(0)
    assert 1 == x.argmax() == x.argmax(1)[0]
    assert "PureTensor([[1., 5.]], requires_grad=True)" == repr(x)
    assert "PureTensor([1.], dtype=float64)" == repr(PureTensor([1], dtype="float64"))
    with pytest.raises(TypeError):
        len(PureTensor(1))


def test_an_array_of_it_is_its_memory_unless_a_gradient_would_be_lost():
    """numpy.asarray shares; of what needs a gradient it is refused, and so is a hidden copy."""
    x = PureTensor([1.0])
    assert x.data is np.asarray(x) is x.numpy()
    assert np.float64 == np.asarray(x, "float64").dtype
    assert not np.shares_memory(x.data, np.array(x))
    with pytest.raises(GraphError, match="detach"):
        np.asarray(PureTensor([1.0], True))
    with pytest.raises(DataError, match="without a copy"):
        x.__array__("float64", copy=False)


def test_detached_tensors_share_memory():
    """detach() is the same values without the way back."""
    x = PureTensor([1.0], True)
    assert x.data is x.detach().data


def test_a_gradient_may_be_set():
    """By anything of its shape; another shape is refused."""
    x = PureTensor([1.0, 2.0], True)
    x.grad = [3, 4]
    assert [3.0, 4.0] == x.grad.tolist()
    with pytest.raises(DataError, match=r"grad: shape \(1,\) is not \(2,\)"):
        x.grad = [1]
    x.grad = None
    assert x.grad is None


@pytest.mark.parametrize("way", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_leaves_are_copied_and_results_refused(way):
    """A copy of a leaf has its values, its gradient and its own memory."""
    x = PureTensor([1.0], True, dtype="float64")
    (x * 2).backward()
    y = way(x)
    assert (True, [1.0], [2.0], "float64") == (
        y.requires_grad,
        y.tolist(),
        y.grad.tolist(),
        y.dtype.name,
    )
    assert not np.shares_memory(x.data, y.data)
    with pytest.raises(GraphError, match="detach"):
        way(x * 2)


# ---- accel


OPERANDS = {
    "linear": (A, B, B[0]),
    "layer_norm": (A, B[0], B[1]),
    **dict.fromkeys(("matmul", "add", "sub", "mul", "div", "mse_loss"), (A, B)),
    **dict.fromkeys(("relu", "sigmoid", "tanh", "gelu", "softmax"), (A,)),
}


@pytest.mark.parametrize("name", OPERANDS)
def test_accel_keeps_the_kind_and_the_gradient(name):
    """An operation on a tensor is a tensor with the bits of arrays, and has a gradient."""
    operands = OPERANDS[name]
    expected = np.asarray(getattr(accel, name)(*operands))
    found = getattr(accel, name)(*(PureTensor(one, True) for one in operands))
    assert isinstance(found, PureTensor)
    assert expected.tolist() == found.tolist()
    found.sum().backward()


def test_accel_takes_the_options_of_its_operations():
    """axis, approximate, eps, transposed and activation reach the tensor's operation."""
    x, w = PureTensor(A, True), PureTensor(B, True)
    assert np.array_equal(accel.softmax(A, axis=0), accel.softmax(x, axis=0).data)
    assert np.array_equal(accel.gelu(A, approximate="tanh"), accel.gelu(x, approximate="tanh").data)
    assert np.array_equal(accel.layer_norm(A, eps=0.5), accel.layer_norm(x, eps=0.5).data)
    both = {"activation": "relu", "transposed": True}
    assert np.array_equal(accel.linear(A, B, **both), accel.linear(x, w, **both).data)
    assert 1 == accel.cross_entropy(x, [0, 1]).size


def test_torchs_own_functions_take_tensors_and_keep_the_gradient():
    """matmul_torch_ffi gives a tensor for a tensor, with a way back if that is needed."""
    pytest.importorskip("torch")
    found = accel.matmul_torch_ffi(PureTensor(A), PureTensor(B))
    assert isinstance(found, PureTensor)
    np.testing.assert_allclose(A @ B, found.data, rtol=1e-6)
    x = PureTensor(A, True)
    accel.matmul_torch_ffi(x, PureTensor(B)).sum().backward()
    np.testing.assert_allclose(np.ones((2, 2)) @ B.T, x.grad.data, rtol=1e-6)


@pytest.mark.parametrize("mode", ["pure", "native", "torch", "auto"])
def test_every_mode_trains_to_the_same_values(mode):
    """Loss and gradients of a small model in each mode: numpy's within 16 eps of the greatest."""
    if mode == "torch":
        pytest.importorskip("torch")
    x, target = np.linspace(-1, 1, 24, dtype=np.float32).reshape(6, 4), [0, 1, 1, 0, 1, 0]
    found = {}
    for one in ("pure", mode):
        manual_seed(0)
        model = Sequential(Linear(4, 3), Tanh(), LayerNorm(3), Linear(3, 2))
        with accel.using(one):
            loss = cross_entropy(model(x), target)
            loss.backward()
        found[one] = [loss.data, *(tensor.grad.data for tensor in model.parameters())]
    for expected, value in zip(found["pure"], found[mode], strict=True):
        bound = 16 * 2**-23 * max(np.abs(expected).max(), 1e-3)
        np.testing.assert_allclose(value, expected, rtol=0, atol=bound)


def test_torch_computes_what_is_above_the_threshold_and_no_more():
    """In AUTO a product above its threshold is torch's, forward and back; a smaller one is not."""
    pytest.importorskip("torch")
    small, large = PureTensor(np.ones((2, 2)), True), PureTensor(np.ones((8, 8)), True)
    counts = []
    for x in (small, large):
        accel.reset_stats()
        with accel.using("auto", thresholds={"matmul": 100, "elementwise": "never"}):
            (x @ x * 2).sum().backward()
        stats = accel.get_stats()
        counts.append((stats.ffi_count, stats.fallback_count))
        assert (2 * (x.data @ x.data.T + x.data.T @ x.data)).tolist() == x.grad.tolist()
    assert [(0, 0), (3, 0)] == counts


def test_each_operation_is_counted_once():
    """A layer's forward is one call of accel; the way back is its products."""
    x, w = PureTensor(A), PureTensor(B, True)
    accel.reset_stats()
    y = tensor_ops.linear(x, w)
    assert 1 == accel.get_stats().pure_count
    y.sum().backward()
    assert {"linear": 1, "matmul": 1} == {
        name: counts.pure for name, counts in accel.get_stats().per_op.items() if counts.pure
    }


# ---- the package


def test_the_public_names_are_there():
    """Each name of __all__ is found at first use, and unknown ones are told."""
    assert [] == [name for name in shimhub.pure.__all__ if not hasattr(shimhub.pure, name)]
    assert set(shimhub.pure.__all__) <= set(dir(shimhub.pure))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = shimhub.pure.nonsense


def test_the_names_of_the_guide_lead_to_accel():
    """shimhub.pure.accel and shimhub.pure.torch_ffi are the same objects as accel's."""
    from shimhub.accel import torch_ffi as theirs
    from shimhub.pure import accel as names
    from shimhub.pure import torch_ffi as ffi

    assert [] == [one for one in names.__all__ if getattr(names, one) is not getattr(accel, one)]
    assert [] == [one for one in ffi.__all__ if getattr(ffi, one) is not getattr(theirs, one)]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({}, "data: dict is no list, numpy array, torch tensor or number"),
        (None, "data: NoneType is no list"),
        ([1.0, None], r"data: object values \(NoneType, float\) are no real numbers"),
        (["a"], "data: <U1 values are no real numbers"),
    ],
)
def test_what_is_no_number_is_told_by_its_type(data, told):
    """In words that name what was given, not how numpy holds it."""
    for use in (PureTensor, tensor_ops.relu, lambda x: accel.add(PureTensor([1.0]), x)):
        with pytest.raises(TypeError, match=told):
            use(data)


def test_stacks_that_do_not_broadcast_are_told_with_the_shapes_as_given():
    """Both shapes whole, then what of them does not fit; of tensors as of arrays."""
    told = r"matmul: shapes \(2, 2, 3\) and \(3, 3, 2\): stacks of \(2,\) and \(3,\) do not"
    a, b = np.ones((2, 2, 3)), np.ones((3, 3, 2))
    for use in (lambda: PureTensor(a) @ PureTensor(b), lambda: accel.matmul(a, b)):
        with pytest.raises(ValueError, match=told):
            use()


def test_torch_tensors_that_cannot_be_arrays_are_told():
    """One that needs a gradient, which would be lost, and one of a dtype that numpy has not."""
    torch = pytest.importorskip("torch")
    wrong = torch.ones(2, requires_grad=True), torch.ones(2, dtype=torch.bfloat16)
    for one, told in zip(wrong, ("requires grad", "BFloat16"), strict=True):
        for use in (PureTensor, lambda x: PureTensor([1.0, 1.0]) + x):
            with pytest.raises(KindError, match=f"data: of a torch tensor: .*{told}"):
                use(one)
