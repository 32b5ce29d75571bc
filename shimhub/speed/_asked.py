"""What a run was asked for, from a word, a file or the project; and what is left to try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shimhub.speed._switch import Candidate, Switch
from shimhub.speed.config import SpeedConfig
from shimhub.speed.deciding import plan_of
from shimhub.speed.errors import KnobError
from shimhub.speed.hardware import detect
from shimhub.speed.knobs import KNOBS
from shimhub.speed.model import Action, Decision, Targets
from shimhub.speed.settings import settings_of

_CURE = "call shimhub.speed.apply_speedups(model, ...) in the script"


class Asked:
    """The settings of a run, set where they can be without the script's help."""

    def __init__(self, text: str) -> None:
        self.config = settings_of(text)
        self._switches: list[Switch] = []
        self._optimizer: Candidate | None = None

    def set_flags(self) -> Iterator[str]:
        """Set what is the process's, and tell of each setting that was asked for.

        Raises DeviceError where the device that was asked for is not here.
        """
        if self.config == SpeedConfig():
            return
        self._hardware = detect(self.config.device or "auto")
        for one in plan_of(self.config, self._hardware).decisions:
            if one.asked and one.action is Action.APPLY and one.knob != "device":
                yield self._set(one)

    def take(self, optimizer: Any, say: Callable[[str], None]) -> None:
        """Set what was asked for optimizers on one that is new."""
        if self._optimizer is None:
            return
        targets = Targets(optimizer=optimizer)
        if told := self._optimizer.knob.why_not(self._optimizer.value, self._hardware, targets):
            say(f"{self._optimizer} was not set: {told}")
            return
        switch = Switch(self._optimizer, [optimizer])
        switch.on()
        self._switches.append(switch)
        say(f"{self._optimizer} set, as asked")

    def candidates(self, device: str, is_first: bool) -> Iterator[Candidate]:
        """Yield what may make the loop faster and was not asked for, likeliest first."""
        asked = self.config.optimizer
        if asked.fused is None and asked.foreach is None:
            yield Candidate(KNOBS["optimizer"], {"fused": True})
            if device == "cpu":  # elsewhere it is torch's own choice
                yield Candidate(KNOBS["optimizer"], {"foreach": True})
        is_free = (self.config.cudnn_benchmark, self.config.deterministic) == (None, None)
        if is_first and is_free and device == "cuda":
            yield Candidate(KNOBS["cudnn_benchmark"], True)

    def undo(self) -> str:
        """Take everything back; returns a word on what was not, as the script changed it."""
        switches, self._switches = self._switches, []
        return "; ".join(filter(None, (one.off() for one in reversed(switches))))

    def _set(self, decision: Decision) -> str:
        knob = KNOBS.get(decision.knob)
        told = f"{decision.knob} {decision.value}"
        if decision.knob == "seed":
            return f"{told} was not set, as a run seeds nothing: {_CURE}"
        if knob is None or knob.scope == "model":
            return f"{told} was not set, as it needs the model: {_CURE}"
        candidate = Candidate(knob, decision.value)
        if knob.scope == "optimizer":
            self._optimizer = candidate
            return f"{candidate} is asked for"
        switch = Switch(candidate)
        try:
            switch.on()
        except KnobError as error:
            return f"{candidate} was not set: {error}"
        self._switches.append(switch)
        return f"{candidate} set, as asked"
