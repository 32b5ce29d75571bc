"""First fit decreasing into so many bins, without axolotl."""

from __future__ import annotations

import pytest

from shimhub import Decline
from tests.axolotl import without

np = pytest.importorskip("numpy")
build = without.building(__file__)
ffd_check = build(short_names=False)


def fits(lengths, capacity, bins):
    """Return the answer by packing one after another."""
    room = [capacity] * bins
    for length in sorted(lengths, reverse=True):
        place = next((at for at, left in enumerate(room) if left >= length), None)
        if place is None:
            return False
        room[place] -= length
    return True


def test_the_answer_is_that_of_packing_them():
    """For lengths of every kind, and from no bin to more than enough."""
    random = np.random.default_rng(1)
    for count in (0, 1, 5, 60):
        lengths = random.integers(0, 12, count)
        for bins in range(count + 2):
            assert fits(lengths.tolist(), 10, bins) is ffd_check(lengths, 10, bins)


def test_names_of_arguments_are_those_of_the_version():
    """Up to 0.8 they are short."""
    lengths = np.array([1, 2])
    assert build(short_names=True)(a=lengths, c=2, n=2)
    assert ffd_check(sequence_lengths=lengths, bin_capacity=2, num_bins=2)


def test_a_capacity_that_the_lengths_cannot_hold_is_declined():
    """The original keeps room in the lengths' own type, where it would wrap around."""
    with pytest.raises(Decline):
        ffd_check(np.array([1], np.int8), 128, 1)
