"""`get_schedule_class("DualPipeV")` answers on torch 2.8 as it does natively later."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import pytest

ID = "torch/distributed/pipelining/get_schedule_class"
CODE = """
import inspect
from torch.distributed.pipelining import schedules
from torch.distributed.pipelining.schedules import get_schedule_class
for name in ("DualPipeV", "dualpipev", "1F1B", "interleaved1f1b"):
    print(get_schedule_class(name).__name__)
print(get_schedule_class("DualPipeV") is schedules.ScheduleDualPipeV)
print(list(inspect.signature(get_schedule_class).parameters))
try:
    get_schedule_class("DualPipe")
except ValueError as error:
    print(str(error).partition(".")[0])
"""

TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch")
on_2_8 = pytest.mark.skipif(not IS_2_8, reason="needs torch 2.8, which lacks the schedule")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the schedule")


def _run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", *options, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_names_lead_to_their_classes() -> None:
    """The new name and the old ones are found in any case; a wrong one is refused as natively."""
    told = _run(CODE)
    expected = ["ScheduleDualPipeV"] * 2 + ["Schedule1F1B", "ScheduleInterleaved1F1B"]
    expected += ["True", "['schedule_name']", "Unknown schedule name 'DualPipe'"]
    assert expected == told.stdout.splitlines(), told.stderr


@on_2_8
def test_choosing_it_ends_in_the_cure() -> None:
    """A trainer that looks the name up and makes the schedule gets the NotImplementedError."""
    told = _run(
        "from torch.distributed.pipelining.schedules import get_schedule_class\n"
        "get_schedule_class('DualPipeV')([], n_microbatches=2)"
    )
    assert "NotImplementedError: The pipeline schedule DualPipeV needs torch 2.9" in told.stderr


@on_2_8
def test_native_does_not_know_the_name() -> None:
    """Without the shim the name ends in a ValueError: the row is still needed."""
    assert "ValueError: Unknown schedule name 'DualPipeV'" in _run(CODE, "--disable", ID).stderr


@on_later
def test_native_stays() -> None:
    """Where torch has the schedule, the row is gated and the function is torch's own."""
    from torch.distributed.pipelining import schedules

    import shimhub

    native = schedules.get_schedule_class
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert schedules.get_schedule_class is native
