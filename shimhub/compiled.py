"""The compiled table: what start-up reads instead of TOML.

It is a marshalled copy of the validated table in the user's cache folder, keyed by a hash of the
registries' contents. It is used only if it belongs to this user and nobody else can write it;
otherwise, or when stale, the table is built anew in memory. This module is on the start-up path
of every active process: it imports nothing that bare python has not imported already.
"""

from __future__ import annotations

import _imp
import marshal
import os
import stat
import sys

from shimhub import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from shimhub.registry import Source

_FORMAT = 1
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def sources_of(environ: Mapping[str, str], named: Iterable[str] = ()) -> tuple[Source, ...]:
    """Return the registries in order: packaged, those of SHIMHUB_REGISTRY, then ``named``."""
    told = [path for path in environ.get("SHIMHUB_REGISTRY", "").split(os.pathsep) if path]
    return (
        (paths.packaged_registry(), "packaged"),
        *((path, "SHIMHUB_REGISTRY") for path in told),
        *((path, "named by the user") for path in named),
    )


def load(sources: Iterable[Source]) -> dict[str, Any]:
    """Return the merged table of ``sources``, with ``modules``: attached name -> has ``pre`` rows.

    Raises RegistryError when the sources have errors, OSError when one cannot be read.
    """
    sources = list(sources)
    digest = digest_of(sources)
    file = os.path.join(paths.cache_dir(), f"{digest}-{sys.implementation.cache_tag}.table")
    table = _read(file, digest)
    if table is None:
        table = _build(sources, digest)
        _write(file, table)
    return table


def digest_of(sources: Iterable[Source]) -> str:
    """Return 16 hex digits over names, origins and contents of ``sources``.

    The hash is the one of hash-based pycs (PEP 552): no secret depends on it.
    """
    parts = []
    for path, origin in sources:
        parts += [f"{_FORMAT}:{os.path.abspath(path)}:{origin}".encode(), _content(path)]
    return _imp.source_hash(_FORMAT, b"\0".join(parts)).hex()


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def _build(sources: list[Source], digest: str) -> dict[str, Any]:
    from shimhub.registry import load_table

    table = load_table(sources, digest)
    modules: dict[str, bool] = {}
    table["modules"] = modules
    for row in table["shims"]:
        if "retired" not in row:
            name = row["attach"].partition(":")[0]
            modules[name] = modules.get(name, False) or row.get("phase") == "pre"
    return table


def _read(file: str, digest: str) -> dict[str, Any] | None:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(file, flags)
    except OSError:
        return None
    with open(handle, "rb") as stream:
        if not (_is_ours(os.fstat(handle)) and _is_ours(os.stat(os.path.dirname(file)))):
            return None
        return _decode(stream.read(), digest)


def _decode(content: bytes, digest: str) -> dict[str, Any] | None:
    try:
        table = marshal.loads(content)  # noqa: S302  # only a file that nobody else can write
    except (EOFError, ValueError, TypeError):
        return None
    return table if isinstance(table, dict) and table.get("digest") == digest else None


def _is_ours(status: os.stat_result) -> bool:
    if not hasattr(os, "geteuid"):
        return False
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_MAY_WRITE


def _write(file: str, table: dict[str, Any]) -> None:
    """Put the table in place whole or not at all; a cache that cannot be written is no error."""
    scratch = f"{file}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
        if not _is_ours(os.stat(os.path.dirname(file))):
            return
        with open(os.open(scratch, flags, 0o600), "wb") as stream:
            stream.write(marshal.dumps(table))
        os.replace(scratch, file)
    except OSError:
        return
