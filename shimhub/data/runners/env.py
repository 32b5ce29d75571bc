"""Ranks that a launcher started: torchrun, srun or mpirun; each does its share of every stage.

The ranks meet through files in the state folder, which all must see. Rank 0 prepares the output
and writes the manifest; a stage begins when all marks of the one before are there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from shimhub.data.errors import DataError, JobError
from shimhub.data.jobs._marks import done as marked
from shimhub.data.runners import Runner, Settings
from shimhub.data.runners.local import LocalRunner
from shimhub.data.writing._files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from shimhub.data.jobs._work import Job, Stage

#: Variables of rank and number of ranks: torchrun (and accelerate), srun, Open MPI, other MPI.
VARIABLES: Final = (
    ("RANK", "WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
)
#: Seconds between two looks: the first, and the longest.
_FIRST_LOOK: Final = 0.02
_LONGEST_LOOK: Final = 1.0
_SHOWN: Final = 8


def rank_of(environ: Mapping[str, str]) -> tuple[int, int] | None:
    """Return rank and number of ranks; None if no launcher has set them.

    Raises:
        DataError: they are no such numbers.
    """
    for names in VARIABLES:
        if all(name in environ for name in names):
            told = [environ[name] for name in names]
            if not all(one.isdecimal() for one in told) or int(told[0]) >= int(told[1]):
                raise DataError(f"{names[0]}={told[0]} and {names[1]}={told[1]} are no rank")
            return int(told[0]), int(told[1])
    return None


class EnvRunner(Runner):
    """One rank; ``workers`` processes in it, one by default."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        found = rank_of(os.environ)
        if found is None:
            raise DataError(
                "runner='env' needs ranks: start this by torchrun, srun or mpirun (RANK and "
                "WORLD_SIZE are not set), or use runner='local'"
            )
        self.rank, self.world = found
        self.is_first = self.rank == 0
        self._local = LocalRunner(Settings(workers=settings.workers or 1))
        self._own = secrets.token_hex(8)
        #: What each rank calls itself in this run, so that files of an earlier one do not count.
        self._names: dict[str, str] = {}

    def begin(self, job: Job, prepare: Callable[[], None]) -> None:
        """Meet the other ranks; rank 0 prepares the output when all are there."""
        if self.is_first:
            self._call(job, prepare)
        else:
            self._answer(job)

    def _call(self, job: Job, prepare: Callable[[], None]) -> None:
        """Ask all ranks to answer this call, prepare, and tell who answered."""
        os.makedirs(_ranks(job), exist_ok=True)
        _tell(job, "call", {"call": self._own})
        wait = _Wait(self.settings.timeout)
        while missing := [r for r in range(1, self.world) if not self._has_answered(job, r)]:
            wait.look(len(missing), lambda: f"{_told(missing)} of {self.world} have not started")
        prepare()
        self._names["0"] = self._own
        _tell(job, "go", {"call": self._own, "names": self._names})

    def _has_answered(self, job: Job, rank: int) -> bool:
        found = _heard(job, f"{rank}")
        if found.get("call") != self._own:
            return False
        self._names[str(rank)] = found["name"]
        return True

    def _answer(self, job: Job) -> None:
        """Answer each call of rank 0, and wait until it has heard this very process."""
        wait, answered = _Wait(self.settings.timeout), ""
        while True:
            call = _heard(job, "call").get("call", "")
            if call != answered:
                _tell(job, f"{self.rank}", {"call": call, "name": self._own})
                answered = call
            go = _heard(job, "go")
            if go.get("names", {}).get(str(self.rank)) == self._own:
                self._names = go["names"]
                return
            wait.look(answered, lambda: "rank 0 has not prepared the output")

    def run(
        self,
        job: Job,
        stage: Stage,
        units: list[list[int]],
        done: Collection[int],
        tell: Callable[[int], None],
    ) -> None:
        """Do every ``world``-th unit, then wait until all others are done."""
        with self._telling(job):
            self._local.run(job, stage, units[self.rank :: self.world], done, tell)
        self._wait_for(job, stage, units)

    @contextlib.contextmanager
    def _telling(self, job: Job) -> Iterator[None]:
        """Tell the other ranks of an error."""
        try:
            yield
        except BaseException as error:
            words = f"{type(error).__name__}: {error}"
            _tell(job, f"{self.rank}.failed", {"name": self._own, "error": words})
            raise

    def _wait_for(self, job: Job, stage: Stage, units: list[list[int]]) -> None:
        wait = _Wait(self.settings.timeout)
        while missing := set(range(stage.tasks)) - marked(job, stage):
            self._refuse_failed(job)
            wait.look(len(missing), lambda: self._owed(stage, units, missing))

    def _refuse_failed(self, job: Job) -> None:
        for rank, name in self._names.items():
            found = _heard(job, f"{rank}.failed")
            if found.get("name") == name:
                raise JobError(f"rank {rank} has failed: {found['error']}")

    def _owed(self, stage: Stage, units: list[list[int]], missing: set[int]) -> str:
        owes = {
            rank: sorted(i for unit in units[rank :: self.world] for i in unit if i in missing)
            for rank in range(self.world)
        }
        told = [f"rank {rank} owes {_some(tasks)}" for rank, tasks in owes.items() if tasks]
        return f"stage {stage.name!r} is not done: {'; '.join(told)}"

    def finish(self, job: Job, finish: Callable[[], None], made: dict[str, Any]) -> dict[str, Any]:
        """Leave together: rank 0 removes the state when all have seen the end."""
        wait = _Wait(self.settings.timeout)
        if self.is_first:
            while missing := [r for r in range(1, self.world) if not self._has_seen(job, r)]:
                self._refuse_failed(job)
                wait.look(len(missing), lambda: f"{_told(missing)} have not seen the end")
            with self._telling(job):
                finish()
            return made
        _tell(job, f"{self.rank}.end", {"name": self._own})
        while os.path.lexists(os.path.join(_ranks(job), f"{self.rank}.end")):
            self._refuse_failed(job)
            wait.look(None, lambda: "rank 0 has not written the manifest")
        return made

    def _has_seen(self, job: Job, rank: int) -> bool:
        return _heard(job, f"{rank}.end").get("name") == self._names[str(rank)]

    def close(self) -> None:
        """End the workers."""
        self._local.close()


