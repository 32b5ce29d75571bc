"""``shimhub activate`` and ``deactivate``: two files make every Python of an environment active.

A ``.pth`` with an import line, which CPython 3.15 ignores beside a ``.start`` file of its name and
3.18 ignores altogether; and that ``.start`` file (https://peps.python.org/pep-0829/).
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shimhub.errors import ActivationError

#: Sorts behind all other ``.pth`` files: ``sys.path`` is whole when the line runs.
STEM = "zzz_shimhub"

#: One line, as ``site`` wants it. An import that failed would print a traceback at every start,
#: and ``site`` runs the lines of a virtual environment twice (``venv`` and then ``main`` in
#: Lib/site.py call ``addsitepackages``), so what is said is remembered.
_PTH = (
    'import os; os.environ.get("SHIMHUB") == "0" or exec('
    r'"try:\n from shimhub.activation.boot import start\n'
    r"except (Exception, SystemExit) as error:\n import sys\n hasattr(sys, '_shimhub_told') or "
    r"setattr(sys, '_shimhub_told', sys.stderr and sys.stderr.write('shimhub: not active: ' + "
    r"str(error) + '; reinstall it, or remove zzz_shimhub.pth and zzz_shimhub.start from the "
    r"site-packages of ' + sys.prefix + chr(10)))\n"
    r'else:\n start()")'
    "\n"
)
_CONTENTS = {".pth": _PTH, ".start": "shimhub.activation.start:start\n"}

#: Exits with 0 where the finder is there, in a process that has our files and nothing else.
_PROOF = (
    "import sys; sys.exit(not any(type(one).__module__ == 'shimhub.finder' for one in"
    " sys.meta_path))"
)
_TOLD_BY_US = ("SHIMHUB", "PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH")


@dataclass(frozen=True)
class StartupFile:
    """One of the two files: ``state`` is ``ours``, ``missing`` or ``foreign``."""

    path: Path
    content: str

    @property
    def state(self) -> str:
        """Whether the file is there, and is what we would write."""
        try:
            found = self.path.read_bytes()
        except FileNotFoundError:
            return "missing"
        except OSError:  # a folder, or not ours to read
            return "foreign"
        return "ours" if found == self.content.encode() else "foreign"


def startup_files(folder: str | None = None) -> list[StartupFile]:
    """Return the two files as they belong into ``folder``, by default this environment's."""
    place = Path(folder or sysconfig.get_path("purelib"))
    return [StartupFile(place / (STEM + suffix), text) for suffix, text in _CONTENTS.items()]


def is_activated(folder: str | None = None) -> bool:
    """Whether both files are in place as this version writes them."""
    return all(one.state == "ours" for one in startup_files(folder))


def activate(folder: str | None = None) -> list[StartupFile]:
    """Write both files, prove in a new process that they work, and return them.

    Raises ActivationError, with the files as they were, where the folder cannot be written, a file
    of that name is another's, or shimhub cannot be imported without PYTHONPATH.
    """
    files = startup_files(folder)
    _refuse_foreign(files)
    before = [(one.path, _content(one.path)) for one in files]
    try:
        for one in files:
            _put(one.path, one.content.encode())
    except OSError as error:
        _restore(before)
        raise ActivationError(f"{error.filename}: {error.strerror}; nothing was changed") from error
    if folder is None and (failed := _failed_proof()):
        _restore(before)
        raise ActivationError(
            f"{sys.executable} does not find shimhub at its start{failed}; install it into this "
            "environment (`python -m pip install shimhub`); nothing was changed"
        )
    return files


def deactivate(folder: str | None = None) -> list[StartupFile]:
    """Remove the files that are there, whichever version wrote them, and return those.

    Raises ActivationError where one cannot be removed or does not mention shimhub at all.
    """
    there = [one for one in startup_files(folder) if one.state != "missing"]
    _refuse_foreign(there)
    try:
        for one in there:
            one.path.unlink(missing_ok=True)
    except OSError as error:
        raise ActivationError(f"{error.filename}: {error.strerror}") from error
    return there


def other_lines(folder: str | None = None) -> Iterator[tuple[Path, str]]:
    """Yield ``(file, line)`` of the code that other ``.pth`` files run at every start."""
    place = Path(folder or sysconfig.get_path("purelib"))
    for path in sorted(place.glob("*.pth")):
        for line in (_content(path) or b"").decode("utf-8", "replace").splitlines():
            if path.stem != STEM and line.startswith(("import ", "import\t")):
                yield path, line


def _failed_proof() -> str:
    """Return why a new process of this interpreter is not active; empty when it is."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_TOLD_BY_US)}
    command = [sys.executable, "-c", _PROOF]
    done = subprocess.run(  # no shell; the interpreter that runs now
        command, env=clean, cwd=os.path.abspath(os.sep), capture_output=True, text=True, check=False
    )
    told = done.stderr.strip()
    return (f": {told}" if told else ":") if done.returncode else ""


def _refuse_foreign(files: list[StartupFile]) -> None:
    """Raise ActivationError where a file of that name does not mention shimhub at all."""
    for one in files:
        if b"shimhub" not in (_content(one.path) or b"shimhub"):
            raise ActivationError(f"{one.path} was not written by shimhub; remove it by hand")


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _restore(before: list[tuple[Path, bytes | None]]) -> None:
    for path, content in before:
        if content is None and path.is_file():
            path.unlink()
        elif content is not None:
            _put(path, content)


def _put(path: Path, content: bytes) -> None:
    """Put the file in place whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(content)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
