"""What is required, as data, and the judge of it. Ratios are of the least CPU times of one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.bench.kernels.harness import Measured

#: Per area, what was measured of each of its rows.
Results = Mapping[str, Mapping[str, Measured]]


@dataclass(frozen=True)
class Verdict:
    """Whether a bar is held, and the line that tells it."""

    area: str
    holds: bool
    work: str
    told: str
    required: str

    def __str__(self) -> str:
        word = "holds " if self.holds else "MISSED"
        return f"{word} {self.area}: {self.work}: {self.told}, required {self.required}"


@dataclass(frozen=True)
class AtLeast:
    """``base`` takes at least ``times`` as long as ``ours``."""

    area: str
    row: str
    ours: str
    base: str
    times: float

    def judge(self, row: Measured) -> Verdict:
        """Judge one row's figures; what was not measured is missed."""
        work = f"{self.row}: {self.ours} against {self.base}"
        required = f"{self.times:g} x"
        if why := _missing(row, self.ours, self.base):
            return Verdict(self.area, False, work, why, required)
        ratio = _low(row, self.base) / _low(row, self.ours)
        return Verdict(self.area, ratio >= self.times, work, f"{ratio:.2f} x", required)


@dataclass(frozen=True)
class AtMost:
    """``ours`` takes at most ``milliseconds`` of CPU time."""

    area: str
    row: str
    ours: str
    milliseconds: float

    def judge(self, row: Measured) -> Verdict:
        """Judge one row's figures; what was not measured is missed."""
        work, required = f"{self.row}: {self.ours}", f"<= {self.milliseconds:g} ms"
        if why := _missing(row, self.ours):
            return Verdict(self.area, False, work, why, required)
        spent = _low(row, self.ours) * 1e3
        return Verdict(self.area, spent <= self.milliseconds, work, f"{spent:.1f} ms", required)


@dataclass(frozen=True)
class NearBest:
    """``ours`` takes at most 1.1 x, or 100 ns more, of the best call of the row."""

    area: str
    row: str
    ours: str
    others: tuple[str, ...]

    def judge(self, row: Measured) -> Verdict:
        """Judge one row's figures; what was not measured is missed."""
        work, required = f"{self.row}: {self.ours} against the best", "<= 1.1 x or +100 ns"
        if why := _missing(row, self.ours, *self.others):
            return Verdict(self.area, False, work, why, required)
        low = _low(row, self.ours)
        best = min(self.others, key=lambda name: _low(row, name))
        floor = min(low, _low(row, best))
        told = f"{low / floor:.2f} x, {(low - floor) * 1e9:+.0f} ns (best other: {best})"
        return Verdict(self.area, low <= max(1.1 * floor, floor + 100e-9), work, told, required)


Bar = AtLeast | AtMost | NearBest


def judge(results: Results, bars: Iterable[Bar]) -> list[Verdict]:
    """Judge each bar whose area was measured."""
    return [bar.judge(results[bar.area].get(bar.row, {})) for bar in bars if bar.area in results]


def _low(row: Measured, name: str) -> float:
    return float(min(row[name]["cpu"]))


def _missing(row: Measured, *names: str) -> str:
    for name in names:
        if "cpu" not in row.get(name, {}):
            why = row.get(name, {}).get("missing", "no such call was measured")
            return f"{name}: {why}"
    return ""
