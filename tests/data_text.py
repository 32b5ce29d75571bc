"""What the tests of formats of lines share: files, and what reading them gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shimhub.data._model import Options, Source, Span
from shimhub.data.errors import DecodeError
from shimhub.data.formats._formats import format_of

if TYPE_CHECKING:
    from pathlib import Path


def written(
    folder: Path, content: bytes, kind: str = "jsonl", compression: str | None = None
) -> Source:
    """Write a file, and return it as a source of that format."""
    path = folder / f"file.{kind}"
    path.write_bytes(content)
    return Source(str(path), kind, compression, len(content))


def arrow_rows(source: Source, span: Span | None = None, **options: Any) -> list[dict[str, Any]]:
    """Return all rows by way of record batches."""
    parts = format_of(source).batches(source, span or Span(), Options(**options))
    return [row for part in parts for row in listed(part.batch)]


def listed(batch: Any) -> list[dict[str, Any]]:
    """Return the rows of a batch, also those of no columns."""
    return batch.to_pylist() if batch.num_columns else [{}] * batch.num_rows


def python_rows(source: Source, span: Span | None = None, **options: Any) -> list[dict[str, Any]]:
    """Return all rows as the format makes them itself."""
    found = format_of(source).rows(source, span or Span(), Options(**options))
    return [row for rows, _ in found for row in rows]


def outcome(read: Any, *told: Any, **options: Any) -> Any:
    """Return the rows, or the error's type and text."""
    try:
        return read(*told, **options)
    except DecodeError as error:
        return type(error), str(error)
