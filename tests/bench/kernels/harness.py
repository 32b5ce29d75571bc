"""A row of calls that do the same work: answers compared first, then timed in turns."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from timeit import Timer
from typing import Any, NamedTuple

from tests.bench.kernels.answers import first_difference
from tests.bench.timing import in_turns

_SAMPLE_SECONDS = 0.005
_COPIES = 4

#: What is told of a row as JSON: name of call -> cpu, wall, note, or why it is missing.
Measured = dict[str, dict[str, Any]]


class NotHere(Exception):  # noqa: N818 - no error: a rival may be missing
    """A rival, or a kernel, that is not installed; the message says which."""


class AnswersDiffer(Exception):  # noqa: N818 - reads better where it is raised
    """Two calls of one row gave different answers."""


@dataclass(frozen=True)
class Call:
    """One way to do the work of a row.

    ``run(*arguments)`` is what is timed. With ``fresh``, each run gets new arguments, made
    outside the clock: for callees that change their input, or input that caches what it was
    asked. ``answer`` brings what ``run`` returned into the form that all calls of the row share;
    None where the answer is another one by design, and then ``note`` says how it differs.
    ``tells`` says a figure of the answer that belongs into the table, such as the fill of bins.
    """

    run: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    fresh: Callable[[], tuple[Any, ...]] | None = None
    answer: Callable[[Any], Any] | None = lambda got: got
    note: str = ""
    tells: Callable[[Any], str] | None = None


@dataclass(frozen=True)
class Row:
    """One piece of work, and the calls that do it, each built when its turn comes.

    A builder raises :class:`NotHere` for what is not installed. ``amount`` of ``unit`` is what
    one run works on; ``rounds`` is how often each call is sampled. ``threaded`` names the calls
    that use more threads when they are let: their wall time is told, too.
    """

    id: str
    title: str
    calls: Mapping[str, Callable[[], Call]]
    rounds: int = 15
    amount: float = 1.0
    unit: str = "calls"
    threaded: frozenset[str] = field(default_factory=frozenset)
    #: Equal answers are within this, relative and absolute; 0 means identical.
    tolerance: float = 0.0


class Instant(NamedTuple):
    """Seconds of this process's CPU time, and of the clock."""

    cpu: float
    wall: float

    def __sub__(self, before: Instant) -> Instant:
        """Return what passed since ``before``."""
        return Instant(self.cpu - before.cpu, self.wall - before.wall)


def _now() -> Instant:
    return Instant(time.process_time(), time.perf_counter())


def measure(row: Row, only: frozenset[str] | None = None, rounds: int | None = None) -> Measured:
    """Compare the answers of a row's calls, time them in turns, and return what is told of them.

    Raises :class:`AnswersDiffer`. ``only`` leaves out all other calls.
    """
    told: Measured = {}
    calls: dict[str, Call] = {}
    for name, build in row.calls.items():
        if only is None or name in only:
            _build(name, build, calls, told)
    took = _compare(row, calls, told)
    samplers = {name: _sampler(call, took[name]) for name, call in calls.items()}
    samples = in_turns(samplers, rounds or row.rounds)
    for name, instants in samples.items():
        told[name]["cpu"] = [one.cpu for one in instants]
        told[name]["wall"] = [one.wall for one in instants]
    return told


def _build(name: str, build: Callable[[], Call], calls: dict[str, Call], told: Measured) -> None:
    try:
        calls[name] = build()
        told[name] = {"note": calls[name].note, "fact": ""}
    except NotHere as why:
        told[name] = {"missing": str(why)}


def _compare(row: Row, calls: Mapping[str, Call], told: Measured) -> dict[str, float]:
    """Run each call once; all that have an answer in the row's form must agree with the first.

    Returns how many seconds each took.
    """
    first: tuple[str, Any] | None = None
    took = {}
    for name, call in calls.items():
        got, took[name] = _timed(call)
        if call.tells:
            told[name]["fact"] = call.tells(got)
        if call.answer is None:
            continue
        answer = call.answer(got)
        first = first or (name, answer)
        if where := first_difference(first[1], answer, row.tolerance):
            raise AnswersDiffer(f"{row.id}: {name!r} answers otherwise than {first[0]!r}: {where}")
    return took


def _timed(call: Call) -> tuple[Any, float]:
    arguments = call.fresh() if call.fresh else call.arguments
    start = time.perf_counter()
    got = call.run(*arguments)
    return got, time.perf_counter() - start


def _sampler(call: Call, took: float) -> Callable[[], Instant]:
    """Return a function that runs ``call`` for some milliseconds: what one run of it takes.

    The garbage collector rests meanwhile, as always in timeit. Samples take turns over copies of
    the compiled loop, as in :func:`tests.bench.timing.nanoseconds`.
    """
    number = _number(call, took)
    if call.fresh:
        return lambda: _fresh_sample(call, number)
    names = {"run": call.run, **{f"a{at}": one for at, one in enumerate(call.arguments)}}
    statement = f"run({', '.join(f'a{at}' for at in range(len(call.arguments)))})"
    turns = itertools.cycle([Timer(statement, timer=_now, globals=names) for _ in range(_COPIES)])
    return lambda: _per_run(next(turns).timeit(number), number)


def _fresh_sample(call: Call, number: int) -> Instant:
    ready = iter([call.fresh() for _ in range(number)])
    timer = Timer("got = run(*next(ready))", timer=_now, globals={"run": call.run, "ready": ready})
    return _per_run(timer.timeit(number), number)


def _per_run(spent: Instant, number: int) -> Instant:
    return Instant(spent.cpu / number, spent.wall / number)


def _number(call: Call, took: float) -> int:
    """Return how many runs fill a sample. The first run took ``took`` seconds, warming up.

    Of a quick one several are timed: a single one may be interrupted and look slow.
    """
    if took < 10 * _SAMPLE_SECONDS:
        took = min(_timed(call)[1] for _ in range(5))
    return max(1, min(100_000, int(_SAMPLE_SECONDS / max(1e-7, took))))
