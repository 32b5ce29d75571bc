"""What was measured, what is promised of it, and its page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from statistics import median

#: Importing shimhub.pure may take so much of the time of importing torch.
IMPORT = 0.15
#: Accuracies may be so far apart: rounding differs, so that a few digits are decided otherwise.
APART = 0.02
#: A small model: its step is to take no longer than torch's, start or not.
SMALL = 128


@dataclass(frozen=True)
class Run:
    """One process: its seconds, and what it told of itself."""

    seconds: float
    imported: float
    step: float
    accuracy: float


@dataclass(frozen=True)
class Row:
    """One width: the medians of each, by who, after so many steps."""

    hidden: int
    steps: int
    runs: dict[str, Run]

    @property
    def ours(self) -> Run:
        """shimhub.pure in its default mode."""
        return self.runs["ours"]

    @property
    def torch(self) -> Run:
        """The same model in torch."""
        return self.runs["torch"]

    def start(self, one: Run) -> float:
        """Return what a process took beside its steps: importing, and what the first ones load."""
        return one.seconds - one.step * self.steps

    @property
    def crossover(self) -> float:
        """How many steps it takes torch to make up for its start; inf if it never does."""
        later = self.start(self.torch) - self.start(self.ours)
        apart = self.ours.step - self.torch.step
        return max(later, 0) / apart if apart > 0 else math.inf


def middle(runs: Sequence[Run]) -> Run:
    """Return the median of each figure; of importing the least, which noise only adds to."""
    found = {one.name: median(getattr(run, one.name) for run in runs) for one in fields(Run)}
    return Run(**found | {"imported": min(run.imported for run in runs)})


def missed_of(small: Sequence[Row], large: Sequence[Row]) -> list[str]:
    """Return what is promised and was not held, in words."""
    rows = (*small, *large)
    told = []
    if small[0].ours.seconds >= small[0].torch.seconds:
        told.append("a small model is not trained sooner than by torch")
    told += [
        f"a step of the digits' model of {row.hidden} takes longer than torch's"
        for row in small
        if row.hidden <= SMALL and row.ours.step > row.torch.step
    ]
    share = share_of(rows)
    if share > IMPORT:
        told.append(f"importing takes {share:.2f} x torch's time")
    for row in rows:
        for who, one in row.runs.items():
            if abs(one.accuracy - row.torch.accuracy) > APART:
                apart = f"{one.accuracy:.1%} of {who} and {row.torch.accuracy:.1%} of torch"
                told.append(f"width {row.hidden}: accuracies are {apart}")
    return told


def share_of(rows: Sequence[Row]) -> float:
    """Return the time of importing shimhub.pure, as a part of torch's."""
    least = [min(row.runs[who].imported for row in rows) for who in ("ours", "torch")]
    return least[0] / least[1]


def crossing(rows: Sequence[Row], who: str = "ours") -> str:
    """Return between which widths a step of torch's begins to be the faster one."""
    slower = [row.hidden for row in rows if row.runs[who].step > row.torch.step]
    faster = [row.hidden for row in rows if row.hidden < min(slower, default=math.inf)]
    if not slower:
        return f"up to {rows[-1].hidden} hidden units ours is the faster one"
    if not faster:
        return f"from {slower[0]} hidden units, the least measured, torch's is the faster one"
    return (
        f"up to {faster[-1]} hidden units ours is the faster one, and from {slower[0]} on torch's"
    )


def page(whose: str, small: Sequence[Row], large: Sequence[Row], rounds: int) -> str:
    """Return the page of the figures."""
    head = (
        "# shimhub.pure and torch, end to end\n\n"
        "Processes that import, train a model with one hidden layer and ReLU by SGD with momentum "
        "in batches of 32, test it and end; each on one thread, in turns, "
        f"{rounds} of each, of which the medians are here. All begin with the same values and see "
        "the same batches. `python -m tests.bench.pure --write` wrote this.\n\n"
        f"Importing shimhub.pure takes {share_of((*small, *large)):.3f} of the time of importing "
        f"torch, the least of all processes of each; {IMPORT} are allowed."
    )
    after = (
        "The seconds are of the whole process, the start what it takes beside its steps: the "
        "interpreter, importing, reading the digits, and what torch loads at its first step. "
        "Importing and a step are told in the processor's time, a step as the median of 25 in a "
        "row. The "
        "last column has the steps after which torch has made up for its start; "
        '"never" where its steps take longer, too. "ours" is the default mode, in which no torch '
        'is imported; "AUTO" lets torch compute what was measured to be faster there.'
    )
    parts = [head, after]
    for title, rows in (
        (f"Digits of 8 x 8 ({whose}), 1,437 to learn and 360 to test", small),
        ("Digits of 28 x 28 (drawn), 60,000 to learn and 2,000 to test", large),
    ):
        told = f"{rows[0].steps} steps. Of a step alone: {crossing(rows)}."
        if "auto" in rows[0].runs:
            told += f" With AUTO: {crossing(rows, 'auto')}."
        parts += [f"## {title}", told, table(rows)]
    return "\n\n".join(parts) + "\n"


_NAMES = {"ours": "ours", "auto": "AUTO", "torch": "torch"}
_COLUMNS: dict[str, Callable[[Row, Run], str]] = {
    "seconds": lambda _, one: f"{one.seconds:.2f}",
    "start, s": lambda row, one: f"{row.start(one):.2f}",
    "import, s": lambda _, one: f"{one.imported:.2f}",
    "a step, µs": lambda _, one: f"{one.step * 1e6:.0f}",
    "accuracy": lambda _, one: f"{one.accuracy:.1%}",
}


def table(rows: Sequence[Row]) -> str:
    """Return the lines of a table, a row for each width."""
    who = list(rows[0].runs)
    header = [f"{name}: {_NAMES[one]}" for name in _COLUMNS for one in who]
    lines = [["hidden", *header, "torch is done sooner from"], ["--:"] * (len(header) + 2)]
    lines += [cells(row) for row in rows]
    return "\n".join(f"| {' | '.join(one)} |" for one in lines)


def cells(row: Row) -> list[str]:
    """Return one line of a table."""
    found = [tell(row, one) for tell in _COLUMNS.values() for one in row.runs.values()]
    never = math.isinf(row.crossover)
    return [f"{row.hidden}", *found, "never" if never else f"{row.crossover:,.0f} steps"]
