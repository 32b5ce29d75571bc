"""What tests of jobs share: inputs, tasks that fail in all ways, and killing a job to resume it."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shimhub.data.errors import DataError
from shimhub.data.jobs._marks import told
from shimhub.data.jobs._plan import make_job, run_job
from shimhub.data.jobs._work import Stage
from shimhub.data.writing import _files

__all__ = ["run_job"]

ROOT = Path(__file__).parent.parent
#: Of a test that CI has no time for: ``make data-slow`` runs it.
heavy = pytest.mark.skipif(
    not os.environ.get("SHIMHUB_TEST_HEAVY"), reason="takes long: make data-slow runs it"
)


def environ(**more: str) -> dict[str, str]:
    """Return the environment for a child that imports this checkout, and tests of it."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}


def tree(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder, by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def numbered(path: Path, rows: int = 120) -> Path:
    """Write a file of JSON lines of about 24 bytes each, if it is not there."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (f'{{"n":{n},"t":"row {n:06d}"}}\n' for n in range(rows))
    path.write_text("".join(lines), "utf-8")
    return path


def blocks_job(folder: Path, out: str = "out", *, rows: int = 120, **params):
    """Return a job of some blocks of 12 rows or so."""
    source = numbered(folder / "in.jsonl", rows)
    return make_job("test", source, folder / out, params=params, block_bytes=300)


def stage(job, function: str, name: str = "one") -> Stage:
    """Return a stage with a task for each block."""
    return Stage(name, len(job.blocks), f"tests.data_jobs:{function}")


# ---- functions of tasks


def write_number(job, index):
    """Write the number of the task."""
    name = job.part(index)
    with _files.replacing(os.path.join(job.out, name), job.scratch()) as file:
        file.write(f"{index}\n".encode())
    return {"files": [name], "rows": 1, "number": index}


def write_sum(job, index):
    """Write the sum of all that the stage before told."""
    total = sum(told(job, "one", at)["number"] for at in range(len(job.blocks)))
    name = f"sum-{index}.txt"
    with _files.replacing(os.path.join(job.out, name), job.scratch()) as file:
        file.write(f"{total + index}\n".encode())
    return {"files": [name]}


class OwnError(Exception):
    """An error of a task."""


class StrangeError(Exception):
    """An error that cannot be unpickled."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def fail(job, index):
    """Raise what the job says at its third task."""
    if index == 2:
        if job.params["error"] == "strange":
            raise StrangeError(1, 2)
        raise {"own": OwnError, "value": ValueError, "exit": SystemExit}[job.params["error"]]("boo")
    return write_number(job, index)


def refuse(job, index):
    """Raise what a wrong argument is told by, at the task that the job says."""
    if index == job.params["at"]:
        raise DataError("strategy='x': no")
    return write_number(job, index)


def die(job, index):
    """Be killed at task 2, so many times; then work."""
    tries = Path(job.params["tries"])
    if index == 2 and len(list(tries.iterdir())) < job.params["times"]:
        (tries / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return write_number(job, index)


def slow(job, index):
    """Tell that it has begun, and take a minute."""
    Path(job.params["begun"], str(os.getpid())).touch()
    time.sleep(60)
    return write_number(job, index)


def half(job, index):
    """Leave a scratch file and half of the output, as if ended in the middle."""
    Path(job.scratch(), f".rest-{index}").touch()
    if index == 3:
        raise OwnError("half")
    return write_number(job, index)


def printing(job, index):
    """Print, as user code may."""
    sys.stdout.write(f"a task prints {index}\n")
    os.write(1, b"and a library, too\n")
    return write_number(job, index)


# ---- killing


def kill_and_resume(
    command: list[str],
    *,
    times: int = 10,
    longest: float,
    seed: int,
    env: dict[str, str] | None = None,
) -> int:
    """Run a command until it has been killed so often, then to its end; return the kills.

    Each of the ``times`` runs gets SIGKILL, as a whole process group, after a random time below
    ``longest`` seconds. A run that ends before counts as no kill. The last one must succeed. The
    caller compares what it wrote with what an undisturbed run wrote.
    """
    chance = random.Random(seed)
    kills = 0
    for _ in range(times):
        kills += _killed(command, chance.uniform(0, longest), env)
    told = f"seed {seed}: {kills} of {times} runs of at most {longest:.2f} s killed"
    sys.stdout.write(f"{told}\n")  # pytest shows it where the test fails
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    return kills


def _killed(command: list[str], after: float, env: dict[str, str] | None) -> bool:
    """Run a command in a process group of its own; whether it was still there to be killed."""
    with subprocess.Popen(
        command, env=env, start_new_session=True, stdout=subprocess.DEVNULL
    ) as process:
        try:
            assert 0 == process.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


def python(code: str, *arguments: object) -> list[str]:
    """Return the command that runs a piece of Python."""
    return [sys.executable, "-c", code, *map(str, arguments)]
