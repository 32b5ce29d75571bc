"""Near duplicates: MinHash signatures, LSH keys of their bands, and groups of similar texts.

Two texts' signatures agree in about that share of their entries which their sets of shingles have
in common: the Jaccard similarity J, with a standard error of sqrt(J (1 - J) / num_perm).
"""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from shimhub.kernels import _columns, _loading, _numpy, _texts
from shimhub.kernels._arguments import SEEDS, THREADS, index, integer
from shimhub.kernels._reference import minhash as reference

if TYPE_CHECKING:
    from types import ModuleType

Signatures = np.ndarray[Any, np.dtype[np.uint32]]
Keys = np.ndarray[Any, np.dtype[np.uint64]]
Unit = Literal["char", "word", "token"]

_UNITS: Final = ("char", "word", "token")
_NGRAM_MAX: Final = 256
_PERMUTATIONS_MAX: Final = 65536


def minhash(
    texts: Any,
    *,
    num_perm: int = 128,
    ngram: int = 5,
    unit: Unit = "char",
    seed: int = 1,
    threads: int = 1,
) -> Signatures:
    """Return the MinHash signature of each text, of shape (n, num_perm), uint32.

    A text is the set of its shingles: every run of ``ngram`` units, or all of its units where it
    has fewer. Units are

    - ``char``: code points (of ``bytes``: a byte and the bytes 80 to BF that follow it);
    - ``word``: what ``str.split()`` gives (of ``bytes``: the same, of their UTF-8);
    - ``token``: the items of each text, which is a sequence of ``str`` or ``bytes``.

    ``texts`` is a list or another iterable of such (but no dict and no set), or a column of strings
    or binaries (for ``token``: of lists of them) of pyarrow, polars or NumPy. A ``str`` counts as
    its UTF-8: text in ``bytes`` has the signature of the same text in ``str``.

    A shingle's hash x is the low half of XXH3-64 with ``seed`` of its bytes (of words
    and tokens with ``ngram`` 1: of each one's bytes; with any other, however few a text has: of
    the little-endian XXH3-64, with ``seed``, of each). Entry p is the least
    (a[p] x + b[p]) mod 2^32 over all shingles (Broder 1997, doi 10.1109/SEQUEN.1997.666900; linear
    permutations: Broder et al. 2000, doi 10.1006/jcss.1999.1690), where ``a[p] = z | 1`` and
    ``b[p] = z >> 32`` of output z number p of SplitMix64 from ``seed`` on. A text with no units at
    all has 2^32 - 1 everywhere, and so is estimated equal to others of the kind.

    ``threads`` 0 is all processors; results are the same for any, with the native library or
    without. O(bytes * ngram + shingles * num_perm). Raises ``ValueError`` for arguments out of
    their range (``num_perm`` 1 to 65536, ``ngram`` 1 to 256, ``seed`` 0 to 2**64 - 1), for nulls in
    a column, and for lone surrogates; ``TypeError`` for rows that are no texts, None among them.
    Both name the place.
    """
    if unit not in _UNITS:
        raise ValueError(f"unit: {unit!r}, want one of {', '.join(_UNITS)}")
    num_perm = integer("num_perm", num_perm, 1, _PERMUTATIONS_MAX)
    ngram = integer("ngram", ngram, 1, _NGRAM_MAX)
    seed = integer("seed", seed, 0, SEEDS - 1)
    threads = integer("threads", threads, 0, THREADS - 1)
    native = _loading.native()
    rows = _texts.of(texts, unit)
    if native is None:
        return _reference(rows, unit, ngram, seed, num_perm)
    found = np.empty((_texts.count(rows), num_perm), dtype=np.uint32)
    if isinstance(rows, tuple):
        _sign_objects(native, rows, unit, (ngram, seed, threads, found))
    else:
        _sign_columns(native, rows, unit, (ngram, seed, num_perm, threads), found)
    return found


