"""The order of a quicksort that is not stable: the steps of numba's, in C and in Python."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub import kernels

np = pytest.importorskip("numpy")
reference = pytest.importorskip("shimhub.kernels._reference.packing_order")

#: What numba 0.68 gives for ``np.argsort(lengths)[::-1]`` of i * 7 % 5, i from 0 to 39.
TIES = """2 37 7 12 32 17 22 27 24 4 9 14 39 19 34 29 26 36 21 1 16 6 31 11 33 8 3 38 13 18 28 23 0
5 25 35 10 15 30 20"""


def test_ties_stand_where_numba_puts_them():
    """Forty lengths of five values have the order that numba's own sort gave them."""
    lengths = np.array([i * 7 % 5 for i in range(40)])
    expected = [int(word) for word in TIES.split()]
    assert expected == kernels.quick_order(lengths).tolist()
    assert expected == reference.quick_order(lengths, np.array([0, 40])).tolist()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.integers(-3, 40), max_size=120), max_size=4), st.sampled_from("ilhb"))
def test_each_part_is_sorted_and_as_the_reference_has_it(parts, dtype):
    """Parts keep their places, longest first, in C as in Python; any integers, strided or not."""
    lengths = np.array([one for part in parts for one in part], dtype)
    offsets = np.cumsum([0, *map(len, parts)])
    order = kernels.quick_order(lengths, offsets)
    assert reference.quick_order(lengths, offsets).tolist() == order.tolist()
    assert kernels.quick_order(np.repeat(lengths, 2)[::2], offsets).tolist() == order.tolist()
    for first, end in itertools.pairwise(offsets):
        assert sorted(order[first:end]) == list(range(first, end))
        assert sorted(lengths[first:end], reverse=True) == lengths[order[first:end]].tolist()


def test_numba_agrees_where_it_is_installed():
    """The same orders as numba's, for lengths with many ties, sorted, and backwards."""
    numba = pytest.importorskip("numba")
    theirs = numba.njit(lambda array: np.argsort(array)[::-1])
    random = np.random.default_rng(3)
    for count in (0, 1, 15, 16, 17, 64, 1000):
        for lengths in (
            random.integers(0, 6, count),
            np.arange(count),
            np.arange(count)[::-1].copy(),
        ):
            assert theirs(lengths).tolist() == kernels.quick_order(lengths).tolist()


@pytest.mark.parametrize("offsets", [[], [0], [0, 2], [1, 3], [0, 2, 1, 3]])
def test_offsets_that_are_none_are_refused(offsets):
    """Offsets rise from 0 to the number of lengths, or there is an error that says so."""
    with pytest.raises(ValueError, match="do not rise from 0 to 3"):
        kernels.quick_order(np.array([1, 2, 3]), np.array(offsets, np.int64))
