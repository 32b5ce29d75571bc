"""Record batches of exactly so many rows, whatever came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def rebatched(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of ``size``, the last one shorter.

    A batch that lies in one of those that came in is a slice of it; only those that span two
    or more are copied.
    """
    held: list[pa.RecordBatch] = []
    missing = size
    for batch in batches:
        if batch.num_rows == size and not held:
            yield batch
            continue
        start = 0
        while batch.num_rows - start >= missing:
            held.append(batch.slice(start, missing))
            start += missing
            yield _joined(held)
            held, missing = [], size
        if start < batch.num_rows:
            held.append(batch.slice(start))
            missing -= batch.num_rows - start
    if held:
        yield _joined(held)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
