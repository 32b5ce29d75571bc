"""Where a job's output goes, and what it must not touch."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, Final

from shimhub.data.errors import JobError, SpaceError
from shimhub.data.jobs import _manifests
from shimhub.data.jobs._manifests import MANIFEST
from shimhub.data.sources._names import by_name
from shimhub.data.sources._walk import split_glob
from shimhub.data.writing import _files
from shimhub.data.writing._writers import extension_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shimhub.data._model import Source
    from shimhub.data.jobs._work import Job

#: The folder of marks and intermediate files inside of that of the output.
STATE: Final = ".shimhub"
_PART: Final = re.compile(r"part-\d{5,}\.[a-z.]+")
_SHOWN: Final = 5
_GLOB: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where parts go, the file that they are merged into, and the extension that it asks for."""

    out: str
    target: str = ""
    extension: str = ""


def place(out: str, form: str | None) -> Place:
    """Return where the output goes: into a folder, or a file if the name says so.

    Raises:
        JobError: it is a URL, or no place to write to; or form and name contradict each other.
    """
    path = local(out)
    name, packed = by_name(os.path.basename(out))
    if name is None or out.endswith(("/", os.sep)) or os.path.isdir(path):
        return _folder(path)
    extension = extension_of(name, packed)
    if form is not None and form != extension:
        raise JobError(f"{out}: its name says {extension}, and format= says {form}: name one")
    folder, base = os.path.split(path)
    return Place(os.path.join(folder, f".{base}.shimhub"), path, extension)


def local(out: str) -> str:
    """Return a path to write to, links followed.

    Raises:
        JobError: it is a URL, or no path.
    """
    if not out or "\0" in out:
        raise JobError(f"{out!r} is not a path to write to")
    if re.match(r"[A-Za-z][A-Za-z0-9+.\-]+://", out):
        raise JobError(f"{out}: output is written to local folders: mount it, or copy it there")
    return os.path.realpath(out)


def _folder(path: str) -> Place:
    if os.path.lexists(path) and not os.path.isdir(path):
        raise JobError(f"{path} is a file: name a folder, or a file by its format (out.jsonl)")
    return Place(path)


def refuse_overlap(place: Place, sources: Sequence[Source]) -> None:
    """Refuse an output over or around an input, or inside a folder that is read as a whole.

    Links, hard links, other spellings of a path and of its case are seen through.

    Raises:
        JobError: so it is.
    """
    result = place.target or place.out
    seen: set[str] = set()
    for source in sources:
        for path in () if source.is_remote else (source.path, os.path.realpath(source.path)):
            _refuse_over(result, source, path, seen)
    for found_in in {source.found_in for source in sources if source.found_in}:
        if "://" not in found_in and _would_be_read(place, found_in):
            raise JobError(
                f"{result} is in {found_in}, which is read: it would be read the next time; "
                "write the output elsewhere"
            )


def _refuse_over(result: str, source: Source, path: str, seen: set[str]) -> None:
    """Refuse a result that is the path or a folder around it; ``seen`` has folders that are not."""
    for one in (path, *parents(path)):
        if one in seen:
            return
        if _is_one(result, one):
            how = "is" if one == path else "has in it"
            raise JobError(f"{result} {how} the input {source.path}: write the output elsewhere")
        seen.add(one)


def _is_one(path: str, other: str) -> bool:
    """Whether both are one file or folder; by inode where both are there."""
    try:
        return path == other or os.path.samefile(path, other)
    except OSError:
        return False


def _would_be_read(place: Place, found_in: str) -> bool:
    if _GLOB.search(found_in) and not os.path.lexists(found_in):
        return _would_match(place, found_in)
    return any(_is_one(found_in, one) for one in parents(place.target or place.out))


def _would_match(place: Place, pattern: str) -> bool:
    """Whether the glob would find the output: its file, or a part in its folder."""
    folder, parts = split_glob(pattern)
    folder = os.path.realpath(folder)
    result = place.target or os.path.join(place.out, f"part-00000.{place.extension or 'jsonl'}")
    if not result.startswith(folder.rstrip("/") + "/"):
        return False
    below = os.path.relpath(result, folder).split(os.sep)
    if "**" in parts:
        return True
    return len(below) == len(parts) and all(map(fnmatch, below, parts))


