"""``python -m tests.bench.accel [--small] [--check] [--write] [--ship]``: 6 minutes, one core."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.bench.kernels import machine

PAGE = Path(__file__).parents[3] / "docs" / "benchmarks-accel.md"
_ONE_THREAD = "OMP_NUM_THREADS"


def main() -> int:
    """Measure, print, and return 1 if ``--check`` was asked and the promise is not held."""
    asked = _parser().parse_args()
    if os.environ.get(_ONE_THREAD) != "1":  # libraries read it when they are loaded
        command = [sys.executable, "-m", "tests.bench.accel", *sys.argv[1:]]
        os.execve(sys.executable, command, machine.environment(one_thread=True))
    return _ship() if asked.ship else _measured(asked)


def _ship() -> int:
    """Calibrate for long, and make that the table that is shipped."""
    from shimhub.accel import calibration, crossovers, table

    crossovers.use(None)  # what was kept here would hold sizes that are near
    found = calibration.calibrate(budget_s=240, keep=False, told=lambda one: print(*one.key))
    table.SHIPPED.write_text(table.text_of(found.table), encoding="utf-8")
    return 0


def _measured(asked: argparse.Namespace) -> int:
    from tests.bench.accel import measure, report

    found = report.Measured(
        measure.rows(small=asked.small, told=_tell),
        measure.added(small=asked.small),
        measure.seeds(report.EXPECTED),
    )
    text = report.page(found)
    print(text)
    if asked.write:
        PAGE.write_text(text, encoding="utf-8")
    return int(asked.check and not found.holds)


def _tell(row: object) -> None:
    print(row, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.accel", description=__doc__)
    parser.add_argument("--small", action="store_true", help="four sizes, in half a minute")
    parser.add_argument("--check", action="store_true", help="exit 1 if the promise is not held")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    told = "calibrate for four minutes and write shimhub/accel/shipped.json; nothing else"
    parser.add_argument("--ship", action="store_true", help=told)
    return parser


if __name__ == "__main__":
    sys.exit(main())
