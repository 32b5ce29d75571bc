"""The operations in torch, with the arguments of ours. Imports torch: reached by its users only."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch.autograd import forward_ad
from torch.nn import functional

from shimhub.accel import _fast, _outlines
from shimhub.kernels._reference import linalg as reference

#: What functional's call after checks in Python; of a torch without them, those.
_OWN_MSE: Final = getattr(torch._C._nn, "mse_loss", None)
_OWN_CROSS_ENTROPY: Final = getattr(torch._C._nn, "cross_entropy_loss", None)
_MEAN: Final = 1  # torch.nn._reduction.get_enum("mean")


def linear(
    x: Any, weight: Any, bias: Any = None, activation: Any = None, *, transposed: bool = False
) -> Any:
    """Return ``activation(x @ weight + bias)``; torch's own layer keeps the transposed weight."""
    if activation not in ACTIVATIONS:
        known = ", ".join(map(repr, ACTIVATIONS))
        raise ValueError(f"activation: {activation!r} is none of {known}")
    weight = weight if transposed else weight.T
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError("linear: torch would let the bias broadcast")
    result = functional.linear(x, weight, bias)
    return ACTIVATIONS[activation](result)


def gelu(x: Any, approximate: str = "none") -> Any:
    """Return torch's own, of both kinds."""
    return functional.gelu(x, approximate=approximate)


def softmax(x: Any, axis: int = -1) -> Any:
    """Return the softmax along an axis."""
    return torch.softmax(x, axis)


def layer_norm(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Return the last dimension normalised; torch would take any eps."""
    reference.check_eps(eps)
    return torch.layer_norm(x, x.shape[-1:], weight, bias, eps)


def mse_loss(x: Any, target: Any) -> Any:
    """Return the mean of the squared differences; torch would let shapes broadcast."""
    if x.shape != target.shape:
        raise ValueError("mse_loss: shapes differ")
    return functional.mse_loss(x, target) if _OWN_MSE is None else _OWN_MSE(x, target, _MEAN)


def cross_entropy(x: Any, target: Any) -> Any:
    """Return the mean loss; classes may be of any integer dtype, one class a number."""
    target = torch.tensor(target) if isinstance(target, int) else target
    if target.dtype is torch.bool:
        raise TypeError("cross_entropy: target: dtype bool is none of classes")
    classes = target if target.is_floating_point() else target.long()
    if _OWN_CROSS_ENTROPY is None:
        return functional.cross_entropy(x, classes)
    return _OWN_CROSS_ENTROPY(x, classes, None, _MEAN)


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
#: In the order in which C knows them.
_OWN: Final = (
    torch.matmul,
    torch.addmm,
    functional.linear,
    functional.gelu,
    torch.softmax,
    torch.layer_norm,
    _OWN_MSE,
    _OWN_CROSS_ENTROPY,
)
#: Each tells, without arguments, whether somebody follows what is done with tensors.
STATES: Final[tuple[Any, ...]] = (
    torch._C._len_torch_dispatch_stack,
    torch._C._len_torch_function_stack,
    torch._C._is_tracing,
    torch._C._functorch.peek_interpreter_stack,  # None outside of vmap, grad, functionalize
)
_fast.use_torch(torch, FUNCTIONS, _OWN, STATES, vars(forward_ad))
_outlines.use()
