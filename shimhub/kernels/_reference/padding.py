"""Padding and collation by NumPy, row by row; see ``shimhub.kernels.padding``."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels._reference import pad_items
from shimhub.kernels._reference.pad_rows import Rows, feature_rows, is_mapping, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Array = np.ndarray[Any, Any]

_FIELD_PARTS: Final = 7


def pad(
    rows: Any,
    *,
    length: int | None,
    multiple_of: int | None,
    side: str,
    value: Any,
    dtype: Any,
    out: Any,
    truncate: bool,
    threads: int = 1,
) -> Any:
    """Answer as the library does."""
    shape = _Shape(length, multiple_of, side, threads)
    kind = pad_items.number(dtype)
    fill = pad_items.padding_value(value, kind, "value")
    found = rows_of(rows, lambda row: f"rows[{row}]", "rows")
    memory = None if out is None else _memory(out, "out", kind, len(found))
    plane = _plane(found, shape, memory, kind, fill, "out")
    _check_lengths(found, plane, truncate=truncate)
    _write(found, plane, shape.left, fill)
    return plane if memory is None else _deliver(plane, memory, out)


def collate(
    features: Any,
    fields: Any,
    *,
    length: int | None,
    multiple_of: int | None,
    side: str,
    out: Mapping[str, Any] | None,
    bins: bool,
    threads: int = 1,
    ordered: bool = True,
) -> dict[str, Any]:
    """Answer as the library does."""
    shape = _Shape(length, multiple_of, side, threads)
    _check_fields(fields, ordered)
    kinds = {field.name: pad_items.number(field.dtype) for field in fields}
    fills = {
        field.name: pad_items.padding_value(
            field.value, kinds[field.name], f"value of field {field.name!r}"
        )
        for field in fields
    }
    masks_last = sorted(fields, key=lambda field: field.ones_for is not None)
    found = feature_rows(features, masks_last, bins=bins)
    memory = _memories(out, found, kinds)
    planes = {}
    for field in fields:
        if field.name in found:
            planes[field.name] = _finish(field, found, shape, memory, kinds, fills)
    if out is None:
        return planes
    return {name: _deliver(plane, memory[name], out[name]) for name, plane in planes.items()}


def _check_fields(fields: Any, ordered: bool) -> None:
    if not fields:
        raise ValueError("fields: expected at least one field")
    before: list[str] = []
    for field in fields:
        _check_field(field, before, [one[0] for one in fields] if not ordered else before)
        before.append(field[0])


def _check_field(field: Any, before: list[str], countable: list[str]) -> None:
    """Check a field; a mask counts the items of one of the countable."""
    is_field = isinstance(field, tuple) and len(field) == _FIELD_PARTS
    if not is_field:
        raise TypeError(f"fields: expected Fields or a mapping, got {field!r}")
    if not isinstance(field.name, str):
        raise TypeError(f"fields: expected names that are str, got {field.name!r}")
    if field.name in before:
        raise ValueError(f"fields: expected each name once, got {field.name!r}")
    if field.ones_for is not None and field.ones_for not in countable:
        raise ValueError(f"ones_for: expected the name of an earlier field, got {field.ones_for!r}")
    if field.numbered and pad_items.number(field.dtype).kind not in "iu":
        raise TypeError(f"fields: expected an integer dtype where numbered, got {field!r}")
    if field.strict and pad_items.number(field.dtype) != np.int64:
        raise TypeError(f"fields: expected int64 where strict, got {field!r}")


class _Shape:
    """Options that were checked."""

    def __init__(self, length: Any, multiple_of: Any, side: Any, threads: Any) -> None:
        if not hasattr(threads, "__index__"):
            raise TypeError(f"threads: expected 0 .. 1024, got {threads!r}")
        if not 0 <= operator.index(threads) <= 1024:  # noqa: PLR2004 - the library's own bound
            raise ValueError(f"threads: expected 0 .. 1024, got {threads!r}")
        self.length = pad_items.size(length, "length", 0)
        self.multiple_of = pad_items.size(multiple_of, "multiple_of", 1) or 1
        if not isinstance(side, str):
            raise TypeError(f"side: expected 'right' or 'left', got {side!r}")
        if side not in ("right", "left"):
            raise ValueError(f"side: expected 'right' or 'left', got {side!r}")
        self.left = side == "left"

    def width(self, lengths: Iterable[int], memory: Array | None) -> int:
        """Return the length of padded rows."""
        told = self.length
        if told is None:
            told = max(lengths, default=0) if memory is None else memory.shape[1]
        return -(-told // self.multiple_of) * self.multiple_of


def _finish(
    field: Any,
    found: dict[str, Rows],
    shape: _Shape,
    memory: Mapping[str, Array],
    kinds: Mapping[str, Any],
    fills: Mapping[str, Any],
) -> Array:
    rows, kind, fill = found[field.name], kinds[field.name], fills[field.name]
    rows.strict = field.strict
    if field.ones_for in found:
        _check_mask(rows, found[field.ones_for], field.ones_for)
    plane = _plane(rows, shape, memory.get(field.name), kind, fill, f"out[{field.name!r}]")
    _check_lengths(rows, plane, truncate=False)
    _write(rows, plane, shape.left, fill)
    return plane


def _check_mask(mask: Rows, rows: Rows, name: str) -> None:
    if mask is rows:
        return
    for row in range(len(rows)):
        for part in range(len(rows.parts[row])):
            own, other = len(mask.parts[row][part]), len(rows.parts[row][part])
            if own != other:
                raise ValueError(f"{mask.where(row, part)}: {own} items, and {name!r} has {other}")


def _plane(
    rows: Rows, shape: _Shape, memory: Array | None, kind: Any, fill: Any, name: str
) -> Array:
    width = shape.width(rows.lengths(), memory)
    if memory is not None and memory.shape[1] != width:
        raise ValueError(f"{name}: expected a length of {width}, got {memory.shape[1]}")
    if fill is None and width - 1 > pad_items.largest(kind):
        raise OverflowError(f"a range of {width} does not fit {kind}")
    if len(rows) * width * kind.itemsize >= 2**63:
        raise OverflowError(f"length: {len(rows)} rows of {width} are more than memory can have")
    return np.empty((len(rows), width), kind)


def _check_lengths(rows: Rows, plane: Array, *, truncate: bool) -> None:
    width = plane.shape[1]
    for row, length in enumerate(rows.lengths()):
        if length > width and not truncate:
            raise ValueError(rows.too_long(row, length, width))


def _write(rows: Rows, plane: Array, left: bool, fill: Any) -> None:
    width = plane.shape[1]
    for row, line in enumerate(plane):
        items = rows.items(row, plane.dtype, width)
        missing = width - len(items)
        padding = np.arange(missing) if fill is None else fill
        where = slice(0, missing) if left else slice(len(items), width)
        line[where] = padding
        line[missing if left else 0 :][: len(items)] = items


def _memory(out: Any, name: str, kind: Any, rows: int) -> Array:
    memory = pad_items.array(out, 2, name)
    if not memory.flags.writeable:
        raise ValueError(f"{name}: it is read-only")
    if memory.dtype != kind:
        raise TypeError(f"{name}: expected dtype {kind}, got {memory.dtype}")
    if len(memory) != rows:
        raise ValueError(f"{name}: expected {rows} rows, got {len(memory)}")
    if pad_items.overlaps_itself(memory):
        raise ValueError(f"{name}: its items overlap")
    return memory


def _memories(out: Any, found: Mapping[str, Rows], kinds: Mapping[str, Any]) -> dict[str, Array]:
    if out is None:
        return {}
    if not is_mapping(out):
        got = type(out).__name__
        raise TypeError(f"out: expected a mapping of names to arrays, got {got}")
    if missing := [name for name in found if name not in out]:
        raise ValueError(f"out[{missing[0]!r}]: there is none")
    return {
        name: _memory(out[name], f"out[{name!r}]", kinds[name], len(rows))
        for name, rows in found.items()
    }


def _deliver(plane: Array, memory: Array, out: Any) -> Any:
    memory[...] = plane
    return out
