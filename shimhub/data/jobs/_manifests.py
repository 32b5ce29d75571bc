"""Manifests of finished jobs: where they are, and whether what they tell is still there."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, Final

from shimhub.data.errors import JobError
from shimhub.data.writing import _files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shimhub.data.jobs._work import Job

MANIFEST: Final = "_manifest.json"
#: Bytes at the beginning of an input that its plan has a hash of.
HEAD: Final = 1 << 16


def manifest_of(job: Job) -> str:
    """Return the path of the manifest: in the folder of the output, or hidden beside its file."""
    if not job.target:
        return os.path.join(job.out, MANIFEST)
    folder, name = os.path.split(job.target)
    return os.path.join(folder, f".{name}.manifest.json")


def plan_digest(job: Job) -> str:
    """Return the SHA-256 of the plan, as the manifest has it: times of inputs are not in it."""
    inputs = [
        {key: value for key, value in one.items() if key != "modified_ns"}
        for one in job.plan["inputs"]
    ]
    return hashlib.sha256(_files.json_bytes({**job.plan, "inputs": inputs})).hexdigest()


def is_ours(job: Job, manifest: dict[str, Any] | None) -> bool:
    """Whether a manifest is of a job with the same plan."""
    return manifest is not None and manifest.get("plan") == plan_digest(job)


def is_finished(job: Job) -> bool:
    """Whether the job's output is there, whole; without a file of it, it is made anew.

    Raises:
        JobError: a file of it, or an input, is another one now, and may not be replaced.
    """
    manifest = _files.read_json(manifest_of(job))
    if manifest is None or not is_ours(job, manifest):
        return False
    found = [*_changed_inputs(job), *_changed_files(job, manifest)]
    if found and not job.overwrite:
        raise JobError(f"{job.target or job.out}: {found[0]}; overwrite=True makes it anew")
    return not found and all(os.path.isfile(path) for path, _ in _files_of(job, manifest))


def _changed_inputs(job: Job) -> Iterable[str]:
    """Tell of inputs that were written to since: manifests have no times, but have one themselves.

    The plan has their sizes, and hashes of their beginnings alone.
    """
    finished = os.stat(manifest_of(job)).st_mtime_ns
    for told in job.plan["inputs"]:
        if told["bytes"] > HEAD and told.get("modified_ns", 0) > finished:
            yield f"{told['path']} has changed since this was written from it"


def _changed_files(job: Job, manifest: dict[str, Any]) -> Iterable[str]:
    for path, known in _files_of(job, manifest):
        if os.path.isfile(path) and _files.digest(path) != known:
            yield f"{os.path.basename(path)} is not as the manifest says"


def _files_of(job: Job, manifest: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield the paths that a manifest tells, with their sizes and hashes."""
    folder = os.path.dirname(job.target) if job.target else job.out
    for told in [*manifest["parts"], *manifest["files"]]:
        known = {"bytes": told["bytes"], "sha256": told["sha256"]}
        yield os.path.join(folder, told["path"]), known
