"""Rows as dicts, 50,000 rows of 1.2 KB.

`datasets` is iterated row by row: `load_dataset(..., streaming=True)` over the file, and
`Dataset.from_file` over its own cache. pyarrow's call is `to_pylist()` of the batches of the table
above, and for JSONL there is `orjson.loads` of each line, which checks nothing of what it gives.
fast-axolotl gives dicts of columns; they are made rows by `zip`.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.data import calls, files
from tests.bench.kernels import rivals
from tests.bench.kernels.harness import Call, Row

OURS = "shimhub rows"
DATASETS = "datasets, row by row"
PYARROW = "pyarrow to_pylist"

_PYARROWS: dict[str, Callable[[Path], Iterator[Any]]] = {
    "data.parquet": calls.parquet,
    "data.arrow": calls.arrow_file,
    "cache.arrow": calls.arrow_stream,
    "data.jsonl": calls.jsonl,
    "data.jsonl.zst": calls.jsonl,
    "data.csv": functools.partial(calls.delimited, delimiter=","),
}


def rows(folder: Path, *, small: bool) -> list[Row]:
    """Return a row for each file."""
    amount = files.ROWS // 50 if small else files.ROWS
    return [
        Row(
            id=name,
            title=name,
            calls=_calls(folder / name, read),
            rounds=3,
            amount=amount / 1e3,
            unit="krow",
        )
        for name, read in _PYARROWS.items()
    ]


def _calls(path: Path, read: Callable[[Path], Iterator[Any]]) -> dict[str, Callable[[], Call]]:
    is_cache = path.name == "cache.arrow"
    theirs = functools.partial(calls.cached if is_cache else calls.streamed, path)
    found: dict[str, Callable[[], Call]] = {
        OURS: calls.guarded(
            lambda: calls.call(functools.partial(calls.ours, path, "rows"), len, _all)
        ),
        PYARROW: lambda: calls.call(lambda: (one.to_pylist() for one in read(path)), len, _all),
        DATASETS: calls.guarded(lambda: _datasets(theirs, as_text=path.suffix == ".csv")),
    }
    if path.name == "data.jsonl":
        found["orjson.loads of each line"] = lambda: calls.call(
            functools.partial(_loads, path), _one, lambda made: _all([made])
        )
    fast = functools.partial(_zipped, path)
    return {**found, "fast-axolotl": calls.guarded(lambda: calls.call(fast, len, None))}


def _datasets(build: Callable[[], Any], *, as_text: bool) -> Call:
    """Return the call; datasets guesses the types of CSV, so that its values are others."""
    made = build()
    look = None if as_text else lambda rows: _all([rows])
    return calls.call(lambda: iter(made), _one, look)


def _all(batches: Any) -> list[str]:
    """Return a digest of each thousand rows, however many a batch has."""
    rows = itertools.chain.from_iterable(batches)
    digests = []
    while some := list(itertools.islice(rows, files.BATCH)):
        digests.append(hashlib.sha256(repr(some).encode()).hexdigest())
    return digests


def _one(_row: object) -> int:
    return 1


def _loads(path: Path) -> Iterator[Any]:
    loads = rivals.load("orjson").loads
    with path.open("rb") as lines:
        yield from map(loads, lines)


def _zipped(path: Path) -> Iterator[list[dict[str, Any]]]:
    for columns in calls.fast_axolotl(path):
        yield [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
