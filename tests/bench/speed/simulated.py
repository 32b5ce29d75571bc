"""The same test on made-up noise, where the truth is known and a run costs no time.

Each cell is how often FASTER was said, and of a true 1.3 x after how many pairs at the median.
sigma is how much a sample varies by itself; the kinds are those of `tests/_speed_noise.py`.
"""

from __future__ import annotations

import statistics

from shimhub.speed import Verdict
from tests._speed_noise import KINDS, Noise, judged

RUNS = 200
NO_OP_LEVELS = (0.01, 0.1, 0.4)
GAIN_LEVELS = (0.01, 0.05, 0.1, 0.15)
_GAIN = 1.3
_HEADS = [
    "noise",
    *(f"no-op, sigma {one:g}" for one in NO_OP_LEVELS),
    *(f"1.3 x, sigma {one:g}" for one in GAIN_LEVELS),
]


def measure(share: float = 1.0) -> tuple[list[list[str]], int, int]:
    """Return the table, with its heads; how often a no-op was called FASTER; of how many."""
    runs, wrong, rows = max(1, round(RUNS * share)), 0, [_HEADS]
    for kind, noise in KINDS.items():
        claims = [_no_op(noise(sigma), runs) for sigma in NO_OP_LEVELS]
        wrong += sum(claims)
        gains = [_gain(noise(sigma), max(1, runs // 4)) for sigma in GAIN_LEVELS]
        rows.append([kind, *(f"{one} of {runs}" for one in claims), *gains])
        print(" | ".join(rows[-1]), flush=True)
    return rows, wrong, runs * len(KINDS) * len(NO_OP_LEVELS)


def _no_op(noise: Noise, runs: int) -> int:
    return sum(judged(noise, 1.0, seed).verdict is Verdict.FASTER for seed in range(runs))


def _gain(noise: Noise, runs: int) -> str:
    found = [judged(noise, _GAIN, seed) for seed in range(runs)]
    faster = [one.pairs for one in found if one.verdict is Verdict.FASTER]
    after = f", after {statistics.median(faster):.0f}" if faster else ""
    return f"{len(faster) / runs:.0%}{after}"
