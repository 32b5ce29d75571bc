"""First fit as axolotl's, without axolotl: which calls are served, and what they say."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from shimhub import Decline
from shimhub.errors import PatchError
from shimhub.fingerprint import fingerprint
from tests.axolotl import without

np = pytest.importorskip("numpy")
build = without.building(__file__)
pack_parallel = build(start_method="fork", most_processes=16)


def test_bins_are_those_of_first_fit():
    """Each goes into the first bin with room; groups are packed by themselves."""
    lengths = np.array([4, 3, 3, 2, 9, 1, 5])
    assert [[0, 1, 2], [3, 5, 6], [4]] == pack_parallel(lengths, 10, 100, 100)
    assert [[0, 1], [2, 3], [4, 5], [6]] == pack_parallel(lengths, 10, 100, 2)
    assert [[0, 1, 2], [3, 5], [4], [6]] == pack_parallel(lengths, 10, 3, 100, 2)
    assert [] == pack_parallel(lengths[:0], 10, 100, 100)


def test_one_process_is_said_as_the_original_says_it():
    """The line that tells of a single process comes for one, and for none that was asked."""
    for processes, lines in ((1, 1), (None, 1), (2, 0)):
        build.said.clear()
        pack_parallel(np.ones(3, np.int32), 10, 100, 100, processes)
        assert lines == len(build.said)


@pytest.mark.parametrize(
    "changed",
    [
        {"sequence_lengths": [1, 2]},
        {"sequence_lengths": np.array([-1])},
        {"sequence_lengths": np.array([1.0])},
        {"sequence_lengths": np.array([1], np.uint64)},
        {"bin_capacity": 0},
        {"bin_capacity": 2.0},
        {"group_size": 0},
        {"bin_size": None},
        {"num_processes": 0},
        {"num_processes": True},
        {"safe_mode": None},
        {"mp_start_method": "thread"},
    ],
)
def test_what_numba_takes_in_another_way_is_its_own(changed):
    """Input for which the kernel is not proved is declined."""
    given = {"sequence_lengths": np.array([1, 2]), "bin_capacity": 4, "group_size": 9}
    with pytest.raises(Decline):
        pack_parallel(**{**given, "bin_size": 9, **changed})


def test_another_body_under_it_is_not_stood_in_for():
    """Where what the original calls is none of the known bodies, there is no replacement."""
    module = SimpleNamespace(__name__="m", pack_group=test_bins_are_those_of_first_fit)
    with pytest.raises(PatchError, match=r"m\.pack_group is none of the bodies"):
        without.shared(__file__).calls(module, {"pack_group": ["sha256:0"]})


def test_a_body_is_known_whichever_object_has_it():
    """A replacement of the pack may come and go; what somebody else puts there is declined."""
    first, ours = (lambda: 1), (lambda: 2)
    ours.__shimhub__ = "a replacement of the pack"
    module = SimpleNamespace(__name__="m", f=ours)
    check = without.shared(__file__).calls(module, {"f": [fingerprint(first)]})
    for known in (first, ours, first):
        module.f = known
        check()
    module.f = test_bins_are_those_of_first_fit
    for _ in range(2):
        with pytest.raises(Decline, match="was patched"):
            check()
    module.f = first
    check()
