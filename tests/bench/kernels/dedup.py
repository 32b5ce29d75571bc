"""Exact dedup of a million texts of 1.2 KB: first occurrences, in order."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.bench.kernels import data, floors, machine, rivals
from tests.bench.kernels.harness import Call, Row

_FULL, _SMALL = 1_000_000, 2_000
_BYTES = 1200


def rows(*, small: bool) -> list[Row]:
    """Return the rows of this area; each makes its texts when its first call is built."""
    count = _SMALL if small else _FULL
    return [_arrow(count), _strings(count, non_ascii=False), _strings(count, non_ascii=True)]


def _arrow(count: int) -> Row:
    texts = functools.cache(lambda: data.texts(count, _BYTES))
    strings = functools.cache(lambda: texts().to_pylist())
    return Row(
        id="arrow",
        title=f"{count:,} x 1.2 KB, Arrow in, 15 % duplicates",
        calls={
            "shimhub": lambda: _ours(texts(), exact=True),
            "shimhub exact=False": lambda: _ours(texts(), exact=False),
            "fast-axolotl deduplicate_indices, list[str]": lambda: _fast_axolotl((strings(),)),
            "polars unique": lambda: _polars_unique(texts()),
            "polars arg_unique": lambda: _polars_arg_unique(texts()),
            "polars is_first_distinct": lambda: _polars_first_distinct(texts()),
            "pandas duplicated, list[str]": lambda: _pandas(strings()),
            "pyarrow dictionary_encode": lambda: _pyarrow(texts()),
            "hashlib loop, as axolotl's, list[str]": lambda: _hashlib_loop(strings()),
            floors.READ: lambda: floors.read(texts()),
        },
        rounds=4,
        amount=count * _BYTES / 1e9,
        unit="GB",
        threaded=frozenset({"shimhub", "shimhub exact=False", "polars unique"}),
    )


def _strings(count: int, *, non_ascii: bool) -> Row:
    texts = functools.cache(lambda: data.texts(count, _BYTES, non_ascii=non_ascii))
    fresh = functools.partial(_fresh, texts)
    told = "half of them with letters of other scripts" if non_ascii else "ASCII"
    return Row(
        id="strings, non-ASCII" if non_ascii else "strings",
        title=f"{count:,} x 1.2 KB, list[str] in ({told}), new str objects in each run",
        calls={
            "shimhub": lambda: _ours_of_strings(fresh),
            "fast-axolotl deduplicate_indices": lambda: _fast_axolotl_fresh(fresh),
            "dict of str": lambda: Call(_dict_loop, fresh=fresh),
        },
        rounds=3,
        amount=count * _BYTES / 1e9,
        unit="GB",
    )


def _fresh(texts: Callable[[], Any]) -> tuple[list[str]]:
    return data.fresh_strings(texts())


def _ours(texts: Any, *, exact: bool) -> Call:
    deduplicate = rivals.ours("deduplicate")
    run = functools.partial(deduplicate, exact=exact, threads=machine.threads())
    return Call(run, (texts,), answer=np.asarray)


def _ours_of_strings(fresh: Callable[[], Any]) -> Call:
    deduplicate = rivals.ours("deduplicate")
    run = functools.partial(deduplicate, exact=True, threads=machine.threads())
    return Call(run, fresh=fresh, answer=np.asarray)


def _fast_axolotl(arguments: tuple[Any, ...]) -> Call:
    run = functools.partial(rivals.fast_axolotl().deduplicate_indices, num_threads=1)
    return Call(run, arguments, answer=_first_of_pair, note="SHA-256, returns hex digests, too")


def _fast_axolotl_fresh(fresh: Callable[[], Any]) -> Call:
    run = functools.partial(rivals.fast_axolotl().deduplicate_indices, num_threads=1)
    return Call(run, fresh=fresh, answer=_first_of_pair, note="SHA-256, returns hex digests, too")


def _first_of_pair(got: tuple[list[int], Any]) -> np.ndarray:
    return np.asarray(got[0])


def _polars_unique(texts: Any) -> Call:
    frame = rivals.load("polars").DataFrame({"text": texts})
    run = functools.partial(frame.unique, keep="first", maintain_order=True)
    return Call(run, answer=lambda got: _places(texts, got["text"]), note="returns the rows")


def _places(texts: Any, values: Any) -> np.ndarray:
    """Return where each value first stands: polars returns rows, the others their places."""
    import pyarrow.compute as pc

    found = pc.index_in(values.to_arrow().cast(texts.type), value_set=texts)
    return found.to_numpy(zero_copy_only=False)


def _polars_arg_unique(texts: Any) -> Call:
    series = rivals.load("polars").Series(texts)
    return Call(series.arg_unique, answer=lambda got: np.sort(got.to_numpy()))


def _polars_first_distinct(texts: Any) -> Call:
    series = rivals.load("polars").Series(texts)
    return Call(series.is_first_distinct, answer=lambda got: np.flatnonzero(got.to_numpy()))


def _pandas(strings: list[str]) -> Call:
    series = rivals.load("pandas").Series(strings, dtype=object)
    told = "the str objects have their hashes cached"
    return Call(series.duplicated, answer=lambda got: np.flatnonzero(~got.to_numpy()), note=told)


def _pyarrow(texts: Any) -> Call:
    rivals.load("pyarrow")
    return Call(texts.dictionary_encode, answer=_first_codes, note="builds the dictionary, too")


def _first_codes(got: Any) -> np.ndarray:
    return np.sort(np.unique(got.indices.to_numpy(), return_index=True)[1])


def _hashlib_loop(strings: list[str]) -> Call:
    return Call(_sha256_loop, (strings,), answer=np.asarray)


def _sha256_loop(strings: list[str]) -> list[int]:
    """Do what axolotl's ``_deduplicate_dataset`` does, less the dataset."""
    seen, kept = set(), []
    for place, text in enumerate(strings):
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        if digest not in seen:
            seen.add(digest)
            kept.append(place)
    return kept


def _dict_loop(strings: list[str]) -> np.ndarray:
    """Find first places with a dict: Python hashes each str once and keeps the hash in it."""
    first: dict[str, int] = {}
    for place, text in enumerate(strings):
        first.setdefault(text, place)
    return np.fromiter(first.values(), np.int64, len(first))
