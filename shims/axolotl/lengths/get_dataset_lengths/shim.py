"""axolotl's lengths of a dataset's rows: read from Arrow's offsets instead of row by row.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/samplers/utils.py
An empty dataset is the original's: some of its ways raise there, and callers rely on that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from shimhub import Decline
from shimhub.data import hf_lengths


def build(original: Any, ctx: Any) -> Any:
    """Return ``get_dataset_lengths`` of the installed version: older ones read the table itself."""

    def of_table(dataset: Any) -> Any:
        _check(dataset)
        column = dataset.data.column
        if "length" in dataset.column_names:
            return np.array(column("length"))
        if "position_ids" in dataset.column_names:
            raise Decline("position_ids, which are Arrow scalars here")
        return _served(hf_lengths.list_lengths(column("input_ids")))

    def of_rows(dataset: Any, from_arrow: Any = False) -> Any:
        _check(dataset)
        names, column = dataset.column_names, dataset.data.column
        if "length" in names:
            return _served(hf_lengths.integers(column("length"), hf_lengths.rows_of(dataset)))
        if "position_ids" in names:
            return _ends(column("position_ids"), hf_lengths.rows_of(dataset))
        if "input_ids" not in names:
            raise Decline("no column of tokens")
        rows = None if from_arrow else hf_lengths.rows_of(dataset)
        return _served(hf_lengths.list_lengths(column("input_ids"), rows))

    return of_rows if ctx.parameters["selected_rows"] else of_table


def _check(dataset: Any) -> None:
    if not hf_lengths.is_plain(dataset):
        raise Decline("no plain dataset")
    if not len(dataset) or not len(dataset.data):
        raise Decline("no rows")


def _served(lengths: Any) -> Any:
    if lengths is None:
        raise Decline("nulls, or a column of another type")
    return lengths


def _ends(column: Any, rows: Any) -> Any:
    """Return the last position and one more, for each row."""
    last = _served(hf_lengths.last_integers(column, rows))
    if int(last.max()) == np.iinfo(np.int64).max:
        raise Decline("positions over int64")
    return last + 1


def cases(ctx: Any) -> Iterator[Any]:
    """Yield a dataset of each column that is looked at: whole, selected, sliced, in chunks."""
    import datasets

    rows = [[1, 2, 3], [0], [5, 6], [7, 8, 9, 9]]
    tables = [
        {"length": [3, 1, 2, 4], "input_ids": rows},
        {"position_ids": [list(range(len(row))) for row in rows], "input_ids": rows},
        {"input_ids": rows},
        {"input_ids": [[], *rows[1:]], "labels": rows},
    ]
    for table in tables:
        whole = datasets.Dataset.from_dict(table)
        shown = [whole, whole.select([2, 0, 2]), whole.select(range(1, 3)), whole.select([])]
        shown.append(datasets.concatenate_datasets([whole, whole.select(range(1, 4))]))
        for dataset in shown:
            yield lambda function, d=dataset: function(d)
            if ctx.parameters["selected_rows"]:
                yield lambda function, d=dataset: function(d, from_arrow=True)
