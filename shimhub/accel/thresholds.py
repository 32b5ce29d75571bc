"""Sizes above which torch computes in mode AUTO: the user's, or else those measured.

The unit is what an operation does its work on: ``m * k * n`` multiplications for the product of
``(m, k)`` and ``(k, n)``, and for all others the elements of the largest input. A call of exactly
the threshold is not above it. What the user sets is for arrays and lists: torch's own tensors
leave torch only where that was measured to be faster, which is a range: they stay in torch from
one size on, up to another.
"""

from __future__ import annotations

import functools
import math
import numbers
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from shimhub.accel.errors import ThresholdError
from shimhub.accel.model import DTYPES, GROUP_OF, GROUPS, KINDS, AccelMode, Settings
from shimhub.errors import nearest

if TYPE_CHECKING:
    from types import ModuleType

    from typing_extensions import Self

_WORDS: Final = {"never": math.inf, "always": 0.0}
#: Members of an Enum are looked up in Python; names of a module are not.
_AUTO: Final = AccelMode.AUTO
_NATIVE: Final = AccelMode.NATIVE
_lock: Final = threading.Lock()
_told: Mapping[str, float] = {}
#: Called whenever a threshold changes.
_listeners: Final[list[Callable[[], None]]] = []


class Limit(NamedTuple):
    """A size and who says so: "using", "set_threshold", or what the crossovers tell."""

    size: float
    source: str

    @property
    def is_told(self) -> bool:
        """Whether it is the user's word."""
        return self.source in {"using", "set_threshold"}


class Threshold(float):
    """A size above which torch computes, and its ``source``. "never" is infinite.

    Tensors stay in torch from that size on, up to ``until``, which is infinite for all others.
    """

    def __new__(cls, size: float, source: str, until: float = math.inf) -> Self:
        """Make one; ``source`` is who says so."""
        made = super().__new__(cls, size)
        made.source = source
        made.until = until
        return made

    source: str
    until: float

    def __str__(self) -> str:
        if math.isinf(self):
            return "never"
        told = _text(self)
        return told if math.isinf(self.until) else f"{told} until {_text(self.until)}"

    def __format__(self, form: str) -> str:
        return format(float(self), form) if form else str(self)

    def __reduce__(self) -> tuple[type[Threshold], tuple[float, str, float]]:
        return Threshold, (float(self), self.source, self.until)


def _text(size: float) -> str:
    return str(int(size)) if size.is_integer() else repr(float(size))


def set_threshold(name: str, elements: float | str | None) -> None:
    """Let torch compute calls above ``elements`` in mode AUTO, whatever was measured.

    ``name`` is an operation or a group: matmul (with linear), elementwise, activations, losses.
    An operation's own goes before its group's. ``math.inf`` or "never", ``0`` or "always"; None
    takes back what was set. For arrays and lists, in the process. Raises :class:`ThresholdError`.
    """
    global _told
    _check_name(name)
    size = None if elements is None else limit_of(name, elements)
    with _lock:
        rest = {key: value for key, value in _told.items() if key != name}
        _told = rest if size is None else {**rest, name: size}
    changed()


def get_threshold(name: str, kind: str = "ndarray", dtype: str = "float32") -> Threshold:
    """Return the size above which torch computes in mode AUTO, and in ``source`` who says so.

    For a group it is the least of its operations. ``kind`` is ndarray, list or tensor; tensors
    stay in torch from the size on, up to its ``until``. Lists are float64. Raises
    :class:`ThresholdError`.
    """
    from shimhub.accel.modes import current

    _check_name(name)
    if kind not in KINDS or dtype not in DTYPES:
        known = f"{', '.join(KINDS)}; {', '.join(DTYPES)}"
        raise ThresholdError(
            f"threshold of {name}: nothing is measured for {kind!r} of {dtype!r}; there are {known}"
        )
    dtype = DTYPES[1] if kind == "list" else dtype
    settings = current()
    return min(_threshold(op, kind, dtype, settings) for op in GROUPS.get(name, (name,)))


def _threshold(op: str, kind: str, dtype: str, settings: Settings) -> Threshold:
    if kind != "tensor":
        return Threshold(*effective(op, kind, dtype, settings))
    low, high = _measured().tensor_range(op, dtype)
    return Threshold(low, _measured().source(op, kind, dtype), high)


def tensor_range(
    op: str, dtype: str, settings: Settings, short: bool = False
) -> tuple[float, float]:
    """Return the works from which on, and up to which, tensors stay in torch. O(1).

    ``short`` tells that rows have fewer than ``SHORT_ROW`` elements. ``(0, math.inf)`` is always,
    ``(math.inf, math.inf)`` never: ours compute the others.
    """
    if settings.mode is _NATIVE:
        return math.inf, math.inf
    if settings.mode is not _AUTO:
        return 0.0, math.inf
    found: tuple[float, float] = settings.tensors or _measured().tensor_range(op, dtype, short)
    return found


def effective(op: str, kind: str, dtype: str, settings: Settings) -> Limit:
    """Return the size above which torch computes this, in mode AUTO. O(1)."""
    if kind != "tensor" and (settings.thresholds or _told):
        for source, told in (("using", settings.thresholds), ("set_threshold", _told)):
            for name in (op, GROUP_OF[op]):
                if name in told:
                    return Limit(told[name], source)
    measured = _measured()
    return Limit(measured.crossover(op, kind, dtype), measured.source(op, kind, dtype))


@functools.cache
def _measured() -> ModuleType:
    """Return what was measured; not imported by who never asks, as in mode PURE."""
    from shimhub.accel import crossovers

    return crossovers


def limits_of(told: Mapping[str, float | str]) -> dict[str, float]:
    """Return the sizes of names that were told. Raises :class:`ThresholdError`."""
    for name in told:
        _check_name(name)
    return {name: limit_of(name, value) for name, value in told.items()}


def limit_of(name: str, elements: float | str) -> float:
    """Return the size that a number or word tells. Raises :class:`ThresholdError`."""
    if isinstance(elements, str) and elements in _WORDS:
        return _WORDS[elements]
    size = _number(elements)
    if size is None or not size >= 0:
        raise ThresholdError(
            f"threshold of {name}: {elements!r} is no number >= 0; "
            "give elements, or 'never' or 'always'"
        )
    return size


def _number(given: Any) -> float | None:
    """Return a number of Python's or numpy's as a float; None for anything else."""
    if isinstance(given, bool) or not isinstance(given, numbers.Real):
        return None
    value: Any = given  # of which a type checker does not know that it compares
    try:
        return float(value)
    except OverflowError:  # an int that no float holds
        return math.inf if value > 0 else -math.inf


def changed() -> None:
    """Tell those who keep sizes that they may have changed; also after a calibration."""
    for listener in _listeners:
        listener()


def on_change(listener: Callable[[], None]) -> None:
    """Call ``listener`` whenever a size may have changed."""
    _listeners.append(listener)


def _check_name(name: Any) -> None:
    known = {**GROUP_OF, **GROUPS}
    if not isinstance(name, str) or name not in known:
        hint = nearest(name, known) if isinstance(name, str) else ""
        groups = ", ".join(GROUPS)
        raise ThresholdError(
            f"threshold: {name!r} is no operation and none of the groups {groups}{hint}"
        )
