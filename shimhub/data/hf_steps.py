"""Filters and maps of a Hugging Face ``Dataset`` whose functions are known, done on its table.

A dataset from :func:`quick` is as the one it is made of, but for its ``map``, which ``filter`` uses
too: where ``rules`` know what the function does, the rows to keep or the columns to add come from
Arrow's columns. What names, fingerprints and caches the result is the library's own code.
"""

from __future__ import annotations

import functools
import traceback
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data import hf_rows
from shimhub.errors import Raised

if TYPE_CHECKING:
    from collections.abc import Callable

    Mask = Callable[[pa.Table], np.ndarray[Any, np.dtype[np.bool_]] | None]

#: Rows that are handed to a writer of a cache file at a time.
_PART: Final = 10_000
#: What ``map`` may be told, beside its function, where columns are added here.
_OPTIONS: Final = {"batched", "num_proc", "load_from_cache_file", "desc"}


@dataclass(frozen=True)
class Rules:
    """What is known of functions: each answers None for one that it does not know.

    ``mask(function, batched)`` gives what tells the rows of a table that a filter keeps; it may
    answer None for a table, too. ``columns(function, batched)`` gives what a map adds.
    """

    mask: Callable[[Any, bool], Mask | None]
    columns: Callable[[Any, bool], Added | None]


@dataclass(frozen=True)
class Added:
    """Columns that a map adds: their names, whether they can be made, and the making.

    ``can`` is asked with a table and the places in it of the rows that are meant, or None for all.
    """

    names: tuple[str, ...]
    can: Callable[[pa.Table, np.ndarray[Any, Any] | None], bool]
    make: Callable[[pa.Table], tuple[pa.ChunkedArray, ...]]


def quick(dataset: Any, rules: Rules) -> Any:
    """Return the dataset with a quick ``filter`` and ``map``; itself where it is no plain one."""
    if hf_rows.other_than_table(dataset) or not len(dataset):
        return dataset
    found = _kind().__new__(_kind())
    found.__dict__.update(vars(dataset))
    found._shimhub_rules = rules
    return found


def run(original: Any, *args: Any) -> Any:
    """Call what was given datasets of :func:`quick`.

    Raises Raised for what its own code raised, or a step that the library did as ever.
    """
    try:
        return original(*args)
    except Exception as error:
        if _is_theirs(error, original):
            raise Raised(error) from None
        raise


def _is_theirs(error: Exception, original: Any) -> bool:
    codes = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    mine = [code for code in codes if code.co_filename == run.__code__.co_filename]
    own = (original.__code__, *original.__code__.co_consts)  # with functions within it
    return codes[-1] in own or mine[-1] is _as_ever.__code__


def _as_ever(dataset: Any, function: Any, options: dict[str, Any]) -> Any:
    """Let the library's own ``map`` do it, on a dataset of its own class."""
    return _library().Dataset.map(_copy(dataset), function, **options)


def plain(dataset: Any, *sources: tuple[Any, Any]) -> Any:
    """Return a result as the library's own class.

    ``sources`` are pairs of what :func:`quick` gave and was given: those that came back as they
    were are the caller's own objects.
    """
    for made, source in sources:
        if dataset is made:
            return source
    return _copy(dataset) if isinstance(dataset, _kind()) else dataset


def _library() -> Any:
    from datasets import arrow_dataset  # type: ignore[import-untyped,unused-ignore]

    return arrow_dataset


@functools.cache
def _kind() -> Any:
    """Return the class of quick datasets; made when the library has been imported."""
    base: Any = _library().Dataset

    class Quick(base):  # type: ignore[misc,unused-ignore]
        """A Dataset that knows what some functions do."""

        def map(self, function: Any = None, **options: Any) -> Any:
            if _is_filter(function):
                places = _filtered(self, function, options)
                return _as_ever(self, function, options) if places is None else places
            found = _mapped(self, function, options)
            if found is None:
                found = _as_ever(self, function, options)
            return quick(found, self._shimhub_rules)

    class Asked(base):  # type: ignore[misc,unused-ignore]
        """A Dataset that gives away the fingerprint that ``map`` has made, and goes no further."""

        cache_files = ({"filename": "none"},)

        def _get_cache_file_path(self, fingerprint: str) -> Any:
            raise _Fingerprint(fingerprint)

    Quick.asked = Asked
    return Quick


class _Fingerprint(BaseException):
    """What ``map`` would have named its result; no Exception, which the library may catch."""


def _copy(dataset: Any) -> Any:
    """Return the same dataset, of the library's own class."""
    found = _library().Dataset.__new__(_library().Dataset)
    found.__dict__.update(vars(dataset))
    vars(found).pop("_shimhub_rules", None)
    return found


