"""Rows as Python objects: out of Arrow's columns, and out of freshly parsed JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shimhub.kernels import _loading

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

#: "null", "bool", "int8" to "uint64", "float64", "string", "any", ("list", Type) or
#: ("struct", ((name, Type), ...)).
Type = Any
Fields = tuple[tuple[str, Type], ...]


class Drift(NamedTuple):
    """Where a value is not of its type: the row, the way to it from there, and what is wrong."""

    row: int
    #: Keys, and places in lists: ("messages", 2, "role").
    path: tuple[str | int, ...]
    #: Such as "str, want int64" or "unexpected key".
    problem: str

    @property
    def column(self) -> str:
        """Return the path as text, such as ``messages[2].role``."""
        parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return "".join(parts).removeprefix(".")


def conform(rows: list[Any], fields: Fields) -> Drift | None:
    """Make each row a dict of exactly these fields, in place; return what is first not of its type.

    ``rows`` are what a JSON parser made, and are changed: keys that are missing are None, nested
    ones too; keys are in the order of the fields (a dict that differs is replaced by a new one in
    what holds it); an int in a float64 field becomes the nearest float. ``fields`` are
    ``(name, type)`` with types of :data:`Type`; :func:`fields_of` makes them of a schema. None
    is of any type, and other values are of those whose Python type they have exactly: a bool is no
    int, and a float no int even if it is whole. "any" takes whatever there is.

    Returns None where all rows conform. Otherwise a :class:`Drift`: of the first such row the first
    field by order that is wrong, and only if there is none a key that no field has. Rows before
    it are done, those after are untouched; it may be mended, and the call repeated.

    Raises ``TypeError`` if ``rows`` is no list, or ``fields`` are not as told, ``ValueError`` if
    they are nested more than 64 deep or name a key twice, and ``RuntimeError`` if the list has
    another size than at the beginning (a garbage collection may run anything).
    O(values); where all keys are in order, nothing is allocated.
    """
    if not isinstance(rows, list):
        raise TypeError(f"rows: {type(rows).__name__}, want a list of dicts")
    from shimhub.kernels._reference import rows as reference

    run = getattr(_loading.native(), "conform_rows", reference.conform)
    found = run(rows, fields)
    return None if found is None else Drift(*found)


def fields_of(schema: pa.Schema) -> Fields | None:
    """Return the fields of a schema for :func:`conform`; None where JSON has no such value.

    That is so for dates, binary, decimals, float32 (a JSON number would have to be rounded), and
    lists of fixed size: values of these come by way of Arrow.
    """
    from shimhub.kernels import _row_types

    found: Fields | None = _row_types.fields(schema)
    return found
