"""Tasks of Dask, on its cluster or on one of processes that is started here and stopped again.

The folder of the output must be seen by all workers, and shimhub installed there. Processes that
are started here run the user's script again up to ``if __name__ == "__main__"``: it needs one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shimhub.data.errors import DataError, JobError
from shimhub.data.runners import Runner, cpus, remaining
from shimhub.data.runners._flight import Flight, do_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shimhub.data.jobs._work import Job, Stage
    from shimhub.data.runners._tasks import Failure


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
            _Flight(distributed, client, width, job, stage, tell).run(left)

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


class _Flight(Flight):
    """Tasks of Dask; what one raises comes back as an answer."""

    engine = "Dask"

    def __init__(
        self,
        distributed: Any,
        client: Any,
        width: int,
        job: Job,
        stage: Stage,
        tell: Callable[[int], None],
    ) -> None:
        super().__init__(width, job, stage, tell)
        self._client, self.died = client, distributed.KilledWorker
        self._sent = client.scatter(job, broadcast=True, hash=False)
        self._done = distributed.as_completed(loop=client.loop)

    def send(self, unit: list[int]) -> Any:
        future = self._client.submit(do_unit, self._sent, self.stage, unit, pure=False)
        self._done.add(future)
        return future

    def ready(self) -> Any:
        return next(self._done)

    def answers(self, ready: Any) -> list[Failure | None]:
        found: list[Failure | None] = ready.result()
        return found

    def cancel(self, flying: list[Any]) -> None:
        self._client.cancel(flying, force=True)
