"""Duplicates of training data, exact and near, at any size: the first row of each stays."""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from shimhub.data.deduplicating import _compared, _filter, _keeping, _keys, _normal
from shimhub.data.deduplicating._near_options import NearOptions
from shimhub.data.errors import DataError, JobError
from shimhub.data.jobs import _marks, _places
from shimhub.data.jobs._jobs import Request, run
from shimhub.data.jobs._options import sources_of
from shimhub.data.jobs._plan import make_job
from shimhub.data.jobs._work import Stage
from shimhub.data.reading._asked import names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from shimhub.data.jobs._options import JobOptions
    from shimhub.data.jobs._work import Job
    from shimhub.data.reading._asked import Asked

#: Rows that are decoded at once.
_BATCH: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class DedupReport:
    """What was left out. ``seconds`` is of this call, which may have gone on with an older one.

    ``groups`` is how many rows that are kept stand for others too. ``buckets`` tells of ``near``:
    how many buckets there are (``buckets``), the ``largest``, how many are larger than all pairs
    are compared of (``capped``), and how many pairs were not compared (``left``); candidates that
    were compared, and those ``similar``. ``report`` is the path of the rows that were left out.
    ``skipped`` rows could not be read. ``manifest`` is that of the job.
    """

    out: str
    rows_in: int
    rows_out: int
    exact: int
    near: int
    groups: int
    bytes_in: int
    bytes_out: int
    buckets: dict[str, int]
    report: str
    seconds: float
    skipped: int
    parts: int
    manifest: dict[str, Any]


def dedup(
    inputs: object,
    out: str | os.PathLike[str],
    *,
    by: str | Sequence[str] | None = None,
    exact: bool = True,
    near: NearOptions | bool | None = None,
    normalize: str | None = None,
    **asked: Unpack[JobOptions],
) -> DedupReport:
    """Write the inputs without their duplicates; the first one stays, inputs in order as named.

    ``by`` is a column or several, that say which rows are duplicates; None is the whole row. Rows
    are equal as in ``kernels.deduplicate`` (docs/kernels.md): null is a value, NaN is NaN.
    ``near`` (``True`` or :class:`NearOptions`) needs ``by`` of one column of text; a null is like
    no other row there. ``normalize`` makes texts the same for the comparison, and not in the
    output: "nfc", "nfkc", "lower", "ws" (runs of white space are one space), joined with "+".

    Each block of an input is a part of the output in the same format and compression (a JSON
    document is JSONL); lines of JSONL and text are copied byte for byte, with a last line feed,
    and values of CSV are written with quotes.
    ``_duplicates.parquet`` tells of each row that was left out its file and row (from 0), those of
    the row that was kept, the kind ("exact", "near") and the similarity of the two; beside ``out``
    if that is one file. Groups of near duplicates are chains: a row may be less similar to the one
    that is kept than the threshold. Memory is bounded by blocks, temporary files by 24 bytes a row
    (12 bytes for each band and row more if ``near``, and the shingles of candidates).

    How inputs are read, and who does the work, is told as to all jobs: see
    :class:`shimhub.data.JobOptions`. Rows are copied as they are, so that there is no other type
    to read them with: ``schema``, ``infer=True`` and ``on_drift="unify"`` are refused. Called
    again after a kill, it goes on.

    Raises:
        DataError: arguments, or a column that is not there; a file that cannot be read.
        JobError: the output is in the way, or in or over an input.
        TypeError: an argument is of a wrong type, or there is none of that name.
    """
    begun = time.monotonic()
    columns = (by,) if isinstance(by, str) else names_of(by, "by")
    params = _params(columns, exact, near, normalize)
    request = Request.of(dedup, inputs, out, asked, params=params)
    job = _job(request, columns)
    manifest = run(request, job, stages_of(job), _result)
    return _told(request, job, manifest, time.monotonic() - begun)


def _params(
    columns: tuple[str, ...] | None,
    exact: bool,
    near: NearOptions | bool | None,
    normalize: str | None,
) -> dict[str, Any]:
    """Return how rows are compared, checked, as the manifest tells it."""
    near = (NearOptions() if near else None) if near is None or isinstance(near, bool) else near
    if not exact and near is None:
        raise DataError("exact=False and no near=: there is nothing to look for")
    if near is not None and (columns is None or len(columns) != 1):
        told = None if columns is None else list(columns)
        raise DataError(f"near= compares one column of text: name it with by=, not {told!r}")
    return {
        "by": None if columns is None else list(columns),
        "exact": exact,
        "near": None if near is None else dataclasses.asdict(near),
        "normalize": list(_normal.checked_rules(normalize)),
    }


def _job(request: Request, columns: tuple[str, ...] | None) -> Job:
    """Return the job, checked; nothing is written yet."""
    _refuse_types(request.asked)
    reading = dataclasses.replace(request.asked.options(), batch_size=_BATCH)
    sources = sources_of(request.inputs, request.source)
    schema, first = None, ""
    if columns is not None:
        schema, first = _compared.schema_of(sources, reading, columns)
    job = make_job(
        request.kind,
        sources,
        request.out,
        params=request.params,
        options=dataclasses.replace(reading, columns=columns, schema=schema, told_by=first),
        block_bytes=request.work.block_bytes,
        overwrite=request.work.overwrite,
    )
    _check_one_format(job)
    if request.params["near"] is not None:
        _check_text(job)
    if job.target:
        _refuse_foreign_report(job)
    return job