def parents(path: str) -> Iterable[str]:
    """Yield the folders around a path, up to the root."""
    while (path := os.path.dirname(path)) != os.path.dirname(path):
        yield path
    yield path


def is_part(name: str) -> bool:
    """Whether a file's name is that of a part: ``part-00012.jsonl.gz``."""
    return _PART.fullmatch(name) is not None


def check_output(job: Job) -> str:
    """Return how the output is found: "new", "unfinished", "finished", or "old" to be cleared.

    Raises:
        JobError: something is there that is not of this job, and may not go.
    """
    found = _files.read_json(os.path.join(job.state, "plan.json"))
    if found is not None:
        if found == job.plan:
            return "unfinished"
        return "old" if job.overwrite or not has_marks(job) else _refuse_changed(job, found)
    if job.target:
        return _check_target(job)
    return _check_folder(job)


def has_marks(job: Job) -> bool:
    """Whether anything is done that another plan would throw away."""
    return any(name.endswith(".done") for _, _, names in os.walk(job.state) for name in names)


def _check_target(job: Job) -> str:
    is_there = os.path.lexists(job.target)
    if is_there and _manifests.is_finished(job):
        return "finished"
    if is_there and not job.overwrite:
        raise JobError(
            f"{job.target} is there already, and is not of this very job: name another file, or "
            "pass overwrite=True to replace it at the end"
        )
    return "old" if os.path.lexists(job.out) else "new"


def _check_folder(job: Job) -> str:
    names = _names(job.out)
    if not names:
        return "new"
    manifest = _files.read_json(_manifests.manifest_of(job))
    if _manifests.is_finished(job):
        return "finished"
    if not job.overwrite and not _manifests.is_ours(job, manifest):
        raise JobError(
            f"{job.out} is not empty ({_some(names)}): name a new folder, or pass overwrite=True "
            "to replace the output of an earlier job"
        )
    refuse_foreign(job, names, manifest)
    return "old"


def _names(folder: str) -> list[str]:
    """Return what is in a folder, apart from an empty state, and rests of one that goes."""
    try:
        names = sorted(set(os.listdir(folder)) - {f"{STATE}.done"})
    except FileNotFoundError:
        return []
    if STATE in names and set(os.listdir(os.path.join(folder, STATE))) <= {"lock", "ranks", "tmp"}:
        names.remove(STATE)
    return names


def refuse_foreign(job: Job, names: list[str], manifest: dict[str, Any] | None) -> None:
    """Refuse to clear a folder that has files which no job wrote."""
    told = [*(manifest or {}).get("parts", ()), *(manifest or {}).get("files", ())]
    ours = {MANIFEST, STATE, *(one["path"] for one in told)}
    other = [name for name in names if name not in ours and not _PART.fullmatch(name)]
    if other or (manifest is None and STATE not in names):
        raise JobError(
            f"{job.out} has files that no job of shimhub wrote ({_some(other or names)}): "
            "they are not overwritten; name a new folder, or move them away"
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _refuse_changed(job: Job, found: dict[str, Any]) -> str:
    told = "; ".join(_changes(found, job.plan))
    raise JobError(
        f"{job.target or job.out} has an unfinished job with another plan ({told}): put that back "
        "to go on with it, or pass overwrite=True to start again"
    )


def _changes(old: Any, new: Any, name: str = "") -> Iterable[str]:
    """Yield what differs between two plans."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _changes(old.get(key), new.get(key), f"{name}.{key}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _changes(one, other, f"{name}[{at}]")
    elif old != new:
        yield f"{name} was {_short(old)}, is {_short(new)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."  # noqa: PLR2004


def check_space(job: Job, needed: int | None) -> None:
    """Refuse to start where the disk is too full.

    Raises:
        SpaceError: less is free than the job may write.
    """
    if needed is None:
        needed = sum(max(source.size, 0) for source in job.sources) * (2 if job.target else 1)
    folder = next(path for path in (job.out, *parents(job.out)) if os.path.isdir(path))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SpaceError(
            f"{folder} has {free / 1e9:.2f} GB free, and the output may take "
            f"{needed / 1e9:.2f} GB: free some, or write elsewhere"
        )
