"""Columns: data of Arrow, NumPy and plain buffers as addresses with sizes, nothing copied.

:func:`chunks` takes one column apart, :func:`batches` the rows of a table; the native library gets
them from :func:`to_native`. pyarrow is asked only about objects that are its own, or that offer
Arrow's C interface. What Arrow keeps in several layouts comes as one: dictionaries and run-end
encodings decoded, views cast to offsets, extension types as their storage.
"""

from __future__ import annotations

import enum
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from shimhub.kernels import _loading

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType


class Kind(enum.IntEnum):
    """What a row of a column is; the numbers of ``shimhub_column_kind``."""

    NULL = 0
    FIXED = 1
    FLOAT = 2
    BOOL = 3
    BINARY = 4
    LIST = 5
    FIXED_LIST = 6
    STRUCT = 7


class Buffer(NamedTuple):
    """``size`` bytes of memory at ``address``; both 0 where there is none."""

    address: int = 0
    size: int = 0


_NOTHING: Final = Buffer()


@dataclass(frozen=True)
class Column:
    """One chunk of a column, laid out as in Arrow: rows offset .. offset + length - 1 are meant.

    ``width`` is the bytes of a row (FIXED, FLOAT), of an offset (BINARY, LIST: 4 or 8), or the
    child's rows in one (FIXED_LIST). ``dtype`` is that of numbers and booleans, else None.
    ``keep`` owns the memory.
    """

    kind: Kind
    length: int
    width: int = 0
    offset: int = 0
    validity: Buffer = _NOTHING
    offsets: Buffer = _NOTHING
    data: Buffer = _NOTHING
    children: tuple[Column, ...] = ()
    dtype: np.dtype[Any] | None = None
    name: str = ""
    keep: object = field(default=None, repr=False, compare=False)


