"""fused or foreach on a live optimizer: settings of its groups, and where its step counts lie.

A fused step reads the count of steps as float32 beside the parameter; the others keep it on the
CPU in the default precision. Counts move with the setting, and back with the restore.
https://github.com/pytorch/pytorch/blob/v2.13.0/torch/optim/adam.py ("special device hosting")
A checkpoint saved meanwhile has the setting in its ``param_groups``, under the usual keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch

from shimhub.speed.errors import KnobError
from shimhub.speed.knobs._optimizer_limits import refusal
from shimhub.speed.model import Hardware, Numerics, State, Targets

_SETTINGS: Final = ("fused", "foreach")
#: GradScaler leaves the unscaling to an optimizer that has this set; only fused kernels can.
_SCALES: Final = "_step_supports_amp_scaling"
#: Set by a first fused step of SGD and Adagrad.
_CHECKED: Final = "_need_device_dtype_check_for_fused"
_ABSENT: Final = "absent"


class OptimizerImplementation:
    """The knob ``optimizer``; its value is ``{"fused": bool}`` or ``{"foreach": bool}``."""

    id: Final = "optimizer"
    numerics: Final = Numerics.REASSOCIATED
    scope: Final = "optimizer"

    def why_not(self, value: Any, hardware: Hardware, targets: Targets) -> str:
        """Return why this optimizer has no such implementation, or has it already."""
        if reason := refusal(value, targets):
            return reason
        name, on = _setting(value)
        groups = targets.optimizer.param_groups
        if all(group[name] is on for group in groups):
            return f"the optimizer has {name}={on} already"
        if name == "foreach" and on and all(map(_by_default, groups)):
            return "torch takes foreach on this device by itself"
        return ""

    def read(self, targets: Targets) -> State:
        """Return the settings of each group, and step counts that lie where none was expected."""
        optimizer = targets.optimizer
        if optimizer is None:
            return {}
        state: dict[str, Any] = {
            f"groups[{index}].{name}": group[name]
            for index, group in enumerate(optimizer.param_groups)
            for name in _SETTINGS
            if name in group
        }
        state["unscales"] = vars(optimizer).get(_SCALES, _ABSENT)
        state["odd_steps"] = _odd_steps(optimizer)
        return state

    def apply(self, value: Any, targets: Targets) -> None:
        """Set every group, and put the step counts where the implementation reads them."""
        if reason := refusal(value, targets):
            raise KnobError(f"optimizer: {reason}")
        name, on = _setting(value)
        optimizer = targets.optimizer
        for group in optimizer.param_groups:
            was = bool(group.get("fused"))
            group[name] = on
            if on and _other(name) in group:
                group[_other(name)] = None
            if bool(group.get("fused")) != was:
                _place_steps(optimizer, group, {})
        _match_scaling(optimizer)

    def restore(self, before: State, targets: Targets) -> None:
        """Bring back the settings of each group, the step counts' places, and no other state."""
        optimizer = targets.optimizer
        odd = {(i, j): (device, dtype) for i, j, device, dtype in before["odd_steps"]}
        for index, group in enumerate(optimizer.param_groups):
            was = bool(group.get("fused"))
            for name in _SETTINGS:
                if (key := f"groups[{index}].{name}") in before:
                    group[name] = before[key]
            mine = {j: place for (i, j), place in odd.items() if i == index}
            if bool(group.get("fused")) != was or mine:
                _place_steps(optimizer, group, mine)
        _restore_scaling(optimizer, before["unscales"])


KNOB: Final = OptimizerImplementation()


def _setting(value: Mapping[str, bool]) -> tuple[str, bool]:
    """Return the one setting that the value names."""
    ((name, on),) = value.items()
    return name, on


def _other(name: str) -> str:
    """Return the setting that cannot be on beside this one."""
    return _SETTINGS[1 - _SETTINGS.index(name)]


def _by_default(group: Mapping[str, Any]) -> bool:
    """Whether torch takes foreach for a group that names no implementation."""
    kinds = {one.device.type for one in group["params"]}
    return all(group.get(name) is None for name in _SETTINGS) and kinds <= {"cuda", "xpu"}


def _match_scaling(optimizer: Any) -> None:
    """Take the unscaling from an optimizer whose groups are no longer all fused."""
    if vars(optimizer).get(_SCALES) and not all(g.get("fused") for g in optimizer.param_groups):
        setattr(optimizer, _SCALES, False)


def _restore_scaling(optimizer: Any, before: Any) -> None:
    """Bring back who unscales; an optimizer that was made without fused has neither attribute."""
    if before != _ABSENT:
        setattr(optimizer, _SCALES, before)
        return
    for name in (_SCALES, _CHECKED):
        vars(optimizer).pop(name, None)


_Place = tuple[torch.device, torch.dtype]


def _expected(group: Mapping[str, Any], parameter: torch.Tensor) -> _Place:
    """Return where torch would have made the step count of a parameter."""
    double = torch.get_default_dtype() == torch.float64
    plain = torch.float64 if double else torch.float32
    if group.get("fused"):
        return parameter.device, torch.float32
    if group.get("capturable"):
        return parameter.device, plain
    return torch.device("cpu"), plain


def _steps(optimizer: Any, group: Mapping[str, Any]) -> Iterator[tuple[int, Any, torch.Tensor]]:
    """Yield number, parameter and step count; only of optimizers that can be fused."""
    for number, parameter in enumerate(group["params"] if "fused" in group else ()):
        step = optimizer.state.get(parameter, {}).get("step")
        if isinstance(step, torch.Tensor):
            yield number, parameter, step


def _odd_steps(optimizer: Any) -> tuple[tuple[int, int, torch.device, torch.dtype], ...]:
    """Return the step counts that lie elsewhere than torch puts them, such as after a load."""
    return tuple(
        (index, number, step.device, step.dtype)
        for index, group in enumerate(optimizer.param_groups)
        for number, parameter, step in _steps(optimizer, group)
        if (step.device, step.dtype) != _expected(group, parameter)
    )


def _place_steps(optimizer: Any, group: Mapping[str, Any], odd: Mapping[int, _Place]) -> None:
    """Move the step counts of a group to where its setting expects them, or to their odd place."""
    for number, parameter, step in _steps(optimizer, group):
        device, dtype = odd.get(number) or _expected(group, parameter)
        if (step.device, step.dtype) != (device, dtype):
            optimizer.state[parameter]["step"] = step.to(device=device, dtype=dtype)
