"""The words of ``shimhub.accel``: operations, settings, decisions and counts, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

#: Operations by the group that a threshold may be set for.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "matmul": ("matmul", "linear"),
        "elementwise": ("add", "sub", "mul", "div"),
        "activations": ("relu", "sigmoid", "tanh", "gelu", "softmax", "layer_norm"),
        "losses": ("mse_loss", "cross_entropy"),
    }
)
#: The group of each operation.
GROUP_OF: Final[Mapping[str, str]] = MappingProxyType(
    {op: group for group, ops in GROUPS.items() for op in ops}
)
OPS: Final = tuple(GROUP_OF)
#: What inputs are: lists or tuples, arrays (and what wraps them), torch's tensors.
KINDS: Final = ("list", "ndarray", "tensor")
#: What works on rows, of which each costs something: many short ones are another case.
BY_ROWS: Final = ("softmax", "layer_norm", "cross_entropy")
#: A row of fewer elements is short: fewer than a vector of AVX-512 has. As C has it.
SHORT_ROW: Final = 16
#: What crossovers are told for; other dtypes are computed by numpy.
DTYPES: Final = ("float32", "float64")


class AccelMode(Enum):
    """Who computes. The last three are the names of the Pure Simple guide, for the same modes."""

    #: numpy and our kernels; torch for torch's own tensors alone.
    PURE = "pure"
    #: Our kernels wherever they can serve, also where numpy is faster; else numpy.
    NATIVE = "native"
    #: torch for all that it can.
    TORCH = "torch"
    #: What was measured to be the fastest for the operation, the kind of input and its size.
    AUTO = "auto"

    PureSimple = "pure"  # noqa: PIE796  # an alias
    PyTorchFFI = "torch"  # noqa: PIE796  # an alias
    Auto = "auto"  # noqa: PIE796  # an alias


@dataclass(frozen=True, eq=False)
class Settings:
    """What a context computes by; ``scoped`` tells that a with-statement made it.

    ``tensors`` is the range of work in which tensors stay in torch in mode AUTO, where another is
    wanted than was measured: calibrating does.
    """

    mode: AccelMode = AccelMode.PURE
    strict: bool = False
    thresholds: Mapping[str, float] = field(default_factory=dict)
    scoped: bool = False
    tensors: tuple[float, float] | None = None


@dataclass(frozen=True)
class Decision:
    """Who computes a call, and why.

    ``backend`` is native, numpy or torch; ``work`` the size of the call in the unit of thresholds,
    ``threshold`` the size above which torch computes, and ``source`` who says so. Tensors stay in
    torch from ``threshold`` on, that size with it, and up to ``until``, without that.
    ``predicted_us`` is what the measurements tell of its time, None where there are none.
    """

    backend: str
    reason: str
    work: float
    threshold: float
    source: str
    predicted_us: float | None = None
    until: float = math.inf


@dataclass(frozen=True)
class OpStats:
    """Calls of one operation, by who computed them; ``pure`` holds ``native``."""

    pure: int = 0
    native: int = 0
    ffi: int = 0
    fallback: int = 0


@dataclass(frozen=True)
class Stats:
    """Calls since the start or the last reset, of all threads.

    ``pure_count`` are those computed by numpy and our kernels, ``native_count`` those of them by
    our kernels, ``ffi_count`` those by torch: pure and ffi are all calls. ``fallback_count`` are
    those that another backend computed than was to, by ``reasons``.
    """

    pure_count: int = 0
    native_count: int = 0
    ffi_count: int = 0
    fallback_count: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    per_op: Mapping[str, OpStats] = field(default_factory=dict)
