"""Weights of 2-D convolutions in channels_last: the values and the Parameters stay, strides change.

Only weights that convolutions own are converted: another 4-D parameter may be viewed by its model.
State of optimizers (momenta) and gradients follow their weight, because torch's fused kernels for
CPU read memory in order and give wrong updates, without an error, where strides differ.
https://docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any, Final

import torch

from shimhub.speed.errors import KnobError
from shimhub.speed.model import Hardware, Numerics, State, Targets

_Strides = tuple[int, ...]
_CONVOLUTIONS: Final[Any] = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)


class ChannelsLast:
    """The knob ``channels_last``; its value is True."""

    id: Final = "channels_last"
    numerics: Final = Numerics.REASSOCIATED
    scope: Final = "model"

    def why_not(self, value: Any, hardware: Hardware, targets: Targets) -> str:
        """Return why weights cannot be converted, or why it would change nothing."""
        if value is not True:
            return f"channels_last is True or left alone, not {value!r}"
        if targets.model is None:
            return "no model was given"
        if not any(True for _ in _weights(targets.model)):
            return "the model has no weight of a 2-D convolution"
        return _refusal(targets.model)

    def read(self, targets: Targets) -> State:
        """Return the strides of each weight by its name."""
        weights = () if targets.model is None else _weights(targets.model)
        return {name: one.stride() for name, one in weights}

    def apply(self, value: Any, targets: Targets) -> None:
        """Convert the weights, their gradients and their state in optimizers."""
        if reason := _refusal(targets.model):
            raise KnobError(f"channels_last: {reason}")
        wanted = {name: _last(one) for name, one in _weights(targets.model)}
        _convert(wanted, targets)

    def restore(self, before: State, targets: Targets) -> None:
        """Bring back the strides; weights that are gone or have another shape are left."""
        _convert(before, targets)


KNOB: Final = ChannelsLast()


def _weights(model: Any) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """Yield the weights that 2-D convolutions own, by name; each Parameter once."""
    seen: set[int] = set()
    for name, module in model.named_modules():
        if not isinstance(module, _CONVOLUTIONS):
            continue
        weight = module._parameters.get("weight")
        if weight is None or torch.nn.parameter.is_lazy(weight) or id(weight) in seen:
            continue
        seen.add(id(weight))
        yield f"{name}.weight".lstrip("."), weight


def _refusal(model: Any) -> str:
    """Return why weights of a model cannot be converted."""
    if isinstance(model, torch.jit.ScriptModule):
        return "a torch.jit model keeps its own layout: apply before scripting or tracing"
    if wrapped := _wrapper(model):
        return f"{wrapped} keeps views of gradients: apply to the model inside, before wrapping"
    return _shared(dict(_weights(model)), model)


def _wrapper(model: Any) -> str:
    """Return the class of a wrapper that keeps memory of gradients; empty where there is none."""
    wrapper = torch.nn.parallel.DistributedDataParallel
    found = (type(one).__name__ for one in model.modules() if isinstance(one, wrapper))
    return next(found, "")


def _shared(weights: dict[str, torch.nn.Parameter], model: Any) -> str:
    """Return which weight is part of a storage that others read; empty where none is."""
    owners: dict[int, list[str]] = {}
    for name, one in [*model.named_parameters(), *model.named_buffers()]:
        if _is_plain(one):
            owners.setdefault(one.untyped_storage().data_ptr(), []).append(name)
    for name, one in weights.items():
        if one.is_meta:
            return f"{name} is on the meta device and has no memory: apply once the model has"
        if not _is_plain(one):
            return f"{name} is a {type(one.data).__name__}, whose memory is not its own"
        others = owners[one.untyped_storage().data_ptr()]
        if len(others) > 1:
            return f"{name} shares its memory with {next(x for x in others if x != name)}"
    return ""


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether a tensor has memory to look at: no lazy one, no tensor of a library's own class."""
    if torch.nn.parameter.is_lazy(tensor) or tensor.is_meta:
        return False
    return type(tensor.data) is torch.Tensor


def _last(weight: torch.Tensor) -> _Strides:
    """Return the strides of a 4-D shape in channels_last."""
    _, channels, height, width = weight.shape
    return (channels * height * width, 1, width * channels, channels)


def _convert(wanted: State, targets: Targets) -> None:
    """Give weights the strides, and the same to what follows a weight."""
    changed = [
        (one, wanted[name])
        for name, one in _weights(targets.model)
        if name in wanted and len(wanted[name]) == one.dim() and one.stride() != wanted[name]
    ]
    if not changed:
        return
    optimizers = _optimizers([one for one, _ in changed], targets)
    for weight, strides in changed:
        followers = [state for each in optimizers for state in _state(each, weight)]
        for one in (weight, weight.grad, *followers):
            if one is not None:
                _restride(one, strides)


def _restride(tensor: torch.Tensor, strides: _Strides) -> None:
    """Copy the values to memory of other strides; the tensor object stays."""
    if tensor.stride() == strides:
        return
    fresh = torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype, device=tensor.device)
    tensor.data = fresh.copy_(tensor.detach())


def _state(optimizer: Any, weight: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the tensors of an optimizer's state that lie element by element on the weight."""
    for one in optimizer.state.get(weight, {}).values():
        if isinstance(one, torch.Tensor) and one.shape == weight.shape:
            yield one


def _optimizers(weights: list[torch.Tensor], targets: Targets) -> list[Any]:
    """Return the optimizers of these weights: the one given, or those found alive.

    An optimizer that was made after ``apply`` is known to nobody but its owner.
    """
    given = targets.optimizer
    if given is not None and {id(one) for one in weights if one.requires_grad} <= _ids(given):
        return [given]
    ids = {id(one) for one in weights}
    found = [one for one in gc.get_objects() if issubclass(type(one), torch.optim.Optimizer)]
    found += [given] if given is not None else []
    return [one for one in {id(one): one for one in found}.values() if ids & _ids(one)]


def _ids(optimizer: Any) -> set[int]:
    """Return the ids of an optimizer's parameters; one that is being made has none yet."""
    groups = getattr(optimizer, "param_groups", ())
    return {id(one) for group in groups for one in group["params"]}
