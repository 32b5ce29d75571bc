"""The page docs/benchmarks-speed.md."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence

import torch

from shimhub.speed.pairs import ALPHA
from tests.bench.report import machine
from tests.bench.speed import simulated
from tests.bench.speed.falsepos import Row
from tests.bench.speed.judges import JUDGES
from tests.bench.speed.power import MOST_PAIRS, Power

_HEAD = """\
# Is it faster? How often the answer is wrong

Made by `python -m tests.bench.speed --write`; do not edit. The rivals come by
`python -m pip install --no-deps {rivals}`.

`shimhub.speed.compare` times two arms of a training step in turns, in an order drawn by lot, and
says FASTER only where the lower bound of the median ratio is above 1.03 and above what an arm
differs by from itself. Its sign test is exact, over all looks: a knob that does nothing is called
FASTER in at most {alpha:.1%} of runs, whatever the noise.

Machine: {machine}; load average {load:.1f} at the end; torch {torch}, {threads} threads.
"""

_FALSE = """\
## A knob that does nothing

TF32 for CUDA, on a CPU, judged again and again on a small model's training step (64-128-10, 64
rows, AdamW) beside a process that keeps a core busy. Each FASTER is wrong. "could be" is Wilson's
95 % interval of the share; "seconds" is the median of one judgement.

"""

_POWER = """\

## A knob that is 1.3 x faster

A step of 13 equal units of work against one of 10, beside the same busy process, within {most}
pairs and five seconds a run. "bounds hold" counts runs whose bounds have 1.3 between them.

"""

_SIMULATED = """\

## On made-up noise

{about}

Of {all} runs with a knob that does nothing, {wrong} said FASTER ({share:.2%}).

"""


def page(rows: Sequence[Row], power: Power, made_up: tuple[list[list[str]], int, int]) -> str:
    """Return the page as Markdown."""
    rivals = " ".join(one.needs for one in JUDGES if one.needs)
    head = _HEAD.format(
        rivals=rivals,
        alpha=ALPHA,
        machine=machine(),
        load=os.getloadavg()[0],
        torch=torch.__version__,
        threads=torch.get_num_threads(),
    )
    table, wrong, runs = made_up
    told = _SIMULATED.format(
        about=inspect.cleandoc(simulated.__doc__ or ""), all=runs, wrong=wrong, share=wrong / runs
    )
    about = "".join(f"- {one.title}: {one.about}\n" for one in rows)
    return "".join(
        [
            head,
            "\n",
            _FALSE,
            _table([_FALSE_HEADS, *(one.cells() for one in rows)]),
            "\n",
            about,
            _POWER.format(most=MOST_PAIRS),
            _table([_POWER_HEADS, power.cells()]),
            told,
            _table(table),
        ]
    )


_FALSE_HEADS = ["judge", "asked", "FASTER", "could be", "greatest claim", "seconds", "said"]
_POWER_HEADS = ["runs", "FASTER", "pairs, median", "ratio, median", "bounds hold", "seconds"]


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
