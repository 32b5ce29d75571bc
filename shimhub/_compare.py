"""Compare two results bit for bit: by type, then by content. Knows no library by name.

NaN equals NaN, 0.0 does not equal -0.0, and 1 equals neither 1.0 nor True. Arrays and tensors
are told by what they can do. What cannot be compared is a finding too, never taken for equal.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
from collections import UserDict
from collections.abc import Iterator
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

_NUMBERS = (int, float, complex)
_WORDS = (str, bytes, bytearray, bool, type(None), type(Ellipsis), range, slice)
_SETS = (set, frozenset)
_CODE = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)


@dataclass(frozen=True)
class Finding:
    """Where two results differ or cannot be compared, and how."""

    differs: bool
    place: str
    told: str


def first_finding(place: str, mine: Any, other: Any, tolerance: float = 0.0) -> Finding | None:
    """Return the first difference, else the first thing that cannot be compared, else None.

    With ``tolerance`` floating-point numbers may differ by it, relative or absolute.
    """
    comparison = _Comparison(tolerance)
    unknown: Finding | None = None
    try:
        for found in comparison.findings(place, mine, other):
            if found.differs:
                return found
            unknown = unknown or found
    except Exception as error:  # noqa: BLE001  # comparing runs code of the objects
        return Finding(False, place, f"comparing raised {type(error).__name__}")
    return unknown


def shown(value: Any) -> str:
    """Return a short ``repr``, also of what has a broken one."""
    return reprlib.repr(value)


class _Comparison:
    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._seen: dict[tuple[int, int], tuple[Any, Any]] = {}  # kept alive: ids are used again

    def findings(self, place: str, mine: Any, other: Any) -> Iterator[Finding]:
        if mine is other or (id(mine), id(other)) in self._seen:
            return
        kind = type(mine)
        if kind is not type(other):
            told = f"{kind.__name__} {shown(mine)}, the original {type(other).__name__}"
            yield Finding(True, place, f"{told} {shown(other)}")
            return
        self._seen[id(mine), id(other)] = mine, other
        if isinstance(mine, (*_NUMBERS, *_WORDS)):
            yield from _unequal(self._is_same_number(mine, other), place, mine, other)
        elif isinstance(mine, dict):
            yield from self._items(f"{place} keys", list(mine), list(other))
            for key in mine.keys() & other.keys():
                yield from self.findings(f"{place}[{shown(key)}]", mine[key], other[key])
        elif isinstance(mine, _SETS):
            yield from _unequal(mine == other, place, mine, other)
        elif isinstance(mine, (list, tuple)) or _is_deque(mine):
            yield from self._items(place, list(mine), list(other))
        else:
            yield from self._objects(place, mine, other)

    def _items(self, place: str, mine: list[Any], other: list[Any]) -> Iterator[Finding]:
        if len(mine) != len(other):
            yield Finding(True, place, f"{len(mine)} items, the original {len(other)}")
        for index, (one, two) in enumerate(zip(mine, other, strict=False)):
            yield from self.findings(f"{place}[{index}]", one, two)

    def _objects(self, place: str, mine: Any, other: Any) -> Iterator[Finding]:
        kind = type(mine)
        if _has(kind, "detach", "new_empty"):
            yield from self._tensors(place, mine, other)
        elif _has(kind, "tobytes", "dtype", "shape"):
            yield from self._arrays(place, mine, other)
        elif callable(getattr(kind, "equals", None)):
            yield from _unequal(mine.equals(other), place, mine, other)
        elif _has(kind, "__array__"):
            yield from self._arrays(place, mine.__array__(), other.__array__())
        elif dataclasses.is_dataclass(kind):
            names = [one.name for one in dataclasses.fields(kind)]
            yield from self._attributes(place, names, mine, other)
        elif isinstance(mine, _CODE) or _has(kind, "__next__") or _has(kind, "__await__"):
            yield Finding(False, place, f"a {kind.__name__} cannot be compared")
        elif _has_equality(kind) and not isinstance(mine, UserDict):
            yield from _unequal(mine == other, place, mine, other)
        else:
            yield from self._state(place, mine, other)

    def _state(self, place: str, mine: Any, other: Any) -> Iterator[Finding]:
        """Compare objects without ``==`` of their own by their attributes."""
        slots = [one for base in type(mine).__mro__ for one in vars(base).get("__slots__", ())]
        if not (hasattr(mine, "__dict__") or slots):
            yield Finding(False, place, f"a {type(mine).__name__} cannot be compared")
            return
        if hasattr(mine, "__dict__"):
            yield from self.findings(f"{place}.__dict__", vars(mine), vars(other))
        yield from self._attributes(place, slots, mine, other)

    def _attributes(self, place: str, names: list[str], mine: Any, other: Any) -> Iterator[Finding]:
        for name in names:
            one, two = (getattr(found, name, None) for found in (mine, other))
            yield from self.findings(f"{place}.{name}", one, two)

    def _arrays(self, place: str, mine: Any, other: Any) -> Iterator[Finding]:
        yield from _facts(("dtype", "shape"), place, mine, other)
        if mine.dtype.hasobject or (self._tolerance and mine.dtype.kind in "fc"):
            yield from self._items(place, mine.ravel().tolist(), other.ravel().tolist())
        elif mine.tobytes() != other.tobytes():
            yield _first_unequal(place, mine.ravel().tolist(), other.ravel().tolist())

    def _tensors(self, place: str, mine: Any, other: Any) -> Iterator[Finding]:
        yield from _facts(("dtype", "shape", "device", "requires_grad"), place, mine, other)
        one, two = (found.detach().cpu().contiguous().reshape(-1) for found in (mine, other))
        if self._tolerance and one.dtype.is_floating_point:
            yield from self._items(place, one.tolist(), two.tolist())
            return
        raw = one.new_empty(0).byte().dtype
        if one.view(raw).numpy().tobytes() != two.view(raw).numpy().tobytes():
            yield _first_unequal(place, one.tolist(), two.tolist())

    def _is_same_number(self, mine: Any, other: Any) -> bool:
        if isinstance(mine, complex):
            pairs = ((mine.real, other.real), (mine.imag, other.imag))
            return all(self._is_same_number(one, two) for one, two in pairs)
        if not isinstance(mine, float):
            return bool(mine == other)
        if math.isnan(mine) or math.isnan(other):
            return math.isnan(mine) and math.isnan(other)
        if self._tolerance:
            return math.isclose(mine, other, rel_tol=self._tolerance, abs_tol=self._tolerance)
        return mine == other and math.copysign(1.0, mine) == math.copysign(1.0, other)


def _unequal(same: Any, place: str, mine: Any, other: Any) -> Iterator[Finding]:
    if same is False:
        yield Finding(True, place, f"{shown(mine)}, the original {shown(other)}")
    elif same is not True:
        told = f"`==` of a {type(mine).__name__} gives a {type(same).__name__}"
        yield Finding(False, place, told)


def _facts(names: tuple[str, ...], place: str, mine: Any, other: Any) -> Iterator[Finding]:
    for name in names:
        one, two = getattr(mine, name), getattr(other, name)
        yield from _unequal(bool(one == two), f"{place}.{name}", one, two)


def _first_unequal(place: str, mine: list[Any], other: list[Any]) -> Finding:
    """Tell where the bytes differ; NaNs of other bits look the same."""
    comparison = _Comparison(0.0)
    found = next(comparison._items(place, mine, other), None)
    return found or Finding(True, place, "other bytes for values that look the same")


def _has(kind: type, *names: str) -> bool:
    return all(hasattr(kind, name) for name in names)


def _has_equality(kind: type) -> bool:
    return getattr(kind, "__eq__") is not object.__eq__  # noqa: B009  # mypy knows better


def _is_deque(value: Any) -> bool:
    return _has(type(value), "appendleft", "popleft")
