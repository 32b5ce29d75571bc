"""``python -m tests.bench [--check] [--write FILE] [--only GROUP ...]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.bench import report, rivals
from tests.bench.budgets import Judged, gated_groups, judge
from tests.bench.groups import GROUPS, measure
from tests.bench.timing import Samples


def main() -> int:
    """Measure, print, and return 1 if ``--check`` was asked and a budget is broken."""
    asked = _parser().parse_args()
    versions = rivals.versions()
    if asked.measure:
        print(json.dumps(GROUPS[asked.measure].measure()))
        return 0
    wanted = asked.only or (gated_groups() if asked.check else GROUPS)
    results = {name: _shown(name) for name in wanted}
    judged = _judged_twice(results) if asked.check else judge(results)
    for one in judged:
        print(one)
    if asked.write:
        asked.write.write_text(report.markdown(results, judged, versions), encoding="utf-8")
    return int(asked.check and not all(one.holds for one in judged))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 if a budget is broken")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the tables as Markdown")
    parser.add_argument("--only", nargs="+", choices=GROUPS, help="measure these groups alone")
    parser.add_argument("--measure", choices=GROUPS, help=argparse.SUPPRESS)
    return parser


def _shown(name: str) -> Samples:
    samples = measure(name)
    print(report.text(GROUPS[name], samples), end="\n\n", flush=True)
    return samples


def _judged_twice(results: dict[str, Samples]) -> list[Judged]:
    """Judge, and measure the groups of broken budgets once more: noise seldom comes twice."""
    broken = dict.fromkeys(one.budget.group for one in judge(results) if not one.holds)
    for name in broken:
        print(f"{name}: a budget is broken; measuring once more", flush=True)
        results[name] = _shown(name)
    return judge(results)


if __name__ == "__main__":
    sys.exit(main())
