"""``python -m tests.bench.dedup_big --gb 20``: exact dedup of a large generated corpus, end to end.

Texts of about a kilobyte in JSONL, of which 15 % repeat an earlier one. Measured: GB/s with two
workers, and the memory of all processes; compared: a slice with polars' ``unique``, and the bytes
of all files with those of a run on two Ray workers and of one that was killed ten times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.dedup import LARGE, OUT
from tests.bench.kernels import machine

FILES = 8
REPEATED = 0.15
_GB = 1_000_000_000
_KILLS = 10
_DIGITS = 12
_LINES = 4096


def main() -> int:
    """Generate, measure, compare, print; everything is removed at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=4)
    parser.add_argument("--repeat-gb", type=float, default=4, help="of the Ray run and the kills")
    parser.add_argument("--folder", type=Path, help="where there is room")
    parser.add_argument("--write", action="store_true", help=f"into {OUT}")
    parser.add_argument("--child", nargs=3, metavar=("IN", "OUT", "RUNNER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        return _child(*asked.child)
    folder = Path(tempfile.mkdtemp(prefix="dedup-big-", dir=asked.folder))
    try:
        lines = [LARGE, "", *_measured(folder, asked.gb, asked.repeat_gb)]
    finally:
        shutil.rmtree(folder)
    print("\n".join(lines))
    if asked.write:
        page = OUT.read_text(encoding="utf-8").split(LARGE)[0] if OUT.exists() else ""
        OUT.write_text(page + "\n".join(lines) + "\n", encoding="utf-8")
    return 0


def _child(source: str, out: str, runner: str) -> int:
    """Do the job in this process and its workers."""
    from shimhub.data import dedup

    result = dedup(
        f"{source}/*", out, by="text", runner=runner, workers=2, progress=_stage_printer()
    )
    print(json.dumps({"rows_in": result.rows_in, "rows_out": result.rows_out}), flush=True)
    return 0


def _stage_printer() -> Any:
    begun = time.monotonic()

    def tell(stage: str, done: int, tasks: int) -> None:
        if done == tasks:
            print(f"{time.monotonic() - begun:8.1f} s {stage} done", file=sys.stderr, flush=True)

    return tell


# ---- the corpus


def generate(folder: Path, size: int) -> int:
    """Write ``size`` bytes of JSONL into files; return how many rows.

    Rows come in batches of one pattern, in which only numbers change: a row's, and its text's. A
    row repeats that of an earlier batch at its place by having its number.
    """
    folder.mkdir(parents=True)
    draw = np.random.default_rng(20)
    pattern, rows_at, texts_at = _pattern(draw)
    batch = 0
    for number in range(FILES):
        with (folder / f"{number}.jsonl").open("wb") as file:
            while file.tell() < size // FILES:
                again = (draw.random(_LINES) < REPEATED) & (batch > 0)
                origin = np.where(again, draw.integers(0, max(batch, 1), _LINES), batch)
                _put(pattern, rows_at, np.arange(_LINES) + batch * _LINES)
                _put(pattern, texts_at, np.arange(_LINES) + origin * _LINES)
                file.write(pattern)
                batch += 1
    return batch * _LINES


def _pattern(draw: Any) -> tuple[Any, Any, Any]:
    """Return lines of 300 to 1,900 bytes, and where in them the numbers of row and text are."""
    words = np.array([f"{word:x}" for word in draw.integers(1 << 8, 1 << 30, 50_000)])
    lines, rows_at, texts_at, size = [], [], [], 0
    for at in range(_LINES):
        text = " ".join(words[draw.integers(0, len(words), int(draw.integers(25, 225)))])
        head = f'{{"id": "{"0" * _DIGITS}", "source": "generated/{at % 97}", "text": "'
        lines.append(f'{head}{"0" * _DIGITS} {text}"}}\n')
        rows_at.append(size + len('{"id": "'))
        texts_at.append(size + len(head))
        size += len(lines[-1])
    return np.frombuffer("".join(lines).encode(), np.uint8).copy(), rows_at, texts_at


def _put(pattern: Any, places: Any, numbers: Any) -> None:
    """Write numbers as digits of 16 into the pattern."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    for at in range(_DIGITS):
        shift = 4 * (_DIGITS - 1 - at)
        pattern[np.asarray(places) + at] = digits[(numbers >> shift) & 15]


# ---- running


def _measured(folder: Path, gb: float, repeat_gb: float) -> list[str]:
    told = [machine.line() + ".", ""]
    source, out = folder / "in", folder / "out"
    rows = generate(source, int(gb * _GB))
    size = sum(path.stat().st_size for path in source.iterdir())
    answer, seconds, memory = run(source, out)
    cpu = memory["cpu"] / 1e3
    assert answer["rows_in"] == rows
    seen = digests(out)
    told += [
        (
            f"{size / _GB:.1f} GB of JSONL in {FILES} files, {rows:,} rows, about "
            f"{REPEATED:.0%} of them repetitions. Two workers, from the start of Python to the "
            "manifest:"
        ),
        "",
        "| | |",
        "|---|--:|",
        f"| time | {seconds:.1f} s |",
        f"| speed | {size / seconds / _GB:.3f} GB/s |",
        (
            f"| processor time of all processes | {cpu:.0f} s: {2 * size / cpu / _GB:.3f} GB/s "
            f"where both cores are free |"
        ),
        f"| load of the machine meanwhile | {os.getloadavg()[1]:.1f} |",
        f"| rows left out | {answer['rows_in'] - answer['rows_out']:,} |",
        f"| peak memory of all processes (their PSS) | {memory['pss'] / 1e6:,.0f} MB |",
        f"| the same, each process's RSS added up | {memory['rss'] / 1e6:,.0f} MB |",
        "",
    ]
    _say(told)
    shutil.rmtree(out)
    if repeat_gb < gb:
        shutil.rmtree(source)
        generate(source, int(repeat_gb * _GB))
        _, seconds, _ = run(source, out)
        seen = digests(out)
        shutil.rmtree(out)
    told += _repeated(source, out, seen, seconds, min(gb, repeat_gb))
    told += _sliced(folder, min(int(gb * _GB), _GB))
    return told


def _repeated(
    source: Path, out: Path, seen: dict[str, str], seconds: float, gb: float
) -> list[str]:
    """Run again on Ray, and under kills; compare all bytes."""
    _, ray, _ = run(source, out, "ray")
    same = digests(out) == seen
    shutil.rmtree(out)
    _say([f"ray: same {same}, {ray:.0f} s"])
    kills = _killed(source, out, seconds)
    killed = digests(out) == seen
    shutil.rmtree(out)
    if not (same and killed):
        raise AssertionError(f"other bytes: ray {same}, killed {killed}")
    return [
        (
            f"The same on {gb:g} GB with 2 Ray workers ({ray:.0f} s with Ray's start; "
            f"{seconds:.0f} s with two local ones): every file has the same bytes. Killed by "
            f"SIGKILL, all processes, {len(kills)} times, each time called again, after "
            f"{', '.join(f'{each:.0f}' for each in kills)} s: the same bytes."
        ),
        "",
    ]


def _sliced(folder: Path, size: int) -> list[str]:
    """Compare a smaller one with polars, as JSONL and as Parquet."""
    import polars as pl

    shutil.rmtree(folder / "in")
    generate(folder / "in", size)
    files = sorted((folder / "in").iterdir())
    made = sum(file.stat().st_size for file in files)
    frame = pl.concat([pl.read_ndjson(file) for file in files])
    wanted = frame.unique("text", keep="first", maintain_order=True)["id"].to_list()
    run(folder / "in", folder / "out")
    parts = sorted((folder / "out").glob("part-*"))
    found = [row for part in parts for row in pl.read_ndjson(part)["id"].to_list()]
    assert found == wanted, "JSONL: not polars' answer"
    shutil.rmtree(folder / "out")
    shutil.rmtree(folder / "in")
    (folder / "in").mkdir()
    frame.write_parquet(folder / "in/a.parquet", row_group_size=20_000)
    packed = (folder / "in/a.parquet").stat().st_size
    del frame
    _, seconds, memory = run(folder / "in", folder / "out")
    parts = sorted((folder / "out").glob("part-*"))
    found = [row for part in parts for row in pl.read_parquet(part)["id"].to_list()]
    assert found == wanted, "Parquet: not polars' answer"
    return [
        (
            f"On {made / _GB:.1f} GB the rows that stay, in their order, are those of polars' "
            f'`unique("text", keep="first", maintain_order=True)`: {len(wanted):,}; as JSONL, '
            f"and as Parquet of {packed / 1e6:,.0f} MB ({seconds:.1f} s, "
            f"{memory['pss'] / 1e6:,.0f} MB of memory)."
        ),
        "",
    ]


def run(source: Path, out: Path, runner: str = "local") -> tuple[dict[str, int], float, Any]:
    """Do the job in a process; return its answer, the seconds, and the peak of its memory."""
    begun, before = time.monotonic(), _cpu()
    with _started(source, out, runner) as process:
        peak: dict[str, int] = {"pss": 0, "rss": 0}
        watch = threading.Thread(target=_watch, args=(process, peak))
        watch.start()
        answer = process.communicate()[0]
        watch.join()
    peak["cpu"] = int(1e3 * (_cpu() - before))
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}")
    return json.loads(answer), time.monotonic() - begun, peak


def _cpu() -> float:
    """Return the seconds of processor of all children that have ended, theirs too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _started(source: Path, out: Path, runner: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.bench.dedup_big", "--child"]
    return subprocess.Popen(
        [*command, str(source), str(out), runner],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
    )


def _watch(process: subprocess.Popen[bytes], peak: dict[str, int]) -> None:
    """Add up the memory of a process and all below it, ten times a second."""
    while process.poll() is None:
        for kind, found in memory_of(process.pid).items():
            peak[kind] = max(peak[kind], found)
        time.sleep(0.1)


def memory_of(pid: int) -> dict[str, int]:
    """Return the PSS and RSS in bytes of a process and its descendants."""
    total = {"pss": 0, "rss": 0}
    for each in _family(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for line in lines:
            name = line.split(":")[0].lower()
            if name in total:
                total[name] += int(line.split()[1]) * 1024
    return total


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            told = Path(f"/proc/{one}/task/{one}/children").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += [int(child) for child in told.split()]
    return found


def _killed(source: Path, out: Path, seconds: float) -> list[float]:
    """Kill the job's processes at random times, until that was done ten times; then finish it."""
    draw = random.Random(5)
    times: list[float] = []
    while len(times) < _KILLS:
        after = draw.uniform(0.2, 0.3 * seconds)
        with _started(source, out, "local") as process:
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                times.append(after)
                continue
        _say([f"finished before a kill after {after:.1f} s: once more, from the start"])
        shutil.rmtree(out)
    run(source, out)
    return times


def digests(out: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of an output."""
    found = {}
    for path in sorted(out.rglob("*")):
        with path.open("rb") as file:
            hasher = hashlib.sha256()
            while chunk := file.read(1 << 20):
                hasher.update(chunk)
        found[str(path.relative_to(out))] = hasher.hexdigest()
    return found


def _say(lines: list[str]) -> None:
    print("\n".join(lines), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
