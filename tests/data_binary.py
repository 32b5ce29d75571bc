"""Tables of every Arrow type, and readers of whole files, for the tests of Parquet and IPC."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pyarrow as pa

from shimhub.data._model import Options, Source
from shimhub.data.formats._formats import format_of

TEXTS = ["", "a", None, "é" * 40, "\N{GRINNING FACE}", "line\nbreak"]
BYTES = [b"", b"\x00\xff", None, b"x" * 40, b"12", b"\n"]


def _lists() -> dict[str, pa.Array]:
    texts = [["a", None], [], None, ["b" * 30], ["", "c"], ["d"]]
    return {
        "list": pa.array([[1], None, [2, 3], [], [None], [4]], pa.list_(pa.int32())),
        "large_list": pa.array(texts, pa.large_list(pa.string())),
        "fixed_list": pa.array(
            [[1, 2], None, [3, 4], [None, 5], [6, 7], [8, 9]], pa.list_(pa.int8(), 2)
        ),
        "messages": pa.array(
            [
                [{"role": "user", "content": text}],
                [],
                None,
                [None],
                [{"role": None, "content": ""}] * 2,
                [],
            ]
            if (text := "hi")
            else [],
            pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
        ),
        "struct": pa.array([{"a": 1, "b": {"c": "x"}}, None, {"a": None, "b": None}] * 2),
        "map": pa.array(
            [[("k", 1)], [], None, [("a", None), ("b", 2)], [], []], pa.map_(pa.string(), pa.int8())
        ),
    }


def _numbers() -> dict[str, pa.Array]:
    kinds = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
    found = {
        name: pa.array([0, None, 1, top, 2, 3], getattr(pa, name)())
        for name in kinds
        if (top := int(np.iinfo(name).max))
    }
    found |= {
        name: pa.array(np.array([0, -0.0, 1.5, np.inf, np.nan, 2], kind))
        for name, kind in {"half": "f2", "float": "f4", "double": "f8"}.items()
    }
    return found | {"bool": pa.array([True, None, False, True, True, False])}


def _times() -> dict[str, pa.Array]:
    day, moment = dt.date(1969, 12, 31), dt.datetime(2024, 2, 29, 1, 2, 3, 4)  # noqa: DTZ001 - Arrow has both
    return {
        "date32": pa.array([day, None] * 3),
        "date64": pa.array([day, None] * 3, pa.date64()),
        "time32": pa.array([dt.time(1, 2, 3), None] * 3, pa.time32("ms")),
        "time64": pa.array([dt.time(1, 2, 3, 4), None] * 3, pa.time64("ns")),
        "timestamp": pa.array([moment, None] * 3, pa.timestamp("us")),
        "timestamp_tz": pa.array([moment, None] * 3, pa.timestamp("ns", "Europe/Berlin")),
        "duration": pa.array([dt.timedelta(microseconds=5), None] * 3, pa.duration("us")),
    }


def _others() -> dict[str, pa.Array]:
    number = decimal.Decimal("-12.34")
    return {
        "null": pa.nulls(6),
        "string": pa.array(TEXTS),
        "large_string": pa.array(TEXTS, pa.large_string()),
        "binary": pa.array(BYTES),
        "large_binary": pa.array(BYTES, pa.large_binary()),
        "fixed_binary": pa.array([b"ab", None] * 3, pa.binary(2)),
        "decimal128": pa.array([number, None] * 3, pa.decimal128(10, 2)),
        "decimal256": pa.array([number, None] * 3, pa.decimal256(50, 2)),
        "dictionary": pa.array(TEXTS).dictionary_encode(),
    }


def _only_ipc() -> dict[str, pa.Array]:
    types = pa.array([0, 1, 0, 1, 0, 1], pa.int8())
    offsets = pa.array([0, 0, 1, 1, 2, 2], pa.int32())
    few, texts = pa.array([1, None, 3]), pa.array(["a", "b", None])
    rows = [pa.array([1, 2, 3, 4, 5, 6]), pa.array(["a", "b", None, "d", "e", "f"])]
    return {
        "string_view": pa.array(TEXTS, pa.string_view()),
        "binary_view": pa.array(BYTES, pa.binary_view()),
        "list_view": pa.array([[1], None, [2, 3], [], [None], [4]], pa.list_view(pa.int64())),
        "large_list_view": pa.array(
            [["a"], None, [], ["b"], [], []], pa.large_list_view(pa.string())
        ),
        "interval": pa.array([(1, 2, 3), None] * 3, pa.month_day_nano_interval()),
        "dense_union": pa.UnionArray.from_dense(types, offsets, [few, texts]),
        "sparse_union": pa.UnionArray.from_sparse(types, rows),
        "run_end": pa.RunEndEncodedArray.from_arrays(
            pa.array([2, 5, 6], pa.int32()), ["a", None, "b"]
        ),
        "lists_of_codes": pa.array(
            [["a"], [], None, ["b", "a"], ["a"], []],
            pa.list_(pa.dictionary(pa.int8(), pa.string())),
        ),
        "empty_struct": pa.array([{}, None] * 3, pa.struct([])),
        "fixed_nothing": pa.array([b"", None] * 3, pa.binary(0)),
        "tensor": pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.int32(), [2]),
            pa.array([[1, 2]] * 6, pa.list_(pa.int32(), 2)),
        ),
    }


def parquet_columns() -> dict[str, pa.Array]:
    """Return columns of 6 rows, of each type that Parquet stores."""
    return {**_numbers(), **_times(), **_others(), **_lists()}


def ipc_columns() -> dict[str, pa.Array]:
    """Return columns of 6 rows, of each type."""
    return {**parquet_columns(), **_only_ipc()}


def source(path: Any, format: str) -> Source:  # noqa: A002 - the field's name
    """Return a local file as a source."""
    return Source(str(path), format)


def read(what: Source, **options: Any) -> pa.Table:
    """Return all rows, read span by span with spans of the size ``span``."""
    size = options.pop("span", 1 << 20)
    asked = Options(**options)
    module = format_of(what)
    schema = module.schema(what, asked)
    found = [
        part.batch
        for span in module.spans(what, size, asked)
        for part in module.batches(what, span, asked)
    ]
    if asked.columns is not None:
        schema = pa.schema([schema.field(name) for name in asked.columns], schema.metadata)
    return pa.Table.from_batches(found, schema)
