"""Filters and maps of a Hugging Face ``Dataset`` whose functions are known, done on its table.

A dataset from :func:`quick` is as the one it is made of, but for its ``map``, which ``filter`` uses
too: where ``rules`` know what the function does, the rows to keep or the columns to add come from
Arrow's columns. What names, fingerprints and caches the result is the library's own code.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data import hf_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    Table = pa.Table
    Mask = Callable[[Table], np.ndarray[Any, np.dtype[np.bool_]] | None]
    Columns = Callable[[Table], dict[str, pa.ChunkedArray] | None]

#: Rows that are handed to a writer of a cache file at a time.
_PART: Final = 10_000
#: What ``map`` may be told, beside its function, where columns are added here.
_OPTIONS: Final = {"batched", "num_proc", "load_from_cache_file", "desc"}
#: The same of the ``map`` that ``filter`` calls, if it is anything but its default.
_FILTERS: Final = {"with_indices", "with_rank", "input_columns", "fn_kwargs"}


@dataclass(frozen=True)
class Rules:
    """What is known of functions: each answers None for one that it does not know.

    ``mask(function, batched)`` gives what tells the rows of a table that a filter keeps,
    ``columns(function, batched)`` what makes the columns that a map adds; either may answer None
    for a table, too.
    """

    mask: Callable[[Any, bool], Mask | None]
    columns: Callable[[Any, bool], Columns | None]


def quick(dataset: Any, rules: Rules) -> Any:
    """Return the dataset with a quick ``filter`` and ``map``; itself where it is no plain one."""
    if hf_rows.other_than_table(dataset) or not len(dataset):
        return dataset
    found = _kind().__new__(_kind())
    found.__dict__.update(vars(dataset))
    found._shimhub_rules = rules
    return found


def plain(dataset: Any, *sources: tuple[Any, Any]) -> Any:
    """Return a result as the library's own class.

    ``sources`` are pairs of what :func:`quick` gave and was given: those that came back as they
    were are the caller's own objects.
    """
    for made, source in sources:
        if dataset is made:
            return source
    if isinstance(dataset, _kind()):
        vars(dataset).pop("_shimhub_rules")
        dataset.__class__ = _library().Dataset
    return dataset


def _library() -> Any:
    from datasets import arrow_dataset

    return arrow_dataset


@functools.cache
def _kind() -> Any:
    """Return the class of quick datasets; made when the library has been imported."""
    base: Any = _library().Dataset

    class Quick(base):
        """A Dataset that knows what some functions do."""

        def map(self, function: Any = None, **options: Any) -> Any:
            found = _mapped(self, function, options)
            if found is None:
                found = base.map(self, function, **options)
            return found if isinstance(found, Quick) else quick(found, self._shimhub_rules)

    class Asked(base):
        """A Dataset that gives away the fingerprint that ``map`` has made, and goes no further."""

        cache_files = ({"filename": "none"},)

        def _get_cache_file_path(self, fingerprint: str) -> Any:
            raise _Fingerprint(fingerprint)

    Quick.asked = Asked
    return Quick


class _Fingerprint(BaseException):
    """What ``map`` would have named its result; no Exception, which the library may catch."""


def _mapped(dataset: Any, function: Any, options: dict[str, Any]) -> Any:
    """Return what ``map`` would; None where the function or its options are not known."""
    if _is_filter(function):
        return _filtered(dataset, function, options)
    if len(dataset) and options.keys() <= _OPTIONS:
        add = dataset._shimhub_rules.columns(function, options.get("batched", False))
        return add and _added(dataset, function, options, add)
    return None


def _is_filter(function: Any) -> bool:
    known = _library().get_indices_from_mask_function
    return isinstance(function, partial) and function.func is known and not function.keywords


def _filtered(dataset: Any, function: partial[Any], options: dict[str, Any]) -> Any:
    """Return the Dataset of kept rows' places, which ``filter`` makes its mapping of."""
    keeps, batched, *rest, mapping = function.args
    tell = dataset._shimhub_rules.mask(keeps, batched)
    if tell is None or any(rest) or options.get("input_columns") or options.get("fn_kwargs"):
        return None
    mask = tell(dataset.data.table)
    if mask is None:
        return None
    places = None if mapping is None else mapping.column(0).to_numpy()
    kept = np.flatnonzero(mask) if places is None else places[mask[places]]
    return _written(dataset, kept.astype(np.uint64), options)


