"""The calls of a row: one operation on the same inputs, by AUTO and by each backend itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from shimhub import accel
from shimhub.accel import _workloads
from shimhub.accel._table import TABLE
from shimhub.accel._torch_ops import FUNCTIONS

Call = Callable[[], Any]
AUTO = "AUTO"
#: numpy's own function, where it has one; else what one writes with numpy.
_NUMPY: Mapping[str, Any] = {
    "matmul": np.matmul,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def calls_of(op: str, kind: str, dtype: str, size: int) -> dict[str, Call]:
    """Return the calls by name; AUTO is first."""
    arrays = _workloads.inputs_of(op, dtype, size)
    made = {"ndarray": _of_arrays, "tensor": _of_tensors, "list": _of_lists}[kind](op, arrays)
    if TABLE[op].kernel is None:
        made.pop("kernels")
    if op == "gelu":  # numpy has no erf
        made.pop("numpy", None)
    return made


def _numpy(op: str) -> Any:
    return _NUMPY.get(op, TABLE[op].reference)


def _of_arrays(op: str, arrays: list[Any]) -> dict[str, Call]:
    function = FUNCTIONS[op]

    def by_torch() -> Any:
        return function(*map(torch.from_numpy, arrays)).numpy()

    return {
        AUTO: partial(getattr(accel, op), *arrays),
        "kernels": partial(TABLE[op].kernel or print, *arrays),
        "numpy": partial(_numpy(op), *arrays),
        "torch": by_torch,
    }


def _of_tensors(op: str, arrays: list[Any]) -> dict[str, Call]:
    tensors = [torch.from_numpy(one) for one in arrays]
    kernel = TABLE[op].kernel or print

    def by_kernels() -> Any:
        return torch.from_numpy(kernel(*[one.numpy() for one in tensors]))

    return {
        AUTO: partial(getattr(accel, op), *tensors),
        "kernels": by_kernels,
        "torch": partial(FUNCTIONS[op], *tensors),
    }


def _of_lists(op: str, arrays: list[Any]) -> dict[str, Call]:
    lists = [one.tolist() for one in arrays]
    function, plain, kernel = FUNCTIONS[op], _numpy(op), TABLE[op].kernel or print
    dtypes = [one.dtype for one in arrays]
    torch_dtypes = [torch.from_numpy(one).dtype for one in arrays]

    def back(result: Any) -> Any:
        return result.tolist() if hasattr(result, "tolist") else result

    def by(compute: Any) -> Any:
        return back(compute(*map(np.asarray, lists, dtypes)))

    def by_torch() -> Any:
        tensors = [torch.tensor(one, dtype=t) for one, t in zip(lists, torch_dtypes, strict=True)]
        return function(*tensors).tolist()

    takes_lists = op == "matmul"
    return {
        AUTO: partial(getattr(accel, op), *lists),
        "kernels": partial(kernel, *lists) if takes_lists else partial(by, kernel),
        "numpy": partial(by, plain),
        "torch": by_torch,
    }
