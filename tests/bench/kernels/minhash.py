"""MinHash signatures of texts: 128 permutations over n-grams of five words.

rensa's and datasketch's hash functions are others than ours, and so are their signatures. What
must agree is what signatures are for: the mean similarity that they tell of the same pairs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.bench.kernels import machine, rivals
from tests.bench.kernels.harness import Call, Row

_FULL, _SMALL = 10_000, 600
_PERMUTATIONS, _NGRAM, _SEED = 128, 5, 42
_WORDS = 150
#: The standard error of the mean of 300 estimates or more is 0.002.
_TOLERANCE = 0.015

Shingles = list[list[bytes]]


def rows(*, small: bool) -> list[Row]:
    """Return the rows of this area: from texts, and, for rivals, from n-grams made before."""
    count = _SMALL if small else _FULL
    texts = functools.cache(lambda: _pairs(count))
    return [_row(count, texts, ready=False), _row(count, texts, ready=True)]


def _pairs(count: int) -> list[str]:
    """Return texts of which each odd one is the one before with some words replaced."""
    draw = np.random.default_rng(3)
    words = np.array([f"w{at:x}" for at in draw.permutation(50_000)], dtype=object)
    ids = draw.integers(0, len(words), (count // 2, _WORDS))
    edited = ids.copy()
    for row, kept in zip(edited, draw.integers(_WORDS // 4, _WORDS, len(ids)), strict=True):
        row[kept:] = draw.integers(0, len(words), _WORDS - kept)
    both = np.stack([ids, edited], 1).reshape(-1, _WORDS)
    return [" ".join(one) for one in words[both]]


def shingles(texts: list[str]) -> Shingles:
    """Return the n-grams of words of each text, as bytes: all rivals take them, fastest so."""
    return [_ngrams(text.encode().split()) for text in texts]


def _ngrams(words: list[bytes]) -> list[bytes]:
    return [b" ".join(words[at : at + _NGRAM]) for at in range(len(words) - _NGRAM + 1)]


def _row(count: int, texts: Callable[[], list[str]], *, ready: bool) -> Row:
    what = "n-grams made before" if ready else "from texts, n-grams made by each"
    ours = {
        "shimhub, Arrow in": lambda: _ours_arrow(texts()),
        "shimhub, list[str] in": lambda: _ours(texts()),
    }
    of_grams = {"shimhub, n-grams in": lambda: _ours_of_shingles(texts())}
    return Row(
        id="signatures, n-grams ready" if ready else "signatures",
        title=f"{count:,} texts of {_WORDS} words, {_PERMUTATIONS} permutations; {what}",
        calls={
            **(of_grams if ready else ours),
            "rensa RMinHash": lambda: _of(_rensa(), texts(), ready=ready),
            "rensa CMinHash": lambda: _of(_rensa_c(), texts(), ready=ready),
            "datasketch MinHash.bulk": lambda: _of(_datasketch(), texts(), ready=ready),
            "exact similarity, sets of n-grams": lambda: _exact(texts()),
        },
        rounds=3,
        amount=count / 1e3,
        unit="k texts",
        tolerance=_TOLERANCE,
        threaded=frozenset(of_grams if ready else {"shimhub, Arrow in"}),
    )


def _ours(texts: Any, ngram: int = _NGRAM, unit: str = "word") -> Call:
    run = functools.partial(
        rivals.ours("minhash"),
        num_perm=_PERMUTATIONS,
        ngram=ngram,
        unit=unit,
        seed=_SEED,
        threads=machine.threads(),
    )
    return Call(run, (texts,), answer=_similarity)


def _ours_of_shingles(texts: list[str]) -> Call:
    return _ours(shingles(texts), ngram=1, unit="token")


def _ours_arrow(texts: list[str]) -> Call:
    return _ours(rivals.load("pyarrow").array(texts))


def _of(sign: Callable[[Shingles], Any], texts: list[str], *, ready: bool) -> Call:
    if ready:
        return Call(sign, (shingles(texts),), answer=_similarity)
    return Call(lambda: sign(shingles(texts)), answer=_similarity)


def _similarity(signatures: Any) -> float:
    """Return the mean over all pairs of how much of their signatures is the same."""
    # rensa's matrix is a type of its own.
    rows = signatures.to_rows() if hasattr(signatures, "to_rows") else signatures
    table = np.asarray(rows)
    return float((table[::2] == table[1::2]).mean())


def _rensa() -> Callable[[Shingles], Any]:
    sign = rivals.load("rensa").RMinHash.digest_matrix_from_token_byte_sets
    return lambda made: sign(made, _PERMUTATIONS, _SEED)


def _rensa_c() -> Callable[[Shingles], Any]:
    sign = rivals.load("rensa").CMinHash.digests_from_token_sets
    return lambda made: sign(made, _PERMUTATIONS, _SEED)


def _datasketch() -> Callable[[Shingles], Any]:
    bulk = rivals.load("datasketch").MinHash.bulk

    def sign(made: Shingles) -> Any:
        return [one.hashvalues for one in bulk(made, num_perm=_PERMUTATIONS, seed=_SEED)]

    return sign


def _exact(texts: list[str]) -> Call:
    return Call(_jaccard, (texts,), answer=lambda got: got, note="no signatures")


def _jaccard(texts: list[str]) -> float:
    sets = [set(one) for one in shingles(texts)]
    return float(
        np.mean([len(a & b) / len(a | b) for a, b in zip(sets[::2], sets[1::2], strict=True)])
    )
