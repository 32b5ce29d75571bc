"""Bounds of a median: an exact sequential sign test, and a bootstrap by blocks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_RESAMPLES: Final = 2000
#: 0.5 would stop no earlier, and 1.5 two pairs later; either loses power at 60 pairs, by the
#: chances that such boundaries have of being crossed by coins that favour heads by 4 : 1.
_SPENDING: Final = 0.75


@lru_cache(maxsize=16)
def boundary(most: int, alpha: float) -> tuple[int, ...]:
    """Return how many of the first n signs must be positive to stop at n, for n = 0 to ``most``.

    Fair coins reach any of these numbers with a probability of at most ``alpha`` in all, however
    often one looks: the chance is spent as ``alpha * (n / most) ** 0.75``. n + 1 is out of reach.
    """
    needed, spent = [1], 0.0
    alive = [1.0]  # by number of heads, of runs that have not stopped
    for n in range(1, most + 1):
        alive = _tossed(alive)
        least, tail = _affordable(alive, alpha * (n / most) ** _SPENDING - spent)
        needed.append(least)
        spent += tail
        alive = [chance if heads < least else 0.0 for heads, chance in enumerate(alive)]
    return tuple(needed)


def _tossed(alive: list[float]) -> list[float]:
    return [(a + b) / 2 for a, b in zip([*alive, 0.0], [0.0, *alive], strict=True)]


def _affordable(alive: list[float], allowance: float) -> tuple[int, float]:
    """Return the least number of heads whose tail costs no more than ``allowance``, and that."""
    tail, least = 0.0, len(alive)
    while least and tail + alive[least - 1] <= allowance:
        least -= 1
        tail += alive[least]
    return least, tail


def median_bounds(
    values: Sequence[float], *, confidence: float, block: int, seed: int
) -> tuple[float, float]:
    """Return the percentile bootstrap's interval of the median, resampling whole blocks.

    Neighbours in time are alike, so ``block`` of them are drawn together; a last one that is not
    full is drawn as it is. The generator is its own: no other's numbers are consumed.
    """
    import numpy as np  # not by `import shimhub.speed`

    padded = np.full(-(-len(values) // block) * block, np.nan)
    padded[: len(values)] = values
    blocks = padded.reshape(-1, block)
    draw = np.random.default_rng(seed).integers(len(blocks), size=(_RESAMPLES, len(blocks)))
    drawn = blocks[draw].reshape(_RESAMPLES, -1)
    median = np.median if len(padded) == len(values) else np.nanmedian  # the latter takes longer
    medians = median(drawn, axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(medians, [tail, 1 - tail], method="nearest")
    return float(low), float(high)
