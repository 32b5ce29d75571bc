"""The tables, as text for the terminal and as Markdown for docs/benchmarks-kernels.md."""

from __future__ import annotations

import inspect
import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from tests.bench.kernels import areas, machine
from tests.bench.kernels.areas import AREAS, Area
from tests.bench.kernels.bars import Verdict

#: What ours are called: the figure that all others of a row are divided by is the first of them.
OURS = "shimhub"

_HEAD = """\
# Benchmarks of the kernels

Made by `make bench-kernels` (`python -m tests.bench.kernels --write`); do not edit.
`make bench-kernels-check` fails where a ratio of the last table is missed.

CPU time of the process, system time included, in turns: each call of a row is sampled once a
round, in an order drawn anew. "min" and "median" are of the samples; "x ours" is the min over
that of the row's first shimhub call. All calls of a row get the same work, and their answers are
compared first: a difference ends the run. Every process is held to one thread (BLAS, OpenMP,
polars, numba, rayon); "wall, all threads" is the least wall time of the calls that use more,
measured in a second process that nothing holds.
"""


def low(call: Mapping[str, Any], clock: str = "cpu") -> float:
    """Return the least of a call's samples, in seconds."""
    return float(min(call[clock]))


def duration(seconds: float) -> str:
    """Return a time in the unit in which it is at least one, with three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{_digits(seconds / size)} {unit}"
    return f"{_digits(seconds * 1e9)} ns"


def _digits(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"


def base_of(calls: Mapping[str, Any]) -> float | None:
    """Return the least time of the first of our calls that was measured."""
    times = (low(call) for name, call in calls.items() if name.startswith(OURS) and "cpu" in call)
    return next(times, None)


def _figures(row: Mapping[str, Any], call: Mapping[str, Any]) -> tuple[str, ...]:
    """Return min, median, times ours, rate, wall time of one thread and of all."""
    base = base_of(row["calls"])
    times = f"{_digits(low(call) / base)}" if base else "-"
    rate = f"{_digits(row['amount'] / low(call))} {row['unit']}/s"
    walls = (duration(low(call, name)) if name in call else "" for name in _WALLS)
    return duration(low(call)), duration(statistics.median(call["cpu"])), times, rate, *walls


_WALLS = ("wall", "wall, all threads")
_COLUMNS = ("min CPU", "median", "x ours", "rate", "min wall", "wall, all threads")


def markdown(
    results: Mapping[str, Any], verdicts: list[Verdict], versions: Mapping[str, str]
) -> str:
    """Return the page: each area's plot and tables, then what is required."""
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    parts = [_HEAD, f"Machine: {machine.line()}.\n", f"Rivals: {told}.\n"]
    parts += [_section(name, AREAS[name], found) for name, found in results.items()]
    return "\n".join([*parts, required(verdicts)])


def _section(name: str, area: Area, found: Mapping[str, Any]) -> str:
    about = inspect.cleandoc(inspect.getdoc(areas.module_of(name)) or "")
    head = f"## {area.title}\n\n{about}\n\n![{area.title}](kernels-{name}.png)\n"
    return "\n".join([head, *(table(row) for row in found.values())])


def table(row: Mapping[str, Any]) -> str:
    """Return a row's calls as a table of Markdown."""
    lines = [
        f"### {row['title']}\n",
        f"| call | {' | '.join(_COLUMNS)} | |",
        f"|---|{'--:|' * len(_COLUMNS)}---|",
    ]
    return "\n".join([*lines, *_rows(row), ""])


def _rows(row: Mapping[str, Any]) -> Iterator[str]:
    for name, call in row["calls"].items():
        if "missing" in call:
            yield f"| {name} | {' | ' * len(_COLUMNS)}{call['missing']} |"
            continue
        shown = f"**{name}**" if name.startswith(OURS) else name
        notes = "; ".join(one for one in (call["fact"], call["note"]) if one)
        yield f"| {shown} | {' | '.join(_figures(row, call))} | {notes} |"


def required(verdicts: list[Verdict]) -> str:
    """Return what is required, and whether it holds, as a table of Markdown."""
    lines = ["## Required", "", "| what | measured | required | |", "|---|--:|--:|---|"]
    for one in verdicts:
        told = "holds" if one.holds else "**missed**"
        lines.append(f"| {one.area}: {one.work} | {one.told} | {one.required} | {told} |")
    return "\n".join([*lines, ""])


def text(area: Area, found: Mapping[str, Any]) -> str:
    """Return one area's tables for the terminal."""
    return lines(area.title, found)


def lines(title: str, found: Mapping[str, Any]) -> str:
    """Return tables for the terminal under a title."""
    made = [title]
    for row in found.values():
        made += ["", f"  {row['title']}: min CPU, median, x ours, rate, wall, wall of all threads"]
        made += [f"    {name:48} {_line(row, call)}" for name, call in row["calls"].items()]
    return "\n".join(made)


def _line(row: Mapping[str, Any], call: Mapping[str, Any]) -> str:
    if "missing" in call:
        return str(call["missing"])
    least, median, times, rate, *walls = _figures(row, call)
    shown = f"{least:>9} {median:>9} {times:>8} {rate:>18} {walls[0]:>9} {walls[1]:>9}"
    return f"{shown}  {call['fact']}"
