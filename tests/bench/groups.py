"""The groups of measurements: each runs in a process of its own, so that none disturbs another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import in_process, startup
from tests.bench.timing import Samples


@dataclass(frozen=True)
class Group:
    """One table of figures: its title, its unit, the case that the others are compared with.

    ``at`` is the figure by which they are: ``low`` or ``quartile``.
    """

    title: str
    unit: str
    base: str
    measure: Callable[[], Samples]
    at: str = "low"


GROUPS = {
    "finder": Group("Finder, name that is no target", "ns", "wrapt", in_process.measure_finders),
    "imports": Group(
        "Import of a module that is no target", "µs", "bare", in_process.measure_imports
    ),
    "calls": Group("Call", "ns", "callee", in_process.measure_calls),
    "attributes": Group("Module attribute", "ns", "plain module", in_process.measure_attributes),
    "start-up": Group(
        "Start of the interpreter", "ms", "bare python", startup.measure_light, "quartile"
    ),
    "rivals": Group(
        "Start beside active rivals", "ms", "bare python", startup.measure_rivals, "quartile"
    ),
    "loading": Group("Start and load", "ms", "bare python", startup.measure_heavy, "quartile"),
}


def measure(name: str) -> Samples:
    """Measure one group in a new process; what it says on stderr is shown."""
    command = [sys.executable, "-m", "tests.bench", "--measure", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    samples: Samples = json.loads(done.stdout)
    return samples
