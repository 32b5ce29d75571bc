"""Linear algebra of small sizes: numpy's answers in less time, natively where that is faster.

Losses are forward alone. Each function is one C function where the native library is loaded, and
:mod:`shimhub.kernels._reference.linalg` where it is not. That module documents them, with shapes,
dtypes, tolerances and errors. Native results are the same bits for the same values and shapes on
one lane, whatever strides and alignment; where numpy was measured to be faster products and the
four operations are numpy's own (:func:`native_limit`).
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub import kernels
from shimhub.kernels import _loading, _thresholds
from shimhub.kernels._reference import linalg as _reference

if TYPE_CHECKING:
    from types import ModuleType

_PRECISIONS: Final = ("float32", "float64")
_FUNCTIONS: Final = (
    *("matmul", "linear", "add", "subtract", "multiply", "divide"),
    *("relu", "sigmoid", "tanh", "gelu", "softmax", "layer_norm"),
    *("mse_loss", "cross_entropy"),
)
_KINDS: Final = ("products", "shallow_products", "thin_products", "elements")


def native_limit(kind: str, dtype: str, limit: float | None = None) -> float:
    """Return the size up to which native code is used, and set it if ``limit`` is given.

    ``kind`` is "products" (m * n * k), "shallow_products" (the same where k is at most 16; the
    larger of both limits holds), "thin_products" (m * k, of results with so few columns that a
    vector is mostly unused) or "elements" (of add, subtract, multiply and divide); ``dtype``
    "float32" or "float64". ``0`` leaves all that is not empty to numpy; ``math.inf`` nothing, of
    products not even the shapes at which numpy was measured to be faster (a transposed ``b`` of few
    rows). Returns 0 without the native library. For the process; O(1). Raises ``ValueError``.
    """
    if kind not in _KINDS:
        raise ValueError(f"kind: {kind!r} is none of {', '.join(_KINDS)}")
    if dtype not in _PRECISIONS:
        raise ValueError(f"dtype: {dtype!r} is none of {', '.join(_PRECISIONS)}")
    if limit is not None and not limit >= 0:
        raise ValueError(f"limit: {limit!r} is not a number >= 0")
    native = _loading.native()
    if native is None:
        return 0.0
    precision = _PRECISIONS.index(dtype)
    before: float = native.linalg_limit(kind, precision, 0.0)
    native.linalg_limit(kind, precision, before if limit is None else limit)
    return before


def _samples() -> list[Any]:
    """Return arrays of several kinds, by which C checks that it reads numpy's objects right."""
    found: list[Any] = []
    for dtype in ("f4", "f8", ">f4", "i4", "i8", ">i8", "f2"):
        base = np.zeros((3, 4, 5), dtype)
        views = (base, base[::2, ::-1], base.T, base[0, :, 1:3], base[1, 2], base[1, 2, 3:4])
        found += views
        fixed = base.copy()
        fixed.flags.writeable = False
        found.append(fixed)
    found.append(np.zeros(33, "u1")[1:].view("f8"))
    return found


def _set_up(native: ModuleType) -> None:
    native.linalg_setup(np, _reference, _samples())
    for name in _FUNCTIONS:
        native.linalg_document(name, inspect.getdoc(getattr(_reference, name)))
    threaded = _thresholds.blas_threads() > 1
    for dtype, limits in _thresholds.limits(kernels.lanes()).items():
        products = limits.threaded_products if threaded else limits.products
        native_limit("products", dtype, products)
        native_limit("shallow_products", dtype, 0 if threaded else limits.shallow_products)
        native_limit("thin_products", dtype, limits.thin_products)
        native_limit("elements", dtype, limits.elements)


_native: Final = _loading.native()

matmul = _reference.matmul
linear = _reference.linear
add = _reference.add
subtract = _reference.subtract
multiply = _reference.multiply
divide = _reference.divide
relu = _reference.relu
sigmoid = _reference.sigmoid
tanh = _reference.tanh
gelu = _reference.gelu
softmax = _reference.softmax
layer_norm = _reference.layer_norm
mse_loss = _reference.mse_loss
cross_entropy = _reference.cross_entropy

if _native is not None:
    _set_up(_native)
    # The C functions themselves: a Python function around them would take 60 ns more a call.
    matmul = _native.matmul
    linear = _native.linear
    add = _native.add
    subtract = _native.subtract
    multiply = _native.multiply
    divide = _native.divide
    relu = _native.relu
    sigmoid = _native.sigmoid
    tanh = _native.tanh
    gelu = _native.gelu
    softmax = _native.softmax
    layer_norm = _native.layer_norm
    mse_loss = _native.mse_loss
    cross_entropy = _native.cross_entropy