def _mapped(dataset: Any, function: Any, options: dict[str, Any]) -> Any:
    """Return what ``map`` would; None where the function, options or columns are not known."""
    if not options.keys() <= _OPTIONS or not _can_do(dataset, options.get("num_proc")):
        return None
    added = dataset._shimhub_rules.columns(function, options.get("batched", False))
    if added is None or set(added.names) & set(dataset.column_names):
        return None
    try:
        if not added.can(dataset.data.table, _places(dataset._indices)):
            return None
        fingerprint = _fingerprint(dataset, function, options)
        to = _added_to_file if dataset.cache_files else _added
        return to(dataset, options, added, fingerprint)
    except pa.ArrowNotImplementedError:  # such as of taking rows of a view
        return None


def _can_do(dataset: Any, num_proc: Any) -> bool:
    """Whether ``map`` would start so many processes, and neither refuse that nor warn of it."""
    if not len(dataset):
        return False  # a map of no rows adds nothing
    return num_proc is None or (type(num_proc) is int and 1 <= num_proc <= len(dataset))


def _is_filter(function: Any) -> bool:
    known = _library().get_indices_from_mask_function
    return isinstance(function, partial) and function.func is known and not function.keywords


def _filtered(dataset: Any, function: partial[Any], options: dict[str, Any]) -> Any:
    """Return the Dataset of kept rows' places, which ``filter`` makes its mapping of."""
    keeps, batched, *rest, mapping = function.args
    tell = dataset._shimhub_rules.mask(keeps, batched)
    if tell is None or any(rest) or options.get("fn_kwargs"):
        return None
    if not _can_do(dataset, options.get("num_proc")):
        return None
    mask = tell(dataset.data.table)
    if mask is None:
        return None
    places = _places(mapping)
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


def _places(mapping: Any) -> Any:
    return None if mapping is None else mapping.column(0).to_numpy()


def _in_memory(table: pa.Table) -> Any:
    from datasets.table import InMemoryTable  # type: ignore[import-untyped,unused-ignore]

    return InMemoryTable(table)


def _fingerprint(dataset: Any, function: Any, options: dict[str, Any]) -> str:
    asked = _kind().asked.__new__(_kind().asked)
    asked.__dict__.update(vars(dataset))
    try:
        _library().Dataset.map(asked, function, **{**options, "num_proc": None})
    except _Fingerprint as found:
        return str(found.args[0])
    raise RuntimeError("map asked for no fingerprint")


def _table(dataset: Any) -> Any:
    """Return the dataset's rows as a table; nothing is copied where they lie together."""
    table = dataset.data.table
    places = _places(dataset._indices)
    if places is None:
        return table
    first = int(places[0])
    if np.array_equal(places, np.arange(first, first + len(places), dtype=places.dtype)):
        return table.slice(first, len(places))
    parts = [table.take(places[at : at + _PART]) for at in range(0, len(places), _PART)]
    return pa.concat_tables(parts)


def _added(dataset: Any, options: dict[str, Any], added: Added, fingerprint: str) -> Any:
    from datasets.features import (  # type: ignore[import-untyped,unused-ignore]
        Features,
    )
    from datasets.features import (
        features as of_arrow,
    )
    from datasets.utils import tqdm  # type: ignore[import-untyped,unused-ignore]

    table = _table(dataset)
    info, features = dataset.info.copy(), dict(dataset.features)
    for name, column in zip(added.names, added.make(table), strict=True):
        features[name] = of_arrow.generate_from_arrow_type(column.type)
        table = table.append_column(name, column)
    info.features = Features(features)
    with tqdm(unit=" examples", total=len(dataset), desc=options.get("desc") or "Map") as bar:
        bar.update(len(dataset))
    kind = _library().Dataset
    found = kind(_in_memory(table), info=info, split=dataset.split, fingerprint=fingerprint)
    return _library().transmit_format(lambda _dataset: found)(dataset)


def _added_to_file(dataset: Any, options: dict[str, Any], added: Added, fingerprint: str) -> Any:
    """Let the library's own ``map`` write all columns to its cache file, or read them there."""

    def table_of(batch: Any) -> Any:
        table = batch.pa_table
        for name, column in zip(added.names, added.make(table), strict=True):
            table = table.append_column(name, column)
        return table

    told = {**options, "batched": True, "batch_size": _PART, "num_proc": None}
    told |= {"new_fingerprint": fingerprint}
    return _library().Dataset.map(_copy(dataset), table_of, **told)
