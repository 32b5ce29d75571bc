"""Any files that are read here, as Hugging Face datasets: mapped from disk, or streamed."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import importlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import Span
from shimhub.data.errors import DataError
from shimhub.data.feeding import _feed
from shimhub.data.formats._formats import format_of
from shimhub.data.jobs._progress import progress as telling
from shimhub.data.reading import _reading
from shimhub.data.reading._asked import Asked
from shimhub.data.reading._shards import Piece
from shimhub.data.sources._sources import resolve
from shimhub.data.writing._files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shimhub.data._model import Source
    from shimhub.data.reading._reading import Reading

LOG: Final = logging.getLogger("shimhub.data")
#: Arguments of ``resolve``; the other ones tell how to read.
_FINDING: Final = ("format", "compression", "follow_symlinks", "storage")
#: Rows of a record batch in the cache file.
_ROWS: Final = 1000
#: How an Arrow stream ends: with a message of no bytes.
_END: Final = b"\xff\xff\xff\xff\0\0\0\0"
#: Bytes of a file in one of the shards of a streamed dataset.
_SHARD: Final = 64 << 20


def to_hf(
    what: Any,
    *,
    split: str | None = None,
    streaming: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    columns: Iterable[str] | None = None,
    progress: bool | None = None,
    **reading: Any,
) -> Any:
    """Return a ``datasets.Dataset`` of the files, with the types that they have here.

    The rows are written once, as Arrow, to a file in ``cache_dir``, and are mapped from there; a
    file of the same sources (paths, sizes, times, inodes) and options is used again if it is whole.
    What ``on_error="skip"`` leaves out is logged as a warning, each time. Without
    ``cache_dir`` it lies in a temporary folder, until this process ends. Compared with
    ``datasets.load_dataset``: columns of CSV are text unless ``infer=True`` or ``schema=`` says
    otherwise, and strings of JSON are never taken for dates.

    Args:
        what: as for :func:`streaming_dataset_reader`; or a dict of these by split.
        split: which split of a Hugging Face folder; and the name of the dataset's split.
        streaming: return a ``datasets.IterableDataset``: nothing is written, files are read as
            rows are asked for, ``n_shards`` parts can be read alone, ``state_dict`` works.
        cache_dir: where the file is to be; it is made if it is not there.
        columns: names of the columns that are wanted, in that order.
        progress: whether to tell how far it is; None: at a terminal.
        reading: what else :func:`streaming_dataset_reader` takes to find and read files.

    Returns:
        Dataset or IterableDataset; for a dict, DatasetDict or IterableDatasetDict.

    Raises:
        DataError: as the reader; or a column has a type that datasets do not hold.
        ImportError: ``datasets`` is not installed.
    """
    if isinstance(what, Mapping):
        if split is not None or not what:
            raise DataError("a dict names the splits: give it at least one, and leave out split=")
        jobs = {name: _job(one, None, columns, dict(reading)) for name, one in what.items()}
    else:
        jobs = {split: _job(what, split, columns, dict(reading))}
    made = {
        name: _streamed(job, name) if streaming else _mapped(job, name, cache_dir, progress)
        for name, job in jobs.items()
    }
    if not isinstance(what, Mapping):
        return made[split]
    return getattr(_datasets(), "IterableDatasetDict" if streaming else "DatasetDict")(made)


def _job(
    what: object, split: str | None, columns: Iterable[str] | None, reading: dict[str, Any]
) -> Reading:
    finding = {name: reading.pop(name) for name in _FINDING if name in reading}
    asked = Asked(columns, _ROWS, storage=finding.get("storage") or {}, **reading)
    sources = resolve(what, split=split, **finding)
    return _reading.reading(sources, asked.options(), asked.on_drift == "unify", None)


def _datasets() -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise ImportError("to_hf needs datasets: pip install 'shimhub[data]'") from error


def _split(name: str | None) -> Any:
    return None if name is None else _datasets().NamedSplit(name)


def _features(job: Reading) -> Any:
    """Return the features of the schema; those that its metadata tells where they fit it."""
    features = _datasets().Features
    for field in job.schema:
        try:
            features.from_arrow_schema(pa.schema([field]))
        except (ValueError, NotImplementedError) as error:
            rest = [name for name in job.schema.names if name != field.name]
            raise DataError(
                f"column {field.name!r} has the type {field.type}, which datasets cannot hold: "
                f"leave it out, as in columns={rest}"
            ) from error
    return features.from_arrow_schema(job.schema)


# ---- mapped


def _mapped(
    job: Reading, name: str | None, folder: str | os.PathLike[str] | None, told: bool | None
) -> Any:
    return _datasets().Dataset.from_file(_cached(job, folder, told), split=_split(name))


def _cached(job: Reading, folder: str | os.PathLike[str] | None, told: bool | None) -> str:
    """Return the path of an Arrow stream of all rows; it is written unless it is there."""
    schema = _features(job).arrow_schema
    if folder is None:
        path = os.path.join(_temporary(), "data.arrow")
    else:
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"shimhub-{_key(job, schema)}.arrow")
    beside = f"{path}.skipped"
    if not _is_whole(path):
        _write(job, schema, path, told)
    if os.path.exists(beside):
        with open(beside, encoding="utf-8") as file:
            LOG.warning("%s", file.read())
    return path


def _keep_skipped(job: Reading, path: str) -> None:
    """Write what was left out beside the cache file, for those that use it again."""
    told = job.options.skipped.told()
    if told:
        with replacing(path) as file:
            file.write(told.encode(errors="replace"))
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _warn(told: str) -> None:
    if told:
        LOG.warning("%s", told)


def _is_whole(path: str) -> bool:
    """Whether the file is there, and ends as a stream does that was not cut short."""
    try:
        with open(path, "rb") as file:
            file.seek(-len(_END), os.SEEK_END)
            return file.read() == _END
    except OSError:  # none, or shorter than that
        return False


def _write(job: Reading, schema: pa.Schema, path: str, told: bool | None) -> None:
    total = sum(max(0, source.size) for source in job.sources)
    with (
        telling(total, "to_hf", told) as tally,
        replacing(path) as file,
        pa.ipc.new_stream(file, schema) as sink,
    ):
        rows = 0
        for at, source in enumerate(job.sources):
            for batch in _feed.rows_of_piece(job, Piece(at, Span())):
                sink.write_batch(_as(batch, schema))
                tally.advance(rows=batch.num_rows)
                rows += batch.num_rows
            tally.advance(bytes=max(0, source.size))
        if not rows:
            job.options.skipped.refuse_nothing()
        _keep_skipped(job, f"{path}.skipped")


def _as(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with datasets' types: dictionaries as their values, for one."""
    return batch if batch.schema.equals(schema, check_metadata=True) else batch.cast(schema)


