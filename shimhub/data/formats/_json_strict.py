"""A line of JSONL as a row of a schema, strictly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.formats._json_arrow import has_values, read_lines
from shimhub.data.formats._json_lines import parse_line
from shimhub.data.formats._pieces import DriftError, drift
from shimhub.kernels.rows import conform

if TYPE_CHECKING:
    from shimhub.data.formats._json_context import Context


def strict_row(context: Context, line: bytes) -> Any:
    """Return a line as a dict, or as a batch of one row where its types are only Arrow's.

    Raises:
        BadLineError: it is no object, or not as ``parse_line`` tells.
        DriftError: it is not of the schema.
    """
    row = parse_line(line)
    if context.fields is None:
        _check_integers(row, context.schema)
        return _by_arrow(context, line)
    made = [_known(context, row) if context.partial else row]
    found = conform(made, context.fields)
    if found is not None:
        raise DriftError(drift(found.column, found.problem))
    return made[0]


def _check_integers(row: dict[str, Any], fields: Any) -> None:
    """Refuse integers that their float column would round, which Arrow does not tell of."""
    for field in fields:
        _check_integer(row.get(field.name), field.type, field.name)


def _check_integer(value: Any, kind: pa.DataType, name: str) -> None:
    if isinstance(value, dict) and pa.types.is_struct(kind):
        _check_integers(value, kind)
    elif isinstance(value, list) and has_values(kind):
        for item in value:
            _check_integer(item, kind.value_type, name)
    elif type(value) is int and pa.types.is_floating(kind):
        held = np.array(value, kind.to_pandas_dtype()).item()
        if held != value:
            raise DriftError(drift(name, f"int {value}, not exact as {kind}"))


def _known(context: Context, row: dict[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in context.schema.names}


def _by_arrow(context: Context, line: bytes) -> pa.RecordBatch:
    try:
        return read_lines(line, context.schema, "ignore" if context.partial else "error")
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise DriftError(drift("", str(error))) from None
