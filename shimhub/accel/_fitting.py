"""From measured times to a size: lines of cost, and where torch becomes the faster one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

#: Sizes that lose no more than this are as good as the best one; the largest of them is taken,
#: as what is not torch needs none.
TIE: Final = 1.05
#: A size that is in use stays while the measured one is this near.
HYSTERESIS: Final = 1.15
_SAME: Final = 1.02


class Point(NamedTuple):
    """Microseconds of a call of so much work, by our kernels and numpy, and by torch."""

    work: float
    pure: float
    torch: float


class Line(NamedTuple):
    """What calls cost: ``overhead + slope * work``, in microseconds."""

    overhead: float
    slope: float

    def at(self, work: float) -> float:
        """Return the microseconds of a call of so much work."""
        return self.overhead + self.slope * work


def line_of(times: Sequence[tuple[float, float]]) -> Line:
    """Return the line through ``(work, microseconds)`` with the least squares of relative errors.

    Neither part is below zero.
    """
    ones = [(1 / us, work / us) for work, us in times]
    aa, ab, bb = (sum(x[i] * x[j] for x in ones) for i, j in ((0, 0), (0, 1), (1, 1)))
    a, b = sum(x[0] for x in ones), sum(x[1] for x in ones)
    apart = aa * bb - ab * ab
    if apart <= 1e-12 * aa * bb:  # all of one size
        return Line(a / aa, 0.0)
    overhead, slope = (a * bb - b * ab) / apart, (b * aa - a * ab) / apart
    if overhead < 0:
        return Line(0.0, b / bb)
    return Line(overhead, slope) if slope > 0 else Line(a / aa, 0.0)


def crossover_of(points: Sequence[Point], before: float | None = None) -> float:
    """Return the work above which torch is to compute: 0 always, infinite never.

    Of all sizes the one at which the worst of the measured calls loses the least to the better of
    both; ``before`` stays if it is as near as ``HYSTERESIS``. Never, if nothing was measured.
    """
    if not points:
        return math.inf
    points = sorted(points)
    worst = [worst_of(points, cut) for cut in range(len(points) + 1)]
    allowed = max(min(worst) * _SAME, TIE)
    cut = max(index for index, loss in enumerate(worst) if loss <= allowed)
    found = _size_at(points, cut)
    return before if before is not None and _is_near(before, found) else found


def worst_of(points: Sequence[Point], cut: int) -> float:
    """Return how many times the better one's time is taken at worst, if torch begins at a cut."""
    chosen = [one.pure if index < cut else one.torch for index, one in enumerate(points)]
    return max(took / min(one.pure, one.torch) for took, one in zip(chosen, points, strict=True))


def time_at(times: Sequence[tuple[float, float]], line: Line, work: float) -> float:
    """Return the microseconds of a call: between measured sizes by them, beyond by the line."""
    for (low, low_us), (high, high_us) in itertools.pairwise(times):
        if low <= work <= high:
            share = math.log(work / low) / math.log(high / low)
            return float(low_us * (high_us / low_us) ** share)
    return line.at(work)


def _size_at(points: Sequence[Point], cut: int) -> float:
    if cut == 0:
        return 0.0
    if cut == len(points):
        return math.inf
    below, above = points[cut - 1], points[cut]
    low, high = math.log(below.pure / below.torch), math.log(above.pure / above.torch)
    share = -low / (high - low) if low < 0 < high else 0.0
    return float(round(below.work * (above.work / below.work) ** share))


def _is_near(before: float, found: float) -> bool:
    if before in {0.0, math.inf} or found in {0.0, math.inf}:
        return before == found
    return max(before, found) <= HYSTERESIS * min(before, found)
