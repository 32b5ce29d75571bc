"""What a job would take: it is run on two samples of its first file, and the line drawn on."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.errors import NothingReadError
from shimhub.data.inspecting import info
from shimhub.data.jobs import _places
from shimhub.data.jobs._beside import check_place
from shimhub.data.jobs._jobs import is_one_file
from shimhub.data.jobs._options import BLOCK_BYTES, FINDING, finding, sources_of
from shimhub.data.jobs._places import STATE
from shimhub.data.measuring import _plots
from shimhub.data.reader import streaming_dataset_reader
from shimhub.data.reading._unused import USED_BY
from shimhub.data.runners import cpus
from shimhub.data.writing._writers import GROUP_BYTES, extension_of, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shimhub.data._model import Source

#: Bytes of the samples as they are in memory; the larger second one for a job that is quick.
_SMALL, _LARGE, _LARGER = 1 << 18, 1 << 21, 1 << 23
_QUICK: Final = 0.3
#: Jobs that hold no block in memory, but what becomes a row group, read and encoded.
_STREAMS: Final = ("convert", "tokenize")
_GROUPS: Final = 4 * GROUP_BYTES
_LINES: Final = ("jsonl", "csv", "tsv", "text")
_BATCH: Final = 1000
#: What a file is written without: with commas, in quotes, in UTF-8.
_WRITTEN: Final = ("delimiter", "quote", "encoding")
#: What a process has with Python, pyarrow and this package, where it cannot be measured.
_PROCESS: Final = 150 << 20


@dataclass(frozen=True, slots=True)
class Estimate:
    """About what a job would take; ``rows`` is None where nobody knows before reading.

    ``seconds`` is with ``workers`` processes, ``memory`` is that of all of them in bytes, ``disk``
    what is needed while it runs: the output, twice where parts are merged into one file, and what
    stages leave for each other: of dedup about 20 bytes a row, with ``near`` 12 more for each band
    and row, and the shingles of candidates (of which whole inputs may have a larger share).
    ``sample`` is how many bytes of input it was measured with.
    """

    files: int
    bytes: int
    rows: int | None
    workers: int
    seconds: float
    memory: int
    disk: int
    sample: int


@dataclass(frozen=True, slots=True)
class _Run:
    """A sample: its share of the inputs in bytes as stored, and what the job took with it."""

    stored: float
    seconds: float
    written: int
    kept: int
    arrow: int


def estimate(
    function: Callable[..., Any],
    inputs: object,
    asked: dict[str, Any],
    workers: int | None = None,
    out: str | None = None,
) -> Estimate:
    """Return what ``function(inputs, out, **asked)`` would take; nothing is left on the disk.

    ``function`` is one of the jobs: convert, dedup, tokenize, pack. Raises what reading the
    inputs' beginning raises, and what the job does to options that do not fit.
    """
    how = finding(asked)
    sources = sources_of(inputs, how)
    _refuse(out, asked.get("plot"), sources)
    told = info(inputs, **how)
    total = max(told.size, 1)
    with tempfile.TemporaryDirectory(prefix="shimhub-dry-run-") as folder:
        small = _measured(function, sources[0], told, asked, _SMALL, folder)
        size = _LARGER if small.seconds < _QUICK else _LARGE
        large = _measured(function, sources[0], told, asked, size, folder)
    processes = min(workers or cpus(), max(1, total // BLOCK_BYTES))
    per_byte, fixed = _line(small.stored, small.seconds, large.stored, large.seconds)
    growth, _ = _line(small.stored, small.arrow, large.stored, large.arrow)
    held = growth * min(BLOCK_BYTES, max(one.size for one in sources))
    held = min(held, _GROUPS) if function.__name__ in _STREAMS else held
    merged = 2 if out is not None and is_one_file(out) else 1
    disk = (merged * large.written + large.kept) / max(large.stored, 1) * total
    return Estimate(
        files=len(sources),
        bytes=told.size,
        rows=told.rows,
        workers=processes,
        seconds=fixed + per_byte * total / processes,
        memory=round(processes * (_resident() + held)),
        disk=round(disk),
        sample=round(large.stored),
    )


def _refuse(out: str | None, plot: str | None, sources: Sequence[Source]) -> None:
    """Refuse what the job would: an output or a picture over or in an input, or no place."""
    place = None if out is None else _places.place(out, None)
    if place is not None:
        _places.refuse_overlap(place, sources)
    if plot is not None:
        _plots.check(plot)
        check_place(plot, place, sources)


def _line(x: float, y: float, x2: float, y2: float) -> tuple[float, float]:
    """Return rise and beginning of the line through two points, none of them below 0."""
    if x2 <= x:
        return y2 / max(x2, 1), 0.0
    rise = max((y2 - y) / (x2 - x), 0.0)
    return rise, max(y2 - rise * x2, 0.0)


def _measured(
    function: Callable[..., Any],
    source: Source,
    told: Any,
    asked: dict[str, Any],
    size: int,
    folder: str,
) -> _Run:
    """Run the job in this process on about ``size`` bytes of the file."""
    path, stored = _sample(source, told, size, os.path.join(folder, str(size)), asked)
    before = pa.total_allocated_bytes()
    begun = time.perf_counter()
    out, kept = Path(folder, f"out-{size}"), [0]

    def look(*_: object) -> None:
        kept.append(sum(one.stat().st_size for one in (out / STATE).glob("*/*.arrow")))

    with contextlib.suppress(NothingReadError):  # a row is longer than the sample
        function(path, str(out), workers=1, progress=look, **_quietly(asked, source))
    seconds = time.perf_counter() - begun
    arrow = max(pa.default_memory_pool().max_memory() - before, 0)
    written = sum(one.stat().st_size for one in out.glob("*"))
    return _Run(stored, seconds, written, max(kept), arrow)


def _quietly(asked: dict[str, Any], source: Source) -> dict[str, Any]:
    """Return the options for a plain file that may end in the middle of a row; no picture."""
    left = {*FINDING, "plot"} | {name for name in USED_BY if source.format not in USED_BY[name]}
    left |= set() if _is_copied(source) else {*_WRITTEN}
    kept = {name: value for name, value in asked.items() if name not in left}
    return {**kept, "on_error": "skip"}


def _is_copied(source: Source) -> bool:
    """Whether a sample has the file's first bytes; else rows are read, and written plainly."""
    return source.format in _LINES and source.compression is None and not source.is_remote


