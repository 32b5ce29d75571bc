"""Knobs at values, turned on and off again around runs of a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from shimhub.speed.errors import KnobError
from shimhub.speed.knobs import KNOBS
from shimhub.speed.knobs._layers import Layer, drop, push
from shimhub.speed.model import Hardware, Knob, Numerics, Targets

if TYPE_CHECKING:
    from shimhub.speed.state import TrainingState

#: ``auto``, or knobs and their values.
Knobs = str | Mapping[str, Any] | Iterable[tuple[str, Any]]
#: What can matter and takes no bits away, cheapest first; what cannot matter here says so itself.
_AUTO: Final[tuple[tuple[str, Any], ...]] = (
    ("optimizer", {"fused": True}),
    ("optimizer", {"foreach": True}),
    ("cudnn_benchmark", True),
    ("channels_last", True),
    ("compile", True),
)
#: Roundings of numbers by the word that asks for them.
_ROUNDINGS: Final = {"bf16": 2.0**-7, "medium": 2.0**-7, "fp16": 2.0**-10, "high": 2.0**-10}


class Applied:
    """One knob at one value on all that it acts on: every model, or every optimizer."""

    def __init__(self, name: str, value: Any, state: TrainingState) -> None:
        self.name = name
        self.value = value
        self.knob: Knob = KNOBS[name]
        self.targets = _targets(self.knob, state)
        #: Why a knob that is on has no effect; of compiled models that fell back.
        self.void = ""
        self._layers: list[tuple[Layer, Targets]] = []

    @property
    def rounding(self) -> float:
        """The rounding of the numbers that a lossy value makes of float32."""
        is_lossy = self.knob.numerics is Numerics.LOSSY
        return _ROUNDINGS.get(str(self.value), 0.0) if is_lossy else 0.0

    def why_not(self, hardware: Hardware) -> str:
        """Return why it cannot be set on anything here; what cannot take it is left out."""
        reasons = [self.knob.why_not(self.value, hardware, one) for one in self.targets]
        pairs = zip(self.targets, reasons, strict=True)
        self.targets = [one for one, reason in pairs if not reason]
        return "" if self.targets else (reasons or ["the step has nothing that takes it"])[0]

    def on(self) -> None:
        """Apply it everywhere, or nowhere."""
        with ExitStack() as undo:
            undo.callback(self.off)
            for one in self.targets:
                self._layers.append((push(self.knob, self.value, one), one))
            undo.pop_all()

    def off(self) -> None:
        """Undo it, in the opposite order."""
        self.void = self.void or self._fallback()
        while self._layers:
            drop(*self._layers[-1])
            self._layers.pop()

    def _fallback(self) -> str:
        if self.name != "compile" or not self._layers:
            return ""
        from shimhub.speed.knobs.compiling import fallback_reason

        found = (fallback_reason(targets.model) for _, targets in self._layers)
        return next(filter(None, found), "")


class Together:
    """Several knobs as one switch: those that are kept, and the one in question."""

    def __init__(self, knobs: list[Applied]) -> None:
        self.knobs = knobs

    def on(self) -> None:
        """Apply all, or none."""
        with ExitStack() as undo:
            for one in self.knobs:
                undo.callback(one.off)
                one.on()
            undo.pop_all()

    def off(self) -> None:
        """Undo all, in the opposite order."""
        for one in reversed(self.knobs):
            one.off()

    @property
    def numerics(self) -> Numerics:
        """What all of them together may change."""
        order = list(Numerics)
        return max((one.knob.numerics for one in self.knobs), key=order.index)

    @property
    def rounding(self) -> float:
        """The coarsest rounding of any."""
        return max(one.rounding for one in self.knobs)

    @property
    def is_of_an_optimizer(self) -> bool:
        """Whether gradients alone would tell nothing of the last."""
        return self.knobs[-1].knob.scope == "optimizer"


def _targets(knob: Knob, state: TrainingState) -> list[Targets]:
    """Return all that a knob acts on."""
    model = state.models[0] if state.models else None
    optimizer = state.optimizers[0] if state.optimizers else None
    if knob.scope == "model":
        return [Targets(one, optimizer) for one in state.models]
    if knob.scope == "optimizer":
        return [Targets(model, one) for one in state.optimizers]
    return [Targets(model, optimizer)]


def candidates(knobs: Knobs) -> list[tuple[str, Any]]:
    """Return knobs and values to be measured: what compiles for long late, lossy ones last.

    Pairs may name several values of one knob. Raises KnobError for names that no knob has.
    """
    if knobs == "auto":
        return list(_AUTO)
    if isinstance(knobs, str):
        raise KnobError(f"knobs is {knobs!r}: name 'auto', or a mapping of knobs to values")
    wanted = [*knobs.items()] if isinstance(knobs, Mapping) else [*knobs]
    for name, _ in wanted:
        if name not in KNOBS:
            raise KnobError(_unknown(name))
    return sorted(
        wanted,
        key=lambda one: (KNOBS[one[0]].numerics is Numerics.LOSSY, one[0] == "compile"),
    )


def _unknown(name: str) -> str:
    from shimhub.errors import nearest

    return f"there is no knob {name!r}{nearest(str(name), KNOBS)}; there are {', '.join(KNOBS)}"
