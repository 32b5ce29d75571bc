"""Named arrays in a file of numpy's, .npz: written whole or not at all, read without pickle."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub import paths
from shimhub.pure.errors import DataError

if TYPE_CHECKING:
    import zipfile
    from typing import BinaryIO

    from shimhub.pure._making import Array

#: More than this many times its size nothing is packed into a file (deflate's limit).
_MOST_PACKED: Final = 1032


def write(path: Any, arrays: Mapping[str, Array]) -> None:
    """Write arrays to ``path``, whatever its name ends in; a file there is replaced at the end.

    A link stays, and what it leads to is replaced; devices and pipes are written into.
    """
    import shutil
    import threading
    from pathlib import Path

    wanted = Path(os.path.realpath(path))
    if not paths.may_replace(str(wanted)):
        with wanted.open("wb") as file:
            return _write(file, arrays)
    aside = wanted.with_name(f".{wanted.name[:100]}.{os.getpid()}.{threading.get_ident()}")
    try:
        with aside.open("wb") as file:
            _write(file, arrays)
            file.flush()
            os.fsync(file.fileno())
        if wanted.exists():
            shutil.copymode(wanted, aside)
        aside.replace(wanted)
    finally:
        aside.unlink(missing_ok=True)


def _write(file: BinaryIO, arrays: Mapping[str, Array]) -> None:
    import zipfile

    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def read(path: Any, *, packed: bool = True) -> dict[str, Array]:
    """Return the arrays of a file that :func:`write` wrote; ``DataError`` if it is none.

    ``packed`` lets in ``np.savez_compressed``'s files, which may be much larger in memory.
    """
    import tokenize
    import zipfile
    import zlib

    # What zipfile, numpy and the parser of its headers raise for bytes that are no such file.
    broken = (
        *(zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError),
        *(ValueError, TypeError, SyntaxError, tokenize.TokenError),
    )
    with open(path, "rb") as file:
        try:
            return _arrays(file, packed=packed)
        except broken as error:
            told = str(error) or type(error).__name__
            raise DataError(f"{path}: {told}; save() wrote no such file") from error


def _arrays(file: BinaryIO, *, packed: bool) -> dict[str, Array]:
    import zipfile

    most = _MOST_PACKED * os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        seen: set[str] = set()
        for one in archive.infolist():
            if one.file_size > most:
                raise zipfile.BadZipFile("an array is told to be larger than the file can have")
            if one.compress_type != zipfile.ZIP_STORED and not packed:
                raise zipfile.BadZipFile(f"{one.filename} is compressed")
            if (name := one.filename.removesuffix(".npy")) in seen:
                raise zipfile.BadZipFile(f"{name} is there twice")
            seen.add(name)
        return {name.removesuffix(".npy"): _member(archive, name) for name in archive.namelist()}


def _member(archive: zipfile.ZipFile, name: str) -> Array:
    """Return the array of a member, once its header and its length agree."""
    import io

    raw = archive.read(name)
    text = io.BytesIO(raw)
    if np.lib.format.read_magic(text) != (1, 0):
        raise ValueError(f"{name}: is of a later format than numpy writes numbers in")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(text)
    if dtype.hasobject:
        raise ValueError(f"{name}: has pickled objects, which are never loaded")
    if math.prod(shape) * dtype.itemsize != len(raw) - text.tell():
        raise ValueError(f"{name}: has not the bytes of an array of shape {shape}")
    found = np.frombuffer(raw, dtype, offset=text.tell())
    return found.reshape(shape, order="F" if by_columns else "C")
