"""Who says whether a knob is faster: shimhub, a timer as one writes it, and two from PyPI.

Each is given a knob that does nothing here: TF32 for CUDA, on a CPU.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata, util
from typing import Any

from shimhub.speed import Timing, Verdict, compare
from tests.bench.speed import workload

#: What one judgement came to: whether a gain was claimed, the ratio, and the verdict in words.
Said = tuple[bool, float, str]
_FLOOR = 1.03


@dataclass(frozen=True)
class Judge:
    """One way to judge a knob: how often it is asked, and for how long at most."""

    name: str
    about: str
    ask: Callable[[int], Said]
    times: int
    limit_s: float
    needs: str = ""

    def missing(self) -> str:
        """Return what is to be installed before it can be asked; empty where it is here."""
        return self.needs if self.needs and not util.find_spec(_module(self.needs)) else ""

    def title(self) -> str:
        """Return the name with the version that is installed."""
        return f"{self.name} {metadata.version(self.name)}" if self.needs else self.name


def ours(turn: int) -> Said:
    """Ask ``compare``, which may take two seconds."""
    step = workload.training_step()
    return said(compare(step, step, switch=workload.tf32, budget_s=2.0, seed=turn))


def said(timing: Timing) -> Said:
    """Return what a Timing says."""
    return timing.verdict is Verdict.FASTER, timing.ratio, timing.verdict.value


def one_after_the_other(_turn: int) -> Said:
    """Time one arm, then the other: the median of three runs of 50 ms, and a floor of 3 %."""
    step = workload.training_step()
    taken = []
    for on in (False, True):
        workload.tf32(on)
        taken.append(_median_of_three(step))
    workload.tf32(False)
    return _claimed(taken[0] / taken[1], _FLOOR)


def _median_of_three(step: Callable[[], None]) -> float:
    for _ in range(5):
        step()
    return statistics.median(_mean_step(step) for _ in range(3))


def _mean_step(step: Callable[[], None], seconds: float = 0.05) -> float:
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        steps += 1
    return (time.perf_counter() - start) / steps


def pytorch_autotune(_turn: int) -> Said:
    """Call its ``autotune`` without compilers, and look at what it says of TF32."""
    from pytorch_autotune.tuner import autotune

    with contextlib.redirect_stdout(io.StringIO()):
        found: Any = autotune(
            workload.model(),
            workload.batch(),
            device="cpu",
            budget=60,
            cache=False,
            compile_modes=[],
            verbose=False,
        )
    report = found.report
    (tried,) = [one for one in report.trials if one.config.precision == "tf32"]
    return _claimed(report.baseline_ms / tried.ms_per_step, _FLOOR)


def slowai(_turn: int) -> Said:
    """Profile the file as ``slowai fix`` does, then with its TF32 remedy alone."""
    from slowai.diagnose import classify
    from slowai.profiler import profile_workload
    from slowai.remediate import REMEDY_TF32, FixReport, _apply_one_remedy

    path = str(workload.__file__)
    before = classify(profile_workload(path))
    report: Any = FixReport(workload=path, baseline_diagnosis=before)
    report.results.append(_apply_one_remedy(path, REMEDY_TF32, before))
    is_best = report.best is not None
    return is_best, report.results[0].speedup, "best" if is_best else "not faster"


def _claimed(ratio: float, least: float) -> Said:
    return ratio >= least, ratio, "FASTER" if ratio >= least else "not faster"


def _module(requirement: str) -> str:
    return requirement.partition("==")[0].replace("-", "_")


JUDGES = (
    Judge("shimhub", "compare(step, step, switch=tf32, budget_s=2)", ours, 200, 450),
    Judge(
        "sequential timer",
        "one arm after the other, median of three runs of 50 ms, floor of 3 %",
        one_after_the_other,
        200,
        120,
    ),
    Judge(
        "pytorch-autotune",
        "autotune(model, batch, device='cpu', compile_modes=[]): its trial of TF32, by its own"
        " floor of 3 %",
        pytorch_autotune,
        40,
        150,
        needs="pytorch-autotune==2.0.0",
    ),
    Judge(
        "slowai",
        "what `slowai fix` does, with the remedy TF32 alone: best is what is above 1.0",
        slowai,
        60,
        60,
        needs="slowai==0.10.0",
    ),
)
