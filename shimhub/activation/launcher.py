"""``shimhub run``: start the interpreter anew with the hub active, and get out of the way.

Replacing the process keeps argv, ``__main__``, ``sys.path[0]``, exit codes, signals and
tracebacks those of plain python; ``runpy`` gets several of them wrong.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from shimhub import compiled, trust
from shimhub.activation import runs
from shimhub.activation.startup import is_activated
from shimhub.config import config_of
from shimhub.engines import registry_of
from shimhub.errors import ReportError, ShimhubError, nearest
from shimhub.paths import with_site_dir

#: Options that take a value, and the variable by which children learn of it.
_VALUED = {
    "--registry": ("SHIMHUB_REGISTRY", os.pathsep),
    "--only": ("SHIMHUB_ONLY", ","),
    "--enable": ("SHIMHUB_ENABLE", ","),
    "--disable": ("SHIMHUB_DISABLE", ","),
    "--speed": ("SHIMHUB_SPEED", ""),
}
_PROGRAM_STARTS = ("-m", "-c", "-")

USAGE = """\
usage: shimhub run [--registry FILE] [--only X] [--enable X] [--disable X]
                   [--speed auto|off|FILE] [--strict] [--report]
                   (SCRIPT | -m MODULE | -c CODE | -) [ARG ...]

Runs a Python program with the shims that this environment needs. X is a shim's
id, a pack or a glob; options may repeat. --speed tries on the program's own
training steps what may make them faster, and keeps what is measured to; FILE
has settings as YAML or TOML. --report tells on stderr, at the end, in which
processes shims were active. All that follows the program belongs to the
program.
"""


class UsageError(Exception):
    """The command line of ``run`` cannot be understood."""


@dataclass
class Request:
    """What ``run`` was asked: shimhub's own settings, and the program with its arguments."""

    values: dict[str, list[str]] = field(default_factory=dict)
    strict: bool = False
    report: bool = False
    help: bool = False
    program: list[str] = field(default_factory=list)


def parse(arguments: Sequence[str]) -> Request:
    """Parse own options up to the program; everything from there on is verbatim.

    Raises UsageError, naming the nearest option, for an option that ``run`` does not have.
    """
    request = Request()
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in _PROGRAM_STARTS:
        if rest[0].startswith(("-m", "-c")) and not rest[0].startswith("--"):
            break
        option, has_value, value = rest.pop(0).partition("=")
        if option == "--" and not has_value:
            break
        _take(request, option, value if has_value else None, rest)
        if request.help:
            return request
    if not rest or (rest[0] in ("-m", "-c") and len(rest) == 1):
        raise UsageError("no program: give a script, -m MODULE, -c CODE or -")
    request.program = rest
    return request


def _take(request: Request, option: str, value: str | None, rest: list[str]) -> None:
    if option in ("-h", "--help"):
        request.help = True
    elif option in ("--strict", "--report") and value is None:
        request.strict |= option == "--strict"
        request.report |= option == "--report"
    elif option in _VALUED:
        if value is None and not rest:
            raise UsageError(f"{option} needs a value")
        request.values.setdefault(option, []).append(rest.pop(0) if value is None else value)
    else:
        known = [*_VALUED, "--strict", "--report", "--help"]
        raise UsageError(f"unknown option {option}{nearest(option, known)}")


