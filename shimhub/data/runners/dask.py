"""Tasks of Dask, on its cluster or on one of processes that is started here and stopped again.

The folder of the output must be seen by all workers, and shimhub installed there. Processes that
are started here run the user's script again up to ``if __name__ == "__main__"``: it needs one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shimhub.data.errors import DataError, JobError, WorkerError
from shimhub.data.runners import Runner, cpus, remaining
from shimhub.data.runners._tasks import Failure, attempt, raised, task_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shimhub.data.jobs._work import Job, Stage


class DaskRunner(Runner):
    """``workers`` tasks at a time; by default as many as the cluster has threads."""

    _client: Any = None
    _cluster: Any = None

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
            distributed = _distributed()
            client = self._connect(distributed)
            width = self.settings.workers or max(1, sum(client.nthreads().values()))
            _Round(distributed, client, width, job, stage, tell).run(left)

    def _connect(self, distributed: Any) -> Any:
        """Join or start a cluster."""
        if self._client is None:
            address = self.settings.address or self._start(distributed)
            try:
                self._client = distributed.Client(address, set_as_default=False)
            except (OSError, ValueError) as error:
                raise JobError(f"Dask cannot be reached at {address}: {error}") from error
        return self._client

    def _start(self, distributed: Any) -> Any:
        self._cluster = distributed.LocalCluster(
            n_workers=self.settings.workers or cpus(),
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
        )
        return self._cluster

    def close(self) -> None:
        """Leave the cluster; stop it, if it was started here."""
        for one in (self._client, self._cluster):
            if one is not None:
                one.close()


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise DataError("runner='dask' needs Dask: pip install 'shimhub[dask]'") from error
    return distributed


def _do(job: Job, stage: Stage, unit: list[int]) -> list[Failure | None]:
    """Do a unit in a worker of Dask; the first failure ends it."""
    answers = []
    for index in unit:
        answers.append(attempt(job, stage, index))
        if answers[-1] is not None:
            break
    return answers


class _Round:
    """The tasks of one stage, some of them in flight."""

    def __init__(
        self,
        distributed: Any,
        client: Any,
        width: int,
        job: Job,
        stage: Stage,
        tell: Callable[[int], None],
    ) -> None:
        self._client, self._width, self._tell = client, width, tell
        self._killed = distributed.KilledWorker
        self._job, self._stage = job, stage
        self._sent = client.scatter(job, broadcast=True, hash=False)
        self._done = distributed.as_completed(loop=client.loop)
        self._flying: dict[Any, list[int]] = {}

    def run(self, units: list[list[int]]) -> None:
        waiting = list(reversed(units))
        try:
            while waiting or self._flying:
                while waiting and len(self._flying) < self._width:
                    self._give(waiting.pop())
                self._take(next(self._done))
        finally:
            self._client.cancel(list(self._flying), force=True)

    def _give(self, unit: list[int]) -> None:
        future = self._client.submit(_do, self._sent, self._stage, unit, pure=False)
        self._flying[future] = unit
        self._done.add(future)

    def _take(self, ready: Any) -> None:
        unit = self._flying.pop(ready)
        try:
            answers: list[Failure | None] = ready.result()
        except self._killed as error:
            what = task_name(self._job, self._stage, unit[0])
            raise WorkerError(f"{what}: Dask: {error}") from error
        for index, failure in zip(unit, answers, strict=False):
            if failure is not None:
                raise raised(failure)
            self._tell(index)
