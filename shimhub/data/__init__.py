"""Training data: read any file of it, clean it, pack it; nothing is imported before it is used.

Reading needs pyarrow: ``pip install 'shimhub[data]'``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from shimhub.data.conversion import ConvertReport, convert
    from shimhub.data.deduplicating._near_options import NearOptions
    from shimhub.data.deduplication import DedupReport, dedup
    from shimhub.data.errors import (
        DataError,
        DecodeError,
        FormatError,
        JobError,
        LimitError,
        SchemaDriftError,
        SpaceError,
        WorkerError,
    )
    from shimhub.data.hf import to_hf
    from shimhub.data.inspecting import FileInfo, Info, head, info
    from shimhub.data.jobs._options import JobOptions, ReadingOptions
    from shimhub.data.packing import PackReport, pack
    from shimhub.data.reader import Reader, streaming_dataset_reader
    from shimhub.data.summarizing import ColumnStats, Stats, stats
    from shimhub.data.tokenization import TokenizeReport, tokenize
    from shimhub.data.torch_dataset import IterableDataset

__all__ = [
    "ColumnStats",
    "ConvertReport",
    "DataError",
    "DecodeError",
    "DedupReport",
    "FileInfo",
    "FormatError",
    "Info",
    "IterableDataset",
    "JobError",
    "JobOptions",
    "LimitError",
    "NearOptions",
    "PackReport",
    "Reader",
    "ReadingOptions",
    "SchemaDriftError",
    "SpaceError",
    "Stats",
    "TokenizeReport",
    "WorkerError",
    "convert",
    "dedup",
    "head",
    "info",
    "pack",
    "stats",
    "streaming_dataset_reader",
    "to_hf",
    "tokenize",
]

#: Public names by the module that has them; imported at first use.
_MODULES: Final = {
    "conversion": "ConvertReport convert",
    "deduplicating._near_options": "NearOptions",
    "deduplication": "DedupReport dedup",
    "errors": "DataError DecodeError FormatError JobError LimitError SchemaDriftError SpaceError "
    "WorkerError",
    "hf": "to_hf",
    "inspecting": "FileInfo Info head info",
    "jobs._options": "JobOptions ReadingOptions",
    "packing": "PackReport pack",
    "reader": "Reader streaming_dataset_reader",
    "summarizing": "ColumnStats Stats stats",
    "tokenization": "TokenizeReport tokenize",
    "torch_dataset": "IterableDataset",
}
_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import the module of a public name at its first use (PEP 562), and keep the name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names, those not yet imported too."""
    return sorted({*globals(), *__all__})
