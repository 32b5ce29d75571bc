"""The operations: one name for a product, a layer or an activation, whoever computes it.

Inputs are lists of numbers, numpy's arrays, torch's tensors, or objects with ``__accel_array__()``
and a class method ``__accel_wrap__(array)``; the result is what the first of them is. Inputs are
never written. float32 and float64 for all operations; :func:`matmul`, :func:`add`, :func:`sub`,
:func:`mul` and :func:`div` take what numpy's do. Lists are computed in float64.

Shapes that do not go together raise ``ValueError``, other types ``TypeError``. A tensor that needs
a gradient stays in torch, and so does what is computed with it.
"""

from __future__ import annotations

from typing import Any

from shimhub.accel._dispatch import run


def matmul(a: Any, b: Any, /) -> Any:
    """Return the matrix product, of shapes as ``numpy.matmul`` takes them. O(m n k).

    Raises ``ShapeError``, a ``ValueError``, for shapes that are not multiplied.
    """
    return run("matmul", (a, b), {})


def linear(
    x: Any,
    weight: Any,
    bias: Any = None,
    activation: str | None = None,
    *,
    transposed: bool = False,
) -> Any:
    """Return ``activation(x @ weight + bias)``.

    Shapes: x ``(..., in)``, weight ``(in, out)``, or ``(out, in)`` where ``transposed``, bias
    ``(out,)``. ``activation`` is None, "relu", "sigmoid", "tanh", "gelu" or "gelu_tanh", and
    ``ValueError`` for another. O(rows in out).
    """
    options = {"activation": activation, "transposed": transposed}
    return run("linear", (x, weight, bias), options)


def add(a: Any, b: Any, /) -> Any:
    """Return ``a + b``; shapes broadcast. O(n)."""
    return run("add", (a, b), {})


def sub(a: Any, b: Any, /) -> Any:
    """Return ``a - b``; shapes broadcast. O(n)."""
    return run("sub", (a, b), {})


def mul(a: Any, b: Any, /) -> Any:
    """Return ``a * b`` of each element; shapes broadcast. O(n)."""
    return run("mul", (a, b), {})


def div(a: Any, b: Any, /) -> Any:
    """Return ``a / b`` of each element; shapes broadcast. O(n)."""
    return run("div", (a, b), {})


def relu(x: Any, /) -> Any:
    """Return ``max(x, 0)``, NaN where x is. O(n)."""
    return run("relu", (x,), {})


def sigmoid(x: Any, /) -> Any:
    """Return ``1 / (1 + exp(-x))``. O(n)."""
    return run("sigmoid", (x,), {})


def tanh(x: Any, /) -> Any:
    """Return the hyperbolic tangent. O(n)."""
    return run("tanh", (x,), {})


def gelu(x: Any, /, approximate: str = "none") -> Any:
    """Return ``x * Phi(x)``, Phi the normal distribution's, or its approximation by "tanh". O(n).

    Raises ``ValueError`` for an ``approximate`` that is neither "none" nor "tanh".
    """
    return run("gelu", (x,), {"approximate": approximate})


def softmax(x: Any, /, axis: int = -1) -> Any:
    """Return ``exp(x - max) / sum`` along an axis, of the shape of x. O(n).

    Raises ``ShapeError``, a ``ValueError``, for an axis that x does not have.
    """
    return run("softmax", (x,), {"axis": axis})


def layer_norm(x: Any, /, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Return ``(x - mean) / sqrt(variance + eps) * weight + bias`` over the last dimension. O(n).

    Shapes: x ``(..., n)``, weight and bias ``(n,)`` or None. Raises ``ShapeError`` for others.
    """
    return run("layer_norm", (x, weight, bias), {"eps": eps})


def mse_loss(x: Any, target: Any, /) -> Any:
    """Return the mean of ``(x - target) ** 2``; ``ShapeError`` unless both have one shape. O(n)."""
    return run("mse_loss", (x, target), {})


def cross_entropy(x: Any, target: Any, /) -> Any:
    """Return the mean over rows of ``-log(softmax(x))`` at the target. O(n).

    x ``(rows, classes)`` or ``(classes,)``; the target has the classes' numbers, of x's leading
    shape and any integer dtype, or probabilities, of x's shape and dtype. Raises ``ValueError``
    for classes that x does not have (``IndexError`` where torch computes tensors).
    """
    return run("cross_entropy", (x, target), {})
