"""JSONL as Arrow: many lines at once by Arrow's own reader, where it is certain to be right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.json as pj  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from shimhub.data._json_context import Context
    from shimhub.data._json_pieces import Lines


def read_lines(data: Any, schema: pa.Schema | None) -> pa.RecordBatch:
    """Read lines by Arrow as one batch, without a guess where there is a schema.

    Only for lines that each begin with ``{``: pyarrow 26 crashes on a null that stands alone.

    Raises:
        pa.ArrowInvalid: it cannot.
        UnicodeDecodeError: nor can it tell why, as the text of its error is not UTF-8.
    """
    table = pj.read_json(
        pa.py_buffer(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(
            explicit_schema=schema,
            unexpected_field_behavior="infer" if schema is None else "error",
        ),
    )
    return table.combine_chunks().to_batches()[0]


def batch_of(context: Context, rows: Any) -> pa.RecordBatch:
    """Make a batch of rows that were read one by one."""
    if isinstance(rows, pa.RecordBatch):
        return rows
    if context.fields is None:
        return pa.concat_batches(rows)
    return pa.RecordBatch.from_pylist(rows, schema=context.schema)


def quick_batch(context: Context) -> Any:
    """Return the quick reader of many lines for this context."""

    def quick(lines: Lines, first: int, stop: int) -> pa.RecordBatch | None:
        return None

    return quick
