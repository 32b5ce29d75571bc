"""From sources to one stream of record batches, or rows, of one schema."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from shimhub.data._model import Skipped
from shimhub.data.errors import DataError, DecodeError, SchemaDriftError
from shimhub.data.formats._formats import format_of
from shimhub.data.reading import _schemas, _shards
from shimhub.data.reading._cells import Place, converted
from shimhub.data.reading._unused import refuse_unused
from shimhub.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data._model import Options, Source
    from shimhub.data.reading._shards import Piece

#: Formats whose files tell their schema; for others it is given or guessed.
#: What tells the schema where all files do.
_ALL: Final = "all files together"
_SELF_TOLD: Final = ("parquet", "arrow")


@dataclass(slots=True)
class Reading:
    """Sources, how to read them, and the schema that their rows have."""

    sources: tuple[Source, ...]
    options: Options
    #: All columns there are; ``schema`` is those that were chosen.
    known: pa.Schema
    schema: pa.Schema
    unify: bool
    shard: tuple[int, int] | None = None
    #: The path whose file told the schema; empty if it was given.
    first: str = ""
    #: Columns of the sources that were looked at, by number; None for one that cannot be read.
    seen: dict[int, pa.Schema | None] = field(default_factory=dict)


def reading(
    sources: list[Source], options: Options, unify: bool, shard: tuple[int, int] | None
) -> Reading:
    """Find the schema: the given one, the first file's, or with ``unify`` what holds all.

    Raises:
        DataError: ``options.columns`` names a column that is not there, or no file has a use for
            an option.
        DecodeError: the first file cannot be read (with ``on_error="skip"``: none can).
        SchemaDriftError: ``unify``, and no schema holds all.
    """
    refuse_unused(sources, options)
    seen: dict[int, pa.Schema | None] = {}
    if options.schema is not None:
        known, first = options.schema, options.told_by
    elif unify:
        known, first = _unified(sources, options, seen), _ALL
    else:
        known, first = _first(sources, options, seen)
    schema = _schemas.chosen(known, options.columns, lambda name: _unknown(name, known))
    return Reading(tuple(sources), options, known, schema, unify, shard, first, seen)


def _unknown(name: str, known: pa.Schema) -> DataError:
    there = ", ".join(map(repr, known.names))
    return DataError(
        f"columns= has {name!r}, which is not there{nearest(name, known.names)}; there are {there}"
    )


def _first(
    sources: list[Source], options: Options, seen: dict[int, pa.Schema | None]
) -> tuple[pa.Schema, str]:
    """Return the schema of the first file that has columns (an empty JSONL file has none)."""
    found: tuple[pa.Schema, str] | None = None
    for at, source in enumerate(sources):
        schema = _schema(at, source, options, seen)
        if schema is not None and (len(schema) or found is None):
            found = schema, source.path
        if found is not None and len(found[0]):
            break
    return found or _none_readable(options)


def _none_readable(options: Options) -> tuple[pa.Schema, str]:
    raise options.skipped.first[0]


def _unified(
    sources: list[Source], options: Options, seen: dict[int, pa.Schema | None]
) -> pa.Schema:
    schemas = [
        (source.path, schema)
        for at, source in enumerate(sources)
        if (schema := _schema(at, source, options, seen, "widest")) is not None
    ]
    return _schemas.unified(schemas) if schemas else _none_readable(options)[0]


def _schema(
    at: int,
    source: Source,
    options: Options,
    seen: dict[int, pa.Schema | None],
    ask: str = "schema",
) -> pa.Schema | None:
    """Return the columns of a source; None, and counted as skipped, where it cannot be read."""
    if at in seen:
        return seen[at]
    module = format_of(source)
    try:
        told = options if options.columns is None else replace(options, columns=None)
        seen[at] = getattr(module, ask, module.schema)(source, told)
    except DecodeError as error:
        if options.on_error != "skip" or isinstance(error, SchemaDriftError):
            raise
        options.skipped.add(error, 0, max(0, source.size))
        seen[at] = None
    return seen[at]


def pieces(job: Reading) -> list[Piece]:
    """Return what this rank reads."""
    if job.shard is None:
        return _shards.whole(job.sources)
    return _shards.pieces_of(job.sources, job.shard, _quiet(job.options))


def _quiet(options: Options) -> Options:
    """Options for a look that counts nothing as skipped."""
    return replace(options, skipped=Skipped())


def batches(job: Reading) -> Iterator[tuple[pa.RecordBatch, Place]]:
    """Yield the rows as record batches of ``job.schema``, and where they are from.

    Raises:
        DecodeError, SchemaDriftError: what a file is not as it should be in.
    """
    for piece in pieces(job):
        options = options_for(job, piece.source)
        if options is not None:
            yield from _of_piece(job, piece, options)


def _of_piece(
    job: Reading, piece: Piece, options: Options
) -> Iterator[tuple[pa.RecordBatch, Place]]:
    source, skips = job.sources[piece.source], job.options.on_error == "skip"
    path, step, is_known = source.path, piece.step, not piece.span.start
    is_same = None  # all batches of a source have one schema
    with closing(format_of(source).batches(source, piece.span, options)) as parts:
        for batch, first in _shards.kept(piece, parts):
            if is_same is None:
                is_same = batch.schema.equals(job.schema)
            found = batch
            if not is_same:
                found = _schemas.conformed(batch, job.schema, path, first, job.first)
            yield found, Place(path, first, step, is_known, skips)


def options_for(job: Reading, at: int) -> Options | None:
    """Return how to read a source: its columns of those chosen; None where it cannot be read.

    Raises:
        SchemaDriftError: it has other columns or types than those before.
    """
    source = job.sources[at]
    if job.seen.get(at, job.known) is None:  # it was looked at, and counted then
        return None
    if source.format not in _SELF_TOLD and not job.unify:
        return replace(
            job.options, schema=job.known, columns=tuple(job.schema.names), told_by=job.first
        )
    schema = _schema(at, source, job.options, job.seen)
    if schema is None:
        return None
    if not job.unify:
        _check(job, schema, source.path)
    there = set(schema.names)
    names = tuple(name for name in job.schema.names if name in there)
    share = _share(job.known, schema)
    return replace(job.options, columns=names, schema=share, told_by=job.first)


def _share(known: pa.Schema, own: pa.Schema) -> pa.Schema:
    if own is known:
        return known
    import pyarrow as pa

    return pa.schema([known.field(name) for name in own.names if name in known.names])


def _check(job: Reading, schema: pa.Schema, path: str) -> None:
    if job.options.schema is None:
        _schemas.check_same(job.known, schema, path, job.first)
        return
    for name in sorted(set(job.known.names) ^ set(schema.names)):
        where = "the file" if name in job.known.names else "schema="
        raise SchemaDriftError(path, f"column {name!r} is not in {where}: name what there is")


def rows(job: Reading) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows as dicts, in lists of any length."""
    from shimhub.data.reading import _outputs

    for piece in pieces(job):
        options = options_for(job, piece.source)
        if options is None:
            continue
        if piece.step == 1 and piece.stop is None and _has_rows(job, piece.source, options):
            source = job.sources[piece.source]
            with closing(format_of(source).rows(source, piece.span, options)) as parts:
                yield from (found for found, _ in parts)
            continue
        for batch, place in _of_piece(job, piece, options):
            yield converted(_outputs.rows_of, batch, place)


def _has_rows(job: Reading, at: int, options: Options) -> bool:
    """Whether the format makes rows itself, and of the schema that is wanted."""
    is_whole = options.schema is not None and options.columns == tuple(job.schema.names)
    return is_whole and hasattr(format_of(job.sources[at]), "rows")
