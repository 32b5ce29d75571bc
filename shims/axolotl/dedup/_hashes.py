"""What both generations of axolotl's exact deduplication share: the hashes of rows, and cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from datasets import Dataset
from datasets.table import InMemoryTable

from shimhub import Decline
from shimhub.data import hf_rows
from shimhub.kernels import reprs


def hasher(original: Any) -> Callable[[Any], list[str]]:
    """Return what gives axolotl's hash of each row; it declines where the original has others."""
    names = original.__globals__
    sha256 = names["sha256"]

    def hashes(dataset: Any) -> list[str]:
        if names["sha256"] is not sha256:
            raise Decline("another sha256")
        if told := hf_rows.other_than_table(dataset):
            raise Decline(told)
        try:
            return reprs.hex_digests(hf_rows.repr_digests(dataset))
        except (TypeError, ValueError, OverflowError) as error:
            raise Decline("values that are not printed here") from error

    return hashes


def made(table: Any, rows: list[int] | None = None) -> Any:
    """Return a dataset with a fingerprint of its own, and a mapping where ``rows`` are told."""
    found = Dataset(InMemoryTable(table), fingerprint="shimhub")
    return found if rows is None else found.select(rows, new_fingerprint="selected")


def found(dataset: Any) -> Any:
    """Return what can be seen of a dataset."""
    rows = dataset._indices
    places = None if rows is None else rows.column(0).to_pylist()
    return dataset[:], dataset._fingerprint, places, dataset.features, dataset.format


def samples() -> Iterator[tuple[Any, Any]]:
    """Yield two datasets: tokens, text, floats and nested values, with and without a mapping."""
    tokens = {
        "input_ids": [[1, 2], [1, 2], [3], [], [3], [-7, 123456789], None, [None]],
        "labels": [[-100, 2], [-100, 2], [3], [], [3], [7, 0], None, [1]],
        "length": [2, 2, 1, 0, 1, 2, None, 1],
    }
    text = ["it's", 'say "no"', 'it\'s "so"', "a\\b\n\t\r\x00\x7f", "é\u2028😀", "", None, ""]
    mixed = {
        "text": text,
        "score": [0.1, -0.0, 0.0, float("nan"), float("nan"), 1e22, None, None],
        "turns": [[{"role": "a", "ok": True}], [], None, [{"role": None, "ok": False}], *[[]] * 4],
        "raw": [b"\x00'", b"", None, b'"', b"\xff", b"\\", b"", b""],
    }
    for columns in (tokens, mixed):
        table = pa.table(columns)
        yield made(table), made(table.slice(2, 4))
        yield made(table, [7, 0, 1, 1, 3, 4]), made(table, [0])
        yield made(pa.concat_tables([table, table.slice(3)])), None
