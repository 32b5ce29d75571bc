"""Power: a knob that is 1.3 x faster by construction, looked for beside a busy process."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from shimhub.speed import Timing, Verdict, compare
from tests.bench.speed.workload import neighbour, worked_step

TIMES, MOST_PAIRS, TRUE = 50, 60, 1.3
#: Of 50 runs, the knob is to be found so often.
NEEDED = 45
_PLAIN, _OTHER = 13, 10


@dataclass(frozen=True)
class Power:
    """What was said of the knob, run by run."""

    runs: list[Timing]

    @property
    def found(self) -> int:
        """How many runs said FASTER."""
        return sum(one.verdict is Verdict.FASTER for one in self.runs)

    def cells(self) -> list[str]:
        """Return the row of the table."""
        pairs = sorted(one.pairs for one in self.runs)
        held = sum(one.low <= TRUE <= one.high for one in self.runs)
        return [
            f"{len(self.runs)}",
            f"**{self.found}**",
            f"{statistics.median(pairs):.0f} (at most {pairs[-1]})",
            f"{statistics.median(one.ratio for one in self.runs):.3f} x",
            f"{held} of {len(self.runs)}",
            f"{statistics.median(one.seconds for one in self.runs):.2f} s",
        ]


def measure(share: float = 1.0) -> Power:
    """Judge the knob ``share`` of 50 times, each within 60 pairs and five seconds."""
    plain, other = worked_step(_PLAIN), worked_step(_OTHER)
    with neighbour():
        runs = [
            compare(plain, other, budget_s=5.0, max_pairs=MOST_PAIRS, seed=turn)
            for turn in range(max(1, round(TIMES * share)))
        ]
    found = Power(runs)
    print(" | ".join(found.cells()), flush=True)
    return found
