"""The page of figures: a table of ratios for each version, and what is required."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

#: Required of the newest version: least ratio of the original's time to the replacement's.
REQUIRED = {
    "collator bs=8": 26,
    "collator bs=32": 34,
    "collator bs=64": 47,
    "packed V2 1x2048": 10,
    "packed V2 4x4096": 10,
    "packed V2 1x8192": 10,
    "loader bs=32": 18,
    "loader packed 1x8192": 4.5,
    "loader packed 4x4096": 4.5,
    "pack_parallel 2048": 18,
    "pack_parallel 16384": 5,
    "lengths by length": 1000,
    "lengths by position_ids": 1000,
    "lengths by input_ids": 1000,
    "dedup": 9.5,
    "filter": 40,
    "position ids": 40,
    "encode_streaming": 13,
}
_HEAD = """\
# Benchmarks of the pack `axolotl`

Made by `make bench-axolotl AXOLOTL_ENVS=FILE` (`python -m tests.bench.axolotl --write`); do not
edit.

{rows:,} rows of {mean} tokens on average. Each line is a function of the axolotl that is installed
beside its replacement, guard and all, in one process and in turns: CPU time of the process, the
least of the samples and, in brackets, their median. torch and Arrow have one thread.

Machine: {machine}; CPython {python}.
"""
_BELOW = "<!-- below: python -m tests.bench.axolotl.preprocess -->"


def markdown(found: list[dict[str, Any]], rows: int) -> str:
    """Return the page."""
    head = _HEAD.format(
        rows=rows, mean="about 290", machine=_machine(), python=platform.python_version()
    )
    return "\n".join([head, *map(_table, found), *_required(found[0])]) + "\n"


def kept(page: Path, text: str) -> str:
    """Return ``text`` with what stands below the mark in the page that is there."""
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    return text + (f"\n{_BELOW}{old.partition(_BELOW)[2]}" if _BELOW in old else f"\n{_BELOW}\n")


def missed(found: dict[str, Any]) -> list[str]:
    """Return what is required and is not held, or was not measured."""
    ratios = {row["name"]: ratio(row) for row in found["calls"]}
    return [
        f"{name}: {ratios[name]:.1f}x, required {least}x" if name in ratios else f"{name}: no call"
        for name, least in REQUIRED.items()
        if ratios.get(name, 0) < least
    ]


def ratio(row: dict[str, Any]) -> float:
    """Return how many times as long the original takes."""
    return float(row["original"]["min"] / row["replacement"]["min"])


def _table(found: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {told}" for name, told in found["versions"].items())
    lines = [
        f"## axolotl {found['version']}\n\nBeside: {versions}.\n",
        "| call | original | replacement | ratio |\n|---|--:|--:|--:|",
    ]
    lines += [
        f"| {row['name']} | {_told(row['original'])} | {_told(row['replacement'])} "
        f"| {_short(ratio(row))}x |"
        for row in found["calls"]
    ]
    return "\n".join(lines) + "\n"


def _required(found: dict[str, Any]) -> list[str]:
    ratios = {row["name"]: ratio(row) for row in found["calls"]}
    lines = [
        f"## What is required of {found['version']}\n",
        "| call | ratio | required | |\n|---|--:|--:|---|",
    ]
    for name, least in REQUIRED.items():
        told = f"{_short(ratios[name])}x" if name in ratios else "not measured"
        held = "holds" if ratios.get(name, 0) >= least else "**missed**"
        lines.append(f"| {name} | {told} | {least}x | {held} |")
    return lines


def _told(side: dict[str, float]) -> str:
    return f"{_seconds(side['min'])} ({_seconds(side['median'])})"


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            return f"{_short(value / scale)} {unit}"
    return f"{value * 1e9:.0f} ns"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    model = re.search(r"model name\s*: (.*)", text)
    return f"{model[1] if model else platform.machine()}, {text.count('processor')} cores"
