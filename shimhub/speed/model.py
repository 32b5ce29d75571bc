"""The words of ``shimhub.speed``: hardware, knobs, decisions and verdicts, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol


class Verdict(str, Enum):
    """What a measurement came to; FASTER alone is kept."""

    FASTER = "FASTER"
    SLOWER = "SLOWER"
    NO_DIFFERENCE = "NO_DIFFERENCE"
    UNDECIDED = "UNDECIDED"


class Numerics(str, Enum):
    """What a knob may change in the numbers of a step, least first."""

    BIT_EXACT = "bit-exact"
    #: Sums in another order: as far from the original as the original is from itself.
    REASSOCIATED = "reassociated"
    #: Fewer bits: off until it is asked for.
    LOSSY = "lossy"


class Gate(str, Enum):
    """What the numerics gate says of one step from an identical state."""

    EQUAL = "EQUAL"
    WITHIN_NOISE = "WITHIN_NOISE"
    DIFFERENT = "DIFFERENT"
    #: Nothing was compared: never a pass.
    UNVERIFIED = "UNVERIFIED"


class Action(str, Enum):
    """What is to be done with a knob."""

    APPLY = "apply"
    LEAVE = "leave"
    #: It cannot matter on this device, so it is neither set nor timed.
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Hardware:
    """One device and what it can do, as it was detected.

    ``kind`` is cpu, cuda, rocm, xpu or mps; ``capability`` the compute capability of a CUDA device
    as (major, minor); ``features`` names instruction sets of a CPU, such as ``avx512_bf16``.
    """

    kind: str
    name: str
    index: int = 0
    capability: tuple[int, int] | None = None
    features: frozenset[str] = frozenset()
    system: str = "Linux"
    torch: str = ""
    threads: int = 1
    count: int = 1


@dataclass(frozen=True)
class Decision:
    """What becomes of one knob and why; ``asked`` tells that the user named the value."""

    knob: str
    action: Action
    value: Any
    reason: str
    asked: bool = False


@dataclass(frozen=True)
class Plan:
    """What a configuration comes to on some hardware: no side effects."""

    hardware: Hardware
    decisions: tuple[Decision, ...]
    #: Lines of how it was decided, such as ``sm=8.9 (>=8.0) -> bf16``.
    trace: tuple[str, ...] = ()

    def of(self, knob: str) -> Decision:
        """Return the decision on a knob. Raises KeyError where the plan has none."""
        found = {one.knob: one for one in self.decisions}
        return found[knob]


@dataclass
class Targets:
    """What knobs act on, beside the flags of the process."""

    model: Any = None
    optimizer: Any = None


#: What a knob reads: names of settings and their values, to be compared and shown.
State = Mapping[str, Any]


class Knob(Protocol):
    """One setting that can be read, applied and restored exactly.

    Contract, held by tests for each knob: read, apply, restore, read gives what was there before;
    no random number is drawn; parameters keep their identity, and checkpoints their keys.
    """

    id: str
    numerics: Numerics
    #: process, model or optimizer
    scope: str

    def why_not(self, value: Any, hardware: Hardware, targets: Targets) -> str:
        """Return why the value cannot be set or cannot matter here; empty where it can."""

    def read(self, targets: Targets) -> State:
        """Return the settings as they are, without changing or importing anything."""

    def apply(self, value: Any, targets: Targets) -> None:
        """Set the value. Raises KnobError, with everything as it was before."""

    def restore(self, before: State, targets: Targets) -> None:
        """Bring back what ``read`` told before ``apply``."""


@dataclass(frozen=True)
class Timing:
    """A sequential test of two arms, in pairs: times of the plain arm over those of the other.

    ``ratio`` is the median over pairs, ``low`` and ``high`` bound it; above 1 the knob is faster.
    ``noise`` is the upper bound for an arm against itself, in between; 0 if there was none.
    """

    verdict: Verdict
    ratio: float
    low: float
    high: float
    pairs: int
    confidence: float
    seconds: float
    noise: float = 0.0
    reason: str = ""
    plain_seconds: float = 0.0
    load: float = 0.0


@dataclass(frozen=True)
class NumericsResult:
    """What one step from an identical state came to, with and without a knob.

    Differences are relative in L2; ``compared`` counts parameters whose gradient and update were
    compared, of ``total`` that the step gave a gradient.
    """

    gate: Gate
    compared: int = 0
    total: int = 0
    loss: float = 0.0
    gradient: float = 0.0
    update: float = 0.0
    noise: Mapping[str, float] = field(default_factory=dict)
    tolerance: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Measured:
    """One knob on the user's own step: how fast, how equal, and whether it was kept."""

    knob: str
    value: Any
    timing: Timing | None
    numerics: NumericsResult
    kept: bool
    reason: str
    cached: bool = False
