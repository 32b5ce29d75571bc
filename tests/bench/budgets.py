"""The budgets as data, and the judge of them.

A gate is a ratio of two figures of one run, so that it holds on any machine. ``slack`` is what
noise may add to ``limit``; it is well under what a real regression adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.bench.starts import ACTIVE, BARE, OFF, RIVALS
from tests.bench.timing import Samples, figure_of


@dataclass(frozen=True)
class Budget:
    """``ours / base`` is at most ``limit + slack``; with ``over``, of what both add to it.

    ``at`` is the figure that is compared: ``low`` or ``quartile``.
    """

    group: str
    ours: str
    base: str
    limit: float
    slack: float
    why: str
    over: str | None = None
    at: str = "low"


_BARE = "bare python"

#: 0.2 ms are 1.5 to 2 % of a start; from run to run on a busy machine a ratio varies by 1 %.
_START_UP: tuple[tuple[str, str, float, float, str], ...] = (
    ("shimhub installed, off", _BARE, 1.02, 0.03, "<= +0.2 ms"),
    ("shimhub activated, SHIMHUB=0", _BARE, 1.02, 0.03, "<= +0.2 ms"),
    ("shimhub under run, SHIMHUB=0", _BARE, 1.04, 0.03, "<= +0.4 ms"),
    *((one, "autowrapt installed, off", 1.0, 0.02, "cheaper than autowrapt") for one in OFF),
    *((one, _BARE, 1.4, 0.06, "<= +5 ms, <= 1.4 x bare") for one in ACTIVE),
)

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
    *(Budget("start-up", *told, at="quartile") for told in _START_UP),
    *(
        Budget("rivals", ours, theirs, 0.1, 0.05, "far cheaper than any rival", _BARE, "quartile")
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
    def figure(case: str) -> float:
        return float(getattr(figure_of(samples[case]), budget.at))

    floor = figure(budget.over) if budget.over else 0.0
    return (figure(budget.ours) - floor) / (figure(budget.base) - floor)
