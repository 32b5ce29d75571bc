"""Token columns: 20,000 rows of two lists of int32, 300 ids each on average.

Every call gives each row of both columns as an array or tensor: shimhub's rows are views, made
when they are asked for, and here all are asked for. `datasets` is read in batches of a thousand,
`with_format("numpy")`, `with_format("torch")` and without one, which gives lists.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.data import calls, files
from tests.bench.kernels.harness import Call, Row

FORMS = ("numpy", "torch")
LISTS = "datasets, lists"


def ours(form: str) -> str:
    """Return the name of our call."""
    return f"shimhub {form}"


def theirs(form: str) -> str:
    """Return the name of the call of datasets."""
    return f"datasets with_format({form!r})"


def rows(folder: Path, *, small: bool) -> list[Row]:
    """Return a row for each file."""
    amount = files.TOKEN_ROWS // 50 if small else files.TOKEN_ROWS
    return [
        Row(
            id=name,
            title=name,
            calls=_calls(folder / name),
            rounds=3,
            amount=amount / 1e3,
            unit="krow",
        )
        for name in ("tokens.parquet", "tokens-cache.arrow")
    ]


def _calls(path: Path) -> dict[str, Callable[[], Call]]:
    open_theirs = calls.cached if "cache" in path.name else calls.streamed
    found: dict[str, Callable[[], Call]] = {}
    for form in FORMS:
        found[ours(form)] = calls.guarded(functools.partial(_ours, path, form))
        found[theirs(form)] = functools.partial(_theirs, functools.partial(open_theirs, path, form))
    found[LISTS] = functools.partial(_theirs, functools.partial(open_theirs, path, None))
    fast = functools.partial(calls.fast_axolotl, path)
    found["fast-axolotl, lists"] = calls.guarded(lambda: calls.call(fast, _every, _tokens))
    return found


def _ours(path: Path, form: str) -> Call:
    return calls.call(functools.partial(calls.ours, path, form), _every, _tokens)


def _theirs(build: Callable[[], Any]) -> Call:
    made = build()
    return calls.call(lambda: made.iter(batch_size=files.BATCH), _every, _tokens)


def _every(columns: dict[str, Any]) -> int:
    """Take each row of each column, and count the rows."""
    return max(sum(1 for _ in column) for column in columns.values())


def _tokens(batches: Iterator[dict[str, Any]]) -> dict[str, str]:
    """Return a digest of each column's rows: the lists would take gigabytes."""
    digests: dict[str, Any] = {}
    for batch in batches:
        for name, column in batch.items():
            digest = digests.setdefault(name, hashlib.sha256())
            for row in column:
                digest.update(len(row).to_bytes(8, "little") + np.asarray(row, np.int64).tobytes())
    return {name: digest.hexdigest() for name, digest in digests.items()}
