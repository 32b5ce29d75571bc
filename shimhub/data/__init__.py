"""Training data: read any file of it, clean it, pack it; nothing is imported before it is used.

Reading needs pyarrow: ``pip install 'shimhub[data]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shimhub import _later

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

if not TYPE_CHECKING:
    __getattr__, __dir__ = _later.attributes(globals(), _MODULES)
