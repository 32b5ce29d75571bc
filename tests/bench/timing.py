"""How things are timed here: cases in turns, many short samples, the least and the median."""

from __future__ import annotations

import itertools
import random
import statistics
import time
import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: A case's samples, in the unit of its group.
Samples = dict[str, list[float]]

_SAMPLE_SECONDS = 0.002
_COPIES = 8


@dataclass(frozen=True)
class Figure:
    """What is told of one case: the least of its samples, their lower quartile and their median.

    The least is best for what takes nanoseconds. Of sixty starts of a process on a busy machine
    one is luckier than all others: there the quartile varies half as much from run to run.
    """

    low: float
    quartile: float
    median: float


def figure_of(samples: list[float]) -> Figure:
    """Return what is told of ``samples``."""
    ordered = sorted(samples)
    return Figure(ordered[0], ordered[len(ordered) // 4], statistics.median(ordered))


def in_turns(cases: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Sample every case once a round, in an order that is drawn anew for each round.

    A busy neighbour then slows all cases alike, and none always runs on the caches that a heavy
    one has swept. The first round warms up and is not kept.
    """
    order = list(cases)
    draw = random.Random(0)  # no secret: the same orders in every run
    samples: Samples = {name: [] for name in cases}
    for turn in range(rounds + 1):
        for name in order:
            sample = cases[name]()
            if turn:
                samples[name].append(sample)
        draw.shuffle(order)
    return samples


def nanoseconds(statement: str, **names: Any) -> Callable[[], float]:
    """Return a sampler of what one run of ``statement`` costs, in ns of CPU, loop included.

    A sample takes about two milliseconds, so that most fall between two interruptions; the time
    of other processes does not count. Samples take turns over copies of the compiled statement:
    where one lies in memory makes it up to 1.4 x slower, on whatever object it works.
    """
    names["__name__"] = __name__
    timers = [
        timeit.Timer(statement, timer=time.thread_time, globals=names) for _ in range(_COPIES)
    ]
    probed = min(timers[0].repeat(repeat=5, number=1000)) / 1000
    number = max(100, int(_SAMPLE_SECONDS / probed))
    turns = itertools.cycle(timers)
    return lambda: next(turns).timeit(number) / number * 1e9
