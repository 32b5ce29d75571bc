"""Which tests start Python processes that no start-up file reaches: by measurement.

A second ``.pth`` file, which sorts behind shimhub's, lets each process of a run say that it got
there and what it starts (cpython_witness.py). What a test starts and never says so is unreached.
"""

from __future__ import annotations

import ast
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from tests.conformance.cpython_results import RunError, plain
from tests.conformance.cpython_run import Bench, run

_WITNESS = Path(__file__).with_name("cpython_witness.py")
_VALUED = "WXcm"  # options of python that take a value; the last two end the options

_HEAD = """\
# Tests of which a part runs without the hub whatever is activated: processes that they start and
# that no start-up file reaches. Made by `python -m tests.conformance.cpython --children`.
"""


@dataclass
class Process:
    """What one process wrote: who started it and how, and what it started in which test."""

    pid: int
    parent: int = 0
    argv: tuple[str, ...] = ()
    hooked: bool = True
    started: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


@dataclass(frozen=True, order=True)
class Unreached:
    """A test that starts a process without the hub, and why it has none."""

    test: str
    reason: str


def measure(bench: Bench, tests: Iterable[str]) -> list[Unreached]:
    """Run the tests in the light mode, with the witness in every process."""
    folder = Path(tempfile.mkdtemp(prefix="tmp"))
    line = (
        f"import os; a = {{}}; exec(open({str(_WITNESS)!r}).read(), a); a['watch']({str(folder)!r})"
    )
    places = [
        one / "zzzz_witness.pth" for one in bench.python.parents[1].glob("lib/*/site-packages")
    ]
    try:
        for place in places:
            place.write_text(line + "\n", encoding="utf-8")
        for test in tests:
            run(bench, "light", test)
        texts = {int(one.stem): one.read_text(encoding="utf-8") for one in folder.glob("*.txt")}
    finally:
        for place in places:
            place.unlink(missing_ok=True)
        shutil.rmtree(folder)
    processes = [process(pid, text) for pid, text in texts.items()]
    if not any(one.started for one in processes):
        raise RunError("no process told what it starts: the witness did not run")
    return sorted(set(unreached(processes, bench.python)))


def process(pid: int, text: str) -> Process:
    """Parse what one process wrote; a subinterpreter in it writes as well."""
    found, test = Process(pid), ""
    for line in text.splitlines():
        kind, *what = ast.literal_eval(line)
        if kind == "process":
            parent, argv, hooked = what
            found.parent, found.argv = parent, tuple(argv)
            found.hooked = found.hooked and hooked
        elif kind == "test":
            test = plain(what[0])
        else:
            found.started.append((test, tuple(what[1])))
    return found


def unreached(processes: list[Process], python: Path) -> Iterator[Unreached]:
    """Yield the tests that start a Python which never came to the witness, or came unhooked."""
    by_pid = {one.pid: one for one in processes}
    arrived = Counter((one.parent, one.argv) for one in processes)
    for one in processes:
        for test, argv in one.started:
            if not is_python(argv):
                continue
            if arrived[one.pid, argv]:
                arrived[one.pid, argv] -= 1
            else:
                yield Unreached(test or _test_of(one, by_pid), reason_of(argv, python))
        if not one.hooked:
            yield Unreached(_test_of(one, by_pid), "starts without the hub")


def is_python(argv: tuple[str, ...]) -> bool:
    """Whether the command is a Python interpreter."""
    return bool(argv) and PurePath(argv[0]).name.lower().startswith("python")


def reason_of(argv: tuple[str, ...], python: Path) -> str:
    """Tell by the command why the start-up files of ``python``'s environment did not run."""
    if PurePath(argv[0]).parent != python.parent:
        return "starts a copy of the interpreter, outside of the environment"
    flags = flags_of(argv)
    if "S" in flags:
        return "-S: `site` is not imported, so that no start-up file is read"
    if flags & {"?", "h", "V"}:
        return "prints something and ends before `site` is imported"
    told = " ".join(f"-{one}" for one in sorted(flags))
    return f"ends before `site` is done ({told or 'no flags'})"


def flags_of(argv: tuple[str, ...]) -> set[str]:
    """Return the letters of the interpreter's own options in a command."""
    found: set[str] = set()
    rest = list(argv[1:])
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        word = rest.pop(0)
        if word.startswith("--"):
            continue
        for place, letter in enumerate(word[1:], 2):
            found.add(letter)
            if letter in _VALUED:
                if place == len(word) and rest:
                    rest.pop(0)
                break
        if found & {"c", "m"}:
            break
    return found


def text_of(kept: dict[str, list[Unreached]]) -> str:
    """Return the data file: a line for each test and reason, with the versions it is true of."""
    versions: dict[Unreached, list[str]] = {}
    for version, found in kept.items():
        for one in found:
            versions.setdefault(one, []).append(version)
    lines = [f"{'|'.join(those)} {it.test} -- {it.reason}" for it, those in versions.items()]
    return _HEAD + "".join(line + "\n" for line in sorted(lines, key=lambda it: it.split()[1:]))


def _test_of(one: Process, by_pid: dict[int, Process]) -> str:
    """Return the test in which the process was started, through its parents."""
    while one.parent in by_pid:
        parent = by_pid[one.parent]
        for test, argv in parent.started:
            if argv == one.argv and test:
                return test
        one = parent
    return "(outside of tests)"
