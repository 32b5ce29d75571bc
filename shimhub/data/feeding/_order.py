"""Orders that are the same wherever and whenever they are made again: functions of a key.

Words are splitmix64's (Steele, Lea and Flood 2014, doi.org/10.1145/2660193.2660195): the finalizer
of a counter, so that any draw can be made without those before it. NumPy's own generators may
change between versions (NEP 19), and a run is resumed under another one.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, Any]

_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def key(*parts: int | str) -> int:
    """Return 64 bits that are told by the parts."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "little")


def words(of: int, count: int) -> Array:
    """Return ``count`` uint64 that are all different, as the finalizer is a bijection."""
    word: Array = np.arange(1, count + 1, dtype=np.uint64) * _GAMMA + np.uint64(of)
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    word ^= word >> np.uint64(31)
    return word


def permutation(of: int, count: int) -> Array:
    """Return 0 to ``count`` - 1 in an order told by the key: int64."""
    return np.argsort(words(of, count))


def chosen(of: int, count: int, some: int) -> Array:
    """Return ``some`` different numbers below ``count``, in random order: int64."""
    drawn = words(of, count)
    if some < count:
        least = np.argpartition(drawn, some - 1)[:some]
        return least[np.argsort(drawn[least])]
    return np.argsort(drawn)
