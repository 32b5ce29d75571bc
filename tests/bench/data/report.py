"""The tables and plots, for the terminal and for docs/benchmarks-data.md."""

from __future__ import annotations

import inspect
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.data import areas, memory
from tests.bench.data.areas import AREAS
from tests.bench.kernels import machine, report, rivals
from tests.bench.kernels.bars import Verdict

_RIVALS = ("pyarrow", "datasets", "fast-axolotl", "orjson", "numpy", "torch")
_MEMORY = "First batch and memory"

_HEAD = """\
# Benchmarks of reading data

Made by `make bench-data` (`python -m tests.bench.data --write`); do not edit.
`make bench-data-check` fails where a ratio of the last table is missed.

CPU time of the process with all its threads, system time included, in turns: each call of a row
is sampled once a round, in an order drawn anew. "min" and "median" are of the samples; "x ours" is
the min over that of the row's first shimhub call. A call reads the whole file, from the page
cache, and drops what it reads; before it is timed, what all calls of a row read is compared: a
difference ends the run. Every process is held to one thread (Arrow's pool, OpenMP, polars).
"""


def write(folder: Path, results: Mapping[str, Any], verdicts: list[Verdict]) -> None:
    """Write the page and its plots into the folder."""
    from tests.bench.data import plots

    folder.mkdir(parents=True, exist_ok=True)
    for name, found in results.items():
        if name in AREAS:
            plots.draw(AREAS[name].title, found, folder / f"data-{name}.png")
    (folder / "benchmarks-data.md").write_text(_page(results, verdicts), encoding="utf-8")


def _page(results: Mapping[str, Any], verdicts: list[Verdict]) -> str:
    told = ", ".join(f"{name} {rivals.version(name)}" for name in _RIVALS)
    parts = [_HEAD, f"Machine: {machine.line()}.\n", f"Beside: {told}.\n"]
    for name, found in results.items():
        parts.append(_section(name, found) if name in AREAS else _memory_section(found))
    return "\n".join([*parts, report.required(verdicts)])


def _section(name: str, found: Mapping[str, Any]) -> str:
    title = AREAS[name].title
    about = inspect.cleandoc(inspect.getdoc(areas.module_of(name)) or "")
    head = f"## {title}\n\n{about}\n\n![{title}](data-{name}.png)\n"
    return "\n".join([head, *(report.table(row) for row in found.values())])


def _memory_section(found: Mapping[str, Any]) -> str:
    about = inspect.cleandoc(inspect.getdoc(memory) or "")
    lines = [
        f"## {_MEMORY}\n\n{about}\n",
        "| reader | first batch, min | median | peak, 1/8 | peak, 8/8 | |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for name, figures in found.items():
        shown = f"**{name}**" if name.startswith(report.OURS) else name
        lines.append(f"| {shown} | {' | '.join(_figures(figures))} |")
    return "\n".join([*lines, ""])


def _figures(figures: Mapping[str, Any]) -> list[str]:
    """Return the first batch's least and median time, both peaks, and how they grow."""
    if not figures["8"]["first"]:
        return ["", "", "", "", "fails"]
    first = figures["8"]["first"]
    peaks = [statistics.median(figures[size]["peak"]) for size in ("1", "8")]
    grown = f"{peaks[1] / peaks[0]:.2f} x" if peaks[0] > 0 else ""
    times = [report.duration(min(first)), report.duration(statistics.median(first))]
    return [*times, *(f"{one / 1e6:.0f} MB" for one in peaks), grown]


def text(name: str, found: Mapping[str, Any]) -> str:
    """Return one area's tables for the terminal."""
    if name in AREAS:
        return report.lines(AREAS[name].title, found)
    lines = [_MEMORY, "  first batch: min, median; peak of 1/8 and of 8/8"]
    lines += [f"    {one:48} {'  '.join(_figures(told))}" for one, told in found.items()]
    return "\n".join(lines)
