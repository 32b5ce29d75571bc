"""Rows: an operation, a kind of input, a shape; and the least time of each of its calls."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shimhub import accel
from shimhub.accel import _workloads, calibration, crossovers
from shimhub.accel._timing import sample_ns
from shimhub.accel.model import OPS
from tests.bench.accel.calls import AUTO, NAMES, calls_of, inputs_of

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
#: (m, k, n) of products that are far from cubes, and (rows, columns) of what works on rows.
SHAPES: Mapping[str, tuple[tuple[int, ...], ...]] = {
    **dict.fromkeys(
        ("matmul", "linear"),
        (
            *((1, 64, 64), (1, 512, 512), (1, 2048, 2048), (512, 512, 1), (4096, 8, 8)),
            *((8, 4096, 8), (32, 784, 256), (64, 2048, 64), (1024, 4, 1024)),
        ),
    ),
    **dict.fromkeys(
        ("softmax", "layer_norm", "cross_entropy"),
        ((1, 1024), (1, 65536), (8, 4096), (4096, 8), (65536, 2), (2048, 64)),
    ),
}
#: AUTO may take so many times the best backend's time, or so much more; choosing may add so much.
RATIO, SLACK_US, DISPATCH_US = 1.1, 0.1, 0.1
#: So long that what each call finds in the caches is what it left there.
_SAMPLE_NS = 100_000
_ROUNDS = (3, 41)
#: A row that misses is measured again so often, after all others: the machine has slow minutes.
_AGAIN = 2


@dataclass(frozen=True)
class Row:
    """A call and its times in microseconds, by who computed it."""

    op: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    us: Mapping[str, float]

    @property
    def size(self) -> int:
        """Return N of N x N."""
        return self.shape[0]

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


@dataclass(frozen=True)
class Added:
    """What choosing adds to a call of 2 x 2: AUTO's time, and that of who computes it."""

    op: str
    kind: str
    who: str
    auto: float
    direct: float

    @property
    def us(self) -> float:
        """Return what it adds, in microseconds."""
        return self.auto - self.direct

    @property
    def holds(self) -> bool:
        """Whether that is within what is promised."""
        return self.us <= DISPATCH_US


def rows(*, small: bool, told: Callable[[Row], object]) -> list[Row]:
    """Calibrate, and measure all rows in mode AUTO; those that miss the promise again."""
    crossovers.use(None)
    calibration.calibrate(budget_s=8 if small else 60, keep=False)
    accel.set_acceleration("auto")
    budget_s = 0.03 if small else 0.15
    found = []
    for key in [*_squares(small=small), *_shapes(small=small)]:
        found.append(_row(*key, budget_s))
        told(found[-1])
    for _ in range(_AGAIN):
        found = [row if row.holds else _again(row, budget_s) for row in found]
    return found


def added(*, small: bool) -> list[Added]:
    """Return what choosing adds to each operation, on inputs of each kind."""
    budget_s = 0.05 if small else 0.2
    found = [_added(op, *form, budget_s) for form in FORMS[:3] for op in OPS]
    for _ in range(_AGAIN):
        found = [one if one.holds else _added_again(one, budget_s) for one in found]
    return found


def _added(op: str, kind: str, dtype: str, budget_s: float) -> Added:
    shape = _workloads.square(op, 2)
    calls = calls_of(op, kind, dtype, shape)
    who = NAMES[accel.explain(op, *inputs_of(op, kind, dtype, shape)).backend]
    us = least_us({AUTO: calls[AUTO], who: calls.get(who, calls[AUTO])}, budget_s)
    return Added(op, kind, who, us[AUTO], us[who])


def _added_again(one: Added, budget_s: float) -> Added:
    other = _added(one.op, one.kind, dict(FORMS[:3])[one.kind], budget_s)
    return replace(one, auto=min(one.auto, other.auto), direct=min(one.direct, other.direct))


def seeds(sizes: Mapping[tuple[str, int], Any]) -> dict[tuple[str, int], dict[str, float]]:
    """Return the times of the Pure Simple guide's own calls, in both of its modes."""
    found = {}
    for op, size in sizes:
        times = {}
        for mode in ("PureSimple", "PyTorchFFI"):
            accel.set_acceleration(mode)
            call = calls_of(op, "ndarray", "float32", _workloads.square(op, size))[AUTO]
            times[mode] = least_us({mode: call}, 0.2)[mode]
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


def _row(op: str, kind: str, dtype: str, shape: tuple[int, ...], budget_s: float) -> Row:
    calls = calls_of(op, kind, dtype, shape)
    return Row(op, kind, dtype, shape, least_us(calls, budget_s))


def _again(row: Row, budget_s: float) -> Row:
    """Return a row that was measured once more: of all its times the least."""
    other = _row(row.op, row.kind, row.dtype, row.shape, budget_s)
    return replace(row, us={name: min(us, other.us[name]) for name, us in row.us.items()})


def _squares(*, small: bool) -> Iterator[tuple[str, str, str, tuple[int, ...]]]:
    for kind, dtype in FORMS:
        for op in OPS:
            for size in _sizes(kind, dtype, small=small):
                yield op, kind, dtype, _workloads.square(op, size)


def _shapes(*, small: bool) -> Iterator[tuple[str, str, str, tuple[int, ...]]]:
    for kind, dtype in FORMS:
        for op, shapes in SHAPES.items():
            for shape in [] if kind == "list" else shapes[::4] if small else shapes:
                yield op, kind, dtype, shape


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
