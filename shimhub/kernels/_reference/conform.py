"""Rows of parsed JSON made to fit a schema; what ``native/python/py_conform.c`` does."""

from __future__ import annotations

from typing import Any, Final

#: (row, path, problem)
Found = tuple[int, tuple[Any, ...], str]
#: As of the library, which is recursive.
DEPTH: Final = 64

_RANGES: Final = {
    **{f"int{bits}": range(-(1 << bits - 1), 1 << bits - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": range(1 << bits) for bits in (8, 16, 32, 64)},
}
_CLASSES: Final = {
    **dict.fromkeys(_RANGES, int),
    "bool": bool,
    "string": str,
    "float64": float,
    "null": type(None),
}


class _DriftError(Exception):
    """A value that is not of its type; the path grows on the way out."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        self.path: list[Any] = []


def conform(rows: list[Any], fields: Any) -> Found | None:
    """Conform all rows; return (row, path, problem) of the first that does not."""
    _check_fields(fields, 1)
    count = len(rows)
    for i, row in enumerate(rows):
        try:
            rows[i] = _struct(row, fields)
        except _DriftError as drift:
            return i, tuple(reversed(drift.path)), drift.problem
        if len(rows) != count:
            raise RuntimeError("rows: changed their size while they were conformed")
    return None


def _check_fields(fields: Any, depth: int) -> None:
    if depth > DEPTH:
        raise ValueError(f"fields: nested more than {DEPTH} deep")
    names = set()
    for field in fields if isinstance(fields, tuple) else (None,):
        if not _is_pair(field) or type(field[0]) is not str:
            raise TypeError("fields: want a tuple of (name, type)")
        if field[0] in names:
            raise ValueError(f"fields: {field[0]!r} twice")
        names.add(field[0])
        _check_type(field[1], depth + 1)


def _is_pair(told: Any) -> bool:
    return isinstance(told, tuple) and len(told) == len(("name", "type"))


def _check_type(kind: Any, depth: int) -> None:
    if depth > DEPTH:
        raise ValueError(f"fields: nested more than {DEPTH} deep")
    if _is_pair(kind) and kind[0] == "struct":
        _check_fields(kind[1], depth)
    elif _is_pair(kind) and kind[0] == "list":
        _check_type(kind[1], depth + 1)
    elif type(kind) is not str or kind not in {*_CLASSES, "any"}:
        raise TypeError(f"fields: {kind!r} is no type")


def _struct(row: Any, fields: Any) -> Any:
    if type(row) is not dict:
        raise _DriftError(f"{type(row).__name__}, want struct")
    made = {name: _at(name, row.get(name), kind) for name, kind in fields}
    for key in row:
        if key not in made:
            raise _placed(_DriftError("unexpected key"), key)
    if list(row) != list(made):
        return made
    row.update(made)
    return row


def _at(place: Any, value: Any, kind: Any) -> Any:
    try:
        return _value(value, kind)
    except _DriftError as drift:
        raise _placed(drift, place) from None


def _placed(drift: _DriftError, place: Any) -> _DriftError:
    drift.path.append(place)
    return drift


def _value(value: Any, kind: Any) -> Any:
    if value is None or kind == "any":
        return value
    if isinstance(kind, tuple):
        return _struct(value, kind[1]) if kind[0] == "struct" else _list(value, kind[1])
    if kind == "float64" and type(value) is int:
        return _float(value)
    if type(value) is not _CLASSES[kind]:
        raise _DriftError(f"{type(value).__name__}, want {kind}")
    if kind in _RANGES and value not in _RANGES[kind]:
        raise _DriftError(f"int, out of the range of {kind}")
    return value


def _float(value: int) -> float:
    try:
        found = float(value)
    except OverflowError:
        raise _DriftError("int, out of the range of float64") from None
    if found != value:
        raise _DriftError("int, not exact as float64")
    return found


def _list(value: Any, kind: Any) -> Any:
    if type(value) is not list:
        raise _DriftError(f"{type(value).__name__}, want list")
    value[:] = [_at(i, one, kind) for i, one in enumerate(value)]
    return value
