"""Hashes of rows, digests alone: SHA-256 and XXH3-128."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.bench.kernels import data, floors, machine, rivals
from tests.bench.kernels.harness import Call, Row

_FULL, _SMALL = 300_000, 2_000
_BYTES = 1200


def rows(*, small: bool) -> list[Row]:
    """Return the rows of this area; all work on the same texts."""
    count = _SMALL if small else _FULL
    texts = functools.cache(lambda: data.texts(count, _BYTES))
    encoded = functools.cache(lambda: [one.encode() for one in texts().to_pylist()])
    return [_sha256(count, texts, encoded), _fast(count, texts, encoded)]


def _sha256(count: int, texts: Callable[[], Any], encoded: Callable[[], list[bytes]]) -> Row:
    return Row(
        id="sha256",
        title=f"SHA-256 of {count:,} rows x 1.2 KB",
        calls={
            "shimhub": lambda: _ours(texts(), "sha256"),
            "hashlib loop, list[bytes]": lambda: Call(_hashlib_loop, (encoded(),), answer=_rows),
            "fast-axolotl parallel_hash_rows, list[str]": lambda: _fast_axolotl(texts()),
            floors.READ: lambda: floors.read(texts()),
        },
        rounds=7,
        amount=count * _BYTES / 1e9,
        unit="GB",
        threaded=frozenset({"shimhub", "fast-axolotl parallel_hash_rows, list[str]"}),
    )


def _fast(count: int, texts: Callable[[], Any], encoded: Callable[[], list[bytes]]) -> Row:
    return Row(
        id="xxh3",
        title=f"128-bit hash (XXH3) of {count:,} rows x 1.2 KB",
        calls={
            "shimhub": lambda: _ours(texts(), "xxh3_128"),
            "xxhash loop, list[bytes]": lambda: _xxhash(encoded()),
            "polars hash (64 bits)": lambda: _polars(texts()),
            "pandas hash_array (64 bits), list[str]": lambda: _pandas(texts()),
            floors.READ: lambda: floors.read(texts()),
        },
        rounds=7,
        amount=count * _BYTES / 1e9,
        unit="GB",
        threaded=frozenset({"shimhub"}),
    )


def _ours(texts: Any, algorithm: str) -> Call:
    hash_rows = rivals.ours("hash_rows")
    run = functools.partial(hash_rows, algorithm=algorithm, threads=machine.threads())
    return Call(run, (texts,), answer=_rows)


def _rows(digests: Any) -> np.ndarray:
    """Return digests, however they came, as rows of bytes."""
    if isinstance(digests, np.ndarray):
        return digests.view(np.uint8).reshape(len(digests), -1)
    if isinstance(digests[0], str):
        digests = [bytes.fromhex(one) for one in digests]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), -1)


def _hashlib_loop(encoded: list[bytes]) -> list[bytes]:
    sha256 = hashlib.sha256
    return [sha256(one).digest() for one in encoded]


def _fast_axolotl(texts: Any) -> Call:
    hash_rows = rivals.fast_axolotl().parallel_hash_rows
    run = functools.partial(hash_rows, num_threads=machine.threads())  # 0: all, there too
    return Call(run, (texts.to_pylist(),), answer=_rows, note="hex digests")


def _xxhash(encoded: list[bytes]) -> Call:
    xxh3 = rivals.load("xxhash").xxh3_128_digest
    return Call(lambda: [xxh3(one) for one in encoded], answer=_rows)


def _polars(texts: Any) -> Call:
    series = rivals.load("polars").Series(texts)
    return Call(series.hash, answer=None, note="another hash, of 64 bits")


def _pandas(texts: Any) -> Call:
    pandas = rivals.load("pandas")
    values = np.array(texts.to_pylist(), dtype=object)
    run = functools.partial(pandas.util.hash_array, categorize=False)
    return Call(run, (values,), answer=None, note="another hash, of 64 bits")
