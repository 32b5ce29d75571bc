"""The words of reading: sources, spans, options, and what was skipped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data._kept import Kept
    from shimhub.data.errors import DecodeError

#: Formats by the names that ``format=`` takes; "arrow" is an IPC file or stream, Feather too.
FORMATS: Final = ("parquet", "arrow", "json", "jsonl", "csv", "tsv", "text")
COMPRESSIONS: Final = ("gzip", "zstd")


@dataclass(frozen=True, slots=True)
class Source:
    """One file that was named, or found where a directory or glob was.

    ``path`` is absolute and local, or a URL that fsspec opens (``is_remote``); ``size`` is in
    bytes as stored, -1 where it is not known. ``compression`` is around the whole file: codecs
    inside Parquet and Arrow files are pyarrow's.
    """

    path: str
    format: str
    compression: str | None = None
    size: int = -1
    is_remote: bool = False
    #: What the user's pattern or directory was, for messages; empty if it was named itself.
    found_in: str = ""
    #: Where name and content disagree: what was found; empty if they agree.
    note: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a source that can be read alone; ``stop`` is None for all that is left.

    The unit is the format's: row groups of Parquet, record batches of an Arrow file, bytes of
    lines (a line belongs to the span in which its first byte lies), 0 and None for what can only
    be read from its beginning.
    """

    start: int = 0
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """One unit of work: a span of the source with that number."""

    source: int
    span: Span


@dataclass(slots=True)
class Skipped:
    """What ``on_error="skip"`` left out: how much, and the first errors."""

    rows: int = 0
    #: Bytes of a file that could not be read to its end, as far as that is known.
    unread: int = 0
    files: dict[str, int] = field(default_factory=dict)
    first: list[DecodeError] = field(default_factory=list)
    #: How many errors are kept.
    limit: int = 20

    def add(self, error: DecodeError, rows: int = 1, unread: int = 0) -> None:
        """Count what this error cost."""
        self.rows += rows
        self.unread += unread
        self.files[error.path] = self.files.get(error.path, 0) + rows
        if len(self.first) < self.limit:
            self.first.append(error)

    @property
    def amount(self) -> tuple[int, int]:
        """Rows, and bytes of files that ended early."""
        return self.rows, self.unread

    def told(self, before: tuple[int, int] = (0, 0)) -> str:
        """Return in words what came beyond that amount; empty if nothing did."""
        if self.amount == before:
            return ""
        return (
            f"{self.rows - before[0]} rows, and {self.unread - before[1]} bytes of files that "
            f"ended early, were left out: first, {self.first[0]}"
        )

    def refuse_nothing(self) -> None:
        """Raise the first error: for who has read all rows there are, and found none."""
        if self.first:
            raise self.first[0]


@dataclass(frozen=True, slots=True)
class Options:
    """How to read; what a format has no use for, it does not look at.

    ``schema`` gives types (and the columns there are) where a format has none of its own.
    ``infer`` lets CSV guess types; otherwise its columns are text.
    """

    columns: tuple[str, ...] | None = None
    schema: pa.Schema | None = None
    #: Where ``schema`` is from, for messages: the path of a file; empty if it was given.
    told_by: str = ""
    batch_size: int = 1000
    on_error: str = "raise"  # or "skip"
    skipped: Skipped = field(default_factory=Skipped)
    infer: bool = False
    delimiter: str | None = None
    quote: str | None = '"'
    encoding: str = "utf-8"
    #: Bytes: a line, value or row may not be longer.
    max_line: int = 1 << 28
    #: Bytes that a compressed byte may become, on average over a file: zstd of zeros is 30,000.
    max_ratio: int = 1000
    #: Storage options for fsspec.
    storage: dict[str, Any] = field(default_factory=dict)
    #: Where a file stays open between the look at its schema and its reading; None: nowhere.
    kept: Kept | None = None


class Part(NamedTuple):
    """A record batch, and the number of its first row in its span (skipped rows count)."""

    batch: pa.RecordBatch
    first: int
