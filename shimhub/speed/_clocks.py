"""What a step takes on each kind of device, by the clock that fits it."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from typing import Any

Step = Callable[[], object]
#: Returns the seconds of each of ``timings`` runs of ``inner`` steps, over ``inner``.
Clock = Callable[[Step, int, int], list[float]]


def clock_of(device: str | None = None) -> Clock:
    """Return the clock of a device; of none named: of CUDA where this process has used it."""
    kind = (device or _in_use()).split(":")[0]
    if kind == "cpu":
        return wall
    import torch

    return cuda_events if kind == "cuda" else _synchronised(torch.accelerator.synchronize)


def wall(step: Step, timings: int, inner: int) -> list[float]:
    """Time by the wall clock: what waits counts as much as what works."""
    return _timed(step, timings, inner, _nothing)


def cuda_events(step: Step, timings: int, inner: int) -> list[float]:
    """Time by events in the current stream, with one synchronisation after all of them."""
    import torch

    event: Any = torch.cuda.Event  # its __new__ has no types
    marks = [event(enable_timing=True) for _ in range(timings + 1)]
    marks[0].record()
    for mark in marks[1:]:
        for _ in range(inner):
            step()
        mark.record()
    torch.cuda.synchronize()
    spans = itertools.pairwise(marks)
    return [float(start.elapsed_time(end)) / 1000 / inner for start, end in spans]


def _synchronised(wait: Callable[[], object]) -> Clock:
    return lambda step, timings, inner: _timed(step, timings, inner, wait)


def _timed(step: Step, timings: int, inner: int, wait: Callable[[], object]) -> list[float]:
    found = []
    wait()
    for _ in range(timings):
        start = time.perf_counter()
        for _ in range(inner):
            step()
        wait()
        found.append((time.perf_counter() - start) / inner)
    return found


def _nothing() -> None:
    pass


def _in_use() -> str:
    """Return cuda if torch is there and has initialised it; asking initialises nothing."""
    torch = sys.modules.get("torch")
    return "cuda" if torch is not None and torch.cuda.is_initialized() else "cpu"
