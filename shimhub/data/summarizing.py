"""Statistics of data: one pass over the blocks, merged in their order."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import Skipped
from shimhub.data.errors import DataError, nothing_read
from shimhub.data.jobs._blocks import read_block, skips
from shimhub.data.jobs._jobs import Request, run, schema_of
from shimhub.data.jobs._marks import all_told
from shimhub.data.jobs._marks import told as told_by
from shimhub.data.jobs._work import Stage
from shimhub.data.measuring._sketches import LENGTHS, Distinct, quantiles
from shimhub.data.measuring._summaries import Summary, hashes_of, plain_type, unpacked
from shimhub.data.writing._files import write_json
from shimhub.data.writing._json_values import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Unpack

    from shimhub.data.jobs._options import JobOptions
    from shimhub.data.jobs._work import Job

_FILE: Final = "stats.json"
#: Rows that are counted at once.
_ROWS: Final = 1 << 14
_UNITS: Final = (("string", "letters"), ("binary", "bytes"))


@dataclass(frozen=True, slots=True)
class ColumnStats:
    """Of one column; None is what its type does not have.

    ``least`` and ``greatest`` leave NaN out; ``mean`` is of numbers that are not NaN. ``bytes`` is
    what it takes in memory. ``distinct`` is exact below 16,384 values, else an estimate with a
    standard error of 0.8 %; nulls do not count. ``lengths`` are those of strings in letters, of
    binaries in bytes, of lists in items: exact below 2048, else within 0.1 %.
    """

    name: str
    type: str
    rows: int
    nulls: int
    nans: int
    bytes: int
    least: Any = None
    greatest: Any = None
    mean: float | None = None
    distinct: int | None = None
    is_exact: bool = True
    unit: str = ""
    lengths: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """Of all files together. ``rows - distinct_rows`` are repetitions of other rows.

    ``distinct_rows`` is counted and estimated as ``ColumnStats.distinct`` is, over the columns that
    were read; None where a column has no canonical encoding (docs/kernels.md).
    """

    files: int
    rows: int
    bytes: int
    skipped: int
    distinct_rows: int | None
    is_exact: bool
    columns: tuple[ColumnStats, ...]

    def told(self) -> dict[str, Any]:
        """Return all of it as a dict."""
        return asdict(self)


def stats(
    inputs: object,
    out: str | os.PathLike[str] | None = None,
    *,
    columns: Iterable[str] | None = None,
    **asked: Unpack[JobOptions],
) -> Stats:
    """Return what is in the columns: nulls, extremes, distinct values, lengths, repeated rows.

    ``columns`` chooses what is counted, ``out`` is a folder for the result (``stats.json``);
    without one nothing is kept, and the runner must see this machine's temporary folder. How
    inputs are read, and who does the work, is told as to all jobs: see
    :class:`shimhub.data.JobOptions`. The result does not depend on runner, workers and shards.

    Raises what reading raises, and :class:`shimhub.data.JobError` where ``out`` is in the way.
    """
    if out is None and asked.get("runner") == "env":
        raise DataError("runner='env' needs out=: a folder that all ranks see")
    with _folder(out) as folder:
        request = Request.of(stats, inputs, folder, asked, columns, format="parquet", needed=0)
        job = request.job()
        manifest = run(request, job, _stages(job), _result)
    return _read(manifest["result"])


@contextlib.contextmanager
def _folder(out: str | os.PathLike[str] | None) -> Iterator[str]:
    if out is not None:
        yield os.fspath(out)
        return
    with tempfile.TemporaryDirectory(prefix="shimhub-stats-") as folder:
        yield os.path.join(folder, "stats")


def _stages(job: Job) -> list[Stage]:
    return [
        Stage("count", len(job.blocks), f"{__name__}:count_block"),
        Stage("merge", 1, f"{__name__}:merge_counts"),
    ]


# ---- tasks


def count_block(job: Job, index: int) -> dict[str, Any]:
    """Count one block."""
    skipped = Skipped()
    counts = _Counts(schema_of(job))
    for part in read_block(job, index, skipped):
        for start in range(0, part.batch.num_rows, _ROWS):
            counts.add(part.batch.slice(start, _ROWS))
    return {"counts": counts.told(), "skipped": skips(skipped)}


def merge_counts(job: Job, _: int) -> dict[str, Any]:
    """Merge the blocks' counts in order, and write them as people read them."""
    merged, skipped, first = _Counts(schema_of(job)), 0, list[tuple[str, str]]()
    for one in all_told(job, _stages(job)[0]):
        merged.merge(_Counts.read(one["counts"], schema_of(job)))
        skipped += one["skipped"]["rows"]
        first += zip(one["skipped"]["files"], one["skipped"]["first"], strict=False)
    found = merged.stats(len(job.sources), skipped)
    if first and not found.rows:
        raise nothing_read(*first[0])
    write_json(os.path.join(job.out, _FILE), plain(found.told()), job.scratch())
    extremes = [one.told()["extremes"] for one in merged.summaries]
    return {"stats": plain(found.told()), "extremes": extremes, "files": [_FILE]}


