"""``python -m tests.bench.axolotl.preprocess [--rows N] [--processes 1 2] [--rounds R]``.

The whole of ``python -m axolotl.cli.preprocess config.yaml``, in a process of its own, with the
pack and without it: seconds from start to end, and processor seconds of the process and its
children. Both prepare the same rows: those are compared. Run it with a Python that has axolotl.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ASSETS = ROOT / "examples" / "axolotl" / "make_assets.py"
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "WANDB_MODE": "disabled",
    "CUDA_VISIBLE_DEVICES": "",
}
#: Rows that are hashed at once.
_ROWS = 1000
SIDES = {"without": [], "with the pack": ["-m", "shimhub", "run"]}


@dataclass(frozen=True)
class Run:
    """One run: wall and processor seconds, and a digest of the rows that it prepared."""

    wall: float
    cpu: float
    digest: str


def main() -> int:
    """Measure in turns, print a table, and return 1 where the two prepared different data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    same = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = [sys.executable, str(ASSETS), str(folder), "--rows", str(options.rows)]
        subprocess.run(made, check=True, capture_output=True)
        print(f"{options.rows} rows; seconds: min (median) of {options.rounds}, in turns")
        print("| num_proc | | wall | processor | saved |\n|--:|---|--:|--:|--:|")
        for processes in options.processes:
            same &= _measure(folder, processes, options.rounds)
    return 0 if same else 1


def _measure(folder: Path, processes: int, rounds: int) -> bool:
    runs: dict[str, list[Run]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            runs[side].append(_run(folder, processes, side))
    base = min(run.wall for run in runs["without"])
    for side, found in runs.items():
        walls, cpus = [run.wall for run in found], [run.cpu for run in found]
        told = f"{min(walls):.1f} ({statistics.median(walls):.1f})"
        saved = "" if side == "without" else f"{1 - min(walls) / base:.0%}"
        print(f"| {processes} | {side} | {told} | {min(cpus):.1f} | {saved} |", flush=True)
    digests = {run.digest for found in runs.values() for run in found}
    if len(digests) > 1:
        print("DIFFERENT: the two prepared other rows")
    return len(digests) == 1


def _run(folder: Path, processes: int, side: str) -> Run:
    config = re.sub(
        "dataset_processes: .*", f"dataset_processes: {processes}", _config(folder), count=1
    )
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    for name in ("prepared", "cache"):
        shutil.rmtree(folder / name, ignore_errors=True)
    environ = os.environ | OFFLINE | {"HF_HOME": str(folder / "cache"), "PYTHONPATH": _path()}
    command = [sys.executable, *SIDES[side], "-m", "axolotl.cli.preprocess", "config.yaml"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{side}: {done.stderr[-3000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, _digest(folder / "prepared"))


def _config(folder: Path) -> str:
    return (folder / "config.yaml").read_text(encoding="utf-8")


def _path() -> str:
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def _digest(prepared: Path) -> str:
    """Return a hash of the rows, however they are cut into files and batches."""
    import pyarrow as pa

    found = hashlib.sha256()
    for file in sorted(prepared.rglob("*.arrow")):
        if not file.name.startswith("cache-"):
            with pa.memory_map(str(file)) as source:
                table = pa.ipc.open_stream(source).read_all()
            found.update(table.schema.to_string(show_schema_metadata=False).encode())
            for start in range(0, table.num_rows, _ROWS):
                found.update(repr(table.slice(start, _ROWS).to_pylist()).encode())
    return found.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