def lsh_bands(signatures: Signatures, bands: int, *, seed: int = 0) -> Keys:
    """Return a key for each of ``bands`` equal parts of each signature, of shape (n, bands).

    Texts whose keys agree in a column have that band in common, which happens to texts of Jaccard
    similarity J with probability 1 - (1 - J^r)^bands, r = num_perm / bands (Leskovec, Rajaraman and
    Ullman, Mining of Massive Datasets, 3.4: http://www.mmds.org). The key of band k is XXH3-64,
    with ``seed`` + k, of its entries as little-endian bytes.

    ``signatures`` is those of :func:`minhash`: (n, num_perm), uint32. O(signatures' size). Raises
    ``ValueError`` if ``bands`` does not divide num_perm or the shape is another, ``TypeError`` for
    another dtype.
    """
    table = _table(signatures, "signatures")
    bands = _divisor(bands, table.shape[1])
    seed = integer("seed", seed, 0, SEEDS - 1)
    native = _loading.native()
    if native is None:
        return reference.lsh_bands(table, bands, seed)
    keys = np.empty((len(table), bands), dtype=np.uint64)
    status = native.lib.shimhub_lsh_bands(
        native.ffi.from_buffer("uint32_t[]", table),
        len(table),
        table.shape[1],
        bands,
        seed,
        native.ffi.from_buffer("uint64_t[]", keys),
    )
    if status != native.lib.SHIMHUB_OK:
        raise MemoryError
    return keys


def jaccard(signatures_a: Signatures, signatures_b: Signatures) -> np.ndarray[Any, Any]:
    """Return the estimated Jaccard similarity of texts by their signatures: float64, 0 to 1.

    Both are uint32 of shape (..., num_perm), made with the same arguments; the result has the shape
    (...) that NumPy broadcasts them to. O(result's size * num_perm). Raises ``TypeError`` for
    another dtype, and ``ValueError`` if the numbers of permutations differ or are 0.
    """
    a, b = _entries(signatures_a, "signatures_a"), _entries(signatures_b, "signatures_b")
    if a.shape[-1] != b.shape[-1] or not a.shape[-1]:
        raise ValueError(f"signatures: {a.shape[-1]} and {b.shape[-1]} permutations, want as many")
    return np.asarray(np.mean(a == b, axis=-1, dtype=np.float64))


