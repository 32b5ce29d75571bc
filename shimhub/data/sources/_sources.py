"""What the user named, as files to read: paths, lists, globs, folders and URLs.

Files come in the order they were named; those of a folder or a glob by the code points of their
paths, so that ``part-10`` comes before ``part-2``: number files with leading zeros.
"""

from __future__ import annotations

import errno
import glob as python_glob
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast
from urllib.parse import unquote, urlsplit

from shimhub.data._model import Source
from shimhub.data.errors import DataError, FormatError
from shimhub.data.sources import _walk
from shimhub.data.sources._detect import detect
from shimhub.data.sources._names import SAVED, is_beside, named_format
from shimhub.data.sources._splits import files_of_split
from shimhub.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+(?:://|::)")
_LOCAL: Final = ("file:", "local:")


@dataclass(frozen=True, slots=True)
class Request:
    """How sources are found and told: the keyword arguments of ``resolve``."""

    format: str | None = None
    compression: str | None = None
    split: str | None = None
    follow_symlinks: bool = False
    storage: dict[str, Any] = field(default_factory=dict)


def resolve(
    what: object,
    *,
    format: str | None = None,  # noqa: A002 - the name that users give
    compression: str | None = None,
    split: str | None = None,
    follow_symlinks: bool = False,
    storage: dict[str, Any] | None = None,
) -> list[Source]:
    """Return the files that ``what`` names: a path, URL, glob, folder, or a list of these.

    Raises:
        FileNotFoundError: no such file; the nearest name is told.
        DataError: a glob or folder has no data, or a link leads out of it.
        FormatError: a file's format cannot be told, or is none that is read here.
        TypeError: ``what`` is not a path or a list of paths.
    """
    found, packed = named_format(format, compression)
    request = Request(found, packed, split, follow_symlinks, storage or {})
    sources: list[Source] = []
    for path in _paths(what):
        sources += _one(path, request)
    return sources


def _paths(what: object) -> list[str]:
    if isinstance(what, (str, os.PathLike)):
        return [_text(what)]
    if isinstance(what, (bytes, dict)) or not hasattr(what, "__iter__"):
        raise TypeError(f"what to read is a path or a list of paths, not {type(what).__name__}")
    paths = [_text(item) for item in cast("Iterable[object]", what)]
    if not paths:
        raise DataError("there is nothing to read: the list of paths is empty")
    return paths


def _text(item: object) -> str:
    if not isinstance(item, (str, os.PathLike)):
        raise TypeError(f"a path is str or os.PathLike, not {type(item).__name__}: {item!r}")
    path = os.fsdecode(item)
    if not path or "\0" in path:
        raise DataError(f"{path!r} is not a path: it is empty, or has a NUL character")
    return path


def _one(path: str, request: Request) -> list[Source]:
    if not os.path.lexists(path) and _URL.match(path):
        return _url(path, request)
    return _local(os.path.abspath(path) if not python_glob.has_magic(path) else path, request)


def _url(url: str, request: Request) -> list[Source]:
    if url.lower().startswith(_LOCAL) and "::" not in url:  # fsspec's other name for it, too
        return _local(path_of_file_url(url), request)
    from shimhub.data.sources import _remote

    return _remote.resolve(url, request)


def path_of_file_url(url: str) -> str:
    """Return the path of a ``file://`` URL (RFC 8089).

    Raises:
        DataError: it names a host, or its path is not absolute.
    """
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise DataError(
            f"{url}: a file:// URL names no host (was file:///{parts.netloc}... meant?)"
        )
    path = unquote(parts.path + ("?" + parts.query if parts.query else ""))
    if parts.fragment:
        path += "#" + unquote(parts.fragment)
    if not path.startswith("/") or "\0" in path:
        raise DataError(f"{url}: a file:// URL has an absolute path, as in file:///data/a.jsonl")
    return path


def _local(path: str, request: Request) -> list[Source]:
    if os.path.isdir(path):
        return _folder(path, request)
    refuse_split(path, request)
    if os.path.lexists(path):
        return [_file(os.path.abspath(path), request)]
    if python_glob.has_magic(path):
        return _glob(path, request)
    raise missing(path)


def refuse_split(path: str, request: Request) -> None:
    """Refuse ``split=`` for what is no folder, or one that a job has written."""
    if request.split is not None:
        raise DataError(f"{path}: split={request.split!r} is for folders of splits: leave it out")


def missing(path: str) -> FileNotFoundError:
    """Return the error for a path that is not there, with the nearest name in its folder."""
    folder, name = os.path.split(path)
    try:
        near = nearest(name, os.listdir(folder or "."))
    except OSError:
        near = ""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT) + near, path)


def _file(path: str, request: Request, found_in: str = "") -> Source:
    _walk.refuse_special(path)
    told = detect(path, lambda: _opened(path), request.format, request.compression)
    return Source(
        path, told.format, told.compression, os.path.getsize(path), False, found_in, told.note
    )


def _opened(path: str) -> BinaryIO:
    return open(path, "rb")


def _glob(pattern: str, request: Request) -> list[Source]:
    paths = _walk.files_of_glob(pattern, request.follow_symlinks)
    if not paths:
        raise DataError(f"{pattern}: no file matches (a glob names files; ** is any depth)")
    named = paths if request.format else data_in(paths, pattern)
    return files_told(
        [os.path.abspath(path) for path in named],
        lambda path: _file(path, request, pattern),
        pattern,
    )


def _folder(path: str, request: Request) -> list[Source]:
    from shimhub.data.sources import _finished, _hf_dirs

    built = _hf_dirs.resolve_directory(path, request.split, request.follow_symlinks)
    if built is not None:
        return built[0]
    parts = _finished.parts_of(path)
    if parts is not None:
        refuse_split(path, request)
        _walk.refuse_links_out(path, parts, request.follow_symlinks)
        return files_told(parts, lambda name: _file(name, request, path), path)
    files = data_in(_walk.files_below(path, request.follow_symlinks), path)
    return files_told(
        files_of_split(files, path, request.split),
        lambda name: _file(name, request, path),
        path,
    )


def data_in(paths: list[str], found_in: str) -> list[str]:
    """Return the files of a folder or glob without documents and descriptions beside them.

    Raises:
        DataError: nothing is left.
    """
    names = {path: path.rpartition("/")[2] for path in paths}
    for path, name in names.items():
        if name in SAVED:
            raise DataError(
                f"{found_in}: {path.rpartition('/')[0]} was saved by datasets, with files that are "
                "no data: name that folder itself, a copy of it, or a glob of its data-*.arrow"
            )
    data = [path for path, name in names.items() if not is_beside(name)]
    if not data:
        raise DataError(f"{found_in}: no data in it ({len(paths)} other files)")
    return data


def files_told(paths: list[str], told: Callable[[str], Source], found_in: str) -> list[Source]:
    """Return the sources of a folder or glob.

    Raises:
        FormatError: one of them is not known: with the cure.
    """
    try:
        return [told(path) for path in paths]
    except FormatError as error:
        raise FormatError(
            f"{error} (found in {found_in}; a glob such as {found_in.rstrip('/')}/*.jsonl names "
            "only some files)"
        ) from error
