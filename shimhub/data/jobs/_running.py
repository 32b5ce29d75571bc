"""Run a job: stage after stage, only what is not done yet; then the manifest."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Any

from shimhub._version import __version__
from shimhub.data.errors import JobError, nothing_read
from shimhub.data.jobs import _locks, _manifests, _marks, _places
from shimhub.data.jobs._merging import merge_stages
from shimhub.data.runners import Settings, open_runner
from shimhub.data.writing import _files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shimhub.data.jobs._work import Job, Stage
    from shimhub.data.runners import Runner


def run_job(
    job: Job,
    stages: Sequence[Stage],
    *,
    runner: str = "local",
    workers: int | None = None,
    shards: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    address: str | None = None,
    result: Callable[[Job], dict[str, Any]] | None = None,
    timeout: float = 1800.0,
) -> dict[str, Any]:
    """Do what is not done yet of a job, and return its manifest.

    Each stage's tasks run in any order, on ``runner``: "local" (``workers`` processes; by default
    the CPUs that this one may use, 1 is this process), "env" (this process is one rank of
    torchrun, srun or mpirun), "ray" or "dask" (at ``address``; else one is started here).
    ``shards`` is how many units the tasks are handed out in; by default each is one. None of this
    shows in the output. ``progress`` is called with a stage's name, and how many of how many
    tasks are done. ``result`` is called at the end, before the marks go (read them with
    ``_marks.told``), and returns JSON that the manifest has as "result". ``timeout`` is how many
    seconds a rank waits for another without anything new.

    An error leaves what was done: the same call goes on from there; where no task was done, it
    leaves nothing ("local" alone can tell that). A finished job with the same plan returns its
    manifest.

    Raises:
        JobError: the output is in the way, another process works on it, an input has changed.
        WorkerError: a task's process died twice.
        Exception: what a task raised, with a note (``__notes__``) that names stage and block.
    """
    every = [*stages, *merge_stages(job)]
    settings = Settings(workers, shards, address, timeout, progress)
    with _tidied(job, runner), contextlib.closing(open_runner(runner, settings)) as engine:
        if _places.check_output(job) == "finished":
            shutil.rmtree(_gone(job), ignore_errors=True)
            return engine.skip(job, _manifest_file(job))
        with _locked(job, engine):
            engine.begin(job, lambda: _prepare(job, every))
            for stage in every:
                _run_stage(engine, job, stage, shards, progress)
            made = _manifest(job, every, result)
            return engine.finish(job, lambda: _finish(job, made), made)


@contextlib.contextmanager
def _tidied(job: Job, runner: str) -> Iterator[None]:
    """After an error, or Ctrl-C, before a task was done, leave no folder that was not there before.

    Tasks of other runners than "local" may go on after it.
    """
    was_there = os.path.lexists(job.out)
    try:
        yield
    except BaseException:  # Ctrl-C too is tidied up after; raised again
        if runner == "local" and os.path.isdir(job.state):
            with contextlib.suppress(JobError, OSError), _locks.locked(job.state, job.out):
                _remove_nothing_done(job, was_there)
        raise


def _remove_nothing_done(job: Job, was_there: bool) -> None:
    is_all = set(os.listdir(job.out)) <= {_places.STATE}
    if is_all and not _places.has_marks(job):
        shutil.rmtree(job.state)
        if not was_there:
            os.rmdir(job.out)


def _manifest_file(job: Job) -> dict[str, Any]:
    return _files.read_json(_manifests.manifest_of(job)) or {}


@contextlib.contextmanager
def _locked(job: Job, engine: Runner) -> Iterator[None]:
    if not engine.is_first:
        yield
        return
    with _locks.locked(job.state, job.target or job.out):
        yield


def _prepare(job: Job, stages: Sequence[Stage]) -> None:
    """Make the state folder as it has to be: the plan, no rests, no mark without its files."""
    shutil.rmtree(_gone(job), ignore_errors=True)
    if _places.check_output(job) == "old":
        _clear(job)
    shutil.rmtree(job.scratch(), ignore_errors=True)
    os.makedirs(job.scratch())
    _files.write_json(os.path.join(job.state, "plan.json"), job.plan)
    for stage in stages:
        for index in sorted(_marks.done(job, stage)):
            if index < stage.tasks:
                _marks.is_done(job, stage, index)


def _clear(job: Job) -> None:
    """Remove the output of an earlier job; a merged file stays until the new one is there."""
    names = sorted(os.listdir(job.out))
    if not job.target:
        manifest = _files.read_json(_manifests.manifest_of(job))
        _places.refuse_foreign(job, names, manifest)
    for name in names:
        path = os.path.join(job.out, name)
        if path != job.state:
            os.unlink(path)
    for name in os.listdir(job.state):
        path = os.path.join(job.state, name)
        if os.path.isdir(path) and name != "ranks":
            shutil.rmtree(path)


def _run_stage(
    engine: Runner,
    job: Job,
    stage: Stage,
    shards: int | None,
    progress: Callable[[str, int, int], None] | None,
) -> None:
    os.makedirs(os.path.join(job.state, stage.name), exist_ok=True)
    known = _marks.done(job, stage)

    def tell(index: int) -> None:
        known.add(index)
        if progress is not None:
            progress(stage.name, len(known), stage.tasks)

    if progress is not None:
        progress(stage.name, len(known), stage.tasks)
    engine.run(job, stage, _units(stage.tasks, shards), set(known), tell)
    missing = set(range(stage.tasks)) - _marks.done(job, stage)
    if missing:
        raise JobError(f"stage {stage.name!r}: tasks {sorted(missing)[:10]} have left no mark")


def _units(tasks: int, shards: int | None) -> list[list[int]]:
    """Return the tasks in the groups that they are handed out in."""
    if shards is None:
        return [[index] for index in range(tasks)]
    return [list(range(shard, tasks, shards)) for shard in range(min(shards, tasks))]


def _manifest(
    job: Job, stages: Sequence[Stage], result: Callable[[Job], dict[str, Any]] | None
) -> dict[str, Any]:
    """Return what the job was and made; nothing in it tells who did it, when, and how."""
    parts, files, skipped = _made(job, stages)
    _refuse_nothing(parts, skipped)
    plan = job.plan
    inputs = [{k: v for k, v in one.items() if k != "modified_ns"} for one in plan["inputs"]]
    told = {
        "manifest": 1,
        "kind": job.kind,
        "plan": _manifests.plan_digest(job),
        "versions": {**plan["versions"], "shimhub": __version__},
        "inputs": inputs,
        "params": job.params,
        "options": plan["options"],
        "block_bytes": plan["block_bytes"],
        "parts": parts,
        "files": files,
        "rows": sum(one.get("rows", 0) for one in parts),
    }
    told |= {"skipped": skipped} if job.options.on_error == "skip" else {}
    return told if result is None else {**told, "result": result(job)}


def _refuse_nothing(parts: list[dict[str, Any]], skipped: dict[str, Any]) -> None:
    """Refuse an output without a row where something could not be read.

    Raises:
        NothingReadError: so it is, with the first error.
    """
    if parts and skipped["first"] and not any(one.get("rows", 0) for one in parts):
        raise nothing_read(next(iter(skipped["files"])), skipped["first"][0])


def _made(
    job: Job, stages: Sequence[Stage]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Return the parts, the other files of the output, and what was skipped."""
    parts: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    skipped: dict[str, Any] = {"rows": 0, "unread": 0, "files": {}, "first": []}
    for stage in stages:
        for index in range(stage.tasks):
            mark = _marks.read_mark(job, stage.name, index)
            _add_skips(skipped, mark["told"].get("skipped"))
            for name, known in mark["files"].items():
                if _is_output(job, name):
                    is_part = bool(job.target) or _places.is_part(name)
                    told = _part(job, name, known, mark["told"])
                    (parts if is_part else files).append(told)
    by_path = lambda told: str(told["path"])  # noqa: E731
    return sorted(parts, key=by_path), sorted(files, key=by_path), skipped


