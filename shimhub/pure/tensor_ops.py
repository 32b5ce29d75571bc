"""Operations on tensors, lists and arrays, with the gradient of each by its operands.

Inputs that are no tensors become tensors, of the other operand's dtype. Results are new tensors.
:mod:`shimhub.accel` chooses who computes them, and the products on the way back. Each edge names
an operand, its gradient and the tensors that this reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub import accel
from shimhub.pure import _derivatives
from shimhub.pure._recording import pair, record, single
from shimhub.pure.errors import DataError
from shimhub.pure.losses import cross_entropy, mse_loss

if TYPE_CHECKING:
    from shimhub.pure._making import Array
    from shimhub.pure.tensor import PureTensor

__all__ = [
    "add",
    "compare",
    "concat",
    "cross_entropy",
    "div",
    "exp",
    "gelu",
    "layer_norm",
    "linear",
    "log",
    "matmul",
    "maximum",
    "mean",
    "mse_loss",
    "mul",
    "power",
    "relu",
    "reshape",
    "sigmoid",
    "softmax",
    "sub",
    "take",
    "tanh",
    "total",
    "transpose",
]


# ---- arithmetic


def add(a: Any, b: Any) -> PureTensor:
    """Return ``a + b``, broadcast as in numpy."""
    a, b = pair(a, b)
    return record(accel.add(a.data, b.data), (a, lambda g: g, ()), (b, lambda g: g, ()))


def sub(a: Any, b: Any) -> PureTensor:
    """Return ``a - b``."""
    a, b = pair(a, b)
    return record(accel.sub(a.data, b.data), (a, lambda g: g, ()), (b, lambda g: -g, ()))


def mul(a: Any, b: Any) -> PureTensor:
    """Return ``a * b``."""
    a, b = pair(a, b)
    x, y = a.data, b.data
    return record(accel.mul(x, y), (a, lambda g: g * y, (b,)), (b, lambda g: g * x, (a,)))


def div(a: Any, b: Any) -> PureTensor:
    """Return ``a / b``."""
    a, b = pair(a, b)
    y = b.data
    out = accel.div(a.data, y)
    return record(
        out, (a, lambda g: g / y, (b,)), (b, lambda g: -(g * (out / y)), (b,)), keeps=True
    )


def power(x: Any, exponent: float) -> PureTensor:
    """Return ``x ** exponent``, for a number."""
    x = single(x)
    base, exponent = x.data, _derivatives.exponent_of(exponent)
    edge = (x, lambda g: g * (exponent * base ** (exponent - 1)) if exponent else g * 0, (x,))
    return record(base**exponent, edge)


def exp(x: Any) -> PureTensor:
    """Return e to the power of each element."""
    x = single(x)
    out = np.exp(x.data)
    return record(out, (x, lambda g: g * out, ()), keeps=True)


def log(x: Any) -> PureTensor:
    """Return the natural logarithm of each element."""
    x = single(x)
    base = x.data
    return record(np.log(base), (x, lambda g: g / base, (x,)))


def compare(name: str, a: Any, b: Any) -> Array:
    """Return numpy's comparison of that name, an array of bool."""
    a, b = pair(a, b)
    found: Array = getattr(np, name)(a.data, b.data)
    return found


# ---- products


def matmul(a: Any, b: Any) -> PureTensor:
    """Return the matrix product, with dimensions as in ``numpy.matmul``."""
    a, b = pair(a, b)
    x, y = a.data, b.data
    return record(
        accel.matmul(x, y),
        (a, lambda g: _derivatives.matmul_left(g, x, y), (b,)),
        (b, lambda g: _derivatives.matmul_right(g, x, y), (a,)),
    )


def linear(
    x: Any,
    weight: Any,
    bias: Any = None,
    activation: str | None = None,
    *,
    transposed: bool = False,
) -> PureTensor:
    """Return ``activation(x @ weight + bias)``; with ``transposed`` the weight is (out, in).

    ``activation`` is None, "relu", "sigmoid", "tanh", "gelu" or "gelu_tanh".
    """
    after = _activation(activation)
    x, weight = pair(x, weight)
    bias = None if bias is None else pair(x, bias)[1]
    a, w = x.data, weight.data
    out = accel.linear(a, w, None if bias is None else bias.data, transposed=transposed)
    edges: list[Any] = [
        (x, lambda g: accel.matmul(g, w if transposed else w.T), (weight,)),
        (weight, lambda g: _derivatives.linear_weight(g, a, transposed=transposed), (x,)),
    ]
    if bias is not None:
        edges.append((bias, lambda g: g, ()))
    return after(record(out, *edges))


# ---- activations


def relu(x: Any) -> PureTensor:
    """Return ``max(x, 0)``; the gradient at 0 is 0, and NaN, which is passed on, passes it on."""
    x = single(x)
    out = accel.relu(x.data)
    return record(out, (x, lambda g: _derivatives.relu(g, out), ()), keeps=True)


def sigmoid(x: Any) -> PureTensor:
    """Return ``1 / (1 + exp(-x))``."""
    x = single(x)
    out = accel.sigmoid(x.data)
    return record(out, (x, lambda g: g * (out * (1 - out)), ()), keeps=True)


def tanh(x: Any) -> PureTensor:
    """Return the hyperbolic tangent."""
    x = single(x)
    out = accel.tanh(x.data)
    return record(out, (x, lambda g: g * (1 - out * out), ()), keeps=True)


