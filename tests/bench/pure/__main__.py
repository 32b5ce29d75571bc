"""``python -m tests.bench.pure [--check] [--write]``: minutes; needs torch, and one core free."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.pure import child, samples
from tests.bench.pure.figures import Row, Run, middle, missed_of, page

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "benchmarks-pure.md"
ROUNDS = 3
SMALL_WIDTHS, SMALL_STEPS = (16, 128, 1024), 450
LARGE_WIDTHS, LARGE_STEPS = (16, 64, 256, 1024), 300
TRAIN, TEST = 60_000, 2_000


def run(who: str, steps: int, folder: Path) -> Run:
    """Train in a process of its own, on one thread."""
    environ = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    line = [sys.executable, str(Path(child.__file__)), who, str(steps), str(folder)]
    start = time.perf_counter()
    done = subprocess.run(line, env=environ, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{who}: {done.stderr}")
    return Run(seconds, **json.loads(done.stdout))


def measure(
    folder: Path, inputs: int, widths: Sequence[int], steps: int, who: Sequence[str], rounds: int
) -> list[Row]:
    """Measure all in turns, width by width."""
    rows = []
    for hidden in widths:
        samples.save_weights(folder, inputs, hidden)
        runs: dict[str, list[Run]] = {one: [] for one in who}
        for _ in range(rounds):
            for one, found in runs.items():
                found.append(run(one, steps, folder))
        rows.append(Row(hidden, steps, {one: middle(found) for one, found in runs.items()}))
    return rows


def measure_all(rounds: int) -> tuple[str, list[Row], list[Row]]:
    """Return whose the small digits are, and what was measured with small and large ones."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whose, digits = samples.small()
        samples.save(folder, digits, 1437)
        run("ours", child.TOGETHER, _ready(folder, 64))  # what is read from disk is read once
        run("torch", child.TOGETHER, folder)
        small = measure(folder, 64, SMALL_WIDTHS, SMALL_STEPS, ("ours", "torch"), rounds)
        samples.save(folder, samples.large(TRAIN + TEST), TRAIN)
        who = ("ours", "auto", "torch")
        return whose, small, measure(folder, 784, LARGE_WIDTHS, LARGE_STEPS, who, rounds)


def _ready(folder: Path, inputs: int) -> Path:
    samples.save_weights(folder, inputs, SMALL_WIDTHS[0])
    return folder


def main() -> int:
    """Measure, print, and return 1 if ``--check`` was asked and a limit is not held."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pure", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 if a limit is not held")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="processes of each")
    asked = parser.parse_args()
    whose, small, large = measure_all(asked.rounds)
    text = page(whose, small, large, asked.rounds)
    print(text)
    if asked.write:
        PAGE.write_text(text, encoding="utf-8")
    missed = missed_of(small, large)
    for one in missed:
        print(f"missed: {one}", file=sys.stderr)
    return int(asked.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
