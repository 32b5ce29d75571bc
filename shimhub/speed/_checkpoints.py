"""What a script saves or copies of an optimizer that is switched is what it would be without us."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

#: Settings of a group of parameters that say how the step is computed.
HOW: Final = ("fused", "foreach")
_PICKLES: Final = "__getstate__"


class Checkpoint:
    """How the optimizer was told to step before; ``end`` takes it off.

    ``state_dict`` goes through a hook. ``pickle`` and ``copy.deepcopy`` ask the optimizer for its
    state, and find ours on the object before that of its class.
    """

    def __init__(self, optimizer: Any, groups: list[dict[str, Any]]) -> None:
        self._groups = [{name: one[name] for name in HOW if name in one} for one in groups]
        self._on_host = [_counts_on_host(one) for one in groups]
        self._optimizer = weakref.ref(optimizer)
        self._hook: Any = optimizer.register_state_dict_post_hook(self._told)
        self._is_ours = _PICKLES not in vars(optimizer)
        if self._is_ours:
            vars(optimizer)[_PICKLES] = _pickling(self._optimizer, self._told)

    def end(self) -> None:
        """Take it off again."""
        self._hook.remove()
        optimizer = self._optimizer()
        if self._is_ours and optimizer is not None:
            vars(optimizer).pop(_PICKLES, None)

    def _told(self, optimizer: Any, told: dict[str, Any]) -> dict[str, Any]:
        """Return a state with the settings of before; groups that are new have their own."""
        groups, states = told["param_groups"], told["state"]
        for index, group in enumerate(groups):
            is_known = index < len(self._groups)
            group.update(self._groups[index] if is_known else {})
            if self._on_host[index] if is_known else _counts_on_host(group):
                for key in group["params"]:
                    _to_host(states, key)
        return told


def _pickling(
    optimizer: weakref.ref[Any], told: Callable[[Any, dict[str, Any]], dict[str, Any]]
) -> Callable[[], Any]:
    """Return what takes the place of ``__getstate__``; it does not keep the optimizer alive."""

    def state() -> Any:
        live: Any = optimizer()
        found = type(live).__getstate__(live)
        if not isinstance(found, dict) or not {"param_groups", "state"} <= found.keys():
            return found
        groups = [dict(one) for one in found["param_groups"]]
        return told(live, {**found, "param_groups": groups, "state": copy.copy(found["state"])})

    return state


def _counts_on_host(group: Mapping[str, Any]) -> bool:
    return not group.get("fused") and not group.get("capturable")


def _to_host(states: dict[Any, Any], key: Any) -> None:
    """Count steps on the host, as a step without one kernel does."""
    state = states.get(key, {})
    step = state.get("step")
    if getattr(step, "is_cpu", True):
        return
    states[key] = {**state, "step": step.cpu()}
