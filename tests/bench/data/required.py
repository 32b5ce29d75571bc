"""The ratios that are required, by area, row and call."""

from __future__ import annotations

from typing import Final

from tests.bench.data import batches, memory, row_dicts, token_columns
from tests.bench.kernels.bars import AtLeast, Bar

_BATCHES = (
    *(
        AtLeast("batches", name, batches.OURS, batches.CHECKED, 1 / 1.1)
        for name in ("data.arrow", "cache.arrow", "lz4.feather", "zstd.feather")
    ),
    AtLeast("batches", "data.parquet", batches.OURS, batches.SMALL_BUFFER, 1 / 1.1),
    *(
        AtLeast("batches", name, batches.OURS, batches.PYARROW, 1 / 1.1)
        for name in (
            "data.parquet", "data.jsonl", "data.jsonl.gz", "data.jsonl.zst", "data.json",
            "data.csv", "data.csv.gz", "data.csv.zst", "data.tsv",
            "data.txt", "data.txt.gz", "data.txt.zst",
        )
    ),
)  # fmt: skip

_ROWS = tuple(
    AtLeast("rows", name, row_dicts.OURS, row_dicts.DATASETS, times)
    for name, times in (
        ("data.parquet", 8),
        ("data.arrow", 15),
        ("cache.arrow", 15),
        ("data.jsonl", 10),
    )
)

_TOKENS = tuple(
    AtLeast("tokens", name, token_columns.ours(form), rival, 5)
    for name in ("tokens.parquet", "tokens-cache.arrow")
    for form in token_columns.FORMS
    for rival in (token_columns.theirs(form), token_columns.LISTS)
)

REQUIRED: Final[tuple[Bar, ...]] = (*_BATCHES, *_ROWS, *_TOKENS)
MEMORY: Final = memory.BARS
