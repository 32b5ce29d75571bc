"""``python -m tests.conformance.axolotl --tests DIR --envs FILE [--only VERSION ...] [--write]``.

DIR has a folder per version with axolotl's ``tests`` in it, or is a clone of its repository. FILE
is TOML, a table per version: ``python`` (an interpreter with what that version needs) and ``path``
(further folders of ``sys.path``), both relative to the file.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conformance.axolotl.place import ROOT, VERSIONS, Place, UnmetError, places
from tests.conformance.axolotl.report import Version, findings, markdown, of_data, to_data
from tests.conformance.axolotl.running import SELECTED, Outcome, Side, differing, run

PAGE = ROOT / "docs" / "conformance-axolotl.md"
KEPT = ROOT / "build" / "conformance-axolotl"
_REPEATS = 3
_LIBRARIES = ("torch", "transformers", "datasets", "numpy")


def main() -> int:
    """Run, say what came out, and return 1 where a test differs."""
    asked = _parser().parse_args()
    if not (asked.tests and asked.envs):
        print(
            "AXOLOTL_TESTS and AXOLOTL_ENVS, or --tests and --envs, say what to run",
            file=sys.stderr,
        )
        return 2
    try:
        for place in places(Path(asked.envs), Path(asked.tests), asked.only):
            _measure(place, asked)
    except (UnmetError, OSError) as error:
        print(error, file=sys.stderr)
        return 5
    found = [one for one in map(_kept, VERSIONS) if one]
    if asked.write:
        PAGE.write_text(markdown(found), encoding="utf-8")
    told = [line for one in found if one.version in asked.only for line in findings(one)]
    print("\n".join(told) or "every test came to the same with the pack")
    return int(bool(told))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.axolotl")
    parser.add_argument("--tests", default=os.environ.get("AXOLOTL_TESTS"), metavar="DIR")
    parser.add_argument("--envs", default=os.environ.get("AXOLOTL_ENVS"), metavar="FILE")
    parser.add_argument("--only", nargs="+", choices=VERSIONS, default=list(VERSIONS))
    told = "files and folders of the tests, or globs"
    parser.add_argument("--files", nargs="+", default=SELECTED, metavar="GLOB", help=told)
    told = "compare with what the last run without the pack came to"
    parser.add_argument("--reuse", action="store_true", help=told)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    return parser


def _measure(place: Place, asked: argparse.Namespace) -> None:
    """Run one version on both sides and keep what came out."""
    kept = _kept(place.version) if asked.reuse else None
    without = kept.without if kept else run(place, packed=False, files=asked.files)
    packed = run(place, packed=True, files=asked.files)
    first = differing(without, packed)
    left = _repeated(place, without, packed) if first else {}
    done = Version(place.version, _today(), _commit(), _libraries(place), without, packed)
    done.differences = {test: (str(one), str(other)) for test, (one, other) in left.items()}
    done.unsteady = [test for test in first if test not in left]
    KEPT.mkdir(parents=True, exist_ok=True)
    file = KEPT / f"{place.version}.json"
    file.write_text(json.dumps(to_data(done)), encoding="utf-8")
    told = f"{len(without.outcomes)} tests, {len(left)} differ, {len(done.unsteady)} are unsteady"
    print(f"axolotl {place.version}: {told}; {without.seconds:.0f} s and {packed.seconds:.0f} s")


def _repeated(place: Place, without: Side, packed: Side) -> dict[str, tuple[Outcome, Outcome]]:
    """Run what differs again on both sides; return what differs every time."""
    left = differing(without, packed)
    for _ in range(_REPEATS):
        again = [test for test in left if "::" in test]
        if not again:
            break
        sides = run(place, packed=False, tests=again), run(place, packed=True, tests=again)
        still = differing(*sides)
        left = {test: pair for test, pair in left.items() if test in still or "::" not in test}
    return left


def _kept(version: str) -> Version | None:
    file = KEPT / f"{version}.json"
    return of_data(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def _libraries(place: Place) -> str:
    code = "import sys; from importlib.metadata import version as v; "
    code += f"print(*(f'{{one}} {{v(one)}}' for one in {_LIBRARIES!r}), sep=', ')"
    done = subprocess.run([place.python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _today() -> str:
    return dt.datetime.now(dt.timezone.utc).date().isoformat()


if __name__ == "__main__":
    sys.exit(main())
