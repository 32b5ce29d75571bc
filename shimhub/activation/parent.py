"""``run --report``: stay as the parent of the program, watch, and speak on stderr at the end.

The program has the same terminal, process group and streams as without a parent; signals sent to
the parent reach it, and the parent ends as it ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from shimhub.records import role_of, what_of

_PYTHON = re.compile(r"(python|pypy)[0-9.]*[a-z]?(\.exe)?")
#: Seconds between two looks, at first and later; a process that lived shorter than _SHORT may not
#: have come as far as to leave a record.
_EARLY, _LATE, _SHORT = 0.05, 0.5, 0.4
#: ``si_code`` of a signal that the terminal sends: the program, in the same group, has it already.
_BY_KERNEL = 0x80
_FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM")


@dataclass
class _Watched:
    """A Python process below ours: its command line and when it was seen."""

    command: list[str]
    environ: frozenset[str]
    first: float
    last: float = 0.0


@dataclass
class Watcher:
    """What was seen below a process, by /proc; nothing where there is no /proc."""

    root: int
    found: dict[int, _Watched] = field(default_factory=dict)

    def look(self) -> None:
        """Note every Python process below ``root`` as it is now."""
        now = time.monotonic()
        for pid in _below(self.root):
            command = _command(pid)
            if not command or not _is_python(pid):
                continue
            known = self.found.get(pid)
            if known is None or known.command != command:
                self.found[pid] = known = _Watched(command, _variables(pid), now)
            known.last = now

    def unrecorded(self, folder: str) -> Iterator[dict[str, object]]:
        """Yield a line for each process that lived long enough and left no record."""
        recorded = {name.partition("-")[0] for name in os.listdir(folder)}
        for pid, seen in self.found.items():
            if str(pid) not in recorded and seen.last - seen.first >= _SHORT:
                role = role_of(seen.command, dict.fromkeys(seen.environ, ""))
                what, why = what_of(seen.command), why_inactive(seen.command, seen.environ)
                yield {"pid": pid, "role": role, "what": what, "why": why}


def why_inactive(command: Sequence[str], environ: frozenset[str]) -> str:
    """Return why a process without a record was not active, by its flags and variables."""
    flags = set()
    for one in command[1:]:
        if not one.startswith("-") or one.startswith("--") or one in ("-c", "-m", "-"):
            break
        flags |= set(one[1:]) & set("SIE")
    if "S" in flags:
        return "-S keeps start-up files from running; start it without -S"
    if "SHIMHUB_RUN_DIR" not in environ:
        return (
            "it was started with an environment of its own, without SHIMHUB variables; hand on "
            "os.environ (after `shimhub activate` it may have been active, but left no record)"
        )
    if flags & {"I", "E"}:
        return "-I and -E keep PYTHONPATH from being read; `shimhub activate` covers them"
    return "its Python does not find shimhub, or ended early; see what it wrote on stderr"


def supervise(command: list[str], environ: Mapping[str, str], folder: str) -> int:
    """Run ``command``, watch it, and return its exit code, negative for a signal."""
    if not hasattr(signal, "sigtimedwait"):  # macOS and Windows: no watching
        return subprocess.call(command, env=environ)  # no shell, as typed
    handled = {getattr(signal, name) for name in _FORWARDED}
    signal.pthread_sigmask(signal.SIG_BLOCK, handled | {signal.SIGCHLD})
    child = os.posix_spawn(command[0], command, environ, setsigmask=[])
    watcher = Watcher(child)
    started = time.monotonic()
    code = None
    while code is None:
        watcher.look()
        pause = _EARLY if time.monotonic() - started < 10 else _LATE  # noqa: PLR2004  # seconds
        got = signal.sigtimedwait(handled | {signal.SIGCHLD}, pause)
        if got is not None and got.si_signo in handled and got.si_code != _BY_KERNEL:
            os.kill(child, got.si_signo)
        code = _ended(child)
    with open(os.path.join(folder, "seen.jsonl"), "w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in watcher.unrecorded(folder))
    return code


def end_like(code: int) -> NoReturn:
    """End this process as the program ended: by its exit code, or by its signal."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if code < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no other way
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
        with contextlib.suppress(ImportError):  # a second core file helps nobody
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def _ended(child: int) -> int | None:
    pid, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def _below(root: int) -> list[int]:
    """Return ``root`` and all processes below it."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdecimal() and (parent := _parent(name)):
            parents.setdefault(parent, []).append(int(name))
    found, rest = [], [root]
    while rest:
        found.append(rest.pop())
        rest += parents.get(found[-1], [])
    return found


def _parent(pid: str) -> int:
    text = _read(pid, "stat")
    fields = text[text.rfind(b")") + 2 :].split()
    return int(fields[1]) if len(fields) > 1 else 0


def _command(pid: int) -> list[str]:
    return [os.fsdecode(part) for part in _read(pid, "cmdline").split(b"\0")[:-1]]


def _variables(pid: int) -> frozenset[str]:
    return frozenset(
        os.fsdecode(part.partition(b"=")[0]) for part in _read(pid, "environ").split(b"\0")
    )


def _read(pid: int | str, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as stream:
            return stream.read()
    except OSError:  # it ended, or is another user's
        return b""


def _is_python(pid: int) -> bool:
    try:
        target = os.readlink(f"/proc/{pid}/exe")
    except OSError:  # as above
        return False
    return _PYTHON.fullmatch(os.path.basename(target)) is not None
