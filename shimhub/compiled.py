"""The compiled table: what start-up reads instead of TOML.

It is a marshalled copy of the validated table in the user's cache folder, keyed by a hash of the
registries' contents. It is used only if it belongs to this user and nobody else can write it;
otherwise, or when stale, the table is built anew in memory. This module is on the start-up path
of every active process: it imports nothing that bare python has not imported already.
"""

import _imp
import marshal
import os
import sys

from shimhub import __version__, paths, trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from shimhub.registry import Source

_FORMAT = 6
_KEPT = 32
#: Bytes at the start of the file that tell how long the head is.
_SIZE = 4


def sources_of(
    environ: "Mapping[str, str]", named: "Iterable[str]" = (), trusted: "Iterable[Source]" = ()
) -> "tuple[Source, ...]":
    """Return the registries in order: packaged, trusted, of SHIMHUB_REGISTRY, then ``named``."""
    told = [path for path in environ.get("SHIMHUB_REGISTRY", "").split(os.pathsep) if path]
    return (
        (paths.packaged_registry(), "packaged"),
        *trusted,
        *((path, "SHIMHUB_REGISTRY") for path in told),
        *((path, "named by the user") for path in named),
    )


def load(sources: "Iterable[Source]", head: bool = False) -> "dict[str, Any]":
    """Return the merged table of ``sources``, with ``modules``: attached name -> has ``pre`` rows.

    With ``head`` only ``modules`` and ``digest`` are sure to be there, which is all that start-up
    needs and costs a fraction.
    Raises RegistryError when the sources have errors, OSError when one cannot be read.
    """
    sources = list(sources)
    digest = digest_of(sources)
    key = _hash([digest, *(f"{os.path.abspath(path)}:{origin}" for path, origin in sources)])
    file = os.path.join(paths.cache_dir(), f"{key}-{sys.implementation.cache_tag}.table")
    table = _read(file, key, head)
    if table is None:
        table = _build(sources, digest) | {"key": key}
        _write(file, table)
    return table


def digest_of(sources: "Iterable[Source]") -> str:
    """Return 16 hex digits over shimhub's version and the contents of ``sources``.

    Two processes with the same digest have the same rows, wherever their files are.
    """
    return _hash([__version__, *(_content(path, origin) for path, origin in sources)])


def _hash(parts: "Iterable[str | bytes]") -> str:
    """Hash as hash-based pycs do (PEP 552): fast, builtin, and no secret depends on it."""
    encoded = [part.encode() if isinstance(part, str) else part for part in parts]
    return _imp.source_hash(_FORMAT, b"\0".join(encoded)).hex()


def _content(path: str, origin: str) -> bytes:
    """Return what the file holds; nothing for one that cannot be read, or will be refused."""
    try:
        if origin != "packaged" and paths.is_open_to_all(os.stat(path)):
            return b""
    except OSError:
        return b""
    return trust.content_of(path) or b""


def _build(sources: "list[Source]", digest: str) -> "dict[str, Any]":
    from shimhub.reading import load_table

    table = load_table(sources, digest)
    modules: dict[str, bool] = {}
    table["modules"] = modules
    for row in table["shims"]:
        if "retired" not in row:
            name = row["attach"].partition(":")[0]
            modules[name] = modules.get(name, False) or row.get("phase") == "pre"
    return table


def _read(file: str, key: str, head: bool) -> "dict[str, Any] | None":
    content = read_own(file)
    return None if content is None else _decode(content, key, head)


def read_own(file: str) -> "bytes | None":
    """Return a cache file's content; None unless it is ours and nobody else can write it."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(file, "rb", opener=lambda path, _: os.open(path, flags)) as stream:
            if not (
                paths.is_ours(os.fstat(stream.fileno())) and paths.is_ours(os.stat(_folder(file)))
            ):
                return None
            return stream.read()
    except OSError:
        return None


def _folder(file: str) -> str:
    return os.path.dirname(file)


def _decode(content: bytes, key: str, head: bool) -> "dict[str, Any] | None":
    """Return the head of the file, or the whole table; None for what is not this table.

    From bytes: ``marshal.load`` of a stream calls ``readinto`` for every value, ten times slower.
    """
    size = int.from_bytes(content[:_SIZE], "little")
    part = content[_SIZE : _SIZE + size] if head else content[_SIZE + size :]
    try:
        table = marshal.loads(part)  # noqa: S302  # only a file that nobody else can write
    except (EOFError, ValueError, TypeError):
        return None
    return table if isinstance(table, dict) and table.get("key") == key else None


def _encode(head: "dict[str, Any]", table: "dict[str, Any]") -> bytes:
    """Return a file for both: how long the head is, the head, the table."""
    first = marshal.dumps(head)
    return len(first).to_bytes(_SIZE, "little") + first + marshal.dumps(table)


def _drop_old(folder: str, suffix: str, kept: int) -> None:
    """Keep the newest files of a kind: each edit of what they are made of leaves one behind."""
    found = [entry for entry in os.scandir(folder) if entry.name.endswith(suffix)]
    found.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
    for entry in found[kept:]:
        os.unlink(entry.path)


def _write(file: str, table: "dict[str, Any]") -> None:
    head = {name: table[name] for name in ("key", "digest", "modules")}
    write_own(file, _encode(head, table), _KEPT)


def write_own(file: str, content: bytes, kept: int) -> None:
    """Put a cache file in place whole or not at all; the ``kept`` newest of its suffix stay.

    A cache that cannot be written is no error.
    """
    if not os.path.isabs(file):
        return
    scratch = f"{file}.{os.getpid()}"
    try:
        os.makedirs(_folder(file), mode=0o700, exist_ok=True)
        if paths.is_ours(os.stat(_folder(file))):
            _put(scratch, file, content)
            _drop_old(_folder(file), os.path.splitext(file)[1], kept)
    except OSError:
        return


def _put(scratch: str, file: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(scratch, flags, 0o600), "wb") as stream:
            stream.write(content)
        os.replace(scratch, file)
    finally:
        if os.path.lexists(scratch):
            os.unlink(scratch)
