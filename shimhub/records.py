"""What a process leaves behind for ``shimhub report``: one file of JSON lines in SHIMHUB_RUN_DIR.

The first line says which process was active with which registries; later lines what became of
shims. A line is written when it happens, as workers often end without a chance to say goodbye.
On the start-up path of runs that are recorded: builtins only.
"""

import os
import sys
from time import time_ns

from shimhub import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from shimhub.model import ShimStats, Verdict

#: What becomes of a shim and is worth a line.
_TOLD = ("APPLIED", "FAILED", "CONFLICT")
_COUNTED = ("fallbacks", "errors", "mismatches", "unverifiable")
_STACK = 25  # of the fields behind the name
_ESCAPES = {'"': '\\"', "\\": "\\\\"}


class Record:
    """The file of this process; a forked child begins one of its own."""

    def __init__(self, folder: str, digest: str) -> None:
        self._folder = folder
        self._digest = digest
        self._told: dict[str, str] = {}
        self._file = ""
        self._begin(role_of(sys.orig_argv, os.environ))

    def tell_shims(self, verdicts: "Mapping[str, Verdict]", digest: str) -> None:
        """Append what changed since the last call: applied, failed and conflicting shims."""
        changed = {
            name: one
            for name, one in verdicts.items()
            if (one.status in _TOLD or name in self._told) and self._told.get(name) != one.status
        }
        if not changed and digest == self._digest:
            return
        self._digest = digest
        self._told |= {name: one.status for name, one in changed.items()}
        shims = {name: [one.status, one.reason] for name, one in changed.items()}
        self._append({"kind": "shims", "digest": digest, "shims": shims})

    def tell_event(self, kind: str, shim: str, reason: str) -> None:
        """Append what a shim did at call time: a fallback, a tripped breaker, a mismatch."""
        self._append({"kind": kind, "shim": shim, "reason": reason})

    def tell_totals(self, stats: "Mapping[str, ShimStats]") -> None:
        """Append how often it was, of shims that did anything but serve."""
        for shim, one in stats.items():
            if one.fallbacks or one.errors or one.calls:
                totals = {name: dict(getattr(one, name)) for name in _COUNTED}
                numbers = {name: getattr(one, name) for name in ("calls", "sampled", "verified")}
                self._append({"kind": "totals", "shim": shim, **totals, **numbers})

    def after_fork(self) -> None:
        """In a forked child: it is a process of its own, with what was applied before."""
        if self._file:
            told, self._told = self._told, {}
            self._begin("worker")
            self._told = told
            shims = {name: [status, "applied before the fork"] for name, status in told.items()}
            if shims:
                self._append({"kind": "shims", "digest": self._digest, "shims": shims})

    def _begin(self, role: str) -> None:
        now = time_ns()
        self._file = os.path.join(self._folder, f"{os.getpid()}-{now}.jsonl")
        numbers = {name: os.environ.get(name.upper()) for name in ("rank", "world_size")}
        launch = [os.environ.get(f"MASTER_{one}", "") for one in ("ADDR", "PORT")]
        self._append({
            "kind": "start",
            "role": role,
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "image": _own_image(),
            "time": now,
            "what": what_of(sys.orig_argv),
            "version": __version__,
            "digest": self._digest,
            **numbers,
            "launch": ":".join(launch),
        })  # fmt: skip

    def _append(self, told: "Mapping[str, Any]") -> None:
        """Append one line in one write; a folder that went away ends the record."""
        if not self._file:
            return
        try:
            place = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(place, (json_of(told) + "\n").encode())
            finally:
                os.close(place)
        except OSError as error:
            self._file = ""
            if sys.stderr is not None:
                sys.stderr.write(f"shimhub: no record in {self._folder}: {error.strerror}\n")


def begin(environ: "Mapping[str, str]", digest: str) -> Record | None:
    """Begin the record of this process where SHIMHUB_RUN_DIR names a folder for it."""
    folder = environ.get("SHIMHUB_RUN_DIR")
    if not folder:
        return None
    record = Record(folder, digest)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=record.after_fork)
    return record


def at_end(tell: "Callable[[], object]") -> None:
    """Call ``tell`` when this process ends; children of multiprocessing do not come to atexit."""
    import atexit

    atexit.register(tell)
    if util := sys.modules.get("multiprocessing.util"):
        util.Finalize(None, tell, exitpriority=-100)


def role_of(command: list[str], environ: "Mapping[str, str]") -> str:
    """Return what a process is by its command line: ``rank``, ``worker`` or ``process``."""
    if "--multiprocessing-fork" in command or any("multiprocessing.spawn" in s for s in command):
        return "worker"
    is_rank = "RANK" in environ and "WORLD_SIZE" in environ
    return "rank" if is_rank and not any("multiprocessing." in s for s in command) else "process"


def what_of(command: list[str]) -> str:
    """Return the program of a command line, without its arguments, which may hold secrets."""
    return parsed(command)[1]


def parsed(command: list[str]) -> tuple[str, str]:
    """Return the letters of the interpreter's flags, and the program as ``what_of`` tells it."""
    flags, rest = "", command[1:]
    while rest:
        one = rest.pop(0)
        if one == "-" or not one.startswith("-"):
            return flags, one
        if one.startswith("--"):
            rest = rest[one == "--check-hash-based-pycs" :]
            continue
        for at, letter in enumerate(one[1:], start=2):
            value = one[at:] or (rest[0] if rest else "")
            if letter == "c":
                return flags, "-c"
            if letter == "m":
                return flags, f"-m {value}".rstrip()
            if letter in "WX":
                rest = rest if one[at:] else rest[1:]
                break
            flags += letter
    return flags, "interactive"


def image_of(stat: bytes) -> int:
    """Return what tells a process from what it was before an exec, from its /proc/PID/stat.

    That is the address of its stack (proc(5), field 28), random anew for each program; a fork has
    its parent's. 0 where it is not told.
    """
    fields = stat[stat.rfind(b")") + 1 :].split()
    return int(fields[_STACK]) if len(fields) > _STACK else 0


def _own_image() -> int:
    try:
        place = os.open("/proc/self/stat", os.O_RDONLY)
    except OSError:  # no Linux
        return 0
    try:
        return image_of(os.read(place, 4096))
    finally:
        os.close(place)


def json_of(value: "Any") -> str:
    """Return JSON text; the json module would cost a third of a bare start."""
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str):
        return f'"{_escaped(str.__str__(value))}"'
    if isinstance(value, list):
        return f"[{', '.join(map(json_of, value))}]"
    return f"{{{', '.join(f'{json_of(name)}: {json_of(one)}' for name, one in value.items())}}}"


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(map(_escaped_letter, text))


def _escaped_letter(letter: str) -> str:
    if " " <= letter <= "~":
        return _ESCAPES.get(letter, letter)
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
