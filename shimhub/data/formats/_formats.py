"""The module of each format; imported when a file of it is read.

A module of a format has

``schema(source, options) -> pa.Schema``
    the columns of all its rows, before a choice of columns; cheap: a footer, or a first block.
``spans(source, size, options) -> list[Span]``
    parts of about ``size`` bytes that can be read alone, in order and without gaps.
``batches(source, span, options) -> Iterator[Part]``
    record batches in order, of ``options.columns`` in that order, all with one schema.
``rows(source, span, options) -> Iterator[tuple[list[dict[str, Any]], int]]``
    optional: the same rows as Python objects, where that is quicker than by way of Arrow.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from shimhub.data._model import Source

_MODULES: Final = {
    "parquet": "_parquet",
    "arrow": "_ipc",
    "json": "_json",
    "jsonl": "_jsonl",
    "csv": "_csv",
    "tsv": "_csv",
    "text": "_text",
}


def format_of(source: Source) -> Any:
    """Return the module that reads the source (see above)."""
    return _module(source.format)


@functools.cache
def _module(name: str) -> Any:
    return importlib.import_module(f"shimhub.data.formats.{_MODULES[name]}")