def near_duplicates(
    signatures: Signatures, *, threshold: float, bands: int | None = None, seed: int = 0
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return for each text the first text of its group, of shape (n,), int64.

    A text that is like no earlier one is its own first: ``np.unique`` of the result is the texts to
    keep. In each band, each text is compared with the first text that has the same key
    (:func:`lsh_bands`); those whose estimate (:func:`jaccard`) is ``threshold`` or more are joined,
    and groups are what is joined, directly or through others. LSH misses pairs: see there for how
    often.

    ``bands`` None takes, of the divisors of num_perm, the least whose threshold (1 / bands)^(1 / r)
    is ``threshold`` or less (Leskovec et al., 3.4.3), and num_perm where none is. O(n log n) for
    each band, and O(num_perm) for each two texts that are compared. Raises ``ValueError`` unless
    0 < ``threshold`` <= 1, and as :func:`lsh_bands`.
    """
    table = _table(signatures, "signatures")
    _check_threshold(threshold)
    chosen = bands_for(threshold, table.shape[1]) if bands is None else bands
    joined = [_alike(table, column, threshold) for column in lsh_bands(table, chosen, seed=seed).T]
    return _first_of_groups(len(table), np.concatenate(joined, axis=1))


def bands_for(threshold: float, num_perm: int) -> int:
    """Return how many bands :func:`near_duplicates` takes for a threshold."""
    divisors = [one for one in range(1, num_perm + 1) if num_perm % one == 0]
    fitting = [one for one in divisors if (1 / one) ** (one / num_perm) <= threshold]
    return min(fitting, default=num_perm)


def _alike(table: Signatures, keys: Any, threshold: float) -> np.ndarray[Any, Any]:
    """Return pairs (first text with the key, another one) that are similar, of shape (2, m)."""
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    firsts = first[which]
    others = np.flatnonzero(firsts != np.arange(len(keys)))
    similar = jaccard(table[firsts[others]], table[others]) >= threshold
    return np.stack([firsts[others], others])[:, similar]


def _first_of_groups(count: int, pairs: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the least text that each one is connected to: labels sink until none moves."""
    label = np.arange(count, dtype=np.int64)
    while True:
        least = np.minimum(label[pairs[0]], label[pairs[1]])
        lower = label.copy()
        np.minimum.at(lower, pairs[0], least)
        np.minimum.at(lower, pairs[1], least)
        lower = lower[lower]
        if np.array_equal(lower, label):
            return label
        label = lower


def _reference(rows: Any, unit: str, ngram: int, seed: int, num_perm: int) -> Signatures:
    if unit == "token":
        return reference.tokens(_texts.as_tokens(rows), ngram, seed, num_perm)
    return reference.texts(_texts.as_bytes(rows), unit, ngram, seed, num_perm)


def _sign_objects(
    native: ModuleType, rows: tuple[Any, ...], unit: str, told: tuple[Any, ...]
) -> None:
    if unit == "token":
        native.minhash_tokens(rows, *told)
    else:
        native.minhash_texts(rows, *told, _UNITS.index(unit))


def _sign_columns(
    native: ModuleType,
    columns: list[_columns.Column],
    unit: str,
    told: tuple[int, int, int, int],
    found: Signatures,
) -> None:
    start, (ngram, seed, num_perm, threads) = 0, told
    for column in columns:
        out = native.ffi.from_buffer("uint32_t[]", found[start : start + column.length])
        start += column.length
        pointers, starts = _texts.addresses(column, unit)
        rows = native.ffi.cast("shimhub_bytes *", native.ffi.from_buffer(pointers))
        if starts is None:
            status = native.lib.shimhub_minhash(
                rows, column.length, _UNITS.index(unit), ngram, seed, num_perm, threads, out
            )
        else:
            hashes = native.ffi.new("uint64_t[]", len(pointers))
            native.lib.shimhub_xxh3_64(rows, len(pointers), seed, hashes)
            places = native.ffi.from_buffer("size_t[]", starts)
            status = native.lib.shimhub_minhash_hashes(
                hashes, places, column.length, ngram, seed, num_perm, threads, out
            )
        _columns.raise_for(native, status, columns, "texts")


def _divisor(bands: Any, num_perm: int) -> int:
    found = index("bands", bands)
    if not 1 <= found <= num_perm or num_perm % found:
        raise ValueError(f"bands: {bands}, want a divisor of the {num_perm} permutations")
    return found


def _check_threshold(threshold: Any) -> None:
    if isinstance(threshold, bool) or not isinstance(threshold, numbers.Real):
        raise TypeError(f"threshold: {type(threshold).__name__}, want a float")
    if not 0 < float(threshold) <= 1:
        raise ValueError(f"threshold: {threshold}, want more than 0 and at most 1")


def _entries(signatures: Any, name: str) -> Signatures:
    array = np.asarray(_numpy.unmasked(signatures, name))
    if array.dtype != np.uint32:
        raise TypeError(f"{name}: dtype {array.dtype}, want uint32")
    if not array.ndim:
        raise ValueError(f"{name}: a single number, want the entries of a signature")
    return array


def _table(signatures: Any, name: str) -> Signatures:
    array = _entries(signatures, name)
    match array.shape:
        case (_, num_perm) if 1 <= num_perm <= _PERMUTATIONS_MAX:
            return np.ascontiguousarray(array)
        case shape:
            raise ValueError(f"{name}: shape {shape}, want (n, num_perm)")
