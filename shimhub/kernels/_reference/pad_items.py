"""Numbers for padding: what may be told, and what fits."""

from __future__ import annotations

import math
import operator
from typing import Any, Final

import numpy as np

from shimhub.kernels import _numpy

Array = np.ndarray[Any, Any]

_DTYPES: Final = ("int32", "int64", "uint8", "float32", "float64", "bool")
_SOURCES: Final = "bhilqBHILQfd?"
#: From here on a float64 rounds to an infinite float32.
_FLOAT_END: Final = float.fromhex("0x1.ffffffp127")
_MANY_BITS: Final = 128


def number(dtype: Any) -> np.dtype[Any]:
    """Return the dtype if it is one of a matrix; ``TypeError`` otherwise."""
    try:
        found: np.dtype[Any] | None = np.dtype(dtype) if dtype is not None else None
    except (TypeError, ValueError):
        found = None
    if found is None or found.name not in _DTYPES or not found.isnative:
        raise TypeError(f"dtype: expected {', '.join(_DTYPES[:-1])} or bool, got {dtype!r}")
    plain: np.dtype[Any] = np.dtype(found.name)  # longlong is another int64
    return plain


def size(told: Any, name: str, least: int) -> int | None:
    """Return an int of at least ``least``, or None."""
    wanted = f"an int of at least {least}, or None"
    if told is None:
        return None
    if isinstance(told, bool) or not hasattr(told, "__index__"):
        raise TypeError(f"{name}: expected {wanted}, got {told!r}")
    found = operator.index(told)
    if found < least:
        raise ValueError(f"{name}: expected {wanted}, got {told!r}")
    if found >= 2**63:
        raise OverflowError(f"{name}: cannot fit {told!r} into an index-sized integer")
    return found


def largest(kind: np.dtype[Any]) -> float:
    """Return the largest integer that a range may have."""
    if kind.kind == "f":
        return math.inf
    return 1 if kind.kind == "b" else int(np.iinfo(kind).max)


def padding_value(value: Any, kind: np.dtype[Any], what: str) -> Any:
    """Return what pads, None for a range; raises as the library."""
    if isinstance(value, str) and value == "range":
        return None
    try:
        return _read(value, kind)
    except _MisfitError:
        raise OverflowError(f"{what}: {value!r} does not fit {kind}") from None
    except _WrongKindError:
        raise TypeError(f"{what}: expected {_expected(kind)} or 'range', got {value!r}") from None


def array(data: Any, dimensions: int, where: str) -> Array:
    """Return what has a buffer, or a tensor, as an array of so many dimensions."""
    if isinstance(data, (str, bytes, bytearray)):
        raise TypeError(_no_row(data, where))
    if not isinstance(data, np.ndarray):
        data = _from_buffer(data, where)
    if why := _numpy.refusal(data):
        raise TypeError(f"{where}: {why}")
    if data.dtype.char not in _SOURCES or not data.dtype.isnative:
        raise TypeError(
            f"{where}: an array of format {data.dtype.str!r} holds no numbers of a known kind in "
            "this machine's byte order"
        )
    if data.ndim != dimensions:
        raise ValueError(f"{where}: expected {dimensions}-D, got {data.ndim}-D")
    found: Array = data
    return found


def _from_buffer(data: Any, where: str) -> Array:
    if not isinstance(data, type) and hasattr(data, "numpy"):
        return _from_tensor(data, where)
    try:
        return np.asarray(memoryview(data))
    except TypeError:
        raise TypeError(_no_row(data, where)) from None


def _from_tensor(data: Any, where: str) -> Array:
    try:
        found = data.numpy()
    except (RuntimeError, TypeError, ValueError) as error:
        raise TypeError(
            f"{where}: no NumPy array of this {type(data).__name__}: {error} (pass .detach(), "
            ".cpu(), .to_dense() or .to(torch.float32) of it, as it needs)"
        ) from error
    return np.asanyarray(found)


