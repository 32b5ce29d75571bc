"""What offers Arrow's C interface, as arrays and tables of pyarrow."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STREAM: Final = "__arrow_c_stream__"
#: As ``shimhub_column_check``.
_DEPTH_MAX: Final = 64


def array(data: Any, name: str) -> pa.Array | pa.ChunkedArray:
    """Return the column; raise ``TypeError`` or ``ValueError`` naming it where it is none."""
    if not isinstance(data, (pa.Array, pa.ChunkedArray)):
        _check_polars(data, name)
        make = pa.chunked_array if hasattr(data, _STREAM) else pa.array
        data = _made(lambda: make(data), name)
    _check_depth(data.type, name, 1)
    return data


def table(data: Any, name: str) -> pa.Table | pa.RecordBatch:
    """Return the table; raise as :func:`array`. A pandas index is no column."""
    found = _table(data, name)
    for field in found.schema:
        _check_depth(field.type, field.name or name, 2)
    return found


def _table(data: Any, name: str) -> pa.Table | pa.RecordBatch:
    if isinstance(data, (pa.Table, pa.RecordBatch)):
        return data
    if not hasattr(data, _STREAM) or hasattr(data, "_indices"):
        return _dataset(data, name)
    _check_polars(data, name)
    if _is_from(data, "pandas", "DataFrame"):
        return _made(lambda: pa.Table.from_pandas(data, preserve_index=False), name)
    return _made(lambda: pa.table(data), name)


def _dataset(data: Any, name: str) -> pa.Table:
    """Return the table of a Hugging Face Dataset."""
    if getattr(data, "_indices", None) is not None:
        raise ValueError(
            f"{name}: the Dataset has an indices mapping (select, shuffle, sort or filter made "
            "it), and its table has other rows; pass dataset.flatten_indices()"
        )
    return data.data.table


def _made(make: Callable[[], Any], name: str) -> Any:
    """Return what pyarrow makes; its errors do not tell of which argument."""
    try:
        return make()
    except (TypeError, NotImplementedError) as error:
        raise TypeError(f"{name}: {_told(error)}") from error
    except ValueError as error:
        raise ValueError(f"{name}: {_told(error)}") from error


def _told(error: Exception) -> str:
    return "; ".join(map(str, error.args))


def _is_from(data: Any, package: str, kind: str) -> bool:
    """Whether it is of the package's class: only such an object's user has imported it."""
    module = sys.modules.get(package)
    return module is not None and isinstance(data, getattr(module, kind))


def _check_polars(data: Any, name: str) -> None:
    """Raise ``TypeError`` for polars' Object, of which Arrow gets addresses of objects."""
    if _is_from(data, "polars", "Series"):
        _check_polars_type(data.dtype, name)
    elif _is_from(data, "polars", "DataFrame"):
        for column, dtype in data.schema.items():
            _check_polars_type(dtype, column or name)


def _check_polars_type(dtype: Any, name: str) -> None:
    if dtype == sys.modules["polars"].Object:
        raise TypeError(
            f"{name}: polars' Object is not supported; pass series.to_list(), or give it a dtype"
        )


def _check_depth(kind: pa.DataType, name: str, depth: int) -> None:
    """Raise ``ValueError`` where a type, itself at this depth, is deeper than the library reads."""
    level = [kind]
    while level:
        if depth > _DEPTH_MAX:
            raise ValueError(f"{name}: nested more than {_DEPTH_MAX} deep")
        level = [child for one in level for child in _children(one)]
        depth += 1


def _children(kind: pa.DataType) -> Iterator[pa.DataType]:
    if isinstance(kind, pa.BaseExtensionType):
        return _children(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _children(kind.value_type)
    return (kind.field(i).type for i in range(kind.num_fields))
