"""One knob at one value, on some optimizers or on the process, to be turned on and off."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shimhub.speed._checkpoints import HOW, Checkpoint
from shimhub.speed._gradients import Guard
from shimhub.speed.knobs._layers import Layer, drop, push
from shimhub.speed.model import Hardware, Knob, Numerics, Targets


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

    def __init__(
        self,
        candidate: Candidate,
        optimizers: Iterable[Any] = (),
        say: Callable[[str], object] = len,
    ) -> None:
        self.candidate = candidate
        self._say = say
        self._sides: list[_Side] = []
        if candidate.knob.scope == "optimizer":
            self._sides = [_Side(candidate, weakref.ref(one), say) for one in optimizers]
        else:
            self._sides = [_Side(candidate, None, say)]

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

    def add(self, optimizer: Any, hardware: Hardware) -> None:
        """Turn it on for one more optimizer, unless it cannot be, or the script chose for it."""
        side = _Side(self.candidate, weakref.ref(optimizer), self._say)
        if why := side.why_not(hardware):
            self._say(f"{self.candidate}: not set on another optimizer: {why}")
            return
        side.on()
        self._sides.append(side)


class _Side:
    """A candidate on one optimizer, or on the process."""

    def __init__(self, candidate: Candidate, optimizer: Any, say: Callable[[str], object]) -> None:
        self._candidate, self._optimizer, self._say = candidate, optimizer, say
        self._layer: Layer | None = None
        self._checkpoint: Checkpoint | None = None
        self._guard: Guard | None = None
        self._loads: Any = None
        #: Whether it was taken off before a step that it cannot do.
        self._is_refused = False

    def why_not(self, hardware: Hardware) -> str:
        targets = self._targets()
        if targets is None:
            return "its optimizer is gone"
        if told := chosen(targets.optimizer) or foreign(targets.optimizer):
            return told
        return self._candidate.knob.why_not(self._candidate.value, hardware, targets)

    def on(self) -> None:
        targets = self._targets()
        if targets is None or self._layer is not None:
            return
        self._push(targets)
        if targets.optimizer is not None:
            self._loads = targets.optimizer.register_load_state_dict_post_hook(self._loaded)

    def _push(self, targets: Targets) -> None:
        optimizer = targets.optimizer
        if self._layer is None:
            groups = [dict(one) for one in _groups(optimizer)]
            self._layer = push(self._candidate.knob, self._candidate.value, targets)
            self._checkpoint = None if optimizer is None else Checkpoint(optimizer, groups)
        if optimizer is not None:
            self._guard = Guard(optimizer, self._candidate.value, self._refuse)

    def _loaded(self, optimizer: Any) -> None:
        """Take in a state that was loaded; called by torch, which goes through all hooks."""
        if self._layer is None:
            return
        try:
            self._renew(optimizer)
        except Exception as error:  # noqa: BLE001  # the script's loading is not ours to end
            self._refuse(f"a state was loaded: {type(error).__name__}: {error}")

    def _renew(self, optimizer: Any) -> None:
        """Turn it on again: a state brings the settings and strides that it was saved with."""
        if not self.stands():
            self._drop()
            if why := chosen(optimizer):
                self._refuse(f"a state was loaded, and in it {why}")
                return
        self._unguard()
        self._push(Targets(optimizer=optimizer))

    def _refuse(self, why: str) -> None:
        """Take it off before a step that it would end, or get wrong."""
        self._is_refused = True
        self._drop()
        self._say(f"{self._candidate}: taken off: {why}")

    def off(self) -> str:
        """Take it back; returns a word on what was not, as the script changed it since."""
        self._unguard()
        if self._loads is not None:
            self._loads.remove()
            self._loads = None
        return self._drop()

    def _unguard(self) -> None:
        if self._guard is not None:
            self._guard.end()
            self._guard = None

    def _drop(self) -> str:
        targets = self._targets()
        told = "" if self._layer is None or targets is None else drop(self._layer, targets).note
        self._layer = None  # behind the drop: a Ctrl-C in it leaves something to drop again
        if self._checkpoint is not None:
            self._checkpoint.end()
            self._checkpoint = None
        return told

    def stands(self) -> bool:
        targets, layer = self._targets(), self._layer
        if self._is_refused:
            return False
        if targets is None or layer is None:
            return True
        return dict(layer.knob.read(targets)) == dict(layer.after)

    def _targets(self) -> Targets | None:
        """Return what the knob acts on; None once the optimizer is gone."""
        if self._optimizer is None:
            return Targets()
        optimizer = self._optimizer()
        return None if optimizer is None else Targets(optimizer=optimizer)


def _groups(optimizer: Any) -> list[dict[str, Any]]:
    return [] if optimizer is None else list(optimizer.param_groups)


def chosen(optimizer: Any) -> str:
    """Return what the script chose of how to step; empty where it left the choice to torch."""
    for group in _groups(optimizer):
        for name in HOW:
            if group.get(name) is not None:
                return f"the script chose {name}={group[name]}"
    return ""


def foreign(optimizer: Any) -> str:
    """Return why settings of torch's own steps may mean nothing, or something else, to this one."""
    kind = type(optimizer)
    if optimizer is None or kind.step.__module__.startswith("torch.optim."):
        return ""
    return f"{kind.__name__} has a step of its own"
