"""What a DataLoader could do better, with the reason and the change: advice, nothing is changed.

https://docs.pytorch.org/docs/2.13/data.html and
https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from shimhub.speed.model import Hardware

#: Batches in the queue per worker, where a DataLoader names none.
_QUEUE: Final = 2
#: Below this share of a step spent waiting for data, a faster loader gains less than 3 %.
_WAITING: Final = 0.03


@dataclass(frozen=True)
class Advice:
    """One setting of a DataLoader that is worth a try: what it is, what to write, and why."""

    setting: str
    now: Any
    better: Any
    reason: str

    def __str__(self) -> str:
        return f"{self.setting}={self.better!r} (now {self.now!r}): {self.reason}"


def advise(loader: Any, hardware: Hardware, *, waiting: float | None = None) -> tuple[Advice, ...]:
    """Return what could make a torch DataLoader faster on this hardware.

    Args:
        loader: the DataLoader; it is only looked at.
        hardware: where the training runs.
        waiting: share of a step, from 0 to 1, in which the training waits for the loader; what
            would feed it faster is left out where that is close to nothing.
    """
    if waiting is not None and waiting < _WAITING:
        return tuple(_steady(loader))
    return (*_feeding(loader, hardware, waiting), *_steady(loader))


def _feeding(loader: Any, hardware: Hardware, waiting: float | None) -> Iterator[Advice]:
    """Yield what brings batches sooner."""
    told = "" if waiting is None else f"; the training waits {waiting:.0%} of a step for data"
    cores = _cores()
    if loader.num_workers == 0 and cores > 1:
        workers = min(4, cores - 1)
        reason = f"batches are made between the steps, on one of {cores} cores{told}"
        yield Advice("num_workers", 0, workers, reason)
    if loader.num_workers > cores:
        reason = f"{loader.num_workers} workers share {cores} cores with the training"
        yield Advice("num_workers", loader.num_workers, max(1, cores - 1), reason)
    if hardware.kind in {"cuda", "rocm"} and not loader.pin_memory:
        reason = "copies to the GPU overlap with computing only from pinned memory"
        yield Advice("pin_memory", False, True, f"{reason}, by .to(device, non_blocking=True)")
    yield from _prefetching(loader, waiting)


def _prefetching(loader: Any, waiting: float | None) -> Iterator[Advice]:
    """Yield a longer queue where batches are known to come late."""
    if waiting is not None and loader.num_workers and (loader.prefetch_factor or _QUEUE) <= _QUEUE:
        reason = f"the training waits {waiting:.0%} of a step, and the queue holds two per worker"
        yield Advice("prefetch_factor", loader.prefetch_factor, 4, reason)


def _steady(loader: Any) -> Iterator[Advice]:
    """Yield what keeps epochs and shapes alike."""
    if loader.num_workers and not loader.persistent_workers:
        reason = "the workers are started again in each epoch"
        yield Advice("persistent_workers", False, True, reason)
    if _ends_short(loader):
        reason = "the last batch has another shape: compiled code and cudnn.benchmark start over"
        yield Advice("drop_last", False, True, f"{reason}; the rest of an epoch is not trained on")


def _ends_short(loader: Any) -> bool:
    """Whether the last batch of an epoch is smaller than the others."""
    if loader.batch_size is None or loader.drop_last:
        return False
    try:
        rows, size = len(loader.sampler), int(loader.batch_size)
    except (TypeError, NotImplementedError):
        return False  # a stream of unknown length
    return rows > size and rows % size != 0


def _cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
