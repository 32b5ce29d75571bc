"""What the faces of jobs share: their options, and a run with progress."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shimhub.data.jobs import _places
from shimhub.data.jobs._options import decoding, finding, refuse_unknown, sources_of, working
from shimhub.data.jobs._plan import make_job, run_job
from shimhub.data.jobs._progress import progress as bar
from shimhub.data.reading import _reading
from shimhub.data.writing._writers import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data.jobs._options import JobOptions, Work
    from shimhub.data.jobs._progress import Progress
    from shimhub.data.jobs._work import Job, Stage
    from shimhub.data.reading._asked import Asked


@dataclass(frozen=True, slots=True)
class Request:
    """A job as it was asked for; ``job()`` looks at the inputs."""

    kind: str
    inputs: object
    out: str
    #: How the inputs are found: what ``_sources.resolve`` takes.
    source: dict[str, Any]
    asked: Asked
    work: Work
    format: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    needed: int | None = None

    @classmethod
    def of(
        cls,
        face: Callable[..., Any],
        inputs: object,
        out: str | os.PathLike[str],
        asked: JobOptions,
        columns: Iterable[str] | None = None,
        **more: Any,
    ) -> Request:
        """Return the request of the keyword arguments of a face, which gives the job its name.

        Raises:
            TypeError: an argument is of a wrong type, or the face has none of that name.
            DataError: an argument has a wrong value.
        """
        refuse_unknown(face, asked)
        how, read = finding(asked), decoding(asked, columns)
        return cls(face.__name__, inputs, os.fspath(out), how, read, working(asked), **more)

    def schema(self) -> pa.Schema:
        """Return the schema of the inputs, before there is a plan; ``job()`` looks again."""
        sources = sources_of(self.inputs, self.source)
        unify = self.asked.on_drift == "unify"
        return _reading.reading(sources, self.asked.options(), unify, None).schema

    def job(self) -> Job:
        """Return the job."""
        options = self.asked.options()
        return make_job(
            self.kind,
            self.inputs,
            self.out,
            params=self.params,
            options=options,
            form=self.format,
            unify=self.asked.on_drift == "unify",
            block_bytes=self.work.block_bytes,
            overwrite=self.work.overwrite,
            needed=self.needed,
            **self.source,
        )


def run(
    request: Request,
    job: Job,
    stages: Sequence[Stage],
    result: Callable[[Job], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Run a job, with a bar for each stage if no function is told; return its manifest."""
    progress = request.work.progress
    if callable(progress):
        return _run(request.work, job, stages, progress, result)
    size = sum(max(one.size, 0) for one in job.sources)
    with steps(request.kind, size, progress) as tell:
        return _run(request.work, job, stages, tell, result)


@contextlib.contextmanager
def steps(kind: str, size: int, enabled: bool | None) -> Iterator[Callable[[str, int, int], None]]:
    """Give what ``run_job`` tells its progress to: a bar for each stage, as ``_progress`` does it.

    ``size`` is that of the inputs in bytes; tasks count as equal shares of it.
    """
    told = _Steps(kind, size, enabled)
    try:
        yield told.tell
    except BaseException:  # Ctrl-C too ends the bar; raised again
        told.close("stopped")
        raise
    told.close("done")


def _run(
    work: Work, job: Job, stages: Sequence[Stage], progress: Any, result: Any
) -> dict[str, Any]:
    return run_job(
        job,
        stages,
        runner=work.runner,
        workers=work.workers,
        shards=work.shards,
        address=work.address,
        progress=progress,
        result=result,
        timeout=work.timeout,
    )


def schema_of(job: Job) -> pa.Schema:
    """Return the schema of a job's rows, which ``make_job`` has found."""
    assert job.options.schema is not None
    return job.options.schema


def is_one_file(out: str | os.PathLike[str]) -> bool:
    """Whether a job that writes there merges its parts into one file."""
    return bool(_places.place(os.fspath(out), None).target)


def written_format(out: str | os.PathLike[str], format: str | None) -> str | None:  # noqa: A002
    """Return the format of the parts: Parquet, where neither an option nor the name says it."""
    is_told = format is not None or is_one_file(out)
    return format if is_told else "parquet"


def write_part(
    job: Job, index: int, schema: pa.Schema, batches: Iterable[pa.RecordBatch]
) -> dict[str, Any]:
    """Write a part, and return what its task tells of it."""
    name = job.part(index)
    told = write_file(os.path.join(job.out, name), batches, schema, job.scratch())
    return {"files": [name], **told}


class _Steps:
    """The bar of the stage that runs."""

    def __init__(self, kind: str, size: int, enabled: bool | None) -> None:
        self._kind, self._size, self._enabled = kind, size, enabled
        self._bar: Progress | None = None
        self._stage, self._done = "", 0

    def tell(self, stage: str, done: int, tasks: int) -> None:
        """Advance to how many of a stage's tasks are done."""
        now = self._size * done // max(tasks, 1)
        if self._bar is None or stage != self._stage:
            self.close("done")
            self._stage, self._done = stage, now
            label = self._kind if stage == self._kind else f"{self._kind} {stage}"
            self._bar = bar(self._size or None, label, self._enabled, done=now)
        self._bar.advance(bytes=now - self._done)
        self._done = now

    def close(self, end: str) -> None:
        """Tell how the stage has ended."""
        if self._bar is not None:
            self._bar.close(end)
