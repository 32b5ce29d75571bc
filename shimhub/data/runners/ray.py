"""Tasks of Ray, on its cluster or on one that is started here and stopped again.

The folder of the output must be seen by all nodes, and shimhub installed there.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from shimhub.data.errors import DataError, JobError
from shimhub.data.runners import Runner, cpus, remaining
from shimhub.data.runners._flight import Flight, do_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from shimhub.data.jobs._work import Job, Stage
    from shimhub.data.runners._tasks import Failure


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
            _Flight(_ray(), self._connect(), job, stage, tell).run(left)

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


class _Flight(Flight):
    """Tasks of Ray; what one raises comes back as an answer, so a retry is for dead workers."""

    engine = "Ray"

    def __init__(
        self, ray: Any, width: int, job: Job, stage: Stage, tell: Callable[[int], None]
    ) -> None:
        super().__init__(width, job, stage, tell)
        self._ray, self.died = ray, ray.exceptions.RayError
        self._sent = ray.put(job)
        self._do = ray.remote(do_unit).options(max_retries=1, num_cpus=1)

    def send(self, unit: list[int]) -> Any:
        return self._do.remote(self._sent, self.stage, unit)

    def ready(self) -> Any:
        (ready,), _ = self._ray.wait(list(self.flying), num_returns=1)
        return ready

    def answers(self, ready: Any) -> list[Failure | None]:
        found: list[Failure | None] = self._ray.get(ready)
        return found

    def cancel(self, flying: list[Any]) -> None:
        for one in flying:
            self._ray.cancel(one, force=True)
