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
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from shimhub import report
from shimhub.records import image_of, parsed, role_of

_PYTHON = re.compile(r"(python|pypy)[0-9.]*[a-z]?(\.exe)?")
#: Seconds between two looks: at least, and as a multiple of what a look takes (a twentieth of a
#: core). A process that lives shorter may be missed.
_PAUSE, _SPARED = 0.05, 20
#: Seconds that a process which still runs at the end gets for leaving its record.
_GRACE = 0.5
#: ``si_code`` of a signal that the terminal sends: the program, in the same group, has it already.
_BY_KERNEL = 0x80
#: What stops, goes on, is the kernel's answer to our own mistake, or comes to the whole group.
_NOT_FORWARDED = (
    *("SIGKILL", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCONT", "SIGCHLD", "SIGWINCH"),
    *("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS", "SIGPIPE"),
)
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


@dataclass(frozen=True)
class _Seen:
    """A Python process below ours as it was when first seen."""

    command: list[str]
    environ: frozenset[str]
    parent: int


@dataclass
class Watcher:
    """What was seen below a process, by /proc; nothing where there is no /proc.

    A process that executes another program has a new image, and is another one here.
    """

    root: int
    found: dict[tuple[int, int], _Seen] = field(default_factory=dict)

    def look(self) -> float:
        """Note every Python process below ``root`` as it is now; returns the seconds it took."""
        started = time.monotonic()
        for pid, parent, image in _below(self.root):
            if (pid, image) not in self.found and _is_python(pid) and (command := _command(pid)):
                now = _image(pid) or image  # it may have been in the middle of an exec
                self.found.setdefault((pid, now), _Seen(command, _variables(pid), parent))
        return time.monotonic() - started

    def unrecorded(self, folder: str) -> list[dict[str, object]]:
        """Return a line for each program that left no record; those that just started may yet."""
        missing = self._missing(folder)
        if any(_image(pid) == image for pid, image in missing):
            time.sleep(_GRACE)
            missing = self._missing(folder)
        return [_told(pid, self.found[pid, image]) for pid, image in missing]

    def _missing(self, folder: str) -> list[tuple[int, int]]:
        recorded = report.images(folder)
        active = recorded | {(pid, 0) for pid, _ in recorded if (pid, 0) in self.found}
        return [
            (pid, image)
            for (pid, image), seen in self.found.items()
            # A copy of an active process records itself, or is about to become another program.
            if (pid, image) not in active and (seen.parent, image) not in active
        ]


def _told(pid: int, seen: _Seen) -> dict[str, object]:
    role = role_of(seen.command, dict.fromkeys(seen.environ, ""))
    why = why_inactive(seen.command, seen.environ)
    return {"pid": pid, "role": role, "what": parsed(seen.command)[1], "why": why}


def why_inactive(command: list[str], environ: frozenset[str]) -> str:
    """Return why a process without a record was not active, by its flags and variables."""
    flags, _ = parsed(command)
    if "S" in flags:
        return "-S keeps start-up files from running; start it without -S"
    if "SHIMHUB_RUN_DIR" not in environ:
        return (
            "it was started with an environment of its own, without SHIMHUB variables; hand on "
            "os.environ (after `shimhub activate` it may have been active, but left no record)"
        )
    if set(flags) & {"I", "E"}:
        return "-I and -E keep PYTHONPATH from being read; `shimhub activate` covers them"
    return "its Python does not find shimhub, or ended early; see what it wrote on stderr"


def supervise(command: list[str], environ: Mapping[str, str], folder: str) -> int:
    """Run ``command``, watch it, and return its exit code, negative for a signal."""
    if not hasattr(signal, "sigtimedwait"):  # macOS and Windows: no watching
        return subprocess.call(command, env=environ)  # no shell, as typed
    handled = signal.valid_signals() - {getattr(signal, name) for name in _NOT_FORWARDED}
    signal.pthread_sigmask(signal.SIG_BLOCK, handled | {signal.SIGCHLD})
    _adopt_orphans()
    child = os.posix_spawn(command[0], command, environ, setsigmask=[])
    watcher = Watcher(os.getpid())
    code = None
    while code is None:
        pause = max(_PAUSE, _SPARED * watcher.look())
        got = signal.sigtimedwait(handled | {signal.SIGCHLD}, pause)
        if got is not None and got.si_signo != signal.SIGCHLD and got.si_code != _BY_KERNEL:
            os.kill(child, got.si_signo)
        code = _ended(child)
    if not folder:
        return code
    with contextlib.suppress(OSError):  # the report says that the folder is gone
        lines = [json.dumps(line) + "\n" for line in watcher.unrecorded(folder)]
        with open(os.path.join(folder, "seen.jsonl"), "w", encoding="utf-8") as stream:
            stream.writelines(lines)
    return code


def _adopt_orphans() -> None:
    """Stay the ancestor of processes whose own parent ends before them."""
    with contextlib.suppress(ImportError, OSError, AttributeError):  # no Linux
        import ctypes

        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


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
    """Return the child's exit code when it has ended; orphans that ended are let go."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while code is None:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return None
            if os.WIFSTOPPED(status):
                _stop_like(child, pid)
            elif pid == child:
                code = os.waitstatus_to_exitcode(status)
    return code


def _stop_like(child: int, pid: int) -> None:
    """Stop as the program stopped, so that a shell sees it, and go on together."""
    if pid == child:
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(child, signal.SIGCONT)


def _below(root: int) -> list[tuple[int, int, int]]:
    """Return ``(pid, parent, image)`` of all processes below ``root``."""
    children: dict[int, list[tuple[int, int, int]]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdecimal() and (told := _read(name, "stat")):
            parent = int(told[told.rfind(b")") + 2 :].split()[1])
            children.setdefault(parent, []).append((int(name), parent, image_of(told)))
    found, rest = [], list(children.get(root, ()))
    while rest:
        found.append(rest.pop())
        rest += children.get(found[-1][0], [])
    return found


def _image(pid: int) -> int:
    return image_of(_read(pid, "stat"))


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
