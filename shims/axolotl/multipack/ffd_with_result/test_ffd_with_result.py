"""Bins of first fit decreasing, without axolotl."""

from __future__ import annotations

import pytest

from shimhub import Decline
from tests.axolotl import without

np = pytest.importorskip("numpy")
build = without.building(__file__)
ffd_with_result = build()


def test_bins_hold_the_longest_first():
    """Items that are alike stand as numba's sort leaves them: the last one first, where few."""
    lengths = np.array([5, 3, 5, 0, 12, 0, 4])
    assert [[11], [9, 7, 12, 10], [13, 8]] == ffd_with_result(lengths, 10, 7)
    assert [] == ffd_with_result(lengths[:0], 10, 7)


def test_other_input_is_declined():
    """A start that is no int, and lengths that are no array, are the original's."""
    for given in (([1], 10, 0), (np.array([1]), 10, 0.0), (np.array([1]), 10, -1)):
        with pytest.raises(Decline):
            ffd_with_result(*given)
