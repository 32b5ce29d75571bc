"""The numerics gate: one step from an identical state, with a knob and without.

Loss, gradients and update with the knob are held against the noise of the step itself: how far it
is from itself when it is repeated, and when its parameters are moved by one rounding. What was
not compared is never a pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import torch

from shimhub.speed._deviations import Deviations, deviations, joined, norm
from shimhub.speed._judging import LOSS, Judgement, Plain
from shimhub.speed._observing import (
    BUFFER,
    GRADIENT,
    Observer,
    Outcome,
    UnsupportedStepError,
    is_finite,
)
from shimhub.speed._saved import copied
from shimhub.speed.model import Gate, Numerics, NumericsResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from shimhub.speed.state import TrainingState

#: Runs of the plain step beside the first, runs with its parameters moved by one rounding, and
#: runs with the knob.
_REPEATS: Final = 2
_MOVED: Final = 3
_WITH_KNOB: Final = 2
#: Of what the step rounds to beside its parameters, they are moved by this part.
_COARSE: Final = 8.0
#: Farther from itself than this when merely repeated, a step has other data or other state; sums
#: in changing order (atomic additions of a GPU) come to much less.
_REPEATABLE: Final = 0.02
_REPEATABLE_ROUNDINGS: Final = 1000.0


class Switch(Protocol):
    """One knob at one value, to be turned on and off exactly."""

    def on(self) -> None:
        """Apply it."""

    def off(self) -> None:
        """Undo it; nothing where it is off."""


class NumericsGate:
    """Judges knobs on one step; ``problem`` tells why the step itself cannot be judged.

    Knobs must be off when it is made and used: the state is brought back between runs.
    """

    def __init__(self, step: Callable[[], Any], state: TrainingState) -> None:
        self.state = state
        self.problem = ""
        self._observer = Observer(step, state)
        self._plain: Plain | None = None
        self._moved: dict[float, list[Deviations]] = {}

    @property
    def calls(self) -> int:
        """How many calls of the step it takes until all its optimizers have stepped."""
        return self._observer.calls

    def workload(self) -> str:
        """Return what stands for the model, its optimizers and the shapes that they work on."""
        return self._observer.workload()

    def prepare(self) -> str:
        """Run the plain step until its noise when repeated is known. Return ``problem``."""
        if self._plain is None and not self.problem:
            try:
                self._plain = self._prepared()
            except UnsupportedStepError as error:
                self.problem = str(error)
            finally:
                self.state.restore()
        return self.problem

    def judge(
        self,
        switch: Switch,
        numerics: Numerics = Numerics.REASSOCIATED,
        *,
        eps: float = 0.0,
        needs_update: bool = False,
    ) -> NumericsResult:
        """Return how far the step with the knob is from the step without.

        ``eps`` is the rounding of a lossy knob's numbers: its noise is that of parameters moved by
        so much. ``needs_update`` is for knobs of optimizers: gradients alone tell nothing of them.
        What the step raises with the knob is raised here, when all is as it was.
        """
        self.prepare()
        if self._plain is None:
            return NumericsResult(Gate.UNVERIFIED, reason=self.problem)
        if needs_update and not self._plain.outcome.steps:
            return NumericsResult(Gate.UNVERIFIED, reason="the step steps no optimizer")
        with_knob = [self._with(switch, self._plain) for _ in range(_WITH_KNOB)]
        band, rounding = self._noise(with_knob, numerics, eps)
        is_lossy = numerics is Numerics.LOSSY
        return Judgement(self._plain, band, with_knob, rounding, is_lossy=is_lossy).result()

    def _noise(
        self, with_knob: list[Deviations], numerics: Numerics, eps: float
    ) -> tuple[list[Deviations], float]:
        """Return runs that show the step's noise, and the rounding that is allowed beside it.

        From equal gradients follow equal updates, but for the rounding of the update itself.
        """
        if numerics is Numerics.BIT_EXACT:
            return [], 0.0
        if not any(one.loss or any(one.kinds[GRADIENT].values()) for one in with_knob):
            return [], self._parameters_eps()
        assert self._plain is not None
        return self._moved_by(self._move(eps), self._plain), max(self.rounding(), eps)

    def rounding(self) -> float:
        """Return the unit of rounding of the coarsest numbers that the step computes with."""
        return max(self._parameters_eps(), *map(_eps, self._observer.dtypes), 0.0)

    def _parameters_eps(self) -> float:
        return max(_eps(one.dtype) for one in self._observer.parameters.values())

    def _move(self, eps: float) -> float:
        """Return by what share parameters are moved: so that all of them do move.

        Where numbers are rounded on the way, a share of that rounding: a whole one in each
        parameter is more than rounding itself does.
        """
        return max(self._parameters_eps() / 2, max(self.rounding(), eps) / _COARSE)

    # ---- runs, each from the same state

    def _prepared(self) -> Plain | None:
        self.state.restore()
        self._observer.probe()
        self.state.restore()
        first = _kept(self._observer.observe())
        self.problem = _nothing_to_compare(first)
        if self.problem:
            return None
        plain = Plain.of(first, self._before())
        for _ in range(_REPEATS):
            self.state.restore()
            plain.repeats.append(deviations(first, self._observer.observe()))
        self.problem = self._moves_on(plain)
        return None if self.problem else plain

    def _before(self) -> dict[str, torch.Tensor]:
        parameters = self._observer.parameters
        return {name: self.state.before(one) for name, one in parameters.items()}

    def _moves_on(self, plain: Plain) -> str:
        """Return why the step is not the same when it is repeated; empty where it is."""
        most = min(_REPEATABLE, _REPEATABLE_ROUNDINGS * self.rounding())
        far = {kind: plain.farthest(plain.repeats, kind) for kind in (LOSS, GRADIENT, BUFFER)}
        if max(far.values()) <= most:
            return ""
        reads = self.state.iterators
        why = f"it reads {reads[0]}, which moves on" if reads else "data or other state move on"
        apart = ", ".join(f"{kind} {one:.1e}" for kind, one in far.items())
        return (
            f"the step does not repeat from the same state ({apart} apart): {why}; measure a step "
            "of one batch that is taken before, and give what has state as model=, optimizer= or "
            "state="
        )

    def _with(self, switch: Switch, plain: Plain) -> Deviations:
        self.state.restore()
        try:
            switch.on()
            return deviations(plain.outcome, self._observer.observe())
        finally:
            switch.off()
            self.state.restore()

    def _moved_by(self, by: float, plain: Plain) -> list[Deviations]:
        """Return how far the step is from itself with its parameters moved."""
        if by not in self._moved:
            self._moved[by] = [self._run_moved(by, seed, plain) for seed in range(_MOVED)]
        return self._moved[by]

    def _run_moved(self, by: float, seed: int, plain: Plain) -> Deviations:
        self.state.restore()
        try:
            shift = self._move_all(by, seed)
            return deviations(plain.outcome, self._observer.observe(), shift)
        finally:
            self.state.restore()

    def _move_all(self, by: float, seed: int) -> dict[str, torch.Tensor]:
        """Move every parameter up or down; draw from generators of our own."""
        generators: dict[torch.device, torch.Generator] = {}
        shift = {}
        for name, one in self._observer.parameters.items():
            if one.is_floating_point():
                own = generators.setdefault(
                    one.device, torch.Generator(one.device).manual_seed(seed)
                )
                shift[name] = _moved(one, self.state.before(one).to(one.device), by, own)
        return shift


def _moved(
    one: torch.Tensor, before: torch.Tensor, by: float, generator: torch.Generator
) -> torch.Tensor:
    """Move a parameter by a share of itself, up or down; return by how much it is another."""
    ups = torch.randint(0, 2, one.shape, generator=generator, device=one.device, dtype=torch.int8)
    one.data.copy_(before + before * (by * (2 * ups - 1).to(one.dtype)))
    return one.data - before


def _eps(kind: torch.dtype) -> float:
    return torch.finfo(kind).eps if kind.is_floating_point or kind.is_complex else 0.0


def _kept(outcome: Outcome) -> Outcome:
    """Return the outcome with copies of the live tensors."""
    for kind, tensors in outcome.kinds.items():
        if kind != GRADIENT:
            outcome.kinds[kind] = {name: copied(one) for name, one in tensors.items()}
    return outcome


def _nothing_to_compare(outcome: Outcome) -> str:
    """Return why an outcome is no measure for another; empty where it is."""
    if not outcome.gradients:
        return (
            "no gradient was seen, so nothing can be compared: the step must run backward, and "
            "its model or optimizer be given as model= or optimizer="
        )
    if not is_finite(outcome):
        return "the plain step gives inf or NaN: measure after the first steps of training"
    if not joined({name: norm(one) for name, one in outcome.gradients.items()}):
        return "all gradients are zero, so nothing can be compared"
    return ""
