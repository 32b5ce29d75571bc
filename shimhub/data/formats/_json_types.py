"""Types of columns from JSON values: what the first rows hold decides, and all of them must agree.

null goes with any type, integers with doubles, and integers below 2^63 with those above if none
is negative (uint64). Nothing else is widened: not a number to a string, not a value to a list.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, Final, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

_INT64_MOST: Final = (1 << 63) - 1


class Guess(NamedTuple):
    """The type of the values seen so far."""

    #: "null", "bool", "int", "float", "string", "list" or "struct".
    kind: str
    least: int = 0
    most: int = 0
    item: Guess | None = None
    fields: dict[str, Guess] | None = None


class ConflictError(Exception):
    """Two values of one column that no type holds."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        #: From the inside to the outside.
        self.path: list[str] = []

    @property
    def column(self) -> str:
        """Return the way to it, such as ``messages[].role``."""
        return "".join(reversed(self.path)).removeprefix(".")


NOTHING: Final = Guess("null")
NO_FIELDS: Final = Guess("struct", fields={})

_LEAVES: Final = {bool: "bool", float: "float", str: "string", type(None): "null"}


def guess_of(value: Any) -> Guess:
    """Return the type of one value that JSON gave."""
    if isinstance(value, dict):
        return Guess("struct", fields={key: _at(f".{key}", value[key]) for key in value})
    if isinstance(value, list):
        return Guess("list", item=_item(value))
    kind = _LEAVES.get(type(value))
    return Guess("int", value, value) if kind is None else Guess(kind)


def _at(place: str, value: Any) -> Guess:
    try:
        return guess_of(value)
    except ConflictError as conflict:
        conflict.path.append(place)
        raise


def _item(values: list[Any]) -> Guess:
    try:
        return reduce(merged, map(guess_of, values), NOTHING)
    except ConflictError as conflict:
        conflict.path.append("[]")
        raise


def merged(one: Guess, other: Guess) -> Guess:
    """Return the type that holds both.

    Raises:
        ConflictError: there is none.
    """
    if one.kind == "null" or other.kind == "null":
        return other if one.kind == "null" else one
    if one.kind != other.kind:
        return _widened(one, other)
    if one.kind == "int":
        return _range(one, other)
    if one.kind == "list":
        return Guess("list", item=_merged_at("[]", one.item, other.item))
    if one.kind == "struct":
        return Guess("struct", fields=_all_fields(one.fields or {}, other.fields or {}))
    return one


def _widened(one: Guess, other: Guess) -> Guess:
    if {one.kind, other.kind} == {"int", "float"}:
        return Guess("float")
    raise ConflictError(f"is {_NAMES[other.kind]}, but {_NAMES[one.kind]} before")


def _range(one: Guess, other: Guess) -> Guess:
    least, most = min(one.least, other.least), max(one.most, other.most)
    if least < 0 and most > _INT64_MOST:
        raise ConflictError("has negative integers and such above int64: no integer type has both")
    return Guess("int", least, most)


def _all_fields(one: dict[str, Guess], other: dict[str, Guess]) -> dict[str, Guess]:
    added = {
        key: _merged_at(f".{key}", one[key], found) if key in one else found
        for key, found in other.items()
    }
    return {**one, **added}


def _merged_at(place: str, one: Guess | None, other: Guess | None) -> Guess:
    try:
        return merged(one or NOTHING, other or NOTHING)
    except ConflictError as conflict:
        conflict.path.append(place)
        raise


def schema_of(guess: Guess) -> pa.Schema:
    """Return the schema of rows of that type."""
    return pa.schema([(name, _type(found)) for name, found in (guess.fields or {}).items()])


def _type(guess: Guess) -> pa.DataType:
    if guess.kind == "int":
        return pa.uint64() if guess.most > _INT64_MOST else pa.int64()
    if guess.kind == "list":
        return pa.list_(_type(guess.item or NOTHING))
    if guess.kind == "struct":
        return pa.struct([(name, _type(found)) for name, found in (guess.fields or {}).items()])
    return _TYPES[guess.kind]


_TYPES: Final = {
    "null": pa.null(),
    "bool": pa.bool_(),
    "float": pa.float64(),
    "string": pa.string(),
}
_NAMES: Final = {
    "bool": "a boolean",
    "int": "a number",
    "float": "a number",
    "string": "a string",
    "list": "a list",
    "struct": "an object",
}


def guess_from(column: pa.Array) -> Guess:
    """Return the type of a column that Arrow made of JSON, of one that holds no other values.

    Strings that look like times are strings.
    """
    if pa.types.is_integer(column.type):
        found = pc.min_max(column)
        least, most = found["min"].as_py(), found["max"].as_py()
        return NOTHING if least is None else Guess("int", least, most)
    if pa.types.is_boolean(column.type):
        return Guess("bool")
    return NOTHING if pa.types.is_null(column.type) else Guess("string")
