"""Steps of a training loop as they end, in blocks of two arms. Pure: no torch, no hooks.

The loop itself is the user's. What is timed is the time from the end of one step to the end of
the next, so that data loading, forward and backward are all in it.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from shimhub.speed.model import Timing
from shimhub.speed.pairs import layouts

#: Steps of the rarest optimizer that are looked at before anything is timed: caches fill up.
WARM_UP = 5
#: An optimizer that another one outruns by so much is not part of the loop any more.
IDLE = 200
#: A block lasts about so long, and has so many steps; the median over them is the block's time.
_BLOCK_SECONDS, _FEW, _MANY = 0.1, 3, 21


class Pairs(Protocol):
    """A sequential test of pairs, as ``timing.PairTest`` is."""

    def add_block(self, layout: str, seconds: Sequence[float]) -> None:
        """Take the times of one block after the other, in arms A (plain) and B."""

    def verdict(self) -> Timing | None:
        """Return what it came to; None where more pairs are needed."""


class Clock(Protocol):
    """How the end of a step is marked, and what time passed between marks."""

    def mark(self) -> Any:
        """Mark the end of the work so far."""

    def seconds(self, marks: Sequence[Any]) -> list[float]:
        """Return what passed from each mark to the next."""


class HostClock:
    """Times of steps whose work is done when they return."""

    def mark(self) -> Any:
        """Return this moment."""
        return time.perf_counter()

    def seconds(self, marks: Sequence[Any]) -> list[float]:
        """Return what passed from each mark to the next."""
        return [after - before for before, after in pairwise(marks)]


class StreamClock:
    """Times of steps on a device that works behind: events of its stream, one wait a block."""

    def __init__(self, device: Any) -> None:
        self._device = device

    def mark(self) -> Any:
        """Return an event that the stream reaches after the work so far."""
        event = self._device.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, marks: Sequence[Any]) -> list[float]:
        """Return what passed from each mark to the next, once the last is reached."""
        marks[-1].synchronize()
        pairs = pairwise(marks)
        return [before.elapsed_time(after) / 1000 for before, after in pairs]


class Loop:
    """Finds out which optimizer ends a step of the loop: the one that steps least often.

    Of several that step equally often it is the one whose turn comes last.
    """

    def __init__(self) -> None:
        self._counts: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._first: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self._last: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self.steps = 0

    def count(self, optimizer: Any) -> None:
        """Take a step of an optimizer."""
        now = time.perf_counter()
        self.steps += 1
        self._first.setdefault(optimizer, now)
        self._last[optimizer] = now
        # Behind all others, so that of equal counts the last in turn is found last.
        self._counts[optimizer] = self._counts.pop(optimizer, 0) + 1

    def marker(self) -> Any:
        """Return the optimizer that ends a step, once all have stepped often enough; else None."""
        counts = list(self._counts.items())
        most = max((count for _, count in counts), default=0)
        active = [(count, one) for one, count in counts if count * IDLE >= most]
        fewest = min((count for count, _ in active), default=0)
        if fewest < WARM_UP:
            return None
        return [one for count, one in active if count == fewest][-1]

    def seconds(self, optimizer: Any) -> float:
        """Return how long a step took on the average, by an optimizer that made a few."""
        passed = self._last[optimizer] - self._first[optimizer]
        return passed / max(1, self._counts[optimizer] - 1)


def block_of(seconds: float) -> int:
    """Return how many steps make a block: enough for the clock, few where steps are long."""
    if seconds >= 1:
        return 1
    return min(_MANY, max(_FEW, round(_BLOCK_SECONDS / max(seconds, 1e-9))))


class Trial:
    """One candidate against the plain loop, in blocks of the loop's own steps, ordered by lot.

    The first step after a switch is dropped, and now and then a second one, so that blocks do not
    march in time with what the loop does every n-th step. ``on`` is the arm of the next step.
    """

    def __init__(self, test: Pairs, clock: Clock, block: int, seed: int) -> None:
        self._test, self._clock, self.block = test, clock, block
        self._random = random.Random(seed)  # noqa: S311  # lots, and no secret
        self._marks: list[Any] = []
        self._times: list[float] = []
        self._dropping = 0
        self.on = False
        self.steps = self.cycles = 0
        self._orders = layouts(seed)
        self._order = next(self._orders)
        self._turn()

    def step(self) -> bool:
        """Take the end of a step; returns whether it ended a cycle, and a verdict may be there."""
        self.steps += 1
        self._dropping -= 1
        if self._dropping > 0:
            return False
        self._marks.append(self._clock.mark())
        if len(self._marks) <= self.block:
            return False
        self._times.append(statistics.median(self._clock.seconds(self._marks)))
        is_end = len(self._times) == len(self._order)
        if is_end:
            self._end_cycle()
        self._turn()
        return is_end

    def resume(self) -> None:
        """Go on after a cycle: what was done in between is nobody's time."""
        if self._marks:
            self._marks = [self._clock.mark()]

    def _turn(self) -> None:
        """Set the arm of the next block; where it stays, the end of this one begins the next."""
        on = self._order[len(self._times)] == "B"
        if on == self.on:
            self._marks = self._marks[-1:] or [self._clock.mark()]
        else:
            self._marks = []
            self._dropping = 1 + self._random.getrandbits(1)
        self.on = on

    def _end_cycle(self) -> None:
        self._test.add_block(self._order, self._times)
        self._order, self._times = next(self._orders), []
        self.cycles += 1
