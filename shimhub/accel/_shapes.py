"""Shapes: whether they go together, and how much work they make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shimhub.accel.errors import ShapeError
from shimhub.kernels._reference import linalg as reference
from shimhub.kernels._reference import losses

Shape = tuple[int, ...]
_MATRIX = 2  # dimensions


def shape_of(value: Any) -> Shape:
    """Return the shape of an array or tensor; that of a number is empty."""
    return tuple(getattr(value, "shape", ()))


def shapes_of(inputs: Sequence[Any]) -> list[Shape]:
    """Return the shapes of all inputs; one that is not given has that of a number."""
    return [shape_of(one) for one in inputs]


def size(shape: Shape) -> int:
    """Return how many elements a shape has."""
    return math.prod(shape)


def matmul_work(inputs: Sequence[Any], _: Mapping[str, Any]) -> float:
    """Return the multiplications of a product; 0 for what is none."""
    a, b = shapes_of(inputs)
    if not a or not b:
        return 0.0
    columns = b[-1] if len(b) > 1 else 1
    return float(size(a[-2:]) * columns * _batch(a[:-2], b[:-2]))


def _batch(a: Shape, b: Shape) -> int:
    if not a and not b:
        return 1
    try:
        return size(np.broadcast_shapes(a, b))
    except ValueError:
        return 0  # what cannot be multiplied is no work


def linear_work(inputs: Sequence[Any], options: Mapping[str, Any]) -> float:
    """Return the multiplications of a layer; 0 for what is none."""
    x, weight = shapes_of(inputs[:2])
    if len(weight) != _MATRIX:
        return 0.0
    return float(size(x) * weight[0 if options.get("transposed") else 1])


def largest(inputs: Sequence[Any], _: Mapping[str, Any]) -> float:
    """Return the elements of the largest input."""
    return float(max(map(size, shapes_of(inputs))))


def check_matmul(inputs: Sequence[Any], _: Mapping[str, Any]) -> None:
    """Raise ``ShapeError`` for shapes that numpy.matmul does not multiply."""
    a, b = shapes_of(inputs)
    if not a or not b:
        raise ShapeError(f"matmul: shapes {a} and {b}: a number is no matrix; use mul")
    rows = b[-2] if len(b) > 1 else b[0]
    if a[-1] != rows:
        raise ShapeError(f"matmul: shapes {a} and {b}: {a[-1]} columns, but {rows} rows")
    try:
        np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        raise ShapeError(
            f"matmul: shapes {a} and {b}: stacks of {a[:-2]} and {b[:-2]} do not broadcast"
        ) from None


def check_pair(op: str) -> Any:
    """Return a check that two shapes broadcast."""

    def check(inputs: Sequence[Any], _: Mapping[str, Any]) -> None:
        _broadcast(op, *shapes_of(inputs))

    return check


def check_linear(inputs: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Raise ``ShapeError`` for shapes of no layer."""
    x, weight = shapes_of(inputs[:2])
    order = ("out", "in") if options.get("transposed") else ("in", "out")
    told = weight[::-1] if options.get("transposed") else weight
    if not x or len(weight) != _MATRIX or x[-1] != told[0]:
        raise ShapeError(
            f"linear: weight: shape {weight} is not ({', '.join(order)}) for x of shape {x}"
        )
    _check_row("linear", "bias", inputs[2], told[1])


def check_layer_norm(inputs: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Raise ``ShapeError`` for parameters that are not of the last dimension."""
    x = shape_of(inputs[0])
    reference.check_eps(options.get("eps", 1e-5))
    if not x:
        raise ShapeError("layer_norm: x: has no dimension to normalise over")
    for name, row in zip(("weight", "bias"), inputs[1:], strict=True):
        _check_row("layer_norm", name, row, x[-1])


def check_gelu(_: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for an approximation that does not exist; torch takes bytes, too."""
    reference.check_approximate(options.get("approximate", "none"))


def check_softmax(inputs: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Raise ``ShapeError`` for an axis that x does not have."""
    x, axis = shape_of(inputs[0]), options.get("axis", -1)
    if not isinstance(axis, int) or isinstance(axis, bool):
        raise TypeError(f"axis: {type(axis).__name__} is not an int")
    if not -len(x) <= axis < len(x):
        raise ShapeError(f"softmax: axis: {axis} is not one of the {len(x)} of x")


def check_nothing(inputs: Sequence[Any], _: Mapping[str, Any]) -> None:
    """All shapes will do."""


def check_mse(inputs: Sequence[Any], _: Mapping[str, Any]) -> None:
    """Raise ``ShapeError`` for a target of another shape."""
    x, target = shapes_of(inputs)
    if x != target:
        raise ShapeError(f"mse_loss: target: shape {target} is not {x}, that of the prediction")


def check_cross_entropy(inputs: Sequence[Any], _: Mapping[str, Any]) -> None:
    """Raise ``ShapeError`` for a target that is neither classes nor probabilities.

    ``ValueError`` for an array of classes that x does not have.
    """
    x, target = shapes_of(inputs)
    if len(x) not in (1, _MATRIX):
        raise ShapeError(f"cross_entropy: x: shape {x} is neither (classes,) nor (rows, classes)")
    if target not in (x[:-1], x):
        raise ShapeError(f"cross_entropy: target: shape {target} is neither {x[:-1]} nor {x}")
    if 0 not in x and isinstance(inputs[1], np.ndarray) and inputs[1].dtype.kind in "iu":
        losses.check_classes(inputs[1], x[-1])


def _broadcast(op: str, a: Shape, b: Shape) -> None:
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        raise ShapeError(f"{op}: shapes {a} and {b} do not broadcast") from None


def _check_row(op: str, name: str, row: Any, count: int) -> None:
    if row is not None and shape_of(row) != (count,):
        raise ShapeError(f"{op}: {name}: shape {shape_of(row)} is not ({count},)")
