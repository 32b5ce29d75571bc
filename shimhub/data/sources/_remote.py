"""Files behind URLs, by fsspec: one, a glob, or a folder; chained URLs (``zip://a.csv::s3://b``)."""

from __future__ import annotations

import errno
import os
from glob import has_magic
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from shimhub.data._model import Source
from shimhub.data.errors import DataError
from shimhub.data.sources import _walk
from shimhub.data.sources._detect import detect
from shimhub.data.sources._names import is_hidden
from shimhub.data.sources._sources import data_in, files_told, refuse_split
from shimhub.data.sources._splits import files_of_split
from shimhub.errors import nearest

if TYPE_CHECKING:
    from shimhub.data.sources._sources import Request


def resolve(url: str, request: Request) -> list[Source]:
    """Return the files that a URL names, sorted by path where it is a glob or a folder.

    Raises:
        FileNotFoundError: there is none; the nearest name is told.
        DataError: the protocol is not known, or a glob or folder has no data.
        OSError: what the network says, with the URL as ``filename``.
    """
    try:
        return _found(url, request)
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno or errno.EIO, str(error), url) from error


def _found(url: str, request: Request) -> list[Source]:
    fs, path = _file_system(url, request.storage)
    if fs.isdir(path):
        _refuse_links_out(fs, path, fs.find(path), request)
        files = data_in(_shown(fs.find(path), path), url)
        return _many(fs, url, files_of_split(files, path, request.split), request)
    refuse_split(url, request)
    if fs.isfile(path):
        return [_file(fs, path, url, request)]
    if not any(sign in path for sign in "*?["):
        raise _missing(fs, path, url)
    found = [name for name in fs.glob(path) if fs.isfile(name)]
    _refuse_links_out(fs, path, found, request)
    found = _shown(found, path.split("*")[0].rpartition("/")[0])
    if not found:
        raise DataError(f"{url}: no file matches (a glob names files; ** is any depth)")
    return _many(fs, url, found if request.format else data_in(found, url), request)


def _refuse_links_out(fs: Any, named: str, paths: list[str], request: Request) -> None:
    """Refuse local files that links lead to out of the folder or glob, whatever wraps their fs."""
    from fsspec.implementations.cached import CachingFileSystem  # type: ignore[import-untyped]
    from fsspec.implementations.dirfs import DirFileSystem  # type: ignore[import-untyped]
    from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

    names = [named, *paths]
    while isinstance(fs, (DirFileSystem, CachingFileSystem)):
        names = [fs._join(name) for name in names] if isinstance(fs, DirFileSystem) else names
        fs = fs.fs
    if isinstance(fs, LocalFileSystem):
        folder = _walk.split_glob(names[0])[0] if has_magic(names[0]) else names[0]
        _walk.refuse_links_out(folder, names[1:], request.follow_symlinks)


def _file_system(url: str, storage: dict[str, Any]) -> tuple[Any, str]:
    try:
        import fsspec  # type: ignore[import-untyped]
    except ImportError as error:
        raise DataError(f"{url}: a URL needs fsspec: pip install 'shimhub[data]'") from error
    try:
        fs, path = fsspec.core.url_to_fs(url, **storage)
    except (ValueError, ImportError) as error:
        raise DataError(f"{url}: fsspec cannot open it: {error}") from error
    return fs, cast("str", path)


def _many(fs: Any, url: str, paths: list[str], request: Request) -> list[Source]:
    return files_told(paths, lambda path: _file(fs, path, _url_of(fs, path, url), request), url)


def _shown(paths: list[str], folder: str) -> list[str]:
    """Return the paths below the folder without those that are hidden, sorted."""
    return [path for path in sorted(paths) if not _has_hidden(path, folder)]


def _has_hidden(path: str, folder: str) -> bool:
    below = path.removeprefix(folder).strip("/")
    return any(is_hidden(part) for part in below.split("/"))


def _url_of(fs: Any, path: str, named: str) -> str:
    """Return the URL of a file that was found; what follows ``::`` stays as it was named."""
    first, chained, rest = named.partition("::")
    if not chained:
        return cast("str", fs.unstrip_protocol(path))
    if "://" not in first:  # it only wraps what follows, such as simplecache::
        below = f"{rest.partition('://')[0]}://{path}"
        return f"{first}::{_url_of(fs, path, rest) if '::' in rest else below}"
    return f"{first.partition('://')[0]}://{path.lstrip('/')}::{rest}"


def _file(fs: Any, path: str, url: str, request: Request) -> Source:
    def opened() -> BinaryIO:
        return cast("BinaryIO", fs.open(path, "rb"))

    told = detect(url, opened, request.format, request.compression)
    size = fs.size(path)
    size = -1 if size is None else size
    return Source(url, told.format, told.compression, size, True, note=told.note)


def _missing(fs: Any, path: str, url: str) -> FileNotFoundError:
    folder, _, name = path.rpartition("/")
    try:
        beside = [str(found).rpartition("/")[2] for found in fs.ls(folder, detail=False)]
    except (OSError, NotImplementedError):
        beside = []
    near = nearest(name, beside)
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT) + near, url)
