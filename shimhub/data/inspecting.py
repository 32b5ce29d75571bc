"""What is in files of data, and their first rows; nothing is read that need not be."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shimhub.data._model import Span
from shimhub.data.errors import DataError
from shimhub.data.formats import _arrow_files, _ipc_messages
from shimhub.data.formats._formats import format_of
from shimhub.data.reader import streaming_dataset_reader
from shimhub.data.reading._asked import Asked, whole
from shimhub.data.reading._schemas import differences
from shimhub.data.reading._unused import refuse_unused
from shimhub.data.sources._names import by_name
from shimhub.data.sources._sources import resolve

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data._model import Options, Source


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file; None is what is not known without reading all of it."""

    path: str
    format: str
    #: "name", "content" (its bytes, where the name says nothing or something else) or "format=".
    told_by: str
    #: Around the whole file; ``codec`` is what is inside Parquet (with its parts) and Arrow files.
    compression: str | None = None
    codec: str | None = None
    #: Bytes as stored, -1 where that is not known.
    size: int = -1
    rows: int | None = None
    #: Row groups of Parquet, record batches of Arrow.
    groups: int | None = None
    schema: pa.Schema | None = None
    #: Where name and content disagree, what differs from the first file, or what cannot be read.
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Info:
    """All files together; ``rows`` is None where one file's are not known."""

    files: tuple[FileInfo, ...]
    size: int
    rows: int | None
    #: The first file's that can be read; other files that differ have it in their problems.
    schema: pa.Schema | None
    #: What Hugging Face's metadata tells of the columns, and the split that was read.
    features: dict[str, Any] | None = None
    split: str | None = None
    problems: tuple[str, ...] = field(default=())


def info(
    what: object,
    *,
    count: bool = False,
    format: str | None = None,  # noqa: A002 - the name that users give
    compression: str | None = None,
    split: str | None = None,
    follow_symlinks: bool = False,
    storage: dict[str, Any] | None = None,
    **asked: Any,
) -> Info:
    """Return what the files are: format, size, rows, row groups, codec, schema, and problems.

    ``what`` and the options are those of :func:`shimhub.data.streaming_dataset_reader`. Rows of
    Parquet and Arrow files come from their headers; those of text formats are None unless
    ``count`` reads everything. A file that cannot be read has the reason in its ``problems``, and
    does not hide the others. Raises as the reader does for what is not there.
    """
    options = Asked(storage=storage or {}, **asked).options()
    sources = resolve(
        what,
        format=format,
        compression=compression,
        split=split,
        follow_symlinks=follow_symlinks,
        storage=storage,
    )
    refuse_unused(sources, options)
    files = _compared([_file(one, options, count, format is not None) for one in sources])
    rows = [one.rows for one in files]
    schema = next((one.schema for one in files if one.schema is not None), None)
    return Info(
        files=tuple(files),
        size=sum(max(one.size, 0) for one in files),
        rows=None if None in rows else sum(one or 0 for one in rows),
        schema=schema,
        features=_features(schema),
        split=split,
        problems=tuple(f"{one.path}: {told}" for one in files for told in one.problems),
    )


def head(what: object, n: int = 10, **options: Any) -> list[dict[str, Any]]:
    """Return the first ``n`` rows as dicts, fewer if there are fewer.

    The options are those of :func:`shimhub.data.streaming_dataset_reader`; no more is read than
    the rows need.
    """
    whole("n", n)
    with streaming_dataset_reader(what, batch_size=n, output="rows", **options) as reader:
        rows: list[dict[str, Any]] = next(reader, [])
    return rows


def _file(source: Source, options: Options, count: bool, is_asked: bool) -> FileInfo:
    named = by_name(source.path)[0]
    told_by = "format=" if is_asked else "name" if named == source.format else "content"
    told = FileInfo(
        path=source.path,
        format=source.format,
        told_by=told_by,
        compression=source.compression,
        size=source.size,
        problems=(source.note,) if source.note else (),
    )
    try:
        return _read(source, options, count, told)
    except (DataError, OSError) as error:
        problem = str(error).removeprefix(source.path).lstrip(",: ")
        return replace(told, problems=(*told.problems, problem))


def _read(source: Source, options: Options, count: bool, told: FileInfo) -> FileInfo:
    told = replace(told, schema=format_of(source).schema(source, options))
    if source.format == "parquet":
        return _parquet(source, options, told)
    if source.format == "arrow" and (count or not source.is_remote):
        return _arrow(source, options, told)
    if not count:
        return told
    parts = format_of(source).batches(source, Span(), options)
    return replace(told, rows=sum(part.batch.num_rows for part in parts))


def _parquet(source: Source, options: Options, told: FileInfo) -> FileInfo:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    with _arrow_files.named(source), _arrow_files.opened(source, options) as file:
        metadata = pq.read_metadata(file)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    codecs = {one.column(i).compression for one in groups for i in range(one.num_columns)}
    return replace(
        told,
        rows=metadata.num_rows,
        groups=len(groups),
        codec=", ".join(sorted(one.lower() for one in codecs)) or None,
    )


def _arrow(source: Source, options: Options, told: FileInfo) -> FileInfo:
    """Read the headers, which lie all over the file: of a remote one that is all of it."""
    with _arrow_files.named(source), _all_over(source, options) as file:
        facts = _ipc_messages.facts(file)
    return replace(told, rows=facts.rows, groups=facts.batches, codec=facts.codec)


def _all_over(source: Source, options: Options) -> AbstractContextManager[pa.NativeFile]:
    if source.is_remote or source.compression is not None:
        return _arrow_files.opened(source, options)
    import pyarrow as pa

    mapped: AbstractContextManager[pa.NativeFile] = pa.memory_map(source.path)
    return mapped


def _compared(files: list[FileInfo]) -> list[FileInfo]:
    """Return the files, each told how its schema differs from the first one's."""
    first = next((one for one in files if one.schema is not None), None)
    if first is None:
        return files
    return [_beside(one, first) for one in files]


def _beside(one: FileInfo, first: FileInfo) -> FileInfo:
    if one.schema is None:
        return one
    found = differences(first.schema, one.schema, first.path)
    return replace(one, problems=(*one.problems, *found))


def _features(schema: pa.Schema | None) -> dict[str, Any] | None:
    """Return the features that `datasets` writes into a schema's metadata."""
    told = (schema.metadata or {}).get(b"huggingface") if schema is not None else None
    if told is None:
        return None
    try:
        found = json.loads(told)["info"]["features"]
    except (ValueError, KeyError, TypeError):  # other programs may use the key
        return None
    return found if isinstance(found, dict) else None