def _key(job: Reading, schema: pa.Schema) -> str:
    options = job.options
    told = [
        [_stamp(source) for source in job.sources],
        [options.on_error, options.infer, options.delimiter, options.quote, options.encoding],
        [options.max_line, options.max_ratio, job.unify],
    ]
    made = hashlib.blake2b(json.dumps(told).encode(), digest_size=16)
    made.update(schema.serialize())
    return made.hexdigest()


def _stamp(source: Source) -> list[Any]:
    """Return what tells this file from one that was there before; a remote one is always new."""
    if source.is_remote:
        return [source.path, os.urandom(8).hex()]
    stat = os.stat(source.path)
    times = [stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    return [source.path, source.format, source.compression, stat.st_size, *times]


def _temporary() -> str:
    """Return a new folder that goes when this process ends."""
    folder, owner = tempfile.mkdtemp(prefix="shimhub-"), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a forked child may end earlier
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


# ---- streamed


def _streamed(job: Reading, name: str | None) -> Any:
    examples = importlib.import_module("datasets.iterable_dataset").ArrowExamplesIterable
    features = _features(job)
    _warn(job.options.skipped.told())
    pieces = [
        Piece(at, span)
        for at, source in enumerate(job.sources)
        for span in format_of(source).spans(source, _SHARD, job.options)
    ]
    # A list among the arguments is what datasets split over nodes and workers.
    arguments = {"job": job, "schema": features.arrow_schema, "pieces": pieces, "all": len(pieces)}
    return _datasets().IterableDataset(
        examples(_tables, arguments),
        info=_datasets().DatasetInfo(features=features),
        split=_split(name),
    )


def _tables(
    job: Reading, schema: pa.Schema, pieces: list[Piece], **told: int
) -> Iterator[tuple[str, pa.Table]]:
    before, rows = job.options.skipped.amount, 0
    for piece in pieces:
        for at, batch in enumerate(_feed.rows_of_piece(job, piece)):
            key = f"{piece.source}_{piece.span.start}_{at}"
            rows += batch.num_rows
            yield key, pa.Table.from_batches([_as(batch, schema)])
    _warn(job.options.skipped.told(before))
    if not rows and len(pieces) == told["all"]:  # of a share it is no error
        job.options.skipped.refuse_nothing()