def environment(request: Request, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the program and its children.

    Raises RegistryError and SelectionError, so that a typo stops the run before it starts.
    """
    made = dict(environ)
    for option, values in request.values.items():
        name, joint = _VALUED[option]
        if any(os.pathsep in one for one in values) and option == "--registry":
            raise UsageError(f"--registry: a path cannot have {os.pathsep!r} in it: {values}")
        earlier = [made[name]] if made.get(name) and option != "--only" else []
        made[name] = joint.join([*earlier, *values]) if joint else values[-1]
    if speed := _speed(made.pop("SHIMHUB_SPEED", "")):
        made["SHIMHUB_SPEED"] = speed
    # Absolute, as the program and its children may change their working directory.
    registries = [one for one in made.get("SHIMHUB_REGISTRY", "").split(os.pathsep) if one]
    made["SHIMHUB_REGISTRY"] = os.pathsep.join(map(os.path.abspath, registries))
    made |= {"SHIMHUB_STRICT": "1"} if request.strict else {}
    made["SHIMHUB"] = made.get("SHIMHUB", "1")
    made["SHIMHUB_PROJECT"] = _project(made)
    made["PYTHONPATH"] = with_site_dir(made.get("PYTHONPATH", ""))
    config = config_of(None, None, None, None, False, made)
    registry_of(config)
    made["SHIMHUB_DIGEST"] = compiled.digest_of(config.sources)
    made["SHIMHUB_RUN_DIR"] = runs.folder_for(made)
    return made


def _speed(told: str) -> str:
    """Return what ``--speed`` is told, a file by its full path; its mistakes end the run here."""
    if not told or told in ("auto", "off"):
        return told
    from shimhub.speed.settings import settings_of

    try:
        settings_of(told)
    except ShimhubError as error:
        raise UsageError(f"--speed: {error}") from error
    return told if told.startswith("{") else os.path.abspath(told)


def _project(environ: Mapping[str, str]) -> str:
    """Return the project for all processes of the run; what is left out of it is said here."""
    grant = trust.granted(environ)
    if grant.refused and "SHIMHUB_PROJECT" not in environ:
        print(f"shimhub: {grant.refused}", file=sys.stderr)
    return os.path.abspath(grant.project) if grant.project else ""


def interpreter_flags(orig_argv: Sequence[str], argument_count: int) -> list[str]:
    """Return the flags that this interpreter got before ``-m shimhub`` or the console script."""
    head = list(orig_argv[1 : len(orig_argv) - argument_count])
    last = head.pop() if head else ""
    if last.startswith("-") and last.endswith("mshimhub"):
        return head + ([last[: -len("mshimhub")]] if last != "-mshimhub" else [])
    if last == "shimhub" and head and head[-1].endswith("m"):
        cluster = head.pop()[:-1]
        return head + ([cluster] if cluster != "-" else [])
    return head


def needs_in_process() -> bool:
    """Whether no start-up file would run in an interpreter with the flags of this one."""
    is_deaf = sys.flags.isolated or sys.flags.ignore_environment
    return bool(sys.flags.no_site or (is_deaf and not is_activated()))


def run(arguments: Sequence[str]) -> NoReturn:
    """Become the program. Raises UsageError, RegistryError and SelectionError before that."""
    request = parse(arguments)
    if request.help:
        sys.stdout.write(USAGE)
        raise SystemExit(0)
    environ = environment(request, os.environ)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # a daemon's may be closed
            stream.flush()
    if needs_in_process():
        _run_in_process(request, environ)
    flags = interpreter_flags(sys.orig_argv, len(sys.argv) - 1)
    command = [sys.executable, *flags, *request.program]
    if request.report:
        _run_below(command, environ)
    if os.name == "posix":
        os.execve(sys.executable, command, environ)  # no shell, as the user typed
    raise SystemExit(subprocess.call(command, env=environ))  # as above


def _run_in_process(request: Request, environ: Mapping[str, str]) -> NoReturn:
    from shimhub.activation.in_process import become

    if request.report:
        raise UsageError("--report needs a process of its own: leave -I, -E and -S out")
    become(request.program, environ)


def _run_below(command: list[str], environ: Mapping[str, str]) -> NoReturn:
    """Run the program as a child, report on stderr, and end as it ended."""
    from shimhub import report
    from shimhub.activation import parent

    folder = environ["SHIMHUB_RUN_DIR"]
    code = parent.supervise(command, environ, folder)
    try:
        told = f"{report.text_of(report.read(folder))}\n  run: {folder}" if folder else ""
    except ReportError as error:
        told = f"no report: {error}"
    with contextlib.suppress(OSError, ValueError):  # the program's code counts, whoever reads it
        print(f"shimhub: {told or 'no report, as there are no records'}", file=sys.stderr)
    parent.end_like(code)
