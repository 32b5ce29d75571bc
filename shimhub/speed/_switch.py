"""One knob at one value, on some optimizers or on the process, to be turned on and off."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shimhub.speed.knobs._layers import Layer, drop, push
from shimhub.speed.model import Hardware, Knob, Numerics, Targets

#: Settings of a group of parameters that say how the step is computed.
_HOW = ("fused", "foreach")


@dataclass(frozen=True)
class Candidate:
    """A knob and the value that may make the loop faster."""

    knob: Knob
    value: Any

    def __str__(self) -> str:
        told = self.value
        if isinstance(told, Mapping):
            told = ", ".join(f"{name}={value}" for name, value in told.items())
        return f"{self.knob.id} {told}"


class Switch:
    """A candidate on all that it acts on. Optimizers are not kept alive by it."""

    def __init__(self, candidate: Candidate, optimizers: Iterable[Any] = ()) -> None:
        self.candidate = candidate
        self._sides: list[_Side] = []
        if candidate.knob.scope == "optimizer":
            self._sides = [_Side(candidate, weakref.ref(one)) for one in optimizers]
        else:
            self._sides = [_Side(candidate, None)]

    def why_not(self, hardware: Hardware) -> str:
        """Return why it cannot be turned on, cannot matter, or is not ours to turn; else empty."""
        if self.candidate.knob.numerics is Numerics.LOSSY:
            return "lossy: ask for it by name"
        return next(filter(None, (one.why_not(hardware) for one in self._sides)), "")

    def on(self) -> None:
        """Turn it on everywhere, or nowhere: raises what the knob raises."""
        try:
            for one in self._sides:
                one.on()
        except BaseException:  # whatever ends it, Ctrl-C too; raised again
            self.off()
            raise

    def off(self) -> str:
        """Bring back what was there before; returns a word on what the script changed since."""
        told = [one.off() for one in reversed(self._sides)]
        return "; ".join(filter(None, told))

    def stands(self) -> bool:
        """Whether everything is as it was right after it was turned on."""
        return all(one.stands() for one in self._sides)

    def add(self, optimizer: Any) -> None:
        """Turn it on for one more optimizer."""
        side = _Side(self.candidate, weakref.ref(optimizer))
        side.on()
        self._sides.append(side)


class _Side:
    """A candidate on one optimizer, or on the process."""

    def __init__(self, candidate: Candidate, optimizer: Any) -> None:
        self._candidate, self._optimizer = candidate, optimizer
        self._layer: Layer | None = None
        self._hook: Any = None

    def why_not(self, hardware: Hardware) -> str:
        targets = self._targets()
        if targets is None:
            return "its optimizer is gone"
        if told := chosen(targets.optimizer):
            return told
        return self._candidate.knob.why_not(self._candidate.value, hardware, targets)

    def on(self) -> None:
        targets = self._targets()
        if targets is None or self._layer is not None:
            return
        groups = [dict(one) for one in _groups(targets.optimizer)]
        self._layer = push(self._candidate.knob, self._candidate.value, targets)
        if targets.optimizer is not None:
            self._hook = targets.optimizer.register_state_dict_post_hook(_Checkpoint(groups))

    def off(self) -> str:
        """Take it back; returns a word on what was not, as the script changed it since."""
        layer, self._layer = self._layer, None
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
        targets = self._targets()
        return "" if layer is None or targets is None else drop(layer, targets).note

    def stands(self) -> bool:
        targets, layer = self._targets(), self._layer
        if targets is None or layer is None:
            return True
        return dict(layer.knob.read(targets)) == dict(layer.after)

    def _targets(self) -> Targets | None:
        """Return what the knob acts on; None once the optimizer is gone."""
        if self._optimizer is None:
            return Targets()
        optimizer = self._optimizer()
        return None if optimizer is None else Targets(optimizer=optimizer)


class _Checkpoint:
    """What the script saves is what it would save without us: how to step is told as before."""

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        self._groups = groups

    def __call__(self, optimizer: Any, told: dict[str, Any]) -> dict[str, Any]:
        pairs = zip(told["param_groups"], self._groups, strict=False)
        for saved, before in pairs:
            saved.update({name: before[name] for name in _HOW if name in before})
        groups = [*self._groups, *told["param_groups"][len(self._groups) :]]
        for saved, before in zip(told["param_groups"], groups, strict=True):
            if not before.get("fused") and not before.get("capturable"):
                for key in saved["params"]:
                    _to_host(told["state"], key)
        return told


def _to_host(states: dict[Any, Any], key: Any) -> None:
    """Count steps on the host, as a step without one kernel does."""
    state = states.get(key, {})
    step = state.get("step")
    if getattr(step, "is_cpu", True):
        return
    states[key] = {**state, "step": step.cpu()}


def _groups(optimizer: Any) -> list[dict[str, Any]]:
    return [] if optimizer is None else list(optimizer.param_groups)


def chosen(optimizer: Any) -> str:
    """Return what the script chose of how to step; empty where it left the choice to torch."""
    for group in _groups(optimizer):
        for name in _HOW:
            if group.get(name) is not None:
                return f"the script chose {name}={group[name]}"
    return ""
