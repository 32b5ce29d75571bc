"""MinHash and LSH keys in NumPy; what ``native/include/shimhub/minhash.h`` says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels._reference import xxh3

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Signatures = np.ndarray[Any, np.dtype[np.uint32]]

_M64: Final = 0xFFFFFFFFFFFFFFFF
_CHARACTER: Final = re.compile(rb"[\x00-\xff][\x80-\xbf]*", re.DOTALL)
#: White space of str.split(), in UTF-8.
_SPACE: Final = re.compile(
    rb"[\t-\r\x1c-\x20]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]"
    rb"|\xe2\x81\x9f|\xe3\x80\x80"
)


def texts(rows: Iterable[bytes], unit: str, ngram: int, seed: int, num_perm: int) -> Signatures:
    """Return the signatures of texts in UTF-8, of shape (n, num_perm)."""
    split = _characters if unit == "char" else _words
    return _signatures((split(row, ngram, seed) for row in rows), seed, num_perm)


def tokens(rows: Iterable[Sequence[bytes]], ngram: int, seed: int, num_perm: int) -> Signatures:
    """Return the signatures of texts that are words already."""
    return _signatures((_of_words(row, ngram, seed) for row in rows), seed, num_perm)


def lsh_bands(
    signatures: Signatures, bands: int, seed: int
) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return XXH3-64, with seed + k, of band k of each signature."""
    parts = signatures.astype("<u4").reshape(len(signatures), bands, signatures.shape[1] // bands)
    found = [
        [xxh3.xxh3_64(part.tobytes(), (seed + k) & _M64) for k, part in enumerate(row)]
        for row in parts
    ]
    return np.array(found, dtype=np.uint64).reshape(len(signatures), bands)


def permutations(seed: int, count: int) -> tuple[Signatures, Signatures]:
    """Return the factors and the terms: halves of SplitMix64's outputs."""
    outputs = np.array([_splitmix64(seed, p) for p in range(count)], dtype=np.uint64)
    return (outputs | 1).astype(np.uint32), (outputs >> 32).astype(np.uint32)


def _splitmix64(seed: int, index: int) -> int:
    z = (seed + (index + 1) * 0x9E3779B97F4A7C15) & _M64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _M64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & _M64
    return z ^ z >> 31


def _signatures(rows: Iterable[list[int]], seed: int, num_perm: int) -> Signatures:
    a, b = permutations(seed, num_perm)
    found = [_signature(row, a, b) for row in rows]
    return np.array(found, dtype=np.uint32).reshape(len(found), num_perm)


def _signature(hashes: list[int], a: Signatures, b: Signatures) -> Signatures:
    x = np.array([one & 0xFFFFFFFF for one in set(hashes)], dtype=np.uint32)
    values = a * x[:, None] + b
    least: Signatures = values.min(axis=0, initial=0xFFFFFFFF)
    return least


def _runs(units: Sequence[Any], ngram: int) -> list[Sequence[Any]]:
    """Return the runs of ngram units, or the one of them all where there are fewer."""
    if not units:
        return []
    return [units[at : at + ngram] for at in range(max(1, len(units) - ngram + 1))]


def _characters(text: bytes, ngram: int, seed: int) -> list[int]:
    units = _CHARACTER.findall(text)
    return [xxh3.xxh3_64(b"".join(run), seed) for run in _runs(units, ngram)]


def _words(text: bytes, ngram: int, seed: int) -> list[int]:
    return _of_words([word for word in _SPACE.split(text) if word], ngram, seed)


def _of_words(words: Sequence[bytes], ngram: int, seed: int) -> list[int]:
    hashes = [xxh3.xxh3_64(word, seed) for word in words]
    if ngram == 1:
        return hashes
    encoded = [one.to_bytes(8, "little") for one in hashes]
    return [xxh3.xxh3_64(b"".join(run), seed) for run in _runs(encoded, ngram)]
