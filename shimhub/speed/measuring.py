"""Knobs measured on the user's own step: how equal, how fast; kept where both are shown.

Each knob is judged by one step from an identical state, then timed against the step without it,
in turns. FASTER alone is kept. Whatever happens, the training state is what it was, to the bit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from shimhub.speed import results
from shimhub.speed._switching import Applied, Together, candidates
from shimhub.speed.errors import MeasureError
from shimhub.speed.hardware import detect, torch_device
from shimhub.speed.model import (
    Action,
    Decision,
    Gate,
    Hardware,
    Measured,
    NumericsResult,
    Timing,
    Verdict,
)
from shimhub.speed.numerics import NumericsGate
from shimhub.speed.state import TrainingState
from shimhub.speed.timing import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shimhub.speed._switching import Knobs

    Step = Callable[[], Any]

_OK: Final = 0
_UNSETTLED: Final = 4
#: What is left for the clock where the gate took all the time.
_LEAST_SECONDS: Final = 0.01
_PASSED: Final = (Gate.EQUAL, Gate.WITHIN_NOISE)


@dataclass
class Report:
    """What was measured, what could not matter, and what is on now; ``restore`` turns it off."""

    hardware: Hardware
    measured: tuple[Measured, ...]
    #: Knobs that cannot be set or cannot matter here: neither compared nor timed.
    left_out: tuple[Decision, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    _kept: list[Applied] = field(default_factory=list, repr=False)

    @property
    def kept(self) -> dict[str, Any]:
        """Knobs that are on because they were measured, and their values."""
        return {one.name: one.value for one in self._kept}

    @property
    def code(self) -> int:
        """Exit code: 4 where nothing was compared, or something is undecided or unverified."""
        is_settled = all(_is_settled(one) for one in self.measured)
        return _OK if self.measured and is_settled else _UNSETTLED

    def restore(self) -> None:
        """Turn off what was kept; a second time does nothing."""
        while self._kept:
            self._kept.pop().off()


def _is_settled(one: Measured) -> bool:
    if one.timing is not None and one.timing.verdict is Verdict.UNDECIDED:
        return False
    return one.numerics.gate is Gate.DIFFERENT or (
        one.numerics.gate in _PASSED and one.timing is not None
    )


def measure(
    step: Step,
    *,
    model: Any = None,
    optimizer: Any = None,
    knobs: Knobs = "auto",
    budget_s: float = 60.0,
    cache: bool = True,
    keep: bool = True,
    state: Iterable[Any] = (),
) -> Report:
    """Measure knobs on a step: a function of no argument that runs forward, backward and update.

    It should return its loss, and use one batch that was taken before. What it reaches by its
    closure, globals or object is found; ``model``, ``optimizer`` (or lists of them) and ``state``
    (gradient scalers and others) are for what is not. Lossy knobs are measured only when named.
    What the step raises is raised, with everything as it was.
    """
    if not budget_s > 0:
        raise MeasureError(f"budget_s is {budget_s}: name the seconds that measuring may take")
    wanted = candidates(knobs)
    models, optimizers = _listed(model), _listed(optimizer)
    saved = TrainingState.capture(step, models=models, optimizers=optimizers, also=state)
    return _Session(step, saved, time.perf_counter() + budget_s, cache).run(wanted, keep=keep)


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, (list, tuple)) else [given]


class _Session:
    """One call of ``measure``: knobs are off, and the state brought back, between all runs."""

    def __init__(self, step: Step, state: TrainingState, end: float, cache: bool) -> None:
        self.step = step
        self.state = state
        self.end = end
        self.cache = cache
        self.gate = NumericsGate(step, state)
        self.hardware = detect(_device(state))
        self.kept: list[Applied] = []
        self.measured: list[Measured] = []
        self.left_out: list[Decision] = []
        self.notes: list[str] = []

    def run(self, wanted: list[tuple[str, Any]], *, keep: bool) -> Report:
        """Measure all of them, and leave on what is kept."""
        start = time.perf_counter()
        try:
            self.gate.prepare()
            for place, (name, value) in enumerate(wanted):
                self._take(name, value, len(wanted) - place, keep=keep)
        finally:
            self.state.restore()
        lost = (*self.state.iterators, *self.state.differences())
        self.notes += [f"{one} has moved on: it cannot be brought back" for one in lost]
        Together(self.kept).on()
        seconds = time.perf_counter() - start
        found = tuple(self.measured), tuple(self.left_out), seconds, tuple(self.notes)
        return Report(self.hardware, *found, _kept=self.kept)

    def _take(self, name: str, value: Any, left: int, *, keep: bool) -> None:
        """Measure one knob, unless it cannot matter."""
        one = Applied(name, value, self.state)
        if reason := self._why_not(one):
            self.left_out.append(Decision(name, Action.NOT_APPLICABLE, value, reason))
            return
        numerics = self._judged(one)
        timing, is_cached, reason = None, False, numerics.reason
        if numerics.gate in _PASSED:
            timing, is_cached = self._timed(one, left)
            reason = timing.reason or timing.verdict.value
        is_kept = keep and timing is not None and timing.verdict is Verdict.FASTER
        if is_kept:
            self.kept.append(one)
        self.measured.append(Measured(name, value, timing, numerics, is_kept, reason, is_cached))

    def _why_not(self, one: Applied) -> str:
        others = [kept for kept in self.kept if kept.name == one.name]
        if others:
            return f"{others[0].value!r} is kept"
        return one.why_not(self.hardware)

    # ---- the gate

    def _judged(self, one: Applied) -> NumericsResult:
        """Return how equal the step is with a knob; what it raises with the knob is a reason."""
        if self.gate.problem:
            return NumericsResult(Gate.UNVERIFIED, reason=self.gate.problem)
        if time.perf_counter() > self.end:
            return NumericsResult(Gate.UNVERIFIED, reason="the time was up before its turn")
        together = Together([*self.kept, one])
        try:
            found = self.gate.judge(
                together,
                together.numerics,
                eps=together.rounding,
                needs_update=together.is_of_an_optimizer,
            )
        except Exception as error:  # noqa: BLE001  # the user's step may raise anything with it
            told = f"with it the step raises {type(error).__name__}: {error}"
            return NumericsResult(Gate.UNVERIFIED, reason=told)
        if one.void:
            return NumericsResult(Gate.UNVERIFIED, reason=f"it has no effect: {one.void}")
        return found

    # ---- the clock

    def _timed(self, one: Applied, left: int) -> tuple[Timing, bool]:
        """Return the timing of a knob, and whether it is one of before."""
        kept = [(each.name, each.value) for each in self.kept]
        asked = results.question(self.hardware, self.gate.workload(), one.name, one.value, kept)
        known, why = results.load(asked) if self.cache else (None, "")
        if known:
            return known, True
        self._note(one, why)
        found = self._compared(one, left)
        if self.cache and found.verdict is not Verdict.UNDECIDED:
            self._note(one, results.store(asked, found))
        return found, False

    def _compared(self, one: Applied, left: int) -> Timing:
        """Time the step with and without a knob, from the same state before each sample."""
        with_it, without = Together([*self.kept, one]), Together(self.kept)

        def switch(is_on: bool) -> None:
            with_it.off()
            self.state.restore()
            (with_it if is_on else without).on()

        share = max((self.end - time.perf_counter()) / left, _LEAST_SECONDS)
        whole = self._whole_step()
        try:
            device = torch_device(self.hardware)
            return compare(whole, whole, switch=switch, budget_s=share, device=device)
        finally:
            with_it.off()
            self.state.restore()

    def _whole_step(self) -> Step:
        """Return as many calls of the step as all its optimizers need."""
        calls = self.gate.calls
        if calls == 1:
            return self.step

        def whole() -> None:
            for _ in range(calls):
                self.step()

        return whole

    def _note(self, one: Applied, why: str) -> None:
        if why and why != results.NEW:
            self.notes.append(f"{one.name} {one.value!r}: {why}")


def _device(state: TrainingState) -> str:
    """Return the device of the first parameter; ``auto`` where there is none."""
    parameters = [one for model in state.models for one in model.parameters()]
    groups = [group for optimizer in state.optimizers for group in optimizer.param_groups]
    parameters += [one for group in groups for one in group["params"]]
    return str(parameters[0].device) if parameters else "auto"
