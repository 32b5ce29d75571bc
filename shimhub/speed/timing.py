"""Two arms of a training step, timed in turns on the machine as it is, until chance is ruled out.

A sample is the median of several steps: on a shared box a step is now and then interrupted for
ten times its own length, and no mean survives that. Samples come in blocks whose order is drawn
by lot (``pairs.LAYOUTS``); ``PairTest`` judges them.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from shimhub.speed._clocks import Clock, Step, clock_of
from shimhub.speed.errors import MeasureError
from shimhub.speed.model import Timing
from shimhub.speed.pairs import LAYOUTS, PairTest, layouts

__all__ = ["LAYOUTS", "PairTest", "compare", "layouts"]

Switch = Callable[[bool], object]

#: A timing lasts so long or more, over 1000 times what reading the clock costs.
_LEAST_TIMING: Final = 200e-6
#: Steps of one sample; more do not make it steadier.
_MOST_TIMINGS: Final = 21
_SAMPLES_OF_PAIR: Final = 2.25
#: The budget is to be enough for so many pairs, or samples get shorter.
_AIMED_PAIRS: Final = 20
_WARM_UP_SHARE: Final = 0.15
_LEAST_WARM_UPS: Final = 3
_MOST_WARM_UPS: Final = 50
_SETTLED: Final = 1.25


def compare(
    plain: Step,
    other: Step,
    *,
    switch: Switch | None = None,
    budget_s: float = 30.0,
    max_pairs: int = 60,
    min_effect: float = 1.03,
    device: str | None = None,
    seed: int | None = None,
) -> Timing:
    """Time ``plain`` against ``other`` until it is told which is faster, or the budget is spent.

    Both are functions of no argument that run one step. ``switch(on)`` is called before each
    sample, untimed, with whether the other arm comes; the first step after it is dropped. It is
    off in the end, whatever happens; what a step raises is raised. Orders are drawn by a
    generator of its own, from ``seed`` or else from the system.
    """
    if not budget_s > 0:
        raise MeasureError(f"budget_s is {budget_s}: name the seconds that measuring may take")
    seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
    test = PairTest(max_pairs=max_pairs, min_effect=min_effect, seed=seed)
    start = time.perf_counter()
    rig = _Rig({"A": plain, "B": other}, switch or _no_switch, clock_of(device), bool(switch))
    try:
        rig.warm_up(budget_s, max_pairs)
        found = _judged(rig, test, start + budget_s, seed)
    finally:
        rig.switch(False)
    return replace(found, seconds=time.perf_counter() - start, load=_load())


@dataclass
class _Rig:
    """Both arms, how one switches between them, and how long a sample is."""

    arms: dict[str, Step]
    switch: Switch
    clock: Clock
    drops: bool
    timings: int = 1
    inner: int = 1

    def sample(self, arm: str) -> float:
        """Return the median time of a step of an arm."""
        self.switch(arm == "B")
        if self.drops:
            self.arms[arm]()
        return statistics.median(self.clock(self.arms[arm], self.timings, self.inner))

    def warm_up(self, budget_s: float, max_pairs: int) -> None:
        """Run both arms until they are steady, and choose how many steps make a sample."""
        taken = max(self._settled(arm, budget_s * _WARM_UP_SHARE / 2) for arm in "AB")
        self.inner = max(1, math.ceil(_LEAST_TIMING / taken))
        share = budget_s * (1 - _WARM_UP_SHARE) / (max_pairs * _SAMPLES_OF_PAIR)
        afforded = int(min(share / (taken * self.inner), _MOST_TIMINGS + 1)) - self.drops
        self.timings = min(_MOST_TIMINGS, max(1, afforded))

    def pace(self, took: float, share: float) -> None:
        """Make samples shorter where a block took more than its share of the budget."""
        if took > share:
            self.timings = max(1, int(self.timings * share / took))

    def _settled(self, arm: str, budget_s: float) -> float:
        """Run an arm until its steps no longer get faster; return the time of one, above zero."""
        self.switch(arm == "B")
        taken: list[float] = []
        end = time.perf_counter() + budget_s
        while len(taken) < _MOST_WARM_UPS:
            taken += self.clock(self.arms[arm], 1, 1)
            last = taken[-_LEAST_WARM_UPS:]
            steady = max(last) < _SETTLED * min(last) and min(last) < _SETTLED * min(taken)
            if len(last) == _LEAST_WARM_UPS and (steady or time.perf_counter() > end):
                break
        return max(statistics.median(last), 1e-9)


def _judged(rig: _Rig, test: PairTest, end: float, seed: int) -> Timing:
    """Run blocks until the test tells, or a block ends or would end after ``end``."""
    longest = 0.0
    for layout in layouts(seed):
        start = time.perf_counter()
        samples = [rig.sample(arm) for arm in layout if time.perf_counter() + longest <= end]
        if len(samples) < len(layout):
            break
        test.add_block(layout, samples)
        if found := test.verdict():
            return found
        took = time.perf_counter() - start
        longest = max(longest, took / len(layout))
        blocks = max(1, (_AIMED_PAIRS - test.pairs) // 2)
        rig.pace(took, (end - start - took) / blocks)
    return test.result(f"the time was up after {test.pairs} of {test.max_pairs} pairs")


def _no_switch(_on: bool) -> None:
    pass


def _load() -> float:
    """Return the load average of the last minute; 0 where the system tells none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
