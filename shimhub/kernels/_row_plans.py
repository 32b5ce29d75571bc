"""Batches as the library takes them apart for rows: a tree of nodes with their buffers.

A node is ``(kind, width, length, offset, buffers, children, path, extra)``; see
``native/python/row_plan.h``. What has no kind there is made by pyarrow, when its rows are known.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.kernels import _arrow_import, _loading
from shimhub.kernels.rows import CellError

if TYPE_CHECKING:
    from collections.abc import Callable

Node = tuple[int, int, int, int, tuple[Any, ...], tuple[Any, ...], str, Any]

#: As of ``shimhub_column_check``: what walks them is recursive.
_DEPTH: Final = 64
#: The depth of a column, which is in the batch.
_COLUMN: Final = 2


class Kind(enum.IntEnum):
    """What a row of a node is; the numbers of ``shimhub_row_kind``."""

    NULL = 0
    BOOL = 1
    INT = 2
    UINT = 3
    FLOAT = 4
    TEXT = 5
    BYTES = 6
    FIXED = 7
    TEXT_VIEW = 8
    BYTES_VIEW = 9
    LIST = 10
    FIXED_LIST = 11
    STRUCT = 12
    PAIR = 13
    INDEX = 14
    UINDEX = 15
    READY = 16


def batches(data: Any) -> list[pa.RecordBatch]:
    """Return the batches of a table, at least one; raise as ``to_rows``."""
    if not isinstance(data, pa.RecordBatch):
        data = _arrow_import.table(data, "data")
    found = [data] if isinstance(data, pa.RecordBatch) else data.to_batches()
    return found or [pa.RecordBatch.from_pylist([], data.schema)]


def run(name: str, batch: pa.RecordBatch, before: int) -> Any:
    """Return what the function of that name makes of the batch; ``before`` counts earlier rows."""
    native = _loading.native()
    check_names(batch.schema.names, "data")
    try:
        if native is None:
            from shimhub.kernels._reference import rows as reference

            return getattr(reference, name)(batch)
        return getattr(native, name)(plan(batch), CellError)
    except CellError as error:
        if not before or error.row < 0:
            raise
        raise CellError(error.column, before + error.row, error.problem) from error.__cause__


def check_names(names: list[str], where: str) -> None:
    """Raise ``ValueError`` if a name comes twice."""
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{where}: {twice!r} twice; a dict would lose one: rename it")


def plan(batch: pa.RecordBatch) -> Node:
    """Return the batch as a struct of its columns."""
    names = batch.schema.names
    columns = tuple(_column(batch.column(i), name) for i, name in enumerate(names))
    return (Kind.STRUCT, 0, batch.num_rows, 0, (), columns, "data", tuple(names))


def _column(array: pa.Array, name: str) -> Node:
    """Return a column; pyarrow ends the process where it takes apart what is not as it says."""
    if _KINDS.get(array.type.id, (Kind.READY, 0))[0] in _NESTED:
        try:
            array.validate()
        except pa.ArrowException as error:  # ArrowIndexError is no ValueError
            raise CellError(name, -1, f"not a valid Arrow array: {error}") from error
    return _node(array, name, _COLUMN)


def _node(array: pa.Array, path: str, depth: int) -> Node:
    if depth > _DEPTH:
        raise ValueError(f"{path!r}: nested more than {_DEPTH} deep")
    found = _KINDS.get(array.type.id)
    if found is None:
        return _ready(array, path, depth)
    kind, width = found
    if kind in _NESTED:
        return _NESTED[kind](array, path, depth, width)
    buffers = tuple(array.buffers())
    return (kind, width, len(array), array.offset, buffers, (), path, None)


def _fixed(array: pa.Array, path: str, _depth: int, _width: int) -> Node:
    width = array.type.byte_width
    return (Kind.FIXED, width, len(array), array.offset, tuple(array.buffers()), (), path, None)


def _list(array: pa.Array, path: str, depth: int, width: int) -> Node:
    buffers = tuple(array.buffers()[:2])
    child = _node(array.values, path, depth + 1)
    return (Kind.LIST, width, len(array), array.offset, buffers, (child,), path, None)


def _fixed_list(array: pa.Array, path: str, depth: int, _width: int) -> Node:
    child = _node(array.values, path, depth + 1)
    buffers = (array.buffers()[0],)
    size = array.type.list_size
    return (Kind.FIXED_LIST, size, len(array), array.offset, buffers, (child,), path, None)


def _struct(array: pa.Array, path: str, depth: int, _width: int) -> Node:
    """Return a struct; pyarrow gives its children from its first row on."""
    kind = array.type
    names = tuple(kind.field(i).name for i in range(kind.num_fields))
    check_names(list(names), repr(path))
    children = _fields(array, tuple(f"{path}.{name}" for name in names), depth)
    buffers = (array.buffers()[0],)
    return (Kind.STRUCT, 0, len(array), array.offset, buffers, children, path, names)


def _fields(array: pa.Array, paths: tuple[str, ...], depth: int) -> tuple[Node, ...]:
    return tuple(_node(array.field(i), path, depth + 1) for i, path in enumerate(paths))


def _map(array: pa.Array, path: str, depth: int, _width: int) -> Node:
    """Return a list of pairs; the struct of them is never null."""
    entries = array.values
    children = _fields(entries, (path, path), depth + 1)
    pairs = (Kind.PAIR, 0, len(entries), 0, (), children, path, None)
    buffers = tuple(array.buffers()[:2])
    return (Kind.LIST, 4, len(array), array.offset, buffers, (pairs,), path, None)


def _dictionary(array: pa.Array, path: str, depth: int, _width: int) -> Node:
    """Return indices, whose values are made once; only where those cannot be changed."""
    if not _is_frozen(array.type.value_type):
        return _ready(array, path, depth)
    indices = array.indices
    kind = Kind.INDEX if pa.types.is_signed_integer(indices.type) else Kind.UINDEX
    width = indices.type.bit_width // 8
    child = _node(array.dictionary, path, depth + 1)
    buffers = tuple(indices.buffers())
    return (kind, width, len(array), indices.offset, buffers, (child,), path, None)


def _is_frozen(kind: pa.DataType) -> bool:
    return not pa.types.is_nested(kind) and not isinstance(kind, pa.BaseExtensionType)


def _ready(array: pa.Array, path: str, depth: int) -> Node:
    def make(start: int, stop: int) -> list[Any]:
        from shimhub.kernels._reference import rows as reference

        return reference.values(array.slice(start, stop - start), path, depth > _COLUMN)

    return (Kind.READY, 0, len(array), 0, (), (), path, make)


_NESTED: Final[dict[Kind, Callable[[pa.Array, str, int, int], Node]]] = {
    Kind.FIXED: _fixed,
    Kind.LIST: _list,
    Kind.FIXED_LIST: _fixed_list,
    Kind.STRUCT: _struct,
    Kind.PAIR: _map,
    Kind.INDEX: _dictionary,
}

#: Kind and width of the values by the id of the type; pyarrow below 16 has no views.
_KINDS: Final[dict[int, tuple[Kind, int]]] = {
    pa.null().id: (Kind.NULL, 0),
    pa.bool_().id: (Kind.BOOL, 0),
    **{getattr(pa, f"int{8 * width}")().id: (Kind.INT, width) for width in (1, 2, 4, 8)},
    **{getattr(pa, f"uint{8 * width}")().id: (Kind.UINT, width) for width in (1, 2, 4, 8)},
    **{getattr(pa, f"float{8 * width}")().id: (Kind.FLOAT, width) for width in (2, 4, 8)},
    pa.string().id: (Kind.TEXT, 4),
    pa.large_string().id: (Kind.TEXT, 8),
    pa.binary().id: (Kind.BYTES, 4),
    pa.large_binary().id: (Kind.BYTES, 8),
    pa.binary(1).id: (Kind.FIXED, 0),
    getattr(pa.lib, "Type_STRING_VIEW", -1): (Kind.TEXT_VIEW, 16),
    getattr(pa.lib, "Type_BINARY_VIEW", -1): (Kind.BYTES_VIEW, 16),
    pa.lib.Type_LIST: (Kind.LIST, 4),
    pa.lib.Type_LARGE_LIST: (Kind.LIST, 8),
    pa.lib.Type_FIXED_SIZE_LIST: (Kind.FIXED_LIST, 0),
    pa.lib.Type_STRUCT: (Kind.STRUCT, 0),
    pa.lib.Type_MAP: (Kind.PAIR, 0),
    pa.lib.Type_DICTIONARY: (Kind.INDEX, 0),
}
