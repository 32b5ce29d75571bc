"""Rows for padding, found in what the user has."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.kernels import _columns, _pad_columns
from shimhub.kernels._reference import columns, pad_items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Array = np.ndarray[Any, Any]


class Rows:
    """Rows of one field: each of one part, or of several that are joined."""

    def __init__(self, parts: list[list[Any]], where: Callable[[int, int], str]) -> None:
        self.parts = parts
        self.where = where
        self.is_mask = self.numbered = self.joined = self.may_have_nulls = self.strict = False
        self.name = ""

    def __len__(self) -> int:
        return len(self.parts)

    def lengths(self) -> Iterator[int]:
        """Yield the number of items of each row."""
        return (sum(map(len, parts)) for parts in self.parts)

    def too_long(self, row: int, length: int, width: int) -> str:
        """Return what is wrong with a row that is."""
        if self.joined:
            return f"features[{row}]: {length} items of {self.name!r} are more than length {width}"
        return f"{self.where(row, 0)}: {length} items are more than length {width}"

    def items(self, row: int, kind: np.dtype[Any], width: int) -> Array:
        """Return the first ``width`` items of a row."""
        found = [np.empty(0, kind)]
        for number, part in enumerate(self.parts[row]):
            left = width - sum(map(len, found))
            found.append(self._part(part[:left], number, kind, self.where(row, number)))
        joined: Array = np.concatenate(found)
        return joined

    def _part(self, part: Any, number: int, kind: np.dtype[Any], where: str) -> Array:
        if self.is_mask:
            items = np.ones(len(part), kind)
        elif isinstance(part, np.ndarray):
            items = pad_items.from_array(part, kind, where, strict=self.strict)
        else:
            if self.may_have_nulls and None in part:
                raise ValueError(f"{where}[{part.index(None)}]: it is null")
            items = pad_items.from_list(part, kind, where, strict=self.strict)
        return _multiply(items, number + 1, where) if self.numbered else items

    def as_mask(self) -> Rows:
        """Return the mask that counts the items of these rows."""
        mask = Rows(self.parts, self.where)
        mask.is_mask = True
        return mask


def _multiply(items: Array, factor: int, where: str) -> Array:
    limits = np.iinfo(items.dtype)
    for at, item in enumerate(items.tolist()):
        if not limits.min <= item * factor <= limits.max:
            text = f"{factor} times its value does not fit {items.dtype}"
            raise OverflowError(f"{where}[{at}]: {text}")
    product: Array = items * items.dtype.type(factor)
    return product


def rows_of(rows: Any, where: Callable[[int], str], name: str) -> Rows:
    """Return rows of a list, a 2-D array, Arrow's lists or Ragged."""
    if isinstance(rows, (list, tuple)):
        found = [[_row(row, where(at))] for at, row in enumerate(rows)]
    elif _is_column(rows):
        found = [[_present(row, where(at))] for at, row in enumerate(_column(rows, name))]
    else:
        found = [[row] for row in pad_items.array(rows, 2, where(0))]
    answer = Rows(found, lambda row, _part: where(row))
    answer.may_have_nulls = _is_column(rows)
    return answer


def _row(row: Any, where: str) -> Any:
    return row if isinstance(row, (list, tuple)) else pad_items.array(row, 1, where)


def _is_column(rows: Any) -> bool:
    names = ("__arrow_c_array__", "__arrow_c_stream__")
    return isinstance(rows, _columns.Ragged) or any(hasattr(rows, name) for name in names)


def _present(row: Any, where: str) -> Any:
    if row is None:
        raise ValueError(f"{where}: it is null")
    return row


def _column(rows: Any, name: str) -> list[Any]:
    _pad_columns.chunks_of(rows, name)  # raises TypeError where they are no lists of numbers
    found = _columns.chunks(rows, name)
    _columns.verify(found, name)
    return [row for column in found for row in _lists(column)]


def _lists(column: _columns.Column) -> list[Any]:
    start, end = column.offset, column.offset + column.length
    if column.kind is _columns.Kind.FIXED_LIST:
        bounds = [row * column.width for row in range(start, end + 1)]
    else:
        bounds = columns.offsets(column)[start : end + 1].tolist()
    valid = columns.valid(column, start, column.length)
    return [
        _values(column.children[0], *between) if is_valid else None
        for is_valid, between in zip(valid, itertools.pairwise(bounds), strict=False)
    ]


