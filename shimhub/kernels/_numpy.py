"""NumPy arrays as columns."""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np

from shimhub.kernels._columns import Buffer, Column, Kind

#: Dates are numbers by their bits. Not here: complex numbers, objects and long doubles, whose
#: bytes are no value.
_KINDS: Final = {"b": Kind.BOOL, "f": Kind.FLOAT, **dict.fromkeys("iumM", Kind.FIXED)}
_FLOATS: Final = (2, 4, 8)
_MATRIX: Final = 2

Array = np.ndarray[Any, Any]


def refusal(array: Array) -> str | None:
    """Return why an array of a subclass is no plain one; None if it is.

    Masked items have no value, and rows of a ``numpy.matrix`` are matrices.
    """
    masked = sys.modules.get("numpy.ma")  # NumPy imports it when it is asked for
    if masked is not None and isinstance(array, masked.MaskedArray):
        return "a masked array is no row; pass its filled(), or its compressed()"
    if isinstance(array, np.matrix):
        return "numpy.matrix has no rows of one dimension; pass numpy.asarray() of it"
    return None


def column(array: Array, name: str) -> Column:
    """Return the array as one column; see ``_columns.chunks`` for what it takes and raises."""
    if array.ndim == _MATRIX:
        return _matrix(array, name)
    if array.ndim != 1:
        raise TypeError(f"{name}: an array of {array.ndim} dimensions, want 1 or 2")
    if array.dtype.names is not None:
        return _structured(array, name)
    if array.dtype.kind in "SU":
        return _text(array, name)
    return _numbers(array, name)


def unmasked(values: Any, name: str) -> Any:
    """Return the values; raise ``TypeError`` with the cure if some of them may be masked."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(
            f"{name}: a masked array is not supported; pass pyarrow.array(it), where what is "
            "masked is null, or it.filled()"
        )
    return values


def plain(array: Array) -> Array:
    """Return the array, copied if it is not contiguous or of the other byte order."""
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def memory(array: Array) -> Buffer:
    """Return where a contiguous array lies."""
    return Buffer(array.__array_interface__["data"][0], array.nbytes)


def _numbers(array: Array, name: str) -> Column:
    kind = _KINDS.get(array.dtype.kind)
    if kind is None or (kind is Kind.FLOAT and array.itemsize not in _FLOATS):
        cure = "; pass array.tolist()" if array.dtype.kind == "O" else ""
        raise TypeError(f"{name}: dtype {array.dtype} is not supported{cure}")
    length, dtype = len(array), array.dtype.newbyteorder("=")
    values = np.packbits(array, bitorder="little") if kind is Kind.BOOL else plain(array)
    width = 0 if kind is Kind.BOOL else array.itemsize
    return Column(
        kind, length, width=width, data=memory(values), dtype=dtype, name=name, keep=values
    )


def _matrix(array: Array, name: str) -> Column:
    child = column(np.ascontiguousarray(array).reshape(-1), name)
    length, width = array.shape
    return Column(Kind.FIXED_LIST, length, width=width, children=(child,), name=name)


def _structured(array: Array, name: str) -> Column:
    fields = array.dtype.names or ()
    children = tuple(column(array[field], f"{name}[{field!r}]") for field in fields)
    return Column(Kind.STRUCT, len(array), children=children, name=name)


def _text(array: Array, name: str) -> Column:
    """Return ``S`` and ``U`` as NumPy means them: without the zeros that fill a row up."""
    if array.dtype.kind == "U":
        array = _encoded(array, name)
    array = plain(array)
    lengths = np.char.str_len(array)
    offsets = np.zeros(len(array) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    width = array.itemsize
    units = array.view(np.uint8).reshape(len(array), width) if width else np.empty((len(array), 0))
    values = np.ascontiguousarray(units[np.arange(width) < lengths[:, None]], dtype=np.uint8)
    return Column(
        Kind.BINARY,
        len(array),
        width=8,
        offsets=memory(offsets),
        data=memory(values),
        name=name,
        keep=(offsets, values),
    )


def _encoded(array: Array, name: str) -> Array:
    units = plain(array).view(np.uint32)
    if units.max(initial=0) > sys.maxunicode:
        row = int(np.argmax(units > sys.maxunicode)) // (array.itemsize // 4)
        raise ValueError(f"{name}[{row}]: a number above 0x10FFFF, which is no character")
    try:
        return np.char.encode(array, "utf-8")
    except UnicodeEncodeError as error:
        row = next(i for i, text in enumerate(array.tolist()) if text == error.object)
        raise ValueError(f"{name}[{row}]: {error.reason} at {error.start}") from error
