"""The calls that are timed: inputs of each operation by size, and both ways to compute them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from shimhub.accel import _kinds, torch_ffi
from shimhub.accel._dispatch import Call as Plan
from shimhub.accel._dispatch import call_of, choose
from shimhub.accel._table import TABLE, Op
from shimhub.accel.model import GROUPS, AccelMode, Settings
from shimhub.kernels.linalg import native_limit

Call = Callable[[], Any]
_HALF: Final = 0.5
_AUTO: Final = Settings(AccelMode.AUTO)
_TORCH: Final = Settings(AccelMode.TORCH)
_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "linear": {"activation": None, "transposed": False},
    "gelu": {"approximate": "none"},
    "softmax": {"axis": -1},
    "layer_norm": {"eps": 1e-5},
}


@dataclass(frozen=True)
class Arms:
    """A call of so much work in both ways."""

    work: float
    pure: Call
    torch: Call


def arms(name: str, kind: str, dtype: str, size: int) -> Arms:
    """Return both ways to compute an operation on ``size`` x ``size`` inputs of a kind."""
    op, options = TABLE[name], _OPTIONS.get(name, {})
    arrays = inputs_of(name, dtype, size)
    work = op.work(arrays, options)
    if kind == "tensor":
        return Arms(work, *_on_tensors(op, arrays, options))
    if kind == "list":
        lists = [None if one is None else one.tolist() for one in arrays]
        return Arms(work, *_on_lists(op, lists, options, work))
    pure = op.kernel or op.reference

    def by_torch() -> Any:
        call = call_of(op, "ndarray", arrays, options, _TORCH)
        choose(call)
        return torch_ffi.on_arrays(op, call.inputs, options)

    return Arms(work, lambda: pure(*arrays, **options), by_torch)


def inputs_of(name: str, dtype: str, size: int) -> list[Any]:
    """Return arrays for an operation, the same each time; from -1 to 1, away from zero."""
    drawn = np.random.default_rng(8).uniform(0.1, 1, (2, size, size)).astype(dtype)
    x, y = drawn[0] * np.where(drawn[1] > _HALF, 1, -1).astype(dtype), drawn[1]
    if name == "linear":
        return [x, y, x[0].copy()]
    if name == "layer_norm":
        return [x, y[0].copy(), x[0].copy()]
    if name == "cross_entropy":
        return [x, np.arange(size) % size]
    return [x] if name in GROUPS["activations"] else [x, y]


def _on_lists(
    op: Op, lists: list[Any], options: Mapping[str, Any], work: float
) -> tuple[Call, Call]:
    kernel = op.kernel if op.name == "matmul" else None

    def pure() -> Any:
        call = call_of(op, "list", lists, options, _AUTO)
        choose(call)
        found = (op.kernel or op.reference)(*call.inputs, **options)
        return _kinds.from_result("list", lists[0], found)

    def by_torch() -> Any:
        call = call_of(op, "list", lists, options, _TORCH)
        choose(call)
        return _kinds.from_result("list", lists[0], torch_ffi.on_arrays(op, call.inputs, options))

    if kernel is not None and work <= native_limit("products", "float64"):
        return lambda: kernel(*lists), by_torch
    return pure, by_torch


def _on_tensors(op: Op, arrays: list[Any], options: Mapping[str, Any]) -> tuple[Call, Call]:
    """Return both ways; that by ours is through Python, where torch's is its own function."""
    torch, function = torch_ffi.torch_module(), torch_ffi.functions()[op.name]
    from shimhub.accel import _tensors

    tensors = [torch.from_numpy(one) for one in arrays]
    pure = op.kernel or op.reference

    def ours() -> Any:
        _tensors.limit_of(Plan(op, "tensor", tensors, options, _AUTO))
        _tensors.why_torch(op.name, tensors)
        return torch.as_tensor(pure(*map(_kinds.from_tensor, tensors), **options))

    return ours, lambda: function(*tensors, **options)
