"""Rows of any files in another format: a job of one stage, and the merging into one file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shimhub.data._model import Skipped
from shimhub.data.errors import NOT_SKIPPED, DecodeError
from shimhub.data.jobs._blocks import read_block, row_error, skips
from shimhub.data.jobs._jobs import Request, run, schema_of
from shimhub.data.jobs._work import Stage
from shimhub.data.writing._writers import CellWriteError, Writer, check_types

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Unpack

    from shimhub.data._model import Part
    from shimhub.data.jobs._options import JobOptions
    from shimhub.data.jobs._work import Job


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What was written: ``rows`` in ``parts`` files, ``bytes`` of them together.

    ``skipped`` rows could not be read, and were left out as ``on_error="skip"`` asked for.
    ``manifest`` is that of the job: inputs, options, and each part's rows, bytes and sha256.
    """

    out: str
    rows: int
    bytes: int
    skipped: int
    parts: int
    manifest: dict[str, Any]


def convert(
    inputs: object,
    out: str | os.PathLike[str],
    *,
    columns: Iterable[str] | None = None,
    format: str | None = None,  # noqa: A002 - the name that users give
    **asked: Unpack[JobOptions],
) -> ConvertReport:
    """Write the rows of ``inputs`` to ``out`` in another format, in the same order.

    ``out`` is one file if its name ends in .parquet, .arrow, .jsonl, .csv, .tsv or .txt (the text
    formats also with .gz or .zst), else a folder of ``part-00000.jsonl``, one for each block of
    about ``block_bytes`` of the inputs, and ``_manifest.json``. ``format`` says which in a folder;
    by default that of the first input. What each format makes of a type is told in ``_plain``.
    ``columns`` chooses some, in that order. How inputs are read, and who does the work, is told as
    to all jobs: see :class:`shimhub.data.JobOptions`. A call that was ended by whatever means is
    gone on with by the same call.

    Raises:
        FileNotFoundError: an input is not there.
        DataError: see its subclasses; nothing was dropped or written in part.
        TypeError: an argument is of a wrong type, or there is none of that name.
    """
    request = Request.of(convert, inputs, out, asked, columns, format=format)
    job = request.job()
    check_types(job.extension, schema_of(job))
    manifest = run(request, job, stages(job))
    return ConvertReport(
        out=os.fspath(out),
        rows=manifest["rows"],
        bytes=sum(part["bytes"] for part in manifest["parts"]),
        skipped=manifest.get("skipped", {}).get("rows", 0),
        parts=len(manifest["parts"]),
        manifest=manifest,
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
            try:
                writer.write(part.batch)
            except CellWriteError as error:
                raise _cell_error(job, index, part, error) from error
    return {"files": [job.part(index)], "skipped": skips(skipped), **writer.told}


def _cell_error(job: Job, index: int, part: Part, error: CellWriteError) -> DecodeError:
    """Return the error with file and row of the input."""
    told = error.problem + (NOT_SKIPPED if job.options.on_error == "skip" else "")
    return row_error(job, index, part.first + max(0, error.row), told)
