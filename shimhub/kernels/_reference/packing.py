"""Packing from the definitions, one item after another over all bins: O(items * bins)."""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Array = np.ndarray[Any, Any]


class Options(NamedTuple):
    """What :func:`shimhub.kernels.pack` is told, checked; limits that are off are 2**63 - 1."""

    strategy: str
    overlong: str
    capacity: int
    max_items: int
    max_bins: int
    group_size: int


class Packed(NamedTuple):
    """Bins in CSR, and the sum of the lengths in them."""

    offsets: Array
    items: Array
    tokens: int


class _Bins:
    """Bins of a group: what is in them, their room (-1: closed), and the turn of the last item."""

    def __init__(self, most: int) -> None:
        self.items: list[list[int]] = []
        self.room = np.full(most, -1)
        self.since = np.zeros(most, np.int64)

    def able(self, size: int) -> Array:
        """Return the bins with room for an item, in order."""
        return np.flatnonzero(self.room[: len(self.items)] >= size)


def pack(lengths: Array, options: Options) -> Packed:
    """Return the bins of all groups; see :func:`shimhub.kernels.pack`."""
    values = [int(value) for value in lengths]
    _check(values, options)
    bins = [
        one
        for start in range(0, len(values), min(options.group_size, len(values)) or 1)
        for one in _pack_group(values, range(start, _end(start, values, options)), options)
    ]
    offsets = np.zeros(len(bins) + 1, np.int64)
    np.cumsum([len(one) for one in bins], out=offsets[1:])
    items = [item for one in bins for item in one]
    tokens = sum(_size(values[item], options) for item in items)
    return Packed(offsets, np.array(items, np.uint32), tokens)


def _end(start: int, values: list[int], options: Options) -> int:
    return min(start + options.group_size, len(values))


def _size(value: int, options: Options) -> int:
    truncates = options.overlong == "truncate"
    return min(value, options.capacity) if truncates else value


def _check(values: list[int], options: Options) -> None:
    total = 0
    for place, value in enumerate(values):
        overlong = value > options.capacity
        if value < 0 or (overlong and options.overlong == "error"):
            fail(values, options, place)
        total += 0 if overlong and options.overlong == "drop" else _size(value, options)
        if total > 2**63 - 1:
            fail(values, options, -1)


def fail(lengths: Sequence[int] | Array, options: Options, place: int) -> NoReturn:
    """Raise for the length at that place, or (-1) for their sum."""
    if place < 0:
        raise OverflowError("lengths: their sum does not fit int64")
    value = int(lengths[place])
    if value < 0:
        raise ValueError(f"lengths[{place}]: {value} is negative")
    raise ValueError(
        f"lengths[{place}]: {value} is over the capacity, {options.capacity}; pass "
        "overlong='own_bin', 'truncate' or 'drop' to say what becomes of such items"
    )


def _order(values: list[int], items: Iterable[int], options: Options) -> list[int]:
    kept = [item for item in items if _is_packed(values[item], options)]
    if not options.strategy.endswith("decreasing"):
        return kept
    # Equal items keep their order, and all that are overlong count as equal.
    return sorted(kept, key=lambda item: -min(_size(values[item], options), options.capacity + 1))


def _is_packed(value: int, options: Options) -> bool:
    if value > options.capacity and options.overlong == "drop":
        return False
    return value > 0 or options.strategy != "best_fit_decreasing"


def _pack_group(values: list[int], items: range, options: Options) -> list[list[int]]:
    order = _order(values, items, options)
    bins = _Bins(len(order))
    for turn, item in enumerate(order):
        size = _size(values[item], options)
        into = _choose(bins, size, options.strategy)
        if into is None:
            into = len(bins.items)
            if into >= options.max_bins:
                continue
            bins.items.append([])
            bins.room[into] = options.capacity
        bins.items[into].append(item)
        bins.since[into] = turn
        full = len(bins.items[into]) >= options.max_items
        bins.room[into] = -1 if full else max(-1, int(bins.room[into]) - size)
    return bins.items


def _choose(bins: _Bins, size: int, strategy: str) -> int | None:
    able = bins.able(size)
    if strategy == "next_fit":
        able = able[able == len(bins.items) - 1]
    if strategy == "best_fit_decreasing" and len(able):
        room = bins.room[able]
        able = able[room == room.min()]
        return int(able[bins.since[able].argmin()])
    return int(able[0]) if len(able) else None


def tolist(offsets: Array, items: Array, ids: tuple[Any, ...] | None) -> list[list[Any]]:
    """Return bins as lists of places, or of what ``ids`` has there."""
    names: list[Any] = items.tolist() if ids is None else [ids[item] for item in items]
    bounds = offsets.tolist()
    return [names[a:b] for a, b in itertools.pairwise(bounds)]


def read_lengths(lengths: Sequence[Any]) -> Array:
    """Return a list of ints as an int64 array."""
    return np.array(list(_integers(lengths)), np.int64)


def _integers(lengths: Sequence[Any]) -> Iterator[int]:
    for place, value in enumerate(tuple(lengths)):  # which __index__ cannot make longer
        if isinstance(value, bool):
            raise TypeError(f"lengths[{place}]: a bool is no length")
        yield integer(value, f"lengths[{place}]")


def integer(value: Any, where: str) -> int:
    """Return any integer as an int; ``TypeError`` and ``OverflowError`` say where it is not."""
    try:
        number = int(operator.index(value))
    except TypeError as error:
        raise TypeError(f"{where}: {error}") from None
    if not -(2**63) <= number < 2**63:
        raise OverflowError(f"{where}: the value does not fit int64")
    return number