def _written(dataset: Any, kept: np.ndarray[Any, Any], options: dict[str, Any]) -> Any:
    """Let the library's own ``map`` write the places, where and as it would have."""
    kind = _library().Dataset
    rows = kind(_in_memory(pa.table({"row": pa.nulls(len(dataset))})), fingerprint="rows")
    file = options.get("cache_file_name")
    if file is None and dataset.cache_files:
        file = dataset._get_cache_file_path(options["new_fingerprint"])
    told = {
        **options,
        "batch_size": len(dataset),
        "num_proc": None,
        "cache_file_name": None if options.get("keep_in_memory") else file,
        "remove_columns": rows.column_names,
    }
    table = pa.table({"indices": kept})
    return kind.map(rows, lambda *_: table, **told)


def _in_memory(table: Table) -> Any:
    from datasets.table import InMemoryTable

    return InMemoryTable(table)


def _added(dataset: Any, function: Any, options: dict[str, Any], add: Columns) -> Any:
    fingerprint = _fingerprint(dataset, function, options)
    if dataset.cache_files:
        return _added_to_file(dataset, options, add, fingerprint)
    table = _table(dataset)
    columns = add(table)
    if columns is None or columns.keys() & set(table.column_names):
        return None
    return _with_columns(dataset, table, columns, fingerprint, options)


def _fingerprint(dataset: Any, function: Any, options: dict[str, Any]) -> str:
    asked = _kind().asked.__new__(_kind().asked)
    asked.__dict__.update(vars(dataset))
    try:
        _library().Dataset.map(asked, function, **{**options, "num_proc": None})
    except _Fingerprint as found:
        return str(found.args[0])
    raise RuntimeError("map asked for no fingerprint")


def _table(dataset: Any) -> Table:
    """Return the dataset's rows as a table; nothing is copied where they lie together."""
    table = dataset.data.table
    if dataset._indices is None:
        return table
    places = dataset._indices.column(0).to_numpy()
    first = int(places[0])
    if np.array_equal(places, np.arange(first, first + len(places), dtype=places.dtype)):
        return table.slice(first, len(places))
    parts = [table.take(places[at : at + _PART]) for at in range(0, len(places), _PART)]
    return pa.concat_tables(parts)


def _with_columns(
    dataset: Any, table: Table, columns: dict[str, Any], fingerprint: str, options: dict[str, Any]
) -> Any:
    from datasets.features.features import Features, generate_from_arrow_type
    from datasets.utils import tqdm

    info = dataset.info.copy()
    features = {name: generate_from_arrow_type(column.type) for name, column in columns.items()}
    info.features = Features({**dataset.features, **features})
    for name, column in columns.items():
        table = table.append_column(name, column)
    with tqdm(unit=" examples", total=len(dataset), desc=options.get("desc") or "Map") as bar:
        bar.update(len(dataset))
    kind = _library().Dataset
    return kind(_in_memory(table), info=info, split=dataset.split, fingerprint=fingerprint)


def _added_to_file(dataset: Any, options: dict[str, Any], add: Columns, fingerprint: str) -> Any:
    """Let the library's own ``map`` write all columns to its cache file, or read them there."""
    if add(dataset.data.table.slice(0, 0)) is None or "length" in dataset.column_names:
        return None

    def table_of(batch: Any) -> Table:
        table = batch.pa_table
        for name, column in (add(table) or {}).items():
            table = table.append_column(name, column)
        return table

    told = {**options, "batched": True, "batch_size": _PART, "num_proc": None}
    told |= {"new_fingerprint": fingerprint}
    return _library().Dataset.map(dataset, table_of, **told)
