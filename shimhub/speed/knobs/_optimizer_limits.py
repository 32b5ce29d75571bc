"""What fused and foreach cannot do, found before the first step that would fail or be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch

from shimhub.speed.model import Targets

#: Devices with fused kernels where torch does not tell.
#: https://docs.pytorch.org/docs/2.13/optim.html
_DEVICES: Final = ("cuda", "cpu", "mps", "xpu")


def refusal(value: Any, targets: Targets) -> str:
    """Return why the value cannot be set on this optimizer; empty where it can."""
    if reason := _malformed(value):
        return reason
    if targets.optimizer is None:
        return "no optimizer was given"
    ((name, on),) = value.items()
    groups = targets.optimizer.param_groups
    if any(name not in group for group in groups):
        return f"{type(targets.optimizer).__name__} has no {name} implementation"
    if not on:
        return ""
    reasons = (_group_refusal(name, group) for group in groups)
    return next(filter(None, reasons), "") or (_fused_refusal(targets) if name == "fused" else "")


def _malformed(value: Any) -> str:
    """Return what is wrong with a value; the two settings exclude each other."""
    right = isinstance(value, Mapping) and len(value) == 1 and {*value} <= {"fused", "foreach"}
    if right and all(isinstance(one, bool) for one in value.values()):
        return ""
    return f'the value is {{"fused": bool}} or {{"foreach": bool}}, not {value!r}'


def _group_refusal(name: str, group: Mapping[str, Any]) -> str:
    """Return which setting of a group excludes this one."""
    if group.get("differentiable"):
        return f"{name} does not go with differentiable=True"
    numbers = [group.get("lr"), *(group.get("betas") or ())]
    tensors = any(isinstance(one, torch.Tensor) for one in numbers)
    if name == "foreach" and tensors and not group.get("capturable"):
        return "foreach takes lr and betas that are tensors with capturable=True only"
    return ""


def _fused_refusal(targets: Targets) -> str:
    """Return which parameter a fused kernel cannot update."""
    if _sparse(targets.model):
        return "the model has an embedding with sparse gradients, which fused steps refuse"
    for index, parameter in _parameters(targets.optimizer):
        if reason := _parameter_refusal(targets.optimizer, parameter):
            return f"parameter {index} {reason}"
    return ""


def _parameters(optimizer: Any) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield all parameters with a number, as in the optimizer's state_dict."""
    yield from enumerate(one for group in optimizer.param_groups for one in group["params"])


def _sparse(model: Any) -> bool:
    """Whether a module of the model gives sparse gradients."""
    kinds = (torch.nn.Embedding, torch.nn.EmbeddingBag)
    modules = () if model is None else model.modules()
    return any(isinstance(one, kinds) and one.sparse for one in modules)


def _devices() -> tuple[str, ...]:
    """Return the devices with fused kernels, as torch lists them."""
    from torch.utils import _foreach_utils

    listed = getattr(_foreach_utils, "_get_fused_kernels_supported_devices", None)
    return tuple(listed()) if listed else _DEVICES


def _parameter_refusal(optimizer: Any, parameter: torch.Tensor) -> str:
    """Return what of a parameter, its gradient or its state keeps a fused kernel from it."""
    if torch.nn.parameter.is_lazy(parameter):
        return "has no shape yet: run a forward first"
    if not parameter.is_floating_point():
        return f"is {parameter.dtype}, and fused steps take floating point only"
    if parameter.device.type not in _devices():
        return f"is on {parameter.device}, which has no fused kernels"
    if parameter.grad is not None and parameter.grad.is_sparse:
        return "has a sparse gradient, which fused steps refuse"
    return _layout_refusal(optimizer, parameter)


def _layout_refusal(optimizer: Any, parameter: torch.Tensor) -> str:
    """Return whose strides differ from the parameter's: fused kernels read memory in order."""
    if not _dense(parameter):
        return "is a view with gaps"
    followers = {"its gradient": parameter.grad, **optimizer.state.get(parameter, {})}
    for name, one in followers.items():
        if not isinstance(one, torch.Tensor) or one.shape != parameter.shape:
            continue
        if _order(one) != _order(parameter):
            return f"and {name} have different strides (memory formats)"
    return ""


def _order(tensor: torch.Tensor) -> tuple[int, ...]:
    """Return the strides that matter: those of dimensions with more than one element."""
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    return tuple(stride for size, stride in sizes if size > 1)


def _dense(tensor: torch.Tensor) -> bool:
    """Whether the elements lie one beside the other, in any order of dimensions."""
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return True
