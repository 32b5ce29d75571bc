"""``python -m tests.bench.speed [--small] [--check] [--write]``: 15 minutes, of a free machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.bench.speed import falsepos, power, report, simulated

PAGE = Path(__file__).parents[3] / "docs" / "benchmarks-speed.md"
_SMALL = 0.05


def main() -> int:
    """Measure, print, and return 1 if ``--check`` was asked and a limit is not held."""
    asked = _parser().parse_args()
    share = _SMALL if asked.small else 1.0
    rows = falsepos.measure(share)
    found = power.measure(share)
    text = report.page(rows, found, simulated.measure(share))
    print(text)
    if asked.write:
        PAGE.write_text(text, encoding="utf-8")
    missed = missed_of(rows[0], found)
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return int(asked.check and bool(missed))


def missed_of(ours: falsepos.Row, found: power.Power) -> list[str]:
    """Return what is promised and was not held, in words."""
    told = []
    if len(ours.faster) > falsepos.ALLOWED * ours.times / 200:
        told.append(f"{len(ours.faster)} of {ours.times} times a knob that does nothing is FASTER")
    if found.found < power.NEEDED / power.TIMES * len(found.runs):
        told.append(f"a true 1.3 x was found in {found.found} of {len(found.runs)} runs")
    return told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.speed", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a twentieth of all repetitions")
    parser.add_argument("--check", action="store_true", help="exit 1 if a limit is not held")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
