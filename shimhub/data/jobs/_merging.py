"""The parts of a job as one file."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from shimhub.data.jobs._places import is_part
from shimhub.data.jobs._work import Stage
from shimhub.data.writing import _files
from shimhub.data.writing._writers import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shimhub.data.jobs._work import Job

_NAME: Final = "merge"
_COPIED: Final = 1 << 20


def merge_stages(job: Job) -> list[Stage]:
    """Return the last stage of a job whose output is one file; none if it is a folder."""
    return [Stage(_NAME, 1, "shimhub.data.jobs._merging:merge")] if job.target else []


def merge(job: Job, _: int) -> dict[str, Any]:
    """Write the job's target from the parts that the stages before made; memory stays flat."""
    parts = sorted(_parts(job))
    if job.extension in {"parquet", "arrow"}:
        return _by_batches(job, [path for path, _ in parts])
    return _by_bytes(job, parts)


def _parts(job: Job) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the names of parts, and what was told of them."""
    for folder, _, names in os.walk(job.state):
        for name in names if os.path.basename(folder) != _NAME else ():
            mark = _files.read_json(os.path.join(folder, name)) if name.endswith(".done") else None
            for path in (mark or {"files": ()})["files"]:
                if mark is not None and is_part(path):
                    yield path, mark["told"]


def _by_bytes(job: Job, parts: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Join the bytes, without the headers of all parts but the first."""
    rows, start = 0, 0
    with _files.replacing(job.target, job.scratch()) as out:
        if not parts:
            raise AssertionError("a job has at least one part")
        for path, told in parts:
            with open(os.path.join(job.out, path), "rb") as part:
                part.seek(start)
                _copy(part, out)
            start = told.get("head", 0)
            rows += told.get("rows", 0)
    return _told(job, rows)


def _copy(source: IO[bytes], out: IO[bytes]) -> None:
    while data := source.read(_COPIED):
        out.write(data)


def _by_batches(job: Job, paths: list[str]) -> dict[str, Any]:
    files = [os.path.join(job.out, path) for path in paths]
    batches = _parquet if job.extension == "parquet" else _arrow
    rows = 0
    with Writer(job.target, _schema(files[0]), scratch=job.scratch()) as writer:
        for file in files:
            for batch in batches(file):
                writer.write(batch)
                rows += batch.num_rows
    return _told(job, rows)


def _schema(path: str) -> pa.Schema:
    if path.endswith(".parquet"):
        return pq.read_schema(path)
    with pa.OSFile(path) as file:
        return pa.ipc.open_file(file).schema


def _parquet(path: str) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=_COPIED) as file:
        yield from file.iter_batches(1 << 13)


def _arrow(path: str) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(path) as file:
        reader = pa.ipc.open_file(file)
        for at in range(reader.num_record_batches):
            yield reader.get_batch(at)


def _told(job: Job, rows: int) -> dict[str, Any]:
    return {"files": [os.path.relpath(job.target, job.out)], "rows": rows}