class Ragged:
    """Rows of different lengths in one array: row i is ``values[offsets[i]:offsets[i + 1]]``.

    ``values`` is a 1-D array of numbers or booleans, ``offsets`` a 1-D int32 or int64 array of one
    more than the rows, ``validity`` None or a boolean array with False where a row is null.
    Nothing is copied if they are contiguous; do not change them while a call uses them.
    Raises ``TypeError`` for other dtypes, ``ValueError`` for other shapes. That offsets rise and
    stay within the values is checked by the call that reads them.
    """

    def __init__(self, values: Any, offsets: Any, validity: Any = None) -> None:
        self.values = _vector(values, "values", "biuf")
        self.offsets = _vector(offsets, "offsets", "i")
        if self.offsets.itemsize not in (4, 8):
            raise TypeError(f"offsets: dtype {self.offsets.dtype}, want int32 or int64")
        if not len(self.offsets):
            raise ValueError("offsets: empty, want one more than there are rows (at least [0])")
        self.validity = None if validity is None else _vector(validity, "validity", "b")
        if self.validity is not None and len(self.validity) != len(self):
            raise ValueError(f"validity: {len(self.validity)} rows, but offsets tell {len(self)}")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def arrays(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return values and offsets as NumPy arrays; a subclass may keep them in other forms."""
        return self.values, self.offsets


def _vector(values: Any, name: str, kinds: str) -> np.ndarray[Any, Any]:
    from shimhub.kernels import _numpy

    array = np.asarray(_numpy.unmasked(values, name))
    if array.ndim != 1:
        raise ValueError(f"{name}: {array.ndim} dimensions, want 1")
    if array.dtype.kind not in kinds:
        raise TypeError(f"{name}: dtype {array.dtype} is not supported here")
    return _numpy.plain(array)


def chunks(data: Any, name: str = "data") -> list[Column]:
    """Return the chunks of one column; all of one kind, in order.

    ``data`` is a pyarrow Array or ChunkedArray, anything with ``__arrow_c_stream__`` or
    ``__arrow_c_array__`` (polars, for example), a NumPy array (1-D of numbers, booleans, dates,
    ``S`` or ``U``; structured; 2-D: a list of fixed size a row) or a :class:`Ragged`. Raises
    ``TypeError`` naming the column and its type otherwise. O(chunks); the copies made are those
    told in the module's docstring, of ``S`` and ``U``, and of what is not contiguous.
    """
    if isinstance(data, np.ndarray):
        return [_from_numpy(data, name)]
    if isinstance(data, Ragged):
        return [_from_ragged(data, name)]
    if _is_arrow(data):
        from shimhub.kernels import _arrow

        return _arrow.chunks(data, name)
    raise TypeError(
        f"{name}: {_type_name(data)} is no column; pass a pyarrow, polars or NumPy array, "
        "or kernels.Ragged"
    )


def batches(data: Any, name: str = "data") -> list[Column]:
    """Return the rows of a table as STRUCT columns, one for each batch.

    ``data`` is a pyarrow Table or RecordBatch, a data frame with ``__arrow_c_stream__`` (of pandas:
    without its index), a Hugging Face ``Dataset`` (without an indices mapping: ``ValueError`` with
    the cure), or a mapping of names to columns of one length. Raises as :func:`chunks`, and
    ``ValueError`` if lengths differ.
    """
    if _is_arrow(data) or is_dataset(data):
        from shimhub.kernels import _arrow

        return _arrow.batches(data, name)
    if isinstance(data, dict):
        return _from_mapping(data, name)
    return chunks(data, name)


def rows(data: Any, name: str = "data") -> list[Column]:
    """Return :func:`batches` of what is a table, and :func:`chunks` of anything else."""
    is_table = isinstance(data, dict) or hasattr(data, "column_names") or hasattr(data, "columns")
    return batches(data, name) if is_table else chunks(data, name)


def table(data: Any, name: str = "data") -> dict[str, list[Column]]:
    """Return the chunks of each column of a table by name; of one length throughout."""
    found: dict[str, list[Column]] = {}
    for batch in batches(data, name):
        for child in batch.children:
            found.setdefault(child.name, []).append(child)
    return found


def to_native(native: ModuleType, columns: Sequence[Column]) -> Any:
    """Return a ``shimhub_column[]`` of the columns.

    It lives as long as the returned object, and the memory it names as long as ``columns`` do.
    """
    made = native.ffi.new("shimhub_column[]", max(1, len(columns)))
    kept = [_fill(native, made[at], column) for at, column in enumerate(columns)]
    return native.ffi.gc(made, lambda _made, _kept=kept: None)


def _fill(native: ModuleType, into: Any, column: Column) -> list[Any]:
    into.kind, into.width = column.kind, column.width
    into.length, into.offset = column.length, column.offset
    for name in ("validity", "offsets", "data"):
        buffer = getattr(column, name)
        if buffer.address:
            part = getattr(into, name)
            part.data, part.size = native.ffi.cast("void *", buffer.address), buffer.size
    if not column.children:
        return []
    children = native.ffi.new("shimhub_column[]", len(column.children))
    into.children, into.children_count = children, len(column.children)
    return [children, *(_fill(native, children[i], one) for i, one in enumerate(column.children))]


def count(columns: Iterable[Column]) -> int:
    """Return how many rows the chunks have."""
    return sum(column.length for column in columns)


def raise_for(
    native: ModuleType, status: int, columns: Sequence[Column], name: str = "data"
) -> None:
    """Raise what a status of a native function over the columns means; nothing for OK."""
    lib = native.lib
    if status == lib.SHIMHUB_OK:
        return
    verify(columns, name)
    if status == lib.SHIMHUB_NO_MEMORY:
        raise MemoryError
    if status == lib.SHIMHUB_OVERFLOW:
        raise OverflowError(f"{name}: {count(columns)} rows are too many; split them")
    raise ValueError(f"{name}: the native library refuses these columns (status {status})")


def verify(columns: Iterable[Column], name: str = "data") -> None:
    """Raise ``ValueError`` naming the first row that lies outside the buffers, if there is one.

    Every native function checks this for itself; this says where it is wrong. O(rows).
    """
    native = _loading.native()
    start = 0
    for column in columns:
        ok, row = _check(column) if native is None else _native_check(native, column)
        if not ok:
            raise ValueError(_wrong(column, name, start + row if row >= 0 else row))
        start += column.length


def _wrong(column: Column, name: str, row: int) -> str:
    where = column.name or name
    if row >= 0:
        return f"{where}: offsets of row {row} fall, or lie outside of the values"
    return f"{where}: a buffer is smaller than {column.length} rows at {column.offset} need"


def _native_check(native: ModuleType, column: Column) -> tuple[bool, int]:
    row = native.ffi.new("int64_t *")
    status = native.lib.shimhub_column_check(to_native(native, [column]), row)
    return status == native.lib.SHIMHUB_OK, row[0]


def _check(column: Column) -> tuple[bool, int]:
    from shimhub.kernels._reference import columns

    return columns.check(column)


def _is_arrow(data: Any) -> bool:
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


def is_dataset(data: Any) -> bool:
    """Whether it is Hugging Face's: only they have imported the module that defines it."""
    module = sys.modules.get("datasets.arrow_dataset")
    return module is not None and isinstance(data, module.Dataset)


def _type_name(data: Any) -> str:
    return f"{type(data).__module__}.{type(data).__qualname__}".removeprefix("builtins.")


def _from_mapping(data: dict[str, Any], name: str) -> list[Column]:
    """Put columns side by side; those of several chunks are for Arrow's tables to align."""
    parts = {key: chunks(value, f"{name}[{key!r}]") for key, value in data.items()}
    if not parts:
        raise ValueError(f"{name}: a table without columns has no rows")
    if many := [key for key, found in parts.items() if len(found) != 1]:
        raise TypeError(f"{name}[{many[0]!r}]: several chunks in a dict; pass a pyarrow.Table")
    children = tuple(replace(found[0], name=key) for key, found in parts.items())
    lengths = {child.name: child.length for child in children}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{name}: columns have different lengths: {lengths}")
    return [Column(Kind.STRUCT, children[0].length, children=children, keep=data, name=name)]


def _from_ragged(data: Ragged, name: str) -> Column:
    from shimhub.kernels import _numpy

    validity = None
    values, offsets = data.arrays()
    if data.validity is not None:
        validity = np.packbits(data.validity, bitorder="little")
    return Column(
        Kind.LIST,
        len(data),
        width=offsets.itemsize,
        validity=Buffer() if validity is None else _numpy.memory(validity),
        offsets=_numpy.memory(offsets),
        children=(_from_numpy(values, name),),
        name=name,
        keep=(data, validity),
    )


def _from_numpy(array: np.ndarray[Any, Any], name: str) -> Column:
    from shimhub.kernels import _numpy

    return _numpy.column(_numpy.unmasked(array, name), name)
