"""Linear algebra on numpy: what the native library does, and all that it leaves to numpy.

Arrays are ``numpy.ndarray``. Results are C-contiguous and new, or ``out``. Where a function has a
counterpart in numpy (``matmul``, ``add``, ``subtract``, ``multiply``, ``divide``) dtypes, shapes,
``out``, warnings and errors are those of numpy, and so is the answer, up to rounding: `sum of the k
products' magnitudes * (k + 1) * eps` for each element of a product, none for the other four. The
others take float32 and float64 and raise ``TypeError`` for anything else; they never warn.
``out`` may be an input: inputs are read before it is written. On an error nothing is written.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from shimhub.kernels._reference import _lists, _normal, losses

#: An array of float32 or float64.
Array = npt.NDArray[Any]

_FLOATS: Final = (np.dtype(np.float32), np.dtype(np.float64))
_SEQUENCES: Final = (list, tuple)
_MATRIX: Final = 2  # dimensions

mse_loss = losses.mse_loss
cross_entropy = losses.cross_entropy


def matmul(a: Any, b: Any, /, *, out: Array | None = None) -> Any:
    """Return the matrix product of ``a`` and ``b``, as ``numpy.matmul``.

    Shapes ``(m, k) @ (k, n) -> (m, n)``; one dimension and more than two as in numpy. O(m n k).
    Small products of float32 or float64 are computed natively, with any strides.

    Two lists or tuples give a list (a float for two vectors): of numbers, or of rows of numbers,
    ``float`` and ``int`` and no ``bool``, computed in float64 and without warnings. Raises
    ``TypeError``, ``ValueError`` or ``OverflowError`` naming the element, as in "a[3][17]".
    """
    if isinstance(a, _SEQUENCES) and isinstance(b, _SEQUENCES):
        if out is not None:
            raise TypeError("out: lists are multiplied into a new list")
        return _lists.matmul(a, b)
    return np.matmul(a, b, out=out)


def add(a: Any, b: Any, /, *, out: Array | None = None) -> Any:
    """Return ``a + b``, as ``numpy.add``. O(n)."""
    return np.add(a, b, out=out)


def subtract(a: Any, b: Any, /, *, out: Array | None = None) -> Any:
    """Return ``a - b``, as ``numpy.subtract``. O(n)."""
    return np.subtract(a, b, out=out)


def multiply(a: Any, b: Any, /, *, out: Array | None = None) -> Any:
    """Return ``a * b``, as ``numpy.multiply``. O(n)."""
    return np.multiply(a, b, out=out)


def divide(a: Any, b: Any, /, *, out: Array | None = None) -> Any:
    """Return ``a / b``, as ``numpy.divide``. O(n)."""
    return np.divide(a, b, out=out)


def linear(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    activation: str | None = None,
    *,
    transposed: bool = False,
    out: Array | None = None,
) -> Array:
    """Return ``activation(x @ weight + bias)``.

    Shapes: x ``(..., in)``, weight ``(in, out)`` or, where ``transposed``, ``(out, in)`` as
    ``torch.nn.Linear`` keeps it, bias ``(out,)``; all of one dtype. O(rows in out).
    ``activation`` is None, "relu", "sigmoid", "tanh", "gelu" or "gelu_tanh".
    Raises ``TypeError`` or ``ValueError`` naming the argument.
    """
    function = _activation(activation)
    _check_array("x", x)
    _check_array("weight", weight, x.dtype)
    weight = weight.T if transposed else weight
    if x.ndim < 1 or weight.ndim != _MATRIX or x.shape[-1] != weight.shape[0]:
        order = "(out, in)" if transposed else "(in, out)"
        shape = weight.shape[::-1] if transposed else weight.shape
        raise ValueError(f"weight: shape {shape} is not {order} for x of shape {x.shape}")
    _check_row("bias", bias, x.dtype, weight.shape[1])
    with np.errstate(all="ignore"):
        result = np.matmul(x, weight)
        result = result if bias is None else result + bias
        return give(function(result), out)


def relu(x: Array, /, *, out: Array | None = None) -> Array:
    """Return ``max(x, 0)``, NaN where x is. Any shape, float32 or float64. O(n)."""
    _check_array("x", x)
    return give(_relu(x), out)


def sigmoid(x: Array, /, *, out: Array | None = None) -> Array:
    """Return ``1 / (1 + exp(-x))``. Any shape, float32 or float64; within 4 eps. O(n)."""
    _check_array("x", x)
    return give(_sigmoid(x), out)


def tanh(x: Array, /, *, out: Array | None = None) -> Array:
    """Return the hyperbolic tangent. Any shape, float32 or float64; within 4 eps. O(n)."""
    _check_array("x", x)
    return give(_tanh(x), out)


def gelu(x: Array, /, approximate: str = "none", *, out: Array | None = None) -> Array:
    """Return ``x * Phi(x)``, Phi the normal distribution's, or its approximation by "tanh".

    Any shape, float32 or float64; within 8 eps (numpy without a native library: float64 within
    2e-15). The approximation is ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x**3)))``
    (https://arxiv.org/abs/1606.08415), of relative error that grows as its argument below -1. O(n).
    """
    _check_array("x", x)
    check_approximate(approximate)
    return give(_gelu(x) if approximate == "none" else _gelu_tanh(x), out)


def softmax(x: Array, /, axis: int = -1, *, out: Array | None = None) -> Array:
    """Return ``exp(x - max) / sum`` along an axis.

    float32 or float64 of at least one dimension; an empty axis gives an empty result. O(n).
    """
    _check_array("x", x)
    _check_axis(axis, x.ndim)
    if x.size == 0:
        return give(x, out)
    x = np.asarray(x, order="C")
    with np.errstate(all="ignore"):
        power = np.exp(x - x.max(axis=axis, keepdims=True))
        return give(power / power.sum(axis=axis, keepdims=True), out)


def layer_norm(
    x: Array,
    /,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
) -> Array:
    """Return ``(x - mean) / sqrt(variance + eps) * weight + bias`` over the last dimension.

    x ``(..., n)``, weight and bias ``(n,)``, all of one dtype; the variance is that of the
    population (https://arxiv.org/abs/1607.06450). O(size of x).
    """
    _check_array("x", x)
    if x.ndim < 1:
        raise ValueError("x: has no dimension to normalise over")
    check_eps(eps)
    _check_row("weight", weight, x.dtype, x.shape[-1])
    _check_row("bias", bias, x.dtype, x.shape[-1])
    if x.size == 0:
        return give(x, out)
    x = np.asarray(x, order="C")
    with np.errstate(all="ignore"):
        apart = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(apart).mean(axis=-1, keepdims=True)
        result = apart / np.sqrt(variance + x.dtype.type(eps))
        result = result if weight is None else result * weight
        return give(result if bias is None else result + bias, out)


def _relu(x: Array) -> Array:
    return np.asarray(np.maximum(x, x.dtype.type(0)))


def _sigmoid(x: Array) -> Array:
    x = np.asarray(x, order="C")
    with np.errstate(all="ignore"):
        power = np.exp(-np.abs(x))
        upper = 1 / (1 + power)
        return np.asarray(np.where(x < 0, power * upper, upper), x.dtype)


def _tanh(x: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.tanh(x)


def _gelu(x: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(x * _normal.distribution(x.astype(np.float64)), x.dtype)


def _gelu_tanh(x: Array) -> Array:
    with np.errstate(all="ignore"):
        wide = x.astype(np.float64)
        argument = 2 * np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3)
        return np.asarray(wide * _sigmoid(argument), x.dtype)


def _identity(x: Array) -> Array:
    return x


_ACTIVATIONS: Final = {
    None: _identity,
    "relu": _relu,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
}


def _activation(name: str | None) -> Any:
    if name is not None and not isinstance(name, str):
        raise TypeError(f"activation: {type(name).__name__} is not a name")
    if name not in _ACTIVATIONS:
        known = ", ".join(repr(one) for one in _ACTIVATIONS)
        raise ValueError(f"activation: {name!r} is none of {known}")
    return _ACTIVATIONS[name]


def _check_array(name: str, x: Any, dtype: Any = None) -> None:
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{name}: {type(x).__name__} is not a numpy array")
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name}: the mask of a masked array would be lost; give {name}.filled(0)")
    if x.dtype not in _FLOATS:
        raise TypeError(f"{name}: dtype {x.dtype} is neither float32 nor float64")
    if dtype is not None and x.dtype != dtype:
        raise TypeError(f"{name}: dtype {x.dtype} is not {dtype}, as that of x")


def _check_row(name: str, row: Any, dtype: Any, count: int) -> None:
    if row is None:
        return
    _check_array(name, row, dtype)
    if row.shape != (count,):
        raise ValueError(f"{name}: shape {row.shape} is not ({count},)")


def _check_axis(axis: Any, dimensions: int) -> None:
    if not isinstance(axis, int) or isinstance(axis, bool):
        raise TypeError(f"axis: {type(axis).__name__} is not an int")
    if not -dimensions <= axis < dimensions:
        raise ValueError(f"axis: {axis} is not one of the {dimensions} of x")


def check_approximate(name: Any) -> None:
    """Raise ``ValueError`` for what is no approximation of :func:`gelu`."""
    if name not in ("none", "tanh"):
        raise ValueError(f"approximate: {name!r} is neither 'none' nor 'tanh'")


def check_eps(eps: Any) -> None:
    """Raise ``ValueError`` for what :func:`layer_norm` cannot add to a variance."""
    if not isinstance(eps, int | float) or not eps >= 0:
        raise ValueError(f"eps: {eps!r} is not a number >= 0")


def give(result: Array, out: Any) -> Array:
    """Return the result in C order, or in ``out`` where it fits that; nothing is written if not."""
    if out is None:
        return np.array(result, order="C")
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: {type(out).__name__} is not a numpy array")
    if out.dtype != result.dtype:
        raise TypeError(f"out: dtype {out.dtype} is not {result.dtype}")
    if out.shape != result.shape:
        raise ValueError(f"out: shape {out.shape} is not {result.shape}")
    if not out.flags.writeable:
        raise ValueError("out: is read-only")
    out[...] = result
    return out
