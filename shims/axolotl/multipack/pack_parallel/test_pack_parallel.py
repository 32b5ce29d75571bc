"""First fit as axolotl's, without axolotl: which calls are served, and what they say."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from shimhub import Decline

np = pytest.importorskip("numpy")
HERE = Path(__file__).parent


def build(**parameters):
    """Return the replacement as it is for a module that nobody has."""
    shared = SimpleNamespace(**runpy.run_path(str(HERE.parent / "_packing.py")))
    module = SimpleNamespace(LOG=SimpleNamespace(debug=said.append))
    parameters = {"calls": {}, **parameters}
    ctx = SimpleNamespace(parameters=parameters, load=lambda name: shared, module=module)
    return runpy.run_path(str(HERE / "shim.py"))["build"](lambda: None, ctx)


said = []
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
        said.clear()
        pack_parallel(np.ones(3, np.int32), 10, 100, 100, processes)
        assert lines == len(said)


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
    shared = runpy.run_path(str(HERE.parent / "_packing.py"))
    module = SimpleNamespace(__name__="m", pack_group=test_bins_are_those_of_first_fit)
    with pytest.raises(Exception, match=r"m\.pack_group is none of the bodies"):
        shared["calls"](module, {"pack_group": ["sha256:0"]})
