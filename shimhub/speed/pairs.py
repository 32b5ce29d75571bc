"""The judge of two arms timed in pairs: FASTER only where chance would say so once in 250 times.

Which arm of a pair runs first is drawn by lot, so where a knob does nothing each pair favours it as
a fair coin would, whatever the noise: heavy-tailed, autocorrelated or drifting. That makes the sign
test exact; its bounds hold however often one looks (``_bootstrap.boundary``). The bootstrap's
interval is told where it is the wider one.
"""

from __future__ import annotations

import math
import random
import statistics
from bisect import insort
from collections.abc import Iterator, Sequence
from typing import Final

from shimhub.speed._bootstrap import boundary, median_bounds
from shimhub.speed.errors import MeasureError
from shimhub.speed.model import Timing, Verdict

#: The chance of each of FASTER and SLOWER where there is no difference, over all looks.
ALPHA: Final = 0.004
CONFIDENCE: Final = 1 - 2 * ALPHA
NOISE_CONFIDENCE: Final = 0.95
#: An arm is compared with itself at least so often before a knob can win.
LEAST_NOISE: Final = 4
_BLOCK = 2

#: Samples of a block in order, A plain and B the other arm: positions of (plain, other) of both
#: pairs, and of two neighbours of one arm. Each order of both pairs is as likely. With A and B
#: exchanged the set is the same: whatever comes of a place in the block comes to both arms alike.
LAYOUTS: Final = {
    "ABBA": (((0, 1), (3, 2)), (1, 2)),
    "BAAB": (((1, 0), (2, 3)), (2, 1)),
    "ABABB": (((0, 1), (2, 3)), (4, 3)),
    "BABAA": (((1, 0), (3, 2)), (3, 4)),
}


def layouts(seed: int = 0) -> Iterator[str]:
    """Yield the layout of one block after the other, drawn by a generator of its own."""
    draw, names = random.Random(seed), list(LAYOUTS)  # noqa: S311 - no secret
    while True:
        yield draw.choice(names)


