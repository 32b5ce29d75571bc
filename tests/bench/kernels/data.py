"""What is worked on: texts, lengths and token lists, the same in every run."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.bench.kernels import rivals

_ASCII_TOKENS = 1 << 16
_OTHER_TOKENS = 1 << 10
_TOKEN_BYTES = 8
#: Of 8 bytes of UTF-8 each: characters of 2, 3 and 4 bytes, and Latin-1, as str keeps them apart.
_SCRIPTS = ("éüßñ", "слов", "中文 x", "日本ab", "🙂🙃", "né é ", "ðéÿ ", "Ωμέg")


def _ascii_tokens(draw: np.random.Generator) -> np.ndarray:
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz      ", np.uint8)
    return letters[draw.integers(0, 32, (_ASCII_TOKENS, _TOKEN_BYTES))].view(np.uint64).ravel()


def _vocabulary(draw: np.random.Generator) -> np.ndarray:
    """Return tokens of 8 bytes as integers: ASCII ones first, then those of other scripts."""
    words = [one.encode().ljust(_TOKEN_BYTES) for one in _SCRIPTS]
    other = np.frombuffer(b"".join(words), np.uint64)
    return np.concatenate([_ascii_tokens(draw), np.resize(other, _OTHER_TOKENS)])


def texts(rows: int, mean_bytes: int, *, duplicates: float = 0.15, non_ascii: bool = False) -> Any:
    """Return a ``pyarrow.StringArray`` of rows of 0.5 to 1.5 x ``mean_bytes`` bytes each.

    ``duplicates`` of the rows equal an earlier one. With ``non_ascii`` every second row has
    letters of other scripts: one token of eight bytes in eight.
    """
    pa = rivals.load("pyarrow")
    draw = np.random.default_rng(0)
    unique = max(1, round(rows * (1 - duplicates)))
    lengths = draw.integers(mean_bytes // 2, mean_bytes * 3 // 2 + 1, unique)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    data = _filled(draw, offsets, non_ascii=non_ascii)
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    array = pa.Array.from_buffers(pa.string(), unique, buffers)
    copies = draw.integers(0, unique, rows - unique)
    order = np.concatenate([np.arange(unique), copies])
    # A copy stands anywhere behind its original or before it: both are drawn.
    return array.take(pa.array(draw.permutation(order)))


def _filled(draw: np.random.Generator, offsets: np.ndarray, *, non_ascii: bool) -> np.ndarray:
    count = int(offsets[-1]) // _TOKEN_BYTES + 1
    chosen = draw.integers(0, _ASCII_TOKENS, count, dtype=np.uint32)
    if non_ascii:
        starts = offsets // _TOKEN_BYTES
        odd = np.zeros(count, bool)
        for row in range(1, len(starts) - 1, 2):
            odd[starts[row] + 1 : starts[row + 1]] = True
        other = odd & (chosen % 8 == 0)
        chosen[other] = _ASCII_TOKENS + chosen[other] // 8 % _OTHER_TOKENS
        chosen[starts] = 0  # a row may end inside a token only where that is ASCII
    return _vocabulary(draw)[chosen].view(np.uint8)


def ascii_strings(rows: int, size: int) -> list[str]:
    """Return ``rows`` str objects of ``size`` random letters each; needs no pyarrow."""
    draw = np.random.default_rng(4)
    count = rows * size // _TOKEN_BYTES + 1
    tokens = _ascii_tokens(draw)[draw.integers(0, _ASCII_TOKENS, count)]
    text = tokens.tobytes().decode("ascii")
    return [text[at : at + size] for at in range(0, rows * size, size)]


def lengths(count: int, mean: int, longest: int) -> np.ndarray:
    """Return ``int32`` lengths of 1..``longest`` tokens, lognormal about ``mean``."""
    draw = np.random.default_rng(1)
    sigma = 0.9
    drawn = draw.lognormal(np.log(mean) - sigma**2 / 2, sigma, count)
    return np.clip(np.rint(drawn), 1, longest).astype(np.int32)


def token_arrays(count: int, mean: int = 300, longest: int = 2048) -> list[np.ndarray]:
    """Return ``count`` arrays of token ids of a vocabulary of 128,000, each as long as drawn."""
    sizes = lengths(count, mean, longest)
    ids = np.random.default_rng(2).integers(3, 128_000, int(sizes.sum()), dtype=np.int32)
    return np.split(ids, np.cumsum(sizes)[:-1])


def fresh_strings(array: Any) -> tuple[list[str]]:
    """Return the rows as new str objects: none has its hash or its UTF-8 cached yet."""
    return (array.to_pylist(),)
