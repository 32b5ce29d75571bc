"""Tasks of Ray, on its cluster or on one that is started here and stopped again.

The folder of the output must be seen by all nodes, and shimhub installed there.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from shimhub.data.errors import DataError, JobError, WorkerError
from shimhub.data.runners import Runner, cpus, remaining
from shimhub.data.runners._tasks import Failure, attempt, raised, task_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from shimhub.data.jobs._work import Job, Stage


class RayRunner(Runner):
    """``workers`` tasks at a time; by default as many as the cluster has CPUs."""

    _started = False

    def run(
        self,
        job: Job,
        stage: Stage,
        units: list[list[int]],
        done: Collection[int],
        tell: Callable[[int], None],
    ) -> None:
        """Do the tasks; see ``Runner.run``."""
        left = remaining(units, done)
        if left:
            _Round(_ray(), self._connect(), job, stage, tell).run(left)

    def _connect(self) -> int:
        """Join or start Ray; return how many tasks are in flight."""
        ray = _ray()
        if not ray.is_initialized():
            self._start(ray)
        return self.settings.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))

    def _start(self, ray: Any) -> None:
        address = self.settings.address
        here = {} if address else {"num_cpus": self.settings.workers or cpus()}
        try:
            with _no_usage_stats():
                ray.init(
                    address=address or "local",
                    include_dashboard=None if address else False,
                    log_to_driver=False,  # to stdout, which is the caller's
                    configure_logging=False,
                    **here,
                )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise JobError(
                f"Ray cannot be {'reached at ' + address if address else 'started'}: {error}"
            ) from error
        self._started = True

    def close(self) -> None:
        """Stop Ray, if it was started or joined here."""
        if self._started:
            _ray().shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise DataError("runner='ray' needs Ray: pip install 'shimhub[ray]'") from error
    return ray


@contextlib.contextmanager
def _no_usage_stats() -> Iterator[None]:
    """Have Ray report nothing to its makers, unless the user says otherwise."""
    name = "RAY_USAGE_STATS_ENABLED"
    if name in os.environ:
        yield
        return
    os.environ[name] = "0"
    try:
        yield
    finally:
        del os.environ[name]


def _do(job: Job, stage: Stage, unit: list[int]) -> list[Failure | None]:
    """Do a unit in a worker of Ray; the first failure ends it."""
    answers = []
    for index in unit:
        answers.append(attempt(job, stage, index))
        if answers[-1] is not None:
            break
    return answers


class _Round:
    """The tasks of one stage, some of them in flight."""

    def __init__(
        self, ray: Any, width: int, job: Job, stage: Stage, tell: Callable[[int], None]
    ) -> None:
        self._ray, self._width, self._tell = ray, width, tell
        self._job, self._stage = job, stage
        self._sent = ray.put(job)
        # One more try where a worker dies; what a task raises comes back as an answer.
        self._do = ray.remote(_do).options(max_retries=1, num_cpus=1)
        self._flying: dict[Any, list[int]] = {}

    def run(self, units: list[list[int]]) -> None:
        waiting = list(reversed(units))
        try:
            while waiting or self._flying:
                while waiting and len(self._flying) < self._width:
                    unit = waiting.pop()
                    self._flying[self._do.remote(self._sent, self._stage, unit)] = unit
                self._take()
        finally:
            for flying in self._flying:
                self._ray.cancel(flying, force=True)

    def _take(self) -> None:
        (ready,), _ = self._ray.wait(list(self._flying), num_returns=1)
        unit = self._flying.pop(ready)
        for index, failure in zip(unit, self._answers(ready, unit), strict=False):
            if failure is not None:
                raise raised(failure)
            self._tell(index)

    def _answers(self, ready: Any, unit: list[int]) -> list[Failure | None]:
        try:
            answers: list[Failure | None] = self._ray.get(ready)
        except self._ray.exceptions.RayError as error:
            what = task_name(self._job, self._stage, unit[0])
            raise WorkerError(f"{what}: Ray: {error}") from error
        return answers
