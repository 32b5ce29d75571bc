"""The type that holds every value of two Arrow types, where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import types

if TYPE_CHECKING:
    from collections.abc import Callable


class UnmergeableError(Exception):
    """No type holds both: ``args`` is the path below the column, and the two types."""


#: Units of time from coarse to fine.
_UNITS: Final = ("s", "ms", "us", "ns")
_WIDEST_DECIMAL: Final = 76


def widened(one: pa.DataType, two: pa.DataType, where: str = "") -> pa.DataType:
    """Return the narrowest type that holds what both hold.

    null is held by any; ints widen to ints of either sign, and with floats to double (a value
    that double does not hold exactly is an error when it is met); text and bytes widen to their
    large types; lists and structs by what is in them, and a struct has the fields of both.

    Raises:
        UnmergeableError: there is none.
    """
    if one.equals(two):
        return one
    if types.is_null(one) or types.is_null(two):
        return two if types.is_null(one) else one
    if types.is_dictionary(one) or types.is_dictionary(two):
        return widened(_values(one), _values(two), where)
    for is_kind, merge in _MERGES:
        if is_kind(one) and is_kind(two):
            return merge(one, two, where)
    raise UnmergeableError(where, one, two)


def _values(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if types.is_dictionary(kind) else kind


def _number(one: pa.DataType, two: pa.DataType, where: str) -> pa.DataType:
    if types.is_integer(one) and types.is_integer(two):
        return _integer(one, two, where)
    if types.is_floating(one) and types.is_floating(two):
        return max(one, two, key=lambda kind: kind.bit_width)
    return pa.float64()


def _integer(one: pa.DataType, two: pa.DataType, where: str) -> pa.DataType:
    if types.is_signed_integer(one) == types.is_signed_integer(two):
        return max(one, two, key=lambda kind: kind.bit_width)
    signed, unsigned = (one, two) if types.is_signed_integer(one) else (two, one)
    bits = max(signed.bit_width, 2 * unsigned.bit_width)
    by_width = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
    if bits not in by_width:
        raise UnmergeableError(where, one, two)
    return by_width[bits]


def _is_number(kind: pa.DataType) -> bool:
    return bool(types.is_integer(kind) or types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    )


def _text(one: pa.DataType, two: pa.DataType, _where: str) -> pa.DataType:
    return pa.large_string() if pa.large_string() in {one, two} else pa.string()


def _bytes(one: pa.DataType, two: pa.DataType, _where: str) -> pa.DataType:
    return pa.large_binary() if pa.large_binary() in {one, two} else pa.binary()


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def _list(one: pa.DataType, two: pa.DataType, where: str) -> pa.DataType:
    item = widened(one.value_type, two.value_type, where + "[]")
    field = pa.field("item", item)
    if types.is_fixed_size_list(one) and types.is_fixed_size_list(two):
        return _fixed(one, two, field)
    is_large = [types.is_large_list(kind) or types.is_large_list_view(kind) for kind in (one, two)]
    return pa.large_list(field) if any(is_large) else pa.list_(field)


def _fixed(one: pa.DataType, two: pa.DataType, field: pa.Field) -> pa.DataType:
    return pa.list_(field, one.list_size) if one.list_size == two.list_size else pa.list_(field)


def _struct(one: pa.DataType, two: pa.DataType, where: str) -> pa.DataType:
    return pa.struct(fields_of(list(one), list(two), where + "."))


def fields_of(one: list[pa.Field], two: list[pa.Field], where: str = "") -> list[pa.Field]:
    """Return the fields of both by name, all nullable: those of ``one``, then what is new.

    Raises:
        UnmergeableError: a name is twice in one of them, or has types that do not go together.
    """
    _refuse_twice(one, where)
    _refuse_twice(two, where)
    others = {field.name: field for field in two}
    found = [_field(field, others.pop(field.name, None), where) for field in one]
    return found + [field.with_nullable(True) for field in others.values()]


def _refuse_twice(fields: list[pa.Field], where: str) -> None:
    names = [field.name for field in fields]
    for field in fields:
        if names.count(field.name) > 1:
            raise UnmergeableError(where + field.name, field.type, "a second field of that name")


def _field(one: pa.Field, two: pa.Field | None, where: str) -> pa.Field:
    if two is None:
        return one.with_nullable(True)
    kind = widened(one.type, two.type, where + one.name)
    return one.with_type(kind).with_nullable(one.nullable or two.nullable)


def _map(one: pa.DataType, two: pa.DataType, where: str) -> pa.DataType:
    key = widened(one.key_type, two.key_type, where + "[key]")
    return pa.map_(key, widened(one.item_type, two.item_type, where + "[value]"))


def _timestamp(one: pa.DataType, two: pa.DataType, where: str) -> pa.DataType:
    if one.tz != two.tz:
        raise UnmergeableError(where, one, two)
    return pa.timestamp(_finer(one, two), one.tz)


def _time(one: pa.DataType, two: pa.DataType, _where: str) -> pa.DataType:
    unit = _finer(one, two)
    return pa.time32(unit) if unit in {"s", "ms"} else pa.time64(unit)


def _duration(one: pa.DataType, two: pa.DataType, _where: str) -> pa.DataType:
    return pa.duration(_finer(one, two))


def _finer(one: pa.DataType, two: pa.DataType) -> str:
    return max(_unit(one), _unit(two), key=_UNITS.index)


def _unit(kind: Any) -> str:
    """Return the unit; times have it in their name alone: ``time32[s]``."""
    return str(kind).partition("[")[2].partition("]")[0].partition(",")[0]


def _date(_one: pa.DataType, _two: pa.DataType, _where: str) -> pa.DataType:
    return pa.date64()


def _decimal(one: pa.DataType, two: pa.DataType, where: str) -> pa.DataType:
    scale = max(one.scale, two.scale)
    precision = scale + max(one.precision - one.scale, two.precision - two.scale)
    if precision > _WIDEST_DECIMAL:
        raise UnmergeableError(where, one, two)
    bits = max(one.bit_width, two.bit_width)
    is_small = bits <= 128 and precision <= 38  # noqa: PLR2004 - what decimal128 holds
    return pa.decimal128(precision, scale) if is_small else pa.decimal256(precision, scale)


_MERGES: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any, Any, str], Any]], ...]] = (
    (_is_number, _number),
    (_is_text, _text),
    (_is_bytes, _bytes),
    (_is_list, _list),
    (types.is_struct, _struct),
    (types.is_map, _map),
    (types.is_timestamp, _timestamp),
    (types.is_time, _time),
    (types.is_duration, _duration),
    (types.is_date, _date),
    (types.is_decimal, _decimal),
)
