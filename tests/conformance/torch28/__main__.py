"""``python -m tests.conformance.torch28 [--only LINE ...] [--resume] [--write FILE]``."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from shimhub import __version__
from tests.conformance.torch28 import report
from tests.conformance.torch28.lines import Judged, Line, lines
from tests.conformance.torch28.place import BUILD, Place, UnmetError
from tests.conformance.torch28.results import Results
from tests.conformance.torch28.steps import Facts, steps

UNMET = 5  # shimhub's own exit code for an environment that is not there


def main() -> int:
    """Measure, print and judge; return 1 if a line does not hold."""
    asked = _parser().parse_args()
    signal.signal(signal.SIGTERM, _end)
    place, results = Place(), Results(BUILD / "results")
    every = lines()
    chosen = [every[name] for name in asked.only or every]
    try:
        measured = _measured(place, results, chosen, asked.resume)
        judged = [_shown(line, measured) for line in chosen]
        if asked.write:
            asked.write.write_text(_page(place, results, every.values()), encoding="utf-8")
    except UnmetError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return UNMET
    broken = [one.line.name for one in judged if not one.holds]
    print(f"{len(judged) - len(broken)} of {len(judged)} lines hold", *broken)
    return int(bool(broken))


def _end(number: int, _: object) -> None:
    """End by an exception, on the way of which what was started is killed."""
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.torch28")
    parser.add_argument("--only", nargs="+", choices=lines(), metavar="LINE", help="these alone")
    parser.add_argument("--resume", action="store_true", help="keep results of the same sources")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table as Markdown")
    return parser


def _measured(
    place: Place, results: Results, chosen: Iterable[Line], resume: bool
) -> dict[str, Facts]:
    """Return the facts of every step that the lines need, each measured once."""
    measures, found = steps(), {}
    for name in dict.fromkeys(step for line in chosen for step in line.needs):
        kept = results.load(name) if resume else None
        if kept and kept[1]:
            found[name] = kept[0]
            continue
        began = time.monotonic()
        print(f"{name} ...", end=" ", flush=True)
        found[name] = _tried(measures[name], place)
        results.save(name, found[name])
        print(f"exit {found[name]['code']}, {time.monotonic() - began:.0f} s", flush=True)
    return found


def _tried(measure: Callable[[Place], Facts], place: Place) -> Facts:
    """Measure; output that cannot be understood is a fact like a command that failed."""
    try:
        return measure(place)
    except ValueError as error:
        return {"code": -1, "error": f"not understood: {error}", "tail": str(error)}


def _shown(line: Line, measured: dict[str, Facts]) -> Judged:
    judged = line.judged(measured)
    print(report.text(judged), flush=True)
    if not judged.shimmed.holds:
        for name in line.steps:
            if tail := measured[name].get("tail"):
                print(f"---- {name}\n{tail}\n----", flush=True)
    return judged


def _page(place: Place, results: Results, every: Iterable[Line]) -> str:
    """Return the whole table, from results that were kept where a line was not asked for."""
    known, stale = {}, []
    for name in dict.fromkeys(step for line in every for step in line.needs):
        kept = results.load(name)
        if kept is None:
            raise UnmetError(f"no result of {name}: run without --only, or measure its line too")
        known[name] = kept[0]
        stale += [] if kept[1] else [name]
    told = {**place.versions, "shimhub": __version__, "sources": results.sources}
    told["stale"] = f"; of other sources: {', '.join(stale)}" if stale else ""
    return report.markdown([line.judged(known) for line in every], known, told)


if __name__ == "__main__":
    sys.exit(main())
