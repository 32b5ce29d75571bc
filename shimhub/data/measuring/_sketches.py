"""Sketches: small summaries of many values that can be merged in any order, without chance."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

#: Significant bits of a length: exact below 2**11, within one part in 2**10 above.
_BITS: Final = 11
#: Hashes kept: the estimate's relative standard error is about 1 / sqrt(_HASHES) = 0.8 %.
_HASHES: Final = 1 << 14
_ALL_HASHES: Final = 1 << 64
_QUANTILES: Final = {"1%": 0.01, "25%": 0.25, "50%": 0.5, "75%": 0.75, "95%": 0.95, "99%": 0.99}
#: What ``quantiles`` tells, in order.
LENGTHS: Final = ("least", *_QUANTILES, "most", "mean")


@dataclass(slots=True)
class Lengths:
    """How many values are how long: exact below 2048, in steps of less than 0.1 % above.

    ``counts`` has the number of values by the least length of their step, as in a histogram of
    HdrHistogram (https://hdrhistogram.org); ``least``, ``most`` and ``total`` are exact.
    """

    counts: dict[int, int] = field(default_factory=dict)
    least: int | None = None
    most: int | None = None
    total: int = 0

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        """The mean length; None without values."""
        count = self.count
        return self.total / count if count else None

    def add(self, lengths: Array) -> None:
        """Count these lengths: integers from 0 on."""
        if not len(lengths):
            return
        exact = lengths.astype(np.int64, copy=False)
        shift = np.maximum(np.frexp(exact.astype(np.float64))[1] - _BITS, 0)
        steps, counts = np.unique((exact >> shift) << shift, return_counts=True)
        self._count(dict(zip(steps.tolist(), counts.tolist(), strict=True)))
        self._widen(int(exact.min()), int(exact.max()))
        self.total += int(exact.sum())

    def merge(self, other: Lengths) -> None:
        """Count what the other has counted."""
        self._count(other.counts)
        if other.least is not None and other.most is not None:
            self._widen(other.least, other.most)
        self.total += other.total

    def quantile(self, part: float) -> int | None:
        """Return the least length that at least this part of the values does not exceed.

        It is the lower end of its step, and ``most`` for 1; None without values.
        """
        if part >= 1 or not self.counts:
            return self.most
        needed, seen = part * self.count, 0
        for step in sorted(self.counts):
            seen += self.counts[step]
            if seen >= needed:
                return max(step, self.least or 0)
        return self.most

    def told(self) -> dict[str, Any]:
        """Return all of it as JSON holds it."""
        counts = sorted(self.counts.items())
        return {"counts": counts, "least": self.least, "most": self.most, "total": self.total}

    @classmethod
    def read(cls, told: dict[str, Any]) -> Lengths:
        """Return what ``told`` was made from."""
        counts = dict(told["counts"])
        return cls(counts, told["least"], told["most"], told["total"])

    def _count(self, counts: dict[int, int]) -> None:
        for step, count in counts.items():
            self.counts[step] = self.counts.get(step, 0) + count

    def _widen(self, least: int, most: int) -> None:
        self.least = least if self.least is None else min(self.least, least)
        self.most = most if self.most is None else max(self.most, most)


def quantiles(lengths: Lengths) -> dict[str, Any]:
    """Return what is told of lengths: least, quantiles, most and mean."""
    parts = {name: lengths.quantile(part) for name, part in _QUANTILES.items()}
    return {"least": lengths.least, **parts, "most": lengths.most, "mean": lengths.mean}


class Distinct:
    """About how many distinct values there are: the least 16,384 of their 64-bit hashes.

    Fewer distinct values are counted exactly (but for two that share a hash). Above, the k-th
    least hash tells how dense they lie, with a relative standard error of 1 / sqrt(k - 2), 0.8 %:
    Bar-Yossef et al., Counting distinct elements in a data stream (2002). Depends on the set of
    values alone, never on their order or on how they were split.
    """

    __slots__ = ("_hashes",)

    def __init__(self, hashes: Array | None = None) -> None:
        self._hashes = np.zeros(0, np.uint64) if hashes is None else hashes

    def add(self, hashes: Array) -> None:
        """Count values by their hashes: uint64."""
        if len(self._hashes) == _HASHES:
            hashes = hashes[hashes < self._hashes[-1]]
        if len(hashes):
            joined = np.concatenate([self._hashes, hashes])
            self._hashes = np.unique(joined)[:_HASHES]

    def merge(self, other: Distinct) -> None:
        """Count what the other has counted."""
        self.add(other._hashes)

    @property
    def is_exact(self) -> bool:
        """Whether ``estimate`` is a count."""
        return len(self._hashes) < _HASHES

    def estimate(self) -> int:
        """Return how many distinct values there were, or about how many."""
        if self.is_exact:
            return len(self._hashes)
        return round((_HASHES - 1) * _ALL_HASHES / (int(self._hashes[-1]) + 1))

    def told(self) -> str:
        """Return all of it as text."""
        return base64.b64encode(self._hashes.astype("<u8").tobytes()).decode("ascii")

    @classmethod
    def read(cls, told: str) -> Distinct:
        """Return what ``told`` was made from."""
        return cls(np.frombuffer(base64.b64decode(told), "<u8").astype(np.uint64))
