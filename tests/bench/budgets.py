"""The budgets as data, and the judge of them.

A gate is a ratio of two minima of one run, so that it holds on any machine. ``slack`` is what
noise may add to ``limit``; it is well under what a real regression adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.bench.starts import ACTIVE, BARE, OFF, RIVALS
from tests.bench.timing import Samples, figure_of


@dataclass(frozen=True)
class Budget:
    """``ours / base`` is at most ``limit + slack``; with ``over``, of what both add to it."""

    group: str
    ours: str
    base: str
    limit: float
    slack: float
    why: str
    over: str | None = None


_BARE = "bare python"

BUDGETS = (
    Budget("finder", "shimhub", "wrapt", 0.5, 0.1, "<= 0.15 µs, and faster than wrapt's"),
    Budget("imports", "shimhub", "bare", 1.02, 0.03, "<= 1.02 x bare"),
    Budget(
        "calls",
        "shimhub replace",
        "closure of *args, **kwargs",
        0.6,
        0.15,
        "guarded at <= +80 ns, well under a closure of *args, **kwargs",
        over="callee",
    ),
    Budget(
        "calls",
        "shimhub wrap",
        "closure of *args, **kwargs",
        0.6,
        0.15,
        "<= +80 ns, well under a closure of *args, **kwargs",
        over="callee",
    ),
    Budget(
        "calls",
        "shimhub adapt (one keyword dropped)",
        "closure of *args, **kwargs",
        0.7,
        0.15,
        "<= +80 ns, under a closure of *args, **kwargs",
        over="callee",
    ),
    # 15 ns differ by up to 0.15 from process to process; a ModuleType subclass alone measures 2.4.
    Budget("attributes", "shimhub: name without a shim", "plain module", 1.0, 0.25, "+0 ns"),
    Budget("attributes", "shimhub: name with a shim", "plain module", 1.0, 0.25, "+0 ns"),
    # Starting a process varies by 2 to 5 % on a busy machine; 0.2 ms are 1.5 to 2 % of it.
    Budget("start-up", "shimhub installed, off", _BARE, 1.02, 0.05, "<= +0.2 ms"),
    Budget("start-up", "shimhub activated, SHIMHUB=0", _BARE, 1.02, 0.05, "<= +0.2 ms"),
    Budget("start-up", "shimhub under run, SHIMHUB=0", _BARE, 1.04, 0.05, "<= +0.4 ms"),
    *(
        Budget("start-up", case, "autowrapt installed, off", 1.0, 0.05, "cheaper than autowrapt")
        for case in OFF
    ),
    *(Budget("start-up", case, _BARE, 1.4, 0.10, "<= +5 ms, <= 1.4 x bare") for case in ACTIVE),
    *(
        Budget("rivals", ours, theirs, 0.1, 0.05, "far cheaper than any that is active", over=_BARE)
        for ours in RIVALS
        if ours in ACTIVE
        for theirs in RIVALS
        if theirs not in ACTIVE | BARE
    ),
)


def gated_groups() -> list[str]:
    """Return the groups that have a budget."""
    return list(dict.fromkeys(one.group for one in BUDGETS))


@dataclass(frozen=True)
class Judged:
    """A budget and the ratio that was measured."""

    budget: Budget
    ratio: float

    @property
    def holds(self) -> bool:
        """Whether the ratio is within limit and slack."""
        return self.ratio <= self.budget.limit + self.budget.slack

    def __str__(self) -> str:
        one = self.budget
        told = "holds " if self.holds else "BROKEN"
        added = f", each over {one.over}" if one.over else ""
        allowed = f"{one.limit:.2f} + {one.slack:.2f} slack"
        where = f"{one.group}: {one.ours} / {one.base}{added}"
        return f"{told} {where} = {self.ratio:.3f}, allowed {allowed} ({one.why})"


def judge(results: Mapping[str, Samples], budgets: Iterable[Budget] = BUDGETS) -> list[Judged]:
    """Return the ratio for each budget whose group was measured."""
    return [Judged(one, _ratio(one, results[one.group])) for one in budgets if one.group in results]


def _ratio(budget: Budget, samples: Samples) -> float:
    floor = figure_of(samples[budget.over]).low if budget.over else 0.0
    ours, base = (figure_of(samples[case]).low - floor for case in (budget.ours, budget.base))
    return ours / base
