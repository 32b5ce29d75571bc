"""Packing in the order of examples, without axolotl."""

from __future__ import annotations

import pytest

from shimhub import Decline
from tests.axolotl import without

np = pytest.importorskip("numpy")
build = without.building(__file__)
allocate_sequentially = build(short_names=False)


def test_bins_keep_the_order_and_go_round_the_ranks():
    """Each rank has every n-th bin; the totals are those of all ranks."""
    lengths = np.array([5, 3, 5, 0, 12, 0, 4])
    assert ([[0, 1], [2, 3], [4], [5, 6]], 29, 40) == allocate_sequentially(lengths, 0, 10, 1)
    assert ([[2, 3], [5, 6]], 29, 40) == allocate_sequentially(lengths, 1, 10, 2)
    assert ([], 29, 40) == allocate_sequentially(lengths, 9, 10, 10)


def test_names_of_arguments_are_those_of_the_version():
    """In 0.8 they are short."""
    lengths = np.array([1, 2])
    assert ([[0, 1]], 3, 3) == build(short_names=True)(lengths=lengths, rank=0, c=3, n=1)


def test_other_input_is_declined():
    """Ranks from behind, and lengths that are no array, are the original's."""
    for given in (([1], 0, 10, 1), (np.array([1]), -1, 10, 1), (np.array([1]), 0, 10, 0)):
        with pytest.raises(Decline):
            allocate_sequentially(*given)
