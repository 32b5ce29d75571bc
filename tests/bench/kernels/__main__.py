"""``python -m tests.bench.kernels [--check] [--write] [--area AREA ...]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tests.bench.kernels import areas, report, rivals
from tests.bench.kernels.areas import AREAS
from tests.bench.kernels.bars import Results, Verdict, judge
from tests.bench.kernels.harness import AnswersDiffer
from tests.bench.kernels.required import REQUIRED

_DOCS = Path(__file__).parents[3] / "docs"


def main() -> int:
    """Measure, print, and return 1 if answers differ, or ``--check`` was asked and a bar missed."""
    asked = _parser().parse_args()
    if asked.measure:
        return _measure_here(asked.measure, small=asked.small)
    try:
        results = {name: _shown(name, small=asked.small) for name in asked.area or AREAS}
        verdicts = [] if asked.small else _judged(results, check=asked.check)
    except AnswersDiffer as error:
        print(f"FAILED {error}")
        return 1
    for one in verdicts:
        print(one)
    if asked.write:
        _write(asked.write, results, verdicts)
    return int(asked.check and _failed(results, verdicts))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.kernels", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 if a ratio is missed")
    parser.add_argument("--area", nargs="+", choices=AREAS, help="measure these areas alone")
    parser.add_argument("--small", action="store_true", help="little data, nothing judged")
    parser.add_argument(
        "--write",
        type=Path,
        nargs="?",
        const=_DOCS,
        metavar="FOLDER",
        help="write tables and plots, to docs/ if no folder is named",
    )
    parser.add_argument("--measure", choices=AREAS, help=argparse.SUPPRESS)
    return parser


def _measure_here(name: str, *, small: bool) -> int:
    try:
        print(json.dumps(areas.measure_here(name, small=small)))
    except AnswersDiffer as error:
        print(f"FAILED {error}", file=sys.stderr)
        return 1
    return 0


def _shown(name: str, *, small: bool) -> dict[str, Any]:
    found = areas.measure_apart(name, small=small)
    print(report.text(AREAS[name], found), end="\n\n", flush=True)
    return found


def _judged(results: dict[str, Any], *, check: bool) -> list[Verdict]:
    """Judge; with ``check``, measure the areas of missed bars once more: noise comes once."""
    verdicts = judge(_calls(results), REQUIRED)
    if not check:
        return verdicts
    for name in dict.fromkeys(one.area for one in verdicts if not one.holds):
        print(f"{name}: a ratio is missed; measuring once more", flush=True)
        results[name] = _shown(name, small=False)
    return judge(_calls(results), REQUIRED)


def _calls(results: dict[str, Any]) -> Results:
    return {
        area: {id_: row["calls"] for id_, row in found.items()} for area, found in results.items()
    }


def _failed(results: dict[str, Any], verdicts: list[Verdict]) -> bool:
    """Whether a ratio is missed, or a call: what is not there was not beaten."""
    rows = [row for found in results.values() for row in found.values()]
    missing = {
        f"{call}: {told['missing']}"
        for row in rows
        for call, told in row["calls"].items()
        if "missing" in told
    }
    for one in sorted(missing):
        print(f"MISSING {one}")
    return bool(missing) or not all(one.holds for one in verdicts)


def _write(folder: Path, results: dict[str, Any], verdicts: list[Verdict]) -> None:
    from tests.bench.kernels import plots

    folder.mkdir(parents=True, exist_ok=True)
    for name, found in results.items():
        plots.draw(name, found, folder / f"kernels-{name}.png")
    page = report.markdown(results, verdicts, rivals.versions())
    (folder / "benchmarks-kernels.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
