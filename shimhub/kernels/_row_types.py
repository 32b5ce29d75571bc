"""Types of rows for ``conform``, from Arrow's schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEAVES: Final = {
    **{getattr(pa, f"{sign}int{bits}")().id: f"{sign}int{bits}"
       for sign in ("", "u") for bits in (8, 16, 32, 64)},
    pa.null().id: "null",
    pa.bool_().id: "bool",
    pa.float64().id: "float64",
    pa.string().id: "string",
    pa.large_string().id: "string",
}  # fmt: skip
#: pyarrow below 16 has no views.
_STRING_VIEW: Final = getattr(pa.lib, "Type_STRING_VIEW", -1)
_LISTS: Final = {
    getattr(pa.lib, f"Type_{name}", -1)
    for name in ("LIST", "LARGE_LIST", "LIST_VIEW", "LARGE_LIST_VIEW")
}


def fields(schema: Iterable[pa.Field]) -> Any:
    """Return ``(name, type)`` of all fields, or None if the type of one is not JSON's."""
    found = tuple((field.name, _type(field.type)) for field in schema)
    return None if any(kind is None for _, kind in found) else found


def _type(kind: pa.DataType) -> Any:
    if kind.id == _STRING_VIEW:
        return "string"
    if kind.id in _LISTS:
        item = _type(kind.value_type)
        return None if item is None else ("list", item)
    if pa.types.is_struct(kind):
        inner = fields(kind.field(i) for i in range(kind.num_fields))
        return None if inner is None else ("struct", inner)
    return _LEAVES.get(kind.id)