def _result(job: Job) -> dict[str, Any]:
    return told_by(job, "merge", 0)


def _read(result: dict[str, Any]) -> Stats:
    """Return what ``merge_counts`` told, with values of Python's."""
    columns = []
    for one, packed in zip(result["stats"]["columns"], result["extremes"], strict=True):
        least, greatest = _extremes(None if packed is None else unpacked(packed))
        lengths = one["lengths"] and {name: one["lengths"][name] for name in LENGTHS}  # in order
        mean = one["mean"] if one["mean"] is None else float(one["mean"])  # "Infinity" is a word
        told = {**one, "least": least, "greatest": greatest, "mean": mean, "lengths": lengths}
        columns.append(ColumnStats(**told))
    return Stats(**{**result["stats"], "columns": tuple(columns)})


def _extremes(array: pa.Array | None) -> tuple[Any, Any]:
    if array is None:
        return None, None
    least, greatest = map(_value, array)
    return least, greatest


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes().decode("utf-8", "backslashreplace")
    except (ValueError, OverflowError):  # nanoseconds, for which pyarrow asks for pandas; years
        return _text(scalar)


def _text(scalar: pa.Scalar) -> str:
    """Return a date, time or duration that Python has not."""
    if pa.types.is_duration(scalar.type):
        return f"{scalar.cast(pa.int64())} {scalar.type.unit}"
    return str(scalar.cast("string"))


class _Counts:
    """The summaries of all columns, and the distinct rows."""

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self.names = list(schema.names)
        self.summaries = [Summary(field.type) for field in schema]
        self.distinct: Distinct | None = Distinct() if self.names else None

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        for summary, column in zip(self.summaries, batch.columns, strict=True):
            summary.add(column)
        hashes = None if self.distinct is None else hashes_of(batch)
        if self.distinct is None or hashes is None:
            self.distinct = None
        else:
            self.distinct.add(hashes)

    def merge(self, other: _Counts) -> None:
        self.rows += other.rows
        for mine, its in zip(self.summaries, other.summaries, strict=True):
            mine.merge(its)
        if self.distinct is None or other.distinct is None:
            self.distinct = None
        else:
            self.distinct.merge(other.distinct)

    def told(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "columns": [one.told() for one in self.summaries],
            "distinct": None if self.distinct is None else self.distinct.told(),
        }

    @classmethod
    def read(cls, told: dict[str, Any], schema: pa.Schema) -> _Counts:
        made = cls(schema)
        made.rows = told["rows"]
        kinds = zip(told["columns"], schema.types, strict=True)
        made.summaries = [Summary.read(one, kind) for one, kind in kinds]
        made.distinct = None if told["distinct"] is None else Distinct.read(told["distinct"])
        return made

    def stats(self, files: int, skipped: int) -> Stats:
        pairs = zip(self.names, self.summaries, strict=True)
        columns = tuple(_column_stats(name, one) for name, one in pairs)
        distinct = None if self.distinct is None else min(self.distinct.estimate(), self.rows)
        return Stats(
            files=files,
            rows=self.rows,
            bytes=sum(one.bytes for one in columns),
            skipped=skipped,
            distinct_rows=distinct,
            is_exact=self.distinct is None or self.distinct.is_exact,
            columns=columns,
        )


def _column_stats(name: str, one: Summary) -> ColumnStats:
    least, greatest = _extremes(one.extremes)
    distinct = one.distinct
    return ColumnStats(
        name=name,
        type=str(one.type),
        rows=one.rows,
        nulls=one.nulls,
        nans=one.nans,
        bytes=one.bytes,
        least=least,
        greatest=greatest,
        mean=one.mean,
        distinct=None if distinct is None else min(distinct.estimate(), one.rows - one.nulls),
        is_exact=distinct is None or distinct.is_exact,
        unit=_unit(str(plain_type(one.type))),
        lengths=None if one.lengths is None else quantiles(one.lengths),
    )


def _unit(kind: str) -> str:
    return next((unit for word, unit in _UNITS if word in kind.partition("<")[0]), "items")
