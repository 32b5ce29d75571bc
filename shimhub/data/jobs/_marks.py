"""What of a job is done: a mark beside each task's files tells what they are.

``<state>/<stage>/00012.done`` holds ``{"files": {name: {"bytes", "sha256"}}, "told": {...}}``;
names are relative to the folder of the output. A mark is written after its files, so that a task
with a mark is done whatever happened to its process.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from shimhub.data.errors import JobError
from shimhub.data.writing._files import digest, read_json, replacing, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data.jobs._work import Job, Stage

__all__ = ["all_told", "do_task", "done", "is_done", "replacing", "told"]


def do_task(job: Job, stage: Stage, index: int) -> None:
    """Do a task and write its mark; what runners call, in any process that sees the output."""
    folder = os.path.join(job.state, stage.name)
    os.makedirs(folder, exist_ok=True)
    module, _, name = stage.function.partition(":")
    answer = dict(getattr(importlib.import_module(module), name)(job, index))
    files = {file: digest(os.path.join(job.out, file)) for file in answer.pop("files", ())}
    write_json(_mark(job, stage.name, index), {"files": files, "told": answer}, job.scratch())


def told(job: Job, stage: str, index: int) -> dict[str, Any]:
    """Return what a task of a stage before told: what its function returned, without "files"."""
    return dict(read_mark(job, stage, index)["told"])


def all_told(job: Job, stage: Stage) -> Iterator[dict[str, Any]]:
    """Yield what the tasks of a stage before told, in the order of their numbers."""
    for index in range(stage.tasks):
        yield told(job, stage.name, index)


def read_mark(job: Job, stage: str, index: int) -> dict[str, Any]:
    """Return a mark.

    Raises:
        JobError: there is none.
    """
    found = read_json(_mark(job, stage, index))
    if found is None:
        raise JobError(f"{_mark(job, stage, index)}: the mark of a task is gone: run the job again")
    return found


def is_done(job: Job, stage: Stage, index: int) -> bool:
    """Whether a task has its mark, and its files are as the mark says; else the mark goes."""
    mark = _mark(job, stage.name, index)
    found = read_json(mark)
    if found is not None and all(_is_same(job, *item) for item in found["files"].items()):
        return True
    if os.path.lexists(mark):
        os.unlink(mark)
    return False


def done(job: Job, stage: Stage) -> set[int]:
    """Return the tasks of a stage that have a mark; their files are not looked at."""
    try:
        names = os.listdir(os.path.join(job.state, stage.name))
    except FileNotFoundError:
        return set()
    return {int(name[: -len(".done")]) for name in names if name.endswith(".done")}


def _is_same(job: Job, name: str, known: dict[str, Any]) -> bool:
    path = os.path.join(job.out, name)
    try:
        return os.path.getsize(path) == known["bytes"] and digest(path) == known
    except FileNotFoundError:
        return False


def _mark(job: Job, stage: str, index: int) -> str:
    return os.path.join(job.state, stage, f"{index:05d}.done")
