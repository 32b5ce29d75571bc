"""A task in a worker: done, or its error in a form that can be sent."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shimhub.data.errors import DataError
from shimhub.data.jobs._blocks import name_of
from shimhub.data.jobs._marks import do_task

if TYPE_CHECKING:
    from shimhub.data.jobs._work import Job, Stage


@dataclass(frozen=True, slots=True)
class Failure:
    """What a task raised: the exception, pickled, and its traceback as text."""

    error: bytes
    trace: str


class RemoteTraceback(Exception):  # noqa: N818 - the cause that is shown above an error
    """The traceback in the worker; the cause of the error that is raised here."""

    def __str__(self) -> str:
        return "\n" + str(self.args[0])


def attempt(job: Job, stage: Stage, index: int) -> Failure | None:
    """Do a task; return what it raised, with a note that names stage and block."""
    try:
        do_task(job, stage, index)
    except Exception as error:  # noqa: BLE001 - tasks may raise anything; the driver raises it
        name(error, job, stage, index)
        return Failure(_sendable(error), traceback.format_exc())
    return None


def name(error: BaseException, job: Job, stage: Stage, index: int) -> None:
    """Add a note to an error: which task of which stage, and what it read."""
    note = f"in {task_name(job, stage, index)}"
    error.__dict__.setdefault("__notes__", []).append(note)  # add_note() is not in Python 3.10


def task_name(job: Job, stage: Stage, index: int) -> str:
    """Return how a task is called in messages."""
    block = f", {name_of(job, index)}" if stage.tasks == len(job.blocks) else ""
    return f"stage {stage.name!r}, task {index}{block}"


def _sendable(error: Exception) -> bytes:
    """Pickle an error; one that cannot be sent becomes a ``DataError`` with its words."""
    notes = getattr(error, "__notes__", [])
    try:
        sent = pickle.dumps((error, notes))
        pickle.loads(sent)  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - whatever its __reduce__ or __init__ raises
        words = f"{type(error).__name__}: {error} (the error itself cannot be sent)"
        return pickle.dumps((DataError(words), notes))
    return sent


def raised(failure: Failure) -> Exception:
    """Return the exception of a failure, to be raised in the driver."""
    error, notes = pickle.loads(failure.error)  # noqa: S301 - from our own worker
    if notes:
        error.__notes__ = notes
    error.__cause__ = RemoteTraceback(failure.trace)
    assert isinstance(error, Exception)
    return error
