"""Rows joined as NumPy joins them, by the library where they are lists of ints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels import _loading

LISTS = [[1, 2, -3], [4], [2**31, 0], [2**62, 5]]
ODD = [[], [True], [1.5, 2], [2**63], [2**64, 1], ["a"], [None], [[1], [2]], (6, 7), 3, None]
ODD += [np.array([1, 2]), np.array([3], np.int8), np.array([True]), np.array([[1]])]
ROWS = st.sampled_from(LISTS) | st.sampled_from([*LISTS * 4, *ODD])
FEATURES = st.lists(
    st.fixed_dictionaries({"a": ROWS}, optional={"attention_mask": ROWS}), max_size=4
)


def joined(features, names, numbered):
    """Join by NumPy alone."""
    found = {}
    for name in names:
        arrays = []
        for at, feature in enumerate(features, 1):
            if name in feature:
                factor = at if numbered else 1
                row = np.array(feature[name])
                arrays.append(factor * row if name == "attention_mask" else row)
        found[name] = np.concatenate(arrays)
    return found


def outcome(call, *arguments, **options):
    """Return what a call answers, or the type of its error."""
    try:
        answer = call(*arguments, **options)
    except Exception as error:  # noqa: BLE001  # NumPy's own, of any kind
        return type(error)
    return [(name, str(one.dtype), one.shape, one.tolist()) for name, one in answer.items()]


@settings(deadline=None)
@given(FEATURES, st.sampled_from([["a"], ["a", "attention_mask"], []]), st.booleans())
def test_joined_as_by_numpy(features, names, numbered):
    """Values, dtypes and errors: empty lists, floats, bools, text, what no int64 holds."""
    expected = outcome(joined, features, names, numbered)
    assert expected == outcome(kernels.join, features, names, numbered=numbered)


@pytest.mark.parametrize("is_native", [True, False])
def test_numbered_masks(monkeypatch, is_native):
    """Multiplied by the number of their feature, also where one has none."""
    if not is_native:
        monkeypatch.setattr(_loading, "load", lambda: "turned off by the test")
    features = [{"attention_mask": [1, 1]}, {"x": [2]}, {"attention_mask": [1]}]
    found = kernels.join(features, ["attention_mask"], numbered=True)
    assert [1, 1, 3] == found["attention_mask"].tolist()
    features = [{"mask": [1, 1], "x": [5]}, {"mask": [1], "x": [7]}]
    found = kernels.join(features, ["mask", "x"], mask="mask", numbered=True)
    assert {"mask": [1, 1, 2], "x": [5, 7]} == {name: one.tolist() for name, one in found.items()}
    assert {np.dtype(np.int64)} == {one.dtype for one in found.values()}


def test_features_are_not_changed():
    """Nor do the arrays share memory with them."""
    row = np.arange(3)
    found = kernels.join([{"x": row}], ["x"])["x"]
    found[0] = 9
    assert [0, 1, 2] == row.tolist()
