"""Digests of rows: strings, columns, and whole rows of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, overload

import numpy as np

from shimhub.kernels import _arguments, _columns, _loading
from shimhub.kernels._reference import hashing as reference

if TYPE_CHECKING:
    from types import ModuleType

Digests = np.ndarray[Any, np.dtype[np.uint8]]
Algorithm = Literal["sha256", "xxh3_128"]

#: Bytes of a digest.
_SIZES: Final = {"sha256": 32, "xxh3_128": 16}


@overload
def hash_rows(
    data: Any,
    *,
    algorithm: Algorithm = ...,
    seed: int = ...,
    threads: int = ...,
    output: Literal["digest"] = ...,
) -> Digests: ...
@overload
def hash_rows(
    data: Any,
    *,
    algorithm: Algorithm = ...,
    seed: int = ...,
    threads: int = ...,
    output: Literal["hex"],
) -> list[str]: ...
def hash_rows(
    data: Any,
    *,
    algorithm: Algorithm = "sha256",
    seed: int = 0,
    threads: int = 1,
    output: Literal["digest", "hex"] = "digest",
) -> Digests | list[str]:
    """Return the digest of each row: an (n, 32) or (n, 16) uint8 array, or n hexadecimal strings.

    ``sha256`` is FIPS 180-4; ``xxh3_128`` is XXH3 with ``seed`` (xxHash 0.8), not for data whose
    makers gain by a collision. Digests are those of ``hashlib`` and ``xxhash``.

    ``data`` is one of

    - a list or tuple of ``str`` (their UTF-8) and ``bytes``;
    - a column of strings or binaries: pyarrow, polars or NumPy (``S``, ``U``). The digest of a
      null is all zeros, which no row is known to have;
    - any other column, or a table: pyarrow, polars, pandas (without its index), a Hugging Face
      ``Dataset``, a dict of columns.
      The digest is that of the row's canonical encoding (docs/kernels.md), which is the same
      whatever the chunks and offsets: values by their bits and width, -0.0 as 0.0, every NaN as
      one, null unlike empty; the names of columns and fields do not count.

    ``threads`` 0 is all processors; the bytes are the same for any. With 1 and a list, the GIL is
    held; otherwise it is not, and columns must not be changed during the call. O(bytes). Raises
    ``TypeError`` for rows and columns that are none of these, ``ValueError`` for a lone surrogate
    and for offsets that leave their buffers; both name the place.
    """
    seed, threads = checked_arguments(algorithm, seed, threads)
    if output not in ("digest", "hex"):
        raise ValueError(f"output: {output!r}, want 'digest' or 'hex'")
    found = digests(as_rows(data), algorithm, seed, threads)
    if output == "digest":
        return found
    native = _loading.native()
    return reference.hex_rows(found) if native is None else _hex(native, found)


def checked_arguments(algorithm: str, seed: Any, threads: Any) -> tuple[int, int]:
    """Return seed and threads; raise ``ValueError`` or ``TypeError`` naming what is wrong."""
    if algorithm not in _SIZES:
        raise ValueError(f"algorithm: {algorithm!r}, want one of {', '.join(_SIZES)}")
    return (
        _arguments.integer("seed", seed, 0, _arguments.SEEDS - 1),
        _arguments.integer("threads", threads, 0, _arguments.THREADS - 1),
    )


def digests(
    rows: list[Any] | list[_columns.Column], algorithm: Algorithm, seed: int, threads: int
) -> Digests:
    """Return the digests of :func:`as_rows`."""
    native = _loading.native()
    if native is None:
        return reference.digests(rows, algorithm, seed)
    return _digests(native, rows, algorithm, seed, threads)


def as_rows(data: Any) -> list[Any] | list[_columns.Column]:
    """Return Python's rows as a list, and all else as its columns' chunks."""
    if type(data) is list:
        return data
    return list(data) if isinstance(data, (list, tuple)) else _columns.rows(data)


def are_columns(rows: list[Any]) -> bool:
    """Whether :func:`as_rows` found columns; no rows are no columns."""
    return bool(rows) and isinstance(rows[0], _columns.Column)


def _digests(
    native: ModuleType, rows: list[Any], algorithm: str, seed: int, threads: int
) -> Digests:
    kind = {"sha256": native.lib.SHIMHUB_SHA256, "xxh3_128": native.lib.SHIMHUB_XXH3_128}[algorithm]
    count = _columns.count(rows) if are_columns(rows) else len(rows)
    found = np.empty((count, _SIZES[algorithm]), dtype=np.uint8)
    if not are_columns(rows):
        native.digest_list(rows, kind, seed, threads, found)
        return found
    out = native.ffi.from_buffer("uint8_t[]", found)
    status = native.lib.shimhub_digest_columns(
        _columns.to_native(native, rows), len(rows), kind, seed, threads, out
    )
    _columns.raise_for(native, status, rows)
    return found


def _hex(native: ModuleType, digests: Digests) -> list[str]:
    found: list[str] = native.hex_rows(digests, digests.shape[1])
    return found
