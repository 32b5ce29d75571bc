"""Datasets and configurations that the proofs of axolotl's filters and maps are made with."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import datasets
import pyarrow as pa
from datasets import Dataset
from datasets.table import InMemoryTable


class Config(dict[str, Any]):
    """axolotl's configuration as its functions see it: what is not there is None."""

    __getattr__ = dict.get


def config(told: dict[str, Any]) -> Any:
    """Return a configuration."""
    return Config(told)


def samples() -> Iterator[tuple[Any, Any]]:
    """Yield a dataset and a second one: some rows too long, some without labels, with mappings."""
    lengths = [3, 5, 1, 8, 4, 2, 7]
    ids = [[7 * at + i for i in range(count)] for at, count in enumerate(lengths)]
    labels = [[-100] * (count if at % 3 == 0 else count // 2) for at, count in enumerate(lengths)]
    columns = {
        "input_ids": pa.array(ids, pa.list_(pa.int32())),
        "labels": [few + row[len(few) :] for few, row in zip(labels, ids, strict=True)],
        "attention_mask": [[1] * count for count in lengths],
    }
    table = pa.table(columns)
    yield _made(table), _made(table.slice(1, 3))
    yield _made(table, [6, 1, 2, 0, 5, 1]), None
    yield _made(pa.concat_tables([table, table.slice(2)]), [1, 2, 3]), _made(table, [3, 1])


def case(*given: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a case: what can be seen of the datasets that a call gives; without bars and logs."""

    def called(function: Callable[..., Any]) -> Any:
        with _quiet():
            result = function(*given)
        return [found(one) for one in (result if isinstance(result, tuple) else [result])]

    return called


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    before, bars = logging.root.manager.disable, datasets.are_progress_bars_disabled()
    logging.disable(logging.CRITICAL)
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        logging.disable(before)
        if not bars:
            datasets.enable_progress_bars()


def _made(table: Any, rows: list[int] | None = None) -> Any:
    found = Dataset(InMemoryTable(table), fingerprint="shimhub")
    return found if rows is None else found.select(rows, new_fingerprint="selected")


def found(dataset: Any) -> Any:
    """Return what can be seen of a dataset."""
    if dataset is None:
        return None
    rows = dataset._indices
    places = None if rows is None else rows.column(0).to_pylist()
    facts = dataset._fingerprint, places, dataset.features, dataset.format, dataset.split
    return dataset[:], type(dataset), dataset.data.column_names, len(dataset.data), *facts
