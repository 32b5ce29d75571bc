"""Commands with a time limit: when one ends, nothing that it started lives on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Names a file that is locked during each training, for machines where several are started.
LOCK = "SHIMHUB_TRAINING_LOCK"
TIMED_OUT = 124
COLOR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code, what it printed on both streams, and its seconds."""

    code: int
    output: str
    seconds: float

    def tail(self, lines: int = 25) -> str:
        """Return the last lines that it printed."""
        return "\n".join(self.output.splitlines()[-lines:])


def run(command: Sequence[str], folder: Path, environ: Mapping[str, str], limit: float) -> Done:
    """Run a command in a process group of its own, for at most ``limit`` seconds."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    output, timed_out = _communicate(process, limit)
    code = TIMED_OUT if timed_out else process.returncode
    return Done(code, COLOR.sub("", output), time.monotonic() - began)


def _communicate(process: subprocess.Popen[str], limit: float) -> tuple[str, bool]:
    try:
        return process.communicate(timeout=limit)[0], False
    except subprocess.TimeoutExpired:
        _kill(process)
        return process.communicate()[0], True
    finally:
        _kill(process)  # also what a command that ended in time has left behind
        process.wait()


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):  # the group has ended by itself
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def training_lock() -> Iterator[None]:
    """Hold the lock that SHIMHUB_TRAINING_LOCK names, if it names one."""
    path = os.environ.get(LOCK)
    if not path:
        yield
        return
    with open(path, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
