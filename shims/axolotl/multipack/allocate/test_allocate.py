"""One bin at a time, without axolotl."""

from __future__ import annotations

import pytest

from shimhub import Decline
from tests.axolotl import without

np = pytest.importorskip("numpy")
build = without.building(__file__)
allocate = build()


def test_bins_close_where_the_next_does_not_fit():
    """Too long an item has a bin of its own; within a bin the longest comes first."""
    lengths = np.array([5, 3, 5, 0, 12, 0, 4])
    expected = [[0, 1], [2, 3], [4], [6, 5]], 29, 40
    assert expected == allocate(lengths, np.cumsum(lengths), 0, 10, 1)
    assert ([], 0, 0) == allocate(lengths[:0], np.cumsum(lengths[:0]), 0, 10, 1)


def test_other_input_is_declined():
    """Several bins at a time, other ranks and other sums are the original's."""
    lengths = np.array([5, 3])
    sums = np.cumsum(lengths)
    for given in ((sums, 0, 10, 2), (sums, 1, 10, 1), (sums + 1, 0, 10, 1), (sums, 0, 10.0, 1)):
        with pytest.raises(Decline):
            allocate(lengths, *given)