def _values(values: _columns.Column, begin: int, end: int) -> Any:
    """Return the values as an array; as a list, with None where one is null."""
    start, count = values.offset + begin, end - begin
    valid = columns.valid(values, start, count)
    if values.kind is _columns.Kind.NULL:
        return [None] * count
    if values.kind is _columns.Kind.BOOL:
        found = columns.bits(values.data, start, count)
    else:
        found = columns.view(values.data, values.dtype)[start : start + count].copy()
    if valid.all():
        return found
    return [item if is_valid else None for item, is_valid in zip(found, valid, strict=True)]


def column_rows(table: Any, names: list[str]) -> dict[str, Any]:
    """Return the columns of a table by name."""
    import pyarrow as pa  # type: ignore[import-untyped]

    if not isinstance(table, (pa.Table, pa.RecordBatch)):
        table = pa.table(table)
    return {name: table.column(name) for name in names if name in table.schema.names}


def feature_rows(features: Any, fields: Any, *, bins: bool) -> dict[str, Rows]:
    """Return the rows of each field that is there, or made."""
    if bins:
        return _bins(_listed(features), fields)
    if _is_column(features):
        features = column_rows(features, [field.name for field in fields])
    if hasattr(features, "column_names"):  # a Dataset of Hugging Face
        features = {name: features[name] for name in features.column_names}
    if is_mapping(features):
        return _columns_by_name(features, fields)
    return _features([[feature] for feature in _listed(features)], fields, joined=False)


def is_mapping(data: Any) -> bool:
    """Whether it is one for collate(): what dict() would take."""
    return isinstance(data, dict) or (
        not isinstance(data, (list, tuple))
        and hasattr(data, "keys")
        and hasattr(type(data), "__getitem__")
    )


def _listed(features: Any) -> Any:
    if not isinstance(features, (list, tuple)):
        raise TypeError(f"features: expected a list of mappings, got {type(features).__name__}")
    return features


def _bins(features: Any, fields: Any) -> dict[str, Rows]:
    for at, one in enumerate(features):
        if not isinstance(one, (list, tuple)):
            raise TypeError(
                f"features[{at}]: expected a list of mappings: a bin, got {type(one).__name__}"
            )
    return _features([list(one) for one in features], fields, joined=True)


def _features(grid: list[list[Any]], fields: Any, *, joined: bool) -> dict[str, Rows]:
    def place(row: int, part: int) -> str:
        return f"features[{row}][{part}]" if joined else f"features[{row}]"

    _check_mappings(grid, place)
    first = next((feature for row in grid for feature in row), None)
    found: dict[str, Rows] = {}
    for field in fields:
        if first is None or field.name in first:
            if first is not None or not (field.optional and field.ones_for is None):
                found[field.name] = _field(grid, field, place)
        else:
            _leave_out(found, field, place(0, 0))
        if field.name in found:
            found[field.name].numbered = field.numbered
            found[field.name].joined, found[field.name].name = joined, field.name
    return found


def _check_mappings(grid: list[list[Any]], place: Callable[[int, int], str]) -> None:
    for row, parts in enumerate(grid):
        for part, feature in enumerate(parts):
            if not is_mapping(feature):
                got = type(feature).__name__
                text = f"expected a mapping of names to rows, got {got}"
                raise TypeError(f"{place(row, part)}: {text}")


def _field(grid: list[list[Any]], field: Any, place: Callable[[int, int], str]) -> Rows:
    def where(row: int, part: int) -> str:
        return f"{place(row, part)}[{field.name!r}]"

    parts: list[list[Any]] = []
    for row, features in enumerate(grid):
        parts.append([])
        for part, feature in enumerate(features):
            if field.name not in feature:
                raise ValueError(f"{place(row, part)}: no {field.name!r}")
            parts[-1].append(_row(feature[field.name], where(row, part)))
    return Rows(parts, where)


def _leave_out(found: dict[str, Rows], field: Any, place: str) -> None:
    if field.ones_for in found:
        found[field.name] = found[field.ones_for].as_mask()
    elif not field.optional:
        raise ValueError(f"{place}: no {field.name!r}")


def _columns_by_name(features: Mapping[str, Any], fields: Any) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for field in fields:
        if field.name in features:
            found[field.name] = _named_column(features, field.name)
        else:
            _leave_out(found, field, "features")
    lengths = {name: len(rows) for name, rows in found.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"features: columns have different numbers of rows: {lengths}")
    return found


def _named_column(features: Mapping[str, Any], name: str) -> Rows:
    return rows_of(features[name], lambda row: f"features[{name!r}][{row}]", f"features[{name!r}]")