def gelu(x: Any, approximate: str = "none") -> PureTensor:
    """Return ``x * Phi(x)``, Phi the normal distribution's; "tanh" is its approximation."""
    x = single(x)
    given = x.data
    out = accel.gelu(given, approximate)
    if approximate == "tanh":
        return record(out, (x, lambda g: g * _derivatives.gelu_tanh(given), (x,)))
    return record(out, (x, lambda g: g * _derivatives.gelu(given, out), (x,)), keeps=True)


def softmax(x: Any, axis: int = -1) -> PureTensor:
    """Return ``exp(x - max) / sum`` along an axis."""
    x = single(x)
    out = accel.softmax(x.data, axis)
    edge = (x, lambda g: out * (g - (g * out).sum(axis=axis, keepdims=True)), ())
    return record(out, edge, keeps=True)


def layer_norm(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> PureTensor:
    """Return ``(x - mean) / sqrt(variance + eps) * weight + bias`` over the last dimension."""
    x = single(x)
    rows = [None if one is None else pair(x, one)[1] for one in (weight, bias)]
    scale, shift = (None if one is None else one.data for one in rows)
    given = x.data
    out = accel.layer_norm(given, scale, shift, eps)
    reads = (x,) if rows[0] is None else (x, rows[0])
    edges: list[Any] = [(x, lambda g: _derivatives.layer_norm(g, given, scale, eps), reads)]
    if rows[0] is not None:
        edges.append((rows[0], lambda g: g * _derivatives.normal(given, eps)[0], (x,)))
    if rows[1] is not None:
        edges.append((rows[1], lambda g: g, ()))
    return record(out, *edges)


# ---- reductions


def total(x: Any, axis: Any = None, *, keepdims: bool = False) -> PureTensor:
    """Return the sum of all elements, or along an axis or a tuple of them."""
    x = single(x)
    shape = x.shape
    out = x.data.sum(axis=axis, keepdims=keepdims)
    spread = _derivatives.spread(shape, axis, keepdims=keepdims)
    return record(out, (x, lambda g: np.broadcast_to(spread(g), shape), ()))


def mean(x: Any, axis: Any = None, *, keepdims: bool = False) -> PureTensor:
    """Return the mean of all elements, or along an axis or a tuple of them."""
    x = single(x)
    shape = x.shape
    out = np.asarray(x.data.mean(axis=axis, keepdims=keepdims))
    spread = _derivatives.spread(shape, axis, keepdims=keepdims)
    share = out.size / max(x.size, 1)
    return record(out, (x, lambda g: np.broadcast_to(spread(g * share), shape), ()))


def maximum(x: Any, axis: Any = None, *, keepdims: bool = False) -> PureTensor:
    """Return the greatest element; equal ones share its gradient."""
    x = single(x)
    given = x.data
    if given.size == 0:
        raise DataError(f"max: a tensor of shape {x.shape} has no greatest element")
    out = given.max(axis=axis, keepdims=keepdims)
    spread = _derivatives.spread(x.shape, axis, keepdims=keepdims)
    edge = (x, lambda g: _derivatives.at_greatest(spread(g), given, axis), (x,))
    return record(out, edge)


# ---- shapes


def reshape(x: Any, *shape: Any) -> PureTensor:
    """Return the elements in another shape; one size may be -1."""
    x = single(x)
    before = x.shape
    wanted = shape[0] if len(shape) == 1 else shape
    return record(x.data.reshape(wanted), (x, lambda g: g.reshape(before), ()), view_of=x)


def transpose(x: Any, *axes: Any) -> PureTensor:
    """Return the dimensions in another order, one by one or a tuple; reversed if none is told."""
    x = single(x)
    out = x.data.transpose(*axes)
    back = _derivatives.order_back(axes, x.ndim)
    return record(out, (x, lambda g: g.transpose(back), ()), view_of=x)


def take(x: Any, index: Any) -> PureTensor:
    """Return ``x[index]``, with any index of numpy's; tensors in it are integers."""
    x = single(x)
    given = x.data
    index = _derivatives.kept_index(_derivatives.index_of(index))
    edge = (x, lambda g: _derivatives.scatter(g, index, given), ())
    return record(given[index], edge, view_of=x)


def concat(tensors: Any, axis: int = 0) -> PureTensor:
    """Return the tensors one after the other along an axis."""
    parts = [single(one) for one in tensors]
    if not parts:
        raise DataError("concat: there is no tensor")
    out = np.concatenate([one.data for one in parts], axis=axis)
    ends = np.cumsum([one.shape[axis] for one in parts])
    edges = []
    for part, end in zip(parts, ends, strict=True):
        place = slice(int(end) - part.shape[axis], int(end))
        edges.append((part, _derivatives.piece(place, axis), ()))
    return record(out, *edges)


def _activation(name: str | None) -> Callable[[Any], PureTensor]:
    known: dict[str | None, Callable[[Any], PureTensor]] = {
        None: single,
        "relu": relu,
        "sigmoid": sigmoid,
        "tanh": tanh,
        "gelu": gelu,
        "gelu_tanh": lambda x: gelu(x, "tanh"),
    }
    if name not in known:
        raise DataError(f"activation: {name!r} is none of {', '.join(map(repr, known))}")
    return known[name]
