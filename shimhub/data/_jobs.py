"""What the faces of jobs share: their options, and a run with progress."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from shimhub.data._asked import Asked
from shimhub.data._plan import BLOCK_BYTES, make_job, run_job
from shimhub.data._progress import progress as bar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shimhub.data._model import Options
    from shimhub.data._progress import Progress
    from shimhub.data._work import Job, Stage


@dataclass(frozen=True, slots=True)
class Where:
    """How inputs are found: the keyword arguments of ``_sources.resolve``."""

    format: str | None = None
    compression: str | None = None
    split: str | None = None
    follow_symlinks: bool = False
    storage: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """Who does the work: none of it shows in the output but ``block_bytes``."""

    runner: str = "local"
    workers: int | None = None
    shards: int | None = None
    address: str | None = None
    overwrite: bool = False
    progress: bool | None = None
    block_bytes: int = BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class Request:
    """A job as it was asked for; ``job()`` looks at the inputs."""

    kind: str
    inputs: object
    out: str
    where: Where
    asked: Asked
    work: Work
    form: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    needed: int | None = None

    @classmethod
    def of(cls, kind: str, inputs: object, out: str, asked: dict[str, Any], **more: Any) -> Request:
        """Return the request of a face's keyword arguments. Raises ``TypeError`` for unknown ones.

        ``asked`` has the options of finding, reading and working in one.
        """
        where, rest = _taken(Where, asked)
        work, rest = _taken(Work, rest)
        return cls(kind, inputs, out, where, Asked(**rest), work, **more)

    def job(self, **changed: Any) -> Job:
        """Return the job; the options of reading may be changed."""
        options = replace(self.asked.options(), **changed)
        return make_job(
            self.kind,
            self.inputs,
            self.out,
            params=self.params,
            options=options,
            form=self.form,
            schema=self._schema(options),
            block_bytes=self.work.block_bytes,
            overwrite=self.work.overwrite,
            needed=self.needed,
            **{one.name: getattr(self.where, one.name) for one in fields(Where)},
        )

    def _schema(self, options: Options) -> Any:
        return options.schema


def _taken(kind: type[Any], asked: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return an object of those arguments that it has, and the others."""
    names = {one.name for one in fields(kind)}
    mine = {name: value for name, value in asked.items() if name in names}
    return kind(**mine), {name: value for name, value in asked.items() if name not in names}


def run(
    request: Request,
    job: Job,
    stages: Sequence[Stage],
    result: Callable[[Job], dict[str, Any]],
) -> dict[str, Any]:
    """Run a job with a bar for all of its stages; returns its manifest."""
    work, size = request.work, sum(max(one.size, 0) for one in job.sources)
    with bar(size * len(stages) or None, request.kind, work.progress) as told:
        return run_job(
            job,
            stages,
            runner=work.runner,
            workers=work.workers,
            shards=work.shards,
            address=work.address,
            progress=_Steps(told, size).tell,
            result=result,
        )


class _Steps:
    """Tasks that are done, as bytes of input: each of a stage is as large as the next."""

    def __init__(self, told: Progress, size: int) -> None:
        self._told, self._size = told, size
        self._done: dict[str, int] = {}

    def tell(self, stage: str, done: int, tasks: int) -> None:
        """Advance to how many of a stage's tasks are done."""
        now = self._size * done // max(tasks, 1)
        before = self._done.get(stage, 0)
        if now > before:
            self._done[stage] = now
            self._told.advance(bytes=now - before)
