"""False positives: a knob that does nothing, judged again and again beside a busy process."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.bench.speed.judges import JUDGES, Judge, Said
from tests.bench.speed.workload import neighbour

#: Of 200, shimhub may be wrong so often.
ALLOWED = 2


@dataclass
class Row:
    """What a judge said of the knob."""

    title: str
    about: str
    verdicts: Counter[str] = field(default_factory=Counter)
    faster: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    missing: str = ""

    def add(self, said: Said, seconds: float) -> None:
        """Count a judgement."""
        claimed, ratio, word = said
        self.verdicts[word] += 1
        self.seconds.append(seconds)
        if claimed:
            self.faster.append(ratio)

    @property
    def times(self) -> int:
        """How often the judge was asked."""
        return len(self.seconds)

    def cells(self) -> list[str]:
        """Return the row of the table."""
        if self.missing:
            return [self.title, "", "", "", "", "", f"left out: needs {self.missing}"]
        low, high = wilson(len(self.faster), self.times)
        return [
            self.title,
            f"{self.times}",
            f"**{len(self.faster)}**",
            f"{low:.1%} to {high:.1%}",
            f"{max(self.faster):.2f} x" if self.faster else "",
            f"{statistics.median(self.seconds):.2f} s",
            ", ".join(f"{count} {word}" for word, count in self.verdicts.most_common()),
        ]


def measure(share: float = 1.0) -> list[Row]:
    """Ask all judges that are installed, each ``share`` of its times, one after the other."""
    with neighbour():
        return [_asked(one, max(1, round(one.times * share))) for one in JUDGES]


def _asked(judge: Judge, times: int) -> Row:
    if missing := judge.missing():
        return Row(judge.name, judge.about, missing=missing)
    row = Row(judge.title(), judge.about)
    judge.ask(0)  # imports, and what a first call sets up
    end = time.perf_counter() + judge.limit_s
    for turn in range(times):
        start = time.perf_counter()
        if turn and start > end:
            break
        row.add(judge.ask(turn), time.perf_counter() - start)
    print(" | ".join(row.cells()), flush=True)
    return row


def wilson(hits: int, times: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's interval of a share, at 95 %."""
    share, spread = hits / times, z * z / times
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / times + spread / times / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
