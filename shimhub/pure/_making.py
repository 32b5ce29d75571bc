"""Arrays for tensors: from what users have, and drawn at random."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.pure.errors import DataError, KindError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
_SINGLE: Final[np.dtype[Any]] = np.dtype(np.float32)
_DOUBLE: Final[np.dtype[Any]] = np.dtype(np.float64)
_DTYPES: Final = {"float32": _SINGLE, "float64": _DOUBLE}
#: Found without asking for a name, which numpy makes in Python.
_KNOWN: Final[dict[Any, np.dtype[Any]]] = {None: _SINGLE, _SINGLE: _SINGLE, _DOUBLE: _DOUBLE}
#: numpy's kinds of numbers that have a floating-point value: bool, int, unsigned and float.
_NUMBERS: Final = "biuf"
#: How deep lists may be for numpy.
_DEEPEST: Final = 64

#: When the memory of users' arrays was last written by a tensor: the array that has the memory,
#: by its id, with the cell of all tensors over it.
_CELLS: Final[dict[int, tuple[weakref.ref[Any], list[int]]]] = {}

#: Made at the first draw: numpy imports its random numbers when they are asked for.
_generator: np.random.Generator | None = None


def manual_seed(seed: int) -> None:
    """Begin the random numbers of this process again: of ``randn``, new layers and trainers.

    ``seed`` is an integer >= 0; numpy raises ``ValueError`` or ``TypeError`` for what is no seed.
    """
    global _generator
    _generator = np.random.default_rng(seed)


def generator() -> np.random.Generator:
    """Return the source of random numbers."""
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def dtype_of(dtype: Any) -> np.dtype[Any]:
    """Return float32 or float64 by its name, its numpy type or its dtype; float32 for None."""
    try:
        known = _KNOWN.get(dtype)
        return _DTYPES[np.dtype(dtype).name] if known is None else known
    except (TypeError, KeyError):
        raise KindError(f"dtype: {dtype!r} is neither float32 nor float64") from None


def array_of(data: Any, dtype: Any = None) -> Array:
    """Return ``data`` as an array of floats: itself if it is one of that dtype, else a copy."""
    wanted = dtype_of(dtype)
    if type(data) is np.ndarray and data.dtype is wanted:
        own: Array = data
        return own
    unmasked("data", data)
    try:
        found = np.asarray(data)
    except ValueError as error:
        raise DataError(f"data: {error}; give rows of equal lengths") from error
    except (RuntimeError, TypeError) as error:
        if not hasattr(data, "detach"):
            raise
        raise KindError(f"data: of a torch tensor: {error}") from error
    if found.dtype.kind not in _NUMBERS:
        raise KindError(f"data: {_told(data, found)}")
    return np.asarray(found, wanted)


def cell_of(array: Array) -> list[int]:
    """Return the cell of writes to an array's memory, one for all arrays that share it."""
    owner = array
    while type(owner.base) is np.ndarray:
        owner = owner.base
    key = id(owner)
    known = _CELLS.get(key)
    if known is not None and known[0]() is owner:
        return known[1]
    cell = [0]
    _CELLS[key] = weakref.ref(owner, lambda _: _CELLS.pop(key, None)), cell
    return cell


def _told(data: Any, found: Array) -> str:
    """Return what keeps data from being numbers, by its own type, not by how numpy holds it."""
    if found.dtype != object:
        return f"{found.dtype} values are no real numbers; convert them first"
    if found.ndim == 0:
        return f"{type(data).__name__} is no list, numpy array, torch tensor or number"
    kinds = ", ".join(sorted({type(one).__name__ for one in found.flat}))
    return f"object values ({kinds}) are no real numbers; convert them first"


def unmasked(name: str, x: Any) -> Any:
    """Return ``x``; ``KindError`` for a masked array, also in lists, whose mask numpy drops."""
    masked = sys.modules.get("numpy.ma")  # which numpy imports when it is asked for
    if masked is not None and _has(x, masked.MaskedArray, _DEEPEST):
        raise KindError(f"{name}: the mask of a masked array would be lost; give {name}.filled(0)")
    return x


def _has(x: Any, kind: type, depth: int) -> bool:
    """Whether this is of a kind, or lists that have one; lists of numbers are looked at once."""
    if not isinstance(x, list | tuple):
        return isinstance(x, kind)
    kinds = set(map(type, x))
    if any(issubclass(one, kind) for one in kinds):
        return True
    nested = depth > 0 and any(issubclass(one, list | tuple) for one in kinds)
    return nested and any(_has(one, kind, depth - 1) for one in x)


def shape_of(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the shape that ``zeros(2, 3)`` and ``zeros([2, 3])`` tell."""
    first = sizes[0] if len(sizes) == 1 else sizes
    shape = tuple(first) if isinstance(first, Sequence) else (first,)
    if not all(isinstance(one, int | np.integer) and one >= 0 for one in shape):
        raise DataError(f"shape: {first!r} is not made of integers >= 0")
    return tuple(int(one) for one in shape)


def check_size(name: str, value: Any) -> None:
    """Raise ``DataError`` for what is no number of rows, features or the like."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise DataError(f"{name}: {value!r} is not an integer >= 1")