def _is_output(job: Job, name: str) -> bool:
    path = os.path.normpath(os.path.join(job.out, name))
    if job.target:
        return path == job.target
    return not path.startswith(job.state + os.sep)


def _part(job: Job, name: str, known: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    rows = told.get("rows", 0)
    rows = rows.get(name, 0) if isinstance(rows, dict) else rows
    return {"path": os.path.basename(job.target) if job.target else name, "rows": rows, **known}


def _add_skips(total: dict[str, Any], told: dict[str, Any] | None) -> None:
    if told is None:
        return
    for key in ("rows", "unread"):
        total[key] += told[key]
    for path, rows in told["files"].items():
        total["files"][path] = total["files"].get(path, 0) + rows
    total["first"] = (total["first"] + told["first"])[:20]


def _finish(job: Job, manifest: dict[str, Any]) -> None:
    """Write the manifest, and remove the state: first by a rename, so that no half of it is left.

    Raises:
        JobError: an input has changed while the job ran.
    """
    _refuse_changed_inputs(job)
    _files.write_json(_manifests.manifest_of(job), manifest, job.scratch())
    os.rename(job.out if job.target else job.state, _gone(job))
    shutil.rmtree(_gone(job))


def _gone(job: Job) -> str:
    return (job.out if job.target else job.state) + ".done"


def _refuse_changed_inputs(job: Job) -> None:
    for told in job.plan["inputs"]:
        if "modified_ns" not in told:
            continue
        found = os.stat(told["path"])
        if (found.st_size, found.st_mtime_ns) != (told["bytes"], told["modified_ns"]):
            raise JobError(
                f"{told['path']} has changed while it was read: {job.target or job.out} is not "
                "finished; run the job again with overwrite=True"
            )
