"""Files of local folders and globs: each file once, in the order of code points.

A link is followed where it leads to something inside the folder that was named (for a glob, the
part before its first wildcard). One that leads outside is an error, unless ``follow_symlinks``:
a data set from elsewhere must not be able to name a file that its user did not.
"""

from __future__ import annotations

import fnmatch
import glob as python_glob
import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shimhub.data.errors import DataError
from shimhub.data.sources._names import is_hidden

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class _Walk:
    """A listing under way: its root, and what of it was seen."""

    root: str
    follow: bool
    real_root: str = ""
    seen: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.real_root = os.path.realpath(self.root)


def files_below(folder: str, follow_symlinks: bool = False) -> list[str]:
    """Return the regular files of a folder and its subfolders.

    Names that start with ``.`` or ``_`` are left out.

    Raises:
        DataError: a link leads outside, or something is no regular file.
    """
    walk = _Walk(folder, follow_symlinks)
    return _once(_matches(walk, folder, ["**", "*"], 0))


def files_of_glob(pattern: str, follow_symlinks: bool = False) -> list[str]:
    """Return the regular files that match; ``**`` is any number of folders, as in ``glob``.

    Wildcards do not match a first ``.`` or ``_``.

    Raises:
        DataError: as ``files_below``.
    """
    if pattern.endswith("/"):
        return []  # it names folders
    folder, parts = split_glob(pattern)
    walk = _Walk(folder, follow_symlinks)
    return _once(_matches(walk, folder, parts, 0)) if os.path.isdir(folder) else []


def split_glob(pattern: str) -> tuple[str, list[str]]:
    """Return the folder before the first wildcard, and the parts from there on."""
    parts = pattern.split("/")
    first = next(at for at, part in enumerate(parts) if python_glob.has_magic(part))
    folder = "/".join(parts[:first]) or ("/" if pattern.startswith("/") else ".")
    return folder, [part for part in parts[first:] if part]


def _matches(walk: _Walk, folder: str, parts: list[str], at: int) -> Iterator[str]:
    key = os.path.realpath(folder), at
    if key in walk.seen:
        return  # a loop of links, or a folder that two ways lead to
    walk.seen.add(key)
    if parts[at] == "**":
        yield from _any_depth(walk, folder, parts, at)
        return
    for entry in _entries(folder, parts[at]):
        path = os.path.join(folder, entry.name)
        if at + 1 < len(parts):
            if _is_folder(walk, entry, path):
                yield from _matches(walk, path, parts, at + 1)
        elif not _is_folder(walk, entry, path):
            refuse_special(path)
            yield path


def _any_depth(walk: _Walk, folder: str, parts: list[str], at: int) -> Iterator[str]:
    rest = parts if at + 1 < len(parts) else [*parts, "*"]
    yield from _matches(walk, folder, rest, at + 1)
    for entry in _entries(folder, "*"):
        path = os.path.join(folder, entry.name)
        if _is_folder(walk, entry, path):
            yield from _matches(walk, path, parts, at)


def _entries(folder: str, pattern: str) -> list[os.DirEntry[str]]:
    """Return what matches in a folder, links last, so that a file is named by its own path."""
    is_match = re.compile(fnmatch.translate(pattern)).match
    takes_hidden = is_hidden(pattern)
    with os.scandir(folder) as found:
        entries = [e for e in found if is_match(e.name) and takes_hidden >= is_hidden(e.name)]
    return sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))


def _is_folder(walk: _Walk, entry: os.DirEntry[str], path: str) -> bool:
    if entry.is_symlink():
        _refuse_outside(walk, path)
    return entry.is_dir()


def _refuse_outside(walk: _Walk, path: str) -> None:
    real = os.path.realpath(path)
    inside = os.path.commonpath([real, walk.real_root]) == walk.real_root
    if not inside and not walk.follow:
        raise DataError(
            f"{path} is a link to {real}, outside of {walk.root}: name that file itself, or pass "
            "follow_symlinks=True if you trust who made the link"
        )


def refuse_links_out(folder: str, paths: list[str], follow_symlinks: bool) -> None:
    """Refuse a file of a folder that is a link out of it, or below such a link.

    Raises:
        DataError: there is one, and links are not to be followed.
    """
    walk = _Walk(folder, follow_symlinks)
    for path in paths:
        if os.path.realpath(path) != _normal(path):
            _refuse_outside(walk, path)


def refuse_special(path: str) -> None:
    """Refuse what would block or has no end: only a regular file is read.

    Raises:
        DataError: a FIFO, socket, device, or a link that leads nowhere.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise DataError(f"{path} is a link to {os.readlink(path)!r}, which is not there") from None
    if not stat.S_ISREG(mode):
        raise DataError(f"{path} is {_kind(mode)}, not a regular file: write it to one first")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _once(paths: Iterator[str]) -> list[str]:
    """Keep each file once, by the path without a link if there is one; sort."""
    kept: dict[str, str] = {}
    for path in paths:
        real = os.path.realpath(path)
        if real not in kept or _normal(path) == real:
            kept[real] = path
    return sorted(kept.values())


def _normal(path: str) -> str:
    return os.path.abspath(path)
