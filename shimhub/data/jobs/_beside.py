"""A file that a job writes beside its output (a picture): refused before the work, not after it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shimhub.data.errors import JobError
from shimhub.data.jobs import _places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shimhub.data._model import Source
    from shimhub.data.jobs._work import Job


def check_beside(path: str, job: Job) -> str:
    """Return where the file goes, links followed; one that is there is only let be replaced.

    It may be there too if the job is finished: then :func:`shimhub.data.measuring._plots.draw`
    refuses to write another one over it.

    Raises:
        JobError: it would be over or in an input or the output, it is no file, or in the way.
    """
    found = check_place(path, _places.Place(job.out, job.target, job.extension), job.sources)
    if not os.path.lexists(found) or job.overwrite or _places.check_output(job) == "finished":
        return found
    raise JobError(f"{found} is there already: overwrite=True replaces it at the end")


def check_place(path: str, out: _places.Place | None, sources: Sequence[Source]) -> str:
    """Return where the file goes, links followed; whether one is there is not looked at.

    Raises:
        JobError: it would be over or in an input or the output, or it is no file.
    """
    found = _places.local(path)
    _places.refuse_overlap(_places.Place("", found), sources)
    for own in () if out is None else (out.out, out.target):
        if own and (own == found or own in _places.parents(found)):
            raise JobError(f"{found} is in the output, {own}: write it elsewhere")
    if os.path.lexists(found) and not os.path.isfile(found):
        raise JobError(f"{found} is no regular file: name one")
    if not os.access(os.path.dirname(found), os.W_OK | os.X_OK):
        raise JobError(f"{os.path.dirname(found)} is no folder that can be written to")
    return found