class _Wait:
    """Look again, less and less often, until nothing has changed for too long."""

    def __init__(self, timeout: float) -> None:
        self._timeout, self._pause = timeout, _FIRST_LOOK
        self._seen: object = self
        self._until = 0.0

    def look(self, seen: object, what: Callable[[], str]) -> None:
        """Sleep; raise ``JobError`` with ``what()`` if ``seen`` is the same for too long."""
        if seen != self._seen:
            self._seen, self._pause = seen, _FIRST_LOOK
            self._until = time.monotonic() + self._timeout
        if time.monotonic() > self._until:
            raise JobError(f"{what()}, and nothing came for {self._timeout:g} s (timeout=)")
        time.sleep(self._pause)
        self._pause = min(_LONGEST_LOOK, self._pause * 1.5)


def _ranks(job: Job) -> str:
    return os.path.join(job.state, "ranks")


def _tell(job: Job, name: str, value: dict[str, Any]) -> None:
    os.makedirs(_ranks(job), exist_ok=True)
    write_json(os.path.join(_ranks(job), name), value)


def _heard(job: Job, name: str) -> dict[str, Any]:
    return read_json(os.path.join(_ranks(job), name)) or {}


def _told(ranks: list[int]) -> str:
    return f"rank{'s' if len(ranks) > 1 else ''} {_some(ranks)}"


def _some(numbers: list[int]) -> str:
    told = ", ".join(map(str, numbers[:_SHOWN]))
    return told + (f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else "")
