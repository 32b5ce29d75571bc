"""The tables, as text for the terminal and as Markdown for docs/benchmarks.md."""

from __future__ import annotations

import inspect
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.bench.budgets import Judged
from tests.bench.groups import GROUPS, Group
from tests.bench.timing import Samples, figure_of

_HEAD = """\
# Benchmarks

Made by `python -m tests.bench --write docs/benchmarks.md`; do not edit. `make bench-check` holds
the ratios of the last table on every machine; figures in ns, µs and ms are for orientation.
Cases of a table are measured in turns, in one run. cuml runs on GPUs only: "cuml-style" is a
stand-in in `tests/bench/rivals.py` that does what its finder and its module proxy do per look-up.
"""

_NAMES = {"low": "min", "quartile": "lower quartile"}


def machine() -> str:
    """Return processor, cores and interpreter, in a line."""
    cpu = next(_cpu_models(), platform.machine())
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{cpu}, {os.cpu_count()} cores; {python}"


def _cpu_models() -> Iterator[str]:
    info = Path("/proc/cpuinfo")
    for line in info.read_text(encoding="utf-8").splitlines() if info.exists() else ():
        if line.startswith("model name"):
            yield line.partition(":")[2].strip()


def markdown(results: Mapping[str, Samples], judged: list[Judged], rivals: dict[str, str]) -> str:
    """Return the page: each group's table, then the budgets."""
    told = ", ".join(f"{name} {version}" for name, version in rivals.items())
    parts = [_HEAD, f"Machine: {machine()}. Rivals: {told}.\n"]
    parts += [_section(GROUPS[name], samples) for name, samples in results.items()]
    return "\n".join([*parts, _budgets(judged)])


def _section(group: Group, samples: Samples) -> str:
    about = inspect.cleandoc(group.measure.__doc__ or "")
    head = f"## {group.title}\n\n{about}\n\n"
    columns = (
        f"| case | {_NAMES[group.at]}, {group.unit} | median, {group.unit} | over base | x base |\n"
    )
    return head + columns + "|---|--:|--:|--:|--:|\n" + "".join(_rows(group, samples))


def _rows(group: Group, samples: Samples) -> Iterator[str]:
    base = _of(group, samples[group.base])
    for case, values in samples.items():
        one, median = _of(group, values), figure_of(values).median
        name = f"{case} (base)" if case == group.base else case
        figures = (f"{one:.2f}", f"{median:.2f}", f"{one - base:+.2f}")
        yield f"| {name} | {' | '.join(figures)} | {one / base:.2f} |\n"


def _of(group: Group, values: list[float]) -> float:
    return float(getattr(figure_of(values), group.at))


def _budgets(judged: list[Judged]) -> str:
    lines = ["## Budgets", "", "| budget | ratio | allowed | |", "|---|--:|--:|---|"]
    for one in judged:
        budget = one.budget
        over = f", each over {budget.over}" if budget.over else ""
        what = f"{budget.group}: {budget.ours} / {budget.base}{over} ({budget.why})"
        allowed = f"{budget.limit:.2f} + {budget.slack:.2f}"
        told = "holds" if one.holds else "**broken**"
        lines.append(f"| {what} | {one.ratio:.3f} | {allowed} | {told} |")
    return "\n".join([*lines, ""])


def text(group: Group, samples: Samples) -> str:
    """Return one group's table for the terminal."""
    base = _of(group, samples[group.base])
    lines = [f"{group.title} [{group.unit}]: {_NAMES[group.at]}, median, over base, x base"]
    for case, values in samples.items():
        one, median = _of(group, values), figure_of(values).median
        lines.append(
            f"  {case:42} {one:10.2f} {median:10.2f} {one - base:+10.2f} {one / base:7.2f}"
        )
    return "\n".join(lines)
