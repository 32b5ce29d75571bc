"""``python -m tests.bench.axolotl [--envs FILE] [--rows N] [--check] [--write]``.

Measures axolotl's functions with the pack and without it, on the axolotl of this Python; with
``--envs`` on those of its environments (a TOML table per version: ``python``, ``path``), each in a
process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from shimhub import _toml
from tests.bench.axolotl import pages
from tests.bench.axolotl.measuring import measure

ROOT = Path(__file__).resolve().parents[3]
#: Beside each other in the page; what is required is required of the first.
VERSIONS = ("0.19.0", "0.12.2", "0.8.1")
PAGE = ROOT / "docs" / "benchmarks-axolotl.md"


def main() -> int:
    """Measure, print, and return 1 where a required ratio is missed and ``--check`` is given."""
    asked = _parser().parse_args()
    if asked.json:
        print(json.dumps(measure(asked.rows)))
        return 0
    here = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    found = _all(asked) if asked.envs else [_started(sys.executable, here, asked.rows)]
    text = pages.markdown(found, asked.rows)
    print(text)
    if asked.write:
        PAGE.write_text(pages.kept(PAGE, text), encoding="utf-8")
    missed = pages.missed(found[0])
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed and asked.check else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--envs", default=os.environ.get("AXOLOTL_ENVS"), metavar="FILE")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--check", action="store_true", help="exit 1 if a ratio is missed")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    parser.add_argument("--json", action="store_true", help="measure here, print JSON")
    return parser


def _all(asked: argparse.Namespace) -> list[dict[str, Any]]:
    file = Path(asked.envs)
    told, _, problems = _toml.parse(file.read_bytes(), str(file))
    if problems:
        raise SystemExit("\n".join(map(str, problems)))
    folder = file.parent.resolve()
    return [
        _started(
            str(folder / told[version]["python"]),
            [str(folder / one) for one in told[version].get("path", ())],
            asked.rows,
        )
        for version in VERSIONS
    ]


def _started(python: str, path: list[str], rows: int) -> dict[str, Any]:
    environ = {key: value for key, value in os.environ.items() if "SHIMHUB" not in key}
    environ |= {"PYTHONPATH": os.pathsep.join([str(ROOT), *path])}
    command = [python, "-m", "tests.bench.axolotl", "--json", "--rows", str(rows)]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True
    )
    # Loggers of older versions write to stdout, too.
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(lines[-1])
    return found


if __name__ == "__main__":
    sys.exit(main())
