"""The operations on arrays, by the backend that is chosen for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

matmul = np.matmul
add = np.add
sub = np.subtract
mul = np.multiply
div = np.divide
tanh = np.tanh


def linear(x: Array, weight: Array, bias: Array | None = None, *, transposed: bool = False) -> Any:
    """Return ``x @ weight + bias``; with ``transposed`` the weight is (out, in)."""
    result = x @ (weight.T if transposed else weight)
    return result if bias is None else result + bias


def relu(x: Array) -> Any:
    """Return ``max(x, 0)``."""
    return np.maximum(x, x.dtype.type(0))


def sigmoid(x: Array) -> Any:
    """Return ``1 / (1 + exp(-x))``."""
    power = np.exp(-np.abs(x))
    upper = 1 / (1 + power)
    return np.where(x < 0, power * upper, upper)


def softmax(x: Array, axis: int = -1) -> Any:
    """Return ``exp(x - max) / sum`` along an axis."""
    power = np.exp(x - x.max(axis=axis, keepdims=True))
    return power / power.sum(axis=axis, keepdims=True)


def gelu(x: Array, approximate: str = "none") -> Any:
    """Return ``x * Phi(x)``, or its approximation by tanh."""
    wide = x.astype(np.float64)
    return (wide / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3)))).astype(
        x.dtype
    )


def layer_norm(x: Array, weight: Array | None, bias: Array | None, eps: float) -> Any:
    """Return the rows with mean 0 and variance 1, scaled and shifted."""
    apart = x - x.mean(axis=-1, keepdims=True)
    result = apart / np.sqrt((apart * apart).mean(axis=-1, keepdims=True) + x.dtype.type(eps))
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


def mse_loss(prediction: Array, target: Array) -> Any:
    """Return the mean of squared differences."""
    return np.square(prediction - target).mean()


def cross_entropy(x: Array, target: Array) -> Any:
    """Return the mean of ``-log(softmax(x))`` at the target: classes, or probabilities."""
    apart = x - x.max(axis=-1, keepdims=True)
    logs = apart - np.log(np.exp(apart).sum(axis=-1, keepdims=True))
    if target.dtype.kind == "f":
        return -(logs * target).sum() / (x.size // x.shape[-1])
    return -np.take_along_axis(logs, target[..., None], -1).mean()
