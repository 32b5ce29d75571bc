"""Tasks on an engine of somebody else's: some in flight at a time, told as they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shimhub.data.errors import WorkerError
from shimhub.data.runners._tasks import Failure, attempt, raised, task_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from shimhub.data.jobs._work import Job, Stage


def do_unit(job: Job, stage: Stage, unit: list[int]) -> list[Failure | None]:
    """Do a unit in a worker; the first failure ends it."""
    answers = []
    for index in unit:
        answers.append(attempt(job, stage, index))
        if answers[-1] is not None:
            break
    return answers


class Flight:
    """The tasks of one stage; an engine says how units are sent, awaited and called back."""

    #: The engine's name, and what it raises where a worker died twice.
    engine = ""
    died: type[Exception] | tuple[type[Exception], ...] = ()

    def __init__(self, width: int, job: Job, stage: Stage, tell: Callable[[int], None]) -> None:
        self.job, self.stage = job, stage
        self._width, self._tell = width, tell
        self.flying: dict[Any, list[int]] = {}

    def send(self, unit: list[int]) -> Any:
        """Begin a unit; return what stands for it."""
        raise NotImplementedError

    def ready(self) -> Any:
        """Wait for one of ``flying``."""
        raise NotImplementedError

    def answers(self, ready: Any) -> list[Failure | None]:
        """Return what ``do_unit`` returned; raises ``died``."""
        raise NotImplementedError

    def cancel(self, flying: list[Any]) -> None:
        """End units that have begun, or not."""
        raise NotImplementedError

    def run(self, units: list[list[int]]) -> None:
        """Do all units; the first error ends what is in flight."""
        waiting = list(reversed(units))
        try:
            while waiting or self.flying:
                while waiting and len(self.flying) < self._width:
                    unit = waiting.pop()
                    self.flying[self.send(unit)] = unit
                self._take(self.ready())
        finally:
            self.cancel(list(self.flying))

    def _take(self, ready: Any) -> None:
        unit = self.flying.pop(ready)
        try:
            answers = self.answers(ready)
        except self.died as error:
            what = task_name(self.job, self.stage, unit[0])
            raise WorkerError(f"{what}: {self.engine}: {error}") from error
        for index, failure in zip(unit, answers, strict=False):
            if failure is not None:
                raise raised(failure)
            self._tell(index)
