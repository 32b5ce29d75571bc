"""``python -m tests.conformance.cpython [--only VERSION ...] [--write] [--children]``."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.conformance import cpython_lab as lab
from tests.conformance.cpython_children import Unreached, measure, text_of
from tests.conformance.cpython_report import Row, Version, findings, markdown, of_data, to_data
from tests.conformance.cpython_results import Listed, RunError, listed_in
from tests.conformance.cpython_run import MODES, TESTS, Bench, each

HERE = Path(__file__).parent
EXCEPTIONS = HERE / "cpython_exceptions.txt"
UNREACHED = HERE / "cpython_unreached.txt"
PAGE = lab.ROOT / "docs" / "conformance-cpython.md"


def main() -> int:
    """Run, say what came out, and return 1 where a difference has no reason."""
    asked = _parser().parse_args()
    listed = listed_in(EXCEPTIONS.read_text(encoding="utf-8"))
    wanted = asked.only or lab.VERSIONS
    try:
        if asked.children:
            UNREACHED.write_text(_children(wanted), encoding="utf-8")
            return 0
        for version in wanted:
            _measure(version, asked.tests, tuple(asked.modes), listed)
    except (lab.LabError, RunError) as error:
        print(error, file=sys.stderr)
        return 1
    kept = [one for one in map(_kept, lab.VERSIONS) if one]
    if asked.write:
        missing = [one for one in lab.VERSIONS if one not in {it.version for it in kept}]
        PAGE.write_text(
            markdown(kept, listed, UNREACHED.read_text(encoding="utf-8"), missing), encoding="utf-8"
        )
    found = [text for one in kept if one.version in wanted for text in findings(one, listed)]
    print("\n".join(found) or "no difference without a reason")
    return int(bool(found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.cpython")
    parser.add_argument("--only", nargs="+", choices=lab.VERSIONS, help="these Pythons alone")
    parser.add_argument("--tests", nargs="+", choices=TESTS, default=TESTS, help="these modules")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=tuple(MODES))
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(lab.ROOT)}")
    children = "find out instead which tests start processes that cannot be reached, and list them"
    parser.add_argument("--children", action="store_true", help=children)
    return parser


def _bench(version: str) -> Bench | None:
    python = lab.find_python(version)
    if python is None:
        return None
    lab.BUILD.mkdir(parents=True, exist_ok=True)
    made = lab.environment(version, python, lab.tree_key())
    controls = lab.bare(version, python), lab.loaded(version, python)
    return Bench(version, made, *controls, lab.registries())


def _measure(
    version: str, tests: Iterable[str], modes: tuple[str, ...], listed: list[Listed]
) -> None:
    """Run one version's tests and keep the results, after each of them."""
    bench = _bench(version)
    if bench is None:
        print(f"Python {version}: not on this machine, left out")
        return
    done = Version(version, lab.full_version(bench.python), lab.commit(), lab.tree_key(), _today())
    for test, mode, found in each(bench, tests, modes, listed):
        row = next((one for one in done.rows if one.test == test), None)
        if row is None:
            row = Row(test, is_missing=found is None)
            done.rows.append(row)
        if found is not None:
            row.take(mode, found)
            count = f"{len(found.differences)} differences, {len(found.unsteady)} unsteady"
            print(f"Python {version} {test} {mode}: {row.tests} results, {count}", flush=True)
    _file(version).write_text(json.dumps(to_data(done), indent=1), encoding="utf-8")


def _children(wanted: Iterable[str]) -> str:
    """Measure the wanted versions; return the data file of all that were ever measured."""
    for version in wanted:
        bench = _bench(version)
        found = measure(bench, TESTS) if bench else []
        text = json.dumps([[one.test, one.reason] for one in found], indent=1)
        lab.BUILD.joinpath(f"{version}-children.json").write_text(text, encoding="utf-8")
    files = {one: lab.BUILD / f"{one}-children.json" for one in lab.VERSIONS}
    texts = {one: file.read_text(encoding="utf-8") for one, file in files.items() if file.exists()}
    return text_of({it: [Unreached(*one) for one in json.loads(texts[it])] for it in texts})


def _kept(version: str) -> Version | None:
    file = _file(version)
    return of_data(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def _file(version: str) -> Path:
    return lab.BUILD / f"{version}.json"


def _today() -> str:
    return dt.datetime.now(dt.timezone.utc).date().isoformat()


if __name__ == "__main__":
    sys.exit(main())
