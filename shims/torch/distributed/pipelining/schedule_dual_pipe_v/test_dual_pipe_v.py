"""`ScheduleDualPipeV`: import, compare and subclass it on torch 2.8; use raises the cure."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import pytest

ID = "torch/distributed/pipelining/schedule_dual_pipe_v"
CODE = """
import pickle
from torch.distributed.pipelining import schedules
from torch.distributed.pipelining.schedules import PipelineScheduleMulti, ScheduleDualPipeV
print(issubclass(ScheduleDualPipeV, PipelineScheduleMulti), ScheduleDualPipeV.__module__)
print(pickle.loads(pickle.dumps(ScheduleDualPipeV)) is ScheduleDualPipeV)
print(isinstance(object(), ScheduleDualPipeV))
"""
USE = """
from torch.distributed.pipelining.schedules import ScheduleDualPipeV
class Mine(ScheduleDualPipeV):
    pass
Mine([], n_microbatches=2)
"""

TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch")
on_2_8 = pytest.mark.skipif(not IS_2_8, reason="needs torch 2.8, which lacks the schedule")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the schedule")


def _run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", *options, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_stands_where_the_real_one_does() -> None:
    """It is a multi-stage schedule, pickles by reference, and serves `isinstance`."""
    told = _run(CODE)
    expected = ["True torch.distributed.pipelining.schedules", "True", "False"]
    assert expected == told.stdout.splitlines(), told.stderr


@on_2_8
def test_use_says_what_it_needs() -> None:
    """Instances, of subclasses too, raise with the torch that has it and what to use instead."""
    told = _run(USE).stderr
    assert "NotImplementedError: The pipeline schedule DualPipeV needs torch 2.9 or later, " in told
    assert f"this is torch {TORCH}" in told
    assert "ZBVZeroBubble" in told


@on_2_8
def test_native_lacks_it() -> None:
    """Without the shim the import dies: the row is still needed."""
    assert "cannot import name 'ScheduleDualPipeV'" in _run(CODE, "--disable", ID).stderr


@on_later
def test_native_stays() -> None:
    """Where torch has the schedule, the row is gated and the class is torch's own."""
    from torch.distributed.pipelining import schedules

    import shimhub

    native = schedules.ScheduleDualPipeV
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert schedules.ScheduleDualPipeV is native
