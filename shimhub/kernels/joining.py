"""Joining: the rows of several features into one, as NumPy joins arrays of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.kernels.padding import Field, collate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def join(
    features: Sequence[Mapping[str, Any]],
    names: Iterable[str],
    *,
    mask: str = "attention_mask",
    numbered: bool = False,
) -> dict[str, Any]:
    """Return for each name ``numpy.concatenate`` of ``numpy.array`` of its rows, where it is.

    Rows of the ``mask`` are multiplied by 1, which makes integers of bools; ``numbered`` multiplies
    them by the number of their feature instead, from 1. Lists of ints, which NumPy takes long for,
    are read by the native library; everything else is as NumPy has it: dtypes, the float64 of an
    empty list, errors.

    O(items).
    """
    names = list(names)
    found = _joined_lists(features, names, mask if numbered else "") if features else None
    if found is not None:
        return found
    return {name: _joined(features, name, name == mask, numbered) for name in names}


def _joined_lists(features: Any, names: list[str], numbered: str) -> dict[str, Any] | None:
    """Return the arrays, or None where something is no list of ints that int64 holds."""
    if not features:
        return None
    for feature in features:
        if type(feature) is not dict:
            return None
        for name in names:
            row = feature.get(name)
            if type(row) is not list or not row:  # NumPy has an empty list as float64
                return None
    fields = tuple(Field(name, numbered=name == numbered, strict=True) for name in names)
    try:
        planes = collate([features], fields, bins=True)
    except (TypeError, ValueError, OverflowError):
        return None
    return {name: plane[0] for name, plane in planes.items()}


def _joined(features: Any, name: str, is_mask: bool, numbered: bool) -> Any:
    pairs = [(at, np.array(one[name])) for at, one in enumerate(features, 1) if name in one]
    if is_mask:
        pairs = [(at, (at if numbered else 1) * row) for at, row in pairs]
    return np.concatenate([row for _, row in pairs])
