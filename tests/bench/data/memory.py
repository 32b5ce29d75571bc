"""The first batch, and peak memory, of a Parquet file of 500 MB (decoded) and of its eighth.

Each figure is of processes of their own. The time from opening the file to its first batch of a
thousand rows is taken after a small file was read, so that imports do not count; it is the least of
several. Peak memory is by how much reading all of the file raises the resident memory (Linux's
VmHWM) over that after the imports, where nothing was read before; it is the median.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.data import calls, files
from tests.bench.kernels import machine
from tests.bench.kernels.bars import Verdict

OURS = "shimhub arrow"
SMALL_BUFFER = "pyarrow, pre_buffer=False, buffer_size=1 MB"
_MB = 1 << 20
#: Samples of each figure; each is a process.
_ROUNDS = 3

READERS: dict[str, Callable[[Path], Iterator[Any]]] = {
    OURS: lambda path: calls.ours(path, "arrow"),
    "shimhub rows": lambda path: calls.ours(path, "rows"),
    SMALL_BUFFER: lambda path: calls.parquet(path, pre_buffer=False, buffer_size=_MB),
    "pyarrow": calls.parquet,
    "datasets, streaming, arrow": lambda path: calls.streamed(path, "arrow").iter(
        batch_size=files.BATCH
    ),
    "fast-axolotl": calls.fast_axolotl,
}

#: Name of a reader, eighths of the file -> "first" in seconds and "peak" in bytes, of each process.
Figures = dict[str, dict[str, dict[str, list[float]]]]


def measure(folder: Path, *, small: bool) -> Figures:
    """Measure each reader in turns, in processes of their own."""
    paths = {str(eighths): files.write_large(folder, eighths, small=small) for eighths in (1, 8)}
    found: Figures = {name: {size: {"first": [], "peak": []} for size in paths} for name in READERS}
    for _ in range(1 if small else _ROUNDS):
        for size, path in paths.items():
            for name in READERS:
                _add(found[name][size], _process(name, path, folder))
    return found


def _add(figures: dict[str, list[float]], told: dict[str, float]) -> None:
    for key, value in told.items():
        figures[key].append(value)


def _process(name: str, path: Path, folder: Path) -> dict[str, float]:
    """Measure one reader in a new process; {} if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.data.memory", name, path, folder / "tokens.parquet"],
        env={**calls.quiet_environment(folder), **machine.environment(one_thread=True)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # bars and warnings of rivals
        text=True,
        check=False,
    )
    found: dict[str, float] = {} if done.returncode else json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure the reader that is named, on the file that is named; print it as JSON."""
    name, path, small = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    read = READERS[name]
    for module in _IMPORTS[name.split(",")[0].split()[0]]:
        importlib.import_module(module)
    peak = _peak(read, path)
    for _ in read(small):
        pass
    print(json.dumps({"first": _first(read, path), "peak": peak}))


#: What counts as imported, by the first word of a reader.
_IMPORTS = {
    "shimhub": ("pyarrow.parquet", "shimhub.data.reader", "shimhub.kernels.rows"),
    "pyarrow": ("pyarrow.parquet",),
    "datasets": ("datasets",),
    "fast-axolotl": ("fast_axolotl",),
}


def _first(read: Callable[[Path], Iterator[Any]], path: Path) -> float:
    start = time.perf_counter()
    next(iter(read(path)))
    return time.perf_counter() - start


def _peak(read: Callable[[Path], Iterator[Any]], path: Path) -> float:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5): resets VmHWM
    before = _status("VmRSS")
    for _ in read(path):
        pass
    return _status("VmHWM") - before


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(f"{key}:")).split()[1]) * 1024


@dataclass(frozen=True)
class Bar:
    """What is required of a figure of ours: at most so much, or so many times another."""

    told: str
    required: str
    limit: float
    value: Callable[[Figures], float]
    shown: Callable[[float], str]

    def judge(self, figures: Figures) -> Verdict:
        """Judge the figures."""
        try:
            value = self.value(figures)
        except (ValueError, statistics.StatisticsError):
            return Verdict("memory", False, self.told, "not measured", self.required)
        holds = value <= self.limit
        return Verdict("memory", holds, self.told, self.shown(value), self.required)


def first(figures: Figures, name: str) -> float:
    """Return the least time to the first batch of the whole file."""
    return min(figures[name]["8"]["first"])


def peak(figures: Figures, name: str, size: str = "8") -> float:
    """Return the median of the peaks."""
    return statistics.median(figures[name][size]["peak"])


BARS = (
    Bar(
        "first batch of 500 MB of Parquet", "<= 50 ms", 0.05,
        lambda found: first(found, OURS), lambda value: f"{value * 1e3:.1f} ms",
    ),
    Bar(
        f"first batch against {SMALL_BUFFER}", "<= 1.2 x", 1.2,
        lambda found: first(found, OURS) / first(found, SMALL_BUFFER),
        lambda value: f"{value:.2f} x",
    ),
    *(
        Bar(
            f"peak memory over import, {name}", "<= 150 MB", 150e6,
            lambda found, name=name: peak(found, name), lambda value: f"{value / 1e6:.0f} MB",
        )
        for name in (OURS, "shimhub rows")
    ),
    *(
        Bar(
            f"peak memory of the whole file against its eighth, {name}", "<= 1.2 x", 1.2,
            lambda found, name=name: peak(found, name) / peak(found, name, "1"),
            lambda value: f"{value:.2f} x",
        )
        for name in (OURS, "shimhub rows")
    ),
)  # fmt: skip


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # `datasets`, streaming, can wait for its threads for ever at the interpreter's end
