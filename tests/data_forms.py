"""What batches hold of each type of Arrow: the table of docs/data.md, made from the code.

``python -m tests.data_forms`` prints it.
"""

from __future__ import annotations

import datetime as dt
import decimal
import sys
from typing import Any

import pyarrow as pa

from shimhub.data.reading import _outputs

_TIME = dt.datetime.fromisoformat("2024-02-29T12:30:00")
#: Types, and two values of each.
SAMPLES: list[tuple[pa.DataType, list[Any]]] = [
    (pa.int64(), [1, 2]),
    (pa.uint8(), [1, 2]),
    (pa.float64(), [0.5, 1.5]),
    (pa.float16(), [0.5, 1.5]),
    (pa.bool_(), [True, False]),
    (pa.null(), [None, None]),
    (pa.string(), ["a", "b"]),
    (pa.binary(), [b"a", b"b"]),
    (pa.dictionary(pa.int32(), pa.string()), ["a", "a"]),
    (pa.dictionary(pa.int32(), pa.int64()), [7, 7]),
    (pa.list_(pa.int64()), [[1], [2, 3]]),
    (pa.list_(pa.int64(), 2), [[1, 2], [3, 4]]),
    (pa.list_(pa.string()), [["a"], []]),
    (pa.struct([("a", pa.int64())]), [{"a": 1}, {"a": 2}]),
    (pa.map_(pa.string(), pa.int64()), [[("a", 1)], []]),
    (pa.timestamp("us"), [_TIME, _TIME]),
    (pa.date32(), [_TIME.date(), _TIME.date()]),
    (pa.time64("us"), [_TIME.time(), _TIME.time()]),
    (pa.duration("us"), [dt.timedelta(1), dt.timedelta(2)]),
    (pa.decimal128(5, 2), [decimal.Decimal("1.50"), decimal.Decimal("2.50")]),
]


def lines() -> list[str]:
    """Return the lines of the table."""
    rows = [_row(kind, values) for kind, values in SAMPLES]
    head = ["Arrow", '`"columns"`, `"rows"`', '`"numpy"`', '`"torch"`']
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * 4, *rows)]


def _row(kind: pa.DataType, values: list[Any]) -> list[str]:
    batch = pa.record_batch({"x": pa.array(values, kind)})
    makers = (_outputs.columns_of, _outputs.numpy_of, _outputs.torch_of)
    name = f"dictionary of {kind.value_type}" if pa.types.is_dictionary(kind) else str(kind)
    return [f"`{name}`", *(_form(maker(batch)["x"]) for maker in makers)]


def _form(column: Any) -> str:
    if isinstance(column, list):
        return f"list of {_kind(column[0])}"
    if type(column).__name__ in {"Lists", "TensorLists"}:
        return f"`{type(column).__name__}` of {column.values.dtype}"
    if str(column.dtype) == "object":
        return f"array of objects: {_kind(column[0])}"
    shape = f", {column.ndim} dimensions" if column.ndim > 1 else ""
    return f"{column.dtype}{shape}"


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
