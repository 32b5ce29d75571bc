"""JSONL as Arrow: many lines at once by Arrow's own reader, where that is certain to be right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.json as pj  # type: ignore[import-untyped]
from pyarrow import types

from shimhub.data.formats._json_lines import DEPTH
from shimhub.kernels.lines import json_scan

if TYPE_CHECKING:
    from shimhub.data.formats._json_context import Context
    from shimhub.data.formats._pieces import Quick

#: By bits of a float: integers below it are exact.
_EXACT: Final = {16: 1 << 11, 32: 1 << 24, 64: 1 << 53}


def read_lines(data: Any, schema: pa.Schema | None, others: str = "error") -> pa.RecordBatch:
    """Read lines by Arrow as one batch; with a schema, without a guess.

    ``others`` is what becomes of keys that the schema does not have: "error" or "ignore".

    Only for lines that are an object each, as far as brackets tell: pyarrow 26 takes several on
    a line, and crashes on a null that stands alone.

    Raises:
        pa.ArrowInvalid: it cannot.
        UnicodeDecodeError: nor can it tell why, as the text of its error is not UTF-8.
    """
    table = pj.read_json(
        pa.BufferReader(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(
            explicit_schema=schema,
            unexpected_field_behavior="infer" if schema is None else others,
        ),
    )
    return table.to_batches()[0]


def certain_batch(
    data: bytes | memoryview, schema: pa.Schema | None, others: str = "error"
) -> tuple[int, pa.RecordBatch] | None:
    """Read lines as Arrow does; None where it fails, or where it is not certain to be right."""
    scan = json_scan(data, DEPTH)
    if not scan.is_certain:
        return None
    if scan.rows == 0:
        return 0, None
    try:
        batch = read_lines(data, schema, others)
        if not scan.is_ascii:  # it does not look at UTF-8 itself
            batch.validate(full=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        return None
    if schema is not None and may_round_integers(batch):
        return None
    return (scan.rows, batch) if batch.num_rows == scan.rows else None


def may_round_integers(batch: pa.RecordBatch) -> bool:
    """Whether a float column has values so large that integers in the text may not be exact."""
    return any(map(_may_round, batch.columns))


def _may_round(column: pa.Array) -> bool:
    kind = column.type
    if types.is_floating(kind):
        values = column.to_numpy(zero_copy_only=False)  # null is NaN
        large = values[np.abs(values) >= _EXACT[kind.bit_width]]
        return bool(np.isfinite(large).any())
    if types.is_struct(kind):
        return any(map(_may_round, column.flatten()))
    if types.is_map(kind):
        return _may_round(column.items)
    return has_values(kind) and _may_round(column.flatten())


def has_values(kind: pa.DataType) -> bool:
    """Whether it is a list of any kind."""
    return hasattr(kind, "value_type") and not types.is_dictionary(kind)


def quick_batch(context: Context) -> Quick:
    """Return what reads many lines as a batch of the context's schema."""
    others = "ignore" if context.partial else "error"
    return lambda data, _count: certain_batch(data, context.schema, others)


def batch_of(context: Context, rows: Any) -> pa.RecordBatch:
    """Return a batch of what a piece holds: of the chosen columns."""
    batch = _whole(context, rows)
    return batch if context.columns is None else batch.select(context.columns)


def _whole(context: Context, rows: Any) -> pa.RecordBatch:
    if isinstance(rows, pa.RecordBatch):
        return rows.replace_schema_metadata(context.schema.metadata)
    if context.fields is None:
        batch = pa.Table.from_batches(rows).combine_chunks().to_batches()[0]
        return batch.replace_schema_metadata(context.schema.metadata)
    if not len(context.schema):  # such a list has no length for Arrow
        return pa.RecordBatch.from_struct_array(pa.array(rows, pa.struct([])))
    return pa.RecordBatch.from_pylist(rows, schema=context.schema)
