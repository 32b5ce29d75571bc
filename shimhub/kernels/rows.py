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


class CellError(ValueError):
    """A value in a column that cannot be had: text that is no UTF-8, offsets outside of the values.

    ``column`` is its name, with those of the structs that it is in (``messages.content``), and
    ``row`` counts the rows of the batch from 0; -1 where it is no single one.
    """

    def __init__(self, column: str, row: int, problem: str) -> None:
        self.column, self.row, self.problem = column, row, problem
        where = f"{column!r}: row {row}" if row >= 0 else repr(column)
        super().__init__(f"{where}: {problem}")

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the parts where a worker's error is sent to its parent."""
        return type(self), (self.column, self.row, self.problem)


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


def to_rows(data: Any) -> list[dict[str, Any]]:
    """Return the rows of a table as dicts, equal to those of pyarrow's ``to_pylist()``.

    ``data`` is a pyarrow RecordBatch or Table, or anything else with Arrow's C interface. Numbers,
    text, binaries, lists, structs, maps and dictionaries are made here; dates, times, decimals,
    run-end encodings, unions and extension types by pyarrow. Every row has objects of its own,
    except for what cannot be changed.

    Raises :class:`CellError` where text is no UTF-8 or a buffer is not as it should be (of a
    damaged file, for example), ``ValueError`` if two columns, or two fields of a struct, have the
    same name (a dict would lose one), or if a type is nested more than 64 deep, and ``TypeError``
    if it is no table. O(values); nothing of ``data`` is kept.
    """
    from shimhub.kernels import _row_plans

    rows: list[dict[str, Any]] = []
    for batch in _row_plans.batches(data):
        rows += _row_plans.run("make_rows", batch, len(rows))
    return rows


def to_columns(data: Any) -> dict[str, list[Any]]:
    """Return the columns of a table as lists by name, equal to those of pyarrow's ``to_pydict()``.

    Takes, gives and raises what :func:`to_rows` does.
    """
    from shimhub.kernels import _row_plans

    first, *others = _row_plans.batches(data)
    columns: dict[str, list[Any]] = _row_plans.run("make_columns", first, 0)
    before = first.num_rows
    for batch in others:
        for name, values in _row_plans.run("make_columns", batch, before).items():
            columns[name] += values
        before += batch.num_rows
    return columns


def conform(rows: list[Any], fields: Fields) -> Drift | None:
    """Make each row a dict of exactly these fields, in place; return what is first not of its type.

    ``rows`` are what a JSON parser made, and are changed: keys that are missing are None, nested
    ones too; keys are in the order of the fields (a dict that differs is replaced by a new one in
    what holds it); an int in a float64 field becomes that float if one is equal. ``fields`` are
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
    from shimhub.kernels._reference import conform as reference

    native = _loading.native()
    found = reference.conform(rows, fields) if native is None else native.conform_rows(rows, fields)
    return None if found is None else Drift(*found)


def fields_of(schema: pa.Schema) -> Fields | None:
    """Return the fields of a schema for :func:`conform`; None where JSON has no such value.

    That is so for dates, binary, decimals, float32 (a JSON number would have to be rounded), and
    lists of fixed size: values of these come by way of Arrow.
    """
    from shimhub.kernels import _row_types

    found: Fields | None = _row_types.fields(schema)
    return found
