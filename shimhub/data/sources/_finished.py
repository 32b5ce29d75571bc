"""Folders that our jobs have written: their parts are the data, in order; all are there, or none.

What else a job leaves in its folder (a report of duplicates, statistics) is no data of it.
"""

from __future__ import annotations

import os
from typing import Final

from shimhub.data.errors import DataError, JobError
from shimhub.data.writing._files import read_json

_MANIFEST: Final = "_manifest.json"
_STATE: Final = ".shimhub"


def parts_of(folder: str) -> list[str] | None:
    """Return the paths of the parts of a finished job; None for a folder of somebody else.

    Raises:
        JobError: the job is not finished, or a part is gone or has another size.
        DataError: it has written no data.
    """
    if os.path.isfile(os.path.join(folder, _STATE, "plan.json")):
        raise JobError(
            f"{folder}: the job that writes it is not finished; run it again, to its end"
        )
    manifest = read_json(os.path.join(folder, _MANIFEST))
    if manifest is None or not {"manifest", "plan", "parts"} <= manifest.keys():
        return None
    for part in manifest["parts"]:
        _refuse_elsewhere(folder, part)
        _check(folder, part["path"], part["bytes"])
    if not manifest["parts"]:
        raise DataError(f"{folder}: {manifest['kind']} has written no data into it")
    return [os.path.join(folder, part["path"]) for part in manifest["parts"]]


def _refuse_elsewhere(folder: str, part: object) -> None:
    """Refuse a part that is not the name of a file: a manifest from elsewhere may tell anything."""
    name = part.get("path") if isinstance(part, dict) and "bytes" in part else None
    if not isinstance(name, str) or name != os.path.basename(name) or name in {"", ".", ".."}:
        raise DataError(f"{folder}: its {_MANIFEST} tells of {name!r}, which is no file in it")


def _check(folder: str, name: str, size: int) -> None:
    path = os.path.join(folder, os.path.basename(name))
    found = os.path.getsize(path) if os.path.isfile(path) else -1
    if found != size:
        told, how = f"has {found} bytes", ", with overwrite=True"
        if found < 0:
            told, how = "is gone", ""
        raise JobError(f"{path} {told}, and {_MANIFEST} says {size} bytes: run the job again{how}")
