"""Words that options take; nothing is imported, so that help and completion need no pyarrow."""

from __future__ import annotations

from typing import Final

#: Who does the tasks of a job.
RUNNERS: Final = ("local", "env", "ray", "dask")
#: Formats that jobs write, where it is not that of the input.
WRITTEN: Final = ("parquet", "arrow", "jsonl", "csv", "tsv", "text")

#: Strategies of packing by the names that users know, and what kernels calls them.
STRATEGIES: Final = {
    "bfd": "best_fit_decreasing",
    "ffd": "first_fit_decreasing",
    "first_fit": "first_fit",
    "next_fit": "next_fit",
    "multipack": "multipack",
    "wrapped": "wrapped",
}
#: What becomes of rows that are longer than packed rows; of texts that have too many tokens.
OVERLONG: Final = ("error", "split", "truncate", "drop")
