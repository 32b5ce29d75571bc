"""The page docs/benchmarks-accel.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch

from shimhub.accel.model import OPS
from tests.bench.accel.calls import AUTO
from tests.bench.accel.measure import FORMS, RATIO, SLACK_US, Row, load
from tests.bench.kernels import machine

#: The "Performance Expectations" of the Pure Simple guide: its own figures.
EXPECTED: Mapping[tuple[str, int], tuple[str, str]] = {
    ("matmul", 50): ("5 ms", "1 ms"),
    ("matmul", 100): ("40 ms", "2 ms"),
    ("matmul", 500): ("5 s", "20 ms"),
    ("matmul", 1000): ("40 s", "50 ms"),
    ("add", 1000): ("2 ms", "1 ms"),
    ("relu", 1000): ("1 ms", "2 ms"),
}
_SHOWN = (2, 16, 64, 256, 1000, 2048)
_HEAD = """\
# Acceleration: is AUTO the best backend?

Made by `python -m tests.bench.accel --write`, on one thread; do not edit. It calibrates first, as
`shimhub accel calibrate` does, and times every call in mode AUTO and by each backend itself, in
turns; figures are the least of up to 41 samples. Inputs are N x N. "kernels" are ours, which are
called without any choosing; numpy's is its own function, or what one writes with it; torch's
includes the way from arrays or lists and back.

Machine: {machine}; load average {load:.1f} at the end; numpy {numpy}, torch {torch}.

## The promise: AUTO takes at most {ratio} x the best backend's time, or {slack:.0f} ns more

{summary}
"""
_SEED = """
## The guide's own table

What the Pure Simple guide expects of its two modes, and what they take here (arrays of float32).

"""


def page(rows: Sequence[Row], seeds: Mapping[tuple[str, int], Mapping[str, float]]) -> str:
    """Return the page as Markdown."""
    head = _HEAD.format(
        machine=machine.line(),
        load=load(),
        numpy=np.__version__,
        torch=torch.__version__,
        ratio=RATIO,
        slack=SLACK_US * 1000,
        summary=_summary(rows),
    )
    return "".join([head, _missed(rows), _SEED, _seed_table(seeds), *_tables(rows)])


def _summary(rows: Sequence[Row]) -> str:
    lines = []
    for kind, dtype in FORMS:
        some = [one for one in rows if (one.kind, one.dtype) == (kind, dtype)]
        held = [one for one in some if one.holds]
        worst = max(some, key=lambda one: (not one.holds, one.ratio))
        told = f"{worst.op} {worst.size} x {worst.size}: {worst.ratio:.2f} x"
        told = "" if worst.holds else told
        lines.append([f"{kind} {dtype}", str(len(some)), str(len(held)), told])
    return _table([["inputs", "calls", "held", "worst that is not"], *lines])


def _missed(rows: Sequence[Row]) -> str:
    missed = sorted((one for one in rows if not one.holds), key=lambda one: -one.ratio)
    if not missed:
        return "\nIt holds for every call.\n"
    lines = [
        [
            *(one.op, f"{one.kind} {one.dtype}", str(one.size), us(one.us[AUTO])),
            *(f"{one.best} {us(one.us[one.best])}", f"{one.ratio:.2f}"),
        ]
        for one in missed
    ]
    heads = ["operation", "inputs", "N", "AUTO", "best", "x"]
    return f"\nNot held by {len(missed)} of {len(rows)}:\n\n{_table([heads, *lines])}"


def _seed_table(seeds: Mapping[tuple[str, int], Mapping[str, float]]) -> str:
    heads = ["call", "Pure Simple: guide", "here", "PyTorch FFI: guide", "here"]
    lines = [
        [
            *(f"{op} {size} x {size}", f"~{EXPECTED[op, size][0]}", us(took["PureSimple"])),
            *(f"~{EXPECTED[op, size][1]}", us(took["PyTorchFFI"])),
        ]
        for (op, size), took in seeds.items()
    ]
    return _table([heads, *lines])


def _tables(rows: Sequence[Row]) -> Iterable[str]:
    for kind, dtype in FORMS:
        some = [one for one in rows if (one.kind, one.dtype) == (kind, dtype)]
        names = list(dict.fromkeys(name for one in some for name in one.us))
        sizes = [one for one in _SHOWN if any(row.size == one for row in some)]
        found = {(one.op, one.size): one for one in some}
        lines = [
            [op, str(size), *(us(found[op, size].us.get(name)) for name in names)]
            for op in OPS
            for size in sizes
        ]
        yield f"\n## {kind} of {dtype}\n\n"
        yield _table([["operation", "N", *names], *lines])


def us(microseconds: float | None) -> str:
    """Return a time with three digits and its unit."""
    if microseconds is None:
        return ""
    if microseconds >= 1000:
        return f"{microseconds / 1000:.3g} ms"
    return f"{microseconds * 1000:.0f} ns" if microseconds < 1 else f"{microseconds:.3g} us"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
