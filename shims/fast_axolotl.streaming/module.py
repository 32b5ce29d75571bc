"""Reading data in batches, under the names of fast_axolotl; ``shimhub.data`` does the work."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from fast_axolotl._functions import RUST_AVAILABLE, is_available

from shimhub import data
from shimhub.data.errors import DataError

__all__ = [
    "RUST_AVAILABLE",
    "RustStreamingDataset",
    "create_rust_streaming_dataset",
    "is_available",
    "streaming_dataset_reader",
]

_TABS = (".tsv", ".tsv.gz", ".tsv.gzip", ".tsv.zst", ".tsv.zstd")


class StreamingError(RuntimeError):
    """A file cannot be read."""


class MissingFileError(FileNotFoundError, StreamingError):
    """There is no such file: a RuntimeError as in 0.2.0, a FileNotFoundError as documented."""


class BadDataError(StreamingError, ValueError):
    """The file is damaged, or is no data of the type that was named."""


def streaming_dataset_reader(
    file_path: str, dataset_type: str = "auto", batch_size: int = 1000, num_threads: int = 4
) -> Iterator[dict[str, Any]]:
    """Yield dicts of columns; ``num_threads`` is taken and not used, as in 0.2.0."""
    if not file_path:
        raise ValueError("file_path cannot be empty")
    if batch_size < 1:
        raise ValueError("batch_size must be greater than 0")
    word = dataset_type or "auto"
    if word.partition(".")[0] == "csv" and os.fspath(file_path).lower().endswith(_TABS):
        word = word.replace("csv", "tsv")  # what ``detect_format`` says of these
    try:
        with data.streaming_dataset_reader(file_path, format=word, batch_size=batch_size) as found:
            yield from found
    except FileNotFoundError as error:
        raise MissingFileError(error.errno, error.strerror, error.filename) from error
    except DataError as error:
        raise BadDataError(str(error)) from error
    except OSError as error:
        raise StreamingError(str(error)) from error


class RustStreamingDataset:
    """The batches of a file, read anew by each loop over it."""

    def __init__(
        self,
        file_path: str,
        dataset_type: str = "auto",
        batch_size: int = 1000,
        num_threads: int = 4,
        dataset_keep_in_memory: bool = False,
    ) -> None:
        self.file_path = file_path
        self.dataset_type = dataset_type
        self.batch_size = batch_size
        self.num_threads = num_threads
        self.dataset_keep_in_memory = dataset_keep_in_memory

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield batches as ``streaming_dataset_reader`` does."""
        return streaming_dataset_reader(
            self.file_path, self.dataset_type, self.batch_size, self.num_threads
        )

    def with_format(self, format: str) -> RustStreamingDataset:  # 0.2.0's name
        """Return the dataset itself: batches are dicts of lists whatever is asked for."""
        return self


#: Takes what ``RustStreamingDataset`` takes, as in 0.2.0.
create_rust_streaming_dataset = RustStreamingDataset


def should_use_rust_streaming(
    file_path: str, dataset_config: Mapping[str, Any], cfg: Mapping[str, Any]
) -> bool:
    """Return whether ``cfg`` wants streaming and the file (1 GiB) and its rows are large."""
    if not cfg.get("dataset_use_rust_streaming") or cfg.get("dataset_keep_in_memory"):
        return False
    is_small = os.path.exists(file_path) and os.path.getsize(file_path) < 1 << 30
    return not is_small and (cfg.get("sequence_len") or 0) >= 10_000
