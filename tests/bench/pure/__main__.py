"""``python -m tests.bench.pure [--check] [--write]``: minutes; needs torch, and one core free."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from tests.bench.pure import child

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "benchmarks-pure.md"
WIDTHS = (16, 32, 128, 512, 2048)
EPOCHS = 10
NAMES = ("seconds", "start, s", "import, s", "a step, µs", "accuracy")
ROUNDS = 5
#: Importing shimhub.pure may take so much of the time of importing torch.
IMPORT = 0.15


@dataclass(frozen=True)
class Run:
    """One process: its seconds, and what it told of itself."""

    seconds: float
    imported: float
    step: float
    accuracy: float


@dataclass(frozen=True)
class Row:
    """One width: the medians of both, and the steps from which torch is done sooner."""

    hidden: int
    ours: Run
    torch: Run

    @property
    def steps(self) -> int:
        """The steps that were trained."""
        return EPOCHS * math.ceil(child.TRAIN / child.BATCH)

    def start(self, one: Run) -> float:
        """Return what a process took beside its steps: importing, and what the first ones load."""
        return one.seconds - one.step * self.steps

    @property
    def crossover(self) -> float:
        """How many steps it takes torch to make up for its start; inf if it never does."""
        later = self.start(self.torch) - self.start(self.ours)
        apart = self.ours.step - self.torch.step
        return max(later, 0) / apart if apart > 0 else math.inf


def digits() -> tuple[str, np.ndarray, np.ndarray]:
    """Return scikit-learn's digits, or drawn ones where it is not installed; and whose."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        draw = np.random.default_rng(0)
        y = np.arange(1797) % 10
        x = (draw.uniform(size=(10, 64)) > 0.6)[y] + draw.normal(0, 0.6, (1797, 64))
        return "ten drawn pictures with noise", x.astype(np.float32), y
    data = load_digits()
    return "scikit-learn's digits", (data.data / 16).astype(np.float32), data.target


def run(who: str, data: str, hidden: int) -> Run:
    """Train in a process of its own, on one thread."""
    environ = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    line = [sys.executable, str(Path(child.__file__)), who, data, str(hidden), str(EPOCHS)]
    start = time.perf_counter()
    done = subprocess.run(line, env=environ, capture_output=True, text=True, check=True)
    return Run(time.perf_counter() - start, **json.loads(done.stdout))


def middle(runs: list[Run]) -> Run:
    """Return the median of each figure."""
    return Run(*(median(getattr(one, name) for one in runs) for name in Run.__annotations__))


def measure(data: str, rounds: int) -> list[Row]:
    """Measure both in turns, width by width."""
    rows = []
    for hidden in WIDTHS:
        runs: dict[str, list[Run]] = {"ours": [], "torch": []}
        for _ in range(rounds):
            for who, found in runs.items():
                found.append(run(who, data, hidden))
        rows.append(Row(hidden, middle(runs["ours"]), middle(runs["torch"])))
    return rows


def page(rows: list[Row], whose: str, rounds: int) -> str:
    """Return the page of the figures."""
    told = (
        f"A process imports, trains a model of 64-hidden-10 with ReLU on {child.TRAIN} digits "
        f"({whose}) for {EPOCHS} epochs, which are {rows[0].steps} batches of {child.BATCH}, by "
        "SGD with momentum, tests it on the other 360 and ends. `python -m tests.bench.pure "
        f"--write` wrote this: the medians of {rounds} processes of each, in turns, each on one "
        "thread, ours in the default mode, in which no torch is imported."
    )
    columns = [f"{name}: {who}" for name in NAMES for who in ("ours", "torch")]
    header = ["hidden", *columns, "torch is done sooner from"]
    after = (
        "The seconds are of the whole process, the start what it takes beside its steps: the "
        "interpreter, importing, and what torch loads at its first step. A step is the median of "
        "the epochs'. The last column has the steps after which torch has made up for its start; "
        '"never" where its steps take longer, too. First weights and the order of examples are '
        "drawn by each, so that the accuracies differ."
    )
    lines = [f"| {' | '.join(one)} |" for one in (header, ["--:"] * len(header))]
    lines += [f"| {' | '.join(cells(row))} |" for row in rows]
    return "\n\n".join(("# shimhub.pure and torch, end to end", told, "\n".join(lines), after, ""))


def cells(row: Row) -> list[str]:
    """Return one line of the table."""
    both = row.ours, row.torch
    found = [f"{row.hidden}"]
    found += [f"{one.seconds:.2f}" for one in both]
    found += [f"{row.start(one):.2f}" for one in both]
    found += [f"{one.imported:.2f}" for one in both]
    found += [f"{one.step * 1e6:.0f}" for one in both]
    found += [f"{one.accuracy:.1%}" for one in both]
    never = math.isinf(row.crossover)
    return [*found, "never" if never else f"{row.crossover:,.0f} steps"]


def missed_of(rows: list[Row]) -> list[str]:
    """Return what is promised and was not held, in words."""
    first = rows[0]
    told = []
    if first.ours.seconds >= first.torch.seconds:
        told.append("a small model is not trained sooner than by torch")
    if first.ours.imported > IMPORT * first.torch.imported:
        share = first.ours.imported / first.torch.imported
        told.append(f"importing takes {share:.2f} x torch's time")
    return told


def main() -> int:
    """Measure, print, and return 1 if ``--check`` was asked and a limit is not held."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pure", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 if a limit is not held")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="processes of each")
    asked = parser.parse_args()
    whose, x, y = digits()
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "digits.npz")
        np.savez(data, x=x, y=y)
        rows = measure(data, asked.rounds)
    text = page(rows, whose, asked.rounds)
    print(text)
    if asked.write:
        PAGE.write_text(text, encoding="utf-8")
    missed = missed_of(rows)
    for one in missed:
        print(f"missed: {one}", file=sys.stderr)
    return int(asked.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
