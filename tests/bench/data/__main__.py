"""``python -m tests.bench.data [--check] [--write] [--area AREA ...]``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.data import calls, files, memory, report
from tests.bench.data.areas import AREAS, measure_here
from tests.bench.data.required import MEMORY, REQUIRED
from tests.bench.kernels import machine
from tests.bench.kernels.bars import Verdict, judge
from tests.bench.kernels.harness import AnswersDiffer

_DOCS = Path(__file__).parents[3] / "docs"
MEMORY_AREA = "memory"


def main() -> int:
    """Measure, print, and return 1 if answers differ, or ``--check`` was asked and a bar missed."""
    asked = _parser().parse_args()
    if asked.measure:
        return _measure_here(asked.measure, asked.folder, small=asked.small)
    with tempfile.TemporaryDirectory(prefix="shimhub-bench-") as made:
        folder = Path(made)
        files.write_all(folder, small=asked.small)
        try:
            return _run(asked, folder)
        except AnswersDiffer as error:
            print(f"FAILED {error}")
            return 1


def _run(asked: argparse.Namespace, folder: Path) -> int:
    names = asked.area or [*AREAS, MEMORY_AREA]
    results = {name: _shown(name, folder, small=asked.small) for name in names}
    verdicts = [] if asked.small else _judged(results, folder, check=asked.check)
    for one in verdicts:
        print(one)
    if asked.write:
        report.write(asked.write, results, verdicts)
    return int(asked.check and not all(one.holds for one in verdicts))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.data", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 if a ratio is missed")
    names = [*AREAS, MEMORY_AREA]
    parser.add_argument("--area", nargs="+", choices=names, help="measure these areas alone")
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
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser


def _measure_here(name: str, folder: Path, *, small: bool) -> int:
    try:
        print(json.dumps(measure_here(name, folder, small=small)))
    except AnswersDiffer as error:
        print(f"FAILED {error}", file=sys.stderr)
        return 1
    return 0


def _shown(name: str, folder: Path, *, small: bool) -> dict[str, Any]:
    if name == MEMORY_AREA:
        found: dict[str, Any] = memory.measure(folder, small=small)
    else:
        found = _process(name, folder, small=small)
    print(report.text(name, found), end="\n\n", flush=True)
    return found


def _process(name: str, folder: Path, *, small: bool) -> dict[str, Any]:
    """Measure an area in a new process, on one thread."""
    command = [sys.executable, "-m", "tests.bench.data", "--measure", name, "--folder", folder]
    done = subprocess.run(
        [*command, "--small"] if small else command,
        env={**calls.quiet_environment(folder), **machine.environment(one_thread=True)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,  # its exit status is told below, with what it said on stderr before
    )
    if done.returncode:
        raise AnswersDiffer(f"{name}: measuring ended with {done.returncode}; see above")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _judged(results: dict[str, Any], folder: Path, *, check: bool) -> list[Verdict]:
    """Judge; with ``check``, measure the areas of missed bars once more: noise comes once."""
    verdicts = _verdicts(results)
    if not check:
        return verdicts
    for name in dict.fromkeys(one.area for one in verdicts if not one.holds):
        print(f"{name}: a ratio is missed; measuring once more", flush=True)
        results[name] = _shown(name, folder, small=False)
    return _verdicts(results)


def _verdicts(results: dict[str, Any]) -> list[Verdict]:
    timed = {
        area: {id_: row["calls"] for id_, row in found.items()}
        for area, found in results.items()
        if area != MEMORY_AREA
    }
    held = results.get(MEMORY_AREA)
    return [*judge(timed, REQUIRED), *([] if held is None else [one.judge(held) for one in MEMORY])]


if __name__ == "__main__":
    sys.exit(main())
