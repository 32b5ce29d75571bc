"""Stream rows of training data out of any files, in batches of one size."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from shimhub.data._kept import Kept
from shimhub.data.reading import _outputs, _reading
from shimhub.data.reading._asked import Asked
from shimhub.data.reading._batching import rebatched
from shimhub.data.reading._cells import Rows
from shimhub.data.sources._sources import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    import pyarrow as pa  # type: ignore[import-untyped]
    from typing_extensions import Self

    from shimhub.data._model import Skipped, Source


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
    schema: pa.Schema | None = None,
    on_error: str = "raise",
    on_drift: str = "error",
    infer: bool = False,
    delimiter: str | None = None,
    quote: str | None = '"',
    encoding: str = "utf-8",
    follow_symlinks: bool = False,
    storage: dict[str, Any] | None = None,
    max_line: int = 1 << 28,
    max_ratio: int = 1000,
) -> Reader:
    """Return an iterator over batches of exactly ``batch_size`` rows, the last one shorter.

    Args:
        what: a path, URL, glob or folder, or a list of these (docs/data-formats.md tells how
            they are found, and how formats are told).
        format: one of ``FORMATS``, an extension such as "jsonl.gz", or None: told per file.
        compression: "gzip", "zstd", "none", or None: told per file.
        columns: names of the columns that are wanted, in that order; None for all.
        batch_size: rows in a batch.
        output: what a batch is: "columns" (dict of lists), "rows" (list of dicts), "arrow"
            (``pa.RecordBatch``), "numpy" or "torch" (dict of arrays).
        shard: (rank, world): the rows of one of ``world`` readers; see ``_shards``.
        split: of a Hugging Face folder, or of a folder whose files are named by split.
        schema: types of the columns of JSON, CSV and text; other files are cast to it.
        on_error: "raise", or "skip": leave out what cannot be decoded, and count it in
            ``skipped``.
        on_drift: "error", or "unify": read everything once before, and widen the schema.
        infer: let CSV guess types.
        delimiter: of CSV; None is a comma, or a tab for TSV.
        quote: of CSV; None if nothing is quoted.
        encoding: of JSON, JSONL, CSV, TSV and text.
        follow_symlinks: read links that lead out of a folder or glob.
        storage: options for fsspec.
        max_line: bytes that a line, value or row may have.
        max_ratio: bytes that a compressed byte may become.

    Raises:
        FileNotFoundError: no such file.
        DataError: an argument is wrong, or there is no data (its subclasses: FormatError,
            DecodeError, SchemaDriftError, LimitError).
        TypeError: an argument is of a wrong type.
    """
    asked = Asked(
        columns=columns,
        batch_size=batch_size,
        output=output,
        shard=shard,
        schema=schema,
        on_error=on_error,
        on_drift=on_drift,
        infer=infer,
        delimiter=delimiter,
        quote=quote,
        encoding=encoding,
        storage={} if storage is None else storage,
        max_line=max_line,
        max_ratio=max_ratio,
    )
    sources = resolve(
        what,
        format=format,
        compression=compression,
        split=split,
        follow_symlinks=follow_symlinks,
        storage=storage,
    )
    return Reader(sources, asked)


class Reader:
    """An iterator over the batches of some files; close it, or use it as a context manager."""

    def __init__(self, sources: list[Source], asked: Asked) -> None:
        self._kept = Kept()
        options = replace(asked.options(), kept=self._kept)
        is_unified = asked.on_drift == "unify"
        self._job = _reading.reading(sources, options, is_unified, asked.shard)
        batches = (
            _rows(self._job, asked.batch_size)
            if asked.output == "rows"
            else _converted(self._job, asked.batch_size, asked.output)
        )
        self._batches = _not_nothing(self._job, batches)

    @property
    def schema(self) -> pa.Schema:
        """The columns of the batches."""
        return self._job.schema

    @property
    def sources(self) -> tuple[Source, ...]:
        """The files, in the order they are read."""
        return self._job.sources

    @property
    def skipped(self) -> Skipped:
        """What ``on_error="skip"`` left out so far."""
        return self._job.options.skipped

    @property
    def notes(self) -> list[str]:
        """Files whose name and content disagree, and what they are read as."""
        return [f"{source.path}: {source.note}" for source in self.sources if source.note]

    def __iter__(self) -> Self:
        """Return the reader itself: it is read once."""
        return self

    def __next__(self) -> Any:
        """Return the next batch."""
        return next(self._batches)

    def close(self) -> None:
        """Close the file that is being read; nothing more comes."""
        self._batches.close()
        self._kept.close()

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def _not_nothing(job: _reading.Reading, batches: Any) -> Any:
    """Yield the batches; raise the first error if there are none, and no other rank has some."""
    is_any = False
    with closing(batches):
        for batch in batches:
            is_any = True
            yield batch
    if not is_any and job.shard is None:
        job.options.skipped.refuse_nothing()


def _converted(job: _reading.Reading, size: int, output: str) -> Any:
    rows = Rows()
    with closing(_reading.batches(job)) as batches:  # type: ignore[type-var]
        if output == "arrow":
            yield from rebatched(map(_batch, batches), size)
            return
        convert = _CONVERT[output]
        for batch in rebatched(rows.noted(batches), size):
            yield rows.converted(convert, batch)


def _rows(job: _reading.Reading, size: int) -> Any:
    held: list[dict[str, Any]] = []
    with closing(_reading.rows(job)) as lists:  # type: ignore[type-var]
        for rows in lists:
            held += rows
            yield from _full(held, size)
    if held:
        yield held


def _full(held: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the full batches that are held, and keep what is left."""
    at = 0
    while len(held) - at >= size:
        yield held[at : at + size]
        at += size
    del held[:at]


_batch = itemgetter(0)


_CONVERT: Final[dict[str, Callable[[pa.RecordBatch], Any]]] = {
    "columns": _outputs.columns_of,
    "numpy": _outputs.numpy_of,
    "torch": _outputs.torch_of,
}
