"""Who does the tasks of a job: processes here, ranks of a launcher, Ray, or Dask.

A runner calls ``attempt(job, stage, index)`` once for each task that has no mark, anywhere that
sees the folder of the output. Marks and files are all that tasks leave, so that runners differ
in nothing but speed.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from shimhub.data.errors import DataError
from shimhub.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shimhub.data.jobs._work import Job, Stage

RUNNERS: Final = {
    "local": "LocalRunner",
    "env": "EnvRunner",
    "ray": "RayRunner",
    "dask": "DaskRunner",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """How many workers, where they are, and how long to wait for other ranks."""

    workers: int | None = None
    shards: int | None = None
    address: str | None = None
    timeout: float = 1800.0
    progress: Callable[[str, int, int], None] | None = None

    def __post_init__(self) -> None:
        for name in ("workers", "shards"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
                raise TypeError(f"{name}={value!r} is {type(value).__name__}: give an int")
            if value is not None and value < 1:
                raise DataError(f"{name}={value}: give 1 or more")


class Runner:
    """Base of the runners: one process that drives, and does not share the job with others."""

    #: Whether this process prepares the output and writes the manifest.
    is_first = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def begin(self, job: Job, prepare: Callable[[], None]) -> None:
        """Have the output prepared, once."""
        prepare()

    def run(
        self,
        job: Job,
        stage: Stage,
        units: list[list[int]],
        done: Collection[int],
        tell: Callable[[int], None],
    ) -> None:
        """Do the tasks of all units but those in ``done``; ``tell`` each task that is done.

        Returns when all tasks have a mark. The first error ends what still runs.
        """
        raise NotImplementedError

    def finish(self, job: Job, finish: Callable[[], None], made: dict[str, Any]) -> dict[str, Any]:
        """Have the manifest written, once, and return it."""
        finish()
        return made

    def skip(self, job: Job, made: dict[str, Any]) -> dict[str, Any]:
        """Return the manifest of a job that was finished before."""
        return made

    def close(self) -> None:
        """End what was started; nothing that was there before."""


def open_runner(name: str, settings: Settings) -> Runner:
    """Return the runner of that name; nothing is started before it has something to do.

    Raises:
        DataError: there is none, or its settings are wrong.
    """
    if settings.address is not None and name in {"local", "env"}:
        raise DataError(f"address={settings.address!r}: runner={name!r} has none; leave one out")
    if name not in RUNNERS:
        near = nearest(str(name), RUNNERS)
        raise DataError(f"runner={name!r} is none of {', '.join(RUNNERS)}{near}")
    module = importlib.import_module(f"{__name__}.{name}")
    made: Runner = getattr(module, RUNNERS[name])(settings)
    return made


def is_first(name: str) -> bool:
    """Whether this process tells the result: of several ranks, the first one does."""
    if name != "env":
        return True
    from shimhub.data.runners.env import rank_of

    found = rank_of(os.environ)
    return found is None or found[0] == 0


def cpus() -> int:
    """Return how many CPUs this process may use: its affinity, and its cgroup's quota."""
    found = os.cpu_count() or 1
    with contextlib.suppress(AttributeError):  # not on macOS and Windows
        found = len(os.sched_getaffinity(0))
    return max(1, min(found, _quota("/sys/fs/cgroup/cpu.max")))


def _quota(path: str) -> int:
    """Return the CPUs of a cgroup v2, rounded up; many where it has no limit."""
    try:
        with open(path, encoding="ascii") as file:
            quota, period = file.read().split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError):  # no cgroup v2, or "max"
        return 1 << 16


def remaining(units: list[list[int]], done: Collection[int]) -> list[list[int]]:
    """Return the units without the tasks that are done, and without empty ones."""
    left = ([index for index in unit if index not in done] for unit in units)
    return [unit for unit in left if unit]
