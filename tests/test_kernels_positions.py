"""The place of each value in its row, in C and by NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub.kernels import _positions


@settings(deadline=None)
@given(st.lists(st.integers(0, 9)))
def test_positions_count_from_zero_in_each_row(counts):
    """Of rows of any lengths, none included."""
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    expected = [place for count in counts for place in range(count)]
    assert expected == _positions.positions(ends).tolist()
    assert expected == _positions.reference(ends).tolist()


@pytest.mark.parametrize("ends", [[], [1, 2], [0, 2, 1]])
def test_ends_that_fall_are_refused(ends):
    """And those that do not begin at zero."""
    with pytest.raises(ValueError, match="ends"):
        _positions.positions(np.array(ends, np.int64))