class PairTest:
    """A sequential test: add blocks until ``verdict`` says something.

    ``add_block`` takes the seconds of one of ``LAYOUTS``; ``add`` and ``add_noise`` take single
    pairs from a caller who draws the order of each by lot.
    """

    def __init__(self, *, max_pairs: int = 60, min_effect: float = 1.03, seed: int = 0) -> None:
        if max_pairs < 1 or not min_effect >= 1:
            raise MeasureError(
                f"max_pairs is {max_pairs} and min_effect {min_effect}: name 1 pair or more, and"
                " an effect of 1 (any) or more"
            )
        self.max_pairs, self.min_effect, self.seed = max_pairs, min_effect, seed
        self._needed = boundary(max_pairs, ALPHA)
        self._ratios: list[float] = []
        self._ordered: list[float] = []
        self._noise: list[float] = []
        self._plain: list[float] = []
        self._seconds = 0.0

    @property
    def pairs(self) -> int:
        """How many pairs there are."""
        return len(self._ratios)

    def add(self, plain: float, other: float) -> None:
        """Add a pair, in seconds; after ``max_pairs`` none counts.

        Raises MeasureError for what is no time.
        """
        ratio = self._log_ratio(plain, other)
        if self.pairs >= self.max_pairs:
            return
        self._ratios.append(ratio)
        insort(self._ordered, ratio)
        self._plain.append(plain)

    def add_noise(self, once: float, again: float) -> None:
        """Add two neighbouring times of one arm. Raises MeasureError for what is no time."""
        self._noise.append(self._log_ratio(once, again))

    def add_block(self, layout: str, seconds: Sequence[float]) -> None:
        """Add the times of a whole block, in the order of its layout."""
        if layout not in LAYOUTS or len(layout) != len(seconds):
            raise MeasureError(
                f"a block of {len(seconds)} times is no {layout!r}: take one of layouts(), and a"
                " time for each of its letters"
            )
        both, (first, second) = LAYOUTS[layout]
        for plain, other in both:
            self.add(seconds[plain], seconds[other])
        self.add_noise(seconds[first], seconds[second])

    def verdict(self) -> Timing | None:
        """Return what the pairs come to, or None while more of them may tell."""
        if self.pairs >= self.max_pairs:
            return self.result(f"{self.max_pairs} pairs did not tell")
        if not self._ratios or self._said(*self._sign_bounds()) is Verdict.UNDECIDED:
            return None
        found = self.result()
        return None if found.verdict is Verdict.UNDECIDED else found

    def result(self, why_undecided: str = "more pairs are needed") -> Timing:
        """Return what the pairs so far come to; UNDECIDED is told with the reason given."""
        if not self._ratios:
            return Timing(Verdict.UNDECIDED, 1.0, 0.0, 0.0, 0, 0.0, 0.0, reason=why_undecided)
        low, high = self._bounds()
        noise = self._noise_high()
        said = self._said(low, high, noise) if self._is_enough() else Verdict.UNDECIDED
        return Timing(
            verdict=said,
            ratio=math.exp(statistics.median(self._ordered)),
            low=math.exp(low),
            high=math.exp(high),
            pairs=self.pairs,
            confidence=self._confidence(),
            seconds=self._seconds,
            noise=math.exp(noise) if self._noise else 0.0,
            reason=self._reason(said, noise, why_undecided),
            plain_seconds=statistics.median(self._plain),
        )

    def _log_ratio(self, plain: float, other: float) -> float:
        for seconds in (plain, other):
            if not 0 < seconds < math.inf:
                raise MeasureError(f"a pair has {seconds} s: time more steps in one sample")
        self._seconds += plain + other
        return math.log(plain / other)

    def _said(self, low: float, high: float, noise: float = 0.0) -> Verdict:
        effect = math.log(self.min_effect)
        must = max(effect, noise)
        if low > must:
            return Verdict.FASTER if len(self._noise) >= LEAST_NOISE else Verdict.UNDECIDED
        if high < -must:
            return Verdict.SLOWER
        return Verdict.NO_DIFFERENCE if -effect < low and high < effect else Verdict.UNDECIDED

    def _is_enough(self) -> bool:
        """Whether pairs are so many that the sign test has bounds."""
        return self._needed[self.pairs] <= self.pairs

    def _sign_bounds(self) -> tuple[float, float]:
        if not self._is_enough():
            return -math.inf, math.inf
        needed = self._needed[self.pairs]
        return self._ordered[-needed], self._ordered[needed - 1]

    def _bounds(self) -> tuple[float, float]:
        if not self._is_enough():
            return self._ordered[0], self._ordered[-1]
        low, high = self._sign_bounds()
        drawn = median_bounds(self._ratios, confidence=CONFIDENCE, block=_BLOCK, seed=self.seed)
        return min(low, drawn[0]), max(high, drawn[1])

    def _confidence(self) -> float:
        """Return that of the interval: of its extremes where pairs are too few for the test."""
        if self._is_enough():
            return CONFIDENCE
        return 1 - 2.0 ** (1 - self.pairs)

    def _noise_high(self) -> float:
        if not self._noise:
            return 0.0
        found = median_bounds(self._noise, confidence=NOISE_CONFIDENCE, block=1, seed=self.seed + 1)
        return max(0.0, found[1])

    def _reason(self, said: Verdict, noise: float, why_undecided: str) -> str:
        effect = math.log(self.min_effect)
        if said is not Verdict.UNDECIDED:
            return _WORDS[said].format(must=math.exp(max(effect, noise)), effect=self.min_effect)
        return why_undecided


_WORDS: Final = {
    Verdict.FASTER: "the lower bound is above {must:.3f}",
    Verdict.SLOWER: "the upper bound is below 1/{must:.3f}",
    Verdict.NO_DIFFERENCE: "both bounds are within {effect:g} of 1",
}