def _sample(
    source: Source, told: Any, size: int, path: str, asked: dict[str, Any]
) -> tuple[str, float]:
    """Write the beginning of a file as one of the same format; return how much of it that is."""
    if _is_copied(source):
        path = f"{path}.{extension_of(source.format)}"
        with open(source.path, "rb") as file:
            data = file.read(size)
        if len(data) == size:  # whole lines, if there is one
            data = data[: data.rfind(b"\n") + 1] or data
        Path(path).write_bytes(data)
        return path, len(data)
    name = "jsonl" if source.format == "json" else source.format
    path = f"{path}.{extension_of(name, source.compression)}"
    used: dict[str, Any] = {
        name: asked[name] for name in _WRITTEN if name in asked and source.format in USED_BY[name]
    }
    batches = list(_beginning(source, size, used))
    rows = write_file(path, batches, batches[0].schema)["rows"] if batches else 0
    known = next((one.rows for one in told.files if one.path == source.path), None)
    return path, source.size * rows / known if known else os.path.getsize(path)


def _beginning(source: Source, size: int, how: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    seen = 0
    with streaming_dataset_reader(
        source.path,
        format=source.format,
        compression=source.compression or "none",
        output="arrow",
        batch_size=_BATCH,
        follow_symlinks=True,
        **how,
    ) as reader:
        for batch in reader:
            yield batch
            seen += batch.nbytes
            if seen >= size:
                return


def _resident() -> int:
    """Return the most memory that this process has had."""
    try:
        import resource
    except ImportError:  # Windows
        return _PROCESS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
