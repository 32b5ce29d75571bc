"""The plan of a job: what is read, in which blocks, and where its output may go."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub._version import __version__
from shimhub.data._model import Options, Skipped, Source
from shimhub.data.errors import DataError
from shimhub.data.jobs import _places
from shimhub.data.jobs._blocks import cut
from shimhub.data.jobs._manifests import HEAD
from shimhub.data.jobs._options import BLOCK_BYTES, sources_of
from shimhub.data.jobs._running import run_job
from shimhub.data.jobs._work import Job
from shimhub.data.reading import _reading
from shimhub.data.sources._names import by_name, named_format
from shimhub.data.writing._files import digest, json_bytes
from shimhub.data.writing._writers import extension_of

if TYPE_CHECKING:
    from shimhub.data._model import Block

__all__ = ["BLOCK_BYTES", "make_job", "run_job"]


def make_job(
    kind: str,
    inputs: object,
    out: str | os.PathLike[str],
    *,
    params: dict[str, Any] | None = None,
    options: Options | None = None,
    form: str | None = None,
    unify: bool = False,
    block_bytes: int = BLOCK_BYTES,
    overwrite: bool = False,
    needed: int | None = None,
    **how: Any,
) -> Job:
    """Return a job: nothing is written yet, and what can be refused is refused now.

    ``inputs`` is what ``_sources.resolve`` takes (with ``how``: format, compression, split,
    follow_symlinks, storage), or a list of ``Source``. ``out`` is a folder, or a file if it has a
    known extension and is no folder: then ``job.out`` is a hidden folder beside it, and the parts
    are merged into ``job.target`` at the end. ``form`` is the format of the parts ("jsonl.zst"),
    if the name of ``out`` does not say it; by default that of the first input. ``unify`` reads
    everything once to find a schema that holds all rows; else it is ``options.schema``, or the
    first file's. ``job.options.schema`` is that of the rows (``options.columns`` of it).
    ``params`` is plain JSON, and in the manifest too. ``needed`` is the disk space in bytes that
    the output may take; by default that of the inputs, twice where parts are merged; 0 is not
    checked. ``overwrite`` lets the output of an earlier job go; files of others are never removed.

    Raises:
        FileNotFoundError, FormatError, DataError: as ``resolve`` does.
        SchemaDriftError: files have different columns or types.
        JobError: the output would be over or inside the inputs, or is in the way.
        SpaceError: the disk is too full.
    """
    _check_size(block_bytes)
    options = options or Options()
    given = isinstance(inputs, (list, tuple)) and bool(inputs) and isinstance(inputs[0], Source)
    sources = tuple(inputs) if given else tuple(sources_of(inputs, how))  # type: ignore[arg-type]
    place = _places.place(os.fspath(out), None if form is None else _word(form))
    _places.refuse_overlap(place, sources)
    quiet = dataclasses.replace(options, skipped=Skipped())  # what is skipped, tasks tell
    reading = _reading.reading(list(sources), quiet, unify, None)
    job = Job(
        kind,
        sources,
        cut(sources, block_bytes, quiet),
        dataclasses.replace(quiet, schema=reading.schema),
        place.out,
        os.path.join(place.out, _places.STATE),
        params or {},
        reading,
        place.extension or _word(form) or _extension(sources[0]),
        place.target,
        overwrite,
    )
    job = dataclasses.replace(job, plan=_plan(job, block_bytes))
    _places.check_output(job)
    _places.check_space(job, needed)
    return job


def _check_size(block_bytes: object) -> None:
    if not isinstance(block_bytes, int) or isinstance(block_bytes, bool):
        raise TypeError(f"block_bytes={block_bytes!r}: give a number of bytes")
    if block_bytes < 1:
        raise DataError(f"block_bytes={block_bytes}: give 1 or more")


def _word(form: str | None) -> str:
    """Return a format's name with its compression as the end of a file's name."""
    if form is None:
        return ""
    name, packed = named_format(form, None)
    if name is None:
        raise DataError(f"format={form!r}: give a format, as in format='parquet'")
    return extension_of(name, packed)


def _extension(source: Source) -> str:
    """Return the extension of parts that are as the source; a JSON document becomes lines."""
    name = "jsonl" if source.format == "json" else source.format
    return extension_of(name, source.compression)


def _plan(job: Job, block_bytes: int) -> dict[str, Any]:
    """Return what must be the same to go on with a job; no secret (storage options) is in it."""
    options = {
        field.name: getattr(job.options, field.name)
        for field in dataclasses.fields(job.options)
        if field.name not in {"schema", "told_by", "skipped", "storage"}
    }
    options["columns"] = list(options["columns"]) if options["columns"] is not None else None
    assert job.reading is not None
    return {
        "kind": job.kind,
        "params": job.params,
        "inputs": [_input(source) for source in job.sources],
        "options": options,
        "unify": job.reading.unify,
        "schema": _told(job.options.schema),
        "extension": job.extension,
        "block_bytes": block_bytes,
        "blocks": _hash([_block(block) for block in job.blocks]),
        "versions": {"shimhub": __version__, "pyarrow": pa.__version__},
    }


def _input(source: Source) -> dict[str, Any]:
    told: dict[str, Any] = {
        "path": source.path,
        "format": source.format,
        "compression": source.compression,
        "bytes": source.size,
    }
    if not source.is_remote:
        told["modified_ns"] = os.stat(source.path).st_mtime_ns
        told["head_sha256"] = digest(source.path, HEAD)["sha256"]
    return told


def _told(schema: pa.Schema) -> list[list[str]]:
    return [[field.name, str(field.type)] for field in schema]


def _block(block: Block) -> list[int | None]:
    return [block.source, block.span.start, block.span.stop]


def _hash(value: Any) -> str:
    return hashlib.sha256(json_bytes(value)).hexdigest()


def is_file_name(path: str) -> bool:
    """Whether a path's extension names a format, so that it is one file and not a folder."""
    return by_name(os.path.basename(path))[0] is not None
