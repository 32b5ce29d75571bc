"""What distances mean: noise of the step, tolerance, and the word of the gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import torch

from shimhub.speed._deviations import Deviations, joined, norm, widest
from shimhub.speed._observing import GRADIENT, UPDATE, Outcome, dense, parameter_of
from shimhub.speed.model import Gate, NumericsResult

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: A knob may be this many times as far away as the step is from itself.
_TIMES: Final = 8.0
#: And this many roundings of the thing itself.
_ROUNDINGS: Final = 4.0
#: No tolerance is wider than this: what is so far away is not told from noise.
_WIDEST: Final = 0.25
_WIDEST_ROUNDINGS: Final = 20_000.0
#: A tensor is not compared where its tolerance is this share of it.
_BLIND: Final = 0.5
_FLOAT32: Final = torch.finfo(torch.float32).eps
LOSS: Final = "loss"


@dataclass
class Plain:
    """The plain step: its outcome, how great everything in it is, and how far repeats are."""

    outcome: Outcome
    sizes: dict[str, dict[str, float]]
    #: What rounding of the tensor itself comes to.
    roundings: dict[str, dict[str, float]]
    repeats: list[Deviations] = field(default_factory=list)

    @classmethod
    def of(cls, outcome: Outcome, before: Mapping[str, torch.Tensor]) -> Plain:
        """Return the sizes of an outcome whose parameters were ``before``."""
        sizes = {kind: _norms(tensors) for kind, tensors in outcome.kinds.items()}
        roundings = {
            kind: {name: sizes[kind][name] * _eps(one) for name, one in tensors.items()}
            for kind, tensors in outcome.kinds.items()
        }
        after = outcome.kinds[UPDATE]
        sizes[UPDATE] = {
            name: norm(dense(one) - before[name].to(one.device)) for name, one in after.items()
        }
        for name, rounding in roundings[UPDATE].items():
            # The sum is rounded once in each step; an update has roundings of its own.
            own = sizes[UPDATE][name] * _eps(after[name])
            roundings[UPDATE][name] = own + rounding / _ROUNDINGS
        return cls(outcome, sizes, roundings)

    def farthest(
        self, some: list[Deviations], kind: str, names: Collection[str] | None = None
    ) -> float:
        """Return the greatest distance of a kind as a whole, as a share of its size.

        Of ``names`` alone, where they are given.
        """
        if kind == LOSS:
            return max(_share(one.loss, abs(self.outcome.loss or 0.0)) for one in some)
        size = _whole(self.sizes.get(kind, {}), names)
        return max(_share(_whole(one.kinds.get(kind, {}), names), size) for one in some)


def _whole(lengths: Mapping[str, float], names: Collection[str] | None) -> float:
    """Return the length of all, or of those that are named."""
    return joined({name: one for name, one in lengths.items() if names is None or name in names})


def _norms(tensors: Mapping[str, torch.Tensor]) -> dict[str, float]:
    return {name: norm(one) for name, one in tensors.items()}


def _eps(tensor: torch.Tensor) -> float:
    return torch.finfo(tensor.dtype).eps if tensor.is_floating_point() else 0.0


def _share(part: float, whole: float) -> float:
    return part / whole if whole else (0.0 if not part else float("inf"))


class Judgement:
    """One knob's distances beside the noise; ``rounding`` is 0 where equal bits are promised."""

    def __init__(
        self,
        plain: Plain,
        moved: list[Deviations],
        knob: list[Deviations],
        rounding: float,
        *,
        is_lossy: bool = False,
    ) -> None:
        self._plain = plain
        self._knob = knob
        self._rounding = rounding
        self._is_lossy = is_lossy
        band = [*plain.repeats, *moved]
        kinds = sorted({kind for one in [*band, *knob] for kind in one.kinds})
        self._bands = {kind: widest(band, kind) for kind in kinds}
        self._fars = {kind: widest(knob, kind) for kind in kinds}
        self._visible = {kind: self._visible_of(kind) for kind in kinds}
        named = {LOSS: None, **self._visible}
        self._noise = {kind: plain.farthest(band, kind, names) for kind, names in named.items()}
        self._far = {kind: plain.farthest(knob, kind, names) for kind, names in named.items()}
        self._tolerance = {kind: self._whole_tolerance(kind) for kind in named}
        self._tolerances = {kind: self._each_tolerance(kind) for kind in kinds}

    # ---- tolerances

    def _visible_of(self, kind: str) -> set[str]:
        """Return the tensors that are more than noise.

        The gradient of a bias in front of a BatchNorm is none of them: it is zero but for
        rounding, and Adam makes a full step of its sign.
        """
        sizes, band = self._plain.sizes.get(kind, {}), self._bands[kind]
        return {
            name
            for name, size in sizes.items()
            if size and _TIMES * band.get(name, 0.0) + self._own(kind, name) <= _BLIND * size
        }

    def _own(self, kind: str, name: str) -> float:
        """Return what rounding of the tensor itself may come to."""
        roundings = self._plain.roundings.get(kind, {})
        return _ROUNDINGS * roundings.get(name, 0.0) if self._rounding else 0.0

    def _whole_tolerance(self, kind: str) -> float:
        """Return by how much a kind as a whole may be another, as a share of it."""
        widest_of_all = min(_WIDEST, _WIDEST_ROUNDINGS * (self._rounding or _FLOAT32))
        return min(_TIMES * self._noise[kind] + self._whole_floor(kind), widest_of_all)

    def _whole_floor(self, kind: str) -> float:
        if not self._rounding:
            return 0.0
        if kind == LOSS:
            return _ROUNDINGS * _FLOAT32 + self._rounding
        names = self._visible[kind]
        size = _whole(self._plain.sizes.get(kind, {}), names)
        own = joined({name: self._own(kind, name) for name in names})
        return self._rounding + (own / size if size else 0.0)

    def _each_tolerance(self, kind: str) -> dict[str, float]:
        """Return by how much each tensor may be another: at least by one rounding of them all."""
        sizes, band = self._plain.sizes.get(kind, {}), self._bands[kind]
        floor = self._rounding * joined(sizes)
        return {
            name: _TIMES * max(band.get(name, 0.0), self._noise[kind] * size)
            + self._own(kind, name)
            + floor
            for name, size in sizes.items()
        }

    # ---- the word

    def result(self) -> NumericsResult:
        """Return the gate's word with what it stands on."""
        total, compared = self._parameters(), self._compared()
        gate, reason = self._word(len(compared), len(total))
        return NumericsResult(
            gate=gate,
            compared=len(compared),
            total=len(total),
            loss=self._far[LOSS],
            gradient=self._far[GRADIENT],
            update=self._far[UPDATE],
            noise=dict(self._noise),
            tolerance=dict(self._tolerance),
            reason=reason,
        )

    def _word(self, compared: int, total: int) -> tuple[Gate, str]:
        if worst := self._too_far():
            return Gate.DIFFERENT, f"{worst}{self._other_random()}"
        if not compared:
            return Gate.UNVERIFIED, self._why_blind()
        told = f"{compared} of {total} parameters that have a gradient compared"
        if all(one.equal for one in self._knob):
            return Gate.EQUAL, told
        return Gate.WITHIN_NOISE, told

    def _too_far(self) -> str:
        """Return what is farthest beyond its tolerance; empty where nothing is."""
        beyond = [*self._kinds_beyond(), *self._tensors_beyond()]
        if not beyond:
            return ""
        _, what, far, given = max(beyond)
        return f"{what} is {far:.1e} of itself apart, and its noise allows {given:.1e}"

    def _kinds_beyond(self) -> list[tuple[float, str, float, float]]:
        return [
            (_share(far, self._tolerance[kind]), f"the {kind}", far, self._tolerance[kind])
            for kind, far in self._far.items()
            if far > self._tolerance[kind]
        ]

    def _tensors_beyond(self) -> list[tuple[float, str, float, float]]:
        """Return tensors that are too far away.

        Of a lossy knob gradients alone are judged one by one: where a gradient is nothing but
        rounding, as of the bias of attention's keys, Adam makes full steps of it.
        """
        kinds = [GRADIENT] if self._is_lossy else [*self._fars]
        return [
            (_share(far, given), f"the {kind} of {name}", _share(far, size), _share(given, size))
            for kind in kinds
            for name, far in self._fars[kind].items()
            for given in [self._tolerances[kind].get(name, 0.0)]
            for size in [self._plain.sizes.get(kind, {}).get(name, 0.0)]
            if far > given
        ]

    def _other_random(self) -> str:
        if any(one.other_random for one in self._knob):
            return "; random numbers are drawn in another way with it (dropout?)"
        return ""

    def _why_blind(self) -> str:
        if not joined(self._plain.sizes[UPDATE]):
            return "the step changes no parameter, so no update can be compared"
        return "gradients or updates are no greater than their own noise, so nothing is told"

    # ---- coverage

    def _parameters(self) -> set[str]:
        return {parameter_of(name) for name in self._plain.outcome.kinds[GRADIENT]}

    def _compared(self) -> set[str]:
        """Return the parameters whose gradients and update were told from noise."""
        blind = {parameter_of(name) for name in self._blind(GRADIENT)}
        if self._plain.outcome.steps or joined(self._plain.sizes[UPDATE]):
            blind |= self._blind(UPDATE)
        return self._parameters() - blind

    def _blind(self, kind: str) -> set[str]:
        """Return what is too small or too noisy to be compared."""
        fars, given = self._fars[kind], self._tolerances[kind]
        return {
            name
            for name, size in self._plain.sizes[kind].items()
            if not size or (fars.get(name, 0.0) and given[name] > _BLIND * size)
        }
