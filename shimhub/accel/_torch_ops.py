"""The operations in torch, with the arguments of ours. Imports torch: reached by its users only."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch.nn import functional


def linear(
    x: Any, weight: Any, bias: Any = None, activation: Any = None, *, transposed: bool = False
) -> Any:
    """Return ``activation(x @ weight + bias)``; torch's own layer keeps the transposed weight."""
    if activation not in ACTIVATIONS:
        known = ", ".join(map(repr, ACTIVATIONS))
        raise ValueError(f"activation: {activation!r} is none of {known}")
    result = functional.linear(x, weight if transposed else weight.T, bias)
    return ACTIVATIONS[activation](result)


def gelu(x: Any, approximate: str = "none") -> Any:
    """Return torch's own, of both kinds."""
    return functional.gelu(x, approximate=approximate)


def softmax(x: Any, axis: int = -1) -> Any:
    """Return the softmax along an axis."""
    return torch.softmax(x, axis)


def layer_norm(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Return the last dimension normalised."""
    return torch.layer_norm(x, x.shape[-1:], weight, bias, eps)


def mse_loss(x: Any, target: Any) -> Any:
    """Return the mean of the squared differences; torch would let shapes broadcast."""
    if x.shape != target.shape:
        raise ValueError("mse_loss: shapes differ")
    return functional.mse_loss(x, target)


def cross_entropy(x: Any, target: Any) -> Any:
    """Return the mean loss; classes may be of any integer dtype."""
    whole = not target.is_floating_point()
    return functional.cross_entropy(x, target.long() if whole else target)


ACTIVATIONS: Final[dict[str | None, Any]] = {
    None: lambda x: x,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
}
FUNCTIONS: Final[dict[str, Any]] = {
    "matmul": torch.matmul,
    "linear": linear,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": gelu,
    "softmax": softmax,
    "layer_norm": layer_norm,
    "mse_loss": mse_loss,
    "cross_entropy": cross_entropy,
}
