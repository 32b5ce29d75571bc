"""Noise of a shared box, by number: what a sample of either arm is multiplied with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from shimhub.speed.model import Timing
from shimhub.speed.pairs import PairTest, layouts

Noise = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]


def normal(sigma: float) -> Noise:
    """Each sample for itself, log-normal."""
    return lambda draw, n: sigma * draw.standard_normal(n)


def heavy(sigma: float) -> Noise:
    """Student's t with 1.5 degrees of freedom: no variance; now and then many times slower."""
    return lambda draw, n: np.clip(sigma * np.abs(draw.standard_t(1.5, n)), 0, 5)


def autocorrelated(sigma: float, phi: float = 0.9) -> Noise:
    """AR(1) and as much again that is each sample's own."""

    def noise(draw: np.random.Generator, n: int) -> npt.NDArray[np.float64]:
        level, levels = 0.0, np.empty(n)
        for at, shock in enumerate(draw.standard_normal(n) * np.sqrt(1 - phi**2)):
            level = phi * level + shock
            levels[at] = level
        return sigma * (levels + draw.standard_normal(n)) / np.sqrt(2)

    return noise


def drifting(sigma: float, over_all: float = 1.0) -> Noise:
    """A clock that slows down by e^``over_all`` from the first sample to the last."""
    return lambda draw, n: over_all * np.arange(n) / n + sigma * draw.standard_normal(n)


def bursts(sigma: float, slow: float = 1.7, stay: float = 0.9) -> Noise:
    """A neighbour that comes and goes, and takes a share of the speed while it is there."""

    def noise(draw: np.random.Generator, n: int) -> npt.NDArray[np.float64]:
        there = np.logical_xor.accumulate(draw.random(n) > stay)
        return np.log(slow) * there + sigma * draw.standard_normal(n)

    return noise


def periodic(sigma: float, every: int = 4, slow: float = 1.5) -> Noise:
    """A timer that hits each fourth sample: in step with the blocks of a fixed ABBA."""
    return lambda draw, n: (
        np.log(slow) * (np.arange(n) % every == 0) + sigma * draw.standard_normal(n)
    )


#: Kinds of noise; each takes how much a sample varies by itself, as the sigma of its logarithm.
KINDS: dict[str, Callable[[float], Noise]] = {
    "normal": normal,
    "heavy-tailed": heavy,
    "autocorrelated": autocorrelated,
    "drifting slower": drifting,
    "drifting faster": lambda sigma: drifting(sigma, -3.0),
    "a neighbour in bursts": bursts,
    "a neighbour in short bursts": lambda sigma: bursts(sigma, slow=3.0, stay=0.5),
    "every fourth sample hit": periodic,
    "every ninth sample hit": lambda sigma: periodic(sigma, every=9, slow=2.0),
}


def judged(noise: Noise, ratio: float, seed: int, *, max_pairs: int = 60) -> Timing:
    """Return what a PairTest says of a knob that divides the time by ``ratio``, under ``noise``."""
    draw, test, orders = np.random.default_rng(seed), PairTest(max_pairs=max_pairs), layouts(seed)
    factors, at = np.exp(noise(draw, 5 * max_pairs)), 0
    while True:
        layout = next(orders)
        times = factors[at : at + len(layout)]
        at += len(layout)
        arms = [1.0 if arm == "A" else 1 / ratio for arm in layout]
        test.add_block(layout, [float(f) * arm for f, arm in zip(times, arms, strict=True)])
        if found := test.verdict():
            return found
