"""Stream rows of training data out of any files, in batches of one size."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from shimhub.data._asked import Asked
from shimhub.data._batching import rebatched
from shimhub.data._formats import format_of
from shimhub.data._model import Options, Skipped, Source, Span
from shimhub.data._schemas import check_same
from shimhub.data._sources import resolve
from shimhub.data.errors import DataError
from shimhub.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    import pyarrow as pa  # type: ignore[import-untyped]
    from typing_extensions import Self


def streaming_dataset_reader(
    what: object,
    *,
    format: str | None = None,  # noqa: A002 - the name that users give
    compression: str | None = None,
    columns: Iterable[str] | None = None,
    batch_size: int = 1000,
    output: str = "columns",
    shard: tuple[int, int] | None = None,
    split: str | None = None,
    follow_symlinks: bool = False,
    storage: dict[str, Any] | None = None,
    **asked: Any,
) -> Reader:
    """Return an iterator over batches of exactly ``batch_size`` rows, the last one shorter."""
    told = Asked(columns, batch_size, output, shard, storage=storage or {}, **asked)
    sources = resolve(
        what,
        format=format,
        compression=compression,
        split=split,
        follow_symlinks=follow_symlinks,
        storage=storage,
    )
    return Reader(sources, told)


class Reader:
    """An iterator over the batches of some files."""

    def __init__(self, sources: list[Source], asked: Asked) -> None:
        self.sources = tuple(sources)
        self._options = asked.options()
        self.schema = _chosen(_schema(sources[0], self._options), self._options)
        self._batches = self._converted(asked)

    @property
    def skipped(self) -> Skipped:
        """What ``on_error="skip"`` left out so far."""
        return self._options.skipped

    @property
    def notes(self) -> list[str]:
        """Files whose name and content disagree."""
        return [f"{source.path}: {source.note}" for source in self.sources if source.note]

    def __iter__(self) -> Reader:
        return self

    def __next__(self) -> Any:
        return next(self._batches)

    def close(self) -> None:
        """Close the file that is being read; nothing more comes."""
        self._batches.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _converted(self, asked: Asked) -> Any:
        for batch in rebatched(self._record_batches(), asked.batch_size):
            yield _CONVERT[asked.output](batch)

    def _record_batches(self) -> Iterator[pa.RecordBatch]:
        options = dataclasses.replace(self._options, columns=tuple(self.schema.names))
        for source in self.sources:
            found = _chosen(_schema(source, self._options), self._options)
            check_same(self.schema, found, source.path, self.sources[0].path)
            for part in format_of(source).batches(source, Span(), options):
                yield part.batch


def _schema(source: Source, options: Options) -> pa.Schema:
    return format_of(source).schema(source, options)


def _chosen(schema: pa.Schema, options: Options) -> pa.Schema:
    import pyarrow as pa

    if options.columns is None:
        return schema
    for name in options.columns:
        if name not in schema.names:
            raise DataError(
                f"columns= has {name!r}, which is not there{nearest(name, schema.names)}; "
                f"there are {', '.join(map(repr, schema.names))}"
            )
    return pa.schema([schema.field(name) for name in options.columns], schema.metadata)


_CONVERT: dict[str, Any] = {
    "arrow": lambda batch: batch,
    "columns": lambda batch: batch.to_pydict(),
    "rows": lambda batch: batch.to_pylist(),
}
