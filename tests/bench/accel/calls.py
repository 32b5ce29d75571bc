"""The calls of a row: one operation on the same inputs, by AUTO and by each backend itself.

numpy's and torch's are what their users would write: the shortest call that gives the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from shimhub import accel
from shimhub.accel import _workloads
from shimhub.accel._table import TABLE

Call = Callable[[], Any]
AUTO = "AUTO"
#: What explain calls who computes, and these rows.
NAMES: Mapping[str, str] = {"native": "kernels", "numpy": "numpy", "torch": "torch"}


def _softmax(x: Any) -> Any:
    found = np.exp(x - x.max(-1, keepdims=True))
    found /= found.sum(-1, keepdims=True)
    return found


def _layer_norm(x: Any, weight: Any, bias: Any) -> Any:
    apart = x - x.mean(-1, keepdims=True)
    variance = np.square(apart).mean(-1, keepdims=True)
    return apart / np.sqrt(variance + 1e-5) * weight + bias


def _cross_entropy(x: Any, target: Any) -> Any:
    apart = x - x.max(-1, keepdims=True)
    logs = np.log(np.exp(apart).sum(-1))
    return np.mean(logs - apart[np.arange(len(target)), target])


#: With numpy; it has no erf, and so no gelu.
_NUMPY: Mapping[str, Any] = {
    "matmul": np.matmul,
    "linear": lambda x, weight, bias: x @ weight + bias,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softmax": _softmax,
    "layer_norm": _layer_norm,
    "mse_loss": lambda x, target: np.square(x - target).mean(),
    "cross_entropy": _cross_entropy,
}
#: With torch: a function, and its arguments in order where they are not the inputs.
_TORCH: Mapping[str, tuple[Any, Callable[..., tuple[Any, ...]] | None]] = {
    "matmul": (torch.matmul, None),
    "linear": (torch.addmm, lambda x, weight, bias: (bias, x, weight)),
    "add": (torch.add, None),
    "sub": (torch.sub, None),
    "mul": (torch.mul, None),
    "div": (torch.div, None),
    "relu": (torch.relu, None),
    "sigmoid": (torch.sigmoid, None),
    "tanh": (torch.tanh, None),
    "gelu": (functional.gelu, None),
    "softmax": (torch.softmax, lambda x: (x, -1)),
    "layer_norm": (torch.layer_norm, lambda x, *rest: (x, (x.shape[-1],), *rest)),
    "mse_loss": (functional.mse_loss, None),
    "cross_entropy": (functional.cross_entropy, None),
}


def calls_of(op: str, kind: str, dtype: str, shape: Sequence[int]) -> dict[str, Call]:
    """Return the calls by name; AUTO is first."""
    arrays = _workloads.inputs_of(op, dtype, tuple(shape))
    made = {"ndarray": _of_arrays, "tensor": _of_tensors, "list": _of_lists}[kind](op, arrays)
    return {name: call for name, call in made.items() if call is not None}


def inputs_of(op: str, kind: str, dtype: str, shape: Sequence[int]) -> list[Any]:
    """Return the inputs of a call in mode AUTO."""
    arrays = _workloads.inputs_of(op, dtype, tuple(shape))
    if kind == "ndarray":
        return arrays
    return [one.tolist() if kind == "list" else torch.from_numpy(one) for one in arrays]


def _frame(function: Any, *inputs: Any) -> Call:
    """Return a call without arguments. A partial takes more of functions in C than of others."""
    if len(inputs) == 1:
        (x,) = inputs
        return lambda: function(x)
    if len(inputs) == 2:
        x, y = inputs
        return lambda: function(x, y)
    return lambda: function(*inputs)


def _by_torch(op: str, tensors: Sequence[Any]) -> Any:
    function, order = _TORCH[op]
    return function(*tensors) if order is None else function(*order(*tensors))


def _of_arrays(op: str, arrays: list[Any]) -> dict[str, Call | None]:
    kernel, plain = TABLE[op].kernel, _NUMPY.get(op)

    def by_torch() -> Any:
        return _by_torch(op, [torch.from_numpy(one) for one in arrays]).numpy()

    return {
        AUTO: _frame(getattr(accel, op), *arrays),
        "kernels": None if kernel is None else _frame(kernel, *arrays),
        "numpy": None if plain is None else _frame(plain, *arrays),
        "torch": by_torch,
    }


def _of_tensors(op: str, arrays: list[Any]) -> dict[str, Call | None]:
    tensors = [torch.from_numpy(one) for one in arrays]
    kernel = TABLE[op].kernel
    function, order = _TORCH[op]

    def by_kernels() -> Any:
        assert kernel is not None
        return torch.as_tensor(kernel(*[one.numpy() for one in tensors]))

    return {
        AUTO: _frame(getattr(accel, op), *tensors),
        "kernels": None if kernel is None else by_kernels,
        "torch": _frame(function, *(tensors if order is None else order(*tensors))),
    }


def _of_lists(op: str, arrays: list[Any]) -> dict[str, Call | None]:
    lists = [one.tolist() for one in arrays]
    plain, kernel = _NUMPY.get(op), TABLE[op].kernel
    dtypes = [one.dtype for one in arrays]
    torch_dtypes = [torch.from_numpy(one).dtype for one in arrays]

    def by(compute: Any) -> Any:
        return compute(*map(np.asarray, lists, dtypes)).tolist()

    def by_torch() -> Any:
        tensors = [torch.tensor(one, dtype=t) for one, t in zip(lists, torch_dtypes, strict=True)]
        return _by_torch(op, tensors).tolist()

    def by_kernels() -> Call | None:
        if kernel is None:
            return None
        takes_lists = op == "matmul"
        return _frame(kernel, *lists) if takes_lists else _frame(by, kernel)

    return {
        AUTO: _frame(getattr(accel, op), *lists),
        "kernels": by_kernels(),
        "numpy": None if plain is None else _frame(by, plain),
        "torch": by_torch,
    }
