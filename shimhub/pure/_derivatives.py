"""Gradients by operands, where they take more than a line."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub import accel
from shimhub.pure import _making
from shimhub.pure import tensor as _tensor
from shimhub.pure.errors import KindError

if TYPE_CHECKING:
    from shimhub.pure._making import Array

_ROOT: Final = float(np.sqrt(2 / np.pi))
_CUBIC: Final = 0.044715
#: What in an index takes no element twice.
_ONCE: Final = (int, np.integer, slice, type(None), type(Ellipsis))


# ---- products


def matmul_left(g: Array, a: Array, b: Array) -> Array:
    """Return the gradient of ``a @ b`` by ``a``: ``g @ b.T``."""
    if b.ndim == 1:
        return np.expand_dims(g, -1) * b
    g = np.expand_dims(g, -2) if a.ndim == 1 else g
    found: Array = accel.matmul(g, b.swapaxes(-1, -2))
    return found[..., 0, :] if a.ndim == 1 else found


def matmul_right(g: Array, a: Array, b: Array) -> Array:
    """Return the gradient of ``a @ b`` by ``b``: ``a.T @ g``."""
    if a.ndim == 1:
        return a * g if b.ndim == 1 else np.expand_dims(a, -1) * np.expand_dims(g, -2)
    if b.ndim == 1:
        return np.asarray(a * np.expand_dims(g, -1))
    found: Array = accel.matmul(a.swapaxes(-1, -2), g)
    return found


def linear_weight(g: Array, x: Array, *, transposed: bool) -> Array:
    """Return the gradient of a linear layer by its weight, over all rows of ``x``."""
    rows, ups = _as_rows(x), _as_rows(g)
    found: Array = accel.matmul(ups.T, rows) if transposed else accel.matmul(rows.T, ups)
    return found


def _as_rows(x: Array) -> Array:
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])  # -1 has no meaning beside 0


# ---- activations


def relu(g: Array, out: Array) -> Array:
    """Return what comes down where the result is not 0; infinite times 0 would be NaN."""
    return np.asarray(np.where(out != 0, g, 0), g.dtype)


def gelu(x: Array, out: Array) -> Array:
    """Return ``Phi(x) + x * phi(x)``, with Phi from the result, ``x * Phi(x)``."""
    tiny = np.abs(x) < np.finfo(x.dtype).tiny
    below = np.where(tiny, x.dtype.type(0.5), out / np.where(tiny, x.dtype.type(1), x))
    return np.asarray(below + x * np.exp(-x * x / 2) / float(np.sqrt(2 * np.pi)), x.dtype)


def gelu_tanh(x: Array) -> Array:
    """Return the slope of ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x**3)))``."""
    bent = np.tanh(_ROOT * (x + _CUBIC * x**3))
    inner = _ROOT * (1 + 3 * _CUBIC * x * x)
    return np.asarray((1 + bent + x * (1 - bent * bent) * inner) / 2, x.dtype)


def normal(x: Array, eps: float) -> tuple[Array, Array]:
    """Return ``(x - mean) / deviation`` over the last dimension, and the deviation."""
    apart = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((apart * apart).mean(axis=-1, keepdims=True) + x.dtype.type(eps))
    return apart / deviation, deviation


def layer_norm(g: Array, x: Array, weight: Array | None, eps: float) -> Array:
    """Return the gradient of the normalised rows by ``x``."""
    unit, deviation = normal(x, eps)
    g = g if weight is None else g * weight
    along = unit * (g * unit).mean(axis=-1, keepdims=True)
    return np.asarray((g - g.mean(axis=-1, keepdims=True) - along) / deviation)


def exponent_of(value: Any) -> int | float:
    """Return a number as Python's, which leaves a tensor's dtype as it is; numpy's does not."""
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    raise KindError(f"**: {type(value).__name__} is not a number; use (x.log() * y).exp()")


# ---- reductions and shapes


def spread(shape: tuple[int, ...], axis: Any, *, keepdims: bool) -> Callable[[Array], Array]:
    """Return how a reduced gradient gets back the dimensions that were reduced."""
    if keepdims or axis is None:
        kept = (1,) * len(shape)
        return (lambda g: g) if keepdims else (lambda g: g.reshape(kept))
    return lambda g: np.expand_dims(g, axis)


def at_greatest(g: Array, x: Array, axis: Any) -> Array:
    """Return the gradient where the greatest elements are, in equal shares; NaN is greater."""
    places = (x == x.max(axis=axis, keepdims=True)) | np.isnan(x)
    return np.where(places, g / places.sum(axis=axis, keepdims=True), 0).astype(x.dtype)


def index_of(index: Any) -> Any:
    """Return an index for numpy: tensors in it as whole numbers."""
    if isinstance(index, tuple):
        return tuple(index_of(one) for one in index)
    if not isinstance(index, _tensor.PureTensor):
        return _making.unmasked("index", index)
    whole = index.data.astype(np.int64)
    if not np.array_equal(whole, index.data):
        raise KindError("index: a tensor of numbers that are not whole is no index")
    return whole


def kept_index(index: Any) -> Any:
    """Return an index that stays as it is when the lists and arrays in it are written."""
    if isinstance(index, tuple):
        return tuple(map(kept_index, index))
    return copy.deepcopy(index) if isinstance(index, list | np.ndarray) else index


def scatter(g: Array, index: Any, like: Array) -> Array:
    """Return zeros with the gradient at ``index``, summed where that repeats."""
    found = np.zeros(like.shape, g.dtype)
    if all(isinstance(one, _ONCE) for one in (index if isinstance(index, tuple) else (index,))):
        found[index] = g
    else:
        np.add.at(found, index, g)
    return found


def order_back(axes: tuple[Any, ...], dimensions: int) -> Any:
    """Return the order of axes that undoes ``transpose(*axes)``; None, reversed, undoes itself."""
    one = axes[0] if len(axes) == 1 else axes
    if one is None or axes == ():
        return None
    order = axes if isinstance(one, int | np.integer) else one
    return np.argsort([axis % dimensions for axis in order])


def piece(place: slice, axis: int) -> Callable[[Array], Array]:
    """Return how a gradient is cut to one part of a concatenation."""
    return lambda g: np.moveaxis(np.moveaxis(g, axis, 0)[place], 0, axis)
