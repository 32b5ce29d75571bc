"""Two calls timed in turns: the least time of each, as whatever else runs only adds to it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any, Final

Call = Callable[[], Any]
#: Takes so many calls of something; gives the nanoseconds of one.
Sampler = Callable[[int], float]

#: A sample lasts so long or more, over 500 times what reading the clock costs.
_LEAST_NS: Final = 30_000
_LEAST_ROUNDS, _MOST_ROUNDS = 5, 41


def pair_us(one: Sampler, other: Sampler, budget_s: float) -> tuple[float, float]:
    """Return the microseconds that each of two calls takes; rounds of both, in changing order.

    Five rounds at least, however long they take; more while the budget lasts.
    """
    samplers = one, other
    counts = [_count(sampler) for sampler in samplers]
    least = [float("inf"), float("inf")]
    end = time.perf_counter() + budget_s
    was_on = gc.isenabled()
    gc.disable()
    try:
        for number in range(_MOST_ROUNDS):
            if number >= _LEAST_ROUNDS and time.perf_counter() > end:
                break
            for arm in (0, 1) if number % 2 else (1, 0):
                least[arm] = min(least[arm], samplers[arm](counts[arm]))
    finally:
        if was_on:
            gc.enable()
    return least[0] / 1000, least[1] / 1000


def sample_ns(call: Call, count: int) -> float:
    """Return the nanoseconds of a call, as the mean of ``count``."""
    rounds = range(count)
    start = time.perf_counter_ns()
    for _ in rounds:
        call()
    return (time.perf_counter_ns() - start) / count


def _count(sampler: Sampler) -> int:
    """Return how many calls make a sample, after as many to warm up."""
    count = 1
    while True:
        took = sampler(count) * count
        if took >= _LEAST_NS:
            return count
        count = max(count * 2, min(int(count * _LEAST_NS / max(took, 1)), count * 16))
