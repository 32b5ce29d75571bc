"""The rows of a Hugging Face ``Dataset`` as iterating over it gives them, read from its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels import reprs

if TYPE_CHECKING:
    from shimhub.kernels.hashing import Digests

#: Rows that are put together at a time where a mapping leaves most of a table out.
_PART: Final = 10_000


def other_than_table(dataset: Any) -> str:
    """Return why iterating gives other rows than the table's values; empty where it gives those."""
    from datasets import Dataset  # type: ignore[import-untyped,unused-ignore]

    if type(dataset) is not Dataset:
        return "no plain Dataset"
    shown = dataset.format
    if shown["type"] is not None or shown["columns"] != dataset.column_names:
        return "a Dataset with a format"
    features = dataset.features
    if list(features) != dataset.column_names:
        return "columns in another order than the features"
    if any(features._column_requires_decoding.values()):
        return "columns that are decoded"
    return ""


def repr_digests(dataset: Any, threads: int = 0) -> Digests:
    """Return the SHA-256 of ``str(row)`` for each row of a dataset that is like its table.

    Raises as ``kernels.reprs.hash_reprs``. O(bytes of the rows); with an indices mapping that has
    half of the table's rows or more, of the table.
    """
    table = dataset.data.table
    if dataset._indices is None:
        return reprs.hash_reprs(table, threads=threads)
    places = dataset._indices.column(0).to_numpy()
    if 2 * len(places) >= table.num_rows:
        found: Digests = reprs.hash_reprs(table, threads=threads)[places]
        return found
    parts = (places[at : at + _PART] for at in range(0, len(places), _PART))
    digests = [reprs.hash_reprs(table.take(part), threads=threads) for part in parts]
    return np.concatenate(digests) if digests else np.empty((0, 32), np.uint8)
