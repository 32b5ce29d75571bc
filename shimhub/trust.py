"""What the user has trusted: projects by path and content, entry points by name.

A ``[tool.shimhub]`` table in the nearest pyproject.toml is found by looking, and used only if the
trust store has it with the very content that it has now, as direnv does with its ``.envrc``. The
store also keeps what the table said, so that nobody parses TOML at start-up. This module is on
the start-up path: builtins only.
"""

import os
import stat
import sys

from shimhub import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from shimhub.registry import Source

    #: ``(word, rest)`` of each line of the store.
    Lines = list[tuple[str, str]]

#: A file that is longer has no table of ours in it, as far as we are concerned.
MAX_BYTES = 4 << 20
_TABLE = (b"[tool.shimhub]", b"[tool.shimhub.", b"tool.shimhub.", b"tool.shimhub=")


class Grant:
    """What trust adds to an install: registries, settings, and why a project is left out."""

    def __init__(self, project: str = "", refused: str = "") -> None:
        self.project = project
        self.refused = refused
        self.entry_points: list[Source] = []
        self.registries: list[Source] = []
        self.settings: dict[str, str] = {}

    @property
    def sources(self) -> "list[Source]":
        """Registries in order of precedence: entry points, then the project's."""
        return self.entry_points + self.registries


def granted(environ: "Mapping[str, str]") -> Grant:
    """Return what the store grants in this environment and working directory.

    SHIMHUB_PROJECT names the pyproject.toml instead of a search; empty, there is none.
    """
    told = environ.get("SHIMHUB_PROJECT")
    project = find_project() if told is None else told
    try:
        lines = read_store()
    except PermissionError as error:
        return Grant(project, f"{error}; nothing that it trusts is used")
    grant = Grant(project)
    block = block_of(lines, project)
    if project and not block:
        grant.refused = f"{project} has [tool.shimhub] and is not trusted; `shimhub trust` reads it"
    elif project and (changed := changed_file(block)):
        grant.refused = f"{changed} is not as it was trusted; `shimhub trust` reads it anew"
    elif project:
        grant.registries = [
            (rest, f"project {project}") for word, rest in block if word == "registry"
        ]
        grant.settings = {word: rest for word, rest in block if word not in ("registry", "sha256")}
    grant.entry_points = list(entry_points_of(lines))
    return grant


def find_project() -> str:
    """Return the nearest pyproject.toml with our table, from the working directory upward."""
    try:
        folder = os.getcwd()
    except OSError:  # it is gone
        return ""
    while True:
        file = os.path.join(folder, "pyproject.toml")
        if _has_table(content_of(file) or b""):
            return file
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent


def _has_table(content: bytes) -> bool:
    """Whether a pyproject.toml seems to have a table of ours: it is not parsed before trust."""
    if b"shimhub" not in content:
        return False
    lines = content.replace(b" ", b"").replace(b'"', b"").split(b"\n")
    return any(line.startswith(_TABLE) for line in lines)


def read_store() -> "Lines":
    """Return the store's lines; raises PermissionError where others may have written them."""
    file = paths.trust_store()
    folder = os.path.dirname(file)
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as stream:
            is_safe = paths.is_ours(os.fstat(stream.fileno())) and paths.is_ours(os.stat(folder))
            parts = [line.strip().partition(" ") for line in stream]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise PermissionError(f"trust store {file} cannot be read: {error.strerror}") from None
    if not is_safe:
        raise PermissionError(
            f"trust store {file} can be written by others; look through it, then "
            f"`chmod go-w {folder} {file}`"
        )
    return [(word, rest) for word, _, rest in parts if word and not word.startswith("#")]


def block_of(lines: "Lines", project: str) -> "Lines":
    """Return the lines of a project's block, without the one that names it."""
    inside, found = False, []
    for word, rest in lines:
        if word in ("project", "entry-point"):
            inside = (word, rest) == ("project", project)
        elif inside:
            found.append((word, rest))
    return found


def entry_points_of(lines: "Lines") -> "Iterable[Source]":
    """Yield the registries of trusted entry points that are installed where we run."""
    for word, rest in lines:
        name, _, file = rest.partition(" ")
        is_here = any(entry and file.startswith(entry + os.sep) for entry in sys.path)
        if word == "entry-point" and is_here and os.path.exists(file):
            yield file, f"entry point {name}"


def changed_file(block: "Lines") -> str:
    """Return the first file whose content is not the trusted one; empty where all are."""
    for word, rest in block:
        digest, _, file = rest.partition(" ")
        if word == "sha256" and sha256_of(file) != digest:
            return file
    return ""


def sha256_of(file: str) -> str:
    """Return the hex digest of a file's content; empty where it cannot be read."""
    content = content_of(file)
    return "" if content is None else str(_sha256()(content).hexdigest())


def _sha256() -> "Any":
    """Return CPython's own hash, where this build has it; hashlib would load OpenSSL."""
    try:
        return __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256
    except ImportError:
        from hashlib import sha256

        return sha256


def content_of(file: str) -> bytes | None:
    """Return what a regular file of reasonable size holds; None of any other."""
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            return None
        with open(file, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError:
        return None
    return content if len(content) <= MAX_BYTES else None
