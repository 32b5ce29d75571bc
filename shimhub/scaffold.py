"""A new shim: a row, its code and a test that pass as generated, for a person to change.

Nothing is ever overwritten, and what the user's registry holds stays as it is, byte for byte.
"""

from __future__ import annotations

import contextlib
import keyword
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shimhub import _templates, _toml
from shimhub._rows import ID, ID_RULE
from shimhub._templates import Wish
from shimhub.errors import RegistryError
from shimhub.model import Problem
from shimhub.paths import packaged_registry, shims_dir
from shimhub.reading import load_table

_EMPTY = b"schema = 1\n"
_CODE = {"module": "module.py", "add": "shim.py", "replace": "shim.py", "wrap": "shim.py"}


#: Exits with the reason where the new shim is not put in place.
_APPLIED = """
import importlib, sys, shimhub
file, shim, module, fills = sys.argv[1:]
shimhub.install(registry=file, only=shim)
importlib.import_module(module)
told = shimhub.status()[shim]
sys.exit(0 if told.status in ("APPLIED", fills) else told.reason)
"""


@dataclass(frozen=True)
class Scaffold:
    """What was made: the registry, the line of the new row, and the files beside it."""

    id: str
    registry: str
    line: int
    files: tuple[str, ...]


def make(wish: Wish, registry: str) -> Scaffold:
    """Append the row of ``wish`` to ``registry`` and write its code and test.

    Raises RegistryError, with nothing changed, where the id exists already, a file is in the way,
    or the registry with the new row would have an error.
    """
    registry = os.path.abspath(registry)
    _refuse_names(wish, registry)
    with _alone(os.path.dirname(registry)):
        return _make(wish, registry)


@contextlib.contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Let one process at a time add rows in a folder; where that cannot be, go on all the same."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(ImportError, OSError):  # no POSIX; no such folder, told later
            import fcntl

            place = os.open(folder, os.O_RDONLY)
            held.callback(os.close, place)
            fcntl.flock(place, fcntl.LOCK_EX)
        yield


def _make(wish: Wish, registry: str) -> Scaffold:
    before = _content(registry)
    _refuse_known(wish.id, {packaged_registry(): _content(packaged_registry()), registry: before})
    after, line = _appended(before, _templates.row(wish))
    folder = Path(shims_dir(registry), wish.id)
    slug = re.sub(r"\W+", "_", wish.id)
    texts = {folder / f"test_{slug}.py": _templates.test(wish, registry, slug)}
    if wish.action in _CODE:
        texts = {folder / _CODE[wish.action]: _templates.code(wish)} | texts
    with contextlib.ExitStack() as undo:
        for path, text in texts.items():
            _create(path, text.encode(), undo.callback)
        _validate(registry, after, undo.callback)
        _put(registry, after)
        undo.pop_all()
    return Scaffold(wish.id, registry, line, tuple(map(str, texts)))


def wrong_here(made: Scaffold, wish: Wish) -> str:
    """Return why the new shim does not apply in this environment; empty where it does.

    A process of its own imports the target, as the generated test does.
    """
    fills = "" if wish.action in ("replace", "wrap", "adapt") else "NOT_NEEDED"
    module = wish.attach.partition(":")[0]
    command = [sys.executable, "-c", _APPLIED, made.registry, made.id, module, fills]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return lines[-1] if done.returncode else ""


def _content(file: str) -> bytes:
    """Return what the registry holds; that of an empty one where there is none yet."""
    try:
        content = Path(file).read_bytes()
    except FileNotFoundError:
        return _EMPTY
    except OSError as error:
        raise RegistryError(
            [Problem(file, 0, "file", f"cannot be read: {error.strerror}")]
        ) from error
    return content if content.strip() else content + _EMPTY


def _refuse_names(wish: Wish, registry: str) -> None:
    """Raise RegistryError for an id that is no path, and words that no code could hold."""
    if not ID.fullmatch(wish.id):
        raise RegistryError([Problem(registry, 0, "id", f"{wish.id!r} {ID_RULE}")])
    for key, value in {"attach": wish.attach, "to": wish.origin}.items():
        parts = value.replace(":", ".", 1).split(".")
        if not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
            told = f"{value!r} must be 'module' or 'module:qualname', in words that Python can name"
            raise RegistryError([Problem(registry, 0, f"{wish.id}: {key}", told)])


def _refuse_known(shim_id: str, contents: dict[str, bytes]) -> None:
    """Raise RegistryError, naming file and line, where a registry has the id already."""
    for file, content in contents.items():
        data, lines, problems = _toml.parse(content, file)
        if problems:
            raise RegistryError(problems)
        rows = data.get("shim", [])
        for index, row in enumerate(rows if isinstance(rows, list) else []):
            if isinstance(row, dict) and row.get("id") == shim_id:
                told = "exists already; choose another id, or edit this row"
                raise RegistryError([Problem(file, lines.get(("shim", index), 0), shim_id, told)])


def _appended(content: bytes, row: str) -> tuple[bytes, int]:
    """Return the content with ``row`` behind it, in its own line ends, and the row's line."""
    end = b"\r\n" if b"\r\n" in content else b"\n"
    head = content if content.endswith(b"\n") else content + end
    return head + end + row.encode().replace(b"\n", end), head.count(b"\n") + 2


def _create(path: Path, content: bytes, undo: Callable[..., object]) -> None:
    """Write a file that must not exist, and what is missing of its folders."""
    missing = [one for one in path.parents if not one.exists()]
    try:
        for one in reversed(missing):
            one.mkdir()
            undo(one.rmdir)
        with open(path, "xb") as stream:
            undo(path.unlink, missing_ok=True)
            stream.write(content)
    except OSError as error:
        told = "exists already; nothing was changed" if path.exists() else error.strerror or ""
        raise RegistryError([Problem(str(path), 0, "file", told)]) from error


def _validate(registry: str, content: bytes, undo: Callable[..., object]) -> None:
    """Raise RegistryError where the registry with the new row would have an error.

    It is read from a file of another name in the same folder, where relative paths lead.
    """
    scratch = f"{registry}.{os.getpid()}.toml"
    _create(Path(scratch), content, undo)
    try:
        load_table([(packaged_registry(), "packaged"), (scratch, "named by the user")])
    except RegistryError as error:
        raise RegistryError(_renamed(error, scratch, registry)) from None
    os.unlink(scratch)


def _renamed(error: RegistryError, scratch: str, registry: str) -> Iterator[Problem]:
    for one in error.problems:
        file = registry if one.file == scratch else one.file
        yield Problem(file, one.line, one.key, one.message)


def _put(file: str, content: bytes) -> None:
    """Put the registry in place whole or not at all, with its mode, through a symbolic link."""
    place = os.path.realpath(file)
    scratch = f"{place}.{os.getpid()}"
    try:
        Path(scratch).write_bytes(content)
        if os.path.exists(place):
            shutil.copymode(place, scratch)
        os.replace(scratch, place)
    finally:
        if os.path.lexists(scratch):
            os.unlink(scratch)
