"""From measured times to sizes: lines of cost, and where torch is the faster one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

#: Sizes that lose no more than this are as good as the best one. Of those arrays take the largest,
#: as what is not torch needs none; tensors the widest range, as they are torch's.
TIE: Final = 1.05
#: Of lists, which are nearly all time of making numbers, by torch as by numpy: it varies by more.
TIE_OF_LISTS: Final = 1.1
#: Tensors stay in torch always where that loses no more: a range costs each call the reading of its
#: size, a twentieth of what torch takes for a small one.
TIE_OF_TENSORS: Final = 1.1
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


def crossover_of(points: Sequence[Point], before: float | None = None, tie: float = TIE) -> float:
    """Return the work above which torch is to compute: 0 always, infinite never.

    Of all sizes the one at which the worst of the measured calls loses the least to the better of
    both, but for ``tie``; ``before`` stays if it is as near as ``HYSTERESIS``. Never, if nothing
    was measured.
    """
    if not points:
        return math.inf
    points = sorted(points)
    worst = [worst_of(points, cut) for cut in range(len(points) + 1)]
    allowed = max(min(worst) * _SAME, tie)
    cut = max(index for index, loss in enumerate(worst) if loss <= allowed)
    found = _size_at(points, cut)
    return found if before is None else _kept(before, found)


def range_of(
    points: Sequence[Point], before: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Return the works from which on, and up to which, tensors are to stay in torch.

    Ours are those below the first and from the second on: ``(0, inf)`` is torch always,
    ``(inf, inf)`` never. Chosen as :func:`crossover_of` does; each end of ``before`` stays if it is
    near. Always, if nothing was measured, or no call loses more than ``TIE_OF_TENSORS`` by it.
    """
    points = sorted(points)
    if _worst(points, (0, len(points))) <= TIE_OF_TENSORS:
        return 0.0, math.inf
    start, end = _cuts(points)
    if start == end and points:
        return math.inf, math.inf
    low = 0.0 if start == 0 else _start_of(points[start - 1], points[start])
    high = math.inf if end == len(points) else _end_of(points[end - 1], points[end])
    if before is None:
        return low, high
    return _kept(before[0], low), _kept(before[1], high)


def _cuts(points: Sequence[Point]) -> tuple[int, int]:
    """Return the first point that is torch's and the one after the last; the most that may be."""
    pairs = [
        (start, end)
        for end in range(len(points) + 1)
        for start in range(end + 1)
        if start < end or end == 0
    ]
    worst = {pair: _worst(points, pair) for pair in pairs}
    allowed = max(min(worst.values()) * _SAME, TIE)
    good = [pair for pair in pairs if worst[pair] <= allowed]
    return max(good, key=lambda pair: (pair[1] - pair[0], pair[1]))


def _worst(points: Sequence[Point], pair: tuple[int, int]) -> float:
    start, end = pair
    took = (one.torch if start <= at < end else one.pure for at, one in enumerate(points))
    return max(
        (us / min(one.pure, one.torch) for us, one in zip(took, points, strict=True)), default=1.0
    )


def _start_of(below: Point, above: Point) -> float:
    """Return the work from which on torch computes; the lower point is ours, the other torch's."""
    return min(_between(below, above, _share(below, above) or 0.0) + 1, above.work)


def _end_of(below: Point, above: Point) -> float:
    """Return the work from which on torch computes no more; the lower point is the last of it."""
    share = _share(below, above)
    return above.work if share is None else min(_between(below, above, share) + 1, above.work)


def _between(below: Point, above: Point, share: float) -> float:
    return float(round(below.work * (above.work / below.work) ** share))


def _share(below: Point, above: Point) -> float | None:
    """Return how far from one point to the next both ways take the same time; None nowhere."""
    low, high = (math.log(one.pure / one.torch) for one in (below, above))
    return -low / (high - low) if low * high < 0 else None


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
    share = _share(below, above) if below.pure < below.torch else None
    return _between(below, above, share or 0.0)


def _kept(before: float, found: float) -> float:
    """Return the size that was in use, if what is found is near; else that."""
    if before in {0.0, math.inf} or found in {0.0, math.inf}:
        return found
    return before if max(before, found) <= HYSTERESIS * min(before, found) else found
