"""The order of a quicksort, step by step: pivots are the median of three, and move equal items."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

#: Ranges of so many places and fewer are sorted by insertion.
_SMALL = 15


def quick_order(lengths: Array, offsets: Array) -> Array:
    """Return the items of each part, longest first; see :func:`shimhub.kernels.quick_order`."""
    bounds = offsets.tolist()
    order: list[int] = []
    for first, end in itertools.pairwise(bounds):
        sorted_places = _argsort(lengths[first:end].tolist())
        order += [first + place for place in reversed(sorted_places)]
    return np.array(order, np.uint32)


def _argsort(values: list[int]) -> list[int]:
    places = list(range(len(values)))
    waiting = [(0, len(values) - 1)]
    while waiting:
        low, high = waiting.pop()
        while high - low >= _SMALL:
            at = _partition(values, places, low, high)
            waiting.append((at + 1, high))
            high = at - 1
        places[low : high + 1] = sorted(places[low : high + 1], key=values.__getitem__)
    return places


def _partition(values: list[int], places: list[int], low: int, high: int) -> int:
    """Put shorter ones before a pivot and longer ones behind it; return where it is."""

    def swap(one: int, other: int) -> None:
        places[one], places[other] = places[other], places[one]

    middle = (low + high) // 2
    for one, other in ((low, middle), (middle, high), (low, middle)):
        if values[places[other]] < values[places[one]]:
            swap(one, other)
    pivot, left, right = values[places[middle]], low, high - 1
    swap(middle, high)
    while True:
        while left < high and values[places[left]] < pivot:
            left += 1
        while right >= low and pivot < values[places[right]]:
            right -= 1
        if left >= right:
            break
        swap(left, right)
        left, right = left + 1, right - 1
    swap(left, high)
    return left
