"""What the doctor says: findings with a rule, a place and the command that mends it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass

ERROR, WARNING, NOTE = "error", "warning", "note"

#: Every rule: its severity, and what it is about.
RULES = {
    "SH001": (WARNING, "a flag of the interpreter keeps start-up files from running"),
    "SH002": (WARNING, "SHIMHUB=0 switches everything off"),
    "SH003": (WARNING, "a SHIMHUB_ variable that nothing reads"),
    "SH004": (ERROR, "a SHIMHUB_ variable names no shim, pack or glob"),
    "SH005": (WARNING, "the registries differ from those at the start of the run"),
    "SH006": (WARNING, "PYTHONPATH names the start-up folder of another shimhub"),
    "SH101": (NOTE, "this environment is not activated"),
    "SH102": (WARNING, "one of the two start-up files is missing"),
    "SH103": (WARNING, "a start-up file is of another version of shimhub"),
    "SH104": (ERROR, "something else stands where a start-up file belongs"),
    "SH105": (ERROR, "this process should be active, and has no finder"),
    "SH106": (ERROR, "another finder answers before ours"),
    "SH107": (ERROR, "a shim failed in this process"),
    "SH201": (WARNING, "the native library cannot be used"),
    "SH202": (NOTE, "the native library is switched off"),
    "SH203": (ERROR, "SHIMHUB_LANES names a lane that cannot be used"),
    "SH301": (NOTE, "another patcher is installed"),
    "SH302": (NOTE, "another finder stands on sys.meta_path"),
    "SH303": (NOTE, "a .pth file of others runs code at every start"),
    "SH304": (NOTE, "builtins.__import__ is replaced"),
    "SH401": (ERROR, "a registry has an error"),
    "SH402": (WARNING, "a registry or its folders are untidy"),
    "SH403": (WARNING, "a row has outlived its use"),
    "SH404": (NOTE, "a row of one registry hides that of another"),
    "SH405": (WARNING, "two rows exclude each other"),
    "SH406": (WARNING, "there are several copies of shimhub"),
    "SH407": (WARNING, "shimhub's metadata is of another version than its code"),
    "SH408": (WARNING, "the cache of compiled tables cannot be used"),
    "SH409": (WARNING, "an old copy of the packaged registry hides that of the checkout"),
    "SH501": (WARNING, "this project is not trusted"),
    "SH502": (NOTE, "the registry of a distribution is not trusted"),
    "SH503": (WARNING, "a trusted file has changed or is gone"),
    "SH504": (ERROR, "the store of trust cannot be used"),
    "SH505": (ERROR, "a trusted project names no shim, pack or glob"),
}


@dataclass(frozen=True)
class Finding:
    """One finding: rule, severity, what is the matter, where, and the command that mends it.

    The command of a note undoes what is told, for those who do not want it so.
    """

    code: str
    severity: str
    what: str
    where: str
    command: str

    @property
    def about(self) -> str:
        """What the rule is about."""
        return RULES[self.code][1]

    @property
    def counts(self) -> bool:
        """Whether it makes the exit code 1; a note does not."""
        return self.severity != NOTE


def finding(code: str, what: str, where: str, command: str) -> Finding:
    """Return a finding with the severity of its rule."""
    return Finding(code, RULES[code][0], what, where, command)


def ours(*words: str) -> str:
    """Return the command line of one of our commands, for this very interpreter."""
    return shlex.join([_python(), "-m", "shimhub", *words])


def pip(*words: str) -> str:
    """Return a command line of pip, for this very interpreter."""
    return shlex.join([_python(), "-m", "pip", *words])


def program(code: str) -> str:
    """Return the command line that runs ``code``, for this very interpreter."""
    return shlex.join([_python(), "-c", code])


def edit(file: str, line: int) -> str:
    """Return the command that opens a file at a line; vi, nano and emacs take a ``+line``."""
    place = f"+{line} " if line else ""
    return f"${{EDITOR:-vi}} {place}{shlex.quote(file)}"


def export(name: str, words: Iterable[str], joint: str) -> str:
    """Return the command that sets a variable to ``words``, or unsets it where none is left."""
    value = joint.join(words)
    return f"export {name}={shlex.quote(value)}" if value else f"unset {name}"


def _python() -> str:
    found = shutil.which("python")
    is_same = found is not None and os.path.abspath(found) == sys.executable
    return "python" if is_same else sys.executable or "python"
