"""What is told of this machine, and of machines that are not here."""

from __future__ import annotations

import pytest

from shimhub.speed import DeviceError
from shimhub.speed.hardware import detect


def test_the_cpu_is_told_by_name():
    """The CPU has a name, instruction sets, and as many threads as torch uses."""
    torch = pytest.importorskip("torch")
    found = detect("cpu")
    assert ("cpu", 0, None, str(torch.__version__)) == (
        found.kind,
        found.index,
        found.capability,
        found.torch,
    )
    assert torch.get_num_threads() == found.threads


def test_a_device_that_is_not_here_is_told():
    """Asking for one is an error that names it and the cure."""
    with pytest.raises(DeviceError, match=r"'cuda:99' is not here.*device: auto"):
        detect("cuda:99")
