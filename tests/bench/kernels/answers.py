"""Whether two answers are the same, whatever containers they come in."""

from __future__ import annotations

from typing import Any

import numpy as np


def first_difference(expected: Any, got: Any, tolerance: float = 0.0) -> str:
    """Return where ``got`` differs from ``expected``, or an empty string.

    Arrays and sequences of numbers agree if shape and values do; with a ``tolerance``, values
    may be apart by it, relative and absolute. Dicts, lists and tuples are walked.
    """
    if isinstance(expected, dict):
        return _dicts(expected, got, tolerance)
    if isinstance(expected, np.ndarray):
        return _arrays(expected, np.asarray(got), tolerance)
    if isinstance(expected, (list, tuple)):
        return _sequences(expected, got, tolerance)
    if isinstance(expected, float) and tolerance:
        return _arrays(np.asarray(expected), np.asarray(got), tolerance)
    return "" if expected == got else f"{_short(expected)} != {_short(got)}"


def _dicts(expected: dict[str, Any], got: Any, tolerance: float) -> str:
    if not isinstance(got, dict) or sorted(expected) != sorted(got):
        return f"keys {sorted(expected)} != {_short(sorted(got))}"
    for key, value in expected.items():
        if where := first_difference(value, got[key], tolerance):
            return f"[{key!r}]: {where}"
    return ""


def _sequences(expected: Any, got: Any, tolerance: float) -> str:
    if not isinstance(got, (list, tuple)):
        return f"a {type(expected).__name__} != a {type(got).__name__}"
    if len(expected) != len(got):
        return f"length {len(expected)} != {len(got)}"
    if _same_at_once(expected, got):
        return ""
    for at, (one, other) in enumerate(zip(expected, got, strict=True)):
        if where := first_difference(one, other, tolerance):
            return f"[{at}]: {where}"
    return ""


def _same_at_once(expected: Any, got: Any) -> bool:
    """Whether the lists are equal by ``==``; arrays inside them have to be looked at in turn."""
    try:
        return bool(expected == got)
    except ValueError:  # from numpy: the truth of an array
        return False


def _arrays(expected: np.ndarray, got: np.ndarray, tolerance: float) -> str:
    if expected.shape != got.shape:
        return f"shape {expected.shape} != {got.shape}"
    if tolerance:
        apart = ~np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    else:
        apart = expected != got
    if not apart.any():
        return ""
    place = tuple(int(axis[0]) for axis in np.nonzero(apart))
    return f"at {place}: {expected[place]} != {got[place]}, {int(apart.sum())} in all"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