def _refuse_types(asked: Asked) -> None:
    """Refuse options that would read other values than those that are copied."""
    refused = {
        "schema=": asked.schema is not None,
        "infer=True": asked.infer,
        "on_drift='unify'": asked.on_drift == "unify",
    }
    for option, is_given in refused.items():
        if is_given:
            raise DataError(
                f"dedup copies rows as they are, and compares them so: leave {option} out, or "
                "convert with it before"
            )


def _check_one_format(job: Job) -> None:
    """Refuse to merge parts of several formats, or to write another one than the input's."""
    for source in job.sources if job.target else ():
        own = _keeping.extension(source)
        if own != job.extension:
            raise DataError(
                f"{job.target}: {source.path} is {own}, and formats are kept: name a folder, or "
                "convert before"
            )


def _check_text(job: Job) -> None:
    schema = job.options.schema
    if schema is not None and not _normal.is_text(schema.field(0).type):
        raise DataError(f"by={schema.names[0]!r} is {schema.field(0).type}, and near= needs text")


def stages_of(job: Job) -> list[Stage]:
    """Return the stages of a job."""
    blocks = len(job.blocks)
    stages = []
    if job.params["exact"]:
        stages += [
            Stage("hash", blocks, "shimhub.data.deduplicating._exact:hash_block"),
            Stage("match", _keys.parts(job), "shimhub.data.deduplicating._exact:match_range"),
        ]
    if job.params["near"] is not None:
        stages += _near_stages(job)
    return [
        *stages,
        Stage("filter", blocks, "shimhub.data.deduplicating._filter:filter_block"),
        Stage("report", 1, "shimhub.data.deduplicating._filter:report"),
    ]


def _near_stages(job: Job) -> list[Stage]:
    blocks, shares, near = len(job.blocks), _keys.shares_of(job), job.params["near"]
    buckets = _keys.bucket_tasks(job)
    begun = [
        Stage("sign", blocks, "shimhub.data.deduplicating._near:sign_block"),
        Stage("buckets", buckets, "shimhub.data.deduplicating._near:bucket_range"),
    ]
    if not near["verify"]:
        return [*begun, Stage("groups", 1, "shimhub.data.deduplicating._near:join_buckets")]
    return [
        *begun,
        Stage("sets", blocks, "shimhub.data.deduplicating._near_sets:write_sets"),
        Stage("stars", shares, "shimhub.data.deduplicating._near:compare_stars"),
        Stage("joined", 1, "shimhub.data.deduplicating._near:join_stars"),
        Stage("rest", buckets, "shimhub.data.deduplicating._near:neighbours"),
        Stage("neighbours", shares, "shimhub.data.deduplicating._near:compare_neighbours"),
        Stage("groups", 1, "shimhub.data.deduplicating._near:join_all"),
    ]


def _result(job: Job) -> dict[str, Any]:
    """Return what the manifest tells of the job; and save the report of an output of one file."""
    stages = {stage.name: stage for stage in stages_of(job)}
    told = {name: list(_marks.all_told(job, stage)) for name, stage in stages.items()}
    if job.target:
        _refuse_foreign_report(job)
        os.replace(os.path.join(job.out, _filter.REPORT), report_of(job))
    first = told["hash" if job.params["exact"] else "sign"]
    counts = {
        "rows_in": sum(one["read"] for one in first) - _unread(first),
        "rows_out": sum(one["rows"] for one in told["filter"]),
        "exact": sum(one["exact"] for one in told["filter"]),
        "near": sum(one["near"] for one in told["filter"]),
        "groups": told["report"][0]["groups"],
    }
    return {**counts, "buckets": _buckets(told)}


def _unread(told: list[dict[str, Any]]) -> int:
    return sum(stop - start for one in told for start, stop in one["gaps"])


def _buckets(told: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    """Return what was counted of buckets and candidates; empty without ``near``."""
    if "buckets" not in told:
        return {}
    names = ("buckets", "capped", "left")
    found = {name: sum(one[name] for one in told["buckets"]) for name in names}
    found["largest"] = max(one["largest"] for one in told["buckets"])
    for name in ("candidates", "similar"):
        found[name] = sum(
            one[name] for stage in ("stars", "neighbours") for one in told.get(stage, ())
        )
    return found


def report_of(job: Job) -> str:
    """Return the path of the report: in the folder of the output, or beside its one file."""
    if job.target:
        return f"{job.target}.{_filter.REPORT.removeprefix('_')}"
    return os.path.join(job.out, _filter.REPORT)


def _refuse_foreign_report(job: Job) -> None:
    """Refuse to write the report of a single file over what is no such report.

    Raises:
        JobError: so it is, with ``overwrite`` too: that is for what jobs wrote.
    """
    path = report_of(job)
    if not os.path.lexists(path):
        return
    if not job.overwrite and _places.check_output(job) == "new":
        raise JobError(f"{path} is there already: overwrite=True replaces it at the end")
    if not _filter.is_report(path):
        told = f"{path} is there already, and is no report of dedup, which would go there"
        raise JobError(f"{told}: move it away, or name another output")


def _told(request: Request, job: Job, manifest: dict[str, Any], seconds: float) -> DedupReport:
    result = manifest["result"]
    return DedupReport(
        out=request.out,
        rows_in=result["rows_in"],
        rows_out=result["rows_out"],
        exact=result["exact"],
        near=result["near"],
        groups=result["groups"],
        bytes_in=sum(max(source.size, 0) for source in job.sources),
        bytes_out=sum(part["bytes"] for part in manifest["parts"]),
        buckets=result["buckets"],
        report=report_of(job),
        seconds=seconds,
        skipped=manifest.get("skipped", {}).get("rows", 0),
        parts=len(manifest["parts"]),
        manifest=manifest,
    )
