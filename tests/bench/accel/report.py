"""The page docs/benchmarks-accel.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from shimhub.accel.model import OPS
from tests.bench.accel.calls import AUTO
from tests.bench.accel.measure import (
    DISPATCH_US,
    FORMS,
    RATIO,
    SLACK_US,
    Added,
    Row,
    load,
)
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
turns; figures are the least of up to 41 samples. What misses the promise is timed twice more
after all others, and the least of all samples counts: some minutes of the machine are slow.
"kernels" are ours, which are called without any choosing. numpy's and torch's are the shortest
that their users would write: `x @ weight + bias`, `torch.addmm(bias, x, weight)`,
`torch.softmax(x, -1)`, `torch.layer_norm(x, (n,), weight, bias)`, `F.gelu`, `F.mse_loss`,
`F.cross_entropy`; for arrays and lists, torch's has `torch.from_numpy` or `torch.tensor` before,
and `.numpy()` or `.tolist()` after. numpy has no gelu, as it has no erf. Losses of tensors
that need no gradient are ours where that was measured to be faster, as other operations are.
Tensors in rows have two sizes, of rows below 16 elements and of others: a single long row may miss.

Machine: {machine}; load average {load:.1f} at the end; numpy {numpy}, torch {torch}.

## The promise: AUTO takes at most {ratio} x the best backend's time, or {slack:.0f} ns more

{summary}
"""
_ADDED = """
## What choosing adds

Calls of 2 x 2 in mode AUTO, which are counted, and of the backend that computes them, itself: at
most {asked:.0f} ns are promised. Below zero is what AUTO saves, as its way from lists is in C.

"""
_SEED = """
## The guide's own table

What the Pure Simple guide expects of its two modes, and what they take here (arrays of float32).

"""


@dataclass(frozen=True)
class Measured:
    """All that the page tells."""

    rows: Sequence[Row]
    added: Sequence[Added]
    seeds: Mapping[tuple[str, int], Mapping[str, float]]

    @property
    def holds(self) -> bool:
        """Whether all is within what is promised."""
        return all(one.holds for one in (*self.rows, *self.added))


def page(found: Measured) -> str:
    """Return the page as Markdown."""
    head = _HEAD.format(
        machine=machine.line(),
        load=load(),
        numpy=np.__version__,
        torch=torch.__version__,
        ratio=RATIO,
        slack=SLACK_US * 1000,
        summary=_summary(found.rows),
    )
    adding = _ADDED.format(asked=DISPATCH_US * 1000), _added_table(found.added)
    shaped = [one for one in found.rows if not _is_square(one)]
    return "".join(
        [
            *(head, _missed(found.rows), *adding, _SEED, _seed_table(found.seeds)),
            *_tables([one for one in found.rows if _is_square(one)]),
            *_shape_tables(shaped),
        ]
    )


def _is_square(row: Row) -> bool:
    return len(set(row.shape)) == 1


def _shape(row: Row) -> str:
    return " x ".join(map(str, row.shape[:2] if _is_square(row) else row.shape))


def _summary(rows: Sequence[Row]) -> str:
    lines = []
    for name, is_square in (("N x N", True), ("other shapes", False)):
        for kind, dtype in FORMS:
            some = [
                one
                for one in rows
                if (one.kind, one.dtype) == (kind, dtype) and _is_square(one) is is_square
            ]
            if some:
                lines.append([f"{kind} {dtype}, {name}", *_held(some)])
    return _table([["inputs", "calls", "held", "worst that is not"], *lines])


def _held(some: Sequence[Row]) -> list[str]:
    worst = max(some, key=lambda one: (not one.holds, one.ratio))
    told = "" if worst.holds else f"{worst.op} {_shape(worst)}: {worst.ratio:.2f} x"
    return [str(len(some)), str(sum(one.holds for one in some)), told]


def _added_table(added: Sequence[Added]) -> str:
    kinds = list(dict.fromkeys(one.kind for one in added))
    by_key = {(one.op, one.kind): one for one in added}
    lines = [[op, *(_added_cell(by_key[op, kind]) for kind in kinds)] for op in OPS]
    missed = [f"{one.op} of {one.kind}s" for one in added if not one.holds]
    told = f"\nNot held by {', '.join(missed)}.\n" if missed else "\nIt holds for every call.\n"
    return _table([["operation", *kinds], *lines]) + told


def _added_cell(one: Added) -> str:
    return f"{one.who}: {one.us * 1000:+.0f} ns of {us(one.auto)}"


def _missed(rows: Sequence[Row]) -> str:
    missed = sorted((one for one in rows if not one.holds), key=lambda one: -one.ratio)
    if not missed:
        return "\nIt holds for every call.\n"
    lines = [
        [
            *(one.op, f"{one.kind} {one.dtype}", _shape(one), us(one.us[AUTO])),
            *(f"{one.best} {us(one.us[one.best])}", f"{one.ratio:.2f}"),
        ]
        for one in missed
    ]
    heads = ["operation", "inputs", "shape", "AUTO", "best", "x"]
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


def _shape_tables(rows: Sequence[Row]) -> Iterable[str]:
    for kind, dtype in FORMS:
        some = [one for one in rows if (one.kind, one.dtype) == (kind, dtype)]
        names = list(dict.fromkeys(name for one in some for name in one.us))
        lines = [[one.op, _shape(one), *(us(one.us.get(name)) for name in names)] for one in some]
        if lines:
            yield f"\n## {kind} of {dtype}: other shapes\n\n"
            yield "m x k x n of products; rows x columns.\n\n"
            yield _table([["operation", "shape", *names], *lines])


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
