"""What fast_axolotl computes, by way of ``shimhub.kernels``; signatures are those of 0.2.0."""

from __future__ import annotations

import os
from typing import Any

from shimhub import kernels
from shimhub.kernels._arguments import told_as

RUST_AVAILABLE = True
_PLAIN = ("parquet", "arrow", "feather", "csv", "json", "jsonl", "text")
_ENDS = dict(zip((*_PLAIN[:-1], "txt"), _PLAIN, strict=True))
_ENDS |= {"ipc": "arrow", "tsv": "csv", "ndjson": "jsonl"}
_PADDING = {"length": "target_length", "value": "pad_value", "rows": "sequences"}
_PADDING |= {"multiple_of": "pad_to_multiple_of"}
_PACKED = {"zst": "zstd", "zstd": "zstd", "gz": "gzip", "gzip": "gzip"}


def is_available() -> bool:
    """Return whether the functions of this package work."""
    return RUST_AVAILABLE


def list_supported_formats() -> list[str]:
    """Return the words for ``dataset_type``."""
    bases = ("parquet", "arrow", "json", "jsonl", "csv", "text")
    return [*_PLAIN, *(f"{one}.{end}" for one in bases for end in ("zst", "gz")), "hf_dataset"]


def detect_format(file_path: str) -> tuple[str, str | None]:
    """Return the format and the compression that a path's extensions say, or json."""
    path = os.fspath(file_path).lower()
    packed = _PACKED.get(path.rpartition(".")[2]) if "." in path else None
    stem = path.rpartition(".")[0] if packed else path
    named = _ENDS.get(stem.rpartition(".")[2]) if "." in stem else None
    is_saved = os.path.isfile(os.path.join(file_path, "dataset_info.json"))
    return named or ("hf_dataset" if is_saved else "json"), packed


def pack_sequences(
    sequences: list[list[int]],
    max_length: int,
    pad_token_id: int,
    eos_token_id: int,
    label_pad_id: int = -100,
) -> dict[str, list[list[int]]]:
    """Pack sequences, each closed by eos and pad, into rows; ValueError for one that fits none."""
    return kernels.pack_sequences(
        sequences, max_length, pad_token_id, eos_token_id, label_pad_id, lists=True
    )


def concatenate_and_pack(
    input_ids: list[list[int]],
    labels: list[list[int]],
    attention_masks: list[list[int]],
    max_length: int,
    pad_token_id: int,
    label_pad_id: int = -100,
) -> dict[str, list[list[int]]]:
    """Pack sequences with labels and masks of their own; ValueError where lengths differ."""
    return kernels.concatenate_and_pack(
        input_ids, labels, attention_masks, max_length, pad_token_id, label_pad_id, lists=True
    )


def parallel_hash_rows(rows: list[str], num_threads: int = 0) -> list[str]:
    """Return the SHA-256 of each row, in hexadecimal digits."""
    with told_as(data="rows", threads="num_threads"):
        return kernels.hash_rows(rows, threads=num_threads, output="hex")


def deduplicate_indices(
    rows: list[str], existing_hashes: list[str] | None = None, num_threads: int = 0
) -> tuple[list[int], list[str]]:
    """Return the indices of rows that are new, and their hashes."""
    seen, firsts = set(existing_hashes or ()), dict[str, int]()
    for index, digest in enumerate(parallel_hash_rows(rows, num_threads)):
        firsts.setdefault(digest, index)
    new = {digest: index for digest, index in firsts.items() if digest not in seen}
    return list(new.values()), list(new)


def pad_sequences(
    sequences: list[list[int]],
    target_length: int | None = None,
    pad_value: int = 0,
    padding_side: str = "right",
    pad_to_multiple_of: int | None = None,
) -> list[list[int]]:
    """Pad rows to one length, and cut those that are longer than ``target_length``."""
    if padding_side not in ("right", "left"):
        raise ValueError("padding_side must be 'right' or 'left'")
    if not len(sequences):
        return []
    told: Any = {"length": target_length, "multiple_of": pad_to_multiple_of or None}
    told |= {"side": padding_side, "value": pad_value, "truncate": True}
    with told_as(**_PADDING):
        return kernels.pad(sequences, **told).tolist()  # type: ignore[no-any-return]


def create_padding_mask(current_length: int, target_length: int) -> list[int]:
    """Return position ids for the padding: 0, 1, 2, ..."""
    return list(range(target_length - current_length))
