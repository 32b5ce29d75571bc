"""Rows of any files in another format: a job of one stage, and the merging into one file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from shimhub.data._model import Skipped
from shimhub.data.jobs._blocks import read_block, skips
from shimhub.data.jobs._plan import BLOCK_BYTES, make_job, run_job
from shimhub.data.jobs._work import Stage
from shimhub.data.reading._asked import Asked
from shimhub.data.writing._writers import Writer, check_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data.jobs._work import Job


def convert(
    inputs: object,
    out: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the name that users give
    columns: Iterable[str] | None = None,
    schema: pa.Schema | None = None,
    on_error: str = "raise",
    block_bytes: int = BLOCK_BYTES,
    overwrite: bool = False,
    runner: str = "local",
    workers: int | None = None,
    shards: int | None = None,
    address: str | None = None,
    timeout: float = 1800.0,
    progress: Callable[[str, int, int], None] | None = None,
    storage: dict[str, Any] | None = None,
    source: dict[str, Any] | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """Write the rows of ``inputs`` to ``out`` in another format, in the same order.

    ``out`` is one file if its name ends in .parquet, .arrow, .jsonl, .csv, .tsv or .txt (the text
    formats also with .gz or .zst), else a folder of ``part-00000.jsonl``, one for each block of
    about ``block_bytes`` of the inputs, and ``_manifest.json``. ``format`` says which in a folder;
    by default that of the first input. What each format makes of a type is told in ``_plain``.
    ``source`` says how inputs are found (format, compression, split, follow_symlinks: as
    ``streaming_dataset_reader`` takes them), ``asked`` how they are read (on_drift, infer,
    delimiter, quote, encoding, max_line, max_ratio). The other arguments are those of ``run_job``;
    none of them shows in the output. A call that was ended by whatever means is gone on with by
    the same call.

    Returns:
        The manifest: parts with rows, bytes and sha256.

    Raises:
        FileNotFoundError: an input is not there.
        DataError: see its subclasses; nothing was dropped or written in part.
    """
    told = Asked(columns=columns, schema=schema, on_error=on_error, storage=storage or {}, **asked)
    job = make_job(
        "convert",
        inputs,
        out,
        options=told.options(),
        form=format,
        unify=told.on_drift == "unify",
        block_bytes=block_bytes,
        overwrite=overwrite,
        **{**(source or {}), "storage": storage},
    )
    check_types(job.extension, job.options.schema)
    return run_job(
        job,
        stages(job),
        runner=runner,
        workers=workers,
        shards=shards,
        address=address,
        timeout=timeout,
        progress=progress,
    )


def stages(job: Job) -> list[Stage]:
    """Return the stage that writes each block as a part."""
    return [Stage("write", len(job.blocks), "shimhub.data.conversion:write_part")]


def write_part(job: Job, index: int) -> dict[str, Any]:
    """Write block ``index`` as a part."""
    skipped = Skipped()
    path = os.path.join(job.out, job.part(index))
    with Writer(path, job.options.schema, scratch=job.scratch()) as writer:
        for part in read_block(job, index, skipped):
            writer.write(part.batch)
    return {"files": [job.part(index)], "skipped": skips(skipped), **writer.told}