def _no_row(data: Any, where: str) -> str:
    wanted = "expected a list, tuple or 1-D array of numbers"
    if where.startswith("out"):
        wanted = "expected a 2-D array"
    return f"{where}: {wanted}, got {type(data).__name__}"


def overlaps_itself(memory: Array) -> bool:
    """Whether two items of the matrix share bytes."""
    if not memory.size:
        return False
    spans = sorted((abs(s), n) for s, n in zip(memory.strides, memory.shape, strict=True) if n > 1)
    least = memory.itemsize
    for stride, count in spans:
        if stride < least:
            return True
        least = stride * count
    return False


def from_array(items: Array, kind: np.dtype[Any], where: str, *, strict: bool = False) -> Array:
    """Return an array's items as another dtype; all of them must fit."""
    is_kept = items.dtype.kind in "iu" and items.dtype != np.uint64
    if (items.dtype.kind == "f" and kind.kind != "f") or (strict and not is_kept):
        raise TypeError(f"{where}: {items.dtype} numbers do not go into {kind}")
    misfits = np.flatnonzero(_misfits(items, kind))
    if len(misfits):
        at = misfits[0]
        raise OverflowError(f"{where}[{at}]: {items[at].item()} does not fit {kind}")
    if items.dtype == np.uint64 and kind.kind == "f":
        items = items.astype(np.float64)
    return items.astype(kind)


def _misfits(items: Array, kind: np.dtype[Any]) -> Any:
    if kind == np.float32 and items.dtype == np.float64:
        return np.isfinite(items) & (np.abs(items) >= _FLOAT_END)
    if kind.kind == "f":
        return np.zeros(len(items), bool)
    low, high = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
    exact = items.astype(object)
    return np.array([not low <= item <= high for item in exact.tolist()], bool)


def from_list(items: Any, kind: np.dtype[Any], where: str, *, strict: bool = False) -> Array:
    """Return the numbers of a list as an array."""
    found = np.empty(len(items), kind)
    read = _strict if strict else _read
    for at, item in enumerate(items):
        try:
            found[at] = read(item, kind)
        except _MisfitError:
            raise OverflowError(f"{where}[{at}]: {_shown(item)} does not fit {kind}") from None
        except _WrongKindError:
            got = "None" if item is None else type(item).__name__
            raise TypeError(f"{where}[{at}]: expected {_expected(kind)}, got {got}") from None
    return found


class _MisfitError(Exception):
    """The number is outside of the dtype."""


class _WrongKindError(Exception):
    """It is no such number."""


def _read(item: Any, kind: np.dtype[Any]) -> Any:
    if isinstance(item, np.bool_):
        item = bool(item)
    return _real(item, kind) if kind.kind == "f" else _integer(item, kind)


def _strict(item: Any, kind: np.dtype[Any]) -> int:
    if type(item) is not int:
        raise _WrongKindError
    return _integer(item, kind)


def _integer(item: Any, kind: np.dtype[Any]) -> int:
    if isinstance(item, float) or not hasattr(item, "__index__"):
        raise _WrongKindError
    try:
        found = operator.index(item)
    except TypeError:
        raise _WrongKindError from None
    low, high = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
    if not low <= found <= high:
        raise _MisfitError
    return found


def _real(item: Any, kind: np.dtype[Any]) -> float:
    if not hasattr(item, "__float__") and not hasattr(item, "__index__"):
        raise _WrongKindError
    try:
        found = float(item)
    except OverflowError:
        raise _MisfitError from None
    except TypeError:
        raise _WrongKindError from None
    if kind == np.float32 and math.isfinite(found) and abs(found) >= _FLOAT_END:
        raise _MisfitError
    return found


def _shown(item: Any) -> str:
    if isinstance(item, int) and item.bit_length() > _MANY_BITS:
        return f"an int of {item.bit_length()} bits"
    return int.__repr__(item) if isinstance(item, int) else repr(item)


def _expected(kind: np.dtype[Any]) -> str:
    return {"f": "a number", "b": "a bool"}.get(kind.kind, "an int")
