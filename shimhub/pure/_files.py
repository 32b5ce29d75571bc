"""Named arrays in a file of numpy's, .npz: written whole or not at all, read without pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.pure.errors import DataError

if TYPE_CHECKING:
    import zipfile
    from pathlib import Path

    from shimhub.pure._making import Array


def write(path: Any, arrays: Mapping[str, Array]) -> None:
    """Write arrays to ``path``, whatever its name ends in; a file there is replaced at the end."""
    from pathlib import Path

    wanted = Path(path)
    aside = wanted.with_name(f".{wanted.name}.{os.getpid()}")
    try:
        _write(aside, arrays)
        aside.replace(wanted)
    finally:
        aside.unlink(missing_ok=True)


def _write(path: Path, arrays: Mapping[str, Array]) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w") as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def read(path: Any) -> dict[str, Array]:
    """Return the arrays of a file that :func:`write` wrote; ``DataError`` if it is none."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as file:
            return {name.removesuffix(".npy"): _member(file, name) for name in file.namelist()}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: {error}; save() wrote no such file") from error


def _member(file: zipfile.ZipFile, name: str) -> Array:
    with file.open(name) as member:
        found: Array = np.lib.format.read_array(member, allow_pickle=False)
        return found
